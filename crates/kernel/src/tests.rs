use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;
use serde_json::json;

use crate::{
    actor::{Labels, ModelScope},
    clock::Timestamp,
    digest::{Digest, canonical_json},
    id::{ProjectId, RunId},
    name::{AssetKind, AssetRef, Name, Selector},
    once::Once,
    page::{Page, PageRequest},
    tasks::Tasks,
    text,
};

#[test]
fn an_id_of_another_kind_is_refused() {
    let run = RunId::new(Timestamp::from_micros(1_700_000_000_000_000));
    assert_eq!(run.to_string().parse::<RunId>(), Ok(run));
    assert_eq!(run.to_string().parse::<ProjectId>().unwrap_err().expected, "prj");
}

#[test]
fn ids_sort_by_the_time_they_were_made() {
    let early = RunId::new(Timestamp::from_micros(1_700_000_000_000_000));
    let late = RunId::new(Timestamp::from_micros(1_700_000_000_002_000));
    assert!(early < late);
}

#[track_caller]
fn check_name(text: &str, valid: bool) {
    assert_eq!(text.parse::<Name>().is_ok(), valid, "{text:?}");
}

#[test]
fn names_are_safe_everywhere() {
    check_name("manual", true);
    check_name("all-minilm-l6-v2", true);
    check_name("9lives", true);
    check_name("", false);
    check_name("-flag", false);
    check_name("../etc/passwd", false);
    check_name("Über", false);
    check_name(&"a".repeat(64), false);
}

#[test]
fn a_reference_names_a_version_in_four_ways() {
    let digest = Digest::of(b"x");
    let check = |text: &str, want: Selector| {
        let reference: AssetRef = text.parse().unwrap();
        assert_eq!(reference.selector, want, "{text}");
        assert_eq!(reference.to_string(), text);
    };
    check("answer", Selector::Latest);
    check("answer@production", Selector::Alias("production".parse().unwrap()));
    check("answer@v3", Selector::Number(3));
    check(&format!("answer@{digest}"), Selector::Digest(digest));
    assert!("answer@v0".parse::<AssetRef>().is_err());
    assert!("answer@".parse::<AssetRef>().is_err());
}

#[test]
fn an_unknown_kind_names_the_nearest() {
    let fault = "promt".parse::<AssetKind>().unwrap_err();
    assert_eq!(fault.to_string(), "unknown kind `promt`: did you mean `prompt`?");
}

#[test]
fn canonical_json_ignores_key_order() {
    let a = json!({"b": 1, "a": {"d": [1, 2.5, "é\n"], "c": null}});
    let b = json!({"a": {"c": null, "d": [1, 2.5, "é\n"]}, "b": 1});
    assert_eq!(canonical_json(&a), canonical_json(&b));
    assert_eq!(canonical_json(&a), "{\"a\":{\"c\":null,\"d\":[1,2.5,\"é\\n\"]},\"b\":1}");
}

#[test]
fn framed_parts_do_not_collide() {
    assert_ne!(Digest::of_parts([b"ab".as_slice(), b"c"]), Digest::of_parts([b"a".as_slice(), b"bc"]));
}

#[test]
fn a_page_with_more_behind_it_names_the_next() {
    let request = PageRequest::new(Some(2), None).unwrap();
    let page = Page::from_overfetch(vec![1, 2, 3], &request, |n| *n);
    assert_eq!(page.items, [1, 2]);
    let next = PageRequest::new(Some(2), page.next).unwrap();
    assert_eq!(next.after::<i32>(), Ok(Some(2)));
    assert!(PageRequest::new(Some(2), Some("rubbish!".into())).unwrap().after::<i32>().is_err());
}

#[test]
fn labels_narrow_and_never_widen() {
    let held = Labels::Some(["hr".to_owned(), "eng".to_owned()].into());
    let asked = Labels::Some(["hr".to_owned(), "board".to_owned()].into());
    assert_eq!(held.narrowed_to(&asked), Labels::Some(["hr".to_owned()].into()));
    assert_eq!(held.narrowed_to(&Labels::All), held);
    assert!(held.may_see::<&str>(&[]));
    assert!(!held.may_see(&["board"]));
}

