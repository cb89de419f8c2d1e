use std::time::{Duration, Instant};

use mainspring_lake::{
    Echo, Filter, Lake, Scan, TableSpec, UpkeepPolicy,
    conformance::{Row, batch, rows_of, spec},
};
use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use super::{config, lake_in};
use crate::{
    LanceConfig, LanceLake,
    echoes::text::{self, is_in_pieces},
};

/// The text in pieces, where it is kept so.
fn in_pieces(text: &str, others: &[&str]) -> Option<String> {
    let mut pieces = String::new();
    text::in_pieces(text, others, &mut pieces).then_some(pieces)
}

/// What lies there, as it is read.
fn whole(lies: &str, others: &[&str]) -> String {
    let mut whole = String::new();
    if text::together(lies, others, &mut whole) { whole } else { lies.to_owned() }
}

/// Words, and what JSON or its writers have another way for.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec![
                "the order of the customer was delivered late",
                "a much longer piece that is said again, and again",
                "ü",
                "語語",
                "\"",
                "\\",
                "\n",
                "\t",
                "\u{1}",
                "\u{1}@A",
                "\u{7f}",
                "/",
                " ",
            ]),
            0..12
        )
        .prop_map(|parts| parts.concat()),
    ]
}

/// JSON that says these among other things, as several senders write it.
fn said_again(parts: &[String], odd: &str, ascii: bool) -> String {
    let nested = json!([{"role": "user", "parts": parts}]).to_string();
    let nested = if ascii { ascii_only(&nested) } else { nested };
    json!({"messages": nested, (odd): parts.first(), "n": 1}).to_string()
}

