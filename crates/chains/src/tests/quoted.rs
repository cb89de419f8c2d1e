//! What can be quoted, and what of it is: pure.

use proptest::prelude::*;

use super::passage;
use crate::quotes::{Quoted, parts, quote};

fn texts(text: &str) -> Vec<String> {
    let passages = [passage(text)];
    parts(&passages).iter().map(|part| passages[0].text[part.range.clone()].to_owned()).collect()
}

#[test]
fn sentences_are_parts_and_wrapped_lines_do_not_end_them() {
    let text = "# Keys\n\nA key is made once and\nshown once. Roles are reader and editor.\n\n## Next\nNothing is lost here.";
    assert_eq!(texts(text), ["A key is made once and\nshown once.", "Roles are reader and editor.", "Nothing is lost here."]);
}

#[test]
fn items_and_rows_stand_for_themselves_and_go_with_the_sentence_before_them() {
    let text = "These formats are read:\n\n- PDF with its pages\n- HTML without its\n  menus\n\nAll else is named.";
    let all = "These formats are read:\n\n- PDF with its pages\n- HTML without its\n  menus";
    assert_eq!(texts(text), [all, "- PDF with its pages", "- HTML without its\n  menus", "All else is named."]);
    let table = "Mainspring reads these formats.\n| Format | What is kept |\n|---|---|\n| PDF | pages and their text |";
    assert_eq!(texts(table), [table, "| Format | What is kept |", "| PDF | pages and their text |"]);
}

#[test]
fn code_goes_with_the_sentence_before_it_as_a_whole() {
    let text = "Make a key:\n\n```sh\nmainspring keys create ann\n\n# not a heading\n```\n\nIt is shown once.";
    let code = "```sh\nmainspring keys create ann\n\n# not a heading\n```";
    assert_eq!(texts(text), [format!("Make a key:\n\n{code}"), code.to_owned(), "It is shown once.".to_owned()]);
    // A block that nobody closed ends with its passage.
    assert_eq!(texts("```\nmainspring serve --fast now"), ["```\nmainspring serve --fast now"]);
}

#[test]
fn a_long_block_is_not_dragged_along() {
    let rows: String = (0..40).map(|row| format!("| row number {row} | {} |\n", "x".repeat(40))).collect();
    let long = format!("What follows is long.\n\n{rows}");
    let first = &texts(&long)[0];
    assert!(first.len() <= 700 && first.len() > 600, "as many rows as fit: {}", first.len());
    let code = format!("Run this once:\n\n```\n{}\n```", "mainspring do it\n".repeat(60));
    assert_eq!(texts(&code)[0], "Run this once:", "and code as a whole or not at all");
}

#[test]
fn what_says_nothing_is_no_part() {
    assert!(texts("").is_empty());
    assert!(texts("# Only a heading\n\n---\n\n|---|---|\n\nYes.").is_empty());
}

/// Quotes by scores that the test gives, one for each part.
fn quoted(texts: &[&str], scores: &[f32], limit: usize) -> Quoted {
    let passages: Vec<_> = texts.iter().map(|text| passage(text)).collect();
    let parts = parts(&passages);
    assert_eq!(parts.len(), scores.len(), "{parts:?}");
    quote(&passages, &parts, scores, limit, None).expect("something is quoted")
}

#[test]
fn the_nearest_come_first_each_with_the_number_of_its_source() {
    let texts = ["Apples are red fruit.", "Pears are green fruit. Plums are blue fruit."];
    let answer = quoted(&texts, &[0.5, 0.4, 0.55], 2);
    assert_eq!(answer.text, "Plums are blue fruit. [2]\n\nApples are red fruit. [1]");
    let chars: Vec<char> = answer.text.chars().collect();
    let marks: Vec<String> = answer.citations.iter().map(|c| chars[c.start..c.end].iter().collect()).collect();
    assert_eq!(marks, ["[2]", "[1]"]);
    assert_eq!(answer.pieces().collect::<Vec<_>>(), ["Plums are blue fruit. [2]", "\n\nApples are red fruit. [1]"]);
}

#[test]
fn what_is_much_further_away_is_left_out() {
    assert_eq!(quoted(&["Apples are red fruit. Pears are green fruit."], &[0.7, 0.5], 5).text, "Apples are red fruit. [1]");
}

#[test]
fn neighbours_are_one_quote_and_copies_are_said_once() {
    let texts = ["Apples are red fruit. Pears are green fruit. Plums are blue.", "APPLES are  red fruit."];
    let answer = quoted(&texts, &[0.6, 0.58, 0.2, 0.6], 3);
    assert_eq!(answer.text, "Apples are red fruit. Pears are green fruit. [1]");
}

#[test]
fn neighbours_count_and_one_between_two_quotes_joins_them() {
    let text = "Apples are red fruit. Pears are green fruit. Plums are blue fruit. Figs are brown fruit.";
    assert_eq!(quoted(&[text], &[0.6, 0.59, 0.58, 0.57], 2).text, "Apples are red fruit. Pears are green fruit. [1]");
    assert_eq!(
        quoted(&[text], &[0.6, 0.55, 0.58, 0.2], 3).text,
        "Apples are red fruit. Pears are green fruit. Plums are blue fruit. [1]"
    );
}

#[test]
fn a_sentence_that_points_back_brings_the_one_before() {
    let answer = quoted(&["A key can be rotated. It stays the same key. Nothing else changes."], &[0.1, 0.6, 0.1], 1);
    assert_eq!(answer.text, "A key can be rotated. It stays the same key. [1]");
}

