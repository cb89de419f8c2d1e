//! Vectors that exist already: a text is embedded once, whichever document or run it came with.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use mainspring_lake::{Filter, Scan, Table};

use super::patience::patiently;
use crate::{
    fault::KnowledgeFault,
    service::Inner,
    table::{Reader, columns},
};

pub(super) type Vector = Arc<[f32]>;

/// Tables whose vectors came from the embedder at hand.
#[derive(Debug)]
pub(super) struct Vectors {
    inner: Arc<Inner>,
    tables: Vec<Shelf>,
    recent: Recent,
}

#[derive(Debug)]
struct Shelf {
    table: Arc<dyn Table>,
    /// Which digests it holds, by their first half: a stray match only costs a look.
    held: Option<HashSet<u64>>,
}

/// The newest vectors of this run, which may not be written yet. Bounded: one that fell out is in the
/// table by then, or is embedded again.
#[derive(Debug, Default)]
struct Recent {
    vectors: HashMap<String, Vector>,
    order: VecDeque<String>,
}

const RECENT: usize = 8192;
const AT_ONCE: usize = 256;

impl Vectors {
    pub(super) fn of(inner: Arc<Inner>, tables: Vec<Arc<dyn Table>>) -> Self {
        let tables = tables.into_iter().map(|table| Shelf { table, held: None }).collect();
        Self { inner, tables, recent: Recent::default() }
    }

    pub(super) fn recent(&self, digest: &str) -> Option<Vector> {
        self.recent.vectors.get(digest).cloned()
    }

    pub(super) fn remember(&mut self, digest: &str, vector: &Vector) {
        if self.recent.vectors.insert(digest.to_owned(), vector.clone()).is_some() {
            return;
        }
        self.recent.order.push_back(digest.to_owned());
        if self.recent.order.len() > RECENT
            && let Some(oldest) = self.recent.order.pop_front()
        {
            self.recent.vectors.remove(&oldest);
            // By now it is written: the first table is the one this run writes to.
            if let Some(held) = self.tables.first_mut().and_then(|shelf| shelf.held.as_mut()) {
                held.insert(short(&oldest));
            }
        }
    }

    /// The vectors there are for these digests. Reads the digests of each table once, at first need.
    pub(super) async fn find(&mut self, digests: &HashSet<String>) -> Result<HashMap<String, Vector>, KnowledgeFault> {
        let mut found = HashMap::new();
        for Shelf { table, held } in &mut self.tables {
            let table: &dyn Table = &**table;
            let held = match held {
                Some(held) => held,
                empty => empty.insert(patiently(&self.inner, || held_by(table)).await?),
            };
            let wanted: Vec<&str> = digests
                .iter()
                .filter(|digest| !found.contains_key(*digest) && held.contains(&short(digest)))
                .map(String::as_str)
                .collect();
            for some in wanted.chunks(AT_ONCE) {
                let filter = Filter::any_of(columns::TEXT_DIGEST, some.iter().copied());
                let scan = Scan::of(filter).columns(&[columns::TEXT_DIGEST, columns::VECTOR]);
                for batch in patiently(&self.inner, || async { Ok(table.scan(scan.clone()).await?) }).await? {
                    let reader = Reader::new(&batch, table.name().as_str());
                    let digests = reader.column_of_texts(columns::TEXT_DIGEST)?;
                    for (digest, vector) in digests.iter().flatten().zip(reader.vectors()?) {
                        found.entry(digest.to_owned()).or_insert(vector);
                    }
                }
            }
        }
        Ok(found)
    }
}

async fn held_by(table: &dyn Table) -> Result<HashSet<u64>, KnowledgeFault> {
    let mut held = HashSet::new();
    for batch in table.scan(Scan::of(Filter::All).columns(&[columns::TEXT_DIGEST])).await? {
        let reader = Reader::new(&batch, table.name().as_str());
        held.extend(reader.column_of_texts(columns::TEXT_DIGEST)?.iter().flatten().map(short));
    }
    Ok(held)
}

fn short(digest: &str) -> u64 {
    digest.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}
