//! From ranked chunks to passages: sections are put together, copies dropped, and what fits is taken. Pure.

use std::collections::HashMap;

use mainspring_llm::{Passage, TextTokenizer};

use crate::{spec::Parents, table::ChunkRow, texts::Text};

/// A chunk on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub row: ChunkRow,
    pub scores: mainspring_llm::HitScores,
}

/// A section larger than this is not put in place of its chunks.
const SECTION_BYTES: u64 = 16 << 10;

pub(crate) type Parsed = HashMap<String, Text>;

/// A passage, and what it was before its section took its place.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub passage: Passage,
    pub narrow: Option<Box<Passage>>,
}

/// Chunks of one section become one passage, at the place of the best of them.
pub(crate) fn merge(candidates: &[Candidate], parents: Parents, texts: &Parsed, count: &dyn TextTokenizer) -> Vec<Packed> {
    let section = |row: &ChunkRow| (row.document.clone(), row.document_digest.clone(), row.parent_start, row.parent_end);
    let mut members: HashMap<_, usize> = HashMap::new();
    for candidate in candidates {
        *members.entry(section(&candidate.row)).or_default() += 1;
    }
    let mut packed: Vec<Packed> = Vec::new();
    let mut merged = std::collections::HashSet::new();
    for candidate in candidates {
        let key = section(&candidate.row);
        if merged.contains(&key) {
            continue;
        }
        let wanted = match parents {
            Parents::Off => false,
            Parents::Merge => members.get(&key).is_some_and(|count| *count > 1),
            Parents::Always => true,
        };
        let narrow = passage_of(candidate);
        let wide = if wanted { widened(candidate, &narrow, texts, count) } else { None };
        match wide {
            Some(passage) => {
                merged.insert(key);
                packed.push(Packed { passage, narrow: Some(Box::new(narrow)) });
            }
            None => packed.push(Packed { passage: narrow, narrow: None }),
        }
    }
    packed
}

fn widened(candidate: &Candidate, narrow: &Passage, texts: &Parsed, count: &dyn TextTokenizer) -> Option<Passage> {
    let row = &candidate.row;
    let larger =
        row.parent_start <= row.start && row.end <= row.parent_end && row.parent_end - row.parent_start > row.end - row.start;
    if !larger || row.parent_end - row.parent_start > SECTION_BYTES {
        return None;
    }
    let (from, to) = (usize::try_from(row.parent_start).ok()?, usize::try_from(row.parent_end).ok()?);
    let parsed = texts.get(&row.document_digest)?;
    let text = parsed.words().get(from..to)?;
    let tokens = u32::try_from(count.count(text)).unwrap_or(u32::MAX);
    // It begins before the best of its chunks, perhaps on an earlier page.
    let page = parsed.page_at(from).or(narrow.page);
    let (start, end, text) = (row.parent_start, row.parent_end, text.to_owned());
    // Tables of a section begin in it.
    Some(Passage { start, end, text, table_head: None, tokens, page, ..narrow.clone() })
}

pub(crate) fn passage_of(candidate: &Candidate) -> Passage {
    let ChunkRow {
        id,
        document,
        document_digest,
        text,
        table_head,
        start,
        end,
        page,
        heading_path,
        tokens,
        title,
        uri,
        media_type,
        labels,
        metadata,
        ..
    } = candidate.row.clone();
    Passage {
        chunk: id,
        document,
        title,
        uri,
        media_type,
        heading_path,
        page,
        start,
        end,
        text,
        table_head,
        tokens,
        labels,
        metadata,
        scores: candidate.scores.clone(),
        document_digest,
    }
}

/// Takes passages in order while they fit. One too large is tried as it was before its section took its
/// place, then left out for the next; the very first is cut rather than nothing given.
pub(crate) fn fit(
    packed: Vec<Packed>,
    limit: usize,
    budget: Option<usize>,
    count: &dyn TextTokenizer,
) -> (Vec<Passage>, Vec<Passage>) {
    let (mut taken, mut left): (Vec<Passage>, Vec<Passage>) = (Vec::new(), Vec::new());
    let mut room = budget.unwrap_or(usize::MAX);
    for Packed { passage, narrow } in packed {
        if taken.len() >= limit {
            left.push(passage);
            continue;
        }
        let fits = |passage: &Passage| passage.tokens as usize <= room;
        let chosen = match narrow {
            _ if fits(&passage) => Some(passage.clone()),
            Some(narrow) if fits(&narrow) => Some(*narrow),
            Some(narrow) if taken.is_empty() => cut(*narrow, room, count),
            None if taken.is_empty() => cut(passage.clone(), room, count),
            _ => None,
        };
        match chosen {
            Some(chosen) => {
                room = room.saturating_sub(chosen.tokens as usize);
                taken.push(chosen);
            }
            None => left.push(passage),
        }
    }
    (taken, left)
}

/// A table's head that would leave no room for a row of it is left out.
fn cut(mut passage: Passage, room: usize, count: &dyn TextTokenizer) -> Option<Passage> {
    let head = passage.table_head.as_deref().map_or(0, |head| count.count(head));
    let for_text = room.checked_sub(head).filter(|left| *left > 0);
    if for_text.is_none() {
        passage.table_head = None;
    }
    let (head, for_text) = for_text.map_or((0, room), |left| (head, left));
    let tokens = count.tokenize(&passage.text).ranges;
    let last = for_text.checked_sub(1)?.min(tokens.len().checked_sub(1)?);
    let end = tokens[last].end;
    passage.text = passage.text.get(..end)?.to_owned();
    passage.end = passage.start + end as u64;
    passage.tokens = u32::try_from(head + last + 1).unwrap_or(u32::MAX);
    Some(passage)
}
