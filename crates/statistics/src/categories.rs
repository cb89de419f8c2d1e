use std::collections::BTreeMap;

use crate::{
    bytes::{Reader, Writer},
    fault::SketchFault,
    random::stable_hash,
};

/// How many categories a sketch tells apart by itself.
pub const CATEGORIES: usize = 256;
/// A longer name keeps its beginning and gets a mark of the whole.
const NAME_BYTES: usize = 120;
/// What a name may take with its mark.
const MARKED_BYTES: usize = NAME_BYTES + 18;

/// How often each category occurs: the frequent ones by name, the rest as *other*; mergeable with a guaranteed error.
///
/// Misra and Gries, "Finding repeated elements", 1982, which holds the same as Space-Saving; pruned and merged as in
/// Agarwal and others, "Mergeable summaries", 2012. A count is never above the truth, and below it by no more than
/// `error`, which is at most the total divided by `CATEGORIES + 1`. Up to `CATEGORIES` different ones, counts are exact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Categories {
    counts: BTreeMap<String, u64>,
    total: u64,
    error: u64,
}

impl Categories {
    pub fn add(&mut self, category: &str) {
        self.add_many(category, 1);
    }

    pub fn add_many(&mut self, category: &str, times: u64) {
        if times == 0 {
            return;
        }
        self.total = self.total.saturating_add(times);
        let name = bounded(category);
        if let Some(held) = self.counts.get_mut(&*name) {
            *held = held.saturating_add(times);
            return;
        }
        self.counts.insert(name.into_owned(), times);
        // Twice as many are let in before any are left out, so that leaving out costs little for each.
        if self.counts.len() >= 2 * CATEGORIES {
            self.prune();
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        self.error = self.error.saturating_add(other.error);
        for (name, held) in &other.counts {
            let sum = self.counts.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*held);
        }
        if self.counts.len() >= 2 * CATEGORIES {
            self.prune();
        }
    }

    /// Takes the largest count that has no place from every count, which leaves as many as have one.
    fn prune(&mut self) {
        if self.counts.len() <= CATEGORIES {
            return;
        }
        let mut held: Vec<u64> = self.counts.values().copied().collect();
        held.sort_unstable_by(|one, other| other.cmp(one));
        let taken = held[CATEGORIES];
        self.error = self.error.saturating_add(taken);
        self.counts.retain(|_, held| {
            *held = held.saturating_sub(taken);
            *held > 0
        });
    }

    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
    /// How far a count may be below the truth.
    #[must_use]
    pub const fn error(&self) -> u64 {
        self.error
    }
    #[must_use]
    pub fn count(&self, category: &str) -> u64 {
        self.counts.get(&*bounded(category)).copied().unwrap_or(0)
    }
    /// What is counted under no name.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.total.saturating_sub(self.counts.values().fold(0, |sum: u64, held| sum.saturating_add(*held)))
    }
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(name, held)| (name.as_str(), *held))
    }
    /// The most frequent, the most frequent first; names decide between equals.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        all.truncate(most);
        all
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut whole = self.clone();
        whole.prune();
        let mut writer = Writer::new();
        writer.count(whole.error);
        writer.count(whole.other());
        writer.count(whole.counts.len() as u64);
        for (name, held) in &whole.counts {
            writer.text(name);
            writer.count(*held);
        }
        writer.done()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchFault> {
        let mut reader = Reader::new(bytes, "sketch of categories")?;
        let mut read = Self { error: reader.count()?, total: reader.count()?, ..Self::default() };
        for _ in 0..reader.length(CATEGORIES)? {
            let name = reader.text(MARKED_BYTES)?;
            let held = reader.count()?;
            read.total = read.total.checked_add(held).ok_or(reader.bad())?;
            if held == 0 || read.counts.insert(name.to_owned(), held).is_some() {
                return Err(reader.bad());
            }
        }
        if read.error > read.total {
            return Err(reader.bad());
        }
        reader.done()?;
        Ok(read)
    }
}

/// A name that takes a bounded number of bytes; different names stay different.
fn bounded(name: &str) -> std::borrow::Cow<'_, str> {
    if name.len() <= NAME_BYTES {
        return name.into();
    }
    let mut end = NAME_BYTES;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…{:015x}", &name[..end], stable_hash(name.as_bytes()) >> 4).into()
}

impl<'c> FromIterator<&'c str> for Categories {
    fn from_iter<I: IntoIterator<Item = &'c str>>(categories: I) -> Self {
        let mut sketch = Self::default();
        categories.into_iter().for_each(|category| sketch.add(category));
        sketch
    }
}
