//! Citations: read from an answer, checked against the sources that were given, and where none that the
//! model wrote carries its sentence, found by the words a sentence shares with a source. Pure functions.

use std::collections::HashSet;
use std::ops::Range;

use mainspring_llm::Passage;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// How much of a sentence's content words one source must hold for the sentence to count as carried by it.
const SUPPORT_MIN: f32 = 0.6;

/// How an answer's sentence and a source came together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The model wrote the number.
    Cited,
    /// The model wrote none, or one that does not carry the sentence; the source that does was found by its words.
    Attributed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// The source's number in the prompt, from 1.
    pub source: usize,
    /// Where in the answer, in characters.
    pub start: usize,
    pub end: usize,
    pub origin: Origin,
    /// The share of the sentence's content words that the source holds.
    pub support: f32,
}

/// A part of the answer that no source carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unsupported {
    pub start: usize,
    pub end: usize,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Checked {
    pub citations: Vec<Citation>,
    pub unsupported: Vec<Unsupported>,
    /// Numbers the model wrote that no source has.
    pub invented: Vec<usize>,
}

/// Checks an answer against the passages that were given as sources 1, 2, 3…
#[must_use]
pub fn check(answer: &str, sources: &[Passage]) -> Checked {
    let source_words: Vec<HashSet<String>> = sources.iter().map(words_of_source).collect();
    let mut checked = Checked::default();
    for range in sentences(answer) {
        check_sentence(answer, range, &source_words, &mut checked);
    }
    checked
}

fn words_of_source(passage: &Passage) -> HashSet<String> {
    let mut words: HashSet<String> = content_words(&passage.shown()).collect();
    words.extend(content_words(&passage.title));
    words.extend(passage.heading_path.iter().flat_map(|heading| content_words(heading).collect::<Vec<_>>()));
    words
}

fn check_sentence(answer: &str, range: Range<usize>, sources: &[HashSet<String>], checked: &mut Checked) {
    let sentence = &answer[range.clone()];
    let markers = markers(sentence);
    let words: Vec<String> = content_words(&without_markers(sentence, &markers)).collect();
    let mut cited: HashSet<&String> = HashSet::new();
    for marker in &markers {
        for number in &marker.numbers {
            let Some(source) = number.checked_sub(1).and_then(|index| sources.get(index)) else {
                checked.invented.push(*number);
                continue;
            };
            cited.extend(source);
            checked.citations.push(Citation {
                source: *number,
                start: chars_before(answer, range.start + marker.range.start),
                end: chars_before(answer, range.start + marker.range.end),
                origin: Origin::Cited,
                support: share(&words, |word| source.contains(word)),
            });
        }
    }
    // "Yes." and "It is so." claim nothing that a source could carry.
    if words.is_empty() || carries(&words, |word| cited.contains(word)) {
        return;
    }
    let (start, end) = (chars_before(answer, range.start), chars_before(answer, range.end));
    let carrying = sources.iter().enumerate().filter(|(_, source)| carries(&words, |word| source.contains(word)));
    let support = carrying.map(|(index, source)| (index, share(&words, |word| source.contains(word))));
    match support.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))) {
        Some((index, support)) => {
            checked.citations.push(Citation { source: index + 1, start, end, origin: Origin::Attributed, support });
        }
        None => checked.unsupported.push(Unsupported { start, end, text: sentence.trim().to_owned() }),
    }
}

/// Whether what holds these words carries the sentence: most of its words, and each that has a digit in it.
/// A wrong port or date is one word among many, and the one that matters.
fn carries(words: &[String], holds: impl Fn(&String) -> bool) -> bool {
    let numbers_held = words.iter().filter(|word| word.chars().any(char::is_numeric)).all(&holds);
    numbers_held && share(words, holds) >= SUPPORT_MIN
}

fn share(words: &[String], holds: impl Fn(&String) -> bool) -> f32 {
    if words.is_empty() {
        return 0.0;
    }
    let held = words.iter().filter(|word| holds(word)).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of words in a sentence")]
    let share = held as f32 / words.len() as f32;
    share
}

