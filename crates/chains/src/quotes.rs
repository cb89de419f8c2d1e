//! What of a passage can be quoted, and which of it answers best. Pure: whoever compares gives the scores.
//!
//! A small model asked to write gets facts wrong that stand in front of it; a sentence given again word for word cannot be
//! wrong about what its document says.

use std::{collections::HashSet, ops::Range};

use mainspring_llm::Passage;
use unicode_segmentation::UnicodeSegmentation;

use crate::citations::{Citation, Origin};

/// A block that a sentence leads into is quoted with it up to this length.
const BLOCK_BYTES: usize = 700;
/// Fewer words say nothing by themselves.
const WORDS_MIN: usize = 3;
/// What is that much further from the question than the nearest says something else.
const MARGIN: f32 = 0.12;
/// Sentences that begin so speak of the one before.
const POINTS_BACK: &[&str] = &["it", "its", "they", "their", "this", "that", "these", "those", "he", "she", "both", "there"];

/// What can be quoted: a sentence, an item, a row, a block of code, or a sentence with the block that it leads into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The place of its passage, from 0.
    pub(crate) passage: usize,
    /// Bytes of the passage's text.
    pub(crate) range: Range<usize>,
    /// The sentence alone, where a block follows it.
    pub(crate) lead: Option<Range<usize>>,
    /// It makes sense only after the sentence before, which is quoted with it.
    before: Option<usize>,
}

impl Part {
    /// The texts to compare with the question; the nearest of them says how near the part is.
    pub(crate) fn texts<'a>(&self, passages: &'a [Passage]) -> impl Iterator<Item = &'a str> + use<'a> {
        let text = &passages[self.passage].text;
        let ranges = [Some(self.range.clone()), self.lead.clone()];
        ranges.into_iter().flatten().map(move |range| &text[range])
    }
}

/// Everything that can be quoted of these passages, in their order.
pub(crate) fn parts(passages: &[Passage]) -> Vec<Part> {
    passages.iter().enumerate().flat_map(|(index, passage)| parts_of(index, &passage.text)).collect()
}

/// An answer made of quotes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Quoted {
    pub(crate) text: String,
    pub(crate) citations: Vec<Citation>,
    /// The bytes at which its quotes end.
    pub(crate) ends: Vec<usize>,
}

impl Quoted {
    /// The pieces that a stream gives, a quote each.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }

    /// Ends it before `end`, a place between two characters.
    pub(crate) fn cut(&mut self, end: usize) {
        self.text.truncate(end);
        self.ends.retain(|at| *at < end);
        self.ends.push(self.text.len());
        let chars = self.text.chars().count();
        self.citations.retain(|citation| citation.end <= chars);
    }
}

/// The nearest parts, at most `limit` of them, each with the number of its source behind it. `scores` has one for each part;
/// `at_least` is what the nearest must have: `None` where it has less, or nothing can be quoted.
pub(crate) fn quote(passages: &[Passage], parts: &[Part], scores: &[f32], limit: usize, at_least: Option<f64>) -> Option<Quoted> {
    let mut order: Vec<usize> = (0..parts.len().min(scores.len())).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let nearest = scores[*order.first()?];
    if at_least.is_some_and(|least| f64::from(nearest) < least) {
        return None;
    }
    let mut said: HashSet<String> = HashSet::new();
    let mut taken: Vec<(usize, Range<usize>)> = Vec::new();
    let mut count = 0;
    for index in order.into_iter().take_while(|index| scores[*index] >= nearest - MARGIN) {
        let part = &parts[index];
        let text = &passages[part.passage].text;
        let has = |(passage, range): &(usize, Range<usize>)| {
            *passage == part.passage && range.start <= part.range.start && part.range.end <= range.end
        };
        if !said.insert(plain(&text[part.range.clone()])) || taken.iter().any(has) {
            continue;
        }
        // Neighbours are one quote, and still several sentences.
        if count == limit {
            break;
        }
        count += 1;
        take(&mut taken, text, part);
    }
    Some(joined(passages, &taken))
}

