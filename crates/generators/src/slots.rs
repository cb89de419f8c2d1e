//! Which conversation sits where in the context, and how much of a prompt is there already.

use llama_cpp_2::token::LlamaToken;

/// Prompts are computed in pieces of this many tokens, at multiples of it. What was computed in a
/// whole piece is the same whoever asks, bit for bit; so only whole pieces are reused.
pub(crate) const CHUNK: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// What the cache holds that may be reused: whole chunks of a prompt.
    tokens: Vec<LlamaToken>,
    busy: bool,
    last_used: u64,
}

#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    turn: u64,
}

/// A slot for a prompt, with the tokens that need not be computed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: usize,
    pub(crate) reuse: usize,
}

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        Self { slots: (0..count.max(1)).map(|_| Slot::default()).collect(), turn: 0 }
    }

    /// The free slot that holds most of the prompt; of equals the one unused for longest.
    pub(crate) fn take(&mut self, prompt: &[LlamaToken]) -> Option<Place> {
        let free = self.slots.iter().enumerate().filter(|(_, slot)| !slot.busy);
        let (index, reuse) = free
            .map(|(index, slot)| (index, reusable(&slot.tokens, prompt)))
            .max_by_key(|(index, reuse)| (*reuse, std::cmp::Reverse(self.slots[*index].last_used)))?;
        self.turn += 1;
        let slot = &mut self.slots[index];
        slot.busy = true;
        slot.last_used = self.turn;
        slot.tokens.truncate(reuse);
        Some(Place { slot: index, reuse })
    }

    /// A chunk of the prompt was computed; only whole ones count.
    pub(crate) fn computed(&mut self, slot: usize, prompt: &[LlamaToken]) {
        let whole = prompt.len() / CHUNK * CHUNK;
        self.slots[slot].tokens = prompt[..whole].to_vec();
    }

    pub(crate) fn release(&mut self, slot: usize) {
        self.slots[slot].busy = false;
    }

    /// What the slot holds is not to be trusted.
    pub(crate) fn forget(&mut self, slot: usize) {
        self.slots[slot].tokens.clear();
    }
}

/// Whole chunks in common, always leaving at least one token to compute: its logits are needed.
fn reusable(held: &[LlamaToken], prompt: &[LlamaToken]) -> usize {
    let common = held.iter().zip(prompt).take_while(|(a, b)| a == b).count();
    common.min(prompt.len().saturating_sub(1)) / CHUNK * CHUNK
}

/// The next piece of a prompt of `len` tokens after `done`.
pub(crate) fn next_chunk(done: usize, len: usize) -> std::ops::Range<usize> {
    done..((done / CHUNK + 1) * CHUNK).min(len)
}
