//! How much of files and batches a project may have, and how large the pieces are that are held in memory.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use mainspring_catalog::Catalog;
use mainspring_kernel::{Fault as _, FaultKind};
use mainspring_testservers::on_every_engine;
use serde_json::json;

use super::{CONCURRENCY, DAY, Room, code, line, lines};
use crate::{
    BatchConfig, BatchFault, Endpoint, FileId, LineReply, NewBatch, Purpose, Status, files::PART, results::PACK_BYTES, store,
};

on_every_engine!(Catalog: [
    a_project_has_so_many_files_and_no_more,
    a_project_has_so_many_bytes_and_no_more,
    a_project_has_so_many_unfinished_batches_and_no_more,
    files_are_kept_as_long_as_was_said_or_is_usual,
    large_answers_are_packed_a_few_at_a_time,
]);

async fn try_upload(room: &Room, bytes: &[u8]) -> Result<FileId, BatchFault> {
    let mut upload = room.batches.begin_upload(&room.actor).await?;
    if let Err(fault) = upload.push(bytes).await {
        upload.abandon().await;
        return Err(fault);
    }
    Ok(upload.finish("lines.jsonl", Purpose::Batch, None).await?.id)
}

async fn a_project_has_so_many_files_and_no_more(catalog: Catalog) {
    let room = Room::with(catalog, BatchConfig { files_max: 3, ..BatchConfig::default() }).await;
    let mut made = Vec::new();
    for _ in 0..2 {
        made.push(try_upload(&room, lines(1).as_bytes()).await.unwrap());
    }
    // One that is being taken in counts.
    let third = room.batches.begin_upload(&room.actor).await.unwrap();
    let fault = try_upload(&room, b"x").await.unwrap_err();
    assert_eq!((fault.code(), fault.kind(), fault.retry_after()), ("file-too-many", FaultKind::TooLarge, None));
    assert!(fault.hint().unwrap().contains("gateway.files_per_project"));
    // Others have their own.
    assert!(room.batches.begin_upload(&room.stranger).await.is_ok());
    third.abandon().await;
    // A batch needs two for what it gives.
    let new = NewBatch { input: made[0], endpoint: Endpoint::Chat, window: DAY, metadata: BTreeMap::new(), keep_output: None };
    assert_eq!(code(room.batches.create(&room.actor, &new).await), "file-too-many");
    room.batches.delete_file(&room.actor, made[1]).await.unwrap();
    let batch = room.batches.create(&room.actor, &new).await.unwrap();
    assert_eq!(room.work_to_the_end(batch.id).await.status, Status::Completed);
}

async fn a_project_has_so_many_bytes_and_no_more(catalog: Catalog) {
    let bytes_max = PART as u64 + 1_000;
    let room = Room::with(catalog, BatchConfig { bytes_max, ..BatchConfig::default() }).await;
    let first = try_upload(&room, &vec![b'x'; PART]).await.unwrap();
    let fault = try_upload(&room, &vec![b'x'; 1_001]).await.unwrap_err();
    assert_eq!((fault.code(), fault.kind(), fault.retry_after()), ("file-storage-full", FaultKind::TooLarge, None));
    assert_eq!(code(try_upload(&room, &vec![b'x'; PART + 1]).await), "file-storage-full");
    assert_eq!(room.blobs().await, 1, "what was refused has left nothing");
    let small = try_upload(&room, &vec![b'x'; 1_000]).await.unwrap();
    assert_eq!(room.batches.file(&room.actor, small).await.unwrap().size, 1_000);
    room.batches.delete_file(&room.actor, first).await.unwrap();
    try_upload(&room, &vec![b'x'; PART]).await.unwrap();
}

async fn a_project_has_so_many_unfinished_batches_and_no_more(catalog: Catalog) {
    let config = BatchConfig { batches_max: 2, concurrency: CONCURRENCY, ..BatchConfig::default() };
    let room = Room::with(catalog, config).await;
    let file = room.upload(lines(2).as_bytes()).await.id;
    let (first, _second) = (room.create(file).await, room.create(file).await);
    let new = NewBatch { input: file, endpoint: Endpoint::Chat, window: DAY, metadata: BTreeMap::new(), keep_output: None };
    let fault = room.batches.create(&room.actor, &new).await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("batch-too-many", FaultKind::Saturated));
    assert_eq!(fault.retry_after(), Some(Duration::from_secs(60)));
    room.work().await;
    assert!(room.get(first.id).await.status.has_ended());
    room.create(file).await;
}

async fn files_are_kept_as_long_as_was_said_or_is_usual(catalog: Catalog) {
    let room = Room::with(catalog, BatchConfig { keep_files: 90 * DAY, ..BatchConfig::default() }).await;
    for purpose in Purpose::ALL.iter().copied().filter(|purpose| purpose.is_given()) {
        for (said, kept) in [(None, 90 * DAY), (Some(DAY), DAY)] {
            let mut upload = room.batches.begin_upload(&room.actor).await.unwrap();
            upload.push(line(1).as_bytes()).await.unwrap();
            let file = upload.finish("file", purpose, said).await.unwrap();
            assert_eq!(file.expires, Some(file.created.plus(kept)), "{purpose:?}");
        }
    }
    let batch = room.batch_of(&line(1)).await;
    room.work().await;
    let ended = room.get(batch.id).await;
    let output = room.batches.file(&room.actor, ended.written(true).unwrap()).await.unwrap();
    assert_eq!(output.expires, Some(ended.ended.unwrap().plus(90 * DAY)));
}

/// A megabyte each, so that nobody holds a hundred of them at once.
async fn large_answers_are_packed_a_few_at_a_time(catalog: Catalog) {
    const LARGE: usize = 1 << 20;
    let room = Room::over(catalog).await;
    room.answers.say(|body, _| {
        let body = json!({"said": body["n"], "much": "x".repeat(LARGE)});
        LineReply { status: 200, request_id: "req".to_owned(), body: Bytes::from(body.to_string()), again: None }
    });
    let batch = room.batch_of(&lines(20)).await;
    room.work().await;
    let ended = room.get(batch.id).await;
    let output = ended.written(true).unwrap();
    let parts = store::parts(&room.catalog, output).await.unwrap();
    assert!(parts.iter().all(|part| part.size <= PACK_BYTES), "{parts:?}");
    assert_eq!((parts[0].number, parts[1].number), (0, 3), "three and their frames fit into a pack");
    assert_eq!(room.text(output).await.lines().count(), 20);
    // Whoever reads them gets a few at a time as well, and all of them in the end.
    let (mut all, mut pages) = (Vec::new(), 0);
    loop {
        let page = (all.len() as u64, 1_000);
        let (found, more) = room.batches.results(&room.actor, batch.id, true, page).await.unwrap();
        assert!(!found.is_empty() && found.len() <= 17, "{}", found.len());
        (pages, all) = (pages + 1, [all, found].concat());
        if !more {
            break;
        }
    }
    assert_eq!((all.len(), pages), (20, 2));
}
