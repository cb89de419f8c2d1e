mod following;
mod naming;
mod project;
mod quoted;
mod quoting;
mod sourced;
mod unread;

use std::collections::BTreeMap;

use mainspring_kernel::{AssetKind, AssetRef, Digest};
use mainspring_llm::{HitScores, Passage, TablePin};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    citations::{Origin, check},
    model::ChainSpec,
    outcome::VersionUsed,
    request::{Pins, Read, Swap, Target},
};

fn passage(text: &str) -> Passage {
    Passage {
        chunk: "c".into(),
        document: "d".into(),
        title: "Title".into(),
        uri: "file:///x.md".into(),
        media_type: "text/markdown".into(),
        heading_path: vec![],
        page: None,
        start: 0,
        end: text.len() as u64,
        text: text.into(),
        table_head: None,
        tokens: 1,
        labels: vec![],
        metadata: BTreeMap::new(),
        scores: HitScores::default(),
        document_digest: "sha256:0".into(),
    }
}

fn sources() -> Vec<Passage> {
    vec![
        passage("Mainspring listens on 127.0.0.1:7400 and needs no key there."),
        passage("A version never changes; its name is its digest. Aliases move."),
    ]
}

#[test]
fn a_cited_sentence_points_to_its_source() {
    let answer = "Mainspring listens on 127.0.0.1:7400 [1]. Versions never change [2].";
    let checked = check(answer, &sources());
    let cited: Vec<(usize, &str)> =
        checked.citations.iter().map(|citation| (citation.source, &answer[citation.start..citation.end])).collect();
    assert_eq!(cited, [(1, "[1]"), (2, "[2]")]);
    assert!(checked.citations.iter().all(|citation| citation.origin == Origin::Cited));
    assert!(checked.unsupported.is_empty(), "{:?}", checked.unsupported);
}

#[test]
fn a_marker_after_the_full_stop_belongs_to_the_sentence_before() {
    let checked = check("Mainspring listens on port 7400 at 127.0.0.1. [1]", &sources());
    assert_eq!(checked.citations.len(), 1);
    assert!(checked.unsupported.is_empty());
}

#[track_caller]
fn check_numbers(marker: &str, want: &[usize], invented: &[usize]) {
    let checked = check(&format!("Mainspring listens on 127.0.0.1 with aliases {marker}"), &sources());
    let found: Vec<usize> = checked.citations.iter().filter(|c| c.origin == Origin::Cited).map(|c| c.source).collect();
    assert_eq!((found.as_slice(), checked.invented.as_slice()), (want, invented), "{marker}");
}

#[test]
fn markers_come_in_several_forms() {
    check_numbers("[1]", &[1], &[]);
    check_numbers("[1, 2]", &[1, 2], &[]);
    check_numbers("[1][2]", &[1, 2], &[]);
    check_numbers("[1-2]", &[1, 2], &[]);
    check_numbers("[7]", &[], &[7]);
    check_numbers("[0]", &[], &[0]);
    check_numbers("[a link](x)", &[], &[]);
    check_numbers("[99999999999999999999]", &[], &[]);
    check_numbers("[1-9999999]", &[], &[]);
}

#[test]
fn a_sentence_without_a_number_is_attributed_to_the_source_that_carries_it() {
    let checked = check("The version never changes, and its name is its digest.", &sources());
    assert_eq!(checked.citations.len(), 1);
    assert_eq!((checked.citations[0].source, checked.citations[0].origin), (2, Origin::Attributed));
}

#[test]
fn a_sentence_no_source_carries_is_marked_even_when_it_cites() {
    let answer = "Bananas grow in tropical rainforest climates [1].";
    let checked = check(answer, &sources());
    assert_eq!(checked.unsupported.len(), 1);
    assert_eq!(checked.unsupported[0].text, answer);
}

/// Which sources an answer's sentences were found to stand on, cited and attributed, and which sentences on none.
#[track_caller]
fn check_support(answer: &str, cited: &[usize], attributed: &[usize], unsupported: &[&str]) {
    let checked = check(answer, &sources());
    let of = |origin: Origin| -> Vec<usize> {
        checked.citations.iter().filter(|citation| citation.origin == origin).map(|citation| citation.source).collect()
    };
    let left: Vec<&str> = checked.unsupported.iter().map(|part| part.text.as_str()).collect();
    assert_eq!(
        (of(Origin::Cited).as_slice(), of(Origin::Attributed).as_slice(), left.as_slice()),
        (cited, attributed, unsupported),
        "{answer}"
    );
}

