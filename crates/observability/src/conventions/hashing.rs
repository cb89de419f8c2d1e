//! A hash for names that are looked up in a table which is compiled in.
//!
//! Every attribute of every span is looked up several times. A sender chooses what is looked up and never what stands in the
//! table, so it does no harm that this hash can be foreseen.

use std::hash::{BuildHasherDefault, Hasher};

pub(super) type Quick = BuildHasherDefault<Words>;

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Takes eight bytes at a time.
#[derive(Debug, Default)]
pub(super) struct Words(u64);

impl Words {
    const fn take(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(ODD);
    }
}

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.take(u64::from_le_bytes(*word)));
        self.take(rest.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte)));
    }

    /// The low bits, by which a table places what it holds, are mixed least by a product.
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, hash::BuildHasher};

    use super::{super::aliases::all, Quick};

    #[test]
    fn no_two_names_of_the_table_have_one_hash() {
        let hashes: HashSet<u64> = all().map(|(.., name)| Quick::default().hash_one(name)).collect();
        assert_eq!(hashes.len(), all().count());
    }
}
