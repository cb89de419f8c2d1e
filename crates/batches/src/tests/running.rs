//! A batch from start to end, and from where it was broken off.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, Tasks, id::PrincipalId};
use mainspring_testservers::on_every_engine;
use serde_json::{Value, json};

use super::{CONCURRENCY, DAY, Room, Scripted, bad, code, expected, fine, labels, line, lines, names};
use crate::{Batch, BatchFault, BatchQuery, Endpoint, NewBatch, Purpose, Runner, Status, results::PACK, store};

on_every_engine!(Catalog: [
    every_line_is_asked_once_and_has_its_result,
    a_file_with_bad_lines_fails_with_their_numbers,
    what_cannot_be_a_batch_is_refused_at_once,
    a_killed_batch_goes_on_where_it_stopped_and_no_line_has_two_results,
    a_batch_that_died_while_its_files_were_written_ends,
    a_batch_that_is_told_to_stop_lets_lines_under_way_end,
    results_are_read_while_the_batch_goes_on,
    a_result_that_is_there_is_not_written_again,
    batches_page_newest_first_and_are_seen_by_who_may,
    a_batch_without_a_job_gets_one,
]);

async fn every_line_is_asked_once_and_has_its_result(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.answers.say(|body, _| if body["n"] == 3 { bad(400) } else { fine(body) });
    let batch = room.batch_of(&format!("{}\n\n", lines(5))).await;
    assert_eq!((batch.status, batch.expires), (Status::Validating, batch.created.plus(DAY)));
    room.work().await;
    let batch = room.get(batch.id).await;
    assert_eq!((batch.status, batch.counts.total, batch.counts.completed, batch.counts.failed), (Status::Completed, 5, 4, 1));
    assert!(batch.in_progress.is_some() && batch.finalizing.is_some() && batch.ended.is_some() && batch.errors.is_empty());
    let (good, failed) = (room.written(&batch, true).await, room.written(&batch, false).await);
    assert_eq!(names(&good), ["line-1", "line-2", "line-4", "line-5"]);
    let fourth = good.iter().find(|result| result["custom_id"] == "line-4").unwrap();
    assert_eq!(fourth["response"], json!({"status_code": 200, "request_id": "req", "body": {"said": 4}}));
    assert_eq!(names(&failed), ["line-3"]);
    assert_eq!((&failed[0]["response"]["status_code"], &failed[0]["error"]), (&json!(400), &Value::Null));
    assert_eq!(room.answers.asked().len(), 5);
    let file = room.batches.file(&room.actor, batch.written(true).unwrap()).await.unwrap();
    assert_eq!((file.purpose, file.name.as_str()), (Purpose::BatchOutput, format!("{}_output.jsonl", batch.id).as_str()));
    // Lines are asked as whoever made the batch.
    let asked = room.answers.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|(_, actor)| *actor == room.actor));
}

async fn a_file_with_bad_lines_fails_with_their_numbers(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let text = format!("{}\nnonsense\n{}\n{}\n{}", line(1), line(2), line(1), "x".repeat(2_000));
    let batch = room.batch_of(&text).await;
    room.work().await;
    let failed = room.get(batch.id).await;
    let told: Vec<(&str, Option<u64>)> = failed.errors.iter().map(|error| (error.code.as_str(), error.line)).collect();
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(told, [("invalid_json_line", Some(2)), ("duplicate_custom_id", Some(4)), ("line_too_long", Some(5))]);
    assert!(room.answers.asked().is_empty() && failed.written(true).is_none() && failed.written(false).is_none());
    for (text, why) in [("\n \n".to_owned(), "empty_file"), (lines(2_001), "too_many_tasks")] {
        let batch = room.batch_of(&text).await;
        room.work().await;
        assert_eq!(room.get(batch.id).await.errors[0].code, why);
    }
}

async fn what_cannot_be_a_batch_is_refused_at_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut upload = room.batches.begin_upload(&room.actor).await.unwrap();
    upload.push(line(1).as_bytes()).await.unwrap();
    let other = upload.finish("lines", Purpose::UserData, None).await.unwrap().id;
    let file = room.upload(line(1).as_bytes()).await.id;
    let new = NewBatch { input: file, endpoint: Endpoint::Chat, window: DAY, metadata: [].into(), keep_output: None };
    let long = [("k".repeat(65), "v".to_owned())].into();
    for (wrong, parameter) in [
        (NewBatch { input: other, ..new.clone() }, "input_file_id"),
        (NewBatch { window: Duration::from_secs(1), ..new.clone() }, "completion_window"),
        (NewBatch { window: 8 * DAY, ..new.clone() }, "completion_window"),
        (NewBatch { metadata: long, ..new.clone() }, "metadata"),
        (NewBatch { keep_output: Some(DAY * 31), ..new.clone() }, "output_expires_after"),
    ] {
        let fault = room.batches.create(&room.actor, &wrong).await.unwrap_err();
        assert_eq!(fault.parameter(), Some(parameter), "{fault}");
    }
    // A file of another project is not there.
    let fault = room.batches.create(&room.stranger, &new).await.unwrap_err();
    assert_eq!(fault.parameter(), Some("input_file_id"));
}

