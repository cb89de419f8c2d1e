//! Leases, fences, retries, keys and cancelling.

use std::{collections::HashSet, sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, CatalogFault, Engine};
use mainspring_kernel::{Clock as _, Fault, FaultKind, PageRequest};
use mainspring_testservers::on_every_engine;
use serde_json::json;
use tokio::task::JoinSet;

use super::{MINUTE, Room, kind};
use crate::{Contest, Enqueued, Job, JobFault, JobFilter, JobState, NewJob, Retry, queue::backoff};

on_every_engine!(Catalog: [
    a_job_is_leased_once_and_completed,
    eight_workers_never_hold_the_same_job,
    a_dead_workers_job_goes_to_another_and_the_dead_one_cannot_write,
    a_heartbeat_keeps_the_lease,
    urgent_jobs_go_first_and_later_ones_wait,
    a_worker_gets_only_kinds_it_knows,
    a_failed_attempt_comes_back_later_until_attempts_run_out,
    a_failure_that_would_repeat_is_final,
    a_job_that_kills_its_workers_is_failed_in_the_end,
    one_unfinished_job_per_key,
    a_key_is_unique_even_when_many_enqueue_at_once,
    a_job_and_a_change_are_made_together_or_not_at_all,
    completing_is_part_of_the_handlers_own_change,
    a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked,
    a_released_job_costs_no_attempt,
    leases_end_at_once_when_no_worker_can_be_alive,
    the_newest_job_of_a_key_is_found_also_when_it_has_ended,
    jobs_are_listed_by_project_and_counted_by_kind,
    ended_jobs_are_forgotten_in_time,
    a_job_that_rests_costs_no_attempt_and_can_be_hastened,
    a_job_that_is_hastened_while_it_is_about_to_rest_does_not_rest,
    a_job_that_rests_hears_that_it_is_cancelled,
    projects_take_turns,
    what_is_too_large_is_refused,
    every_statement_compiles,
]);

async fn get(room: &Room, id: mainspring_kernel::id::JobId) -> Job {
    room.jobs.get(&room.reader, id).await.unwrap()
}

async fn a_job_is_leased_once_and_completed(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.jobs.enqueue(&room.job("a")).await.unwrap().id();
    let lease = room.lease("w1").await.unwrap();
    assert_eq!((lease.job.id, lease.job.attempt, lease.job.state), (id, 1, JobState::Running));
    assert!(room.lease("w2").await.is_none());
    room.jobs.progress(&lease, &json!({"done": 1})).await.unwrap();
    room.jobs.complete(&lease, &json!({"chunks": 7})).await.unwrap();
    let job = get(&room, id).await;
    assert_eq!((job.state, job.result, job.progress), (JobState::Done, Some(json!({"chunks": 7})), Some(json!({"done": 1}))));
    assert!(job.owner.is_none() && job.ended.is_some());
    assert!(room.lease("w2").await.is_none());
    let again = room.jobs.complete(&lease, &json!({})).await.unwrap_err();
    assert_eq!((again.kind(), again.code()), (FaultKind::Conflict, "job-lease-lost"));
}

async fn eight_workers_never_hold_the_same_job(catalog: Catalog) {
    let room = Arc::new(Room::over(catalog).await);
    let mut expected = HashSet::new();
    for number in 0..60 {
        expected.insert(room.jobs.enqueue(&room.job(&number.to_string())).await.unwrap().id());
    }
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        let room = room.clone();
        workers.spawn(async move {
            let mut held = Vec::new();
            while let Some(lease) = room.lease(&format!("w{worker}")).await {
                // Gives the others time to reach for the same job.
                tokio::task::yield_now().await;
                loop {
                    match room.jobs.complete(&lease, &json!({ "worker": worker })).await {
                        Err(fault) if fault.code() == CatalogFault::CONTENTION => {}
                        other => break other.unwrap(),
                    }
                }
                held.push((lease.job.id, lease.job.attempt));
            }
            held
        });
    }
    let held: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(held.len(), 60, "a job was held twice");
    assert!(held.iter().all(|(_, attempt)| *attempt == 1));
    assert_eq!(held.into_iter().map(|(id, _)| id).collect::<HashSet<_>>(), expected);
}

