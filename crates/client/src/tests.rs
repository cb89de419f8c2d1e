use bytes::Bytes;
use futures::{StreamExt as _, stream};
use proptest::prelude::*;

use crate::{ClientFault, Form, client::refusal, sse::Parser};

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

/// A form of what comes in these pieces, and of as many bytes as it says.
async fn written(name: &str, pieces: &[&[u8]], size: usize) -> Result<(String, u64, Vec<u8>), ClientFault> {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let form = Form::with_file(name, size as u64, stream::iter(pieces)).field("purpose", "batch");
    let (kind, length, mut body) = form.written();
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        bytes.extend_from_slice(&part?);
    }
    Ok((kind, length, bytes))
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_not_sent() {
    for (pieces, size) in [(&[&b"abc"[..], b"de"][..], 6), (&[b"abc", b"de"], 4), (&[], 1), (&[b"a"], 0)] {
        let fault = written("f", pieces, size).await.unwrap_err();
        assert!(matches!(fault, ClientFault::Unsendable { .. }), "{fault:?}");
    }
    let (_, length, body) = written("f", &[b"abc", b"", b"de"], 5).await.unwrap();
    assert_eq!(length, body.len() as u64);
    let (_, length, body) = written("f", &[], 0).await.unwrap();
    assert_eq!(length, body.len() as u64);
}

#[tokio::test]
async fn a_form_ends_its_parts_where_nothing_in_a_file_can() {
    let content = b"one\r\n--mainspring\r\n\0two".to_vec();
    let pieces: Vec<&[u8]> = content.chunks(3).collect();
    let (kind, length, body) = written("a \"name\"\r\n.jsonl", &pieces, content.len()).await.unwrap();
    assert_eq!(length, body.len() as u64);
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let text = String::from_utf8_lossy(&body);
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 4, "{text}");
    assert_eq!(parts[1], "\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n");
    assert!(parts[2].contains("filename=\"a _name___.jsonl\""), "{text}");
    assert!(parts[2].ends_with(&format!("\r\n\r\n{}\r\n", String::from_utf8_lossy(&content))), "{text}");
    assert_eq!(parts[3], "--\r\n");
}
