//! Batches that end before their lines do.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_jobs::JobFilter;
use mainspring_kernel::{Actor, PageRequest, Role, Stop};
use mainspring_testservers::on_every_engine;
use serde_json::Value;

use super::{CONCURRENCY, DAY, Room, code, labels, lines, names};
use crate::{Batch, Status};

on_every_engine!(Catalog: [
    a_cancelled_batch_keeps_what_it_has,
    a_batch_that_is_cancelled_before_it_begins_asks_nothing,
    whoever_cancels_its_job_cancels_the_batch,
    what_its_window_leaves_undone_is_said_line_by_line,
    a_revoked_key_ends_its_batch,
    a_narrower_key_asks_with_what_it_has_left,
    a_damaged_file_ends_its_batch,
]);

/// Runs the batch until three lines are answered, does what is to be done, and lets it come to its end.
async fn in_the_middle(room: &Room, batch: &Batch, change: impl AsyncFnOnce()) -> Batch {
    room.answers.only(3);
    let (worker, stop) = (room.runner.worker("test"), Stop::never());
    let middle = async {
        room.until_answered(batch.id, 3).await;
        room.until_asked(3 + CONCURRENCY).await;
        change().await;
        // It looks once a second.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        room.answers.gate.add_permits(10_000);
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), middle);
    assert!(ran.unwrap());
    room.get(batch.id).await
}

/// Those three, and what was under way.
const ANSWERED: u64 = 3 + CONCURRENCY as u64;

async fn a_cancelled_batch_keeps_what_it_has(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(50)).await;
    let cancelled = in_the_middle(&room, &batch, async || {
        let now = room.batches.cancel(&room.actor, batch.id).await.unwrap();
        assert_eq!(now.status, Status::Cancelling);
        room.batches.cancel(&room.actor, batch.id).await.unwrap();
    })
    .await;
    assert_eq!((cancelled.status, cancelled.counts.completed, cancelled.counts.failed), (Status::Cancelled, ANSWERED, 0));
    assert!(cancelled.cancelling.is_some() && cancelled.written(false).is_none());
    assert_eq!(room.written(&cancelled, true).await.len() as u64, ANSWERED);
    assert_eq!(room.answers.asked().len() as u64, ANSWERED, "what was under way had its answer, nothing else was asked");
    let whole = room.batch_of(&lines(1)).await;
    room.work().await;
    assert_eq!(code(room.batches.cancel(&room.actor, whole.id).await), "batch-ended");
}

async fn a_batch_that_is_cancelled_before_it_begins_asks_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(5)).await;
    room.batches.cancel(&room.actor, batch.id).await.unwrap();
    room.work().await;
    let batch = room.get(batch.id).await;
    assert_eq!((batch.status, batch.counts.total), (Status::Cancelled, 5));
    assert!(room.answers.asked().is_empty() && batch.written(true).is_none());
}

async fn whoever_cancels_its_job_cancels_the_batch(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(50)).await;
    let editor = Actor { role: Role::Editor, ..room.actor.clone() };
    room.answers.only(3);
    let worker = room.runner.worker("test").lease(Duration::from_millis(300));
    let stop = Stop::never();
    let middle = async {
        room.until_answered(batch.id, 3).await;
        let jobs = room.jobs.list(&editor, &JobFilter::default(), &PageRequest::first(5)).await.unwrap();
        room.jobs.cancel(&editor, jobs.items[0].id).await.unwrap();
        while room.get(batch.id).await.status != Status::Cancelling {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        room.answers.gate.add_permits(10_000);
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), middle);
    assert!(ran.unwrap());
    assert_eq!(room.get(batch.id).await.status, Status::Cancelled);
}

async fn what_its_window_leaves_undone_is_said_line_by_line(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(300)).await;
    let expired = in_the_middle(&room, &batch, async || room.clock.advance(2 * DAY)).await;
    assert_eq!((expired.status, expired.counts.completed, expired.counts.failed), (Status::Expired, ANSWERED, 300 - ANSWERED));
    let undone = room.written(&expired, false).await;
    assert!(undone.iter().all(|line| line["error"]["code"] == "batch_expired" && line["response"] == Value::Null));
    let all: Vec<Value> = [room.written(&expired, true).await, undone].concat();
    assert_eq!(names(&all), super::expected(300), "every line has its word");
    assert_eq!(room.answers.asked().len() as u64, ANSWERED);
}

async fn a_revoked_key_ends_its_batch(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(50)).await;
    let failed = in_the_middle(&room, &batch, async || *room.keys.0.lock().unwrap() = None).await;
    assert_eq!((failed.status, failed.counts.completed), (Status::Failed, ANSWERED));
    assert_eq!(failed.errors.len(), 1);
    assert_eq!(failed.errors[0].code, "identity-key-revoked");
    assert_eq!(room.written(&failed, true).await.len() as u64, ANSWERED, "what it has is kept");
    assert_eq!(room.answers.asked().len() as u64, ANSWERED);
}

async fn a_narrower_key_asks_with_what_it_has_left(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(3)).await;
    // It may do more in one way now, and less in another: a batch gains nothing.
    let now = Actor { role: Role::Admin, labels: labels(&["board"]), ..room.actor.clone() };
    *room.keys.0.lock().unwrap() = Some(now);
    room.work().await;
    assert_eq!(room.get(batch.id).await.status, Status::Completed);
    let asked = room.answers.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|(_, actor)| actor.role == Role::Reader && actor.labels == labels(&[])), "{asked:?}");
}

async fn a_damaged_file_ends_its_batch(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(3)).await;
    for (digest, _) in room.blobs.list(10).await.unwrap() {
        room.blobs.delete(&digest).await.unwrap();
    }
    room.work().await;
    let batch = room.get(batch.id).await;
    assert_eq!((batch.status, batch.errors[0].code.as_str()), (Status::Failed, "input_unreadable"));
}
