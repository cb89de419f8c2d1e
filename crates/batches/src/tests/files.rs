//! Files: what comes back, what is listed for whom, and what goes.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, Role, id::PrincipalId};
use mainspring_testservers::on_every_engine;

use super::{DAY, Room, code, labels, lines};
use crate::{FileId, FileQuery, Purpose, files::PART, store};

on_every_engine!(Catalog: [
    a_file_comes_back_as_it_was_and_is_never_whole_in_memory,
    a_file_that_is_too_large_is_refused_and_leaves_nothing,
    files_page_both_ways_and_by_purpose,
    a_file_is_seen_by_who_holds_the_labels_of_its_maker,
    a_file_that_a_batch_reads_cannot_be_deleted,
    only_its_maker_and_editors_delete_a_file,
    files_go_when_their_time_is_over,
    an_upload_that_was_broken_off_is_cleared_away,
    every_statement_compiles,
]);

async fn a_file_comes_back_as_it_was_and_is_never_whole_in_memory(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let bytes: Vec<u8> = (0..2 * PART + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let file = room.upload(&bytes).await;
    assert_eq!((file.size, file.name.as_str(), file.purpose), (bytes.len() as u64, "lines.jsonl", Purpose::Batch));
    assert_eq!(file.expires, Some(file.created.plus(30 * DAY)), "as OpenAI keeps them");
    let parts = store::parts(&room.catalog, file.id).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.size).collect::<Vec<_>>(), [PART as u64, PART as u64, 5]);
    let mut read = Vec::new();
    for part in &parts {
        read.extend_from_slice(&room.batches.part(part).await.unwrap());
    }
    assert!(read == bytes, "the bytes are others");
    // The same bytes again are another file's, so that one can go without the other.
    let twin = room.upload(&bytes).await;
    room.batches.delete_file(&room.actor, file.id).await.unwrap();
    assert_eq!(code(room.batches.file(&room.actor, file.id).await), "file-not-found");
    assert_eq!(code(room.batches.delete_file(&room.actor, file.id).await), "file-not-found");
    assert_eq!(room.blobs().await, 3);
    assert_eq!(room.batches.file(&room.actor, twin.id).await.unwrap(), twin);
}

async fn a_file_that_is_too_large_is_refused_and_leaves_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut upload = room.batches.begin_upload(&room.actor).await.unwrap();
    upload.push(&vec![b'x'; 12 << 20]).await.unwrap();
    assert_eq!(code(upload.push(b"y").await), "file-too-large");
    upload.abandon().await;
    assert_eq!(room.blobs().await, 0);
    let upload = room.batches.begin_upload(&room.actor).await.unwrap();
    assert_eq!(code(upload.finish("empty", Purpose::Batch, None).await), "file-invalid");
    for (purpose, keep) in [(Purpose::BatchOutput, None), (Purpose::Batch, Some(Duration::from_secs(5)))] {
        let mut upload = room.batches.begin_upload(&room.actor).await.unwrap();
        upload.push(b"x").await.unwrap();
        assert_eq!(code(upload.finish("wrong", purpose, keep).await), "file-invalid");
    }
    assert_eq!(room.blobs().await, 0);
    assert!(room.batches.files(&room.actor, &FileQuery { limit: 5, ..FileQuery::default() }).await.unwrap().0.is_empty());
}

async fn files_page_both_ways_and_by_purpose(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut made = Vec::new();
    for n in 0..5 {
        let mut upload = room.batches.begin_upload(&room.actor).await.unwrap();
        upload.push(b"x").await.unwrap();
        let purpose = if n == 2 { Purpose::Evals } else { Purpose::UserData };
        made.push(upload.finish(&format!("file {n}\n"), purpose, None).await.unwrap().id);
        room.clock.advance(Duration::from_millis(2));
    }
    let list = async |query: FileQuery| {
        let (files, more) = room.batches.files(&room.actor, &query).await.unwrap();
        (files.iter().map(|file| made.iter().position(|id| *id == file.id).unwrap()).collect::<Vec<_>>(), more)
    };
    let two = FileQuery { limit: 2, ..FileQuery::default() };
    assert_eq!(list(two.clone()).await, (vec![4, 3], true));
    assert_eq!(list(FileQuery { after: Some(made[3]), ..two.clone() }).await, (vec![2, 1], true));
    assert_eq!(list(FileQuery { after: Some(made[1]), ..two.clone() }).await, (vec![0], false));
    assert_eq!(list(FileQuery { ascending: true, ..two.clone() }).await, (vec![0, 1], true));
    assert_eq!(list(FileQuery { ascending: true, after: Some(made[3]), ..two.clone() }).await, (vec![4], false));
    assert_eq!(list(FileQuery { purpose: Some(Purpose::Evals), ..two }).await, (vec![2], false));
    let file = room.batches.file(&room.actor, made[0]).await.unwrap();
    let kept = Some(file.created.plus(30 * DAY));
    assert_eq!((file.name.as_str(), file.expires), ("file 0\u{fffd}", kept), "whatever they are for");
    assert_eq!(file.id.to_string().parse::<FileId>().unwrap(), file.id);
    assert!(file.id.to_string().starts_with("file-"));
}

