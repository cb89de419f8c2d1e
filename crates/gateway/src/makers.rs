//! Which target made a response that a client may go on from. Providers keep responses by account, so a call that names an
//! earlier one is asked of the target that made it first. What is remembered here spares a look into the catalog.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use mainspring_kernel::id::ProjectId;
use memchr::{memchr, memmem};
use serde::Deserialize;

use crate::choose::stable_hash;

/// Responses that are remembered, the newest: some megabytes. What was made longer ago, or by another process, the catalog
/// knows where its provider keeps it.
const MOST: usize = 50_000;

type Key = (ProjectId, u64);

#[derive(Debug, Default)]
pub(crate) struct Makers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_id: HashMap<Key, u64>,
    oldest_first: VecDeque<Key>,
}

impl Makers {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, project: ProjectId, response: &[u8], target: u64) {
        let key = (project, stable_hash(response));
        let mut known = self.lock();
        if known.by_id.insert(key, target).is_some() {
            return;
        }
        known.oldest_first.push_back(key);
        if known.oldest_first.len() > MOST
            && let Some(oldest) = known.oldest_first.pop_front()
        {
            known.by_id.remove(&oldest);
        }
    }

    pub(crate) fn of(&self, project: ProjectId, response: &[u8]) -> Option<u64> {
        self.lock().by_id.get(&(project, stable_hash(response))).copied()
    }
}

/// The name of the response in an answer, or in the event that begins one. Others may stand before it, in what the client said.
pub(crate) fn made(data: &[u8]) -> Option<&[u8]> {
    let at = memmem::find_iter(data, b"\"resp_").find(|at| names(&data[..*at]))?;
    word(&data[at + 1..])
}

/// Whether what stands here is what has just been called `id`.
fn names(before: &[u8]) -> bool {
    before.trim_ascii_end().strip_suffix(b":").is_some_and(|before| before.trim_ascii_end().ends_with(b"\"id\""))
}

/// The response a request goes on from.
pub(crate) fn previous(body: &[u8]) -> Option<&[u8]> {
    const FIELD: &[u8] = b"\"previous_response_id\"";
    let after = &body[memmem::find(body, FIELD)? + FIELD.len()..];
    word(after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?)
}

/// The name, if it is one that can stand in an address and in the catalog.
pub(crate) fn plain(response: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let name = std::str::from_utf8(response).ok()?;
    ((1..=256).contains(&response.len()) && response.iter().all(is_plain)).then_some(name)
}

/// How a response stands, as far as that matters here.
#[derive(Debug, Deserialize)]
struct Standing {
    #[serde(default)]
    id: String,
    #[serde(default)]
    status: String,
}

impl Standing {
    fn is_under_way(&self) -> bool {
        matches!(self.status.as_str(), "queued" | "in_progress")
    }
}

/// An event that begins a response.
#[derive(Debug, Deserialize)]
struct Begins {
    response: Standing,
}

/// The name of a response that is still being made, whatever names look like there.
pub(crate) fn under_way(body: &[u8]) -> Option<String> {
    let standing: Standing = serde_json::from_slice(body).ok()?;
    standing.is_under_way().then_some(standing.id)
}

/// With which word a response ended; nothing where it goes on, or where it is another or none at all.
pub(crate) fn ended(response: &str, body: &[u8]) -> Option<String> {
    let standing: Standing = serde_json::from_slice(body).ok()?;
    let over = standing.id == response && !standing.status.is_empty() && !standing.is_under_way();
    over.then_some(standing.status)
}

/// The name of the response that an event begins, if that is made in the background.
pub(crate) fn in_background(event: &[u8]) -> Option<String> {
    // Read only where it may be.
    let begins = || serde_json::from_slice::<Begins>(event).ok();
    if says_background(event) { begins().map(|begins| begins.response.id) } else { None }
}

fn says_background(event: &[u8]) -> bool {
    const FIELD: &[u8] = b"\"background\"";
    let after = memmem::find(event, FIELD).map(|at| event[at + FIELD.len()..].trim_ascii_start());
    after.and_then(|after| after.strip_prefix(b":")).is_some_and(|said| said.trim_ascii_start().starts_with(b"true"))
}

