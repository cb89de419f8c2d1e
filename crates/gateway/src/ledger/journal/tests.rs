use std::{collections::BTreeSet, path::Path, sync::Arc};

use mainspring_kernel::id::CallId;

use super::{Batch, Journal, Past, path, segments_in};
use crate::{
    ledger::{
        batch::Settled,
        frames,
        recover::{self, Recovered},
        tests::record,
    },
    record::{CallRecord, CallStatus},
};

fn fresh(dir: &Path) -> Journal {
    Journal::begin_after(dir, "owner", Past::default()).unwrap()
}

fn found(dir: &Path, last_batch: u64) -> Recovered {
    recover::look(dir).unwrap().read(last_batch).unwrap()
}

fn begin(journal: &mut Journal, number: u128) -> CallRecord {
    let mut record = record(number);
    record.status = CallStatus::Interrupted;
    journal.begin(record.id, frames::began(&record)).unwrap();
    record
}

fn end(journal: &mut Journal, mut record: CallRecord) {
    record.status = CallStatus::Ok;
    journal.end(Settled::new(record)).unwrap();
}

fn call(journal: &mut Journal, number: u128) {
    let record = begin(journal, number);
    end(journal, record);
}

fn ids(calls: &[Settled]) -> Vec<u128> {
    calls.iter().map(|call| call.record.id.as_raw()).collect()
}

fn read(dir: &Path, batch: &Batch) -> Vec<u128> {
    ids(&recover::read_batch(dir, batch).unwrap())
}

#[test]
fn what_had_ended_is_told_from_what_had_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path());
    for number in 1..=5 {
        call(&mut journal, number);
    }
    journal.close().unwrap();
    call(&mut journal, 6);
    begin(&mut journal, 7);
    drop(journal);
    let recovered = found(dir.path(), 0);
    assert_eq!(recovered.past.batches.len(), 1);
    assert_eq!(read(dir.path(), &recovered.past.batches[0]), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&recovered.past.trailing), [6]);
    assert_eq!(recovered.interrupted.iter().map(|record| record.id.as_raw()).collect::<Vec<_>>(), [7]);
    assert_eq!((recovered.past.last_batch, recovered.damaged), (1, 0));
    // What the catalog has is not brought again.
    let recovered = found(dir.path(), 1);
    assert!(recovered.past.batches.is_empty());
    assert_eq!(ids(&recovered.past.trailing), [6]);
    assert_eq!(recover::look(dir.path()).unwrap().owner.as_deref(), Some("owner"));
}

#[test]
fn a_journal_goes_on_after_another_and_the_old_one_goes_when_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path());
    call(&mut journal, 1);
    journal.close().unwrap();
    call(&mut journal, 2);
    begin(&mut journal, 3);
    drop(journal);

    let recovered = found(dir.path(), 0);
    let mut journal = Journal::begin_after(dir.path(), "owner", recovered.past).unwrap();
    for record in recovered.interrupted {
        journal.end(Settled::new(record)).unwrap();
    }
    assert_eq!(journal.waiting(), 3);
    let first = journal.next().unwrap();
    assert_eq!((first.number, read(dir.path(), &first)), (1, vec![1]));
    assert!(journal.written(1).is_empty(), "the calls of the second batch are still in the old segment");
    journal.close().unwrap();
    let second = journal.next().unwrap();
    assert_eq!((second.number, ids(second.calls.as_ref().unwrap())), (2, vec![2, 3]));
    journal.written(2).carry_out().unwrap();
    assert_eq!(segments_in(dir.path()).unwrap(), [2], "only the new segment is left");
    assert_eq!((journal.waiting(), journal.waiting_bytes()), (0, 0));
}

/// A process that dies between two steps of taking over leaves a journal that means the same.
#[test]
fn taking_over_may_be_broken_off_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path());
    call(&mut journal, 1);
    begin(&mut journal, 2);
    begin(&mut journal, 3);
    drop(journal);
    let recovered = found(dir.path(), 0);
    let mut journal = Journal::begin_after(dir.path(), "owner", recovered.past).unwrap();
    let mut interrupted = recovered.interrupted.into_iter();
    journal.end(Settled::new(interrupted.next().unwrap())).unwrap();
    drop(journal);

    let recovered = found(dir.path(), 0);
    assert_eq!(ids(&recovered.past.trailing), [1, 2]);
    assert_eq!(recovered.interrupted.len(), 1);
    let mut journal = Journal::begin_after(dir.path(), "owner", recovered.past).unwrap();
    journal.end(Settled::new(recovered.interrupted[0].clone())).unwrap();
    journal.close().unwrap();
    drop(journal);

    let recovered = found(dir.path(), 0);
    assert_eq!(read(dir.path(), &recovered.past.batches[0]), [1, 2, 3]);
    assert!(recovered.interrupted.is_empty() && recovered.past.trailing.is_empty());
}

#[test]
fn a_long_call_does_not_keep_old_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path()).with_segments_of(4_000);
    let long = begin(&mut journal, 1_000);
    for number in 1..=100 {
        call(&mut journal, number);
        if number % 10 == 0 {
            journal.close().unwrap();
            let batch = journal.next().unwrap();
            journal.written(batch.number).carry_out().unwrap();
        }
    }
    assert!(segments_in(dir.path()).unwrap().len() <= 2, "{:?}", segments_in(dir.path()).unwrap());
    let recovered = found(dir.path(), 10);
    assert_eq!(recovered.interrupted, [long.clone()], "it was carried along");
    end(&mut journal, long);
    drop(journal);
    let recovered = found(dir.path(), 10);
    assert!(recovered.interrupted.is_empty());
    assert_eq!(ids(&recovered.past.trailing), [1_000]);
}

