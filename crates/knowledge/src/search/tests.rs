use mainspring_llm::{HitScores, SearchMode, TextTokenizer as _};
use mainspring_parsers::{Block, BlockKind, ParsedDocument};
use proptest::prelude::*;

use super::{
    Words,
    fuse::{Weights, fuse},
    near::originals,
    pack::{Candidate, Packed, Parsed, fit, merge},
    relevance::{Evidence, coverage, is_relevant},
};
use crate::{spec::Parents, table::ChunkRow, texts::Text};

const WEIGHTS: Weights = Weights { vector: 1.0, text: 1.0, k: 60 };

#[test]
fn a_row_that_both_legs_found_comes_before_rows_that_one_did() {
    let fused = fuse(SearchMode::Hybrid, &[(1, 0.9), (2, 0.8)], &[(3, 7.0), (2, 5.0)], WEIGHTS);
    assert_eq!(fused.iter().map(|hit| hit.row).collect::<Vec<_>>(), [2, 1, 3]);
    let both = &fused[0].scores;
    assert_eq!((both.vector_rank, both.text_rank), (Some(2), Some(2)));
    assert!((both.score - 2.0 / 62.0).abs() < 1e-6);
    assert_eq!(both.fused_score, Some(both.score));
}

#[test]
fn one_leg_alone_keeps_its_own_order_and_score() {
    let fused = fuse(SearchMode::Vector, &[(4, 0.9), (2, 0.8)], &[], WEIGHTS);
    assert_eq!(fused.iter().map(|hit| (hit.row, hit.scores.score)).collect::<Vec<_>>(), [(4, 0.9), (2, 0.8)]);
    assert!(fused.iter().all(|hit| hit.scores.fused_score.is_none()));
}

#[test]
fn a_weight_of_nothing_silences_a_leg() {
    let weights = Weights { vector: 0.0, ..WEIGHTS };
    let fused = fuse(SearchMode::Hybrid, &[(1, 0.9)], &[(2, 1.0), (3, 0.5)], weights);
    assert_eq!(fused.iter().map(|hit| hit.row).collect::<Vec<_>>(), [2, 3, 1]);
}

proptest! {
    #[test]
    fn fusing_loses_no_row_and_orders_by_score(
        vector in prop::collection::hash_set(0..50_u64, 0..20),
        text in prop::collection::hash_set(0..50_u64, 0..20),
    ) {
        let leg = |rows: &std::collections::HashSet<u64>| rows.iter().map(|row| (*row, 1.0)).collect::<Vec<_>>();
        let fused = fuse(SearchMode::Hybrid, &leg(&vector), &leg(&text), WEIGHTS);
        prop_assert_eq!(fused.len(), vector.union(&text).count());
        prop_assert!(fused.windows(2).all(|pair| pair[0].scores.score >= pair[1].scores.score));
    }

    #[test]
    fn the_first_of_equal_texts_is_kept(texts in prop::collection::vec("[a-c ]{0,12}", 0..12)) {
        let kept = originals(texts.iter().map(String::as_str), 1.0);
        prop_assert_eq!(kept.len(), texts.len());
        if let Some(first) = kept.first() {
            prop_assert!(first);
        }
        for (at, text) in texts.iter().enumerate() {
            prop_assert!(!kept[at] || !texts[..at].contains(text));
        }
    }

    #[test]
    fn copies_are_what_the_plain_definition_calls_copies(
        texts in prop::collection::vec("([a-cA-C]|Σ|é| |, ){0,14}", 0..14),
        threshold in prop::sample::select(vec![0.5, 0.6, 0.75, 0.8, 0.9, 1.0]),
    ) {
        prop_assert_eq!(originals(texts.iter().map(String::as_str), threshold), plain_originals(&texts, threshold));
    }

    #[test]
    fn what_is_packed_fits_its_limits(
        tokens in prop::collection::vec(1..40_u32, 0..12), limit in 1..8_usize, budget in 1..100_usize,
    ) {
        let packed = tokens.iter().map(|count| {
            let text = vec!["word"; *count as usize].join(" ");
            let passage = super::pack::passage_of(&candidate("d", 0..text.len() as u64, 0..text.len() as u64, &text));
            Packed { passage, narrow: None }
        });
        let (taken, left) = fit(packed.collect(), limit, Some(budget), &Words);
        prop_assert_eq!(taken.len() + left.len(), tokens.len());
        prop_assert!(taken.len() <= limit);
        prop_assert!(taken.iter().map(|passage| passage.tokens as usize).sum::<usize>() <= budget);
        prop_assert_eq!(taken.is_empty(), tokens.is_empty());
        for passage in &taken {
            prop_assert_eq!(Words.count(&passage.text), passage.tokens as usize);
            prop_assert_eq!(passage.end - passage.start, passage.text.len() as u64);
        }
    }
}

