//! PDF: text by page. A PDF says how letters look and not what they are: lines that stand out are taken for headings.

mod broken;
mod headings;

use std::panic::{AssertUnwindSafe, catch_unwind};

use broken::{Broken, is_whole};
use headings::{Found, Headings, key};
use pdf_oxide::{PdfDocument, object::Object};

use crate::{
    build::{Builder, one_line, stem},
    decode::decode,
    fault::ParseFault,
    limits::Limits,
    model::{Block, BlockKind, ParsedDocument},
    warning::WarningKind,
};

const PAGES_MAX: usize = 20_000;

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let malformed = |error: String| ParseFault::malformed("PDF", error);
    let document = sheltered(|| PdfDocument::from_bytes(bytes.to_vec())).map_err(malformed)?;
    // Many files are encrypted with an empty password, which only forbids printing.
    if document.is_encrypted() && !sheltered(|| document.authenticate(b"")).unwrap_or(false) {
        return Err(ParseFault::Encrypted);
    }
    let all = sheltered(|| document.page_count()).map_err(malformed)?;
    let pages = all.min(PAGES_MAX);
    let mut builder = Builder::new(limits);
    builder.title = sheltered(|| Ok(title(&document))).unwrap_or_default();
    let (mut bare, mut broken, mut read, mut letters) = (Vec::new(), Broken::default(), Vec::new(), 0);
    let mut headings = Headings::default();
    for page in 0..pages {
        let number = u32::try_from(page + 1).unwrap_or(u32::MAX);
        // The first page looks at others for what repeats at their head and foot, and stumbles over those; once.
        let text = || sheltered(|| document.extract_text(page));
        match text().or_else(|_| text()) {
            Ok(text) if !text.trim().is_empty() => {
                letters += text.len() as u64;
                if letters > limits.output {
                    return Err(ParseFault::TextTooLarge { limit: limits.output });
                }
                // The text was made of these, and they are still at hand.
                headings.see(number, &sheltered(|| document.extract_spans(page)).unwrap_or_default());
                read.push((number, text.replace('\0', "")));
            }
            Ok(_) => match sheltered(|| is_whole(&document, page)) {
                Ok(true) => bare.push(number),
                Ok(false) => broken.note(number, "its content is not in the file", &mut builder),
                Err(error) => broken.note(number, &error, &mut builder),
            },
            Err(error) => broken.note(number, &error, &mut builder),
        }
    }
    if read.is_empty() && bare.is_empty() {
        return Err(broken.fault(limits));
    }
    headings.decide();
    for (number, text) in read {
        builder.page = Some(number);
        page(number, &text, &headings, &mut builder)?;
    }
    if builder.title.is_none() {
        builder.title = Some(cover(&builder).unwrap_or_else(|| stem(file_name)));
    }
    broken.tell(pages, &mut builder);
    if pages < all {
        builder.warn(WarningKind::PagesCut, format!("only the first {pages} of {all} pages are read"));
    }
    if !bare.is_empty() {
        let shown: Vec<String> = bare.iter().take(50).map(ToString::to_string).collect();
        let more = if bare.len() > 50 { ", …" } else { "" };
        let detail = format!("no text layer on {} of {pages} pages: {}{more}", bare.len(), shown.join(", "));
        builder.warn(WarningKind::PageWithoutText, detail);
    }
    Ok(builder.finish("application/pdf", file_name, u32::try_from(pages).ok()))
}

/// pdf_oxide 0.3 panics over some damaged objects (it cuts text inside a letter); the other pages are still there.
fn sheltered<T>(read: impl FnOnce() -> pdf_oxide::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("an object is damaged".to_owned()),
    }
}

/// What the file calls itself, unless that is only where it came from.
fn title(document: &PdfDocument) -> Option<String> {
    let follow = |object: &Object| match object {
        Object::Reference(reference) => document.load_object(*reference).ok(),
        object => Some(object.clone()),
    };
    let about = follow(document.trailer().as_dict()?.get("Info")?)?;
    let title = follow(about.as_dict()?.get("Title")?)?;
    let title = one_line(&decode(title.as_string()?).0);
    let lower = title.to_lowercase();
    // What programs write where nobody said anything.
    let made = ["microsoft ", "untitled", "(anonymous)"].iter().any(|start| lower.starts_with(start));
    let file = [".doc", ".docx", ".ppt", ".pptx", ".xls", ".xlsx", ".tex", ".dvi", ".indd", ".pdf", ".odt"];
    let named = !made && !file.iter().any(|end| lower.ends_with(end)) && lower.chars().any(char::is_alphabetic);
    named.then_some(title)
}

/// What stands on the first page larger than everything else there.
fn cover(builder: &Builder) -> Option<String> {
    let level = |block: &Block| match block.kind {
        BlockKind::Heading { level } => Some(level),
        _ => None,
    };
    let first: Vec<(u8, &Block)> = builder
        .blocks
        .iter()
        .take_while(|block| block.page == Some(1))
        .filter_map(|block| Some((level(block)?, block)))
        .collect();
    let least = first.iter().map(|(level, _)| *level).min()?;
    let mut largest = first.iter().filter(|(level, _)| *level == least);
    let title = largest.next().and_then(|(_, block)| block.heading.clone());
    title.filter(|_| largest.next().is_none())
}

/// Lines between empty ones are a paragraph; a heading may go over several lines.
fn page(number: u32, text: &str, headings: &Headings, builder: &mut Builder) -> Result<(), ParseFault> {
    let (mut paragraph, mut heading) = (String::new(), None::<(u8, String)>);
    for line in text.lines() {
        let found = headings.find(number, &key(line));
        if let (Some(found), Some((level, open))) = (found, &mut heading)
            && found == (Found { level: *level, under: true })
        {
            open.push(' ');
            open.push_str(line);
            continue;
        }
        if line.trim().is_empty() || found.is_some() {
            builder.paragraph(&paragraph)?;
            paragraph.clear();
        }
        if line.trim().is_empty() {
            continue;
        }
        if let Some((level, open)) = heading.take() {
            builder.heading(level, &open)?;
        }
        match found {
            Some(found) => heading = Some((found.level, line.to_owned())),
            None => {
                if let Some(kept) = broken_word(&paragraph, line) {
                    paragraph.truncate(kept);
                }
                paragraph.push_str(line.trim_end());
                paragraph.push('\n');
            }
        }
    }
    builder.paragraph(&paragraph)?;
    heading.map_or(Ok(()), |(level, open)| builder.heading(level, &open))
}

/// How much of a paragraph stays when its last word goes on in the next line: all but a hyphen that only the end of
/// the line asked for. Of the hyphen of keyboards pdf_oxide has decided that already.
fn broken_word(paragraph: &str, line: &str) -> Option<usize> {
    let kept = paragraph.strip_suffix("\u{2010}\n").or_else(|| paragraph.strip_suffix("\u{ad}\n"))?;
    (kept.ends_with(char::is_alphabetic) && line.starts_with(char::is_lowercase)).then_some(kept.len())
}
