//! Every error code has a page, and every page a code.

use std::collections::BTreeSet;

pub(super) fn check(sources: &[String], files: &BTreeSet<String>) -> Vec<String> {
    let codes: BTreeSet<String> = sources.iter().flat_map(|source| codes_of(source)).collect();
    let pages: BTreeSet<String> = files.iter().filter_map(|name| name.strip_suffix(".md")).map(str::to_owned).collect();
    let missing = codes.difference(&pages).map(|code| format!("the code `{code}` has no page in docs/errors"));
    let used = |code: &String| sources.iter().any(|source| source.contains(&format!("\"{code}\"")));
    let stale = pages.difference(&codes).filter(|code| !used(code));
    missing.chain(stale.map(|code| format!("docs/errors/{code}.md is about a code that nothing says"))).collect()
}

/// The string literals in the bodies of `fn code`, and the codes that problems are made with.
fn codes_of(source: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for body in source.split("fn code(&self) -> &'static str {").skip(1) {
        let end = body.find("\n    }").unwrap_or(body.len());
        codes.extend(body[..end].split('"').skip(1).step_by(2).filter(|literal| literal.contains('-')).map(str::to_owned));
    }
    for arguments in source.split("::new(").skip(1) {
        let kind = arguments.trim_start().trim_start_matches("mainspring_kernel::");
        let code = kind.strip_prefix("FaultKind::").and_then(|kind| kind.split_once(',')).map(|(_, code)| code.trim_start());
        let literal = code.and_then(|code| code.strip_prefix('"')).and_then(|code| code.split_once('"'));
        codes.extend(literal.map(|(code, _)| code.to_owned()));
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
    fn code(&self) -> &'static str {
        match self { A => "a-b", B => "c-d" }
    }
    fn other() { reason("said-here") }
    fn more() {
        Problem::new(FaultKind::Invalid, "e-f", "not-a-code".to_owned());
        Err(Problem::new(
            mainspring_kernel::FaultKind::NotFound,
            "g-h",
            format!("x"),
        ));
        Problem::new(FaultKind::Invalid, code, "x");
    }"#;

    #[test]
    fn codes_are_found_where_faults_and_problems_say_them() {
        assert_eq!(codes_of(SOURCE).into_iter().collect::<Vec<_>>(), ["a-b", "c-d", "e-f", "g-h"]);
    }

    #[test]
    fn a_code_without_a_page_and_a_page_without_a_code_are_named() {
        let files = ["a-b.md", "c-d.md", "e-f.md", "said-here.md", "old.md"].map(str::to_owned).into();
        let expected = ["the code `g-h` has no page in docs/errors", "docs/errors/old.md is about a code that nothing says"];
        assert_eq!(check(&[SOURCE.to_owned()], &files), expected);
    }
}
