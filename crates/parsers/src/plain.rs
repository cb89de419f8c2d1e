//! Plain text: paragraphs between empty lines.

use crate::{build::Builder, fault::ParseFault, limits::Limits, model::ParsedDocument};

pub(crate) fn parse(text: &str, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut builder = Builder::new(limits);
    paragraphs(text, &mut builder)?;
    Ok(builder.finish("text/plain", file_name, None))
}

pub(crate) fn paragraphs(text: &str, builder: &mut Builder) -> Result<(), ParseFault> {
    let mut open = String::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            builder.paragraph(&open)?;
            open.clear();
        } else {
            open.push_str(line.trim_end());
            open.push('\n');
        }
    }
    builder.paragraph(&open)
}
