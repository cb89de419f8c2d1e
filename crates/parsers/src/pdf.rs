//! PDF: text by page, headings guessed only where the page says so plainly.

use pdf_oxide::PdfDocument;

use crate::{build::Builder, fault::ParseFault, limits::Limits, model::ParsedDocument, plain};

const PAGES_MAX: usize = 20_000;

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let malformed = |error: pdf_oxide::Error| ParseFault::malformed("PDF", error);
    let document = PdfDocument::from_bytes(bytes.to_vec()).map_err(malformed)?;
    // Many files are encrypted with an empty password, which only forbids printing.
    if document.is_encrypted() && !document.authenticate(b"").unwrap_or(false) {
        return Err(ParseFault::Encrypted);
    }
    let pages = document.page_count().map_err(malformed)?.min(PAGES_MAX);
    let mut builder = Builder::new(limits);
    let mut bare = Vec::new();
    for page in 0..pages {
        let number = u32::try_from(page + 1).unwrap_or(u32::MAX);
        builder.page = Some(number);
        match document.extract_text(page) {
            Ok(text) if !text.trim().is_empty() => plain::paragraphs(&text.replace('\0', ""), &mut builder)?,
            Ok(_) => bare.push(number),
            Err(error) => builder
                .warnings
                .push(format!("page {number} cannot be read: {}", mainspring_kernel::text::elide(&error.to_string(), 120))),
        }
    }
    if !bare.is_empty() {
        let shown: Vec<String> = bare.iter().take(50).map(ToString::to_string).collect();
        let more = if bare.len() > 50 { ", …" } else { "" };
        builder.warnings.push(format!("no text layer on {} of {pages} pages: {}{more}", bare.len(), shown.join(", ")));
    }
    Ok(builder.finish("application/pdf", file_name, u32::try_from(pages).ok()))
}
