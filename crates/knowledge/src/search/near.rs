//! Texts that say the same: exact copies, and copies with a few words changed. Pure.

/// The pairs of neighbouring words of a text, letter case and punctuation ignored: their hashes, ascending, each once.
#[derive(Debug, Clone)]
pub(crate) struct Fingerprint {
    pairs: Vec<u64>,
}

impl Fingerprint {
    pub(crate) fn of(text: &str) -> Self {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<u64> = words.map(hashed).collect();
        let mut pairs: Vec<u64> = words.windows(2).map(|pair| mixed(mixed(SEED ^ pair[0]) ^ pair[1])).collect();
        if pairs.is_empty() {
            // A word alone is no pair, and no word is not a word.
            pairs.push(words.first().map_or(0, |word| mixed(*word)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        Self { pairs }
    }

    /// Whether the share of the pairs of both that are in both reaches the threshold.
    fn is_like(&self, other: &Self, threshold: f64) -> bool {
        let (short, long) = if self.pairs.len() < other.pairs.len() { (self, other) } else { (other, self) };
        // Even if all of the shorter one were in the longer one: most pairs of texts end here.
        if share(short.pairs.len(), long.pairs.len()) < threshold {
            return false;
        }
        let common = common(&short.pairs, &long.pairs);
        share(common, short.pairs.len() + long.pairs.len() - common) >= threshold
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// How many numbers are in both of two ascending lists.
fn common(a: &[u64], b: &[u64]) -> usize {
    let (mut at, mut other, mut count) = (0, 0, 0);
    while let (Some(left), Some(right)) = (a.get(at), b.get(other)) {
        count += usize::from(left == right);
        at += usize::from(left <= right);
        other += usize::from(right <= left);
    }
    count
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A word in lower case as a number: eight bytes at a time.
fn hashed(word: &str) -> u64 {
    if word.is_ascii() {
        folded(word.as_bytes(), |byte| byte.to_ascii_lowercase())
    } else {
        folded(word.to_lowercase().as_bytes(), |byte| byte)
    }
}

fn folded(bytes: &[u8], each: impl Fn(u8) -> u8) -> u64 {
    bytes.chunks(8).fold(mixed(SEED ^ bytes.len() as u64), |hash, chunk| {
        mixed(hash ^ chunk.iter().fold(0, |number, byte| (number << 8) | u64::from(each(*byte))))
    })
}

/// Spreads every bit over all others (the last step of SplitMix64); no two numbers become one.
const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Which of these texts, best first, are no copies of a better one.
pub(crate) fn originals<'a>(texts: impl IntoIterator<Item = &'a str>, threshold: f64) -> Vec<bool> {
    let mut kept: Vec<Fingerprint> = Vec::new();
    texts
        .into_iter()
        .map(|text| {
            let fingerprint = Fingerprint::of(text);
            let copy = kept.iter().any(|other| fingerprint.is_like(other, threshold));
            if !copy {
                kept.push(fingerprint);
            }
            !copy
        })
        .collect()
}
