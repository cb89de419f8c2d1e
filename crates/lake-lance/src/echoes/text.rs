//! A text in pieces: its own, and places in other texts that say the same.
//!
//! In pieces it begins with a mark, behind which come by turns the length of a piece of its own, that piece, and the place and the
//! length of one that stands elsewhere. It ends with a piece of its own. Lengths are counted in bytes; places as if the other texts
//! stood behind each other, from where the piece before ended. Any other text is whole.

use std::ops::Range;

use memchr::memmem;

/// A text that begins so is in pieces. No JSON does.
const MARK: char = '\u{1}';
/// Pieces that are shorter are not looked for: a place takes some bytes too.
const LEAST: usize = 24;
/// Longer texts are kept whole; so nothing that lies there is put together to more than this and its own pieces.
const LONGEST: usize = 64 << 20;
/// How many times its own length is looked through, for all pieces of a text together.
const LOOKS: usize = 8;
/// From this length on, what lies between pieces is looked through again; and so many are missed there, no more.
const AGAIN_FROM: usize = 128;
const MISSES: usize = 1;
/// So many bytes are compared at once.
const AT_ONCE: usize = 32;
/// Six bits of a number are in each byte, which is a character of its own; this bit says that more follow.
const MORE: u8 = 0x40;
const BITS: usize = 6;
/// The bytes of a number, at most. No text is as long as that.
const DIGITS_MAX: usize = 6;

/// What stands in a text and elsewhere.
#[derive(Debug, Clone, Copy)]
struct Shared {
    at: usize,
    elsewhere: usize,
    bytes: usize,
}

/// Puts the text in pieces; false where it is to be kept whole.
pub(crate) fn in_pieces(text: &str, others: &[&str], pieces: &mut String) -> bool {
    let shared = if (LEAST..=LONGEST).contains(&text.len()) { shared(text, others) } else { Vec::new() };
    let begins_so = text.starts_with(MARK);
    if shared.is_empty() && !begins_so {
        return false;
    }
    pieces.clear();
    pieces.push(MARK);
    let (mut told, mut elsewhere) = (0_usize, 0_isize);
    for part in &shared {
        let own = &text[told..part.at];
        push_number(pieces, own.len());
        pieces.push_str(own);
        push_number(pieces, folded(part.elsewhere.cast_signed() - elsewhere));
        push_number(pieces, part.bytes);
        told = part.at + part.bytes;
        elsewhere = (part.elsewhere + part.bytes).cast_signed();
    }
    let own = &text[told..];
    push_number(pieces, own.len());
    pieces.push_str(own);
    begins_so || pieces.len() < text.len()
}

/// Puts a text together as it was before; false where it is whole. One that cannot be put together is left as it lies: whoever
/// reads it, sees that, and whoever only asks for others is not disturbed.
pub(crate) fn together(text: &str, others: &[&str], whole: &mut String) -> bool {
    whole.clear();
    text.strip_prefix(MARK).and_then(|pieces| joined(pieces, others, whole)).is_some()
}

/// Whether it has to be put together.
pub(crate) fn is_in_pieces(text: &str) -> bool {
    text.starts_with(MARK)
}

fn joined(mut pieces: &str, others: &[&str], text: &mut String) -> Option<()> {
    let (mut elsewhere, mut shared) = (0_usize, 0_usize);
    loop {
        let length = take_number(&mut pieces)?;
        let (own, rest) = pieces.split_at_checked(length)?;
        text.push_str(own);
        if rest.is_empty() {
            return Some(());
        }
        pieces = rest;
        let begins = elsewhere.checked_add_signed(unfolded(take_number(&mut pieces)?))?;
        let bytes = take_number(&mut pieces)?;
        let there = standing(others, begins, bytes)?;
        shared += there.len();
        if shared > LONGEST {
            return None;
        }
        text.push_str(there);
        elsewhere = begins + bytes;
    }
}

/// What stands in one of the texts, as if they stood behind each other.
fn standing<'a>(others: &[&'a str], mut at: usize, bytes: usize) -> Option<&'a str> {
    for other in others {
        if at < other.len() {
            return other.get(at..at.checked_add(bytes)?);
        }
        at -= other.len();
    }
    None
}

/// What the others say that stands in the text too, in its order.
fn shared(text: &str, others: &[&str]) -> Vec<Shared> {
    // The others are gone through once, and again as long as that takes no longer than to look through the text so often.
    let once: usize = others.iter().map(|other| other.len() + 1).sum();
    let mut search = Search { text, is_ascii: text.is_ascii(), left: text.len() * LOOKS + once };
    let (mut found, mut open) = (Vec::new(), vec![(0..text.len(), usize::MAX)]);
    while let Some((stretch, misses)) = open.pop() {
        let within = search.within(stretch.clone(), others, misses);
        let Some(last) = within.last() else { continue };
        // Senders say the same in several conventions at once: what lies between is looked through again.
        let begins = std::iter::once(stretch.start).chain(within.iter().map(|part| part.at + part.bytes));
        let between = begins.zip(within.iter().map(|part| part.at)).map(|(begins, ends)| begins..ends);
        let behind = last.at + last.bytes..stretch.end;
        open.extend(between.chain([behind]).filter(|stretch| stretch.len() >= AGAIN_FROM).map(|stretch| (stretch, MISSES)));
        found.extend(within);
    }
    found.sort_unstable_by_key(|part: &Shared| part.at);
    found
}