#[test]
fn batches_that_wait_are_let_go_of_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path()).with_segments_of(3_000);
    for number in 1..=50 {
        call(&mut journal, number);
        if number % 5 == 0 {
            journal.close().unwrap();
        }
    }
    assert_eq!(journal.waiting(), 50);
    assert!(journal.waiting_bytes() > 10_000);
    let mut seen = Vec::new();
    let mut on_disk_only = 0;
    while let Some(batch) = journal.next() {
        on_disk_only += usize::from(batch.calls.is_none());
        seen.extend(match &batch.calls {
            Some(calls) => ids(calls),
            None => read(dir.path(), &batch),
        });
        journal.written(batch.number).carry_out().unwrap();
    }
    assert_eq!(seen, (1..=50).collect::<Vec<u128>>());
    assert_eq!(on_disk_only, 6);
    assert_eq!(journal.waiting_bytes(), 0);
}

#[test]
fn a_damaged_mark_does_not_mix_two_batches() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path());
    let mut marks = Vec::new();
    for batch in 0..3 {
        for number in 0..4 {
            call(&mut journal, batch * 10 + number);
        }
        journal.close().unwrap();
        marks.push(journal.current.as_ref().unwrap().length);
    }
    drop(journal);
    // The second batch's mark: its last byte stands just before what follows it.
    let file = path(dir.path(), 1);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = usize::try_from(marks[1]).unwrap() - 1;
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    for (last_batch, expected) in [(0, vec![1, 2, 3]), (1, vec![2, 3]), (2, vec![3])] {
        let recovered = found(dir.path(), last_batch);
        assert_eq!(recovered.damaged, 1);
        let numbers: Vec<u64> = recovered.past.batches.iter().map(|batch| batch.number).collect();
        assert_eq!(numbers, expected, "after batch {last_batch}");
        for batch in &recovered.past.batches {
            let first = u128::from(batch.number - 1) * 10;
            assert_eq!(read(dir.path(), batch), (first..first + 4).collect::<Vec<_>>());
        }
    }
    assert!(dir.path().join("aside").join(file.file_name().unwrap()).exists(), "a copy is for a person to look at");
}

#[test]
fn a_folder_of_rubbish_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(path(dir.path(), 3), b"\x05\x00\x00\x00rubbish that is no frame").unwrap();
    std::fs::write(path(dir.path(), 4), []).unwrap();
    std::fs::write(dir.path().join("notes.txt"), "not ours").unwrap();
    std::fs::create_dir(path(dir.path(), 5)).unwrap();
    let recovered = found(dir.path(), 7);
    assert!(recovered.damaged > 0, "a folder in the place of a segment is no segment");
    assert_eq!((recovered.past.highest, recovered.past.last_batch), (5, 7));
    let mut journal = Journal::begin_after(dir.path(), "owner", recovered.past).unwrap();
    call(&mut journal, 1);
    journal.close().unwrap();
    assert_eq!(journal.next().unwrap().number, 8);
}

#[test]
fn syncing_is_asked_for_once_after_each_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path());
    journal.unsynced().unwrap().carry_out().unwrap();
    assert!(journal.unsynced().is_none());
    call(&mut journal, 1);
    assert!(journal.unsynced().is_some());
    journal.sync_again();
    assert!(journal.unsynced().is_some());
}

/// Whatever the calls do and wherever the file is cut, each call is found at most once, and those that had ended before
/// the cut are found with their end.
#[test]
fn wherever_the_file_is_cut_no_call_is_found_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path());
    let mut ended_by: Vec<(u64, u128)> = Vec::new();
    let mut open = Vec::new();
    for number in 0..24_u128 {
        open.push(begin(&mut journal, number));
        if number % 3 == 2 {
            let record = open.remove(0);
            let id = record.id.as_raw();
            end(&mut journal, record);
            ended_by.push((journal.current.as_ref().unwrap().length, id));
        }
        if number % 7 == 6 {
            journal.close().unwrap();
        }
    }
    drop(journal);
    let file = path(dir.path(), 1);
    let bytes = std::fs::read(&file).unwrap();
    for cut in (0..bytes.len()).step_by(37) {
        std::fs::write(&file, &bytes[..cut]).unwrap();
        let recovered = found(dir.path(), 0);
        let mut all: Vec<u128> = ids(&recovered.past.trailing);
        for batch in &recovered.past.batches {
            all.extend(read(dir.path(), batch));
        }
        let ended: BTreeSet<u128> = all.iter().copied().collect();
        let expected: BTreeSet<u128> = ended_by.iter().filter(|(length, _)| *length <= cut as u64).map(|(_, id)| *id).collect();
        assert_eq!(ended, expected, "cut at {cut}");
        all.extend(recovered.interrupted.iter().map(|record| record.id.as_raw()));
        assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len(), "cut at {cut}");
        assert_eq!(recovered.damaged, 0);
    }
}

#[test]
fn a_call_that_could_not_be_written_down_goes_to_its_batch_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = fresh(dir.path());
    let record = begin(&mut journal, 1);
    // As a full disk would leave it: in memory only.
    journal.open.remove(&CallId::from_raw(1));
    journal.pending.push(Settled::new(record));
    journal.close().unwrap();
    let batch = journal.next().unwrap();
    assert_eq!(ids(batch.calls.as_ref().unwrap_or(&Arc::default())), [1]);
    drop(journal);
    let recovered = found(dir.path(), 0);
    assert!(recovered.interrupted.is_empty(), "its end was written with the batch");
    assert_eq!(read(dir.path(), &recovered.past.batches[0]), [1]);
}
