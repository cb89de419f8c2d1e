//! HTML: the main content as Markdown, then read as Markdown. Where links lead is kept beside the text.

mod listings;
mod tables;

use std::sync::{Arc, Mutex, PoisonError};

use dom_query::Document;
use dom_smoothie::{Config, Readability};
use htmd::{Element, HtmlToMarkdown, element_handler::Handlers};

use crate::{
    build::{Builder, one_line},
    fault::ParseFault,
    limits::Limits,
    markdown, marks,
    model::ParsedDocument,
    unspoken,
};

/// With a smaller share of the page's text, in tenths, what looked like the main content is only a part of it:
/// a menu too many is less harm than a paragraph too few.
const MAIN_TENTHS: usize = 9;
/// With fewer letters nothing is there to be left out, and guesses are poor.
const SHORT: usize = 500;

pub(crate) fn parse(source: &str, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut page = open(source, limits)?;
    let title = title(&page);
    let (html, called) = main_content(&mut page);
    let title = if title.is_empty() { called } else { title };
    read(&html, title, file_name, limits)
}

/// A page of which nothing is left out: the body of a mail has no menu.
pub(crate) fn parse_whole(source: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let page = open(source, limits)?;
    read(&page.doc.select("body").html(), title(&page), "", limits)
}

fn open(source: &str, limits: &Limits) -> Result<Readability, ParseFault> {
    check_depth(source, limits.depth)?;
    let config = Config { max_elements_to_parse: 200_000, keep_classes: true, ..Config::default() };
    let unread = |error: dom_smoothie::ReadabilityError| ParseFault::malformed("HTML", error);
    let page = Readability::new(source, None, Some(config)).map_err(unread)?;
    page.doc.select("script, style, noscript, template, svg, nav, iframe, [role=navigation]").remove();
    drop_permalinks(&page);
    listings::mark(&page.doc);
    Ok(page)
}

/// What the page says is its content, or what looks like it, or all of it; and what that is called.
fn main_content(page: &mut Readability) -> (String, String) {
    if let Some(part) = said_content(&page.doc) {
        return (part, String::new());
    }
    let whole = prose(&page.doc);
    // Looking for it takes the page apart.
    let all = page.doc.select("body").html().to_string();
    if whole < SHORT {
        return (all, String::new());
    }
    match page.parse() {
        Ok(article) if prose(&Document::from(article.content.clone())) * 10 >= whole * MAIN_TENTHS => {
            (article.content.to_string(), one_line(&article.title))
        }
        _ => (all, String::new()),
    }
}

fn said_content(page: &Document) -> Option<String> {
    let only = |places: &str, least: usize| {
        let part = page.select(places);
        let length = letters(&part.text());
        (part.length() == 1 && length >= least.max(1)).then(|| (part.html().to_string(), length))
    };
    let main = ["[role=main]", "main"].iter().find_map(|places| only(places, 1));
    let around = main.as_ref().map_or_else(|| letters(&page.select("body").text()), |(_, length)| *length);
    // An article with what belongs to it around is the content; one among others is not.
    only("article", around / 2).or(main).map(|(html, _)| html)
}

/// Letters that are in no link: menus and lists of other pages have few of them.
fn prose(page: &Document) -> usize {
    let links: usize = page.select("body a").iter().map(|link| letters(&link.text())).sum();
    letters(&page.select("body").text()).saturating_sub(links)
}

fn letters(text: &str) -> usize {
    text.split_whitespace().map(str::len).sum()
}

fn read(html: &str, title: String, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let (text, links) = to_markdown(html).map_err(|error| ParseFault::malformed("HTML", error))?;
    let mut builder = Builder::new(limits);
    let (text, places) = marks::taken(&text);
    markdown::read(text.into_owned(), &mut builder, limits)?;
    for (number, (words, target)) in links.iter().enumerate() {
        builder.link(words, target, places.get(&number).copied());
    }
    unspoken::drop_from(&mut builder);
    if !title.is_empty() {
        builder.title = Some(title);
    }
    Ok(builder.finish("text/html", file_name, None))
}

/// Links to the place they stand at: `¶` behind every heading says nothing to a reader.
fn drop_permalinks(page: &Readability) {
    page.doc.select("a.headerlink").remove();
    let mark = |text: &str| {
        let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{fe0f}' | '\u{feff}'));
        matches!(text, "" | "¶" | "#" | "🔗" | "§")
    };
    for links in ["h1 a", "h2 a", "h3 a", "h4 a", "h5 a", "h6 a", "a[href^='#']"] {
        for link in page.doc.select(links).iter() {
            if mark(&link.text()) && !link.select("img").exists() {
                link.remove();
            }
        }
    }
}

/// What the page calls itself. Without the name of its site, which says nothing about this page: where
/// the title is the page's own heading and something behind it, the heading is the title.
fn title(page: &Readability) -> String {
    let text = |selector: &str| one_line(&page.doc.select(selector).first().text());
    let whole = match text("head title") {
        title if title.is_empty() => text("title"),
        title => title,
    };
    // A heading outside the content is often the site's.
    let headings = ["main h1", "article h1", "[role=main] h1", "h1"];
    let heading = headings.into_iter().map(text).find(|heading| !heading.is_empty()).unwrap_or_default();
    let rest = whole.strip_prefix(heading.as_str()).unwrap_or_default();
    let separated =
        rest.strip_prefix(' ').is_some_and(|rest| rest.starts_with(['—', '–', '-', '|', '·', '•', '«', '»', '/', ':']));
    if separated && !heading.is_empty() { heading } else { whole }
}

