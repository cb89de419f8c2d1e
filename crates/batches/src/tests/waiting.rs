//! Lines that have to be asked again.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Clock, Stop};
use mainspring_testservers::on_every_engine;
use serde_json::json;

use super::{Room, bad, expected, fine, lines, names};
use crate::{Again, LineReply, Status, Waiting};

on_every_engine!(Catalog: [
    a_limit_makes_the_batch_wait_and_fails_no_line,
    a_batch_that_waits_says_for_what,
    who_has_no_time_is_asked_again_and_not_for_ever,
    a_line_that_brings_down_whoever_answers_it_fails_alone,
]);

fn limited() -> LineReply {
    LineReply { again: Some(Again::Limit(Duration::from_millis(30))), ..bad(429) }
}

async fn a_limit_makes_the_batch_wait_and_fails_no_line(catalog: Catalog) {
    let room = Room::over(catalog).await;
    // More often than whoever has no time would be asked again.
    room.answers.say(|body, times| if body["n"] == 2 && times <= 14 { limited() } else { fine(body) });
    let batch = room.batch_of(&lines(4)).await;
    room.work().await;
    let batch = room.get(batch.id).await;
    assert_eq!((batch.status, batch.counts.completed, batch.counts.failed), (Status::Completed, 4, 0));
    assert_eq!(names(&room.written(&batch, true).await), expected(4));
    assert_eq!(room.answers.asked().iter().filter(|n| **n == 2).count(), 15);
}

async fn a_batch_that_waits_says_for_what(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.answers.say(|_, _| LineReply { again: Some(Again::Limit(Duration::from_secs(3_600))), ..bad(429) });
    let batch = room.batch_of(&lines(4)).await;
    let (worker, stop) = (room.runner.worker("test"), Stop::never());
    let looking = async {
        let waiting = loop {
            let now = room.get(batch.id).await;
            if let Some(waiting) = room.batches.waiting(&room.actor, &now).await.unwrap() {
                break waiting;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        // It looks sooner than the limit says: somebody may have raised it.
        assert_eq!(waiting, Waiting { until: Clock::now(&room.clock).plus(Duration::from_secs(300)), why: "no".to_owned() });
        room.batches.cancel(&room.actor, batch.id).await.unwrap();
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), looking);
    assert!(ran.unwrap());
    // It may rest by now, and hears of it all the same: that makes it due.
    let batch = match room.get(batch.id).await {
        resting if resting.status == Status::Cancelling => {
            room.work().await;
            room.get(batch.id).await
        }
        ended => ended,
    };
    assert_eq!((batch.status, batch.counts.completed, batch.counts.failed), (Status::Cancelled, 0, 0));
    assert_eq!(room.batches.waiting(&room.actor, &batch).await.unwrap(), None);
}

async fn who_has_no_time_is_asked_again_and_not_for_ever(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let busy = || LineReply { again: Some(Again::Busy(Some(Duration::from_millis(5)))), ..bad(503) };
    room.answers.say(move |body, times| match body["n"].as_u64() {
        Some(1) if times <= 2 => busy(),
        Some(2) => busy(),
        _ => fine(body),
    });
    let batch = room.batch_of(&lines(3)).await;
    room.work().await;
    let batch = room.get(batch.id).await;
    assert_eq!((batch.status, batch.counts.completed, batch.counts.failed), (Status::Completed, 2, 1));
    let failed = room.written(&batch, false).await;
    assert_eq!((&failed[0]["custom_id"], &failed[0]["response"]["status_code"]), (&json!("line-2"), &json!(503)));
    let asked = room.answers.asked();
    assert_eq!([1, 2, 3].map(|line| asked.iter().filter(|n| **n == line).count()), [3, 11, 1]);
}

async fn a_line_that_brings_down_whoever_answers_it_fails_alone(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.answers.say(|body, _| if body["n"] == 1 { panic!("as told") } else { fine(body) });
    let batch = room.batch_of(&lines(3)).await;
    room.work().await;
    let batch = room.get(batch.id).await;
    assert_eq!((batch.counts.completed, batch.counts.failed), (2, 1));
    assert_eq!(room.written(&batch, false).await[0]["response"]["status_code"], 500);
}
