//! BERT-shaped encoders on this processor's bf16 units.
//!
//! The runtime multiplies in f32. A processor with matrix tiles does the same products in bf16 an order of
//! magnitude faster, int8 weights are exact in bf16, and sums are still f32. Nothing is padded on the way:
//! only attention looks across tokens, and that is done text by text.
//!
//! A model is taken over only where it shows in numbers that it is one: the same probe goes through the
//! runtime and through here, and where any token disagrees the runtime keeps the model.

mod buffer;
mod forward;
mod math;
mod recognise;
#[cfg(test)]
mod tests;
mod unit;
mod weights;

use std::path::Path;

use crate::{
    batch::Padded,
    onnx,
    session::{Forward, Output, Threads},
};

pub(crate) use unit::Unit;
use {forward::Bert, recognise::Recognised};

/// What heads of BERT's descendants are wide.
const HEAD_WIDTHS: [usize; 2] = [32, 64];
/// Lengths of the probe's texts: within one tile, at its edge, beyond.
const PROBE: [usize; 4] = [5, 16, 33, 70];
/// The least cosine of a token's vector here and in the runtime.
const AGREES: f32 = 0.999;

/// The model on `unit`, where it is BERT-shaped and gives what `reference` gives.
pub(crate) fn take_over(path: &Path, unit: Unit, reference: &dyn Forward, threads: &Threads) -> Result<Box<dyn Forward>, String> {
    let bytes = std::fs::read(path).map_err(|fault| fault.to_string())?;
    let recognised = Recognised::of(&onnx::parse(&bytes)?)?;
    drop(bytes);
    let probe = probe(&recognised);
    let expected = reference.forward(&probe, threads)?;
    let mut lowest = f32::NAN;
    for width in HEAD_WIDTHS {
        if recognised.hidden % width == 0 {
            let bert = Bert::new(&recognised, width, unit);
            lowest = agreement(&probe, &expected, &bert.forward(&probe, threads)?);
            if lowest >= AGREES {
                return Ok(Box::new(bert));
            }
        }
    }
    Err(format!("a token of the probe agrees to {lowest} only"))
}

/// Token ids from all over the vocabulary, in texts of several lengths.
fn probe(recognised: &Recognised) -> Padded {
    let longest = recognised.places.rows.min(PROBE[PROBE.len() - 1]);
    let mut padded = Padded { rows: PROBE.len(), width: longest, ..Padded::default() };
    for (row, length) in PROBE.iter().enumerate() {
        for place in 0..longest {
            let real = place < *length;
            let id = (row * 7_919 + place * 104_729 + 100) % recognised.words.rows;
            padded.ids.push(if real { id as i32 } else { 0 });
            padded.mask.push(i32::from(real));
            padded.types.push(0);
        }
    }
    padded
}

/// The lowest cosine of a token's vector in both.
fn agreement(batch: &Padded, a: &Output, b: &Output) -> f32 {
    if (a.width, a.depth) != (b.width, b.depth) || a.width == 0 {
        return 0.0;
    }
    let tokens = a.data.chunks_exact(a.depth).zip(b.data.chunks_exact(b.depth)).zip(&batch.mask);
    let real = tokens.filter(|(_, mask)| **mask != 0);
    real.map(|((a, b), _)| cosine(a, b)).fold(1.0, |lowest, one| if lowest.is_nan() || one >= lowest { lowest } else { one })
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
