//! The forward pass: texts one behind the other in a slab, layer by layer.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::{
    buffer::Aligned,
    math::{LANES, gelu, load, normalise, pack_keys, pack_values, product, round, scaled, soften, store, sum},
    recognise::{Norm, Recognised, Table},
    unit::{BLOCK, Block, PANEL_STEP, Ready, Unit},
    weights::Panels,
};
use crate::{
    batch::Padded,
    session::{Forward, Output, Threads},
};

/// Tokens that go through the layers together: enough to use a panel of weights often, few enough that what
/// is between two layers stays in the core's cache.
const SLAB_TOKENS: usize = 384;

pub(super) struct Bert {
    unit: Unit,
    hidden: usize,
    head: usize,
    words: Table,
    places: Table,
    types: Table,
    norm: Norm,
    layers: Vec<Layer>,
    /// As many as threads have run at once.
    rooms: Mutex<Vec<Room>>,
}

struct Layer {
    /// Queries, keys and values.
    attention: Panels,
    output: Panels,
    output_norm: Norm,
    inner: Panels,
    outer: Panels,
    outer_norm: Norm,
}

/// Where a slab is worked on.
#[derive(Default)]
struct Room {
    /// What runs through the layers, and the same rounded.
    x: Aligned<f32>,
    rounded: Aligned<u16>,
    attention: Aligned<u16>,
    mixed: Aligned<u16>,
    inner: Aligned<u16>,
    keys: Aligned<u16>,
    values: Aligned<u16>,
    scores: Aligned<f32>,
    powers: Aligned<u16>,
    block: Aligned<f32>,
}

/// One text of a slab: its tokens' places in it.
type Text = Range<usize>;

struct Slab<'a> {
    rows: Range<usize>,
    lengths: &'a [usize],
    /// The rows' part of the output.
    output: &'a mut [f32],
}