struct Marker {
    range: Range<usize>,
    numbers: Vec<usize>,
}

/// `[1]`, `[1, 2]`, `[1][2]` and `[2-4]`; nothing else in brackets.
fn markers(text: &str) -> Vec<Marker> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find('[').map(|at| from + at) {
        let Some(close) = text[open..].find(']').map(|at| open + at) else { break };
        if let Some(numbers) = numbers(&text[open + 1..close]) {
            found.push(Marker { range: open..close + 1, numbers });
            from = close + 1;
        } else {
            from = open + 1;
        }
    }
    found
}

fn numbers(inside: &str) -> Option<Vec<usize>> {
    if inside.len() > 40 {
        return None;
    }
    let mut all = Vec::new();
    for part in inside.split([',', ';']) {
        let part = part.trim();
        if let Some((first, last)) = part.split_once(['-', '–']) {
            let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first > last || last - first > 20 {
                return None;
            }
            all.extend(first..=last);
        } else {
            all.push(part.parse().ok()?);
        }
    }
    (!all.is_empty()).then_some(all)
}

fn without_markers(sentence: &str, markers: &[Marker]) -> String {
    let mut text = String::with_capacity(sentence.len());
    let mut from = 0;
    for marker in markers {
        text.push_str(&sentence[from..marker.range.start]);
        from = marker.range.end;
    }
    text.push_str(&sentence[from..]);
    text
}

/// Sentences as byte ranges. A marker right after the full stop belongs to the sentence before it.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (start, sentence) in text.split_sentence_bound_indices() {
        for line in line_ranges(sentence) {
            let range = without_list_mark(text, start + line.start..start + line.end);
            let body = text[range.clone()].trim();
            if body.is_empty() {
                continue;
            }
            let leading = markers(body);
            let only_markers = without_markers(body, &leading).trim().trim_end_matches(['.', ',']).is_empty();
            match ranges.last_mut() {
                Some(last) if only_markers && !leading.is_empty() => last.end = range.end,
                _ => ranges.push(range),
            }
        }
    }
    ranges
}

/// The number of a list's item counts the items and is nothing that a source could carry.
fn without_list_mark(text: &str, range: Range<usize>) -> Range<usize> {
    let starts_line = text[..range.start].trim_end_matches([' ', '\t']).chars().next_back().is_none_or(|c| c == '\n');
    let line = text[range.start..].lines().next().unwrap_or_default();
    let digits = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    let mark = line.trim_start().len() - digits.len();
    let rest = digits.strip_prefix(['.', ')']).filter(|rest| rest.starts_with([' ', '\t']) && !rest.trim().is_empty());
    match rest {
        Some(rest) if starts_line && (1..=2).contains(&mark) => (range.start + line.len() - rest.len()).min(range.end)..range.end,
        _ => range,
    }
}

fn line_ranges(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let range = start..start + line.len();
        start = range.end;
        range
    })
}

/// Words that carry meaning, folded: lower case, a plain plural `s` and commas in numbers dropped, function words left out.
pub(crate) fn content_words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.unicode_words().map(fold).filter(|word| !STOP_WORDS.contains(&word.as_str()))
}

fn fold(word: &str) -> String {
    let lower = word.to_lowercase().replace(',', "");
    let stem = lower.strip_suffix("'s").unwrap_or(&lower);
    match stem.strip_suffix('s') {
        Some(short) if short.len() > 3 && !short.ends_with('s') => short.to_owned(),
        _ => stem.to_owned(),
    }
}

const STOP_WORDS: &[&str] = &[
    "a", "about", "also", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do", "does", "each",
    "for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "may", "more", "no", "not", "of",
    "on", "one", "or", "our", "should", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there", "these",
    "they", "thi", "this", "those", "to", "use", "used", "using", "wa", "was", "we", "were", "what", "when", "where", "which",
    "who", "will", "with", "would", "yes", "you", "your",
];

fn chars_before(text: &str, byte: usize) -> usize {
    text[..byte].chars().count()
}
