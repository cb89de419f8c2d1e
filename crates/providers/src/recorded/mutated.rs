//! Real answers and requests, damaged: whatever comes of it, nothing panics.

use mainspring_llm::exchange::Call;
use mainspring_testservers::recordings::{Api, Recording};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Value, json};

use super::{ALL, adapter_of, answered, endpoint, operation, requests};
use crate::{anthropic, fault::FaultClass, openai, seam::adapter, translation::Server};

/// Longer ones take long and say nothing more.
const LONGEST: usize = 48 * 1024;

fn damaged(bytes: &[u8], cut: Option<Index>, changes: &[(Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes[..bytes.len().min(LONGEST)].to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    for (place, byte) in changes {
        let at = place.index(bytes.len());
        bytes[at] = *byte;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()) + 1);
    }
    bytes
}

fn read_answer(one: &Recording, bytes: &[u8], size: usize) {
    let endpoint = endpoint(one);
    let adapter = adapter_of(&endpoint);
    let _ = adapter.usage(operation(one.api), bytes);
    if let Ok(answer) = adapter.decode(&endpoint, bytes) {
        let _ = (openai::chat::write(&answer, 1, "m"), openai::responses::write(&answer, 1, "m"), anthropic::write(&answer));
    }
    let _ = adapter.decode_embed(&endpoint, bytes);
    let (mut reader, mut events) = (adapter.events(&endpoint), Vec::new());
    let read = bytes.chunks(size).try_for_each(|piece| reader.push(piece, &mut events));
    let _ = read.and_then(|()| reader.end(&mut events));
    let mut chat = openai::chat::Writer::new(1, "m", true);
    let mut responses = openai::responses::Writer::new(1, "m");
    let mut messages = anthropic::Writer::new("m");
    for event in events {
        chat.push(event.clone());
        responses.push(event.clone());
        messages.write(event);
    }
}

/// How many values stand in a value, itself among them.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(map) => map.values().map(count).sum(),
        Value::Array(list) => list.iter().map(count).sum(),
        _ => 0,
    }
}

/// The value that comes at this place when they are counted, from one.
fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    *left -= 1;
    if *left == 0 {
        return Some(value);
    }
    let mut inner: Box<dyn Iterator<Item = &'a mut Value>> = match value {
        Value::Object(map) => Box::new(map.values_mut()),
        Value::Array(list) => Box::new(list.iter_mut()),
        _ => return None,
    };
    inner.find_map(|value| nth(value, left))
}

/// Well-formed, and not what anybody means.
fn replaced(bytes: &[u8], changes: &[(Index, Value)]) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(bytes).ok()?;
    for (place, value) in changes {
        // The body itself stays an object.
        let most = count(&body).checked_sub(1).filter(|most| *most > 0)?;
        *nth(&mut body, &mut (place.index(most) + 2))? = value.clone();
    }
    Some(body)
}

fn change() -> impl Strategy<Value = (Index, Value)> {
    let values = [
        json!(null),
        json!(1),
        json!(-1.5),
        json!([]),
        json!({}),
        json!(""),
        json!("x"),
        json!(true),
        json!([null]),
        json!([{}]),
    ];
    (any::<Index>(), select(values.to_vec()))
}

/// What every provider is sent of it, or why it is sent nothing.
fn encode(call: &Call) -> usize {
    let mut sent = 0;
    for server in Server::ALL.into_iter().chain([Server::Compatible]) {
        let endpoint = server.endpoint().unwrap();
        match adapter(endpoint.kind).unwrap().encode(&endpoint, call) {
            Ok(encoded) => {
                let body: Value = serde_json::from_slice(&encoded.outgoing.body).unwrap();
                assert!(body.is_object(), "{server:?}: {body}");
                sent += 1;
            }
            Err(fault) => assert!(matches!(fault.class, FaultClass::Unsupported | FaultClass::Invalid), "{server:?}: {fault}"),
        }
    }
    sent
}

fn read_request(api: Api, body: &[u8]) -> Option<Call> {
    match api {
        Api::Responses => openai::responses::read(body).ok(),
        Api::Messages => anthropic::read(body).ok(),
        _ => openai::chat::read(body).ok(),
    }
}

/// So the random ones below do not fail all at the first reader.
#[test]
fn requests_without_one_of_their_values_are_read_and_sent_or_refused() {
    let (mut tried, mut sent) = (0, 0);
    for (at, one) in requests::asked().enumerate().filter(|(_, one)| one.request.len() <= LONGEST) {
        let mut body = super::json(one.request.as_bytes());
        let place = 2 + at % (count(&body) - 1);
        *nth(&mut body, &mut place.clone()).unwrap() = Value::Null;
        tried += 1;
        sent += usize::from(read_request(one.api, body.to_string().as_bytes()).is_some_and(|call| encode(&call) > 0));
    }
    assert!(sent > tried / 4, "{sent} of {tried} were sent to somebody");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damaged_answers_never_panic(which in any::<Index>(), cut in option::of(any::<Index>()), changes in vec((any::<Index>(), any::<u8>()), 0..6), size in 1_usize..2000) {
        let one = which.get(&ALL[..]);
        read_answer(one, &damaged(&one.response, cut, &changes), size);
    }

    #[test]
    fn damaged_requests_never_panic(which in any::<Index>(), cut in option::of(any::<Index>()), changes in vec((any::<Index>(), any::<u8>()), 0..6)) {
        let bytes = damaged(which.get(&ALL[..]).request.as_bytes(), cut, &changes);
        let _ = (openai::chat::read(&bytes), openai::responses::read(&bytes), anthropic::read(&bytes));
    }

    #[test]
    fn answers_of_other_shapes_never_panic(which in any::<Index>(), changes in vec(change(), 1..4)) {
        let whole: Vec<&Recording> = answered().filter(|one| !one.is_streamed()).collect();
        let one = which.get(&whole);
        if let Some(body) = replaced(&one.response, &changes) {
            read_answer(one, body.to_string().as_bytes(), usize::MAX);
        }
    }

    #[test]
    fn requests_of_other_shapes_never_panic(which in any::<Index>(), changes in vec(change(), 1..4)) {
        let asked: Vec<&Recording> = requests::asked().collect();
        let one = which.get(&asked);
        let body = replaced(one.request.as_bytes(), &changes);
        let call = body.and_then(|body| read_request(one.api, body.to_string().as_bytes()));
        call.as_ref().map(encode);
    }
}