async fn a_dead_workers_job_goes_to_another_and_the_dead_one_cannot_write(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.jobs.enqueue(&room.job("a")).await.unwrap().id();
    let mut dead = room.lease("w1").await.unwrap();
    room.clock.advance(MINUTE - Duration::from_secs(1));
    assert!(room.lease("w2").await.is_none());
    room.clock.advance(Duration::from_secs(2));
    let alive = room.lease("w2").await.unwrap();
    assert_eq!((alive.job.id, alive.job.attempt), (id, 2));
    assert!(alive.fence > dead.fence);
    for fault in [
        room.jobs.heartbeat(&mut dead).await.map(drop).unwrap_err(),
        room.jobs.progress(&dead, &json!({})).await.unwrap_err(),
        room.jobs.complete(&dead, &json!({})).await.unwrap_err(),
        room.jobs.fail(&dead, "late", Retry::Never).await.map(drop).unwrap_err(),
        room.jobs.release(&dead).await.unwrap_err(),
    ] {
        assert!(matches!(fault, JobFault::LeaseLost { .. }), "{fault:?}");
    }
    room.jobs.complete(&alive, &json!({"by": "w2"})).await.unwrap();
    assert_eq!(get(&room, id).await.result, Some(json!({"by": "w2"})));
}

async fn a_heartbeat_keeps_the_lease(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.jobs.enqueue(&room.job("a")).await.unwrap();
    let mut lease = room.lease("w1").await.unwrap();
    for _ in 0..5 {
        room.clock.advance(MINUTE / 2);
        assert!(!room.jobs.heartbeat(&mut lease).await.unwrap());
        assert!(room.lease("w2").await.is_none());
    }
    room.jobs.complete(&lease, &json!(null)).await.unwrap();
}

async fn urgent_jobs_go_first_and_later_ones_wait(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let first = room.jobs.enqueue(&room.job("first")).await.unwrap().id();
    let second = room.jobs.enqueue(&room.job("second")).await.unwrap().id();
    let urgent = room.jobs.enqueue(&room.job("urgent").with_priority(5)).await.unwrap().id();
    let later = super::start().plus(MINUTE);
    let later = room.jobs.enqueue(&room.job("later").with_priority(9).due_at(later)).await.unwrap().id();
    let mut order = Vec::new();
    while let Some(lease) = room.lease("w").await {
        order.push(lease.job.id);
    }
    assert_eq!(order, [urgent, first, second]);
    room.clock.advance(MINUTE);
    assert_eq!(room.lease("w").await.unwrap().job.id, later);
}

async fn a_worker_gets_only_kinds_it_knows(catalog: Catalog) {
    let room = Room::over(catalog).await;
    // `_` must not stand for any character, nor one kind for another that contains it.
    for name in ["ingest-2", "axb", "re.index"] {
        room.jobs.enqueue(&NewJob::new(kind(name), json!({}))).await.unwrap();
    }
    let lease = async |kinds: &[&str]| {
        let kinds: Vec<_> = kinds.iter().map(|name| kind(name)).collect();
        room.jobs.lease("w", &kinds, MINUTE).await.unwrap().map(|lease| lease.job.kind.to_string())
    };
    assert_eq!(lease(&["ingest", "a_b", "index"]).await, None);
    assert_eq!(lease(&[]).await, None);
    assert_eq!(lease(&["a_b", "axb", "other"]).await.as_deref(), Some("axb"));
    assert_eq!(lease(&["ingest-2", "none"]).await.as_deref(), Some("ingest-2"));
    assert_eq!(lease(&["re.index"]).await.as_deref(), Some("re.index"));
}

