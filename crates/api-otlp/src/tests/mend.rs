//! JSON that is put right before it is read.

use proptest::prelude::*;
use serde_json::Value;

use super::{example, lenient::any_json, project};
use crate::{
    mend::mend,
    request::{Encoding, decode},
    signal::Signal,
    spans::{self, Received},
    weigh::weigh,
};

/// An export of spans as it is read when it comes in.
fn taken(body: &str) -> Received {
    let mut body = body.as_bytes().to_vec();
    weigh(&mut body, Encoding::Json, Signal::Traces.shape(), usize::MAX).unwrap();
    spans::read(decode(&body, Encoding::Json).unwrap(), project())
}

#[test]
fn half_a_character_costs_itself_and_not_all_that_came_with_it() {
    for (said, read) in [
        (r"\ud800", "\u{fffd}"),
        (r"a\uDC00b", "a\u{fffd}b"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\n", "\u{fffd}\n"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\u{fffd}"),
        (r"\u00e9\ud83d\ude00", "é😀"),
    ] {
        let received = taken(&example().to_string().replace("gpt", said));
        assert_eq!((received.spans.len(), received.rejected), (1, 0), "{said}");
        assert_eq!(received.spans[0].attributes["gen_ai.request.model"], read, "{said}");
    }
}

fn mended(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    mend(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn what_is_right_stays_as_it_is(value in any_json()) {
        let text = value.to_string();
        prop_assert_eq!(mended(&text), text);
    }

    #[test]
    fn whatever_a_string_is_made_of_it_is_read(
        parts in prop::collection::vec(
            prop::sample::select(vec![r"\ud83d", r"\ude00", r"\uDBFF", r"\uffff", r"\u0041", r"\\", r#"\""#, r"\n", "u", "é"]), 0..12)
    ) {
        let read: Result<Value, _> = serde_json::from_str(&mended(&format!("\"{}\"", parts.concat())));
        prop_assert!(read.is_ok(), "{read:?}");
    }

    /// Nothing is said of what is no JSON; but that it is none is found by its reader, and by nobody before.
    #[test]
    fn any_bytes_are_gone_over(mut bytes in prop::collection::vec(any::<u8>(), 0..200), cut in prop::sample::select(vec!["\"", "\"\\", "\"\\u", "\"\\ud83d\\u"])) {
        bytes.extend_from_slice(cut.as_bytes());
        let length = bytes.len();
        mend(&mut bytes);
        prop_assert_eq!(bytes.len(), length);
    }
}
