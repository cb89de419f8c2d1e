//! Streams that are looked at on their way, cut anywhere.

use bytes::Bytes;
use mainspring_providers::{Adapter, Endpoint, FaultClass, Operation, ProviderKind, UpstreamFault, adapter};
use proptest::prelude::*;

use crate::scan::{Found, Scan};

fn endpoint(kind: ProviderKind) -> Endpoint {
    Endpoint::new("main".parse().unwrap(), kind, "http://127.0.0.1:9", "a")
}

/// Everything that went to the client, and what was found, or the fault.
pub(super) fn scan(operation: Operation, strip: bool, chunks: &[&[u8]]) -> Result<(String, Vec<Found>), UpstreamFault> {
    let kind = if operation == Operation::Messages { ProviderKind::Anthropic } else { ProviderKind::OpenAi };
    let endpoint = endpoint(kind);
    let place: (&dyn Adapter, &Endpoint) = (adapter(kind).unwrap(), &endpoint);
    let mut scan = Scan::of(operation, strip);
    let (mut found, mut out) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let (piece, read) = scan.read(place, &Bytes::copy_from_slice(chunk), &mut found);
        out.extend_from_slice(&piece);
        read?;
    }
    out.extend_from_slice(&scan.end(place, &mut found)?);
    Ok((String::from_utf8_lossy(&out).into_owned(), found))
}

const CHAT: &str = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n\
data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\\u00e9 \\\"you\\\"\"}}],\"usage\":null}\n\n\
: keep-alive\n\n\
data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n\
data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n\
data: [DONE]\n\n";

const MESSAGES: &str = "event: message_start\n\
data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n\
event: content_block_delta\n\
data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n\
event: message_delta\n\
data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n\
event: message_stop\n\
data: {\"type\":\"message_stop\"}\n\n";

pub(super) fn tokens(found: &[Found]) -> (u64, u64) {
    let mut all = mainspring_llm::TokenUsage::default();
    for found in found {
        if let Found::Usage(usage) = found {
            all.merge(usage);
        }
    }
    (all.input, all.output)
}

fn text(found: &[Found]) -> u64 {
    let eighths = found.iter().map(|found| if let Found::Text(eighths) = found { *eighths } else { 0 });
    crate::reckon::tokens(eighths.sum())
}

#[test]
fn usage_text_and_the_end_are_found_on_the_way() {
    let (out, found) = scan(Operation::Chat, false, &[CHAT.as_bytes()]).unwrap();
    assert_eq!((out.as_str(), tokens(&found)), (CHAT, (7, 3)));
    assert!(matches!(found.last(), Some(Found::Complete)), "{found:?}");
    assert_eq!(text(&found), 5, "h, é, you and two quotes: {found:?}");
    let (out, found) = scan(Operation::Messages, false, &[MESSAGES.as_bytes()]).unwrap();
    assert_eq!((out.as_str(), tokens(&found), text(&found)), (MESSAGES, (7, 3), 1));
    assert!(matches!(found.last(), Some(Found::Complete)), "{found:?}");
}

#[test]
fn the_extra_chunk_is_taken_out_and_nothing_else() {
    let (out, found) = scan(Operation::Chat, true, &[CHAT.as_bytes()]).unwrap();
    let without: String = CHAT.split_inclusive("\n\n").filter(|event| !event.contains("\"choices\":[]")).collect();
    assert_eq!((out, tokens(&found)), (without, (7, 3)));
    // A chunk that says more than usage stays.
    let both = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
    assert_eq!(scan(Operation::Chat, true, &[both.as_bytes()]).unwrap().0, both);
}

