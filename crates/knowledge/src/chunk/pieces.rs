//! From a document to units that packing joins and, where they are too long, cuts.

use std::{ops::Range, sync::Arc};

use mainspring_parsers::{Block, BlockKind, ParsedDocument};
use unicode_segmentation::UnicodeSegmentation as _;

/// A block on its way into a chunk.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) range: Range<usize>,
    /// Counts the headings before it: units of one section are packed together.
    pub(super) section: usize,
    pub(super) path: Arc<Vec<String>>,
    pub(super) page: Option<u32>,
    pub(super) kind: &'static str,
    /// Cut on lines (code, tables) rather than on sentences.
    pub(super) lines: bool,
    pub(super) heading: bool,
    /// A table's first line, repeated in the header of later pieces.
    pub(super) table_head: Option<Range<usize>>,
}

pub(super) fn by_structure(document: &ParsedDocument) -> Vec<Unit> {
    let text = &document.text;
    let mut units: Vec<Unit> = Vec::with_capacity(document.blocks.len() + 1);
    let mut section = 0;
    let mut path: Arc<Vec<String>> = Arc::default();
    let mut covered = 0;
    for block in &document.blocks {
        let range = clamp(text, block.range(), covered);
        // Parsers promise to cover everything; what one leaves out is still not lost.
        fill(text, covered..range.start, (section, &path), &mut units);
        covered = range.end;
        let Some(range) = trim(text, range) else { continue };
        let heading = matches!(block.kind, BlockKind::Heading { .. });
        if heading || *path != block.heading_path {
            section += 1;
            path = Arc::new(own_path(text, block, &range, heading));
        }
        units.push(unit(text, block, range, (section, &path)));
    }
    fill(text, covered..text.len(), (section, &path), &mut units);
    units
}

/// The path of what stands below a heading: its words are what the parser says, since its Markdown may hold more.
fn own_path(text: &str, block: &Block, range: &Range<usize>, heading: bool) -> Vec<String> {
    let mut path = block.heading_path.clone();
    if heading {
        let written = || text[range.clone()].trim_matches(|c: char| c == '#' || c.is_whitespace()).to_owned();
        path.push(block.heading.clone().unwrap_or_else(written));
    }
    path
}

/// The units section by section. A heading with nothing but further headings below it says nothing alone:
/// it goes with the section that follows, and that one's path names it.
pub(super) fn sections(units: &[Unit]) -> Vec<&[Unit]> {
    let mut sections: Vec<&[Unit]> = Vec::new();
    let mut start = 0;
    for end in 1..=units.len() {
        let last = &units[end - 1];
        let goes_on = units.get(end).is_some_and(|next| {
            let below = next.path.len() > last.path.len() && next.path.starts_with(&last.path);
            next.section == last.section || (last.heading && below)
        });
        if !goes_on {
            sections.push(&units[start..end]);
            start = end;
        }
    }
    sections
}

fn unit(text: &str, block: &Block, range: Range<usize>, (section, path): (usize, &Arc<Vec<String>>)) -> Unit {
    let table = matches!(block.kind, BlockKind::Table);
    let head_end = text[range.clone()].find('\n').map(|at| range.start + at);
    Unit {
        section,
        path: Arc::clone(path),
        page: block.page,
        kind: block.kind.as_str(),
        lines: table || matches!(block.kind, BlockKind::Code { .. } | BlockKind::Record),
        heading: matches!(block.kind, BlockKind::Heading { .. }),
        table_head: head_end.filter(|_| table).map(|end| range.start..end),
        range,
    }
}

/// Text between blocks, as a paragraph.
fn fill(text: &str, gap: Range<usize>, (section, path): (usize, &Arc<Vec<String>>), units: &mut Vec<Unit>) {
    if gap.start >= gap.end {
        return;
    }
    let Some(range) = trim(text, gap) else { return };
    units.push(Unit {
        range,
        section,
        path: Arc::clone(path),
        page: None,
        kind: "paragraph",
        lines: false,
        heading: false,
        table_head: None,
    });
}