/// Where the letter at this place ends.
fn beyond(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

/// The first place from this one on where a letter begins.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// How many bytes two texts have in common from their beginning, of whole letters.
fn alike(one: &str, other: &str) -> usize {
    let length = one.len().min(other.len());
    let (first, second) = (&one.as_bytes()[..length], &other.as_bytes()[..length]);
    // Many at once: most of what is compared is alike for hundreds.
    let (many, also) = (first.as_chunks::<AT_ONCE>().0, second.as_chunks::<AT_ONCE>().0);
    let whole = AT_ONCE * many.iter().zip(also).take_while(|(one, other)| one == other).count();
    let mut bytes = whole + first[whole..].iter().zip(&second[whole..]).take_while(|(one, other)| one == other).count();
    while !one.is_char_boundary(bytes) {
        bytes -= 1;
    }
    bytes
}

/// Stretches of a text between the letters that JSON writes in another way most often, with where they begin.
fn runs(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut begins = 0;
    let ends = memchr::memchr3_iter(b'"', b'\\', b'\n', text.as_bytes()).chain([text.len()]);
    ends.map(move |ends| {
        let run = (begins, &text[begins..ends]);
        begins = ends + 1;
        run
    })
}

#[derive(Debug)]
struct Search<'a> {
    text: &'a str,
    is_ascii: bool,
    /// Bytes that may be looked through yet, here and in the others.
    left: usize,
}

impl Search<'_> {
    /// What of the others stands in this stretch of the text, in its order: each piece is looked for behind the one before, and
    /// then in front of it. Nothing where so many are missed before one is found.
    fn within(&mut self, stretch: Range<usize>, others: &[&str], misses: usize) -> Vec<Shared> {
        let (mut found, mut missed): (Vec<Shared>, usize) = (Vec::new(), 0);
        let (mut from, mut before) = (stretch.start, 0);
        'others: for other in others {
            for (begins, run) in runs(other) {
                let Some(left) = self.left.checked_sub(run.len() + 1) else { break 'others };
                self.left = left;
                let mut at = 0;
                while let Some(wanted) = run.as_bytes().get(at..at + LEAST) {
                    let is_odd = |byte: &u8| *byte < b' ' || self.is_ascii && !byte.is_ascii();
                    if let Some(odd) = wanted.iter().rposition(is_odd) {
                        // The text has no such letter, but may have what stands behind it.
                        at = boundary(run, at + odd + 1);
                        continue;
                    }
                    let place = self.find(from..stretch.end, wanted).or_else(|| self.find(stretch.start..from, wanted));
                    let Some(place) = place else {
                        missed += 1;
                        if found.is_empty() && missed > misses {
                            return found;
                        }
                        // Some senders write every letter beyond ASCII in another way; what stands behind it may be found.
                        let Some(odd) = run[at..].find(|letter: char| letter < ' ' || !letter.is_ascii()) else { break };
                        at = beyond(run, at + odd);
                        continue;
                    };
                    let bytes = alike(&self.text[place..stretch.end], &run[at..]);
                    found.push(Shared { at: place, elsewhere: before + begins + at, bytes });
                    (from, at) = (place + bytes, at + bytes);
                    if at < run.len() {
                        // What comes here is written in another way.
                        at = beyond(run, at);
                    }
                }
            }
            before += other.len();
        }
        found.sort_unstable_by_key(|part| part.at);
        let mut ends = stretch.start;
        found.retain(|part| {
            let is_apart = part.at >= ends;
            ends = if is_apart { part.at + part.bytes } else { ends };
            is_apart
        });
        found
    }

    fn find(&mut self, among: Range<usize>, wanted: &[u8]) -> Option<usize> {
        let begins = among.start;
        let among = &self.text.as_bytes()[among];
        if among.len() < wanted.len() || among.len() > self.left {
            return None;
        }
        let found = memmem::find(among, wanted);
        self.left -= found.map_or(among.len(), |at| at + wanted.len());
        found.map(|at| begins + at)
    }
}

fn push_number(text: &mut String, mut number: usize) {
    loop {
        let digit = number.to_le_bytes()[0] & (MORE - 1);
        number >>= BITS;
        text.push(char::from(if number > 0 { digit | MORE } else { digit }));
        if number == 0 {
            return;
        }
    }
}

fn take_number(text: &mut &str) -> Option<usize> {
    let mut number = 0;
    for (at, byte) in text.bytes().enumerate().take(DIGITS_MAX) {
        if !byte.is_ascii() {
            return None;
        }
        number |= usize::from(byte & (MORE - 1)) << (BITS * at);
        if byte & MORE == 0 {
            *text = &text[at + 1..];
            return Some(number);
        }
    }
    None
}

/// Small where the number is near nought, on whichever side.
const fn folded(number: isize) -> usize {
    ((number << 1) ^ (number >> (isize::BITS - 1))).cast_unsigned()
}

const fn unfolded(number: usize) -> isize {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