async fn a_failed_attempt_comes_back_later_until_attempts_run_out(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.jobs.enqueue(&room.job("a").with_attempts(3)).await.unwrap().id();
    for attempt in 1..=3 {
        let lease = room.lease("w").await.unwrap();
        assert_eq!(lease.job.attempt, attempt);
        let state = room.jobs.fail(&lease, "the source\0 is away", Retry::Later).await.unwrap();
        assert_eq!(state, if attempt < 3 { JobState::Queued } else { JobState::Failed });
        assert!(room.lease("w").await.is_none(), "it came back at once");
        room.clock.advance(Duration::from_secs(700));
    }
    let job = get(&room, id).await;
    assert_eq!(job.error.as_deref(), Some("the source\u{fffd} is away"));
    assert!(job.ended.is_some());
    assert!(room.lease("w").await.is_none());
}

async fn a_failure_that_would_repeat_is_final(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.jobs.enqueue(&room.job("a")).await.unwrap();
    let lease = room.lease("w").await.unwrap();
    assert_eq!(room.jobs.fail(&lease, "no such knowledge", Retry::Never).await.unwrap(), JobState::Failed);
}

async fn a_job_that_kills_its_workers_is_failed_in_the_end(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.jobs.enqueue(&room.job("poison").with_attempts(2)).await.unwrap().id();
    for _ in 0..2 {
        room.lease("w").await.unwrap();
        room.clock.advance(MINUTE * 2);
    }
    assert!(room.lease("w").await.is_none());
    let job = get(&room, id).await;
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.error.as_deref(), Some("the worker died in the last attempt"));
}

async fn one_unfinished_job_per_key(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let keyed = || room.job("a").deduped_by("manual");
    let first = room.jobs.enqueue(&keyed()).await.unwrap();
    assert!(matches!(first, Enqueued::New(_)));
    assert_eq!(room.jobs.enqueue(&keyed()).await.unwrap(), Enqueued::Already(first.id()));
    let lease = room.lease("w").await.unwrap();
    assert_eq!(room.jobs.enqueue(&keyed()).await.unwrap(), Enqueued::Already(first.id()));
    // Another project or kind with the same key is other work.
    let elsewhere = keyed().in_project(room.stranger.project);
    assert!(matches!(room.jobs.enqueue(&elsewhere).await.unwrap(), Enqueued::New(_)));
    let other = NewJob { kind: kind("compact"), ..keyed() };
    assert!(matches!(room.jobs.enqueue(&other).await.unwrap(), Enqueued::New(_)));
    room.jobs.complete(&lease, &json!(null)).await.unwrap();
    assert!(matches!(room.jobs.enqueue(&keyed()).await.unwrap(), Enqueued::New(_)));
}

async fn a_key_is_unique_even_when_many_enqueue_at_once(catalog: Catalog) {
    let room = Arc::new(Room::over(catalog).await);
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let room = room.clone();
        callers.spawn(async move {
            loop {
                match room.jobs.enqueue(&room.job("a").deduped_by("same")).await {
                    Err(fault) if fault.code() == CatalogFault::CONTENTION => {}
                    other => return other.unwrap(),
                }
            }
        });
    }
    let outcomes = callers.join_all().await;
    let ids: HashSet<_> = outcomes.iter().map(|outcome| outcome.id()).collect();
    assert_eq!(ids.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Enqueued::New(_))).count(), 1);
}

async fn a_job_and_a_change_are_made_together_or_not_at_all(catalog: Catalog) {
    let room = Room::over(catalog.clone()).await;
    let mut tx = catalog.begin().await.unwrap();
    room.jobs.enqueue_in(&mut tx, &room.job("lost")).await.unwrap();
    drop(tx);
    assert!(room.lease("w").await.is_none());
    let mut tx = catalog.begin().await.unwrap();
    room.jobs.enqueue_in(&mut tx, &room.job("kept")).await.unwrap();
    tx.commit().await.unwrap();
    assert!(room.lease("w").await.is_some());
}

