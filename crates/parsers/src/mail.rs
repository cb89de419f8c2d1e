//! E-mail: headers, the body, what is attached as text as sections of its own, the rest by name.

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use mainspring_kernel::text::elide;

use crate::{
    build::{Builder, one_line},
    detect::{Format, detect},
    fault::ParseFault,
    html,
    limits::Limits,
    model::{BlockKind, ParsedDocument},
    parse, plain,
    warning::{ParseWarning, WarningKind},
};

/// Messages in messages; deeper ones are named.
const NESTED: u8 = 3;
const BODIES: usize = 50;
const ATTACHMENTS: usize = 200;

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let message = MessageParser::default().parse(bytes).ok_or_else(|| ParseFault::malformed("e-mail", "it has no headers"))?;
    let mut builder = Builder::new(limits);
    builder.title = message.subject().map(str::to_owned);
    write(&message, 0, &mut builder, limits)?;
    Ok(builder.finish("message/rfc822", file_name, None))
}

fn write(message: &Message<'_>, depth: u8, builder: &mut Builder, limits: &Limits) -> Result<(), ParseFault> {
    let mut headers = Vec::new();
    headers.extend(message.from().map(|from| format!("From: {}", addresses(from))));
    headers.extend(message.to().map(|to| format!("To: {}", addresses(to))));
    headers.extend(message.cc().map(|cc| format!("Cc: {}", addresses(cc))));
    headers.extend(message.date().map(|date| format!("Date: {}", date.to_rfc3339())));
    headers.extend(message.subject().map(|subject| format!("Subject: {}", one_line(subject))));
    builder.block(BlockKind::Record, &clean(&headers.join("\n")))?;
    let said = message.text_bodies().any(|part| part.text_contents().is_some_and(|text| !text.trim().is_empty()));
    // Some programs write an empty text beside the page that says it all.
    let bodies: Vec<&MessagePart<'_>> =
        if said { message.text_bodies().take(BODIES).collect() } else { message.html_bodies().take(BODIES).collect() };
    for part in bodies {
        match &part.body {
            PartType::Html(page) => builder.append(html::parse_whole(&clean(page), limits)?)?,
            PartType::Text(text) => plain::paragraphs(&clean(text), builder)?,
            _ => {}
        }
    }
    let all = message.attachments().count();
    if all > ATTACHMENTS {
        let cut = format!("{all} parts are attached; the first {ATTACHMENTS} are read");
        builder.warn(WarningKind::AttachmentsCut, cut);
    }
    let mut named = Vec::new();
    for part in message.attachments().take(ATTACHMENTS) {
        if !attached(part, depth, builder, limits)? {
            named.extend(part.attachment_name().map(|name| format!("Attachment: {}", one_line(&clean(name)))));
        }
    }
    builder.leave(2 + depth);
    builder.block(BlockKind::Record, &named.join("\n"))
}

/// Adds an attachment as a section; false for one that is not text.
fn attached(part: &MessagePart<'_>, depth: u8, builder: &mut Builder, limits: &Limits) -> Result<bool, ParseFault> {
    let level = 2 + depth;
    if let PartType::Message(inner) = &part.body {
        let subject = clean(inner.subject().unwrap_or("no subject"));
        if depth >= NESTED {
            let cut = format!("message `{}` is attached {} deep and not read", elide(&one_line(&subject), 60), depth + 1);
            builder.warn(WarningKind::NestingCut, cut);
            return Ok(false);
        }
        builder.heading(level, &format!("Attached message: {subject}"))?;
        write(inner, depth + 1, builder, limits)?;
        return Ok(true);
    }
    let name = clean(part.attachment_name().unwrap_or("text"));
    let Some(format) = text_format(part, &name) else { return Ok(false) };
    let document = match &part.body {
        PartType::Text(text) | PartType::Html(text) => parse::text(format, clean(text), &name, limits),
        _ => parse::bytes_as_text(format, part.contents(), &name, limits),
    };
    let shown = elide(&one_line(&name), 60);
    match document {
        Ok(mut document) => {
            builder.heading(level, &format!("Attachment: {name}"))?;
            for ParseWarning { kind, detail } in document.warnings.drain(..) {
                builder.warn(kind, format!("attachment `{shown}`: {detail}"));
            }
            builder.append(document)?;
        }
        Err(fault) => {
            builder.warn(WarningKind::AttachmentUnread, format!("attachment `{shown}` cannot be read: {fault}"));
            return Ok(false);
        }
    }
    Ok(true)
}

/// What an attachment is, when it is text.
fn text_format(part: &MessagePart<'_>, name: &str) -> Option<Format> {
    let is_text = matches!(part.body, PartType::Text(_) | PartType::Html(_));
    let said = part.content_type().and_then(|kind| Some(format!("{}/{}", kind.c_type, kind.c_subtype.as_ref()?)));
    // What is text only because nothing else fits may be a signature or a key.
    match detect(part.contents(), name, said.as_deref()).ok()? {
        Format::Pdf | Format::Docx | Format::Pptx | Format::Sheet | Format::Locked | Format::Mail => None,
        Format::Plain if !is_text && !name.to_ascii_lowercase().ends_with(".txt") => None,
        format => Some(format),
    }
}

fn addresses(address: &Address<'_>) -> String {
    let one = |entry: &mail_parser::Addr<'_>| match (&entry.name, &entry.address) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(text), None) | (None, Some(text)) => text.to_string(),
        (None, None) => String::new(),
    };
    let all = address.iter().take(100).map(one).map(|text| one_line(&text));
    all.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}

/// One kind of line end and no NUL, as in every other text.
fn clean(text: &str) -> String {
    crate::decode::clean(text.to_owned())
}