/// Everything that a batch has written by now.
async fn so_far(room: &Room, batch: &Batch) -> Vec<Value> {
    let all = room.results(batch.id, true, (0, 10_000)).await;
    all.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
}

async fn a_killed_batch_goes_on_where_it_stopped_and_no_line_has_two_results(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let count = PACK + 50;
    let batch = room.batch_of(&lines(count)).await;
    let mut at = 0;
    // Each time the process dies with lines under way: some have results, one or two were asked in vain.
    for stop in [3_usize, 20, PACK + 10] {
        room.answers.only(stop - at);
        at = stop;
        let (worker, stopped) = (room.restarted().worker("dies"), mainspring_kernel::Stop::never());
        tokio::select! {
            ended = worker.run_one(&stopped) => panic!("it ended: {ended:?}"),
            () = room.until_answered(batch.id, stop as u64) => {}
        }
        drop(worker);
        assert_eq!(room.jobs.end_leases().await.unwrap(), 1);
        room.clock.advance(Duration::from_secs(1));
        assert_eq!(so_far(&room, &batch).await.len(), stop, "what was counted is there");
    }
    room.answers.only(10_000);
    room.work().await;
    let batch = room.get(batch.id).await;
    assert_eq!((batch.status, batch.counts.completed), (Status::Completed, count as u64));
    assert_eq!(names(&room.written(&batch, true).await), expected(count));
    let asked = room.answers.asked();
    assert!(asked.len() <= count + 3 * CONCURRENCY, "only lines under way are asked again: {}", asked.len());
    let mut once = asked;
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), count);
}

async fn a_batch_that_died_while_its_files_were_written_ends(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let answered = PACK + 4;
    let batch = room.batch_of(&lines(answered + 20)).await;
    room.answers.only(answered);
    let (worker, stop) = (room.restarted().worker("dies"), mainspring_kernel::Stop::never());
    tokio::select! {
        ended = worker.run_one(&stop) => panic!("it ended: {ended:?}"),
        () = room.until_answered(batch.id, answered as u64) => {}
    }
    // It was about to end as cancelled, and had packed what was left.
    let now = room.clock.clone();
    room.catalog
        .transact(|mut tx| {
            let now = mainspring_kernel::Clock::now(&now);
            async move {
                store::finalize_batch(&mut tx, batch.id, (Status::Cancelled, &[]), now).await?;
                Ok::<_, BatchFault>((tx, ()))
            }
        })
        .await
        .unwrap();
    room.batches.pack(&room.get(batch.id).await, true).await.unwrap();
    room.jobs.end_leases().await.unwrap();
    room.clock.advance(Duration::from_secs(1));
    room.work().await;
    let ended = room.get(batch.id).await;
    assert_eq!((ended.status, ended.written(false)), (Status::Cancelled, None));
    let written = names(&room.written(&ended, true).await);
    assert_eq!((written.len(), ended.counts.completed), (answered, answered as u64));
    let mut once = written.clone();
    once.dedup();
    assert_eq!(once, written);
    // Nothing of it is left but the files.
    assert!(room.batches.answered(batch.id, 1).await.unwrap().is_empty());
    assert_eq!(room.blobs().await, 3, "the input, a pack, and the rest");
}

async fn a_batch_that_is_told_to_stop_lets_lines_under_way_end(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(20)).await;
    room.answers.only(4);
    let (tasks, worker) = (Tasks::default(), room.runner.worker("stops"));
    let stop = tasks.stop();
    let stopping = async {
        room.until_asked(4 + CONCURRENCY).await;
        tasks.ask_to_stop();
        // The worker hears of it, and the batch from the worker.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        // Those under way are answered now, and no other is begun.
        room.answers.gate.add_permits(100);
    };
    let (ran, ()) = tokio::join!(worker.run_one(&stop), stopping);
    assert!(ran.unwrap());
    let stopped = room.get(batch.id).await;
    assert_eq!(stopped.status, Status::InProgress);
    assert_eq!(stopped.counts.completed, room.answers.asked().len() as u64, "every line that was asked has its result");
    room.work().await;
    assert_eq!(room.get(batch.id).await.status, Status::Completed);
    assert_eq!(room.answers.asked().len(), 20, "none was asked twice");
}

