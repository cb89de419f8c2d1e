//! Code on a page: what language it is in stands in the classes of generators, each in its own way.

use dom_query::{Document, NodeRef};

/// Puts code into `pre > code` with its language, and takes out what only colours it.
pub(super) fn mark(page: &Document) {
    for listing in page.select("pre").iter() {
        let Some(node) = listing.nodes().first() else { continue };
        let language = language(node);
        listing.select("br").replace_with_html("\n");
        listing.strip_elements(&["code", "span", "b", "strong", "i", "em", "u", "var", "kbd", "samp", "mark", "div", "p"]);
        let class = language.map(|name| format!(" class=\"language-{name}\"")).unwrap_or_default();
        let inner = listing.inner_html();
        listing.set_html(format!("<code{class}>{inner}</code>"));
    }
}

fn language(listing: &NodeRef<'_>) -> Option<String> {
    let inside = listing.children().into_iter().filter(|child| child.has_name("code"));
    let around = listing.ancestors_it(Some(2));
    inside.chain([*listing]).chain(around).find_map(|node| named(&node))
}

fn named(node: &NodeRef<'_>) -> Option<String> {
    let said = ["data-lang", "data-language"].into_iter().find_map(|name| node.attr(name)).map(|said| said.to_string());
    let class = node.class().unwrap_or_default().to_string();
    let words: Vec<&str> = class.split([' ', ';', '\n', '\t']).filter(|word| !word.is_empty()).collect();
    let prefixed = |word: &str| {
        let prefixes = ["language-", "lang-", "highlight-source-", "highlight-", "brush:"];
        prefixes.iter().find_map(|prefix| word.strip_prefix(prefix)).filter(|name| !name.is_empty()).map(str::to_owned)
    };
    let after = |mark: &str| words.windows(2).find(|pair| pair[0] == mark).map(|pair| pair[1].to_owned());
    said.or_else(|| words.iter().find_map(|word| prefixed(word)))
        .or_else(|| after("sourceCode"))
        .or_else(|| after("brush:"))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| is_language(name))
}

/// Names become part of the text, so only what can be one.
fn is_language(name: &str) -> bool {
    let plain = ["default", "none", "text", "plaintext", "plain", "nohighlight", "notranslate"];
    (1..=30).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '#' | '-' | '_' | '.'))
        && !plain.contains(&name)
}
