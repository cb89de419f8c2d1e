//! Texts that say the same: exact copies, and copies with a few words changed. Pure.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hasher as _},
};

/// The pairs of neighbouring words of a text, letter case and punctuation ignored.
#[derive(Debug, Clone)]
pub(crate) struct Fingerprint {
    pairs: HashSet<u64>,
}

impl Fingerprint {
    pub(crate) fn of(text: &str) -> Self {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_lowercase).collect();
        let mut pairs: HashSet<u64> = words.windows(2).map(|pair| hashed(pair)).collect();
        if pairs.is_empty() {
            pairs.insert(hashed(&words));
        }
        Self { pairs }
    }

    /// Share of the pairs of both that are in both.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    pub(crate) fn likeness(&self, other: &Self) -> f64 {
        let common = self.pairs.intersection(&other.pairs).count();
        let all = self.pairs.len() + other.pairs.len() - common;
        common as f64 / all.max(1) as f64
    }
}

fn hashed(words: &(impl std::hash::Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

/// Which of these texts, best first, are no copies of a better one.
pub(crate) fn originals<'a>(texts: impl IntoIterator<Item = &'a str>, threshold: f64) -> Vec<bool> {
    let mut kept: Vec<Fingerprint> = Vec::new();
    texts
        .into_iter()
        .map(|text| {
            let fingerprint = Fingerprint::of(text);
            let copy = kept.iter().any(|other| fingerprint.likeness(other) >= threshold);
            if !copy {
                kept.push(fingerprint);
            }
            !copy
        })
        .collect()
}
