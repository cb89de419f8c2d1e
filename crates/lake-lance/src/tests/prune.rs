//! Old versions go, with every file that only they named; what is read or tagged stays.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mainspring_kernel::{Clock as _, FrozenClock, SystemClock};
use mainspring_lake::{
    Filter, Lake, LakeFault, Past, Scan, Table, TableSpec, UpkeepPolicy,
    conformance::{Row, batch, ids, rows_of, spec},
};

use super::{config, data_files};
use crate::{LanceConfig, LanceLake, prune::Keep};

const MINUTE: Duration = Duration::from_secs(60);
const VERSIONS: u64 = 20;
const BRIEF: Past = Past::Brief { no_older_than: Duration::from_secs(15 * 60), versions: VERSIONS };

/// A lake whose clock is so far ahead of what its versions are stamped with.
async fn lake_ahead(dir: &Path, ahead: Duration, shared: bool) -> LanceLake {
    let clock = FrozenClock::at(SystemClock.now().plus(ahead));
    let look_for_newer_after = shared.then_some(Duration::ZERO);
    LanceLake::open(LanceConfig { clock: Arc::new(clock), look_for_newer_after, ..config(dir) }).await.unwrap()
}

async fn table_with(lake: &LanceLake, past: Past) -> Arc<dyn Table> {
    lake.open(&"t".parse().unwrap(), &TableSpec { past, ..spec() }).await.unwrap()
}

async fn commits(table: &dyn Table, from: usize, count: usize) {
    for n in from..from + count {
        table.append(batch(&[Row::new(format!("{n:04}")).words("word")])).await.unwrap();
    }
}

/// Files with this ending in a folder of the table.
fn files(dir: &Path, folder: &str, ending: &str) -> u64 {
    let entries = std::fs::read_dir(dir.join("t.lance").join(folder)).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(ending)).count() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_with_a_brief_past_stays_small_while_it_is_written_and_read() {
    const ROUNDS: usize = 6;
    const COMMITS: usize = 60;
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_ahead(dir.path(), MINUTE, false).await;
    let table = table_with(&lake, BRIEF).await;
    commits(&*table, 0, 1).await;
    let tagged = table.version().await.unwrap();
    table.tag("kept", &tagged).await.unwrap();
    commits(&*table, 1, 1).await;
    let untagged = table.version().await.unwrap();
    let policy = UpkeepPolicy { fragments: 4, unindexed_rows: 50, ..UpkeepPolicy::default() };
    for round in 0..ROUNDS {
        let writing = AtomicBool::new(true);
        let writer = async {
            commits(&*table, 2 + round * COMMITS, COMMITS).await;
            writing.store(false, Ordering::SeqCst);
        };
        let keeper = async {
            while writing.load(Ordering::SeqCst) {
                table.upkeep(&policy).await.unwrap();
            }
        };
        let reader = async {
            let mut before = 0;
            while writing.load(Ordering::SeqCst) {
                let found = ids(&*table, Scan::of(Filter::All)).await;
                assert!(found.len() >= before, "rows went away: {} after {before}", found.len());
                before = found.len();
            }
        };
        futures::future::join3(writer, keeper, reader).await;
        table.upkeep(&policy).await.unwrap();
        // What is kept, a share of it that is not worth a look yet, the tagged one, and what upkeep itself committed.
        let most = VERSIONS + VERSIONS / 4 + 1 + 12;
        let manifests = files(dir.path(), "_versions", ".manifest");
        assert!(manifests <= most, "round {round} left {manifests} manifests");
        let transactions = files(dir.path(), "_transactions", ".txn");
        assert!(transactions <= manifests, "round {round} left {transactions} transactions beside {manifests} manifests");
    }
    let rows = (2 + ROUNDS * COMMITS) as u64;
    assert_eq!(table.count(Filter::All).await.unwrap(), rows);
    // Each commit wrote a file; compactions have replaced all but the newest.
    let data = files(dir.path(), "data", ".lance");
    assert!(data < rows / 4, "{data} data files of {rows} commits");
    assert_eq!(table.at(&tagged).await.unwrap().count(Filter::All).await.unwrap(), 1);
    assert!(matches!(table.at(&untagged).await, Err(LakeFault::NoVersion { .. })));
    // Nothing that the next process needs went with them.
    drop((table, lake));
    let lake = lake_ahead(dir.path(), MINUTE, false).await;
    let again = table_with(&lake, BRIEF).await;
    assert_eq!(again.count(Filter::All).await.unwrap(), rows);
    assert_eq!(again.tags().await.unwrap(), [("kept".to_owned(), tagged)]);
}