async fn completing_is_part_of_the_handlers_own_change(catalog: Catalog) {
    let room = Room::over(catalog.clone()).await;
    let id = room.jobs.enqueue(&room.job("a")).await.unwrap().id();
    let lease = room.lease("w").await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    room.jobs.complete_in(&mut tx, &lease, &json!({})).await.unwrap();
    drop(tx);
    assert_eq!(get(&room, id).await.state, JobState::Running);
    let mut tx = catalog.begin().await.unwrap();
    room.jobs.complete_in(&mut tx, &lease, &json!({})).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(get(&room, id).await.state, JobState::Done);
}

async fn a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (a, b) = (room.job("a"), room.job("b"));
    let queued = room.jobs.enqueue(&a).await.unwrap().id();
    assert_eq!(room.jobs.cancel(&room.reader, queued).await.unwrap_err().kind(), FaultKind::Forbidden);
    assert_eq!(room.jobs.cancel(&room.stranger, queued).await.unwrap_err().code(), "job-not-found");
    room.jobs.cancel(&room.editor, queued).await.unwrap();
    assert_eq!(get(&room, queued).await.state, JobState::Cancelled);
    assert_eq!(room.jobs.cancel(&room.editor, queued).await.unwrap_err().code(), "job-ended");
    let running = room.jobs.enqueue(&b).await.unwrap().id();
    let mut lease = room.lease("w").await.unwrap();
    assert!(!room.jobs.heartbeat(&mut lease).await.unwrap());
    room.jobs.cancel(&room.editor, running).await.unwrap();
    assert!(room.jobs.heartbeat(&mut lease).await.unwrap());
    assert_eq!(room.jobs.fail(&lease, "stopped", Retry::Later).await.unwrap(), JobState::Cancelled);
    // A worker that dies while asked to stop does not bring the job back.
    let ghost = room.jobs.enqueue(&room.job("c")).await.unwrap().id();
    room.lease("w").await.unwrap();
    room.jobs.cancel(&room.editor, ghost).await.unwrap();
    room.clock.advance(MINUTE * 2);
    assert!(room.lease("w").await.is_none());
    assert_eq!(get(&room, ghost).await.state, JobState::Cancelled);
}

async fn a_released_job_costs_no_attempt(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.jobs.enqueue(&room.job("a").with_attempts(1)).await.unwrap();
    let lease = room.lease("w1").await.unwrap();
    room.jobs.release(&lease).await.unwrap();
    let lease = room.lease("w2").await.unwrap();
    assert_eq!(lease.job.attempt, 1);
}

async fn leases_end_at_once_when_no_worker_can_be_alive(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.jobs.enqueue(&room.job("a").with_attempts(2)).await.unwrap();
    let dead = room.lease("dead").await.unwrap();
    assert!(room.lease("other").await.is_none());
    assert_eq!(room.jobs.end_leases().await.unwrap(), 1);
    let next = room.lease("other").await.unwrap();
    assert_eq!((next.job.id, next.job.attempt), (dead.job.id, 2));
    assert_eq!(room.jobs.complete(&dead, &json!(null)).await.unwrap_err().code(), "job-lease-lost");
    // One that killed every worker it had is not given out again.
    room.jobs.end_leases().await.unwrap();
    assert!(room.lease("third").await.is_none());
    assert_eq!(get(&room, dead.job.id).await.state, JobState::Failed);
}

async fn the_newest_job_of_a_key_is_found_also_when_it_has_ended(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let latest = async |key: &str| room.jobs.latest(&room.reader, &kind("ingest"), key).await.unwrap();
    assert!(latest("manual").await.is_none());
    for number in 0..2 {
        let id = room.jobs.enqueue(&room.job(&number.to_string()).deduped_by("manual")).await.unwrap().id();
        let lease = room.lease("w").await.unwrap();
        room.jobs.fail(&lease, "no", Retry::Never).await.unwrap();
        let found = latest("manual").await.unwrap();
        assert_eq!((found.id, found.state, found.error.as_deref()), (id, JobState::Failed, Some("no")));
    }
    assert!(latest("other").await.is_none());
    assert!(room.jobs.latest(&room.stranger, &kind("ingest"), "manual").await.unwrap().is_none());
}

