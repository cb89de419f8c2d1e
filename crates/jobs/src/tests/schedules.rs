//! Jobs made again and again.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, CatalogFault};
use mainspring_kernel::{Fault, FaultKind};
use mainspring_testservers::on_every_engine;
use serde_json::json;
use tokio::task::JoinSet;

use super::{MINUTE, Room, kind};
use crate::NewSchedule;

on_every_engine!(Catalog: [
    a_schedule_makes_a_job_each_time_it_falls_due,
    a_schedule_whose_job_is_unfinished_makes_no_second_one,
    work_that_was_asked_for_already_is_not_asked_for_twice,
    many_processes_make_one_job,
    putting_a_schedule_again_does_not_put_it_off,
    a_paused_or_removed_schedule_makes_nothing,
]);

fn schedule(every: &str) -> NewSchedule {
    NewSchedule {
        name: kind("nightly"),
        kind: kind("ingest"),
        payload: json!({"knowledge": "manual"}),
        every: every.parse().unwrap(),
        priority: 3,
        paused: false,
    }
}

async fn a_schedule_makes_a_job_each_time_it_falls_due(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.jobs.put_schedule(&room.editor, &schedule("10m")).await.unwrap();
    assert!(room.jobs.run_schedules().await.unwrap().is_empty());
    for _ in 0..3 {
        room.clock.advance(MINUTE * 10);
        let made = room.jobs.run_schedules().await.unwrap();
        assert_eq!(made.len(), 1);
        assert!(room.jobs.run_schedules().await.unwrap().is_empty());
        let lease = room.lease("w").await.unwrap();
        assert_eq!((lease.job.id, lease.job.priority), (made[0], 3));
        assert_eq!(lease.job.payload, json!({"knowledge": "manual"}));
        room.jobs.complete(&lease, &json!(null)).await.unwrap();
    }
    // An hour asleep is one job, not six.
    room.clock.advance(MINUTE * 60);
    assert_eq!(room.jobs.run_schedules().await.unwrap().len(), 1);
    assert!(room.jobs.run_schedules().await.unwrap().is_empty());
}

async fn a_schedule_whose_job_is_unfinished_makes_no_second_one(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.jobs.put_schedule(&room.editor, &schedule("10m")).await.unwrap();
    room.clock.advance(MINUTE * 10);
    let first = room.jobs.run_schedules().await.unwrap();
    room.clock.advance(MINUTE * 10);
    assert_eq!(room.jobs.run_schedules().await.unwrap(), first);
    room.lease("w").await.unwrap();
    assert!(room.lease("w").await.is_none());
}

async fn work_that_was_asked_for_already_is_not_asked_for_twice(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.jobs.put_schedule(&room.editor, &schedule("10m")).await.unwrap();
    let asked = room.jobs.enqueue(&room.job("by hand").deduped_by("nightly")).await.unwrap().id();
    room.clock.advance(MINUTE * 10);
    assert_eq!(room.jobs.run_schedules().await.unwrap(), [asked]);
}

async fn many_processes_make_one_job(catalog: Catalog) {
    let room = Arc::new(Room::over(catalog).await);
    room.jobs.put_schedule(&room.editor, &schedule("10m")).await.unwrap();
    room.clock.advance(MINUTE * 10);
    let mut processes = JoinSet::new();
    for _ in 0..6 {
        let room = room.clone();
        processes.spawn(async move {
            loop {
                match room.jobs.run_schedules().await {
                    Err(fault) if fault.code() == CatalogFault::CONTENTION => {}
                    other => return other.unwrap().len(),
                }
            }
        });
    }
    assert_eq!(processes.join_all().await.into_iter().sum::<usize>(), 1);
    room.lease("w").await.unwrap();
    assert!(room.lease("w").await.is_none());
}

async fn putting_a_schedule_again_does_not_put_it_off(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let first = room.jobs.put_schedule(&room.editor, &schedule("10m")).await.unwrap();
    room.clock.advance(MINUTE * 6);
    let again = room.jobs.put_schedule(&room.editor, &schedule("600s")).await.unwrap();
    assert_eq!((again.next_due, again.created), (first.next_due, first.created));
    let other = room.jobs.put_schedule(&room.editor, &schedule("1h")).await.unwrap();
    assert_eq!(other.next_due.since(first.created), MINUTE * 66);
    assert_eq!(room.jobs.schedules(&room.reader).await.unwrap(), [other]);
}

async fn a_paused_or_removed_schedule_makes_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let fault = room.jobs.put_schedule(&room.reader, &schedule("10m")).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Forbidden);
    let paused = NewSchedule { paused: true, ..schedule("10m") };
    room.jobs.put_schedule(&room.editor, &paused).await.unwrap();
    room.clock.advance(Duration::from_secs(3600));
    assert!(room.jobs.run_schedules().await.unwrap().is_empty());
    assert!(room.jobs.schedules(&room.stranger).await.unwrap().is_empty());
    let fault = room.jobs.remove_schedule(&room.stranger, &kind("nightly")).await.unwrap_err();
    assert_eq!(fault.code(), "job-schedule-not-found");
    room.jobs.remove_schedule(&room.editor, &kind("nightly")).await.unwrap();
    assert!(room.jobs.schedules(&room.reader).await.unwrap().is_empty());
}