async fn a_file_is_seen_by_who_holds_the_labels_of_its_maker(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let file = room.upload(b"secret words").await;
    let held = |names: &[&str]| Actor { labels: labels(names), ..room.actor.clone() };
    for (who, sees) in [
        (held(&["staff", "board"]), true),
        (held(&["board"]), false),
        (held(&[]), false),
        // Nobody of another project, whatever they are there.
        (room.stranger.clone(), false),
    ] {
        assert_eq!(room.batches.file(&who, file.id).await.is_ok(), sees, "{who:?}");
        let (files, more) = room.batches.files(&who, &FileQuery { limit: 1, ..FileQuery::default() }).await.unwrap();
        assert_eq!((files.len(), more), (usize::from(sees), false));
    }
    // Those that are hidden take no place in a page.
    for _ in 0..5 {
        room.upload(b"more secret words").await;
    }
    let plain = held(&[]);
    room.clock.advance(Duration::from_millis(2));
    let mut upload = room.batches.begin_upload(&plain).await.unwrap();
    upload.push(b"x").await.unwrap();
    let open = upload.finish("open", Purpose::UserData, None).await.unwrap();
    for _ in 0..5 {
        room.upload(b"more secret words").await;
    }
    let (files, more) = room.batches.files(&plain, &FileQuery { limit: 2, ..FileQuery::default() }).await.unwrap();
    assert_eq!((files, more), (vec![open], false));
}

async fn a_file_that_a_batch_reads_cannot_be_deleted(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let batch = room.batch_of(&lines(1)).await;
    assert_eq!(code(room.batches.delete_file(&room.actor, batch.input).await), "file-in-use");
    room.work().await;
    room.batches.delete_file(&room.actor, batch.input).await.unwrap();
    let batch = room.get(batch.id).await;
    assert_eq!(room.written(&batch, true).await.len(), 1, "what it gave stays");
    room.batches.delete_file(&room.actor, batch.written(true).unwrap()).await.unwrap();
    assert_eq!(room.blobs().await, 0);
    assert!(room.results(batch.id, true, (0, 10)).await.is_empty());
}

async fn only_its_maker_and_editors_delete_a_file(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let file = room.upload(b"x").await;
    let other = Actor { principal: PrincipalId::from_raw(99), ..room.actor.clone() };
    assert_eq!(code(room.batches.delete_file(&other, file.id).await), "batch-forbidden");
    room.batches.delete_file(&Actor { role: Role::Editor, ..other }, file.id).await.unwrap();
}

async fn files_go_when_their_time_is_over(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (done, waits) = (room.upload(lines(1).as_bytes()).await, room.batch_of(&lines(2)).await);
    room.clock.advance(31 * DAY);
    room.batches.keep_up_once().await.unwrap();
    assert_eq!(code(room.batches.file(&room.actor, done.id).await), "file-not-found");
    assert!(room.batches.file(&room.actor, waits.input).await.is_ok(), "a batch has to read it yet");
    assert_eq!(room.blobs().await, 1);
    // The window has closed long ago, so every line says so.
    room.work().await;
    assert_eq!(room.written(&room.get(waits.id).await, false).await.len(), 2);
    room.batches.keep_up_once().await.unwrap();
    assert_eq!(code(room.batches.file(&room.actor, waits.input).await), "file-not-found");
}

async fn an_upload_that_was_broken_off_is_cleared_away(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut upload = room.batches.begin_upload(&room.actor).await.unwrap();
    upload.push(&vec![b'x'; PART + 1]).await.unwrap();
    drop(upload);
    room.batches.keep_up_once().await.unwrap();
    assert_eq!(room.blobs().await, 1, "it may still go on");
    room.clock.advance(2 * DAY);
    room.batches.keep_up_once().await.unwrap();
    assert_eq!(room.blobs().await, 0);
}

async fn every_statement_compiles(catalog: Catalog) {
    let statements = store::STATEMENTS.concat();
    let failed = mainspring_catalog::testing::prepare_all(&catalog, &statements).await;
    assert!(failed.is_empty(), "{failed:#?}");
}