/// Up to the quote that ends it.
fn word(text: &[u8]) -> Option<&[u8]> {
    memchr(b'"', text).map(|end| &text[..end]).filter(|word| !word.is_empty() && word.len() <= 256)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MOST, Makers, ProjectId, ended, in_background, made, plain, previous, under_way};

    #[test]
    fn names_of_responses_are_found_without_reading_the_rest() {
        let text = |found: Option<&[u8]>| found.map(|word| String::from_utf8(word.to_vec()).unwrap());
        assert_eq!(text(made(br#"{"id":"resp_1","object":"response"}"#)).as_deref(), Some("resp_1"));
        let event = br#"{"type": "response.created", "response": {"id": "resp_2", "status": "in_progress"}}"#;
        assert_eq!(text(made(event)).as_deref(), Some("resp_2"));
        let behind = br#"{"metadata":{"of":"resp_8"},"instructions":"say \"id\":\"resp_9\"","id" : "resp_1"}"#;
        assert_eq!(text(made(behind)).as_deref(), Some("resp_1"), "what a client says names nothing");
        for none in [r#"{"id":"chatcmpl-1"}"#, r#"{"previous_response_id":"resp_8"}"#, r#""resp_8""#] {
            assert_eq!(text(made(none.as_bytes())), None, "{none}");
        }
        assert_eq!(text(previous(br#"{"previous_response_id" : "resp_3", "input": "x"}"#)).as_deref(), Some("resp_3"));
        for none in [r#"{"previous_response_id":null}"#, r#"{"input":"say \"previous_response_id\": \"resp_4\""}"#, "{}", ""] {
            assert_eq!(text(previous(none.as_bytes())), None, "{none}");
        }
    }

    #[test]
    fn how_a_response_stands_is_what_its_own_status_says() {
        let body =
            |status: &str| format!(r#"{{"id":"resp_1","status":{status},"output":[{{"id":"msg_1","status":"completed"}}]}}"#);
        for (status, goes_on, over) in [
            (r#""queued""#, true, None),
            (r#""in_progress""#, true, None),
            (r#""completed""#, false, Some("completed")),
            (r#""cancelled""#, false, Some("cancelled")),
            ("null", false, None),
            ("7", false, None),
        ] {
            let body = body(status);
            let goes_on = goes_on.then_some("resp_1");
            let told = (under_way(body.as_bytes()), ended("resp_1", body.as_bytes()));
            assert_eq!((told.0.as_deref(), told.1.as_deref()), (goes_on, over), "{body}");
            assert_eq!(ended("resp_2", body.as_bytes()), None, "it is another's");
        }
        assert_eq!(ended("resp_1", br#"{"error":{"message":"gone"}}"#), None);
        // Of another response a name may stand before its own, and names need not begin as OpenAI's do.
        let body = br#"{"previous_response_id":"resp_0","id":"8f-1","status":"queued"}"#;
        assert_eq!(under_way(body).as_deref(), Some("8f-1"));
        for (event, want) in [
            (r#"{"response":{"previous_response_id":"resp_0","id":"resp_1","background": true}}"#, Some("resp_1")),
            (r#"{"response":{"id":"resp_1","background":false,"metadata":{"background":"true"}}}"#, None),
            (r#"{"response":{"id":"resp_1","instructions":"say \"background\":true"}}"#, None),
            ("{}", None),
        ] {
            assert_eq!(in_background(event.as_bytes()).as_deref(), want, "{event}");
        }
    }

    #[test]
    fn a_name_is_plain_or_is_none() {
        assert_eq!(plain(b"resp_0a-B"), Some("resp_0a-B"));
        for odd in [b"".as_slice(), b"..", b"resp_/x", b"resp_\0", b"resp_ x", "resp_é".as_bytes(), &[b'a'; 257]] {
            assert_eq!(plain(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn the_newest_are_remembered_each_for_its_project() {
        let (makers, ours, theirs) = (Makers::default(), ProjectId::from_raw(1), ProjectId::from_raw(2));
        for number in 0..=MOST {
            makers.note(ours, format!("resp_{number}").as_bytes(), number as u64);
        }
        assert_eq!((makers.of(ours, b"resp_0"), makers.of(ours, b"resp_1")), (None, Some(1)));
        assert_eq!(makers.of(theirs, b"resp_1"), None);
        makers.note(ours, b"resp_1", 7);
        assert_eq!((makers.of(ours, b"resp_1"), makers.of(ours, b"resp_2")), (Some(7), Some(2)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..80) {
            let _ = (made(&bytes), previous(&bytes), plain(&bytes), under_way(&bytes), in_background(&bytes));
            let body = br#"{"previous_response_id" : "resp_3", "x": {"id": "resp_9"}}"#;
            let _ = (made(&body[..cut.min(body.len())]), previous(&body[..cut.min(body.len())]));
        }
    }
}
