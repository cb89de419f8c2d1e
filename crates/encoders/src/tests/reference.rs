//! The fast int8 encoder beside the official f32 weights, run by a plain forward pass written here.

use mainspring_llm::{Embedder, embed::EmbedAs};
use safetensors::SafeTensors;

use super::{budget, cosine, files, minilm};
use crate::{engine::normal, tokens::Encoder};

const WIDTH: usize = 384;
const HEADS: usize = 12;
const LAYERS: usize = 6;

struct Bert<'a> {
    tensors: SafeTensors<'a>,
}

impl Bert<'_> {
    fn tensor(&self, name: &str) -> Vec<f32> {
        let view = self.tensors.tensor(name).unwrap();
        view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    /// `x` times the transposed weight, plus bias.
    fn linear(&self, name: &str, x: &[f32], inner: usize) -> Vec<f32> {
        let (weight, bias) = (self.tensor(&format!("{name}.weight")), self.tensor(&format!("{name}.bias")));
        let mut out = Vec::with_capacity(x.len() / inner * bias.len());
        for row in x.chunks_exact(inner) {
            for (weights, bias) in weight.chunks_exact(inner).zip(&bias) {
                out.push(bias + cosine(row, weights));
            }
        }
        out
    }

    fn norm(&self, name: &str, x: &[f32]) -> Vec<f32> {
        let (weight, bias) = (self.tensor(&format!("{name}.weight")), self.tensor(&format!("{name}.bias")));
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks_exact(WIDTH) {
            let mean = row.iter().sum::<f32>() / WIDTH as f32;
            let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / WIDTH as f32;
            let scale = (variance + 1e-12).sqrt().recip();
            out.extend(row.iter().zip(&weight).zip(&bias).map(|((v, w), b)| (v - mean) * scale * w + b));
        }
        out
    }

    fn attention(&self, layer: &str, x: &[f32]) -> Vec<f32> {
        let [q, k, v] = ["query", "key", "value"].map(|part| self.linear(&format!("{layer}.attention.self.{part}"), x, WIDTH));
        let (tokens, size) = (x.len() / WIDTH, WIDTH / HEADS);
        let mut mixed = vec![0.0; x.len()];
        for head in 0..HEADS {
            let part = |m: &[f32], token: usize| -> Vec<f32> {
                m[token * WIDTH + head * size..token * WIDTH + (head + 1) * size].to_vec()
            };
            for to in 0..tokens {
                let query = part(&q, to);
                let scores: Vec<f32> = (0..tokens).map(|from| cosine(&query, &part(&k, from)) / (size as f32).sqrt()).collect();
                let top = scores.iter().copied().fold(f32::MIN, f32::max);
                let weights: Vec<f32> = scores.iter().map(|score| (score - top).exp()).collect();
                let total: f32 = weights.iter().sum();
                for (from, weight) in weights.iter().enumerate() {
                    for (slot, value) in part(&v, from).iter().enumerate() {
                        mixed[to * WIDTH + head * size + slot] += weight / total * value;
                    }
                }
            }
        }
        let out = self.linear(&format!("{layer}.attention.output.dense"), &mixed, WIDTH);
        self.norm(&format!("{layer}.attention.output.LayerNorm"), &add(&out, x))
    }

    fn embed(&self, ids: &[u32]) -> Vec<f32> {
        let table = |part: &str| self.tensor(&format!("embeddings.{part}_embeddings.weight"));
        let (words, places, types) = (table("word"), table("position"), table("token_type"));
        let mut x = Vec::with_capacity(ids.len() * WIDTH);
        for (place, id) in ids.iter().enumerate() {
            let word = &words[*id as usize * WIDTH..][..WIDTH];
            let place = &places[place * WIDTH..][..WIDTH];
            x.extend((0..WIDTH).map(|i| word[i] + place[i] + types[i]));
        }
        let mut x = self.norm("embeddings.LayerNorm", &x);
        for layer in 0..LAYERS {
            let layer = format!("encoder.layer.{layer}");
            let attended = self.attention(&layer, &x);
            let mut inner = self.linear(&format!("{layer}.intermediate.dense"), &attended, WIDTH);
            inner.iter_mut().for_each(|value| *value = gelu(*value));
            let out = self.linear(&format!("{layer}.output.dense"), &inner, 4 * WIDTH);
            x = self.norm(&format!("{layer}.output.LayerNorm"), &add(&out, &attended));
        }
        let mut mean = vec![0.0; WIDTH];
        for row in x.chunks_exact(WIDTH) {
            mean.iter_mut().zip(row).for_each(|(total, value)| *total += value);
        }
        normal(&mean)
    }
}

fn add(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// With the error function, as BERT has it (Abramowitz and Stegun 7.1.26, to 1.5e-7).
fn gelu(x: f32) -> f32 {
    let z = f64::from(x) / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z.abs());
    let poly = t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let erf = (1.0 - poly * (-z * z).exp()) * z.signum();
    (0.5 * f64::from(x) * (1.0 + erf)) as f32
}

#[tokio::test]
async fn the_int8_vectors_agree_with_the_reference_weights() {
    let reference = files("all-minilm-l6-v2-f32").await;
    let bytes = std::fs::read(&reference.model).unwrap();
    let bert = Bert { tensors: SafeTensors::deserialize(&bytes).unwrap() };
    let tokenizer = std::fs::read(&reference.tokenizer).unwrap();
    let encoder = Encoder::load(&tokenizer, 256).unwrap();
    let embedder = minilm().await;
    let texts = [
        "The cat sits on the mat.",
        "How do I rotate an API key without downtime?",
        "Experimental investigation of the aerodynamics of a wing in a slipstream.",
        "In information retrieval, the ranking function Okapi BM25 estimates the relevance of documents to a given search query. It is based on the probabilistic retrieval framework developed in the 1970s and 1980s.",
        "Der Reaktor wurde 1962 in Betrieb genommen; la centrale a été arrêtée en 1986.",
        "fn main() { println!(\"{}\", 1 + 1); }",
    ];
    let mut lowest = 1.0_f32;
    for text in texts {
        let fast = embedder.embed(vec![text.to_owned()], EmbedAs::Passage, budget()).await.unwrap().vectors;
        let exact = bert.embed(&encoder.encode(text).unwrap().ids);
        lowest = lowest.min(cosine(&fast[0], &exact));
    }
    // Measured: see engineering notes in the README of this crate.
    assert!(lowest >= 0.998, "the worst of {} texts agrees to {lowest}", texts.len());
    // The reference itself is the official model: two known relations of its space.
    let [cat, feline, revenue] = ["The cat sits on the mat.", "A feline rests on a rug.", "Quarterly revenue grew."]
        .map(|text| bert.embed(&encoder.encode(text).unwrap().ids));
    assert!(cosine(&cat, &feline) > 0.5 && cosine(&cat, &revenue) < 0.15);
}
