//! Stores that are away for a moment, at each step, and leases that are lost: nothing is asked twice, and nothing is lost.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_jobs::JobFilter;
use mainspring_kernel::{Actor, PageRequest, Role, Stop};
use mainspring_testservers::on_every_engine;
use serde_json::Value;

use super::{CONCURRENCY, DAY, GRACE, Room, bad, code, expected, lines, names};
use crate::{Again, LineReply, Status, results::PACK, trip::Step};

on_every_engine!(Catalog: [
    a_store_that_is_away_for_a_moment_costs_no_line,
    a_fault_while_a_batch_goes_to_rest_costs_no_line,
    a_fault_while_what_expired_is_said_costs_no_line,
    a_cancel_that_fails_is_done_again,
    blobs_that_are_away_cost_no_line,
    a_file_that_is_gone_half_way_keeps_what_was_answered,
    answers_outlive_a_lost_lease,
    whoever_gets_the_lease_again_goes_on_with_lines_under_way,
    what_comes_late_of_a_batch_that_ended_elsewhere_is_let_go,
]);

/// So many lines that some are packed before the end.
const LINES: usize = PACK + 40;

pub(super) fn once_each(room: &Room) -> bool {
    let mut asked = room.answers.asked();
    let all = asked.len();
    asked.sort_unstable();
    asked.dedup();
    asked.len() == all
}

async fn a_store_that_is_away_for_a_moment_costs_no_line(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for step in [
        Step::Find,
        Step::Begin,
        Step::ReadInput,
        Step::Announce,
        Step::Commit,
        Step::Committed,
        Step::Pack,
        Step::Packed,
        Step::Finalize,
        Step::End,
    ] {
        room.answers.asked.lock().unwrap().clear();
        let batch = room.batch_of(&lines(LINES)).await;
        room.batches.faults().lock().unwrap().push(step);
        let ended = room.work_to_the_end(batch.id).await;
        assert!(room.batches.faults().lock().unwrap().is_empty(), "{step:?} was not come upon");
        let counts = (ended.counts.completed, ended.counts.failed);
        assert_eq!((ended.status, counts), (Status::Completed, (LINES as u64, 0)), "{step:?}");
        assert_eq!(names(&room.written(&ended, true).await), expected(LINES), "{step:?}");
        assert!(once_each(&room) && room.answers.asked().len() == LINES, "{step:?}: {}", room.answers.asked().len());
        assert_eq!(room.runner.open(), 0, "{step:?}");
    }
}

async fn a_fault_while_a_batch_goes_to_rest_costs_no_line(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let limited = || LineReply { again: Some(Again::Limit(Duration::from_secs(60))), ..bad(429) };
    room.answers.say(move |body, times| if body["n"] == 2 && times == 1 { limited() } else { super::fine(body) });
    let batch = room.batch_of(&lines(3)).await;
    room.batches.faults().lock().unwrap().extend([Step::Rest, Step::Rest]);
    room.work().await;
    assert!(room.batches.faults().lock().unwrap().is_empty() && room.get(batch.id).await.rest.is_some());
    let ended = room.work_to_the_end(batch.id).await;
    assert_eq!((ended.counts.completed, room.answers.asked().len()), (3, 4));
}

async fn a_fault_while_what_expired_is_said_costs_no_line(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(150)).await;
    room.clock.advance(2 * DAY);
    room.batches.faults().lock().unwrap().extend([Step::Commit, Step::Committed, Step::Pack]);
    let ended = room.work_to_the_end(batch.id).await;
    assert_eq!((ended.status, ended.counts.failed), (Status::Expired, 150));
    assert_eq!(names(&room.written(&ended, false).await), expected(150));
    assert!(room.answers.asked().is_empty());
}

async fn a_cancel_that_fails_is_done_again(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(50)).await;
    let editor = Actor { role: Role::Editor, ..room.actor.clone() };
    room.answers.only(3);
    let (worker, stop) = (room.runner.worker("test").lease(Duration::from_millis(300)), Stop::never());
    let middle = async {
        room.until_answered(batch.id, 3).await;
        room.until_asked(3 + CONCURRENCY).await;
        room.batches.faults().lock().unwrap().push(Step::Cancel);
        let jobs = room.jobs.list(&editor, &JobFilter::default(), &PageRequest::first(5)).await.unwrap();
        room.jobs.cancel(&editor, jobs.items[0].id).await.unwrap();
        while room.get(batch.id).await.status != Status::Cancelling {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        room.answers.gate.add_permits(10_000);
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), middle);
    assert!(ran.unwrap() && room.batches.faults().lock().unwrap().is_empty());
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.counts.completed), (Status::Cancelled, 3 + CONCURRENCY as u64));
    assert_eq!(room.written(&ended, true).await.len(), 3 + CONCURRENCY);
}

