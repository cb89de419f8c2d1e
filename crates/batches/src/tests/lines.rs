//! Cutting and reading lines: no server, no engine.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::line;
use crate::{
    LineReply,
    lines::{Asked, Cut, Splitter, read},
    model::Endpoint,
    rest::Position,
    results::{Answered, PACK, PACK_BYTES, Pack},
};

fn cut(pieces: &[&[u8]], longest: usize) -> Vec<Cut> {
    let (mut splitter, mut found) = (Splitter::new(longest, Position::START), Vec::new());
    for piece in pieces {
        splitter.push(piece);
        while let Some(cut) = splitter.next() {
            found.push(cut);
        }
    }
    found.extend(splitter.rest());
    found
}

fn text(number: u64, text: &str) -> Cut {
    Cut::Line { number, text: Bytes::copy_from_slice(text.as_bytes()) }
}

#[test]
fn lines_keep_their_numbers_whatever_stands_between_them() {
    let found = cut(&[b"\xef\xbb\xbfone\n\n  \t\r\ntwo\r\nthree"], 100);
    assert_eq!(found, [text(1, "one"), text(4, "two\r"), text(5, "three")]);
    assert_eq!(cut(&[b"\n\n"], 100), []);
    assert_eq!(cut(&[], 100), []);
}

#[test]
fn a_line_that_is_too_long_is_told_once_and_the_next_is_read() {
    let long = "x".repeat(50);
    let whole = format!("short\n{long}\nafter\n{long}");
    let expected = [text(1, "short"), Cut::TooLong { number: 2 }, text(3, "after"), Cut::TooLong { number: 4 }];
    assert_eq!(cut(&[whole.as_bytes()], 10), expected);
    let pieces: Vec<&[u8]> = whole.as_bytes().chunks(3).collect();
    assert_eq!(cut(&pieces, 10), expected);
}

#[track_caller]
fn wrong(text: &str, code: &str, param: Option<&str>) {
    let fault = read(7, &Bytes::copy_from_slice(text.as_bytes()), Endpoint::Chat).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.param.as_deref(), fault.line), (code, param, Some(7)), "{text}: {}", fault.message);
}

#[test]
fn a_line_that_cannot_be_asked_says_why_and_where() {
    let with = |changes: serde_json::Value| {
        let mut value: serde_json::Value = serde_json::from_str(&line(1)).unwrap();
        for (key, new) in changes.as_object().unwrap() {
            if new.is_null() {
                value.as_object_mut().unwrap().remove(key);
            } else {
                value[key] = new.clone();
            }
        }
        value.to_string()
    };
    for text in ["", "nonsense", "{", "[1]", "\"text\"", "null", "{\"custom_id\": \"a\",}"] {
        wrong(text, "invalid_json_line", None);
    }
    for missing in ["custom_id", "method", "url", "body"] {
        wrong(&with(json!({missing: null})), "missing_required_parameter", Some(missing));
    }
    wrong(&with(json!({"custom_id": ""})), "missing_required_parameter", Some("custom_id"));
    wrong(&with(json!({"custom_id": 5})), "invalid_request", None);
    wrong(&with(json!({"custom_id": "x".repeat(600)})), "invalid_request", Some("custom_id"));
    wrong(&with(json!({"method": "GET"})), "invalid_method", Some("method"));
    wrong(&with(json!({"url": "/v1/embeddings"})), "url_mismatch", Some("url"));
    wrong(&with(json!({"body": "text"})), "invalid_request", Some("body"));
    wrong(&with(json!({"body": {"stream": true}})), "invalid_request", Some("body.stream"));
    let asked = read(3, &Bytes::from(with(json!({"extra": 1}))), Endpoint::Chat).unwrap();
    let body = Bytes::from_static(b"{\"n\":1}");
    assert_eq!(asked, Asked { number: 3, at: Position::START, custom_id: "line-1".to_owned(), body, tries: 0 });
}

fn reply(body: &[u8]) -> LineReply {
    LineReply { status: 200, request_id: "req".to_owned(), body: Bytes::copy_from_slice(body), again: None }
}

fn asked(number: u64, name: &str) -> Asked {
    Asked { number, at: Position::START, custom_id: name.to_owned(), body: Bytes::new(), tries: 0 }
}

fn result(body: &[u8]) -> serde_json::Value {
    let asked = asked(1, "a \"quoted\" name\n");
    let answered = Answered::of(mainspring_kernel::id::BatchId::from_raw(9), &asked, &reply(body));
    assert!(!answered.text.contains(&b'\n'), "a result is one line");
    serde_json::from_slice(&answered.text).unwrap()
}

