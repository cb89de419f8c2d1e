//! Which lines of a PDF are headings: larger than the text around them, or bold and numbered.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pdf_oxide::layout::TextSpan;

/// Longer lines are text, however large.
const LETTERS: usize = 100;
/// On more pages than this the same line is the head or the foot of the page.
const PAGES: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Headings {
    /// Size in half points to how many letters have it.
    letters: BTreeMap<u32, usize>,
    lines: Vec<(u32, Line)>,
    levels: HashMap<(u32, String), Found>,
}

#[derive(Debug)]
struct Line {
    key: String,
    size: u32,
    bold: bool,
    /// Right under a line of the same size.
    under: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) level: u8,
    /// It goes on with the heading over it.
    pub(super) under: bool,
}

/// A line without its spaces: how wide they are is guessed twice, and not always alike.
pub(super) fn key(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace()).collect()
}

impl Headings {
    pub(super) fn find(&self, page: u32, key: &str) -> Option<Found> {
        if self.levels.is_empty() || key.is_empty() {
            return None;
        }
        self.levels.get(&(page, key.to_owned())).copied()
    }

    pub(super) fn see(&mut self, page: u32, spans: &[TextSpan]) {
        let mut open: Option<(Line, f32)> = None;
        let mut over: Option<(u32, f32)> = None;
        for span in spans {
            let letters = key(&span.text);
            if letters.is_empty() || !span.font_size.is_finite() {
                continue;
            }
            let size = (span.font_size.clamp(0.0, 1_000.0) * 2.0).round() as u32;
            *self.letters.entry(size).or_default() += letters.chars().count();
            let bold = span.font_weight.is_bold();
            match &mut open {
                Some((line, y)) if (span.bbox.y - *y).abs() < span.font_size * 0.5 => {
                    line.key.push_str(&letters);
                    // The least of its parts: one large letter does not make a line large.
                    line.size = line.size.min(size);
                    line.bold &= bold;
                }
                _ => {
                    over = open.as_ref().map(|(line, y)| (line.size, *y)).or(over);
                    let near = |(other, y): (u32, f32)| other == size && (0.0..span.font_size * 1.7).contains(&(y - span.bbox.y));
                    let line = Line { key: letters, size, bold, under: over.is_some_and(near) };
                    self.close(page, open.replace((line, span.bbox.y)));
                }
            }
        }
        self.close(page, open);
    }

    fn close(&mut self, page: u32, line: Option<(Line, f32)>) {
        let words = |line: &Line| line.key.chars().filter(|c| c.is_alphabetic()).nth(1).is_some();
        if let Some((line, _)) = line.filter(|(line, _)| line.key.len() <= LETTERS * 4 && words(line)) {
            self.lines.push((page, line));
        }
    }

    /// After the last page: what is larger can be said once it is known what most of the text looks like.
    pub(super) fn decide(&mut self) {
        let Some(body) = self.letters.iter().max_by_key(|(_, count)| **count).map(|(size, _)| *size) else { return };
        let mut pages: HashMap<&str, BTreeSet<u32>> = HashMap::new();
        let mut on_page: HashMap<u32, (usize, usize)> = HashMap::new();
        for (page, line) in &self.lines {
            pages.entry(&line.key).or_default().insert(*page);
            let (all, out) = on_page.entry(*page).or_default();
            *all += 1;
            *out += usize::from(line.stands_out(body));
        }
        // Where half of a page stands out, nothing does: a poster, a table of large numbers.
        let quiet = |page: &u32| on_page.get(page).is_some_and(|(all, out)| *out <= 3 || out * 2 <= *all);
        let found: Vec<&(u32, Line)> = self
            .lines
            .iter()
            .filter(|(page, line)| line.stands_out(body) && quiet(page) && pages[line.key.as_str()].len() <= PAGES)
            .collect();
        let sizes: BTreeSet<u32> = found.iter().map(|(_, line)| line.size.max(body)).collect();
        let level =
            |size: u32| u8::try_from(sizes.iter().rev().take_while(|other| **other > size).count() + 1).unwrap_or(6).min(6);
        let one = |line: &Line| Found { level: level(line.size.max(body)), under: line.under && !numbered(&line.key) };
        self.levels = found.iter().map(|(page, line)| ((*page, line.key.clone()), one(line))).collect();
    }
}

impl Line {
    fn stands_out(&self, body: u32) -> bool {
        let count = self.key.chars().count();
        let larger = self.size * 20 >= body * 23 || (self.bold && self.size * 20 >= body * 21);
        let numbered = self.bold && self.size >= body && numbered(&self.key);
        // Dots lead to a page in a table of contents.
        let leads = self.key.contains("....");
        count <= LETTERS && (larger || numbered) && !leads && !self.key.ends_with([',', ';'])
    }
}

/// `3.1Scope`, `A.2Scope`: a number, then a word.
fn numbered(key: &str) -> bool {
    let number = key.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let lettered = key.strip_prefix(|c: char| c.is_ascii_uppercase()).and_then(|rest| rest.strip_prefix('.'));
    let rest = match lettered {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'),
        None => number,
    };
    rest.len() < key.len() && rest.starts_with(char::is_alphabetic)
}
