use std::time::Duration;

use mainspring_gateway::{Answering, Live};
use mainspring_kernel::{
    PageRequest, Tasks,
    id::{CallId, ProjectId},
};
use serde_json::json;
use tokio::{sync::broadcast, task::yield_now, time::timeout};

use crate::{
    calls_live::{Heard, take},
    openapi,
    routes::part,
    structure,
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

type Target = (Option<&'static str>, &'static str, &'static str);

/// A page of targets, and where the next one begins.
fn page_of(targets: &[Target], limit: usize, cursor: Option<String>) -> (Vec<Target>, Option<String>) {
    let request = PageRequest::new(Some(limit), cursor).unwrap();
    let page = part(targets.to_vec(), &request, |target| *target).unwrap_or_else(|_| panic!("the cursor came from here"));
    (page.items, page.next)
}

#[test]
fn targets_page_by_where_they_stand_whatever_goes_meanwhile() {
    // Names of routes and of models may look alike, and a route may name a target twice.
    let all: [Target; 7] = [
        (Some("a"), "z", "second"),
        (Some("a"), "b", "first"),
        (Some("a"), "b", "first"),
        (Some("b"), "b", "first"),
        (None, "a", "first"),
        (None, "a", "first"),
        (None, "a", "second"),
    ];
    for limit in 1..=8 {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (some, next) = page_of(&all, limit, cursor);
            assert!(!some.is_empty() && some.len() <= limit);
            seen.extend(some);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, all, "{limit} at a time");
    }
    // The last one seen and its whole route are gone when the next page is asked for.
    let (some, next) = page_of(&all, 2, None);
    assert_eq!(some, all[..2]);
    assert_eq!(page_of(&all[3..], 2, next.clone()).0, all[3..5]);
    // Another route has come before what was seen, and one behind it.
    let [before, behind]: [Target; 2] = [(Some("A"), "x", "y"), (Some("c"), "x", "y")];
    let more = [&[before][..], &all[..4], &[behind], &all[4..]].concat();
    assert_eq!(page_of(&more, 9, next).0, more[3..]);
    let request = PageRequest::new(None, Some("made-up".to_owned())).unwrap();
    assert!(part(all.to_vec(), &request, |target| *target).is_err_and(|problem| problem.code == "paging-invalid"));
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
