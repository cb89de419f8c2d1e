//! Real answers and requests, damaged: whatever comes of it, nothing panics.

use mainspring_testservers::recordings::Recording;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{ALL, adapter_of, endpoint, operation};
use crate::{anthropic, openai};

/// Longer ones take long and say nothing more.
const LONGEST: usize = 48 * 1024;

fn damaged(bytes: &[u8], cut: Index, changes: &[(Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes[..bytes.len().min(LONGEST)].to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    for (place, byte) in changes {
        let at = place.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes.truncate(cut.index(bytes.len()) + 1);
    bytes
}

fn read_answer(one: &Recording, bytes: &[u8], size: usize) {
    let endpoint = endpoint(one);
    let adapter = adapter_of(&endpoint);
    let mut used = adapter.usage(operation(one.api), bytes);
    if let Ok(answer) = adapter.decode(&endpoint, bytes) {
        used = used.or(answer.usage);
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
    if let Some(used) = used {
        assert_eq!(used.buckets().total(), used.total());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damaged_answers_never_panic(which in any::<Index>(), cut in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 0..6), size in 1_usize..2000) {
        let one = which.get(&ALL[..]);
        read_answer(one, &damaged(&one.response, cut, &changes), size);
    }

    #[test]
    fn damaged_requests_never_panic(which in any::<Index>(), cut in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 0..6)) {
        let bytes = damaged(which.get(&ALL[..]).request.as_bytes(), cut, &changes);
        let _ = (openai::chat::read(&bytes), openai::responses::read(&bytes), anthropic::read(&bytes));
    }
}