/// What becomes of a product.
enum Then<'a> {
    Round(&'a mut [u16]),
    Gelu(&'a mut [u16]),
    AddTo(&'a mut [f32]),
}

impl Bert {
    pub(super) fn new(from: &Recognised, head: usize, unit: Unit) -> Self {
        let layers = from.layers.iter().map(|layer| {
            let mut attention = Panels::of(&[&layer.query, &layer.key, &layer.value]);
            // Scores come out as powers of two, scaled.
            attention.scale_first(from.hidden, std::f32::consts::LOG2_E / (head as f32).sqrt());
            Layer {
                attention,
                output: Panels::of(&[&layer.output]),
                output_norm: layer.output_norm.clone(),
                inner: Panels::of(&[&layer.inner]),
                outer: Panels::of(&[&layer.outer]),
                outer_norm: layer.outer_norm.clone(),
            }
        });
        Self {
            unit,
            hidden: from.hidden,
            head,
            words: from.words.clone(),
            places: from.places.clone(),
            types: from.types.clone(),
            norm: from.norm.clone(),
            layers: layers.collect(),
            rooms: Mutex::default(),
        }
    }

    /// How many tokens each row has; what is not in the tables is refused.
    fn lengths(&self, batch: &Padded) -> Result<Vec<usize>, String> {
        let known = |table: &Table, id: &i32| usize::try_from(*id).is_ok_and(|id| id < table.rows);
        if !batch.ids.iter().all(|id| known(&self.words, id)) || !batch.types.iter().all(|id| known(&self.types, id)) {
            return Err("a token is not in the model's vocabulary".to_owned());
        }
        let rows = (0..batch.rows).map(|row| &batch.mask[row * batch.width..(row + 1) * batch.width]);
        let lengths: Vec<usize> = rows.clone().map(|mask| mask.iter().take_while(|real| **real != 0).count()).collect();
        if rows.zip(&lengths).any(|(mask, length)| mask[*length..].iter().any(|real| *real != 0)) {
            return Err("a text has tokens behind its end".to_owned());
        }
        match lengths.iter().find(|length| **length > self.places.rows) {
            Some(length) => Err(format!("a text has {length} tokens, the model {} places", self.places.rows)),
            None => Ok(lengths),
        }
    }

    fn run(&self, batch: &Padded, slab: Slab<'_>) {
        let free = self.rooms.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut room = free.unwrap_or_default();
        let mut texts: Vec<Text> = Vec::with_capacity(slab.rows.len());
        for row in slab.rows.clone() {
            let start = texts.last().map_or(0, |text| text.end);
            texts.push(start..start + slab.lengths[row]);
        }
        let tokens = texts.last().map_or(0, |text| text.end);
        if tokens > 0 {
            let longest = texts.iter().map(Text::len).max().unwrap_or(0);
            room.make(tokens.next_multiple_of(LANES), longest, self);
            for (row, text) in slab.rows.clone().zip(&texts) {
                self.look_up(batch, row, &mut room.x[text.start * self.hidden..text.end * self.hidden]);
            }
            room.x[tokens * self.hidden..].fill(0.0);
            self.pass(&texts, tokens.next_multiple_of(LANES), &mut room);
            for (row, text) in texts.iter().enumerate() {
                let to = &mut slab.output[row * batch.width * self.hidden..][..text.len() * self.hidden];
                to.copy_from_slice(&room.x[text.start * self.hidden..text.end * self.hidden]);
            }
        }
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).push(room);
    }

    /// Words, places and types of a row's tokens, added up.
    fn look_up(&self, batch: &Padded, row: usize, x: &mut [f32]) {
        x.fill(0.0);
        for (place, x) in x.chunks_exact_mut(self.hidden).enumerate() {
            let at = row * batch.width + place;
            // Both were found in the tables before.
            self.words.add_row(batch.ids[at] as usize, x);
            self.types.add_row(batch.types[at] as usize, x);
            self.places.add_row(place, x);
        }
    }
}

impl Forward for Bert {
    fn forward(&self, batch: &Padded, threads: &Threads) -> Result<Output, String> {
        let lengths = self.lengths(batch)?;
        let row_size = batch.width * self.hidden;
        let mut data = vec![0.0; batch.rows * row_size];
        let mut slabs = Vec::new();
        let (mut rest, mut first) = (data.as_mut_slice(), 0);
        while first < batch.rows {
            let (mut end, mut tokens) = (first + 1, lengths[first]);
            while end < batch.rows && tokens + lengths[end] <= SLAB_TOKENS {
                tokens += lengths[end];
                end += 1;
            }
            let (output, behind) = rest.split_at_mut((end - first) * row_size);
            slabs.push(Slab { rows: first..end, lengths: &lengths, output });
            (rest, first) = (behind, end);
        }
        threads.run(|| slabs.into_par_iter().with_max_len(1).for_each(|slab| self.run(batch, slab)));
        Ok(Output { width: batch.width, depth: self.hidden, data })
    }
}

impl Room {
    fn make(&mut self, tokens: usize, longest: usize, bert: &Bert) {
        let hidden = bert.hidden;
        let widest = bert.layers.iter().map(|layer| layer.inner.outputs).max().unwrap_or(0);
        let padded = longest.next_multiple_of(BLOCK);
        self.x.at_least(tokens * hidden);
        self.rounded.at_least(tokens * hidden);
        // A text's last block of tokens may reach beyond the slab.
        self.attention.at_least((tokens + BLOCK) * 3 * hidden);
        self.mixed.at_least(tokens * hidden);
        self.inner.at_least(tokens * widest);
        self.keys.at_least(padded * bert.head);
        self.values.at_least(padded * bert.head);
        self.scores.at_least(BLOCK * padded);
        self.powers.at_least(BLOCK * padded);
        self.block.at_least(BLOCK * BLOCK);
    }
}

impl Bert {
    #[expect(unsafe_code, reason = "that the processor can is known by the unit, not by the types")]
    fn pass(&self, texts: &[Text], rows: usize, room: &mut Room) {
        let ready = self.unit.ready();
        // SAFETY: a `Unit` exists only where the processor has what these want.
        unsafe { self.layers_of(&ready, texts, rows, room) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
    fn layers_of(&self, ready: &Ready, texts: &[Text], rows: usize, room: &mut Room) {
        normalise_rows(&mut room.x, rows, &self.norm, &mut room.rounded);
        for layer in &self.layers {
            multiply(ready, &room.rounded, &layer.attention, rows, &mut room.block, Then::Round(&mut room.attention));
            for text in texts {
                self.attend(ready, text, room);
            }
            multiply(ready, &room.mixed, &layer.output, rows, &mut room.block, Then::AddTo(&mut room.x));
            normalise_rows(&mut room.x, rows, &layer.output_norm, &mut room.rounded);
            multiply(ready, &room.rounded, &layer.inner, rows, &mut room.block, Then::Gelu(&mut room.inner));
            multiply(ready, &room.inner, &layer.outer, rows, &mut room.block, Then::AddTo(&mut room.x));
            normalise_rows(&mut room.x, rows, &layer.outer_norm, &mut room.rounded);
        }
    }

    /// One text's tokens look at each other.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
    fn attend(&self, ready: &Ready, text: &Text, room: &mut Room) {
        let Room { attention, mixed, keys, values, scores, powers, block, .. } = room;
        let (hidden, head, stride, len) = (self.hidden, self.head, 3 * self.hidden, text.len());
        let groups = len.div_ceil(BLOCK);
        let (width, parts) = (groups * BLOCK, head / BLOCK);
        for first in (0..hidden).step_by(head) {
            for (group, panel) in keys[..width * head].chunks_exact_mut(parts * PANEL_STEP).enumerate() {
                pack_keys(&attention[(text.start + group * BLOCK) * stride + hidden + first..], stride, head, panel);
            }
            for (part, panel) in values[..width * head].chunks_exact_mut(groups * PANEL_STEP).enumerate() {
                pack_values(&attention[text.start * stride + 2 * hidden + first + part * BLOCK..], stride, len, panel);
            }
            for token in (0..len).step_by(BLOCK) {
                let real = BLOCK.min(len - token);
                let rows = real.next_multiple_of(LANES);
                for (group, panel) in keys[..width * head].chunks_exact(parts * PANEL_STEP).enumerate() {
                    let a = &attention[(text.start + token) * stride + first..];
                    let c = &mut scores[group * BLOCK..];
                    ready.multiply(Block { rows, steps: parts, a, a_stride: stride, panel, c, c_stride: width });
                }
                let mut shares = [0.0; BLOCK];
                for (row, share) in shares[..real].iter_mut().enumerate() {
                    let at = row * width..(row + 1) * width;
                    *share = soften(&mut scores[at.clone()], len, &mut powers[at]);
                }
                for (part, panel) in values[..width * head].chunks_exact(groups * PANEL_STEP).enumerate() {
                    ready.multiply(Block { rows, steps: groups, a: powers, a_stride: width, panel, c: block, c_stride: BLOCK });
                    for (row, share) in shares[..real].iter().enumerate() {
                        let at = (text.start + token + row) * hidden + first + part * BLOCK;
                        let to = mixed[at..at + BLOCK].as_chunks_mut().0;
                        for (from, to) in block[row * BLOCK..(row + 1) * BLOCK].as_chunks().0.iter().zip(to) {
                            round(product(load(from), *share), to);
                        }
                    }
                }
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
fn normalise_rows(x: &mut [f32], rows: usize, norm: &Norm, rounded: &mut [u16]) {
    let size = norm.weight.len();
    for (x, rounded) in x.chunks_exact_mut(size).zip(rounded.chunks_exact_mut(size)).take(rows) {
        normalise(x, &norm.weight, &norm.bias, rounded);
    }
}

/// `rows` rows of `a` through a linear layer.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
fn multiply(ready: &Ready, a: &[u16], layer: &Panels, rows: usize, block: &mut [f32], mut then: Then<'_>) {
    let (inputs, outputs, steps) = (layer.inputs, layer.outputs, layer.steps());
    for column in (0..outputs).step_by(BLOCK) {
        let panel = layer.panel(column / BLOCK);
        let halves = |of: &[f32]| -> [_; 2] {
            let of = of[column..column + BLOCK].as_chunks().0;
            [load(&of[0]), load(&of[1])]
        };
        let (scale, bias) = (halves(&layer.scale), halves(&layer.bias));
        for first in (0..rows).step_by(BLOCK) {
            let count = BLOCK.min(rows - first);
            let a = &a[first * inputs..];
            ready.multiply(Block { rows: count, steps, a, a_stride: inputs, panel, c: block, c_stride: BLOCK });
            for row in 0..count {
                let at = (first + row) * outputs + column;
                let from = block[row * BLOCK..(row + 1) * BLOCK].as_chunks().0;
                for (half, from) in from.iter().enumerate() {
                    let value = scaled(load(from), scale[half], bias[half]);
                    let at = at + half * LANES..at + (half + 1) * LANES;
                    match &mut then {
                        Then::Round(to) => round(value, &mut to[at].as_chunks_mut().0[0]),
                        Then::Gelu(to) => round(gelu(value), &mut to[at].as_chunks_mut().0[0]),
                        Then::AddTo(to) => {
                            let to = &mut to[at].as_chunks_mut().0[0];
                            store(sum(value, load(to)), to);
                        }
                    }
                }
            }
        }
    }
}
