//! Values as people write them.

use mainspring_kernel::{Money, Timestamp, text::nearest};

use super::{
    fault::Complaint,
    fields::{FieldKind, KnownField, among},
    lexer::Lexeme,
    tree::{Field, Moment, UNITS, Value},
};
use crate::conventions::SpanType;

/// The value that a field is compared with.
pub(super) fn value(field: &Field, lexeme: &Lexeme) -> Result<Value, Complaint> {
    let (text, quoted) = match lexeme {
        Lexeme::Bare(text) => (text.as_str(), false),
        Lexeme::Text(text) => (text.as_str(), true),
        Lexeme::Sign(sign) => return Err(Complaint::new(format!("a value is missing before `{}`", sign.shown()))),
    };
    if !quoted && is_keyword(text) {
        return Err(Complaint::new(format!("a value is missing before `{text}`")).hinting("a text of that name stands in quotes"));
    }
    let Field::Known(known) = field else { return Ok(if quoted { Value::Text(text.to_owned()) } else { free(text) }) };
    let KnownField { name, kind, .. } = known;
    match kind {
        FieldKind::Text | FieldKind::List => text_of(name, text).map(Value::Text),
        // Senders write it in capitals.
        FieldKind::Severity => text_of(name, &text.to_lowercase()).map(Value::Text),
        FieldKind::Flag => flag(text).ok_or_else(|| {
            let hint = if *name == "error" { "the class of what failed is `error_type`" } else { "it may also stand alone" };
            Complaint::new(format!("`{name}` is true or false")).hinting(hint)
        }),
        FieldKind::Number => text
            .parse()
            .map(Value::Number)
            .map_err(|_| Complaint::new(format!("`{name}` is compared with a whole number, not with `{}`", shown(text)))),
        FieldKind::Duration => duration(text).map(Value::Duration).ok_or_else(|| {
            Complaint::new(format!("`{name}` is compared with a duration, not with `{}`", shown(text)))
                .hinting("write 150ms, 2.5s, 10m or 1h; nothing is finer than 1us")
        }),
        FieldKind::Money => money(text).map(Value::Money).ok_or_else(|| {
            Complaint::new(format!("`{name}` is compared with dollars, not with `{}`", shown(text)))
                .hinting("write 0.25, with nine decimals at most")
        }),
        FieldKind::Time => moment(text).map(Value::Time).ok_or_else(|| {
            Complaint::new(format!("`{name}` is compared with a time, not with `{}`", shown(text)))
                .hinting("write -1h for an hour ago, now, 2026-11-26 or 2026-11-26T08:00:00Z")
        }),
    }
}

/// A text that the field can have: with another the filter would find nothing, and nobody would know why.
fn text_of(name: &str, text: &str) -> Result<String, Complaint> {
    let Some(among) = among(name).filter(|among| !among.contains(&text)) else { return Ok(text.to_owned()) };
    let hint = match nearest(text, among.iter().copied()) {
        _ if name == "kind" && SpanType::read(text).is_some() => format!("what a span does is its `type`: write type = {text}"),
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it is one of {}", among.join(", ")),
    };
    Err(Complaint::new(format!("`{name}` is never `{}`", shown(text))).hinting(hint))
}

pub(super) const KEYWORDS: [&str; 8] = ["and", "or", "not", "in", "contains", "words", "starts_with", "exists"];

pub(super) fn is_keyword(text: &str) -> bool {
    KEYWORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn shown(text: &str) -> String {
    mainspring_kernel::text::elide(text, 40)
}

/// Nobody says of what kind an attribute is, so what is not in quotes says it by how it looks.
fn free(text: &str) -> Value {
    if let Some(flag) = flag(text) {
        return flag;
    }
    let begins = text.strip_prefix('-').unwrap_or(text).starts_with(|first: char| first.is_ascii_digit());
    if begins {
        if let Ok(number) = text.parse() {
            return Value::Number(number);
        }
        if let Some(number) = text.parse().ok().filter(|number: &f64| number.is_finite()) {
            return Value::Decimal(number);
        }
    }
    Value::Text(text.to_owned())
}

fn flag(text: &str) -> Option<Value> {
    match text {
        "true" => Some(Value::Flag(true)),
        "false" => Some(Value::Flag(false)),
        _ => None,
    }
}

/// Microseconds of a decimal number with its unit.
fn duration(text: &str) -> Option<i64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (digits, unit) = text.split_at(end);
    let unit = if unit == "µs" { "us" } else { unit };
    let (_, micros) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    if decimals.is_empty() || decimals.len() > 15 {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let scale = 10_i128.pow(u32::try_from(decimals.len()).ok()?);
    let parts = decimals.parse::<i128>().ok()?.checked_mul(micros.into())?;
    if parts % scale != 0 {
        return None;
    }
    i64::try_from(whole.checked_mul(micros.into())?.checked_add(parts / scale)?).ok()
}

/// Billionths of a dollar.
fn money(text: &str) -> Option<i64> {
    let pico = text.strip_prefix('$').unwrap_or(text).parse::<Money>().ok()?.as_pico();
    if pico % 1000 == 0 { i64::try_from(pico / 1000).ok() } else { None }
}

fn moment(text: &str) -> Option<Moment> {
    if text.eq_ignore_ascii_case("now") {
        return Some(Moment::Ago(0));
    }
    if let Some(ago) = text.strip_prefix('-') {
        return duration(ago).map(Moment::Ago);
    }
    Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z"))).map(Moment::At)
}
