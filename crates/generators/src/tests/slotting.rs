use llama_cpp_2::token::LlamaToken;
use proptest::prelude::*;

use crate::slots::{CHUNK, Place, Slots, next_chunk};

fn prompt(conversation: i32, len: usize) -> Vec<LlamaToken> {
    (0..len).map(|at| LlamaToken(conversation * 100_000 + at as i32)).collect()
}

/// Computes a prompt in a slot, chunk by chunk, as the engine does.
fn compute(slots: &mut Slots, prompt: &[LlamaToken]) -> Place {
    let place = slots.take(prompt).unwrap();
    let mut done = place.reuse;
    while done < prompt.len() {
        done = next_chunk(done, prompt.len()).end;
        slots.computed(place.slot, &prompt[..done]);
    }
    slots.release(place.slot);
    place
}

#[test]
fn only_whole_chunks_are_reused_and_never_the_whole_prompt() {
    let mut slots = Slots::new(1);
    assert_eq!(compute(&mut slots, &prompt(1, 3 * CHUNK)).reuse, 0);
    assert_eq!(compute(&mut slots, &prompt(1, 3 * CHUNK)).reuse, 2 * CHUNK);
    assert_eq!(compute(&mut slots, &prompt(1, 3 * CHUNK + 1)).reuse, 3 * CHUNK);
    assert_eq!(compute(&mut slots, &prompt(1, CHUNK + 5)).reuse, CHUNK);
    assert_eq!(compute(&mut slots, &prompt(2, CHUNK + 5)).reuse, 0);
}

#[test]
fn a_conversation_finds_its_slot_and_a_new_one_takes_the_oldest() {
    let mut slots = Slots::new(2);
    let first = compute(&mut slots, &prompt(1, 200));
    let second = compute(&mut slots, &prompt(2, 200));
    assert_ne!(first.slot, second.slot);
    assert_eq!(compute(&mut slots, &prompt(1, 200)), Place { slot: first.slot, reuse: 192 });
    assert_eq!(compute(&mut slots, &prompt(3, 200)).slot, second.slot);
    let held = slots.take(&prompt(1, 200)).unwrap();
    assert_eq!(held.slot, first.slot);
    assert_eq!(slots.take(&prompt(1, 200)).unwrap().slot, second.slot);
    assert_eq!(slots.take(&prompt(1, 200)), None);
}

#[test]
fn what_is_forgotten_is_computed_again() {
    let mut slots = Slots::new(1);
    let place = compute(&mut slots, &prompt(1, 200));
    slots.forget(place.slot);
    assert_eq!(compute(&mut slots, &prompt(1, 200)).reuse, 0);
}

proptest! {
    #[test]
    fn chunks_lie_at_the_same_places_wherever_one_begins(len in 1_usize..1000, start in 0_usize..20) {
        let places = |mut done: usize| {
            let mut chunks = Vec::new();
            while done < len {
                let chunk = next_chunk(done, len);
                assert!(!chunk.is_empty() && chunk.len() <= CHUNK);
                done = chunk.end;
                chunks.push(chunk);
            }
            chunks
        };
        let (whole, start) = (places(0), start * CHUNK);
        let tail: Vec<_> = whole.into_iter().filter(|chunk| chunk.start >= start).collect();
        prop_assert_eq!(places(start), tail);
    }
}
