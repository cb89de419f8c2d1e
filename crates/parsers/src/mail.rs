//! E-mail: headers, the body as text, attachments by name.

use mail_parser::{Address, MessageParser, MimeHeaders};

use crate::{
    build::Builder,
    fault::ParseFault,
    html,
    limits::Limits,
    markdown,
    model::{BlockKind, ParsedDocument},
    plain,
};

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let message = MessageParser::default().parse(bytes).ok_or_else(|| ParseFault::malformed("e-mail", "it has no headers"))?;
    let mut builder = Builder::new(limits);
    builder.title = message.subject().map(str::to_owned);
    let mut headers = Vec::new();
    headers.extend(message.from().map(|from| format!("From: {}", addresses(from))));
    headers.extend(message.to().map(|to| format!("To: {}", addresses(to))));
    headers.extend(message.date().map(|date| format!("Date: {}", date.to_rfc3339())));
    headers.extend(message.subject().map(|subject| format!("Subject: {subject}")));
    builder.block(BlockKind::Record, &headers.join("\n"))?;
    if message.text_body_count() > 0 {
        for index in 0..message.text_body_count().min(50) {
            if let Some(text) = message.body_text(index) {
                plain::paragraphs(&text, &mut builder)?;
            }
        }
    } else if let Some(body) = message.body_html(0) {
        let page = html::convert(&body, limits)?;
        plain::paragraphs(&markdown::spoken(&page.text), &mut builder)?;
        page.links.iter().for_each(|(words, target)| builder.link(words, target));
    }
    let names: Vec<String> = message
        .attachments()
        .take(200)
        .filter_map(|part| part.attachment_name())
        .map(|name| format!("Attachment: {name}"))
        .collect();
    builder.block(BlockKind::Record, &names.join("\n"))?;
    Ok(builder.finish("message/rfc822", file_name, None))
}

fn addresses(address: &Address<'_>) -> String {
    let one = |entry: &mail_parser::Addr<'_>| match (&entry.name, &entry.address) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(text), None) | (None, Some(text)) => text.to_string(),
        (None, None) => String::new(),
    };
    address.iter().take(100).map(one).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}
