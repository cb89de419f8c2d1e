//! Pure parts: batches, pieces, guesses.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use tokio::time::Instant;

use crate::{
    batch::{Padded, Row, Want, plan},
    cross::relevance,
    late::max_sim,
    queue::Job,
    tokens::{guess, pieces},
};

pub(super) fn rows(lengths: &[usize]) -> Vec<Row> {
    let (job, _) = Job::new(lengths.len(), Instant::now() + Duration::from_secs(60));
    let job = Arc::new(job);
    let row = |(index, len): (usize, &usize)| Row {
        ids: vec![7; *len],
        types: vec![1; *len],
        want: Want::Pooled,
        job: Arc::clone(&job),
        index,
    };
    lengths.iter().enumerate().map(row).collect()
}

#[test]
fn padding_fills_to_the_longest_row_and_is_masked() {
    let padded = Padded::of(&rows(&[1, 3]), 9);
    assert_eq!((padded.rows, padded.width), (2, 3));
    assert_eq!(padded.ids, [7, 9, 9, 7, 7, 7]);
    assert_eq!(padded.mask, [1, 0, 0, 1, 1, 1]);
    assert_eq!(padded.types, [1, 0, 0, 1, 1, 1]);
}

#[test]
fn two_outputs_or_one_are_a_relevance_and_more_are_not() {
    assert_eq!(relevance(&[0.0]), Some(0.5));
    assert!(relevance(&[-1.0, 3.0]).unwrap() > 0.98);
    assert!(relevance(&[3.0, -1.0]).unwrap() < 0.02);
    assert_eq!(relevance(&[1.0, 2.0, 3.0]), None);
    assert_eq!(relevance(&[f32::NAN]), None);
    assert_eq!(relevance(&[]), None);
}

#[test]
fn late_interaction_ignores_special_tokens() {
    let (special, a, b) = (vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]);
    let text = |tokens: &[&Vec<f32>]| {
        let inner = tokens.iter().map(|token| (*token).clone());
        std::iter::once(special.clone()).chain(inner).chain([special.clone()]).collect::<Vec<_>>()
    };
    assert_eq!(max_sim(&text(&[&a]), &text(&[&b, &a])), 1.0);
    assert_eq!(max_sim(&text(&[&a, &b]), &text(&[&a])), 0.5);
    assert_eq!(max_sim(&text(&[]), &text(&[&a])), -1.0);
}

proptest! {
    #[test]
    fn batches_hold_every_row_once_within_the_budget(lengths in prop::collection::vec(1_usize..300, 0..60), budget in 1_usize..4000) {
        let batches = plan(rows(&lengths), budget);
        let mut seen: Vec<usize> = batches.iter().flatten().map(|row| row.index).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
        for batch in &batches {
            let width = batch.iter().map(|row| row.ids.len()).max().unwrap();
            prop_assert!(batch.len() == 1 || batch.len() * width <= budget);
        }
    }

    #[test]
    fn pieces_cover_the_text_in_order(text in "[a-zé日 \n]{0,300}", size in 8_usize..40) {
        let pieces = pieces(&text, size);
        let joined: String = pieces.iter().map(|piece| &text[piece.clone()]).collect();
        prop_assert_eq!(&joined, &text);
        prop_assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= size));
    }

    #[test]
    fn guessed_places_are_in_order_and_leave_out_only_white_space(text in "\\PC{0,120}") {
        let ranges = guess(&text).ranges;
        prop_assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
        let kept: String = ranges.iter().map(|range| &text[range.clone()]).collect();
        let solid: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        prop_assert_eq!(kept, solid);
    }
}