/// Sets of word pairs, each compared with each.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn plain_originals(texts: &[String], threshold: f64) -> Vec<bool> {
    type Pairs = std::collections::HashSet<Vec<String>>;
    let pairs = |text: &String| -> Pairs {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_lowercase).collect();
        let pairs: Pairs = words.windows(2).map(<[String]>::to_vec).collect();
        if pairs.is_empty() { Pairs::from([words]) } else { pairs }
    };
    let mut kept: Vec<Pairs> = Vec::new();
    let mut original = |pairs: Pairs| {
        let like = |other: &Pairs| pairs.intersection(other).count() as f64 / pairs.union(other).count() as f64;
        let copy = kept.iter().any(|other| like(other) >= threshold);
        if !copy {
            kept.push(pairs);
        }
        !copy
    };
    texts.iter().map(pairs).map(&mut original).collect()
}

#[test]
fn nearly_the_same_text_counts_as_a_copy() {
    let long = "the quick brown fox jumps over the lazy dog while the cat sleeps on the warm mat by the door all day";
    let changed = long.replace("door", "fire");
    let kept = originals(
        [long, changed.as_str(), "something else entirely stands here instead", "Something else, entirely: stands here instead!"],
        0.8,
    );
    assert_eq!(kept, [true, false, true, false]);
    assert_eq!(originals([long, changed.as_str()], 1.0), [true, true]);
}

fn candidate(document: &str, range: std::ops::Range<u64>, parent: std::ops::Range<u64>, text: &str) -> Candidate {
    let row = ChunkRow {
        id: format!("{document}-{}", range.start),
        document: document.into(),
        document_digest: format!("digest-{document}"),
        ordinal: 0,
        text: text.into(),
        header: String::new(),
        table_head: None,
        search_text: text.into(),
        text_digest: String::new(),
        start: range.start,
        end: range.end,
        parent_start: parent.start,
        parent_end: parent.end,
        page: None,
        heading_path: Vec::new(),
        kind: "paragraph".into(),
        tokens: u32::try_from(Words.count(text)).unwrap(),
        title: document.into(),
        uri: String::new(),
        media_type: String::new(),
        labels: Vec::new(),
        metadata: std::collections::BTreeMap::new(),
        source: String::new(),
        updated: 0,
    };
    Candidate { row, scores: HitScores::default() }
}

/// A document's text, with blocks that begin at these places on these pages.
fn parsed(text: &str, pages: &[(usize, Option<u32>)]) -> Parsed {
    let block = |(start, page): &(usize, Option<u32>)| Block {
        kind: BlockKind::Paragraph,
        start: *start,
        end: text.len(),
        heading_path: Vec::new(),
        page: *page,
        heading: None,
    };
    let document =
        ParsedDocument { text: text.to_owned(), blocks: pages.iter().map(block).collect(), ..ParsedDocument::default() };
    [("digest-d".to_owned(), Text::of(&document))].into()
}

#[test]
fn a_section_stands_on_the_page_where_it_begins() {
    let text = "one two three four five six";
    let page = |pages: &[(usize, Option<u32>)], section: std::ops::Range<u64>| {
        let mut best = candidate("d", 14..23, section, "four five");
        best.row.page = Some(3);
        merge(&[best], Parents::Always, &parsed(text, pages), &Words)[0].passage.page
    };
    let pages = [(0, Some(1)), (4, Some(2)), (8, Some(2)), (14, Some(3))];
    assert_eq!(page(&pages, 0..27), Some(1));
    assert_eq!(page(&pages, 8..27), Some(2));
    assert_eq!(page(&pages, 14..27), Some(3));
    assert_eq!(page(&[], 0..27), Some(3), "nothing better is known");
    assert_eq!(page(&[(0, None), (14, Some(3))], 0..27), Some(3));
}

