use std::time::Duration;

use mainspring_gateway::{Answering, Live};
use mainspring_kernel::{
    Tasks,
    id::{CallId, ProjectId},
};
use serde_json::json;
use tokio::{sync::broadcast, task::yield_now, time::timeout};

use crate::{
    calls_live::{Heard, take},
    openapi, structure,
};

#[test]
fn changes_are_named_by_path() {
    let before = json!({"a": 1, "b": {"c": [1, 2]}, "gone": true});
    let after = json!({"a": 2, "b": {"c": [1, 3, 4]}, "new": "x"});
    let found: Vec<(String, String)> =
        structure::changes(&before, &after).into_iter().map(|change| (change.path, change.op)).collect();
    let want = [("a", "changed"), ("b.c[1]", "changed"), ("b.c[2]", "added"), ("gone", "removed"), ("new", "added")];
    assert_eq!(found, want.map(|(path, op)| (path.to_owned(), op.to_owned())));
}

#[test]
fn the_committed_openapi_document_is_current() {
    let current = openapi().to_pretty_json().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/rest.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let first = committed.lines().zip(current.lines()).position(|(committed, current)| committed != current);
    assert!(
        committed.trim() == current.trim(),
        "openapi/rest.json differs from line {:?}: run `mainspring openapi > openapi/rest.json` and `npm run client` in web/",
        first.map(|line| line + 1)
    );
}

fn told(project: u128, output_tokens: u64) -> Live {
    Live::Answering(Box::new(Answering {
        id: CallId::from_raw(1),
        project: ProjectId::from_raw(project),
        provider: "openai".to_owned(),
        target: "gpt-4o".to_owned(),
        attempts: 1,
        first_ms: 5,
        output_tokens,
    }))
}

#[tokio::test]
async fn a_slow_reader_is_told_how_much_of_its_own_project_it_missed() {
    let (board, looking) = broadcast::channel(1_000);
    let tasks = Tasks::default();
    let mut heard = take(&tasks, looking, ProjectId::from_raw(1), 4);
    for number in 0..50 {
        board.send(told(2, 1_000 + number)).unwrap();
        board.send(told(1, number)).unwrap();
    }
    drop(board);
    let (mut seen, mut missed) = (Vec::new(), 0);
    while let Some(next) = heard.recv().await {
        match next {
            Heard::Event(Live::Answering(answering)) => seen.push(answering.output_tokens),
            Heard::Event(other) => panic!("nobody told {other:?}"),
            Heard::Missed(events) => missed += events,
        }
    }
    assert_eq!(seen[..4], [0, 1, 2, 3]);
    assert!(missed > 0 && seen.iter().all(|number| *number < 50), "{missed} {seen:?}");
    assert_eq!(seen.len() as u64 + missed, 50);
}

#[tokio::test]
async fn nobody_listens_for_a_reader_who_has_gone() {
    let (board, looking) = broadcast::channel::<Live>(10);
    let tasks = Tasks::default();
    drop(take(&tasks, looking, ProjectId::from_raw(1), 4));
    let gone = async {
        while board.receiver_count() > 0 {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), gone).await.unwrap();
}
