//! What keeps spans from being stored or brought, and what happens then.

use std::{path::PathBuf, sync::atomic::Ordering};

use mainspring_kernel::{Fault as _, Name};
use mainspring_lake::{Answer, Filter, Lake, Repair, SqlAnswer, SqlQuery, Table, TableSpec};
use mainspring_testservers::disk::SmallDisk;

use super::{
    unsteady::{Outage, Unsteady},
    *,
};
use crate::{Counted, Trouble};

/// A lake that is away for a while, with its tables.
#[derive(Debug, Clone)]
struct Away {
    inner: Arc<LanceLake>,
    outage: Outage,
}

impl Lake for Away {
    fn open<'a>(&'a self, table: &'a Name, spec: &'a TableSpec) -> Answer<'a, Arc<dyn Table>> {
        Box::pin(async move { Ok(Unsteady::away_in(&self.outage, self.inner.open(table, spec).await?)) })
    }
    fn open_existing<'a>(&'a self, table: &'a Name) -> Answer<'a, Arc<dyn Table>> {
        self.inner.open_existing(table)
    }
    fn list(&self) -> Answer<'_, Vec<Name>> {
        self.inner.list()
    }
    fn drop_table<'a>(&'a self, table: &'a Name) -> Answer<'a, ()> {
        self.inner.drop_table(table)
    }
    fn repair(&self) -> Answer<'_, Vec<Repair>> {
        self.inner.repair()
    }
    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.outage.check() })
    }
    fn sql(&self, query: SqlQuery) -> Answer<'_, SqlAnswer> {
        self.outage.let_through(self.inner.sql(query))
    }
}

struct Shaky {
    room: Observability,
    lake: Away,
    metrics: Metrics,
    spill: PathBuf,
    _tasks: Tasks,
}

/// A room over a lake that is away, or not, from the start.
async fn shaky(dir: &Path, spill_dir: &Path, spill_limit: u64, down: bool) -> Shaky {
    shaky_of(dir, spill_dir, spill_limit, Outage::begun(down)).await
}

async fn shaky_of(dir: &Path, spill_dir: &Path, spill_limit: u64, outage: Outage) -> Shaky {
    let inner = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    let lake = Away { inner: Arc::new(inner), outage };
    let (tasks, metrics) = (Tasks::default(), Metrics::default());
    let clock: Arc<dyn Clock> = Arc::new(FrozenClock::at(Timestamp::from_micros(1_700_000_000_000_000)));
    let settings = settings(spill_dir, spill_limit, Capture::Full);
    let room =
        Observability::open(&lake, settings, &tasks, (clock, metrics.clone()), Arc::new(Readable::default())).await.unwrap();
    Shaky { room, lake, metrics, spill: spill_dir.to_owned(), _tasks: tasks }
}

impl Shaky {
    /// How often a span is in the lake.
    async fn times(&self, span: &Span) -> u64 {
        let id = Filter::And(vec![Filter::eq("trace", span.trace.to_string()), Filter::eq("span", span.span.to_string())]);
        self.room.table().count(id).await.unwrap()
    }