#[test]
fn a_stream_without_its_last_word_is_complete_if_its_answer_is() {
    let finished = CHAT.replace("data: [DONE]\n\n", "");
    for strip in [false, true] {
        // With what ends it, also where the last event lacks the blank line behind it.
        for came in [finished.as_str(), finished.trim_end()] {
            let (out, found) = scan(Operation::Chat, strip, &[came.as_bytes()]).unwrap();
            assert!(matches!(found.last(), Some(Found::Complete)), "{found:?}");
            assert_eq!(out, scan(Operation::Chat, strip, &[CHAT.as_bytes()]).unwrap().0);
        }
    }
    let bare = "data: {\"choices\":[{\"index\":0,\"text\":\"x\",\"finish_reason\":\"stop\"}]}\n\n";
    assert_eq!(scan(Operation::Completions, false, &[bare.as_bytes()]).unwrap().0, format!("{bare}data: [DONE]\n\n"));
    let cut = &CHAT[..CHAT.find(": keep-alive").unwrap()];
    assert_eq!(scan(Operation::Chat, false, &[cut.as_bytes()]).unwrap_err().class, FaultClass::Reset);
    let not_yet = bare.replace("\"stop\"", "\"\"");
    assert_eq!(scan(Operation::Completions, false, &[not_yet.as_bytes()]).unwrap_err().class, FaultClass::Reset);
    let cut = MESSAGES.replace("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", "");
    assert_eq!(scan(Operation::Messages, false, &[cut.as_bytes()]).unwrap_err().class, FaultClass::Reset);
}

#[test]
fn errors_are_told_from_answers() {
    let first = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n";
    assert!(scan(Operation::Chat, false, &[first.as_bytes()]).is_err());
    let begun = &CHAT[..CHAT.find(": keep-alive").unwrap()];
    let (out, found) = scan(Operation::Chat, false, &[begun.as_bytes(), first.as_bytes()]).unwrap();
    assert!(out.ends_with(first) && matches!(found.last(), Some(Found::Failed(_))), "{found:?}");
    let harmless = CHAT.replace("{\"id\":\"1\"", "{\"error\":null,\"id\":\"1\"");
    assert_eq!(scan(Operation::Chat, false, &[harmless.as_bytes()]).unwrap().0, harmless);
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n";
    assert_eq!(scan(Operation::Messages, false, &[overloaded.as_bytes()]).unwrap_err().class, FaultClass::Overloaded);
}