#[tokio::test]
async fn a_brief_past_ends_with_its_time_also_where_little_happens() {
    for (past, stays) in [(BRIEF, false), (Past::AsAsked, true)] {
        let dir = tempfile::tempdir().unwrap();
        let lake = lake_ahead(dir.path(), 16 * MINUTE, false).await;
        let table = table_with(&lake, past).await;
        let made = files(dir.path(), "_versions", ".manifest");
        commits(&*table, 0, 8).await;
        let policy = UpkeepPolicy { fragments: 100, unindexed_rows: 1_000, ..UpkeepPolicy::default() };
        table.upkeep(&policy).await.unwrap();
        let expected = if stays { made + 8 } else { 1 };
        assert_eq!(files(dir.path(), "_versions", ".manifest"), expected, "{past:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_other_processes_no_version_goes_before_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (lake_ahead(dir.path(), MINUTE, true).await, lake_ahead(dir.path(), 16 * MINUTE, true).await);
    let (writer, idle) = (table_with(&one, BRIEF).await, table_with(&two, BRIEF).await);
    let policy = UpkeepPolicy { fragments: 1_000, unindexed_rows: 1_000, ..UpkeepPolicy::default() };
    commits(&*writer, 0, 30).await;
    writer.upkeep(&policy).await.unwrap();
    let manifests = files(dir.path(), "_versions", ".manifest");
    assert!(manifests > 30, "{manifests}: none is old enough for another process to have done with it");
    // The other one's clock says that they are old. What it knew itself is gone then, too.
    idle.upkeep(&policy).await.unwrap();
    assert_eq!(files(dir.path(), "_versions", ".manifest"), 1);
    commits(&*writer, 30, 1).await;
    commits(&*idle, 31, 1).await;
    assert_eq!(writer.count(Filter::All).await.unwrap(), 32);
    assert_eq!(idle.count(Filter::All).await.unwrap(), 32);
}

#[tokio::test]
async fn who_slept_while_the_others_pruned_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (lake_ahead(dir.path(), 16 * MINUTE, true).await, lake_ahead(dir.path(), 16 * MINUTE, true).await);
    let (busy, asleep) = (table_with(&one, BRIEF).await, table_with(&two, BRIEF).await);
    commits(&*asleep, 0, 1).await;
    commits(&*busy, 1, 10).await;
    busy.upkeep(&UpkeepPolicy { fragments: 2, unindexed_rows: 1, ..UpkeepPolicy::default() }).await.unwrap();
    commits(&*busy, 11, 3).await;
    busy.upkeep(&UpkeepPolicy { keep_versions_for: Duration::ZERO, ..UpkeepPolicy::default() }).await.unwrap();
    assert_eq!(asleep.append(batch(&[Row::new("late")])).await.unwrap().inserted, 1);
    assert_eq!(asleep.replace(Filter::eq("id", "0001"), None).await.unwrap().deleted, 1);
    assert_eq!(busy.count(Filter::All).await.unwrap(), 14);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_read_what_others_changed_and_let_go_of_since_writes_nothing() {
    // The file in which the row was stays, or it goes too.
    for fragments in [1_000, 1] {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (lake_ahead(dir.path(), 16 * MINUTE, true).await, lake_ahead(dir.path(), 16 * MINUTE, true).await);
        let (reader, other) = (table_with(&one, BRIEF).await, table_with(&two, BRIEF).await);
        let rows: Vec<Row> = (0..40).map(|n| Row::new(format!("{n:04}")).number(1)).collect();
        reader.append(batch(&rows)).await.unwrap();
        let read = reader.snapshot().await.unwrap();
        let version = read.version().await.unwrap();
        let (this, as_it_is) = (|| Filter::eq("id", "0007"), |number| batch(&[Row::new("0007").number(number)]));
        other.replace(this(), Some(as_it_is(2))).await.unwrap();
        commits(&*other, 100, 1).await;
        let policy = UpkeepPolicy { fragments, unindexed_rows: 1_000, keep_versions_for: Duration::ZERO };
        for _ in 0..2 {
            other.upkeep(&policy).await.unwrap();
        }
        assert!(matches!(other.at(&version).await, Err(LakeFault::NoVersion { .. })));
        let data = data_files(dir.path(), "t");
        let late = reader.replace_as_read(&version, this(), Some(as_it_is(9))).await;
        assert!(matches!(late, Err(LakeFault::Contended { .. })), "{fragments}: {late:?}");
        assert_eq!(data_files(dir.path(), "t"), data, "{fragments}: what was not written lies nowhere");
        let numbers = async || {
            let rows = rows_of(&reader.scan(Scan::of(this())).await.unwrap());
            rows.into_iter().map(|row| row.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers().await, [Some(2)], "{fragments}");
        // Whoever reads again reads that.
        let version = reader.version().await.unwrap();
        reader.replace_as_read(&version, this(), Some(as_it_is(3))).await.unwrap();
        assert_eq!(numbers().await, [Some(3)], "{fragments}");
    }
}

#[test]
fn what_is_kept_goes_by_the_table_and_by_who_asks() {
    let asked = |seconds| UpkeepPolicy { keep_versions_for: Duration::from_secs(seconds), ..UpkeepPolicy::default() };
    let of = |past, policy: &UpkeepPolicy, shared| {
        let keep = Keep::of(past, policy, shared);
        (keep.no_older_than.as_secs(), keep.versions)
    };
    assert_eq!(of(Past::AsAsked, &asked(86_400), false), (86_400, None));
    assert_eq!(of(BRIEF, &asked(86_400), false), (900, Some(VERSIONS)));
    assert_eq!(of(BRIEF, &asked(86_400), true), (900, None), "age alone counts where others write");
    assert_eq!(of(BRIEF, &asked(60), false), (60, Some(VERSIONS)), "whoever asks for less gets less");
    assert_eq!(of(BRIEF, &asked(0), true), (0, None));
    // Where nothing is known of the last time, and where nothing is to be kept, there is no waiting.
    let now = Instant::now();
    for past in [BRIEF, Past::AsAsked] {
        assert!(Keep::of(past, &asked(86_400), false).is_due(None, 1, now));
        assert!(Keep::of(past, &asked(0), false).is_due(None, 1, now));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_no_version_names_go_when_nobody_can_be_writing_them() {
    for shared in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let lake = lake_ahead(dir.path(), MINUTE, shared).await;
        let table = table_with(&lake, Past::AsAsked).await;
        commits(&*table, 0, 3).await;
        let named = data_files(dir.path(), "t");
        let versions = files(dir.path(), "_versions", ".manifest");
        let in_data = |name: &str| dir.path().join("t.lance/data").join(name);
        named.iter().for_each(|name| age(&in_data(name)));
        // As a process leaves them that dies while it writes: just now, and before any write began that is under way.
        std::fs::write(in_data("now.lance"), "words of before").unwrap();
        std::fs::write(in_data("before.lance"), "words of before").unwrap();
        let index = dir.path().join("t.lance/_indices/7d444840-9dc0-11d1-b245-5ffdce74fad2");
        std::fs::create_dir_all(&index).unwrap();
        std::fs::write(index.join("words.lance"), "words").unwrap();
        [in_data("before.lance"), index.join("words.lance")].iter().for_each(|file| age(file));
        let cleared = table.clear_leftovers().await.unwrap();
        let as_wanted = if shared { cleared == 20 } else { cleared >= 35 };
        assert!(as_wanted, "{cleared}: of a lake that others write to nobody knows whose the newest are");
        let mut left = named.clone();
        left.extend(shared.then(|| "now.lance".to_owned()));
        assert_eq!(data_files(dir.path(), "t"), left);
        assert!(!index.join("words.lance").exists());
        assert_eq!(files(dir.path(), "_versions", ".manifest"), versions, "every version stays");
        assert_eq!(table.count(Filter::All).await.unwrap(), 3);
        commits(&*table, 3, 1).await;
        assert_eq!(table.count(Filter::All).await.unwrap(), 4);
    }
}

/// Makes a file look as if it was written two hours ago.
fn age(file: &Path) {
    let file = std::fs::File::options().write(true).open(file).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written - 120 * MINUTE).unwrap();
}
