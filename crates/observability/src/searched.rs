//! What of a span's words is searched.
//!
//! The beginning lies in a column of its own, of which lists show the first line; what comes behind it in another, which few
//! spans have and nobody reads who only lists. Large values are cut out of a span before it becomes a row, so its words are
//! taken before, and stay with the row when it is written anew.

use mainspring_llm::{Span, trace::names};
use serde_json::Value;

use crate::{
    conventions::{Conversation, is_ours, said_above},
    filter::LENGTH_MAX,
    values,
};

/// The column of the beginning, and of what comes behind.
pub(crate) const CONTENT: &str = "content";
pub(crate) const REST: &str = "content_rest";

/// Characters of the beginning.
const BEGINNING: usize = 8_000;
/// Bytes of what was said that are searched.
pub(crate) const SEARCHED: usize = 256 << 10;
/// What is looked for may lie where the one column ends and the other begins. No filter is longer than this, so whatever it
/// looks for lies whole in one of the two.
const ACROSS: usize = LENGTH_MAX;

/// The last question first, then everything in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Searched {
    pub(crate) content: String,
    /// What comes behind; none where there is nothing.
    pub(crate) rest: Option<String>,
}

impl Searched {
    /// Of a span as it came; of one without its large values, of how they begin.
    pub(crate) fn of(span: &Span) -> Self {
        Self::parted(said(values::begun(span).as_ref()))
    }

    fn parted(mut text: String) -> Self {
        text.truncate(floor(&text, SEARCHED));
        // A text of so few bytes has no more characters: mostly none need be counted.
        let ends = if text.len() > BEGINNING { text.char_indices().nth(BEGINNING) } else { None };
        let Some((ends, _)) = ends else { return Self { content: text, rest: None } };
        let rest = text[floor(&text, ends.saturating_sub(ACROSS))..].to_owned();
        text.truncate(ends);
        Self { content: text, rest: Some(rest) }
    }
}

/// The last place at or before this one where a character begins.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn said(span: &Span) -> String {
    if !is_ours(span) {
        let mut text = Conversation::beginning(span, SEARCHED).text();
        if span.attributes.contains_key(names::SIGNAL) {
            recorded(span, &mut text);
        }
        return text;
    }
    let mut text = String::new();
    for key in [names::QUERY, names::INPUT_MESSAGES, names::OUTPUT_MESSAGES] {
        if let Some(value) = span.attributes.get(key) {
            collect(value, &mut text);
        }
    }
    text
}

/// What a log record says that is no message of a call: those are read as messages.
fn recorded(span: &Span, text: &mut String) {
    let events = span.events.iter().filter(|event| !said_above().any(|name| name == event.name));
    for value in events.flat_map(|event| event.attributes.values()) {
        match value {
            Value::Null => continue,
            Value::String(said) => text.push_str(&said[..floor(said, SEARCHED)]),
            // As it is written, with its names: a line of a structured log is searched by either.
            other => text.push_str(&other.to_string()),
        }
        text.push('\n');
    }
}

fn collect(value: &Value, text: &mut String) {
    match value {
        Value::String(part) => {
            text.push_str(part);
            text.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, text)),
        Value::Object(fields) => {
            for key in ["parts", "content"] {
                if let Some(value) = fields.get(key) {
                    collect(value, text);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_has_nothing_behind_it() {
        let short = "é".repeat(BEGINNING);
        assert_eq!(Searched::parted(short.clone()), Searched { content: short, rest: None });
        let more = format!("{}b", "a".repeat(BEGINNING));
        assert_eq!(Searched::parted(more.clone()).rest.as_deref(), Some(&more[BEGINNING - ACROSS..]), "by one");
    }

    #[test]
    fn of_a_long_text_so_much_is_searched_and_no_more() {
        let text = format!("{}here{}there", "x".repeat(SEARCHED - 4), "y".repeat(1_000));
        let Searched { content, rest } = Searched::parted(text);
        let rest = rest.unwrap();
        assert_eq!((content.len(), rest.len()), (BEGINNING, SEARCHED - BEGINNING + ACROSS));
        assert!(rest.ends_with("here"));
    }

    proptest! {
        #[test]
        fn whatever_a_filter_can_look_for_lies_whole_in_one_of_the_two(
            before in 0_usize..20_000,
            looked_for in "[a-zé€]{1,1300}",
            after in 0_usize..9_000,
            filling in prop::sample::select(vec!["-", "ä", "語"]),
        ) {
            prop_assume!(looked_for.len() <= ACROSS);
            let text = format!("{}{looked_for}{}", filling.repeat(before), filling.repeat(after));
            let Searched { content, rest } = Searched::parted(text);
            prop_assert!(content.contains(&looked_for) || rest.is_some_and(|rest| rest.contains(&looked_for)));
        }
    }
}
