//! Joining small units and cutting long ones, so that each chunk fits.

use std::{ops::Range, sync::Arc};

use mainspring_llm::TextTokenizer;
use mainspring_parsers::ParsedDocument;

use super::{
    Chunk, ChunkSpec, Places,
    pieces::{Unit, body_of, borders, floor, sections, trim, word_from, word_to},
};

/// A header takes at most this share of a chunk.
const HEADER_SHARE: usize = 4;
/// A "word" of a thousand characters is one unknown token to some tokenisers; bytes are bounded too.
const BYTES_PER_TOKEN: usize = 24;

pub(super) struct Packing<'a> {
    pub(super) spec: &'a ChunkSpec,
    pub(super) tokenizer: &'a dyn TextTokenizer,
    pub(super) places: &'a Places,
}

/// The header of a section, and the tokens it leaves for text.
#[derive(Debug, Clone)]
struct Header {
    path: Arc<Vec<String>>,
    text: String,
    /// The first row of the table that is gone on with.
    table_head: Option<String>,
    tokens: usize,
    room: usize,
}

pub(super) fn pack(document: &ParsedDocument, units: Vec<Unit>, packing: &Packing<'_>) -> Vec<Chunk> {
    let text = document.text.as_str();
    let mut out = Output { chunks: Vec::new(), text, places: packing.places };
    for units in sections(&units) {
        let Some(last) = units.last() else { continue };
        let header = packing.header(&document.title, &last.path);
        let parent = packing.parent(units);
        packing.section(units, &header, parent.as_ref(), &mut out);
    }
    out.chunks
}

struct Output<'a> {
    chunks: Vec<Chunk>,
    text: &'a str,
    places: &'a Places,
}

impl Output<'_> {
    fn push(&mut self, range: Range<usize>, unit: &Unit, header: &Header, parent: Option<&Range<usize>>) {
        let Some(range) = trim(self.text, range) else { return };
        let text_tokens = self.places.count(&range);
        self.chunks.push(Chunk {
            ordinal: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
            tokens: u32::try_from(header.tokens + text_tokens).unwrap_or(u32::MAX),
            heading_path: header.path.as_ref().clone(),
            page: unit.page,
            parent: parent.filter(|parent| **parent != range).cloned(),
            header: header.text.clone(),
            table_head: header.table_head.clone(),
            kind: unit.kind,
            start: range.start,
            end: range.end,
        });
    }
}

/// Whether two lines say the same, letter case and white space aside.
fn same_words(one: &str, other: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    words(one) == words(other)
}

