//! Spans whose sender may repeat itself, as rows: they are compared with the table before they are added.
//!
//! Their rows are made when they are stored, where their JSON is at hand, and take a third of the memory of the spans. Beside each
//! row stands what comparing asks, so that nobody reads it back out of the columns.

use std::collections::{HashMap, hash_map::Entry};

use arrow_array::RecordBatch;
use mainspring_llm::Span;

use crate::{
    belonging::{self, Names, Saying},
    conventions::{
        Facts, SpanType,
        counted::{Id, Node, Uses},
    },
    fault::TraceFault,
    known::Added,
    sampling::Key,
    searched::Searched,
    table::{Making, Texts, cover, is_entry},
    values::{self, Large},
};

/// Rows with what comparing asks of each, in the same order.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) rows: RecordBatch,
    pub(crate) spans: Vec<OfRow>,
}

#[derive(Debug, Clone)]
pub(crate) struct OfRow {
    pub(crate) node: Node,
    pub(crate) start: i64,
    entry: bool,
}

/// Rows that are being made.
#[derive(Debug)]
pub(crate) struct Comparing {
    rows: Making,
    spans: Vec<OfRow>,
    /// What was cut out of the rows.
    large: Vec<Large>,
    saying: Saying,
}

impl Comparing {
    pub(crate) fn with_room_for(rows: usize) -> Self {
        let (spans, saying) = (Vec::with_capacity(rows), Saying::default());
        Self { rows: Making::with_room_for(rows), spans, large: Vec::new(), saying }
    }

    /// Adds the row of a span. `texts` are its own. Large values are taken out of it, but what they say is searched all the same.
    pub(crate) fn push(&mut self, mut span: Span, texts: &mut Texts) -> std::io::Result<()> {
        let searched = Searched::of(&span);
        let cut = values::cut(&mut span);
        if !cut.is_empty() {
            texts.write(&span)?;
            self.large.extend(cut);
        }
        let facts = Facts::of(&span);
        self.rows.push(&span, texts, &facts, &searched);
        let id = (span.project, span.trace, span.span);
        let says = self.saying.of_facts(&facts);
        let uses = Uses::of(&facts);
        let counted = uses.counted((facts.counted, facts.counted_part));
        let node = Node { id, parent: span.parent, kind: facts.kind, counted, adopted: false, uses, says };
        self.spans.push(OfRow { node, start: span.start.as_micros(), entry: is_entry(&span) });
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(Compared, Vec<Large>), TraceFault> {
        Ok((Compared { rows: self.rows.finish()?, spans: self.spans }, self.large))
    }
}

impl Compared {
    pub(crate) fn of(spans: Vec<Span>) -> Result<(Self, Vec<Large>), TraceFault> {
        let (mut made, mut texts) = (Comparing::with_room_for(spans.len()), Texts::default());
        for span in spans {
            let written = texts.write(&span).and_then(|()| made.push(span, &mut texts));
            written.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
        }
        made.finish()
    }

    /// Leaves out what is known already, and itself is known from then on. Mostly nothing is.
    pub(crate) fn without_known(self, nodes: &mut HashMap<Id, Node>) -> Vec<Self> {
        let mut is_new = |row: &OfRow| match nodes.entry(row.node.id) {
            Entry::Vacant(place) => {
                place.insert(row.node.clone());
                true
            }
            Entry::Occupied(_) => false,
        };
        let new: Vec<bool> = self.spans.iter().map(&mut is_new).collect();
        let mut parts = Vec::new();
        let mut at = 0;
        for run in new.chunk_by(|one, other| one == other) {
            if run[0] {
                parts.push(Self { rows: self.rows.slice(at, run.len()), spans: self.spans[at..at + run.len()].to_vec() });
            }
            at += run.len();
        }
        parts
    }

    /// This of the usage of these counts no longer.
    pub(crate) fn uncount(&mut self, covered: &HashMap<Id, Uses>) -> Result<(), TraceFault> {
        let said: Vec<Option<Uses>> = self.spans.iter().map(|row| covered.get(&row.node.id).copied()).collect();
        if said.iter().all(Option::is_none) {
            return Ok(());
        }
        self.rows = cover(&self.rows, &said)?;
        for (row, said) in self.spans.iter_mut().zip(said) {
            row.node.cover(said.unwrap_or_default());
        }
        Ok(())
    }

    /// Spans that do not say whose they are take it from others.
    pub(crate) fn give(&mut self, taken: &HashMap<Id, Names>) -> Result<(), TraceFault> {
        let of_rows: Vec<Option<&Names>> = self.spans.iter().map(|row| taken.get(&row.node.id)).collect();
        if of_rows.iter().any(Option::is_some) {
            self.rows = belonging::give(&self.rows, &of_rows)?;
        }
        Ok(())
    }

    /// Tells of the spans, and of their traces with whether an entry of each is among them.
    pub(crate) fn tell(&self, added: &mut Vec<Added>, entered: &mut HashMap<Key, bool>) {
        for row in &self.spans {
            added.push((row.node.clone(), row.start));
            enter(entered, &row.node, row.entry);
        }
    }
}

/// What only happened is no way in, and lies in a trace of which spans come, or of which nothing else does.
pub(crate) fn enter(entered: &mut HashMap<Key, bool>, node: &Node, begins: bool) {
    if begins || node.kind != SpanType::Event {
        *entered.entry((node.id.0, node.id.1)).or_default() |= begins;
    }
}
