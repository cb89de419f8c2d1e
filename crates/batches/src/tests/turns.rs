//! Batches that give their place to others.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_jobs::JobFilter;
use mainspring_kernel::{Actor, PageRequest, Role, Tasks};
use mainspring_testservers::on_every_engine;

use super::{CONCURRENCY, DAY, Room, bad, expected, fine, lines, names};
use crate::{Again, BatchConfig, LineReply, Measured, Status, model::Batch};

on_every_engine!(Catalog: [
    batches_that_wait_keep_nobody_from_going_on,
    what_a_batch_that_rested_knew_it_knows_again,
    how_often_a_line_was_asked_outlives_a_rest,
    a_batch_that_comes_back_knows_for_what_it_still_waits,
    a_window_that_closes_while_a_batch_rests_is_noticed_then,
    a_job_that_is_cancelled_while_it_rests_cancels_its_batch,
    batches_take_turns_and_ask_no_line_twice,
    how_batches_stand_is_measured,
]);

fn limited() -> LineReply {
    LineReply { again: Some(Again::Limit(Duration::from_secs(3_600))), ..bad(429) }
}

fn busy() -> LineReply {
    LineReply { again: Some(Again::Busy(Some(Duration::from_secs(60)))), ..bad(503) }
}

/// One line each, told apart by their number.
async fn batches_of_one(room: &Room, numbers: std::ops::Range<usize>) -> Vec<Batch> {
    let mut made = Vec::new();
    for number in numbers {
        made.push(room.batch_of(&super::line(number)).await);
    }
    made
}

/// More of them than a process has places, for a limit and for a provider; each before the one that could go on.
async fn batches_that_wait_keep_nobody_from_going_on(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.answers.say(|body, _| match body["n"].as_u64() {
        Some(100..104) => limited(),
        Some(104..108) => busy(),
        _ => fine(body),
    });
    let waiting = batches_of_one(&room, 100..108).await;
    let free = room.batch_of(&lines(3)).await;
    let (tasks, runner) = (Tasks::default(), room.runner.clone());
    tasks.spawn("worker", move |stop| async move { runner.worker("test").run(stop).await });
    while !room.get(free.id).await.status.has_ended() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tasks.shut_down(Duration::from_secs(20)).await.unwrap();
    assert_eq!(room.get(free.id).await.counts.completed, 3);
    for batch in &waiting {
        let batch = room.get(batch.id).await;
        assert_eq!((batch.status, batch.counts.completed + batch.counts.failed), (Status::InProgress, 0));
    }
    // When there is room again they go on, each where it was.
    room.answers.say(|body, _| fine(body));
    room.clock.advance(Duration::from_secs(301));
    for batch in &waiting {
        assert_eq!(room.work_to_the_end(batch.id).await.counts.completed, 1);
    }
}

async fn what_a_batch_that_rested_knew_it_knows_again(catalog: Catalog) {
    let room = Room::over(catalog).await;
    // Of forty lines three are refused in the middle, and everything after them.
    room.answers.say(|body, _| if body["n"].as_u64().unwrap() >= 20 { limited() } else { fine(body) });
    let batch = room.batch_of(&lines(40)).await;
    room.work().await;
    let resting = room.get(batch.id).await;
    assert_eq!((resting.status, resting.counts.completed), (Status::InProgress, 19));
    let waits = room.batches.waiting(&room.actor, &resting).await.unwrap().expect("it says for what it waits");
    assert_eq!(waits.until, mainspring_kernel::Clock::now(&room.clock).plus(Duration::from_secs(300)));
    let rest = resting.rest.clone().expect("where it goes on is in the catalog");
    assert!(rest.at.line > 20 && rest.again.iter().all(|later| (1..=21).contains(&later.at.line)), "{rest:?}");
    assert!(!room.runner.worker("test").run_one(&mainspring_kernel::Stop::never()).await.unwrap(), "nobody holds it meanwhile");
    let asked = room.answers.asked();
    room.answers.say(|body, _| fine(body));
    room.clock.advance(Duration::from_secs(300));
    // Another process goes on as well.
    assert!(room.another().worker("elsewhere").run_one(&mainspring_kernel::Stop::never()).await.unwrap());
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.counts.completed), (Status::Completed, 40));
    assert_eq!(names(&room.written(&ended, true).await), expected(40));
    let mut later = room.answers.asked().split_off(asked.len());
    later.sort_unstable();
    assert_eq!(later, (20..=40).collect::<Vec<u64>>(), "those without a result, and no other");
}

async fn how_often_a_line_was_asked_outlives_a_rest(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.answers.say(|body, _| if body["n"] == 2 { busy() } else { fine(body) });
    let batch = room.batch_of(&format!("\n\n{}\n", lines(3))).await;
    let mut rests = 0;
    loop {
        room.work().await;
        let now = room.get(batch.id).await;
        if now.status.has_ended() {
            break;
        }
        rests += 1;
        assert_eq!(now.rest.unwrap().again[0].tries, rests);
        room.clock.advance(Duration::from_secs(300));
    }
    let ended = room.get(batch.id).await;
    assert_eq!((rests, ended.counts.completed, ended.counts.failed), (10, 2, 1));
    let asked = room.answers.asked();
    assert_eq!([1, 2, 3].map(|line| asked.iter().filter(|n| **n == line).count()), [1, 11, 1]);
}

