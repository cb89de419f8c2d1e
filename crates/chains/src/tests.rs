use std::collections::BTreeMap;

use mainspring_llm::{HitScores, Passage};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    citations::{Origin, check},
    model::ChainSpec,
    outcome::VersionUsed,
    request::Target,
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
    assert!(spec(json!([p, r, m])).is_err());
    assert!(spec(json!([r, m])).is_err());
    assert!(spec(json!([p, m, m])).is_err());
    assert!(spec(json!([{"retrieve": {"knowledge": "k"}, "model": {"name": "m"}}])).is_err());
    assert!(spec(json!([{}])).is_err());
}

#[test]
fn a_version_used_reads_back() {
    for text in ["prompt/answer@v3#sha256:ab", "model/smollm2-135m-instruct#sha256:cd"] {
        assert_eq!(text.parse::<VersionUsed>().unwrap().to_string(), text);
    }
    assert!("nonsense".parse::<VersionUsed>().is_err());
}

#[test]
fn a_target_may_say_its_kind() {
    assert_eq!("app/manual@v2".parse::<Target>().unwrap().to_string(), "app/manual@v2");
    assert_eq!("manual".parse::<Target>().unwrap().kind, None);
    assert!("Not A Name".parse::<Target>().is_err());
}

proptest! {
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