#[test]
fn two_chunks_of_a_section_become_the_section_at_the_place_of_the_better() {
    let text = "one two three four five six";
    let texts = parsed(text, &[]);
    let hits = [
        candidate("other", 0..5, 0..5, "other"),
        candidate("d", 0..7, 0..27, "one two"),
        candidate("d", 14..23, 0..27, "four five"),
    ];
    let merged = merge(&hits, Parents::Merge, &texts, &Words);
    assert_eq!(merged.iter().map(|packed| packed.passage.text.as_str()).collect::<Vec<_>>(), ["other", text]);
    assert_eq!((merged[1].passage.start, merged[1].passage.end, merged[1].passage.tokens), (0, 27, 6));
    assert_eq!(merge(&hits, Parents::Off, &texts, &Words).len(), 3);
    assert_eq!(merge(&hits, Parents::Merge, &Parsed::new(), &Words).len(), 3, "without the text the chunks stay");
    let always = merge(&hits[1..2], Parents::Always, &texts, &Words);
    assert_eq!(always[0].passage.text, text);
}

#[test]
fn the_head_of_a_table_comes_with_its_piece_and_counts() {
    let mut hit = candidate("d", 40..57, 40..57, "| two | 3 | 4 | 5");
    hit.row.table_head = Some("| Name | Value".into());
    hit.row.tokens = 8 + 4;
    let packed = || merge(std::slice::from_ref(&hit), Parents::Off, &Parsed::new(), &Words);
    let given = |budget: usize| fit(packed(), 5, Some(budget), &Words).0.remove(0);
    let whole = given(12);
    assert_eq!(whole.shown(), "| Name | Value\n| two | 3 | 4 | 5");
    assert_eq!((whole.start, whole.end, whole.text.as_str(), whole.tokens), (40, 57, "| two | 3 | 4 | 5", 12));
    let cut = given(7);
    assert_eq!((cut.shown().as_ref(), cut.end, cut.tokens), ("| Name | Value\n| two |", 47, 7));
    // Names of columns without a row say nothing.
    let narrow = given(4);
    assert_eq!((narrow.shown().as_ref(), narrow.end, narrow.tokens), ("| two | 3", 49, 4));
    // The section has the whole table in it.
    let section = "Prices.\n\n| Name | Value\n| one | 1 | 2 | 3\n| two | 3 | 4 | 5";
    hit.row.parent_start = 0;
    hit.row.parent_end = section.len() as u64;
    let wide = merge(&[hit], Parents::Always, &parsed(section, &[]), &Words);
    assert_eq!((wide[0].passage.text.as_str(), wide[0].passage.table_head.as_deref()), (section, None));
}

#[test]
fn what_was_too_large_for_its_header_alone_is_given_whole() {
    let mut hit = candidate("d", 0..7, 0..7, "one two");
    hit.row.tokens = 6;
    let (taken, left) = fit(merge(&[hit], Parents::Off, &Parsed::new(), &Words), 5, Some(4), &Words);
    assert_eq!((taken[0].text.as_str(), taken[0].tokens, left.len()), ("one two", 2, 0));
}

#[test]
fn relevance_needs_nearness_or_words_and_some_nearness() {
    let check = |similarity: Option<f32>, coverage: f32, want: bool| {
        assert_eq!(is_relevant(Evidence { similarity, coverage }, 0.4), want, "{similarity:?} {coverage}");
    };
    check(Some(0.5), 0.0, true);
    check(Some(0.3), 0.0, false);
    check(Some(0.3), 1.0, true);
    check(Some(0.1), 1.0, false);
    check(None, 1.0, true);
    check(None, 0.2, false);
    assert!(is_relevant(Evidence::default(), 0.0), "0 turns the decision off");
}

#[test]
fn coverage_counts_words_of_meaning_in_one_text() {
    assert!((coverage("How high is the Eiffel tower?", ["The towers of Eiffel are high"]) - 1.0).abs() < 1e-6);
    assert!((coverage("How high is the Eiffel tower?", ["a tower", "Eiffel"]) - 1.0 / 3.0).abs() < 1e-6);
    assert!(coverage("what is the", ["what is the"]).abs() < 1e-6);
}
