//! Streams of real providers, as others recorded them, on their way through.

use mainspring_providers::Operation;
use mainspring_testservers::recordings::{Api, PACKAGES, Recording};
use serde_json::Value;

use super::scanning::{scan, tokens};
use crate::scan::Found;

/// At least so many are looked at.
const STREAMS: usize = 400;

fn operation(api: Api) -> Option<Operation> {
    Some(match api {
        Api::Chat => Operation::Chat,
        Api::Completions => Operation::Completions,
        Api::Responses => Operation::Responses,
        Api::Messages => Operation::Messages,
        Api::Embeddings | Api::Gemini | Api::GeminiEmbeddings | Api::Converse => return None,
    })
}

fn streams() -> Vec<(Operation, Recording)> {
    let read = PACKAGES.iter().flat_map(|package| package.recordings().unwrap_or_else(|fault| panic!("{fault}")));
    let streams = read.filter(|one| one.status == 200 && one.is_streamed());
    let all: Vec<_> = streams.filter_map(|one| Some((operation(one.api)?, one))).collect();
    assert!(all.len() >= STREAMS, "{} streams", all.len());
    all
}

/// The data of the events, in their order.
fn data(stream: &str) -> Vec<&str> {
    stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect()
}

/// The same with the last word of the dialect, which not every server says.
fn ended(operation: Operation, stream: &str) -> Vec<&str> {
    let mut data = data(stream);
    if matches!(operation, Operation::Chat | Operation::Completions) && data.last() != Some(&"[DONE]") {
        data.push("[DONE]");
    }
    data
}

/// A chunk that brings usage and nothing else.
fn only_counts(data: &str) -> bool {
    let chunk: Value = serde_json::from_str(data).unwrap_or_default();
    chunk["usage"].is_object() && chunk["choices"].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn recorded_streams_go_through_as_they_came_and_say_when_they_are_whole() {
    for (operation, one) in streams() {
        let place = format!("{} {}", one.package, one.file);
        let came = String::from_utf8(one.response.clone()).unwrap();
        let mut counted = None;
        for size in [61, 1500, came.len()] {
            let chunks: Vec<&[u8]> = came.as_bytes().chunks(size).collect();
            let (out, found) = scan(operation, false, &chunks).unwrap_or_else(|fault| panic!("{place}: {fault}"));
            assert_eq!(data(&out), ended(operation, &came), "{place}");
            let complete = found.iter().filter(|found| matches!(found, Found::Complete)).count();
            let failed = found.iter().any(|found| matches!(found, Found::Failed(_)));
            assert_eq!((complete, failed), (1, false), "{place}");
            let tokens = tokens(&found);
            assert_eq!(*counted.get_or_insert(tokens), tokens, "{place}: however it is cut");
        }
        let says = came.contains("\"usage\":{") || came.contains("\"usage\": {");
        assert_eq!(counted.is_some_and(|(input, _)| input > 0), says, "{place}: {counted:?}");
    }
}

#[test]
fn recorded_streams_of_clients_that_did_not_ask_lose_the_count_and_nothing_else() {
    let mut taken = 0;
    for (operation, one) in streams().into_iter().filter(|(operation, _)| *operation == Operation::Chat) {
        let came = String::from_utf8(one.response.clone()).unwrap();
        let chunks: Vec<&[u8]> = came.as_bytes().chunks(997).collect();
        let (out, _) = scan(operation, true, &chunks).unwrap();
        let kept: Vec<&str> = ended(operation, &came).into_iter().filter(|data| !only_counts(data)).collect();
        assert_eq!(data(&out), kept, "{} {}", one.package, one.file);
        taken += ended(operation, &came).len() - kept.len();
    }
    assert!(taken > 40, "{taken} counts were taken out");
}