#[test]
fn a_number_must_be_in_the_source() {
    check_support("The port is 8080.", &[], &[], &["The port is 8080."]);
    check_support("Mainspring listens on port 8080.", &[], &[], &["Mainspring listens on port 8080."]);
    check_support("Mainspring listens on 127.0.0.1:7401.", &[], &[], &["Mainspring listens on 127.0.0.1:7401."]);
    check_support("Mainspring listens on 127.0.0.1:7401 [1].", &[1], &[], &["Mainspring listens on 127.0.0.1:7401 [1]."]);
    check_support("Mainspring listens on 127.0.0.2:7400 [1].", &[1], &[], &["Mainspring listens on 127.0.0.2:7400 [1]."]);
    check_support("8080", &[], &[], &["8080"]);
    check_support("It is 7400.", &[], &[1], &[]);
    check_support("Mainspring listens on 7400.", &[], &[1], &[]);
    // Each half is in a source, the whole in none.
    check_support("A version never changes before 7400.", &[], &[], &["A version never changes before 7400."]);
    check_support("Version v2 never changes its digest.", &[], &[], &["Version v2 never changes its digest."]);
    check_support("On port ８０８０ Mainspring listens.", &[], &[], &["On port ８０８０ Mainspring listens."]);
}

#[test]
fn a_short_sentence_is_held_to_its_words() {
    check_support("Aliases move.", &[], &[2], &[]);
    check_support("Aliases explode.", &[], &[], &["Aliases explode."]);
    check_support("Bananas.", &[], &[], &["Bananas."]);
    check_support("Bananas [1].", &[1], &[], &["Bananas [1]."]);
    // Nothing is claimed here.
    check_support("Yes. It is so. [1]", &[1], &[], &[]);
    check_support("…", &[], &[], &[]);
    check_support("Yes. The port is 8080.", &[], &[], &["The port is 8080."]);
}

#[test]
fn the_number_of_an_item_in_a_list_is_not_a_fact() {
    check_support("1. Mainspring listens on 127.0.0.1.\n2. Aliases move.", &[], &[1, 2], &[]);
    check_support("  12) Aliases move [2].", &[2], &[], &[]);
    check_support("The port is\n8080.", &[], &[], &["The port is", "8080."]);
    check_support("8080. Mainspring listens there.", &[], &[1], &["8080."]);
    check_support("3. 8080 is the port.", &[], &[], &["8080 is the port."]);
}

#[test]
fn a_wrong_number_in_brackets_does_not_hide_the_right_source() {
    check_support("Mainspring listens on 127.0.0.1:7400 [2].", &[2], &[1], &[]);
    check_support("Mainspring listens on 127.0.0.1:7400 [9].", &[], &[1], &[]);
    // Sources that are cited together may carry a sentence together.
    check_support("Mainspring listens on 7400; a version never changes its name [1, 2].", &[1, 2], &[], &[]);
}

#[test]
fn numbers_are_compared_without_their_commas() {
    let sources = [passage("A run takes 10,000 documents and reads 100000 chunks.")];
    assert!(check("A run takes 10000 documents. It reads 100,000 chunks.", &sources).unsupported.is_empty());
    assert_eq!(check("A run takes 1000 documents.", &sources).unsupported.len(), 1);
}

/// What words cannot tell; docs/concepts/citations.md says so.
#[test]
fn a_denial_in_the_words_of_a_source_counts_as_carried() {
    check_support("Mainspring does not listen on 127.0.0.1:7400.", &[], &[1], &[]);
}

#[test]
fn offsets_count_characters() {
    let answer = "Über Mainspring: listens on 127.0.0.1:7400 [1]";
    let citation = &check(answer, &sources()).citations[0];
    let marked: String = answer.chars().skip(citation.start).take(citation.end - citation.start).collect();
    assert_eq!(marked, "[1]");
}

#[test]
fn a_chain_has_one_order() {
    let spec = |steps: serde_json::Value| serde_json::from_value::<ChainSpec>(json!({"steps": steps})).unwrap().validate();
    let (r, p, m) = (json!({"retrieve": {"knowledge": "k"}}), json!({"prompt": {"use": "p"}}), json!({"model": {"name": "m"}}));
    assert!(spec(json!([r, r, p, m])).is_ok());
    assert!(spec(json!([p, m])).is_ok());
    let q = json!({"quote": {"model": "e"}});
    assert!(spec(json!([r, q])).is_ok());
    assert!(spec(json!([r, r, {"quote": {"model": "e", "limit": 20, "at_least": -1}}])).is_ok());
    for wrong in [json!([q]), json!([q, r]), json!([r, q, q]), json!([r, p, q]), json!([r, q, m]), json!([r, p, m, q])] {
        assert!(spec(wrong.clone()).unwrap_err().contains("a chain that quotes"), "{wrong}");
    }
    assert!(spec(json!([r, {"quote": {"model": "e", "limit": 0}}])).unwrap_err().contains("steps[1].quote.limit"));
    assert!(spec(json!([r, {"quote": {"model": "e", "at_least": 1.1}}])).unwrap_err().contains("steps[1].quote.at_least"));
    assert!(spec(json!([p, r, m])).is_err());
    assert!(spec(json!([r, m])).is_err());
    assert!(spec(json!([p, m, m])).is_err());
    assert!(spec(json!([{"retrieve": {"knowledge": "k"}, "model": {"name": "m"}}])).is_err());
    assert!(spec(json!([{}])).is_err());
}