    async fn until_brought(&self, spans: &[Span]) {
        let end = tokio::time::Instant::now() + WAIT;
        for span in spans {
            while self.times(span).await == 0 {
                assert!(tokio::time::Instant::now() < end, "a stored span did not come into the lake");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(self.times(span).await, 1);
        }
    }

    fn aside(&self) -> usize {
        std::fs::read_dir(self.spill.join("aside")).map_or(0, Iterator::count)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_lake_is_away_spans_are_stored_up_to_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let it = shaky(dir.path(), &dir.path().join("spill"), 20_000, true).await;
    let (mut stored, mut refused) = (Vec::new(), None);
    while refused.is_none() {
        let one = span(i64::try_from(stored.len()).unwrap(), &[]);
        match it.room.record_durably(vec![one.clone()], WAIT).await {
            Ok(()) => stored.push(one),
            Err(fault) => refused = Some(fault),
        }
        assert!(stored.len() < 1_000, "nothing is refused");
    }
    let refused = refused.unwrap();
    assert_eq!((refused.code(), refused.kind()), ("trace-spill-full", mainspring_kernel::FaultKind::Saturated));
    assert!(refused.retry_after().is_some());
    assert!(stored.len() > 10);
    it.room.record(span(5_000, &[]));
    it.room.flush(WAIT).await.unwrap();
    let status = it.room.status();
    assert_eq!((status.dropped, status.trouble), (2, Some(Trouble::SpillFull)));
    assert!(status.spill_bytes <= 20_000 && status.spill_bytes > 10_000, "{}", status.spill_bytes);
    assert!(it.metrics.render().contains("mainspring_spans_dropped_total{reason=\"spill_limit\"} 2"), "{}", it.metrics.render());

    it.lake.outage.end();
    it.until_brought(&stored).await;
    let after = span(9_000, &[]);
    it.room.record_durably(vec![after.clone()], WAIT).await.unwrap();
    it.until_brought(&[after]).await;
    it.room.drain(WAIT).await.unwrap();
    let status = it.room.status();
    assert_eq!((status.trouble, status.spill_bytes, status.lake_down), (None, 0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_on_disk_is_brought_although_more_keeps_coming() {
    let dir = tempfile::tempdir().unwrap();
    let it = shaky(dir.path(), &dir.path().join("spill"), u64::MAX, true).await;
    let waited: Vec<Span> = (0..3).map(|n| span(n, &[])).collect();
    for one in &waited {
        it.room.record_durably(vec![one.clone()], WAIT).await.unwrap();
    }
    while !it.room.status().lake_down {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    it.lake.outage.end();
    tokio::select! {
        () = it.until_brought(&waited) => {}
        () = async {
            for n in 0.. {
                it.room.record(span(1_000 + n, &[]));
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        } => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_is_away_at_the_start_keeps_nobody_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let spill_dir = dir.path().join("spill");
    let before: Vec<Span> = (0..3).map(|n| span(n, &[])).collect();
    left(&spill::Spill::open(&spill_dir, u64::MAX).unwrap(), &before);
    let it = shaky(dir.path(), &spill_dir, u64::MAX, true).await;
    assert!(it.room.status().lake_down);
    it.lake.outage.end();
    it.until_brought(&before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_and_cannot_be_found_yet_is_told_of_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let spill_dir = dir.path().join("spill");
    let before = span(1, &[]);
    left(&spill::Spill::open(&spill_dir, u64::MAX).unwrap(), std::slice::from_ref(&before));
    let it = shaky_of(dir.path(), &spill_dir, u64::MAX, Outage::of_writes()).await;
    let (all, every) = (actor(Labels::All), TraceFilter::default());
    assert_eq!(it.room.count(&all, &every).await.unwrap(), Counted { count: 0, exact: false, waiting: 1 }, "one at least");
    let stored = [span(2, &[]), span(3, &[])];
    it.room.record_durably(stored.to_vec(), WAIT).await.unwrap();
    assert_eq!(it.room.count_spans(&all, &every).await.unwrap(), Counted { count: 0, exact: false, waiting: 3 });
    for missing in [
        it.room.trace(&all, stored[0].trace, 9, &PageRequest::first(1)).await.map(drop).unwrap_err(),
        it.room.tree(&all, before.trace, 9, &PageRequest::first(1)).await.map(drop).unwrap_err(),
        it.room.span(&all, before.trace, Some(before.span)).await.map(drop).unwrap_err(),
    ] {
        assert_eq!((missing.code(), missing.kind()), ("trace-not-found-yet", mainspring_kernel::FaultKind::Unavailable));
        assert!(missing.retry_after().is_some(), "{missing}");
    }
    it.lake.outage.end();
    it.until_brought(&[vec![before.clone()], stored.to_vec()].concat()).await;
    it.room.drain(WAIT).await.unwrap();
    while it.room.status().spill_bytes > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(it.room.count(&all, &every).await.unwrap(), Counted { count: 3, exact: true, waiting: 0 });
    let nowhere = it.room.trace(&all, TraceId::random(), 9, &PageRequest::first(1)).await.map(drop).unwrap_err();
    assert_eq!(nowhere.code(), "trace-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_breaks_down_is_counted_and_makes_nobody_wait() {
    let dir = tempfile::tempdir().unwrap();
    let it = shaky(dir.path(), &dir.path().join("spill"), u64::MAX, false).await;
    it.room.spill.panics.store(true, Ordering::SeqCst);
    let refused = it.room.record_durably(vec![span(1, &[])], WAIT).await.unwrap_err();
    assert_eq!(refused.code(), "trace-not-stored");
    assert_eq!(it.room.status().dropped, 1);
    it.room.drain(Duration::from_millis(1)).await.unwrap();
    let next = span(2, &[]);
    it.room.record_durably(vec![next.clone()], WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    it.until_brought(&[next]).await;
    assert_eq!((it.room.status().trouble, it.room.status().spill_bytes), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_that_cannot_be_brought_are_moved_aside_and_keep_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let spill_dir = dir.path().join("spill");
    // Nobody can read a folder as a file, root included.
    let unreadable = |number: u64| std::fs::create_dir_all(spill_dir.join(format!("{number:016}.spill"))).unwrap();
    let segment = |spans: &[Span]| left(&spill::Spill::open(&dir.path().join("elsewhere"), u64::MAX).unwrap(), spans);
    unreadable(0);
    let first = [span(1, &[]), span(2, &[])];
    std::fs::rename(segment(&first), spill_dir.join("0000000000000001.spill")).unwrap();
    let it = shaky(dir.path(), &spill_dir, u64::MAX, false).await;
    it.until_brought(&first).await;
    assert_eq!((it.aside(), it.room.status().set_aside), (1, 1));

    unreadable(100);
    let second = [span(3, &[]), span(4, &[]), span(5, &[])];
    let path = segment(&second);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[12] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    std::fs::rename(path, spill_dir.join("0000000000000101.spill")).unwrap();
    it.until_brought(&second[1..]).await;
    assert_eq!(it.times(&second[0]).await, 0, "its bytes have changed");
    while it.room.status().set_aside < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(it.aside(), 3);
    it.room.record_durably(vec![span(6, &[])], WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_somebody_removed_makes_nobody_wait() {
    let dir = tempfile::tempdir().unwrap();
    let it = shaky(dir.path(), &dir.path().join("spill"), u64::MAX, true).await;
    it.room.record_durably(vec![span(1, &[])], WAIT).await.unwrap();
    while !it.room.status().lake_down {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for entry in std::fs::read_dir(&it.spill).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    it.lake.outage.end();
    it.room.drain(WAIT).await.unwrap();
    assert_eq!(it.room.status().dropped, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_a_sender_repeats_are_in_the_lake_once() {
    let dir = tempfile::tempdir().unwrap();
    let it = shaky(dir.path(), &dir.path().join("spill"), u64::MAX, false).await;
    let spans: Vec<Span> = (0..4).map(|n| span(n, &[])).collect();
    let twice = [spans.clone(), spans.clone()].concat();
    let (one, two, three) = tokio::join!(
        it.room.record_durably(twice, WAIT),
        it.room.record_durably(spans.clone(), WAIT),
        it.room.record_durably(spans.clone(), WAIT),
    );
    one.and(two).and(three).unwrap();
    it.room.drain(WAIT).await.unwrap();
    it.room.record_durably(spans.clone(), WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    it.until_brought(&spans).await;
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_that_was_stored() {
    let Some(disk) = SmallDisk::mount(1 << 20) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let it = shaky(dir.path(), &disk.path().join("spill"), u64::MAX, true).await;
        let kept = span(1, &[]);
        it.room.record_durably(vec![kept.clone()], WAIT).await.unwrap();
        disk.fill();
        let mut large = span(2, &[]);
        large.attributes.insert("text".into(), json!("x".repeat(100_000)));
        let refused = it.room.record_durably(vec![large.clone()], WAIT).await.unwrap_err();
        assert_eq!((refused.code(), refused.kind()), ("trace-disk-full", mainspring_kernel::FaultKind::Unavailable));
        assert_eq!(it.room.status().trouble, Some(Trouble::DiskFull));
        disk.free();
        it.room.record_durably(vec![large.clone()], WAIT).await.unwrap();
        assert_eq!(it.room.status().trouble, None);
        it.lake.outage.end();
        it.until_brought(&[kept, large]).await;
        assert_eq!(it.room.status().spill_bytes, 0);
    });
}
