//! Marks around the words of a link, on their way through what makes text of a document: where they come out is where
//! the words stand. They are made of characters that no text has, and none of them is left in the text.

use std::{borrow::Cow, collections::BTreeMap};

const OPEN: char = '\u{fdd0}';
const CLOSE: char = '\u{fdd1}';
/// The first of sixteen characters that count.
const ZERO: u32 = 0xfdd2;
const DIGITS: usize = 3;
/// Links that can be told apart.
const MOST: usize = 1 << (4 * DIGITS);

/// The words with marks around them, inside of the white space that they begin and end with.
pub(crate) fn around(words: &str, link: usize) -> String {
    let inner = words.trim();
    if inner.is_empty() || link >= MOST {
        return words.to_owned();
    }
    let (before, rest) = words.split_at(words.len() - words.trim_start().len());
    let after = &rest[inner.len()..];
    let number = number(link);
    format!("{before}{OPEN}{number}{inner}{CLOSE}{number}{after}")
}

fn number(link: usize) -> String {
    let link = u32::try_from(link).unwrap_or_default();
    [8, 4, 0].into_iter().filter_map(|shift| char::from_u32(ZERO + ((link >> shift) & 0xf))).collect()
}

/// The link that a mark is of.
fn link_of(mark: &str) -> Option<usize> {
    let mut signs = mark.chars().skip(1);
    (0..DIGITS).try_fold(0, |link, _| {
        let digit = u32::from(signs.next()?).checked_sub(ZERO).filter(|digit| *digit < 16)?;
        Some(link * 16 + usize::try_from(digit).ok()?)
    })
}

/// A text without its marks, and where in it the words of each link stand: of words that come again, the first.
pub(crate) fn taken(text: &str) -> (Cow<'_, str>, BTreeMap<usize, (usize, usize)>) {
    let mut places = BTreeMap::new();
    if !text.contains([OPEN, CLOSE]) {
        return (Cow::Borrowed(text), places);
    }
    let mut out = String::with_capacity(text.len());
    let mut open: BTreeMap<usize, usize> = BTreeMap::new();
    let mut rest = text;
    while let Some(at) = rest.find([OPEN, CLOSE]) {
        out.push_str(&rest[..at]);
        let mark = &rest[at..];
        let Some(link) = link_of(mark) else {
            // Somebody else's.
            out.push_str(&mark[..OPEN.len_utf8()]);
            rest = &mark[OPEN.len_utf8()..];
            continue;
        };
        if mark.starts_with(OPEN) {
            open.insert(link, out.len());
        } else if let Some(start) = open.remove(&link).filter(|start| *start < out.len()) {
            places.entry(link).or_insert((start, out.len()));
        }
        rest = &mark[OPEN.len_utf8() * (1 + DIGITS)..];
    }
    out.push_str(rest);
    (Cow::Owned(out), places)
}

pub(crate) fn without(text: &str) -> Cow<'_, str> {
    taken(text).0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_come_out_where_they_stand(
            parts in prop::collection::vec(("\\PC{0,8}", "[ \n]{0,2}[a-zé]{0,6}[ \n]{0,2}", 0..MOST), 0..8),
        ) {
            let plain: String = parts.iter().flat_map(|(before, words, _)| [before.as_str(), words.as_str()]).collect();
            let marked: String = parts.iter().map(|(before, words, link)| format!("{before}{}", around(words, *link))).collect();
            let (text, places) = taken(&marked);
            prop_assert_eq!(text.as_ref(), plain.as_str());
            for (link, (start, end)) in places {
                let words = parts.iter().find(|(_, words, other)| *other == link && !words.trim().is_empty());
                prop_assert_eq!(Some(&text[start..end]), words.map(|(_, words, _)| words.trim()));
            }
            let named = parts.iter().filter(|(_, words, _)| !words.trim().is_empty());
            prop_assert_eq!(taken(&marked).1.len(), named.map(|(_, _, link)| link).collect::<std::collections::BTreeSet<_>>().len());
        }

        #[test]
        fn what_only_looks_like_a_mark_is_text(text in "[a\u{fdd0}-\u{fde5}]{0,40}") {
            let (left, places) = taken(&text);
            prop_assert!(left.len() <= text.len());
            prop_assert!(places.values().all(|(start, end)| start < end && left.get(*start..*end).is_some()));
        }
    }

    #[test]
    fn a_mark_of_nothing_stays() {
        assert_eq!(taken("a\u{fdd0}b\u{fdd1}").0, "a\u{fdd0}b\u{fdd1}");
        assert_eq!(around(" \n", 3), " \n");
    }
}