#[test]
fn an_error_is_one_wherever_it_stands() {
    let begun = &CHAT[..CHAT.find(": keep-alive").unwrap()];
    for (event, class) in [
        // As OpenRouter ends a stream whose provider broke off.
        (
            r#"data: {"id":"1","error":{"code":502,"message":"Provider disconnected"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            FaultClass::Server,
        ),
        (
            r#"data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":429,"message":"slow down"}}]}"#,
            FaultClass::RateLimited,
        ),
        (r#"data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason": "error"}]}"#, FaultClass::Server),
        ("event: error\ndata: {\"message\":\"overloaded\"}", FaultClass::Overloaded),
    ] {
        let event = format!("{event}\n\n");
        let (out, found) = scan(Operation::Chat, false, &[begun.as_bytes(), event.as_bytes()]).unwrap();
        assert!(out.ends_with(&event), "its client has it as it is");
        let Some(Found::Failed(fault)) = found.last() else { panic!("{event}: {found:?}") };
        assert_eq!(fault.class, class, "{event}: {fault}");
        let told = fault.message.is_empty() || fault.message.contains("choices");
        assert!(!told, "an answer is in no fault: {fault}");
    }
    let failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"slow\"},\"usage\":{\"input_tokens\":7,\"output_tokens\":3}}}\n\n";
    let created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"error\":null}}\n\n";
    let (_, found) = scan(Operation::Responses, false, &[created.as_bytes(), failed.as_bytes()]).unwrap();
    let Some(Found::Failed(fault)) = found.last() else { panic!("{found:?}") };
    assert_eq!((fault.class, tokens(&found)), (FaultClass::RateLimited, (7, 3)), "what it used is told all the same");
}

#[test]
fn an_error_as_the_first_event_is_what_its_status_would_be() {
    for (event, class) in [
        (
            r#"{"object":"error","message":"This model's maximum context length is 10 tokens","type":"BadRequestError","param":null,"code":400}"#,
            FaultClass::ContextWindow,
        ),
        (r#"{"object":"error","message":"wrong","code":400}"#, FaultClass::Invalid),
        (r#"{"id":"1","error":{"message":"slow down","code":429},"choices":[]}"#, FaultClass::RateLimited),
        (r#"{"error":{"message":"gone","code":"503"}}"#, FaultClass::Overloaded),
        (r#"{"error":{"message":"no","type":"server_error"}}"#, FaultClass::Server),
    ] {
        let fault = scan(Operation::Chat, false, &[format!("data: {event}\n\n").as_bytes()]).unwrap_err();
        assert_eq!((fault.class, fault.status), (class, None), "{event}: {fault}");
    }
}

#[test]
fn the_word_alone_is_no_error() {
    for delta in [
        r#"{"content":"error"}"#,
        r#"{"content":"{\"error\": {\"message\": 1}}"}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"error","arguments":"{\"error\":1}"}}]}"#,
    ] {
        for beside in ["", r#","error":null"#, r#","error" : {}"#, r#","error":"""#] {
            let text = format!(r#"data: {{"id":"1","choices":[{{"index":0,"delta":{delta}}}]{beside}}}"#);
            let stream = format!("{text}\n\ndata: [DONE]\n\n");
            let (out, found) = scan(Operation::Chat, false, &[stream.as_bytes()]).unwrap();
            assert_eq!(out, stream);
            assert!(matches!(found.last(), Some(Found::Complete)), "{stream}: {found:?}");
        }
    }
}

/// Clients of this dialect read the data of every event as JSON.
#[test]
fn heartbeats_without_data_are_taken_out() {
    for heartbeat in ["data:\n\n", "data: \n\n", "event: heartbeat\ndata:\n\n"] {
        let stream = CHAT.replace(": keep-alive\n\n", heartbeat);
        let want = CHAT.replace(": keep-alive\n\n", "");
        for strip in [false, true] {
            let same = scan(Operation::Chat, strip, &[want.as_bytes()]).unwrap().0;
            assert_eq!(scan(Operation::Chat, strip, &[stream.as_bytes()]).unwrap().0, same);
            let first = format!("{heartbeat}{stream}");
            assert_eq!(scan(Operation::Chat, strip, &[first.as_bytes()]).unwrap().0, same, "it begins nothing either");
            let pieces: Vec<&[u8]> = stream.as_bytes().chunks(7).collect();
            assert_eq!(scan(Operation::Chat, strip, &pieces).unwrap().0, same);
        }
    }
}

#[test]
fn a_sign_of_life_begins_nothing() {
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    let failed = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n";
    let fault = scan(Operation::Messages, false, &[ping.as_bytes(), failed.as_bytes()]).unwrap_err();
    assert_eq!(fault.class, FaultClass::Overloaded, "somebody else may still be asked");
    let (out, found) = scan(Operation::Messages, false, &[ping.as_bytes(), MESSAGES.as_bytes(), ping.as_bytes()]).unwrap();
    assert_eq!((out, tokens(&found)), (format!("{ping}{MESSAGES}{ping}"), (7, 3)));
    let alive = "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":1}\n\n";
    assert_eq!(scan(Operation::Responses, false, &[alive.as_bytes()]).unwrap_err().class, FaultClass::Reset);
}

#[test]
fn line_breaks_of_every_kind_and_missing_ones_are_read() {
    let crlf = CHAT.replace('\n', "\r\n");
    let (out, found) = scan(Operation::Chat, false, &[crlf.as_bytes()]).unwrap();
    assert_eq!((out.as_str(), tokens(&found)), (crlf.as_str(), (7, 3)));
    let bare = CHAT.trim_end();
    let (out, _) = scan(Operation::Chat, false, &[bare.as_bytes()]).unwrap();
    assert_eq!(out, CHAT);
}

fn pieces<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

proptest! {
    /// However a stream is cut, the client gets the same events and the same is found.
    #[test]
    fn cuts_change_nothing(cuts in proptest::collection::vec(any::<usize>(), 0..30), strip in any::<bool>(), messages in any::<bool>()) {
        let (operation, whole) = if messages { (Operation::Messages, MESSAGES) } else { (Operation::Chat, CHAT) };
        let strip = strip && !messages;
        let (out, found) = scan(operation, strip, &pieces(whole.as_bytes(), &cuts)).unwrap();
        let (same, all) = scan(operation, strip, &[whole.as_bytes()]).unwrap();
        prop_assert_eq!(out, same);
        prop_assert_eq!(format!("{found:?}"), format!("{all:?}"));
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), cuts in proptest::collection::vec(any::<usize>(), 0..5), strip in any::<bool>(), which in 0_usize..4) {
        let operation = [Operation::Chat, Operation::Messages, Operation::Responses, Operation::Completions][which];
        let _ = scan(operation, strip, &pieces(&bytes, &cuts));
    }

    /// Valid streams with bytes changed and pieces lost.
    #[test]
    fn damaged_streams_never_panic(at in any::<usize>(), byte in any::<u8>(), lost in 0_usize..50, cuts in proptest::collection::vec(any::<usize>(), 0..5), messages in any::<bool>()) {
        let (operation, whole) = if messages { (Operation::Messages, MESSAGES) } else { (Operation::Chat, CHAT) };
        let mut bytes = whole.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.drain(at..(at + lost).min(whole.len()));
        let _ = scan(operation, true, &pieces(&bytes, &cuts));
    }

    /// What goes out consists of whole events: an error can follow at any time.
    #[test]
    fn the_client_is_never_left_within_an_event(until in 0_usize..CHAT.len(), cuts in proptest::collection::vec(any::<usize>(), 0..8), strip in any::<bool>()) {
        let endpoint = endpoint(ProviderKind::OpenAi);
        let place: (&dyn Adapter, &Endpoint) = (adapter(ProviderKind::OpenAi).unwrap(), &endpoint);
        let mut scan = Scan::of(Operation::Chat, strip);
        let (mut found, mut out) = (Vec::new(), Vec::new());
        for piece in pieces(&CHAT.as_bytes()[..until], &cuts) {
            let (piece, read) = scan.read(place, &Bytes::copy_from_slice(piece), &mut found);
            read.unwrap();
            out.extend_from_slice(&piece);
        }
        prop_assert!(out.is_empty() || out.ends_with(b"\n\n"), "{:?}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn a_stream_of_responses_is_complete_wherever_its_events_say_what_they_are() {
    let usage = "\"usage\":{\"input_tokens\":7,\"output_tokens\":3}";
    let padding = "x".repeat(200);
    let last = format!("\"response\":{{\"id\":\"{padding}\",{usage}}}");
    let kind = "\"type\":\"response.completed\"";
    let begun = "event: response.created\ndata: {\"response\":{\"id\":\"1\"},\"type\":\"response.created\"}\n\n";
    for last in [
        format!("event: response.completed\ndata: {{{last},{kind}}}\n\n"),
        format!("event: response.completed\ndata: {{{kind},{last}}}\n\n"),
        format!("data: {{{kind},{last}}}\n\n"),
    ] {
        let (out, found) = scan(Operation::Responses, false, &[begun.as_bytes(), last.as_bytes()]).unwrap();
        assert_eq!(out, format!("{begun}{last}"));
        assert_eq!(tokens(&found), (7, 3), "{last}");
        assert!(found.iter().any(|found| matches!(found, Found::Complete)), "{last}");
    }
    assert_eq!(scan(Operation::Responses, false, &[begun.as_bytes()]).unwrap_err().class, FaultClass::Reset);
}