/// Adds a part. Parts that touch are one quote, at the place of the nearer.
fn take(taken: &mut Vec<(usize, Range<usize>)>, text: &str, part: &Part) {
    let mut range = part.before.unwrap_or(part.range.start)..part.range.end;
    let own = range.clone();
    let touches = |other: &Range<usize>| {
        let gap = other.end.min(own.end)..other.start.max(own.start);
        gap.start >= gap.end || text[gap].trim().is_empty()
    };
    let Some(first) = taken.iter().position(|(passage, other)| *passage == part.passage && touches(other)) else {
        taken.push((part.passage, range));
        return;
    };
    // It may close the gap between two.
    taken.retain(|(passage, other)| {
        let one = *passage == part.passage && touches(other);
        if one {
            range = range.start.min(other.start)..range.end.max(other.end);
        }
        !one
    });
    taken.insert(first, (part.passage, range));
}

fn joined(passages: &[Passage], taken: &[(usize, Range<usize>)]) -> Quoted {
    let mut quoted = Quoted::default();
    for (passage, range) in taken {
        if !quoted.text.is_empty() {
            quoted.text.push_str("\n\n");
        }
        if let Some(head) = head_over(&passages[*passage], range.start) {
            quoted.text.push_str(&format!("{}\n{}\n", head.trim(), rule_under(head)));
        }
        let quote = passages[*passage].text[range.clone()].trim();
        quoted.text.push_str(quote);
        // A mark inside of a block would be taken for a part of it.
        let block = quote.lines().last().is_some_and(|line| is_fence(line) || is_row(line));
        quoted.text.push(if block { '\n' } else { ' ' });
        let start = quoted.text.chars().count();
        quoted.text.push_str(&format!("[{}]", passage + 1));
        let end = quoted.text.chars().count();
        quoted.citations.push(Citation { source: passage + 1, start, end, origin: Origin::Cited, support: 1.0 });
        quoted.ends.push(quoted.text.len());
    }
    quoted
}

/// What the columns of the row are called that a quote begins with, where it is not in the quote: a row of numbers says
/// nothing without it.
fn head_over(passage: &Passage, start: usize) -> Option<&str> {
    let text = passage.text.as_str();
    let mut quoted = text[start..].lines();
    let (first, second) = (quoted.next()?, quoted.next());
    let is_head = second.is_some_and(|line| is_rule(line) && line.contains('-'));
    if !is_row(first) || is_head {
        return None;
    }
    let mut above = text[..start].lines().rev();
    while let Some(line) = above.next() {
        if is_rule(line) && line.contains('-') {
            return above.next().filter(|line| is_row(line)).or(passage.table_head.as_deref());
        }
        if !is_row(line) {
            break;
        }
    }
    // A passage that goes on with a table holds nothing else.
    passage.table_head.as_deref()
}

/// The line under a table's head that makes a table of it.
fn rule_under(head: &str) -> String {
    let cells = head.trim().replace("\\|", "");
    let cells = cells.strip_prefix('|').unwrap_or(&cells);
    let cells = cells.strip_suffix('|').unwrap_or(cells);
    format!("|{}", "---|".repeat(cells.matches('|').count() + 1))
}

/// Without what differs between two copies of a sentence.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prose,
    Item,
    Row,
    Code,
    /// A heading, or the line under a table's head: nothing to quote, and what is before it leads into nothing behind it.
    Break,
}

/// Lines that belong together.
#[derive(Debug, Clone)]
struct Block {
    kind: Kind,
    range: Range<usize>,
}