#[test]
fn a_result_holds_the_answer_as_it_came() {
    let pretty = "{\n  \"big\": 123456789012345678901234567890,\r\n  \"text\": \"a\\nb\"\n}\n";
    let asked = asked(12, "a");
    let answered = Answered::of(mainspring_kernel::id::BatchId::from_raw(9), &asked, &reply(pretty.as_bytes()));
    let text = String::from_utf8(answered.text).unwrap();
    assert!(text.contains("123456789012345678901234567890"), "numbers keep every digit: {text}");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["response"]["body"]["text"], "a\nb");
    assert_eq!(value["id"], format!("batch_req_{:032x}{:08x}", 9, 12));
    assert_eq!((&value["error"], &value["response"]["status_code"]), (&json!(null), &json!(200)));
    assert_eq!(result(b"not JSON\nat all")["response"]["body"], "not JSON\nat all");
    assert_eq!(result(b"")["response"]["body"], "");
}

#[track_caller]
fn packed(sizes: &[u64], from: u64, rest: bool, want: Option<(u64, usize)>) {
    let loose: Vec<(u64, u64)> = sizes.iter().enumerate().map(|(at, size)| (from + at as u64, *size)).collect();
    let pack = Pack::of(&loose, rest).map(|Pack { from, lines }| (from, lines));
    assert_eq!(pack, want, "{} results", sizes.len());
}

#[test]
fn results_are_packed_by_their_number_and_by_their_bytes() {
    packed(&[], 0, true, None);
    packed(&[10; 5], 7, false, None);
    packed(&[10; 5], 7, true, Some((7, 5)));
    packed(&[10; PACK], 0, false, Some((0, PACK)));
    packed(&[10; PACK + 3], 0, false, Some((0, PACK)));
    // Answers of a megabyte: four of them, and not 256.
    packed(&[1 << 20; 5], 256, false, Some((256, 4)));
    packed(&[1 << 20; 3], 0, false, None);
    packed(&[1 << 20; 4], 0, false, Some((0, 4)));
    // One that is larger than a pack is a pack by itself.
    packed(&[PACK_BYTES * 9, 1], 3, false, Some((3, 1)));
    packed(&[1, PACK_BYTES * 9], 3, false, Some((3, 1)));
}

proptest! {
    /// Wherever reading breaks off, going on from there gives the rest, line by line and with the same numbers.
    #[test]
    fn lines_are_read_on_from_any_of_them(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), any::<u8>()], 0..200),
        after in 0_usize..12,
    ) {
        let whole = cut(&[&bytes], 1_000);
        let mut splitter = Splitter::new(1_000, Position::START);
        splitter.push(&bytes);
        let given: Vec<Cut> = (0..after).map_while(|_| splitter.next()).collect();
        let at = splitter.position();
        let rest = bytes.get(usize::try_from(at.offset).unwrap()..).unwrap();
        let mut again = Splitter::new(1_000, at);
        again.push(rest);
        let mut found = given;
        while let Some(cut) = again.next() {
            found.push(cut);
        }
        found.extend(again.rest());
        prop_assert_eq!(found, whole);
    }

    /// However a file was broken up on the way, its lines are the same.
    #[test]
    fn lines_do_not_depend_on_how_bytes_come(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), any::<u8>()], 0..200),
        sizes in proptest::collection::vec(1_usize..17, 1..20),
        longest in 1_usize..40,
    ) {
        let whole = cut(&[&bytes], longest);
        let (mut pieces, mut rest, mut at) = (Vec::new(), bytes.as_slice(), 0);
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(sizes[at % sizes.len()].min(rest.len()));
            pieces.push(piece);
            (rest, at) = (later, at + 1);
        }
        prop_assert_eq!(&cut(&pieces, longest), &whole);
        let numbers: Vec<u64> = whole.iter().map(Cut::number).collect();
        prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
        let count = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        prop_assert!(numbers.iter().all(|number| (1..=count).contains(number)));
    }

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(1, &Bytes::from(bytes.clone()), Endpoint::Chat);
        let _ = result(&bytes);
    }

    /// What was right, cut off or with a byte changed, is read or refused.
    #[test]
    fn reading_what_was_right_once_never_panics(at in 0_usize..90, byte in any::<u8>(), end in 0_usize..90) {
        let mut bytes = line(1).into_bytes();
        let index = at % bytes.len();
        bytes[index] = byte;
        bytes.truncate(end.max(1));
        let _ = read(1, &Bytes::from(bytes), Endpoint::Chat);
    }
}
