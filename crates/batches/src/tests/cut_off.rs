//! Processes that lose the catalog while they have a batch, and those that take it up meanwhile.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use mainspring_catalog::Catalog;
use mainspring_kernel::{Clock as _, Stop, id::BatchId};
use mainspring_testservers::on_every_engine;

use super::{
    CONCURRENCY, GRACE, Room, Scripted, expected,
    faults::{lose_the_lease, once_each},
    line, lines, names,
};
use crate::{Endpoint, Runner, Status, lines as reading, live::Open};

on_every_engine!(Catalog: [
    what_a_process_may_still_be_asking_is_left_to_it_for_as_long_as_that_can_take,
    what_a_process_never_writes_is_asked_again_when_its_time_is_over,
    who_starts_again_waits_for_nobody,
    who_was_cut_off_is_told_and_asks_nothing_that_it_had_not_said,
    a_batch_whose_window_closes_meanwhile_ends_in_time,
    a_line_that_gets_its_place_too_late_is_not_asked,
]);

/// So many lines are written down at once as asked.
const SAID: u64 = 64;
const LINES: usize = 100;
/// What the first process has asked when it is cut off.
const ASKED: usize = 3 + CONCURRENCY;

/// Another process takes up what the first has lost. Answers those of the lines that are left to that.
async fn taken_up(room: &Room, batch: &crate::Batch, elsewhere: &Runner) {
    let taken = room.clock.now();
    room.answers.gate.add_permits(10_000);
    assert!(elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap());
    let mut others = room.answers.asked().split_off(ASKED);
    others.sort_unstable();
    assert_eq!(others, (SAID + 1..=LINES as u64).collect::<Vec<u64>>(), "what the first had not said it would ask");
    let now = room.get(batch.id).await;
    assert_eq!((now.status, now.counts.completed), (Status::InProgress, 3 + others.len() as u64));
    let waiting = room.batches.waiting(&room.actor, &now).await.unwrap().unwrap();
    assert_eq!(waiting.until, taken.plus(GRACE));
    assert!(waiting.why.contains("another process"), "{}", waiting.why);
}

async fn what_a_process_may_still_be_asking_is_left_to_it_for_as_long_as_that_can_take(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = lose_the_lease(&room, LINES).await;
    let elsewhere = room.another();
    taken_up(&room, &batch, &elsewhere).await;
    // The first finds the catalog again, and writes what its lines gave.
    while room.runner.open() > 0 {
        room.runner.write_what_came().await;
    }
    room.clock.advance(GRACE - Duration::from_secs(1));
    assert!(!elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap(), "its time is not over");
    room.clock.advance(Duration::from_secs(1));
    // Whoever goes on then does not wait for the one that waited.
    assert!(room.another().worker("third").run_one(&Stop::never()).await.unwrap());
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.counts.completed), (Status::Completed, LINES as u64));
    assert_eq!(names(&room.written(&ended, true).await), expected(LINES));
    assert!(once_each(&room) && room.answers.asked().len() == LINES);
}

async fn what_a_process_never_writes_is_asked_again_when_its_time_is_over(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = lose_the_lease(&room, LINES).await;
    let elsewhere = room.another();
    taken_up(&room, &batch, &elsewhere).await;
    room.clock.advance(GRACE);
    assert!(elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap());
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.counts.completed), (Status::Completed, LINES as u64));
    assert_eq!(names(&room.written(&ended, true).await), expected(LINES));
    assert_eq!(room.answers.asked().len(), LINES + CONCURRENCY, "only what was under way was asked twice");
}

async fn who_starts_again_waits_for_nobody(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = lose_the_lease(&room, LINES).await;
    room.answers.gate.add_permits(10_000);
    assert!(room.restarted().worker("again").run_one(&Stop::never()).await.unwrap());
    assert_eq!(room.get(batch.id).await.status, Status::Completed);
    assert_eq!(room.answers.asked().len(), LINES + CONCURRENCY);
}

/// The first is not dead: it goes on when others have its batch.
async fn who_was_cut_off_is_told_and_asks_nothing_that_it_had_not_said(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(LINES)).await;
    room.answers.only(3);
    let others = Arc::new(Scripted::default());
    let elsewhere = Runner::new(room.batches.clone(), others.clone(), room.keys.clone());
    let (worker, stop) = (room.runner.worker("first"), Stop::never());
    let meanwhile = async {
        room.until_answered(batch.id, 3).await;
        room.until_asked(ASKED).await;
        room.jobs.end_leases().await.unwrap();
        room.clock.advance(Duration::from_secs(1));
        assert!(elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap());
        room.answers.gate.add_permits(10_000);
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), meanwhile);
    assert!(ran.unwrap());
    assert!(room.answers.asked().iter().all(|number| *number <= SAID), "{:?}", room.answers.asked());
    assert!(others.asked().iter().all(|number| *number > SAID), "{:?}", others.asked());
    while room.runner.open() > 0 {
        room.runner.write_what_came().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    room.clock.advance(GRACE);
    assert!(elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap());
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.counts.completed), (Status::Completed, LINES as u64));
    let mut all = [room.answers.asked(), others.asked()].concat();
    all.sort_unstable();
    assert_eq!(all, (1..=LINES as u64).collect::<Vec<u64>>(), "each was asked by one of them, once");
}

async fn a_batch_whose_window_closes_meanwhile_ends_in_time(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = lose_the_lease(&room, LINES).await;
    room.clock.advance(super::DAY - Duration::from_secs(100));
    let elsewhere = room.another();
    room.answers.gate.add_permits(10_000);
    assert!(elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap());
    while room.runner.open() > 0 {
        room.runner.write_what_came().await;
    }
    // Before the others' time is over.
    room.clock.advance(Duration::from_secs(100));
    assert!(elsewhere.worker("elsewhere").run_one(&Stop::never()).await.unwrap());
    let ended = room.get(batch.id).await;
    let good = ASKED as u64 + LINES as u64 - SAID;
    assert_eq!((ended.status, ended.counts.completed, ended.counts.failed), (Status::Expired, good, LINES as u64 - good));
    let all = [room.written(&ended, true).await, room.written(&ended, false).await].concat();
    assert_eq!(names(&all), expected(LINES), "every line has one word");
    assert!(once_each(&room));
}

async fn a_line_that_gets_its_place_too_late_is_not_asked(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (hands, mut open) = (room.runner.hands(), Open::default());
    let whose = (room.actor.project, (BatchId::from_raw(9), Endpoint::Chat));
    let asked = reading::read(1, &Bytes::from(line(1)), Endpoint::Chat).unwrap();
    hands.ask(&mut open, whose, room.actor.clone(), asked);
    let (asked, reply) = open.under_way.join_next().await.unwrap().unwrap();
    assert!(reply.is_none() && room.answers.asked().is_empty(), "nobody knows whose the batch is");
    open.hold.renew();
    hands.ask(&mut open, whose, room.actor.clone(), asked);
    let (_, reply) = open.under_way.join_next().await.unwrap().unwrap();
    assert_eq!((reply.map(|reply| reply.status), room.answers.asked()), (Some(200), vec![1]));
}
