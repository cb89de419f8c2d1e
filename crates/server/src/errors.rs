//! The page of every error code, so that the address in a problem leads somewhere without the internet.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use mainspring_kernel::{FaultKind, text};
use mainspring_web_kit::{Path, Problem};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../docs/errors"]
struct Pages;

/// A page for a browser, the text itself for everybody else.
pub(crate) async fn show(Path(code): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    // Under `/v1` some codes are OpenAI's own words, which have underscores.
    let code = code.strip_suffix(".md").unwrap_or(&code).replace('_', "-");
    let page = Pages::get(&format!("{code}.md")).ok_or_else(|| unknown(&code))?;
    let page = String::from_utf8_lossy(&page.data).into_owned();
    let wants_page = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().windows(9).any(|at| at == b"text/html"));
    let (kind, body) =
        if wants_page { ("text/html; charset=utf-8", html(&page)) } else { ("text/markdown; charset=utf-8", page) };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(HeaderName::from_static("content-security-policy"), HeaderValue::from_static("default-src 'none'"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn unknown(code: &str) -> Problem {
    let known: Vec<String> = Pages::iter().filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).collect();
    let near = text::did_you_mean(code, known.iter().map(String::as_str));
    Problem::new(FaultKind::NotFound, "route-not-found", format!("no error has the code `{}`{near}", text::elide(code, 80)))
}

/// As much of Markdown as these pages use: headings, paragraphs, lists and code.
pub(crate) fn html(markdown: &str) -> String {
    let mut body = String::new();
    let mut title = "";
    for block in markdown.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let heading = block.chars().take_while(|c| *c == '#').count();
        if let (1..=3, Some(said)) = (heading, block.get(heading..)) {
            if title.is_empty() {
                title = said.trim();
            }
            let _ = writeln!(body, "<h{heading}>{}</h{heading}>", inline(said.trim()));
        } else if let Some(code) = block.strip_prefix("```") {
            let code = code.split_once('\n').map_or(code, |(_, code)| code).trim_end_matches('`');
            let _ = writeln!(body, "<pre>{}</pre>", escaped(code));
        } else if block.starts_with("- ") {
            let items = block.split("\n- ").map(|item| format!("<li>{}</li>", inline(item.trim_start_matches("- "))));
            let _ = writeln!(body, "<ul>{}</ul>", items.collect::<String>());
        } else {
            let _ = writeln!(body, "<p>{}</p>", inline(block));
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{}</title>\n<body>\n{body}</body></html>\n",
        escaped(title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Between backticks is code.
fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { escaped(part) } else { format!("<code>{}</code>", escaped(part)) }).collect()
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn a_page_keeps_its_headings_and_its_code_and_nothing_else_is_markup() {
        let page = html("# a-code\n\nUse `<key>` & wait.\n\n## What to do\n\n- one\n- `two`\n");
        let expected = "<h1>a-code</h1>\n<p>Use <code>&lt;key&gt;</code> &amp; wait.</p>\n<h2>What to do</h2>\n<ul><li>one</li><li><code>two</code></li></ul>\n";
        assert!(page.contains(expected), "{page}");
        assert!(page.contains("<title>a-code</title>"), "{page}");
    }
}