/// The real store: a file stands where its folder was.
async fn blobs_that_are_away_cost_no_line(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(LINES)).await;
    let (blobs, aside) = (room.folder().join("sha256"), room.folder().join("aside"));
    room.answers.only(PACK - 10);
    let (worker, stop) = (room.runner.worker("test"), Stop::never());
    let middle = async {
        room.until_answered(batch.id, PACK as u64 - 10).await;
        std::fs::rename(&blobs, &aside).unwrap();
        std::fs::write(&blobs, b"in the way").unwrap();
        room.answers.gate.add_permits(10_000);
        // A pack is full by then, and nobody takes it.
        room.until_answered(batch.id, PACK as u64).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = room.get(batch.id).await;
        assert_eq!(now.status, Status::InProgress, "it waits, and does not fail");
        assert!(room.results(batch.id, true, (0, 10_000)).await.len() as u64 >= now.counts.completed, "what there is is read");
        std::fs::remove_file(&blobs).unwrap();
        std::fs::rename(&aside, &blobs).unwrap();
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), middle);
    assert!(ran.unwrap());
    let ended = room.work_to_the_end(batch.id).await;
    assert_eq!((ended.status, ended.counts.completed), (Status::Completed, LINES as u64));
    assert_eq!(names(&room.written(&ended, true).await), expected(LINES));
    assert!(once_each(&room));
}

async fn a_file_that_is_gone_half_way_keeps_what_was_answered(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(50)).await;
    room.answers.only(3);
    {
        let (worker, stop) = (room.runner.worker("test"), Stop::never());
        tokio::select! {
            ended = worker.run_one(&stop) => panic!("it ended: {ended:?}"),
            () = async { room.until_answered(batch.id, 3).await; room.until_asked(3 + CONCURRENCY).await } => {}
        }
    }
    for (digest, _) in room.blobs.list(10).await.unwrap() {
        room.blobs.delete(&digest).await.unwrap();
    }
    room.jobs.end_leases().await.unwrap();
    room.clock.advance(Duration::from_secs(1));
    room.answers.gate.add_permits(10_000);
    room.work().await;
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.errors[0].code.as_str()), (Status::Failed, "input_unreadable"));
    // Lines that were under way have been paid for.
    assert_eq!(ended.counts.completed, 3 + CONCURRENCY as u64);
    assert_eq!(room.written(&ended, true).await.len(), 3 + CONCURRENCY);
}

/// Asks three lines and gets their answers, and has as many more under way as may be; then nobody works at it any longer.
pub(super) async fn lose_the_lease(room: &Room, count: usize) -> crate::Batch {
    let batch = room.batch_of(&lines(count)).await;
    room.answers.only(3);
    let (worker, stop) = (room.runner.worker("loses"), Stop::never());
    tokio::select! {
        ended = worker.run_one(&stop) => panic!("it ended: {ended:?}"),
        () = async { room.until_answered(batch.id, 3).await; room.until_asked(3 + CONCURRENCY).await } => {}
    }
    room.jobs.end_leases().await.unwrap();
    room.clock.advance(Duration::from_secs(1));
    assert_eq!(room.runner.open(), 1);
    batch
}

async fn answers_outlive_a_lost_lease(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = lose_the_lease(&room, 30).await;
    room.answers.gate.add_permits(10_000);
    // The catalog is away at first, too.
    room.batches.faults().lock().unwrap().push(Step::Commit);
    while room.get(batch.id).await.counts.completed < 3 + CONCURRENCY as u64 {
        room.runner.write_what_came().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while room.runner.open() > 0 {
        room.runner.write_what_came().await;
    }
    assert_eq!(room.answers.asked().len(), 3 + CONCURRENCY, "no further line is begun without a lease");
    // Whoever has the lease next finds them, once no call of this process can be under way.
    let elsewhere = room.another();
    assert!(elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap());
    room.clock.advance(GRACE);
    assert!(elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap());
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.counts.completed), (Status::Completed, 30));
    assert!(once_each(&room));
}

async fn whoever_gets_the_lease_again_goes_on_with_lines_under_way(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = lose_the_lease(&room, 30).await;
    let going_on = async {
        // The lines that were under way still are, and no others come on top of them.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(room.answers.asked().len(), 3 + CONCURRENCY);
        room.answers.gate.add_permits(10_000);
    };
    let (worker, stop) = (room.runner.worker("again"), Stop::never());
    let (ran, ()) = tokio::join!(worker.run_one(&stop), going_on);
    assert!(ran.unwrap());
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.counts.completed), (Status::Completed, 30));
    assert_eq!(names(&room.written(&ended, true).await), expected(30));
    assert!(once_each(&room) && room.runner.open() == 0);
}

async fn what_comes_late_of_a_batch_that_ended_elsewhere_is_let_go(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = lose_the_lease(&room, 10).await;
    let elsewhere = room.another();
    let (worker, stop) = (elsewhere.worker("elsewhere"), Stop::never());
    // It waits for as long as they may take, and nothing comes of them meanwhile.
    assert!(worker.run_one(&stop).await.unwrap());
    room.clock.advance(GRACE);
    let going_on = async {
        room.until_asked(3 + 2 * CONCURRENCY).await;
        room.answers.gate.add_permits(10_000);
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), going_on);
    assert!(ran.unwrap());
    let ended = room.get(batch.id).await;
    while room.runner.open() > 0 {
        room.runner.write_what_came().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(room.get(batch.id).await, ended, "nothing is added after the end");
    let written: Vec<Value> = room.written(&ended, true).await;
    assert_eq!(names(&written), expected(10), "every line has one result");
    assert_eq!(code(room.batches.commit(batch.id, &[]).await), "batch-stale");
}
