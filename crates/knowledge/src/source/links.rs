//! The links of a page, found by scanning its bytes once: no tree is built of foreign HTML in this process.

use url::Url;

const MOST: usize = 10_000;

/// Targets of `<a href>` as absolute http(s) addresses without fragments.
pub(super) fn links(html: &str, base: &Url) -> Vec<Url> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let anchor = rest.get(..1).is_some_and(|tag| tag.eq_ignore_ascii_case("a"))
            && rest[1..].starts_with(|c: char| c.is_ascii_whitespace());
        if !anchor {
            continue;
        }
        let end = rest.find('>').unwrap_or(rest.len());
        if let Some(target) = href(&rest[1..end])
            && let Some(url) = resolve(base, &target)
        {
            found.push(url);
        }
        if found.len() >= MOST {
            break;
        }
        rest = &rest[end..];
    }
    found
}

/// The value of the first attribute that is called so. One pass: a tag may be as long as its page.
fn href(attributes: &str) -> Option<String> {
    let lower = attributes.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find("href").map(|found| from + found) {
        let before = attributes[..at].chars().next_back();
        let after = attributes[at + 4..].trim_start();
        if before.is_some_and(|c| c.is_ascii_whitespace() || matches!(c, '"' | '\''))
            && let Some(value) = after.strip_prefix('=')
        {
            return Some(value_of(value.trim_start()));
        }
        from = at + 4;
    }
    None
}

fn value_of(text: &str) -> String {
    let raw = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text[1..].split(quote).next().unwrap_or_default(),
        _ => text.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default(),
    };
    raw.replace("&amp;", "&")
}

fn resolve(base: &Url, target: &str) -> Option<Url> {
    let mut url = base.join(target.trim()).ok()?;
    url.set_fragment(None);
    matches!(url.scheme(), "http" | "https").then_some(url)
}