async fn jobs_are_listed_by_project_and_counted_by_kind(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(room.jobs.enqueue(&room.job(name)).await.unwrap().id());
    }
    room.jobs.enqueue(&NewJob::new(kind("upkeep"), json!({}))).await.unwrap();
    let first = PageRequest::new(Some(2), None).unwrap();
    let page = room.jobs.list(&room.reader, &JobFilter::default(), &first).await.unwrap();
    assert_eq!(page.items.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
    let second = PageRequest::new(Some(2), page.next).unwrap();
    let page = room.jobs.list(&room.reader, &JobFilter::default(), &second).await.unwrap();
    assert_eq!(page.items.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[0]]);
    assert!(page.next.is_none());
    room.lease("w").await.unwrap();
    let running = JobFilter { state: Some(JobState::Running), kind: Some(kind("ingest")) };
    let page = room.jobs.list(&room.reader, &running, &PageRequest::first(9)).await.unwrap();
    assert_eq!(page.items.len(), 1);
    let theirs = room.jobs.list(&room.stranger, &JobFilter::default(), &PageRequest::first(9)).await.unwrap();
    assert!(theirs.items.is_empty());
    assert_eq!(room.jobs.get(&room.stranger, ids[0]).await.unwrap_err().code(), "job-not-found");
    let counts: Vec<(String, JobState, u64)> =
        room.jobs.counts().await.unwrap().into_iter().map(|count| (count.kind.to_string(), count.state, count.count)).collect();
    let expected = [("ingest", JobState::Queued, 2), ("ingest", JobState::Running, 1), ("upkeep", JobState::Queued, 1)];
    assert_eq!(counts, expected.map(|(kind, state, count)| (kind.to_owned(), state, count)));
}

async fn a_job_that_rests_costs_no_attempt_and_can_be_hastened(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.jobs.enqueue(&room.job("a").deduped_by("key")).await.unwrap().id();
    for round in 0..3 {
        let lease = room.lease("w1").await.unwrap();
        assert_eq!((lease.job.id, lease.job.attempt), (id, 1), "round {round}");
        let due = room.clock.now().plus(MINUTE);
        assert_eq!(room.jobs.fail(&lease, "nothing to do", Retry::At(due)).await.unwrap(), JobState::Queued);
        assert_eq!((get(&room, id).await.due, get(&room, id).await.error), (due, None));
        assert!(room.lease("w2").await.is_none(), "not before its moment");
        if round == 0 {
            room.clock.advance(MINUTE);
        } else {
            room.jobs.hasten(room.stranger.project, &kind("ingest"), "key").await.unwrap();
            assert!(room.lease("w2").await.is_none(), "the key of another project");
            room.jobs.hasten(room.editor.project, &kind("ingest"), "key").await.unwrap();
        }
        assert_eq!(room.jobs.rest(&lease, due).await.unwrap_err().code(), "job-lease-lost");
    }
}

async fn a_job_that_is_hastened_while_it_is_about_to_rest_does_not_rest(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.jobs.enqueue(&room.job("a").deduped_by("key")).await.unwrap().id();
    let lease = room.lease("w1").await.unwrap();
    room.jobs.hasten(room.editor.project, &kind("ingest"), "key").await.unwrap();
    let due = room.clock.now().plus(MINUTE);
    room.jobs.rest(&lease, due).await.unwrap();
    assert!(get(&room, id).await.due <= room.clock.now());
    let lease = room.lease("w1").await.expect("what it waited for may have come");
    room.jobs.rest(&lease, due).await.unwrap();
    assert_eq!(get(&room, id).await.due, due, "it is hastened once");
}

