//! Citations of an answer: each points into the answer, and to a source that was given.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use mainspring_chains::citations::check;
use mainspring_llm::{HitScores, Passage};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // Sources stand behind the answer, each after a NUL.
    let mut parts = text.split('\0');
    let answer = parts.next().unwrap_or_default();
    let sources: Vec<Passage> = parts.take(8).map(passage).collect();
    let checked = check(answer, &sources);
    let length = answer.chars().count();
    for citation in &checked.citations {
        assert!((1..=sources.len()).contains(&citation.source), "{citation:?} of {}", sources.len());
        assert!(citation.start < citation.end && citation.end <= length, "{citation:?} of {length}");
        assert!((0.0..=1.0).contains(&citation.support), "{citation:?}");
    }
    for part in &checked.unsupported {
        assert!(part.start < part.end && part.end <= length && !part.text.is_empty(), "{part:?} of {length}");
    }
    assert!(checked.invented.iter().all(|number| !(1..=sources.len()).contains(number)));
});

fn passage(text: &str) -> Passage {
    Passage {
        chunk: String::new(),
        document: String::new(),
        title: "A title".to_owned(),
        uri: String::new(),
        media_type: "text/plain".to_owned(),
        heading_path: vec!["A heading".to_owned()],
        page: None,
        start: 0,
        end: text.len() as u64,
        text: text.to_owned(),
        tokens: 0,
        labels: Vec::new(),
        metadata: BTreeMap::new(),
        scores: HitScores::default(),
        document_digest: String::new(),
    }
}