fn scope(names: &[&str]) -> ModelScope {
    ModelScope::Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn a_scope_of_models_allows_what_it_names_and_what_begins_like_its_patterns() {
    let held = scope(&["assistant", "openai/*"]);
    for (model, allowed) in
        [("assistant", true), ("assistant2", false), ("Assistant", false), ("openai/gpt-5", true), ("openai", false), ("", false)]
    {
        assert_eq!(held.allows(model), allowed, "{model}");
    }
    assert!(ModelScope::All.allows("anything") && !scope(&[]).allows("anything"));
    for (wanted, covered) in [
        (scope(&[]), true),
        (scope(&["assistant", "openai/o3", "openai/gpt-*"]), true),
        (scope(&["openai/*"]), true),
        (scope(&["assistant*"]), false),
        (scope(&["open*"]), false),
        (scope(&["*"]), false),
        (ModelScope::All, false),
    ] {
        assert_eq!(held.covers(&wanted), covered, "{wanted:?}");
    }
    assert!(ModelScope::All.covers(&ModelScope::All) && scope(&["*"]).covers(&held));
}

proptest! {
    #[test]
    fn what_is_covered_allows_nothing_more(
        held in proptest::collection::vec("[ab]{0,2}\\*?", 0..3),
        wanted in proptest::collection::vec("[ab]{0,2}\\*?", 0..3),
        model in "[ab]{0,3}",
    ) {
        let [held, wanted] = [held, wanted].map(|names| ModelScope::Some(names.into_iter().collect()));
        prop_assert!(!held.covers(&wanted) || !wanted.allows(&model) || held.allows(&model));
    }
}

#[test]
fn times_are_written_as_rfc_3339() {
    let time = Timestamp::from_micros(1_700_000_000_123_456);
    assert_eq!(time.to_string(), "2023-11-14T22:13:20.123456Z");
    assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
}

#[test]
fn times_of_headers_are_read() {
    let time = Some(Timestamp::from_micros(1_700_000_000_000_000));
    assert_eq!(Timestamp::parse_header("Tue, 14 Nov 2023 22:13:20 GMT"), time);
    assert_eq!(Timestamp::parse_header("Tue, 14 Nov 2023 23:13:20 +0100"), time);
    assert_eq!(Timestamp::parse_header("2023-11-14T22:13:20Z"), None);
}

#[tokio::test]
async fn shutdown_names_the_task_that_does_not_stop() {
    let tasks = Tasks::default();
    tasks.spawn("polite", |stop| async move { stop.requested().await });
    tasks.spawn("stubborn", |_| std::future::pending());
    let unfinished = tasks.shut_down(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(unfinished.names, ["stubborn"]);
}

#[tokio::test]
async fn shutdown_waits_for_what_a_stopping_task_starts() {
    let tasks = Tasks::default();
    let (later, done) = (tasks.clone(), Arc::new(AtomicBool::new(false)));
    let finished = Arc::clone(&done);
    tasks.spawn("room", |stop| async move {
        stop.requested().await;
        later.spawn("writer", |_| async move {
            tokio::task::yield_now().await;
            finished.store(true, Ordering::SeqCst);
        });
        later.spawn("stuck writer", |_| std::future::pending());
    });
    let unfinished = tasks.shut_down(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(unfinished.names, ["stuck writer"]);
    assert!(done.load(Ordering::SeqCst));
}

#[track_caller]
fn check_twice(written: &str, said: &str) {
    let fault = serde_json::from_str::<Once>(written).unwrap_err().to_string();
    assert!(fault.starts_with(said), "{fault}");
}

#[test]
fn a_field_that_stands_twice_is_named_with_its_line_however_deep_it_lies() {
    check_twice("{\"a\": 1,\n \"a\": 2}", "duplicate field `a` at line 2");
    check_twice("{\"list\": [{\"b\": 1},\n\n {\"b\": 1, \"b\": 1}]}", "duplicate field `b` at line 3");
    // The same name, spelt otherwise.
    check_twice(r#"{"a": null, "\u0061": null}"#, "duplicate field `a` at line 1");
}

#[test]
fn what_says_everything_once_reads_as_any_json_does() {
    let written = r#"{"a": {"a": [null, true, -3, 18446744073709551615, 1.5e3, "x\n", {}]}, "b": [], "A": {"a": 0}}"#;
    let Once(read) = serde_json::from_str(written).unwrap();
    assert_eq!(read, serde_json::from_str::<serde_json::Value>(written).unwrap());
    let names: Vec<&String> = read.as_object().unwrap().keys().collect();
    assert_eq!(names, ["a", "b", "A"], "in the order in which they are written");
}

proptest! {
    #[test]
    fn eliding_never_panics_and_never_grows(text in ".{0,200}", max in 0_usize..100) {
        let short = text::elide(&text, max);
        prop_assert!(short.chars().count() <= max.max(1).max(text.chars().count().min(max)));
    }

    #[test]
    fn parsing_outside_text_never_panics(text in ".{0,120}") {
        let _ = text.parse::<RunId>();
        let _ = text.parse::<Digest>();
        let _ = text.parse::<AssetRef>();
        let _ = Timestamp::parse(&text);
        let _ = Timestamp::parse_header(&text);
    }
}