#[test]
fn a_mark_stands_below_a_block() {
    let answer = quoted(&["Make a key:\n\n```\nmainspring keys create ann\n```"], &[0.6, 0.1], 1);
    assert_eq!(answer.text, "Make a key:\n\n```\nmainspring keys create ann\n```\n[1]");
}

#[test]
fn a_row_comes_under_the_names_of_its_columns() {
    let table = "Prices of this year.\n\n| Article | Gross \\| net | Stock |\n| --- | --- | --- |\n| Widget one | 3.10 | 4 |\n| Widget two | 5.20 | 6 |";
    // The sentence with its table, the head, and the two rows.
    let answer = quoted(&[table], &[0.1, 0.1, 0.1, 0.6], 1);
    assert_eq!(answer.text, "| Article | Gross \\| net | Stock |\n|---|---|---|\n| Widget two | 5.20 | 6 |\n[1]");
    let chars: Vec<char> = answer.text.chars().collect();
    assert_eq!(chars[answer.citations[0].start..answer.citations[0].end].iter().collect::<String>(), "[1]");
    // With the rows that it stands over it is there already.
    let whole = quoted(&[table], &[0.6, 0.1, 0.1, 0.1], 1);
    assert_eq!(whole.text, format!("{table}\n[1]"));

    let mut later = passage("| Widget three | 7.30 | 8 |\n| Widget four | 9.40 | 10 |");
    later.table_head = Some("| Article | Gross | Stock |".into());
    let passages = [later];
    let parts = parts(&passages);
    let answer = quote(&passages, &parts, &[0.1, 0.6], 1, None).expect("a row is quoted");
    assert_eq!(answer.text, "| Article | Gross | Stock |\n|---|---|---|\n| Widget four | 9.40 | 10 |\n[1]");
    assert_eq!(
        quoted(&["| Widget five | 7.30 | 8 |"], &[0.6], 1).text,
        "| Widget five | 7.30 | 8 |\n[1]",
        "a table without a head"
    );
}

#[test]
fn too_far_away_is_nothing() {
    let passages = [passage("Apples are red fruit.")];
    let parts = parts(&passages);
    assert_eq!(quote(&passages, &parts, &[0.4], 3, Some(0.5)), None);
    assert!(quote(&passages, &parts, &[0.5], 3, Some(0.5)).is_some());
    assert_eq!(quote(&passages, &[], &[], 3, None), None);
}

#[test]
fn a_cut_answer_keeps_the_citations_that_are_left() {
    let mut answer = quoted(&["Apples are red fruit.", "Pears are green fruit."], &[0.6, 0.59], 2);
    let end = answer.text.find("green").unwrap();
    answer.cut(end);
    assert_eq!(answer.text, "Apples are red fruit. [1]\n\nPears are ");
    assert_eq!(answer.citations.iter().map(|citation| citation.source).collect::<Vec<_>>(), [1]);
    assert_eq!(answer.pieces().collect::<String>(), answer.text);
    answer.cut(0);
    assert_eq!((answer.text.as_str(), answer.citations.len(), answer.pieces().collect::<String>().as_str()), ("", 0, ""));
}

/// Text as documents have it, and as nobody would write it.
fn documents() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[A-Z][a-z ]{3,40}[.!?:]",
        "\\| [a-z ]{1,12} \\| [a-z ]{0,12} \\|",
        Just("|---|:-:|".to_owned()),
        "- [a-z ]{1,30}",
        "[0-9]{1,3}\\. [a-z ]{1,30}",
        Just("```".to_owned()),
        "#{1,7} ?[A-Za-z ]{0,20}",
        Just(String::new()),
        "\\PC{0,40}",
        Just("It is so. Ünïcödé … 日本語です。".to_owned()),
    ];
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn every_quote_is_a_piece_of_its_source(
        texts in prop::collection::vec(documents(), 0..4),
        seed in prop::collection::vec(0.0_f32..1.0, 64),
        limit in 1_usize..6,
        cut in 0_usize..400,
    ) {
        let passages: Vec<_> = texts.iter().map(|text| passage(text)).collect();
        let parts = parts(&passages);
        let scores: Vec<f32> = (0..parts.len()).map(|index| seed[index % seed.len()]).collect();
        let Some(mut answer) = quote(&passages, &parts, &scores, limit, None) else {
            prop_assert!(parts.is_empty());
            return Ok(());
        };
        prop_assert!(answer.citations.len() <= limit);
        prop_assert_eq!(answer.pieces().collect::<String>(), answer.text.as_str());
        for (piece, citation) in answer.pieces().zip(&answer.citations) {
            let words = piece.strip_suffix(&format!("[{}]", citation.source)).map(str::trim);
            let source = &passages[citation.source - 1].text;
            // Or rows under the head of their table, with a rule between them.
            let rows = |words: &str| {
                let mut lines = words.splitn(3, '\n');
                lines.next().is_some_and(|head| source.contains(head)) && lines.nth(1).is_some_and(|rows| source.contains(rows))
            };
            prop_assert!(words.is_some_and(|words| source.contains(words) || rows(words)), "{piece:?}");
        }
        let end = (0..=cut.min(answer.text.len())).rev().find(|at| answer.text.is_char_boundary(*at)).unwrap_or(0);
        answer.cut(end);
        let chars = answer.text.chars().count();
        prop_assert!(answer.citations.iter().all(|citation| citation.end <= chars));
        prop_assert_eq!(answer.pieces().collect::<String>(), answer.text.as_str());
    }
}
