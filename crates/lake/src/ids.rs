//! Many ids in little memory.

use std::{
    collections::HashSet,
    fmt,
    hash::{Hash, Hasher},
};

/// As many digits as a number of 128 bits has.
const DIGITS_MAX: usize = 32;

/// Texts of so many hexadecimal digits in lower case, as ids of traces and spans are. Each takes sixteen bytes, which is a
/// fifth of what it takes as a text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IdSet {
    digits: usize,
    ids: HashSet<u128>,
}

impl IdSet {
    /// An empty set of ids of this length: 32 digits at most.
    #[must_use]
    pub fn of_digits(digits: usize) -> Self {
        Self { digits: digits.min(DIGITS_MAX), ids: HashSet::new() }
    }

    /// Answers whether it is such an id; what is none is not in the set.
    pub fn insert(&mut self, id: &str) -> bool {
        let number = self.number(id);
        self.ids.extend(number);
        number.is_some()
    }

    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.number(id).is_some_and(|number| self.ids.contains(&number))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Each as it was given, in no order.
    pub fn iter(&self) -> impl Iterator<Item = String> + '_ {
        self.ids.iter().map(|number| format!("{number:0digits$x}", digits = self.digits))
    }

    fn number(&self, id: &str) -> Option<u128> {
        if id.len() != self.digits || id.is_empty() {
            return None;
        }
        id.bytes().try_fold(0_u128, |number, letter| {
            let digit = match letter {
                b'0'..=b'9' => letter - b'0',
                b'a'..=b'f' => letter - b'a' + 10,
                _ => return None,
            };
            Some((number << 4) | u128::from(digit))
        })
    }

    /// The same for equal sets, whatever order their ids came in.
    fn sum(&self) -> u128 {
        self.ids.iter().fold(0, |sum, number| sum.wrapping_add(*number))
    }
}

impl Hash for IdSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.digits, self.ids.len(), self.sum()).hash(state);
    }
}

/// Nobody reads a million ids.
impl fmt::Debug for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdSet({} of {} digits, {:x})", self.ids.len(), self.digits, self.sum())
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use proptest::prelude::*;

    use super::*;

    fn set(digits: usize, ids: &[&str]) -> IdSet {
        let mut set = IdSet::of_digits(digits);
        ids.iter().for_each(|id| assert!(set.insert(id), "{id}"));
        set
    }

    fn hashed(set: &IdSet) -> u64 {
        let mut hasher = DefaultHasher::new();
        set.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn a_text_is_in_it_letter_by_letter() {
        let set = set(4, &["00ab", "ffff"]);
        assert!(set.contains("00ab") && set.contains("ffff"));
        for other in ["ab", "000ab", "00AB", "+0ab", "", "00ag", "0ab", "00a\u{e4}"] {
            assert!(!set.contains(other), "{other}");
        }
        assert_eq!((set.len(), set.is_empty(), IdSet::default().contains("")), (2, false, false));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let mut set = IdSet::of_digits(4);
        for other in ["", "abc", "ABCD", "wxyz", "abcde"] {
            assert!(!set.insert(other), "{other}");
        }
        assert!(set.is_empty());
    }

    proptest! {
        #[test]
        fn equal_sets_are_told_alike_and_give_back_what_they_were_given(ids in prop::collection::hash_set("[0-9a-f]{16}", 0..40)) {
            let mut backwards: Vec<&str> = ids.iter().map(String::as_str).collect();
            let forwards = set(16, &backwards);
            backwards.reverse();
            let backwards = set(16, &backwards);
            prop_assert_eq!(&forwards, &backwards);
            prop_assert_eq!(hashed(&forwards), hashed(&backwards));
            prop_assert_eq!(format!("{forwards:?}"), format!("{backwards:?}"));
            prop_assert_eq!(forwards.iter().collect::<HashSet<_>>(), ids);
        }
    }
}