async fn a_job_that_rests_hears_that_it_is_cancelled(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.jobs.enqueue(&room.job("a").deduped_by("key")).await.unwrap().id();
    let lease = room.lease("w1").await.unwrap();
    room.jobs.cancel(&room.editor, id).await.unwrap();
    room.jobs.rest(&lease, room.clock.now().plus(MINUTE)).await.unwrap();
    let mut again = room.lease("w1").await.expect("it is due still");
    assert!(room.jobs.heartbeat(&mut again).await.unwrap());
    let state = async || room.jobs.latest_state(room.editor.project, &kind("ingest"), "key").await.unwrap();
    assert_eq!(state().await, Some(JobState::Running));
    room.jobs.fail(&again, "heeded", Retry::Never).await.unwrap();
    assert_eq!(state().await, Some(JobState::Cancelled));
}

async fn projects_take_turns(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for name in ["a", "b", "c"] {
        room.jobs.enqueue(&room.job(name)).await.unwrap();
    }
    let theirs = room.job("d").in_project(room.stranger.project);
    room.jobs.enqueue(&theirs).await.unwrap();
    let mut leased = Vec::new();
    for _ in 0..2 {
        leased.push(room.lease("w").await.unwrap().job.payload["name"].clone());
    }
    assert_eq!(leased, [json!("a"), json!("d")], "the other project has none under way, and so goes before what is older");
    let contest = async |project| room.jobs.contest(&kind("ingest"), project).await.unwrap();
    assert_eq!(contest(room.editor.project).await, Some(Contest { theirs: 1, ours: 1 }));
    room.lease("w").await.unwrap();
    assert_eq!(contest(room.stranger.project).await, Some(Contest { theirs: 2, ours: 1 }));
    room.lease("w").await.unwrap();
    assert_eq!(contest(room.editor.project).await, None, "nothing waits");
    assert_eq!(room.jobs.under_way(&kind("ingest")).await.unwrap(), 4);
    assert_eq!(room.jobs.under_way(&kind("other")).await.unwrap(), 0);
}

async fn ended_jobs_are_forgotten_in_time(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let old = room.jobs.enqueue(&room.job("old")).await.unwrap().id();
    let lease = room.lease("w").await.unwrap();
    room.jobs.complete(&lease, &json!(null)).await.unwrap();
    room.clock.advance(MINUTE * 10);
    let new = room.jobs.enqueue(&room.job("new")).await.unwrap().id();
    let lease = room.lease("w").await.unwrap();
    room.jobs.complete(&lease, &json!(null)).await.unwrap();
    room.jobs.keep_up_once(MINUTE * 5).await.unwrap();
    assert_eq!(room.jobs.get(&room.reader, old).await.unwrap_err().code(), "job-not-found");
    assert_eq!(get(&room, new).await.state, JobState::Done);
}

async fn what_is_too_large_is_refused(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let big = json!("x".repeat(300_000));
    let fault = room.jobs.enqueue(&NewJob::new(kind("ingest"), big.clone())).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::TooLarge, "job-too-large"));
    let fault = room.jobs.enqueue(&room.job("a").deduped_by("x".repeat(600))).await.unwrap_err();
    assert_eq!(fault.code(), "job-too-large");
    room.jobs.enqueue(&room.job("a")).await.unwrap();
    let lease = room.lease("w").await.unwrap();
    assert_eq!(room.jobs.progress(&lease, &big).await.unwrap_err().code(), "job-too-large");
    assert_eq!(room.jobs.complete(&lease, &big).await.unwrap_err().code(), "job-too-large");
}

async fn every_statement_compiles(catalog: Catalog) {
    let mut statements = crate::store::STATEMENTS.concat();
    if catalog.engine() == Engine::Postgres {
        statements.extend(crate::store::POSTGRES_STATEMENTS);
    }
    let failed = mainspring_catalog::testing::prepare_all(&catalog, &statements).await;
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn pauses_double_up_to_ten_minutes_with_jitter() {
    for (attempt, full) in [(1, 2), (2, 4), (3, 8), (9, 512), (10, 600), (200, 600)] {
        for _ in 0..50 {
            let pause = backoff(attempt);
            let full = Duration::from_secs(full);
            assert!(pause <= full && pause >= full / 2, "attempt {attempt}: {pause:?}");
        }
    }
}
