//! One file, in this process. Only the child and tests call it.

use crate::{
    charset, code,
    decode::decode,
    detect::{Format, detect},
    docx,
    fault::ParseFault,
    html,
    limits::Limits,
    mail, markdown,
    model::ParsedDocument,
    pdf, plain, pptx, records, sheets,
    warning::ParseWarning,
};

pub fn parse_in_process(
    bytes: &[u8],
    file_name: &str,
    media_type: Option<&str>,
    limits: &Limits,
) -> Result<ParsedDocument, ParseFault> {
    if bytes.len() as u64 > limits.input {
        return Err(ParseFault::TooLarge { bytes: bytes.len() as u64, limit: limits.input });
    }
    let format = detect(bytes, file_name, media_type).map_err(|media_type| ParseFault::Unsupported { media_type })?;
    match format {
        Format::Pdf => return pdf::parse(bytes, file_name, limits),
        Format::Docx => return docx::parse(bytes, file_name, limits),
        Format::Pptx => return pptx::parse(bytes, file_name, limits),
        Format::Sheet => return sheets::parse(bytes, file_name, limits),
        Format::Locked => return Err(ParseFault::Encrypted),
        Format::Mail => return mail::parse(bytes, file_name, limits),
        _ => {}
    }
    let document = match charset::named(format, bytes, media_type) {
        Some(encoding) => warned(format, charset::decode(bytes, encoding), file_name, limits)?,
        None => bytes_as_text(format, bytes, file_name, limits)?,
    };
    debug_assert_eq!(document.media_type, format.media_type());
    Ok(document)
}

/// Bytes of a format that is text.
pub(crate) fn bytes_as_text(
    format: Format,
    bytes: &[u8],
    file_name: &str,
    limits: &Limits,
) -> Result<ParsedDocument, ParseFault> {
    warned(format, decode(bytes), file_name, limits)
}

fn warned(
    format: Format,
    (decoded, warning): (String, Option<ParseWarning>),
    file_name: &str,
    limits: &Limits,
) -> Result<ParsedDocument, ParseFault> {
    let mut document = text(format, decoded, file_name, limits)?;
    document.warnings.extend(warning);
    Ok(document)
}

pub(crate) fn text(format: Format, text: String, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    match format {
        Format::Markdown => markdown::parse(text, file_name, limits),
        Format::Html => html::parse(&text, file_name, limits),
        Format::Csv => records::csv(&text, file_name, limits),
        Format::Json => records::json(&text, file_name, limits),
        Format::JsonLines => records::json_lines(&text, file_name, limits),
        Format::Code(language) => code::parse(text, file_name, language, limits),
        _ => plain::parse(&text, file_name, limits),
    }
}