fn ascii_only(json: &str) -> String {
    let mut units = [0; 2];
    let mut text = String::new();
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            text.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

fn check(text: &str, others: &[&str]) {
    let kept = in_pieces(text, others);
    let lies = kept.as_deref().unwrap_or(text);
    assert_eq!(whole(lies, others), text);
    // Whatever begins as pieces do is pieces, so that nobody has to guess.
    assert_eq!(is_in_pieces(lies), kept.is_some());
}

proptest! {
    #[test]
    fn any_text_is_as_it_was_whatever_it_is_an_echo_of(
        text in any_text(), others in prop::collection::vec(any_text(), 0..3),
    ) {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        check(&text, &others);
        check(&others.concat(), &others);
        check(&format!("{text}{}{text}", others.concat()), &others);
    }

    #[test]
    fn json_that_says_it_again_is_as_it_was(
        parts in prop::collection::vec(any_text(), 0..5), odd in any_text(), ascii in any::<bool>(), cut in any::<prop::sample::Index>(),
    ) {
        let text = said_again(&parts, &odd, ascii);
        let content = parts.iter().rev().map(|part| format!("{part}\n")).collect::<String>();
        let mut at = cut.index(content.len() + 1);
        while !content.is_char_boundary(at) {
            at -= 1;
        }
        let (beginning, rest) = content.split_at(at);
        check(&text, &[&content]);
        check(&text, &[beginning, rest]);
    }

    #[test]
    fn what_cannot_be_put_together_is_left_as_it_lies(
        lies in prop_oneof![any_text(), "[\u{0}-\u{7f}é]{0,24}"], others in prop::collection::vec(any_text(), 0..3),
    ) {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        for text in [lies.clone(), format!("\u{1}{lies}")] {
            let found = whole(&text, &others);
            prop_assert!(is_in_pieces(&text) || found == text);
        }
    }

    #[test]
    fn pieces_that_came_to_harm_are_put_together_or_left(
        parts in prop::collection::vec(any_text(), 1..5),
        gone in any::<prop::sample::Index>(),
        odd in any::<char>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (text, content) = (said_again(&parts, "odd", false), parts.concat());
        let Some(kept) = in_pieces(&text, &[&content]) else { return Ok(()) };
        let mut letters: Vec<char> = kept.chars().collect();
        let gone = gone.index(letters.len());
        letters[gone] = odd;
        let harmed: String = letters.iter().collect();
        let shorter: String = content.chars().take(cut.index(content.chars().count() + 1)).collect();
        for others in [&[content.as_str()][..], &[shorter.as_str()], &[shorter.as_str(), "and another"], &[]] {
            for lies in [&kept, &harmed] {
                let found = whole(lies, others);
                // What is left is left whole, and nothing grows out of it by more than the others could say.
                prop_assert!(found == *lies || found.len() <= lies.len() * (content.len() + 12));
            }
        }
        prop_assert_eq!(whole(&kept, &[&content]), text);
    }
}

#[test]
fn of_what_stands_elsewhere_only_the_places_are_kept() {
    let line = "the manual says that pressure must be below three bar in winter";
    let said = format!("{line}, \"always\"\n{line}; nothing else is said of it\n");
    for (ascii, letter) in [(false, ""), (false, "ü"), (true, "ü"), (true, "")] {
        let parts = [format!("{said}{letter}"), "and a second message, which is as long as the first one, about".to_owned()];
        let text = said_again(&parts, "same", ascii);
        let content = format!("{}\n{}\n", parts[1], parts[0]);
        let kept = in_pieces(&text, &[&content]).unwrap();
        assert!(kept.len() < 220, "{} of {} are kept: {kept:?}", kept.len(), text.len());
        assert_eq!(whole(&kept, &[&content]), text);
    }
    assert_eq!(in_pieces("short", &["short"]), None);
    assert_eq!(in_pieces(&"nothing of it stands elsewhere".repeat(9), &[&said]), None);
    assert_eq!(in_pieces(&said, &[]), None);
}

#[test]
fn a_text_of_which_nothing_is_found_does_not_take_long() {
    // Every stretch begins as the text does, and none goes on so.
    let text = "a".repeat(200_000);
    let other = format!("{}b\n", "a".repeat(23)).repeat(9_000);
    let (began, others) = (Instant::now(), [other.as_str()]);
    check(&text, &others);
    check(&"ab".repeat(100_000), &["ba語".repeat(60_000).as_str()]);
    // One piece after the other is found, each of them between two that were, and all the rest in vain.
    let said = "the order of the customer was delivered late";
    let text: String = (0..20_000).map(|n| format!("{said}{n:0>130}")).collect();
    check(&text, &[&format!("{said}\n{}", "it is.\n".repeat(36_000))]);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

/// Numbers as they stand between pieces.
fn number(mut number: usize) -> String {
    let mut digits = String::new();
    while number >= 0x40 {
        digits.push(char::from(u8::try_from(number % 0x40).unwrap() | 0x40));
        number /= 0x40;
    }
    digits.push(char::from(u8::try_from(number).unwrap()));
    digits
}

#[test]
fn little_that_lies_there_does_not_become_very_much() {
    let (other, none) = ("said again, ".repeat(20_000), number(0));
    // The whole of the other text, so often: behind each piece stands how far back the next one begins.
    let often = |times: usize| {
        let again = format!("{none}{}{}", number(other.len() * 2 - 1), number(other.len()));
        format!("\u{1}{none}{none}{}{}{none}", number(other.len()), again.repeat(times - 1))
    };
    assert_eq!(whole(&often(3), &[&other]), other.repeat(3));
    let much = often(1_000_000);
    assert!(whole(&much, &[&other]) == much);
}

fn said_rows(dice: &mut StdRng, from: usize) -> Vec<Row> {
    let words =
        ["order", "customer", "delivered", "parcel", "invoice", "pump", "valve", "warranty", "repair", "purchase", "winter"];
    let row = |n: usize| {
        let said: Vec<&str> = (0..200).map(|_| words[dice.random_range(0..words.len())]).collect();
        let said = said.join(" ");
        let doc = json!({"messages": json!([{"role": "user", "content": said}]).to_string()}).to_string();
        Row::new(format!("r{n:05}")).doc(&doc).words(&format!("{said}\n"))
    };
    (from..from + 2_000).map(row).collect()
}

#[tokio::test]
async fn an_echo_takes_next_to_no_room_and_every_process_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(dir.path()).await;
    let packed = ["doc", "words"].map(str::to_owned).to_vec();
    let whole = TableSpec { indexes: Vec::new(), packed, ..spec() };
    let echo = Echo { column: "doc".to_owned(), of: vec!["words".to_owned()] };
    let echoing = TableSpec { echoes: vec![echo], ..whole.clone() };
    let rows = said_rows(&mut StdRng::seed_from_u64(7), 0);
    let mut bytes = Vec::new();
    for (name, spec) in [("whole", &whole), ("echoing", &echoing)] {
        let table = lake.open(&name.parse().unwrap(), spec).await.unwrap();
        table.append(batch(&rows)).await.unwrap();
        table.upkeep(&UpkeepPolicy { fragments: 1, ..UpkeepPolicy::default() }).await.unwrap();
        bytes.push(table.stats().await.unwrap().bytes.unwrap());
    }
    assert!(bytes[1] * 10 < bytes[0] * 7, "{bytes:?}");
    // Who opens it without a word of it does the same, since the table says so itself.
    let other = lake_in(dir.path()).await.open_existing(&"echoing".parse().unwrap()).await.unwrap();
    assert_eq!(rows_of(&other.scan(Scan::of(Filter::All)).await.unwrap()), rows);
    let more = said_rows(&mut StdRng::seed_from_u64(8), rows.len());
    other.append(batch(&more)).await.unwrap();
    let grown = other.stats().await.unwrap().bytes.unwrap() - bytes[1];
    assert!(grown * 10 < bytes[0] * 7, "{grown} of {bytes:?}");
    assert_eq!(rows_of(&other.scan(Scan::of(Filter::eq("id", "r02000"))).await.unwrap()), more[..1]);
}

#[tokio::test]
async fn who_has_not_heard_of_an_echo_takes_rows_out_by_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let shared = || LanceConfig { look_for_newer_after: Some(Duration::ZERO), ..config(dir.path()) };
    let (one, other) = (LanceLake::open(shared()).await.unwrap(), LanceLake::open(shared()).await.unwrap());
    let name = "t".parse().unwrap();
    let whole = TableSpec { indexes: Vec::new(), ..spec() };
    let deaf = other.open(&name, &whole).await.unwrap();
    let echo = Echo { column: "doc".to_owned(), of: vec!["words".to_owned()] };
    let table = one.open(&name, &TableSpec { echoes: vec![echo], ..whole }).await.unwrap();
    let rows = said_rows(&mut StdRng::seed_from_u64(9), 0);
    table.append(batch(&rows)).await.unwrap();

    let done = deaf.replace(Filter::eq("doc", rows[0].doc.clone().unwrap()), None).await.unwrap();
    assert_eq!(done.deleted, 1);
    assert_eq!(rows_of(&deaf.scan(Scan::of(Filter::eq("id", "r00001"))).await.unwrap()), rows[1..2]);
}