/// The document as one unit.
pub(super) fn whole(document: &ParsedDocument) -> Vec<Unit> {
    let mut units = Vec::new();
    fill(&document.text, 0..document.text.len(), (0, &Arc::default()), &mut units);
    units
}

/// A block's range, inside the text, on character borders, after what was covered.
fn clamp(text: &str, range: Range<usize>, covered: usize) -> Range<usize> {
    let start = floor(text, range.start.min(text.len())).max(covered);
    let end = floor(text, range.end.min(text.len())).max(start);
    start..end
}

/// The nearest character border at or before a byte.
pub(super) fn floor(text: &str, mut byte: usize) -> usize {
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// The range without white space around it; `None` when nothing is left.
pub(super) fn trim(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let inner = &text[range.clone()];
    let start = range.start + (inner.len() - inner.trim_start().len());
    let end = range.start + inner.trim_end().len();
    (start < end).then_some(start..end)
}

/// Where a long unit may be cut: after each sentence or each line, ascending, the unit's end last.
pub(super) fn borders(text: &str, unit: &Unit) -> Vec<usize> {
    let range = unit.range.clone();
    let inner = &text[range.clone()];
    let mut borders: Vec<usize> = if unit.lines {
        inner.match_indices('\n').map(|(at, _)| range.start + at + 1).collect()
    } else {
        // Line by line, because a segmenter that sees megabytes without a full stop is slow.
        let mut found = Vec::new();
        let mut at = range.start;
        for line in inner.split_inclusive('\n') {
            found.extend(line.split_sentence_bound_indices().skip(1).map(|(offset, _)| at + offset));
            at += line.len();
            found.push(at);
        }
        found
    };
    if borders.last() != Some(&range.end) {
        borders.push(range.end);
    }
    borders
}

/// Where a table's rows begin: below its head and the line under that. Of anything else, where it begins.
pub(super) fn body_of(unit: &Unit, text: &str) -> usize {
    let Some(head) = &unit.table_head else { return unit.range.start };
    let below = text[head.end..unit.range.end].strip_prefix('\n').unwrap_or_default();
    let first = below.split_inclusive('\n').next().unwrap_or_default();
    let is_rule = first.contains('-') && first.chars().all(|c| matches!(c, '|' | '-' | ':') || c.is_whitespace());
    unit.range.end - below.len() + if is_rule { first.len() } else { 0 }
}

/// A longer word is cut anywhere.
const WORD_BYTES: usize = 64;

/// The first place in a range where a word begins; where the range ends, when none does, or begins, inside of a word that
/// does not end in it.
pub(super) fn word_from(text: &str, range: Range<usize>) -> usize {
    let before = floor(text, range.start.saturating_sub(WORD_BYTES));
    let after = floor(text, (range.end + WORD_BYTES).min(text.len()));
    let bounds = text[before..after].split_word_bound_indices().map(|(at, word)| (before + at, word));
    let mut inside = bounds.skip_while(|(at, _)| *at < range.start).take_while(|(at, _)| *at <= range.end).peekable();
    if inside.peek().is_none() {
        return range.start;
    }
    let word = inside.find(|(at, word)| *at < range.end && word.starts_with(char::is_alphanumeric));
    word.map_or(range.end, |(at, _)| at)
}

/// The last place in a range where a word ends, which may end before `border`; where the range ends, when none does.
pub(super) fn word_to(text: &str, range: Range<usize>, border: usize) -> usize {
    let before = floor(text, range.end.saturating_sub(WORD_BYTES)).max(range.start);
    let after = floor(text, (range.end + WORD_BYTES).min(border));
    let bounds = text[before..after].split_word_bound_indices().map(|(at, _)| before + at);
    bounds.take_while(|at| *at <= range.end).last().filter(|at| *at > before).unwrap_or(range.end)
}