async fn a_batch_that_comes_back_knows_for_what_it_still_waits(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let later = |seconds| LineReply { again: Some(Again::Busy(Some(Duration::from_secs(seconds)))), ..bad(503) };
    room.answers.say(move |body, times| match (body["n"].as_u64(), times) {
        (Some(1), 1) => later(30),
        (Some(2), 1) => later(100),
        _ => fine(body),
    });
    let batch = room.batch_of(&lines(3)).await;
    room.work().await;
    room.clock.advance(Duration::from_secs(30));
    // Another process, and nobody of whom it asks a line says anything of the second.
    assert!(room.another().worker("elsewhere").run_one(&mainspring_kernel::Stop::never()).await.unwrap());
    let resting = room.get(batch.id).await;
    assert_eq!((resting.status, resting.counts.completed), (Status::InProgress, 2));
    let waits = room.batches.waiting(&room.actor, &resting).await.unwrap().unwrap();
    assert_eq!(waits.until, mainspring_kernel::Clock::now(&room.clock).plus(Duration::from_secs(70)));
    assert_eq!(waits.why, "no", "as it was told before it rested");
    assert_eq!(room.work_to_the_end(batch.id).await.counts.completed, 3);
}

async fn a_window_that_closes_while_a_batch_rests_is_noticed_then(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.answers.say(|_, _| limited());
    let batch = room.batch_of(&lines(5)).await;
    room.clock.advance(DAY - Duration::from_secs(100));
    room.work().await;
    let resting = room.get(batch.id).await;
    let waits = room.batches.waiting(&room.actor, &resting).await.unwrap().unwrap();
    assert_eq!(waits.until, batch.expires, "it does not sleep beyond its end");
    room.clock.advance(Duration::from_secs(100));
    room.work().await;
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.counts.failed), (Status::Expired, 5));
    assert_eq!(names(&room.written(&ended, false).await), expected(5), "every line has its word");
}

async fn a_job_that_is_cancelled_while_it_rests_cancels_its_batch(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.answers.say(|_, _| limited());
    let batch = room.batch_of(&lines(5)).await;
    room.work().await;
    let editor = Actor { role: Role::Editor, ..room.actor.clone() };
    let jobs = room.jobs.list(&editor, &JobFilter::default(), &PageRequest::first(5)).await.unwrap();
    room.jobs.cancel(&editor, jobs.items[0].id).await.unwrap();
    room.clock.advance(Duration::from_millis(5));
    room.batches.keep_up_once().await.unwrap();
    assert_eq!(room.get(batch.id).await.status, Status::Cancelling);
    room.work().await;
    assert_eq!(room.get(batch.id).await.status, Status::Cancelled);
}

async fn batches_take_turns_and_ask_no_line_twice(catalog: Catalog) {
    let config = BatchConfig { turn: Duration::from_millis(200), concurrency: CONCURRENCY, ..BatchConfig::default() };
    let room = Room::with(catalog, config).await;
    let (long, short) = (room.batch_of(&lines(30)).await, room.batch_of(&lines(2)).await);
    room.answers.only(3);
    let (worker, stop) = (room.runner.worker("test"), mainspring_kernel::Stop::never());
    let middle = async {
        room.until_asked(3 + CONCURRENCY).await;
        // It looks once a second, and its turn is over by then; nobody answers before.
        room.clock.advance(Duration::from_millis(5));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        room.answers.gate.add_permits(10_000);
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), middle);
    assert!(ran.unwrap());
    let gave_way = room.get(long.id).await;
    assert_eq!((gave_way.status, gave_way.counts.completed), (Status::InProgress, 3 + CONCURRENCY as u64));
    assert_eq!(room.batches.waiting(&room.actor, &gave_way).await.unwrap(), None, "it waits for nothing but its turn");
    room.work().await;
    assert_eq!(room.get(short.id).await.status, Status::Completed, "the other went first");
    room.work().await;
    assert_eq!(room.get(long.id).await.status, Status::Completed, "and alone it keeps its place");
    assert_eq!(room.answers.asked().len(), 32);
}

async fn how_batches_stand_is_measured(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let nothing = Measured { running: 0, waiting: 0, oldest: Duration::ZERO, completed: 0, failed: 0 };
    assert_eq!(room.batches.measured(), None, "nobody has looked");
    room.batches.measure().await.unwrap();
    assert_eq!(room.batches.measured(), Some(nothing));
    room.answers.say(|body, _| if body["n"] == 3 { bad(400) } else { fine(body) });
    let batch = room.batch_of(&lines(4)).await;
    room.batch_of(&lines(1)).await;
    room.clock.advance(Duration::from_secs(60));
    room.batches.measure().await.unwrap();
    let now = room.batches.measured().unwrap();
    assert_eq!((now.running, now.waiting, now.oldest), (0, 2, Duration::from_micros(60_004_000)));
    room.answers.only(0);
    let (worker, stop) = (room.runner.worker("test"), mainspring_kernel::Stop::never());
    let looking = async {
        room.until_asked(CONCURRENCY).await;
        room.batches.measure().await.unwrap();
        let now = room.batches.measured().unwrap();
        room.answers.gate.add_permits(100);
        (now.running, now.waiting)
    };
    let (ran, seen) = tokio::join!(worker.run_one(&stop), looking);
    assert!(ran.unwrap());
    assert_eq!(seen, (1, 1));
    room.work().await;
    room.batches.measure().await.unwrap();
    assert_eq!(room.get(batch.id).await.status, Status::Completed);
    assert_eq!(room.batches.measured(), Some(Measured { completed: 4, failed: 1, ..nothing }));
}