#[test]
fn a_version_used_reads_back() {
    for text in [
        "prompt/answer@v3#sha256:ab",
        "model/smollm2-135m-instruct#sha256:cd",
        "model/assistant#route:assistant@v2#ef",
        "model/openai/dated@v2#route:openai/dated@v2#ab",
    ] {
        assert_eq!(text.parse::<VersionUsed>().unwrap().to_string(), text);
    }
    let model: VersionUsed = "model/openai/dated@v2#route:openai/dated@v2#ab".parse().unwrap();
    assert_eq!((model.name.as_str(), model.number, model.digest.as_str()), ("openai/dated@v2", 0, "route:openai/dated@v2#ab"));
    assert!("nonsense".parse::<VersionUsed>().is_err());
}

#[test]
fn a_target_may_say_its_kind() {
    assert_eq!("app/manual@v2".parse::<Target>().unwrap().to_string(), "app/manual@v2");
    assert_eq!("manual".parse::<Target>().unwrap().kind, None);
    assert!("Not A Name".parse::<Target>().is_err());
}

fn reference(text: &str) -> AssetRef {
    text.parse().unwrap()
}

fn table(version: u64) -> TablePin {
    TablePin { table: "t".parse().unwrap(), version, transaction: "x".into() }
}

/// Two knowledges were read, the first by two steps.
fn pins() -> Pins {
    let digest = |text: &str| Some(Digest::of(text.as_bytes()));
    let reads = [
        ("notes".to_owned(), vec![Read { digest: digest("n"), table: table(1) }, Read { digest: digest("n"), table: table(2) }]),
        ("papers".to_owned(), vec![Read { digest: digest("p"), table: table(3) }]),
    ];
    Pins { reads: reads.into(), ..Pins::default() }
}

#[test]
fn every_step_reads_its_knowledge_as_it_was() {
    let pins = pins();
    let read = |name: &str, nth| pins.read(&reference(name), nth);
    let exact = |name: &str, text: &str| reference(&format!("{name}@{}", Digest::of(text.as_bytes())));
    assert_eq!(read("notes", 0), (exact("notes", "n"), Some(table(1))));
    assert_eq!(read("notes@production", 1), (exact("notes", "n"), Some(table(2))));
    assert_eq!(read("papers", 0), (exact("papers", "p"), Some(table(3))));
    assert_eq!(read("others", 0), (reference("others"), None));
}

#[test]
fn a_swapped_knowledge_is_read_as_it_is_now_and_leaves_the_others() {
    let mut pins = pins();
    pins.swaps.push(Swap { kind: AssetKind::Knowledge, name: Some("notes".into()), with: reference("notes@candidate") });
    assert_eq!(pins.read(&reference("notes"), 0), (reference("notes@candidate"), None));
    assert_eq!(pins.read(&reference("notes"), 1), (reference("notes@candidate"), None));
    assert_eq!(pins.read(&reference("papers"), 0).1, Some(table(3)));
}

#[test]
fn a_swap_without_a_name_takes_the_place_of_whatever_the_chain_names() {
    let swaps = vec![Swap { kind: AssetKind::Prompt, name: None, with: reference("new") }];
    let pins = Pins { swaps, ..Pins::default() };
    assert_eq!(pins.redirect(AssetKind::Prompt, &reference("old@production")), reference("new"));
    assert_eq!(pins.redirect(AssetKind::Chain, &reference("old")), reference("old"));
}

proptest! {
    #[test]
    fn any_target_is_refused_or_reads_back(text in "((app|prompt|model|chain)?/?[a-z0-9]{0,3}[-_.]?(@(v?[0-9+]{0,12}|latest|[a-z]{0,4}|sha256:[0-9a-f]{0,70}))?|\\PC{0,20})") {
        if let Ok(target) = text.parse::<Target>() {
            prop_assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
        }
    }

    #[test]
    fn any_answer_is_checked_and_every_offset_is_inside(answer in "(\\PC|\\[[0-9,\\- ]{0,6}\\]|[.\n ]){0,80}") {
        let count = answer.chars().count();
        let checked = check(&answer, &sources());
        for citation in checked.citations {
            prop_assert!(citation.start <= citation.end && citation.end <= count);
            prop_assert!((1..=2).contains(&citation.source));
        }
        for part in checked.unsupported {
            prop_assert!(part.start < part.end && part.end <= count);
        }
    }
}