/// Markdown with links as their words only, between marks, and the words and targets of these links.
fn to_markdown(html: &str) -> std::io::Result<(String, Vec<(String, String)>)> {
    let links: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let kept = links.clone();
    let link = move |handlers: &dyn Handlers, element: Element<'_>| {
        let mut words = handlers.walk_children(element.node);
        if let Some(target) = attribute(&element, "href") {
            let entry = (markdown::words(&words.content), target);
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            words.content = marks::around(&words.content, kept.len());
            kept.push(entry);
        }
        Some(words)
    };
    // A picture is what it is called; its address, or the whole of it, is nothing to read.
    let picture = |_: &dyn Handlers, element: Element<'_>| attribute(&element, "alt").map(|alt| one_line(&alt).into());
    let converter = HtmlToMarkdown::builder()
        // What a form asks is text; what it can be answered with is not.
        .skip_tags(vec!["input", "select", "textarea", "button", "datalist"])
        .add_handler(vec!["a"], link)
        .add_handler(vec!["img"], picture);
    let text = tidy(&tables::handle(converter).build().convert(html)?);
    let links = std::mem::take(&mut *links.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((text, links))
}

fn attribute(element: &Element<'_>, name: &str) -> Option<String> {
    element.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| attribute.value.to_string())
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

/// Elements whose end may be left out do not nest by being left open; of links one ends the one before.
const LOOSE: [&str; 30] = [
    "p", "li", "td", "tr", "th", "dt", "dd", "option", "optgroup", "thead", "tbody", "tfoot", "colgroup", "rt", "rp", "br", "hr",
    "img", "input", "meta", "link", "col", "source", "wbr", "a", "area", "base", "embed", "param", "track",
];

/// Elements that hold text, whatever it looks like, and how they end. `i<n` in a script opens nothing.
const RAW: [(&str, &str); 8] = [
    ("script", "</script"),
    ("style", "</style"),
    ("textarea", "</textarea"),
    ("title", "</title"),
    ("xmp", "</xmp"),
    ("iframe", "</iframe"),
    ("noembed", "</noembed"),
    ("noframes", "</noframes"),
];

/// Counts open elements in one pass, before anything recursive looks at the tree.
fn check_depth(source: &str, limit: u32) -> Result<(), ParseFault> {
    let bytes = source.as_bytes();
    let (mut depth, mut drawing, mut at) = (0_i64, 0_i64, 0);
    let mut ends = Ends::default();
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'<') {
        at += found + 1;
        if bytes[at..].starts_with(b"!--") {
            at = ends.of_comment(bytes, at + 1).unwrap_or(at);
            continue;
        }
        let closing = bytes.get(at) == Some(&b'/');
        let start = at + usize::from(closing);
        let end =
            bytes[start..].iter().position(|byte| !byte.is_ascii_alphanumeric()).map_or(bytes.len(), |length| start + length);
        let name = source[start..end].to_ascii_lowercase();
        if name.is_empty() || LOOSE.contains(&name.as_str()) {
            continue;
        }
        at = end;
        // Within a drawing or a formula these are elements like others.
        if let Some(&(_, ending)) = RAW.iter().find(|(raw, _)| drawing == 0 && *raw == name) {
            at = if closing { end } else { ends.of(bytes, end, ending).unwrap_or(end) };
            continue;
        }
        let close = bytes[end..].iter().position(|byte| *byte == b'>').map_or(bytes.len(), |length| end + length);
        let void = close > 0 && bytes.get(close.wrapping_sub(1)) == Some(&b'/');
        let step = if closing { -1 } else { i64::from(!void) };
        depth = (depth + step).max(0);
        if depth > i64::from(limit) {
            return Err(ParseFault::TooDeep { limit });
        }
        if matches!(name.as_str(), "svg" | "math") {
            drawing = (drawing + step).max(0);
        }
    }
    Ok(())
}

/// Looks for ends. One that is not there is looked for once: a page may begin the same thing a million times.
#[derive(Debug, Default)]
struct Ends {
    never: Vec<&'static str>,
}

impl Ends {
    fn of(&mut self, bytes: &[u8], from: usize, end: &'static str) -> Option<usize> {
        let find = |bytes: &[u8]| bytes.windows(end.len()).position(|part| part.eq_ignore_ascii_case(end.as_bytes()));
        self.once(end, || find(&bytes[from..]).map(|at| from + at))
    }

    /// A comment ends with `-->`, and for browsers with `--!>` too.
    fn of_comment(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let ends = |rest: &[u8]| rest.starts_with(b"-->") || rest.starts_with(b"--!>");
        self.once("-->", || (from..bytes.len()).find(|at| ends(&bytes[*at..])))
    }

    fn once(&mut self, end: &'static str, find: impl FnOnce() -> Option<usize>) -> Option<usize> {
        let found = if self.never.contains(&end) { None } else { find() };
        if found.is_none() && !self.never.contains(&end) {
            self.never.push(end);
        }
        found
    }
}
