//! HTML: the main content as Markdown, then read as Markdown.

use dom_smoothie::{Config, Readability};
use htmd::HtmlToMarkdown;

use crate::{
    build::{Builder, one_line},
    fault::ParseFault,
    limits::Limits,
    markdown,
    model::ParsedDocument,
};

/// Below this share of the whole page's text, what was taken for the main content is not it.
const MAIN_SHARE: usize = 4;

pub(crate) fn parse(source: &str, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut builder = Builder::new(limits);
    let (title, text) = convert(source, limits)?;
    markdown::read(text, &mut builder, limits)?;
    if !title.is_empty() {
        builder.title = Some(title);
    }
    Ok(builder.finish("text/html", file_name, None))
}

/// The title and the main content as Markdown.
pub(crate) fn convert(source: &str, limits: &Limits) -> Result<(String, String), ParseFault> {
    check_depth(source, limits.depth)?;
    let malformed = |error: std::io::Error| ParseFault::malformed("HTML", error);
    let converter = HtmlToMarkdown::builder()
        .skip_tags(vec!["script", "style", "noscript", "template", "svg", "nav", "iframe", "form"])
        .build();
    let whole = converter.convert(source).map_err(malformed)?;
    let page_title = title(source);
    let config = Config { max_elements_to_parse: 200_000, ..Config::default() };
    let article = Readability::new(source, None, Some(config)).and_then(|mut readability| readability.parse());
    let Ok(article) = article else { return Ok((page_title, tidy(&whole))) };
    let main = converter.convert(&article.content).map_err(malformed)?;
    let text = if main.len() * MAIN_SHARE < whole.len() { whole } else { main };
    let title = if page_title.is_empty() { article.title } else { page_title };
    Ok((one_line(&title), tidy(&text)))
}

fn title(source: &str) -> String {
    let lower = source.get(..source.len().min(64 << 10)).unwrap_or(source).to_ascii_lowercase();
    let Some(open) = lower.find("<title") else { return String::new() };
    let Some(start) = lower[open..].find('>').map(|at| open + at + 1) else { return String::new() };
    let end = lower[start..].find("</title").map_or(lower.len(), |at| start + at);
    let raw = source.get(start..end).unwrap_or_default();
    let plain = raw
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", " ")
        .replace("&mdash;", "—")
        .replace("&#8212;", "—");
    one_line(&plain)
}

/// No more than one empty line between parts.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        let line = line.trim_end();
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim().to_owned()
}

/// Elements whose end may be left out do not nest by being left open.
const LOOSE: [&str; 24] = [
    "p", "li", "td", "tr", "th", "dt", "dd", "option", "optgroup", "thead", "tbody", "tfoot", "colgroup", "rt", "rp", "br", "hr",
    "img", "input", "meta", "link", "col", "source", "wbr",
];

/// Counts open elements in one pass, before anything recursive looks at the tree.
fn check_depth(source: &str, limit: u32) -> Result<(), ParseFault> {
    let bytes = source.as_bytes();
    let mut depth: i64 = 0;
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'<') {
        at += found + 1;
        let closing = bytes.get(at) == Some(&b'/');
        let start = at + usize::from(closing);
        let end =
            bytes[start..].iter().position(|byte| !byte.is_ascii_alphanumeric()).map_or(bytes.len(), |length| start + length);
        let name = source[start..end].to_ascii_lowercase();
        if name.is_empty() || LOOSE.contains(&name.as_str()) {
            continue;
        }
        let close = bytes[end..].iter().position(|byte| *byte == b'>').map_or(bytes.len(), |length| end + length);
        let void = close > 0 && bytes.get(close.wrapping_sub(1)) == Some(&b'/');
        if closing {
            depth = (depth - 1).max(0);
        } else if !void {
            depth += 1;
            if depth > i64::from(limit) {
                return Err(ParseFault::TooDeep { limit });
            }
        }
        at = end;
    }
    Ok(())
}
