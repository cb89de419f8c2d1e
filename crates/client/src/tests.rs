use bytes::Bytes;
use proptest::prelude::*;

use crate::{client::refusal, sse::Parser};

#[test]
fn both_shapes_of_error_are_read() {
    let ours =
        refusal(404, br#"{"type":"x","title":"Not Found","status":404,"code":"lake-no-table","detail":"no","request_id":"r"}"#);
    assert_eq!((ours.code.as_str(), ours.detail.as_str(), ours.status), ("lake-no-table", "no", 404));
    let openai = refusal(400, br#"{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":"x"}}"#);
    assert_eq!((openai.code.as_str(), openai.detail.as_str()), ("x", "bad"));
    assert_eq!(refusal(502, b"<html>").detail, "the server answered 502");
}

fn events(parts: &[&[u8]]) -> Vec<String> {
    let mut parser = Parser::default();
    for part in parts {
        parser.feed(&Bytes::copy_from_slice(part)).unwrap();
    }
    parser.ready.into()
}

#[test]
fn events_are_whole_however_they_arrive() {
    let text = "event: x\r\ndata: {\"a\": \"é\"}\r\n\r\n: comment\ndata: one\ndata: two\n\ndata: unfinished".as_bytes();
    let want = ["{\"a\": \"é\"}".to_owned(), "one\ntwo".to_owned()];
    assert_eq!(events(&[text]), want);
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(events(&bytes), want);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut parser = Parser::default();
        for part in parts {
            let _ = parser.feed(&Bytes::from(part));
        }
    }
}