async fn results_are_read_while_the_batch_goes_on(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let half = PACK + 44;
    let batch = room.batch_of(&lines(half + 300)).await;
    room.answers.only(half);
    let (worker, stop) = (room.runner.worker("test"), mainspring_kernel::Stop::never());
    let reading = async {
        room.until_answered(batch.id, half as u64).await;
        // In pages that begin and end on either side of what was packed.
        let (mut all, mut from) = (Vec::new(), 0);
        loop {
            let page = room.results(batch.id, true, (from, 97)).await;
            from += page.len() as u64;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        assert_eq!(all.len(), half);
        assert_eq!(room.get(batch.id).await.written(true), None, "its file is not there before its end");
        room.answers.gate.add_permits(10_000);
        all
    };
    let (ran, before) = tokio::join!(worker.run_one(&stop), reading);
    assert!(ran.unwrap());
    let after = room.results(batch.id, true, (0, 10_000)).await;
    assert_eq!(after.len(), half + 300);
    assert_eq!(after[..half], before[..], "results stay where they are");
    let file = room.text(room.get(batch.id).await.written(true).unwrap()).await;
    assert_eq!(file.lines().map(str::as_bytes).collect::<Vec<_>>(), after.iter().map(|line| &line[..]).collect::<Vec<_>>());
}

async fn a_result_that_is_there_is_not_written_again(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(3)).await;
    room.answers.only(1);
    let (worker, stop) = (room.restarted().worker("dies"), mainspring_kernel::Stop::never());
    tokio::select! {
        ended = worker.run_one(&stop) => panic!("it ended: {ended:?}"),
        () = room.until_answered(batch.id, 1) => {}
    }
    let written = so_far(&room, &batch).await;
    let again = |number, ok| crate::results::Answered { number, ok, text: b"{}".to_vec() };
    let first: u64 = written[0]["custom_id"].as_str().unwrap().trim_start_matches("line-").parse().unwrap();
    let (second, third) = (first % 3 + 1, (first + 1) % 3 + 1);
    // A worker that lost its lease comes late with the same line, and with others.
    let answered = [again(first, true), again(first, false), again(second, true), again(second, true), again(third, false)];
    let late = room.batches.commit(batch.id, &answered).await.unwrap();
    assert_eq!((late.counts.completed, late.counts.failed), (2, 1));
    assert_eq!(so_far(&room, &batch).await[..1], written[..]);
    room.jobs.end_leases().await.unwrap();
    room.clock.advance(Duration::from_secs(1));
    room.work().await;
    assert_eq!(room.get(batch.id).await.status, Status::Completed);
    assert_eq!(code(room.batches.commit(batch.id, &answered).await), "batch-stale", "after the end nothing is added");
}

async fn batches_page_newest_first_and_are_seen_by_who_may(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(room.batch_of(&lines(1)).await.id);
    }
    let list = async |who: &Actor, after| {
        let (found, more) = room.batches.list(who, BatchQuery { after, limit: 2 }).await.unwrap();
        (found.iter().map(|batch| batch.id).collect::<Vec<_>>(), more)
    };
    assert_eq!(list(&room.actor, None).await, (vec![made[2], made[1]], true));
    assert_eq!(list(&room.actor, Some(made[1])).await, (vec![made[0]], false));
    let other = Actor { labels: labels(&["board"]), ..room.actor.clone() };
    for who in [&other, &room.stranger] {
        assert_eq!(list(who, None).await, (vec![], false));
        assert_eq!(code(room.batches.get(who, made[0]).await), "batch-not-found");
        assert_eq!(code(room.batches.cancel(who, made[0]).await), "batch-not-found");
        assert_eq!(code(room.batches.results(who, made[0], true, (0, 5)).await), "batch-not-found");
    }
    let reader = Actor { principal: PrincipalId::from_raw(99), ..room.actor.clone() };
    assert_eq!(code(room.batches.cancel(&reader, made[0]).await), "batch-forbidden");
}

async fn a_batch_without_a_job_gets_one(catalog: Catalog) {
    const FORGET: &str = "DELETE FROM job RETURNING id";
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(2)).await;
    assert_eq!(room.catalog.write(FORGET, vec![]).await.unwrap().len(), 1);
    room.batches.keep_up_once().await.unwrap();
    room.batches.keep_up_once().await.unwrap();
    // By another process, which shares the catalog and the files.
    let answers = std::sync::Arc::new(Scripted::default());
    let elsewhere = Runner::new(room.batches.clone(), answers.clone(), room.keys.clone());
    assert!(elsewhere.worker("elsewhere").run_one(&mainspring_kernel::Stop::never()).await.unwrap());
    assert_eq!((room.get(batch.id).await.status, answers.asked().len()), (Status::Completed, 2));
    assert_eq!(room.catalog.write(FORGET, vec![]).await.unwrap().len(), 1, "one was enough");
}