fn parts_of(passage: usize, text: &str) -> Vec<Part> {
    let blocks = blocks(text);
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(block) = blocks.get(at) {
        at += 1;
        match block.kind {
            Kind::Break => {}
            Kind::Item | Kind::Row | Kind::Code => {
                parts.push(Part { passage, range: block.range.clone(), lead: None, before: None });
            }
            Kind::Prose => {
                let sentences = sentences(text, block.range.clone());
                let last = sentences.len().saturating_sub(1);
                for (index, sentence) in sentences.iter().enumerate() {
                    let follows = if index == last { led_into(&blocks[at..], sentence.start) } else { None };
                    let before = (index > 0 && points_back(&text[sentence.clone()])).then(|| sentences[index - 1].start);
                    let (range, lead) = match follows {
                        Some(end) => (sentence.start..end, Some(sentence.clone())),
                        None => (sentence.clone(), None),
                    };
                    parts.push(Part { passage, range, lead, before });
                }
            }
        }
    }
    parts.retain(|part| text[part.range.clone()].unicode_words().take(WORDS_MIN).count() == WORDS_MIN);
    parts
}

/// Where the block ends that the sentence leads into: as many of its rows or items as fit.
fn led_into(following: &[Block], from: usize) -> Option<usize> {
    let first = following.first().filter(|block| matches!(block.kind, Kind::Item | Kind::Row | Kind::Code))?;
    let same =
        following.iter().take_while(|block| block.kind == first.kind || (first.kind == Kind::Row && block.kind == Kind::Break));
    let count = if first.kind == Kind::Code { 1 } else { usize::MAX };
    same.take(count).map(|block| block.range.end).take_while(|end| end - from <= BLOCK_BYTES).last()
}

fn points_back(sentence: &str) -> bool {
    sentence.unicode_words().next().is_some_and(|word| POINTS_BACK.contains(&word.to_lowercase().as_str()))
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

fn is_row(line: &str) -> bool {
    line.trim_start().starts_with('|')
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = digits.len() < line.len() && (digits.starts_with(". ") || digits.starts_with(") "));
    numbered || ["- ", "* ", "+ ", "• "].iter().any(|mark| line.starts_with(mark))
}

fn is_heading(line: &str) -> bool {
    let marks = line.len() - line.trim_start_matches('#').len();
    (1..=6).contains(&marks) && line[marks..].starts_with([' ', '\t'])
}

/// `|---|:--|`: what stands under a table's head.
fn is_rule(line: &str) -> bool {
    is_row(line) && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t' | '\r' | '\n'))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut start, mut fenced, mut joins) = (0, false, false);
    for line in text.split_inclusive('\n') {
        let range = start..start + line.trim_end().len();
        start += line.len();
        let kind = match line {
            _ if fenced => {
                fenced = !is_fence(line);
                extend(&mut blocks, range.end);
                continue;
            }
            line if is_fence(line) => {
                fenced = true;
                Kind::Code
            }
            line if line.trim().is_empty() => {
                joins = false;
                continue;
            }
            line if is_heading(line) || is_rule(line) => Kind::Break,
            line if is_row(line) => Kind::Row,
            line if is_item(line) => Kind::Item,
            _ => Kind::Prose,
        };
        // A line of prose goes on with the paragraph or the item before it.
        if kind == Kind::Prose && joins {
            extend(&mut blocks, range.end);
        } else {
            blocks.push(Block { kind, range });
        }
        joins = matches!(kind, Kind::Prose | Kind::Item);
    }
    blocks
}

fn extend(blocks: &mut [Block], end: usize) {
    if let Some(last) = blocks.last_mut() {
        last.range.end = last.range.end.max(end);
    }
}

/// The sentences of a paragraph. Its lines are one: files wrap where their page ends, not where a thought does.
fn sentences(text: &str, paragraph: Range<usize>) -> Vec<Range<usize>> {
    let flat: String = text[paragraph.clone()].chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
    let mut ranges = Vec::new();
    for (at, sentence) in flat.split_sentence_bound_indices() {
        let body = sentence.trim();
        if !body.is_empty() {
            let start = paragraph.start + at + (sentence.len() - sentence.trim_start().len());
            ranges.push(start..start + body.len());
        }
    }
    ranges
}