impl Packing<'_> {
    fn header(&self, title: &str, path: &Arc<Vec<String>>) -> Header {
        let max = self.spec.max_tokens as usize;
        let mut parts: Vec<&str> = Vec::new();
        if self.spec.header {
            parts.push(title.trim());
            // The first heading of a page is often its title again.
            parts.extend(path.iter().map(|heading| heading.trim()).skip_while(|heading| same_words(heading, title)));
            parts.retain(|part| !part.is_empty());
        }
        let text = self.fitted(&parts, max / HEADER_SHARE);
        let tokens = self.tokenizer.count(&text);
        Header { path: Arc::clone(path), text, table_head: None, tokens, room: max.saturating_sub(tokens).max(1) }
    }

    /// The parts joined, outer headings left out from the middle until they fit, the last one cut if it must be.
    fn fitted(&self, parts: &[&str], limit: usize) -> String {
        let mut parts = parts.to_vec();
        loop {
            let joined = parts.join(" > ");
            let tokens = self.tokenizer.tokenize(&joined);
            let fits = tokens.ranges.len() <= limit && joined.len() <= limit * BYTES_PER_TOKEN;
            if fits {
                return joined;
            }
            if parts.len() > 2 {
                parts.remove(1);
            } else if parts.len() == 2 {
                parts.remove(0);
            } else {
                let end = tokens.ranges.get(limit.saturating_sub(1)).map_or(joined.len(), |range| range.end);
                return joined[..floor(&joined, end.min(limit * BYTES_PER_TOKEN).min(joined.len()))].to_owned();
            }
        }
    }

    /// The section around its chunks, if it is small enough to be shown whole.
    fn parent(&self, units: &[Unit]) -> Option<Range<usize>> {
        let range = units.first()?.range.start..units.last()?.range.end;
        let limit = self.spec.parent_tokens as usize;
        (limit > 0 && self.places.count(&range) <= limit && range.len() <= limit * BYTES_PER_TOKEN).then_some(range)
    }

    fn fits(&self, range: &Range<usize>, room: usize) -> bool {
        self.places.count(range) <= room && range.len() <= room * BYTES_PER_TOKEN
    }

    /// Packs the units of one section: neighbours together while they fit and stand on one page.
    fn section(&self, units: &[Unit], header: &Header, parent: Option<&Range<usize>>, out: &mut Output<'_>) {
        let mut open: Option<(Range<usize>, &Unit)> = None;
        for unit in units {
            if let Some((range, first)) = open.take() {
                let joined = range.start..unit.range.end;
                let same_page = first.page == unit.page || first.heading;
                if same_page && self.fits(&joined, header.room) {
                    let first = if first.heading { unit } else { first };
                    open = Some((joined, first));
                    continue;
                }
                // A heading alone says nothing: it goes with the first piece of what it stands over.
                if first.heading && same_page {
                    let carried = Unit { range: joined, ..unit.clone() };
                    self.cut(&carried, header, parent, out);
                    continue;
                }
                out.push(range, first, header, parent);
            }
            if self.fits(&unit.range, header.room) {
                open = Some((unit.range.clone(), unit));
            } else {
                self.cut(unit, header, parent, out);
            }
        }
        if let Some((range, unit)) = open {
            out.push(range, unit, header, parent);
        }
    }

    /// Cuts a unit that is too long: after sentences or lines, and inside one only when it alone does not fit.
    fn cut(&self, unit: &Unit, header: &Header, parent: Option<&Range<usize>>, out: &mut Output<'_>) {
        let text = out.text;
        let borders = borders(text, unit);
        let table_header = self.table_header(unit, header, text);
        // A piece with some of the head in it is not headed by it.
        let body = unit.table_head.as_ref().map_or(unit.range.start, |head| head.end);
        let header_at = |start: usize| table_header.as_ref().filter(|_| start >= body).unwrap_or(header);
        let rows = body_of(unit, text);
        let overlap = |piece: Range<usize>| self.overlap(&piece, (borders.as_slice(), rows), header_at(piece.end).room, text);
        let mut start = unit.range.start;
        let mut end = start;
        for border in borders.iter().copied() {
            if self.fits(&(start..border), header_at(start).room) {
                end = border;
                continue;
            }
            if end > start {
                out.push(start..end, unit, header_at(start), parent);
                start = overlap(start..end);
                if !self.fits(&(start..border), header_at(start).room) {
                    start = end;
                }
            }
            while !self.fits(&(start..border), header_at(start).room) {
                let stop = self.furthest(start, border, header_at(start).room, text);
                out.push(start..stop, unit, header_at(start), parent);
                start = overlap(start..stop);
                // What is repeated may take all the room.
                if start < stop && self.furthest(start, border, header_at(start).room, text) <= stop {
                    start = stop;
                }
            }
            end = border;
        }
        if end > start {
            out.push(start..end, unit, header_at(start), parent);
        }
    }

    /// The header of a table's later pieces: the section's, and the table's own first line. A line that would take the
    /// place of the rows is not embedded with them, and still shown over them; one that is longer than a chunk is no head.
    fn table_header(&self, unit: &Unit, header: &Header, text: &str) -> Option<Header> {
        let head = text[unit.table_head.clone()?].trim();
        let max = self.spec.max_tokens as usize;
        if head.len() > max * BYTES_PER_TOKEN {
            return None;
        }
        let combined = if header.text.is_empty() { head.to_owned() } else { format!("{}\n{head}", header.text) };
        let tokens = self.tokenizer.count(&combined);
        let table_head = Some(head.to_owned());
        if tokens <= max / 2 {
            return Some(Header { text: combined, table_head, tokens, room: max - tokens, path: Arc::clone(&header.path) });
        }
        let shown = self.tokenizer.count(head);
        (shown <= max).then(|| Header { table_head, tokens: header.tokens + shown, ..header.clone() })
    }

    /// Where the next piece begins so that it repeats the end of the last: at a sentence, a line or a row. One that is longer
    /// than what is to be repeated is repeated up to twice that length, and beyond it is not. A piece that ends inside of one
    /// has only words to begin at.
    fn overlap(&self, piece: &Range<usize>, (borders, rows): (&[usize], usize), room: usize, text: &str) -> usize {
        let end = piece.end;
        let wanted = (self.spec.overlap_tokens as usize).min(room / 2);
        let back = |tokens: usize| self.places.start(self.places.index(end).saturating_sub(tokens)).unwrap_or(end);
        let at = floor(text, back(wanted).min(end));
        // A piece never begins where the one before it began: that would not end. And a table's head is repeated anyway.
        if at <= piece.start || end <= rows {
            return end;
        }
        let least = rows.max(piece.start + 1);
        let inside = &borders[borders.partition_point(|border| *border < least)..borders.partition_point(|border| *border < end)];
        let near = inside.partition_point(|border| *border < at);
        let reach = back((wanted * 2).min(room / 2));
        let before = near.checked_sub(1).map(|last| inside[last]).filter(|border| *border >= reach);
        match inside.get(near).copied().or(before) {
            Some(border) => border,
            None if borders.binary_search(&end).is_ok() => end,
            None => word_from(text, at.max(rows)..end),
        }
    }

    /// The furthest place up to which text still fits, at least one character on.
    fn furthest(&self, start: usize, border: usize, room: usize, text: &str) -> usize {
        let by_tokens = self.places.after(start, room).unwrap_or(border);
        let stop = floor(text, by_tokens.min(start + room * BYTES_PER_TOKEN).min(border));
        if stop > start {
            return if stop < border { word_to(text, start..stop, border) } else { stop };
        }
        start + text[start..].chars().next().map_or(1, char::len_utf8)
    }
}
