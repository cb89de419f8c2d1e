//! Work at the table by another process: what it brings, how it fares, and what is deleted in steps.

use std::sync::atomic::{AtomicBool, Ordering};

use mainspring_kernel::Stop;

use super::*;
use crate::{
    Elsewhere, Ended, Errand, ErrandKind, FailingErrand, Hold, Workplace,
    errand::expiring,
    writer::{Counters, Quiet},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_quiet_is_on_the_disk_and_is_brought_when_somebody_asks_and_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("lake")))).await.unwrap();
    let spill_dir = dir.path().join("spill");
    let settings = Settings { bring: Bring::WhenQuiet, gives_way: true, ..settings(&spill_dir, 1 << 30, Capture::Full) };
    let clock: Arc<dyn Clock> = Arc::new(FrozenClock::at(Timestamp::from_micros(1)));
    let (tasks, access) = (Tasks::default(), Arc::new(Readable::default()));
    let before: Vec<Span> = (0..3).map(|n| span(n, &[])).collect();
    left(&spill::Spill::open(&spill_dir, u64::MAX).unwrap(), &before);
    let room = Observability::open(&lake, settings, &tasks, (clock, Metrics::default()), access).await.unwrap();
    let recorded: Vec<Span> = (10..16).map(|n| span(n, &[])).collect();
    for one in &recorded {
        room.record_durably(vec![one.clone()], WAIT).await.unwrap();
    }
    let count = async || room.table().count(mainspring_lake::Filter::All).await.unwrap();
    assert_eq!((count().await, std::fs::read_dir(&spill_dir).unwrap().count()), (0, 7));
    room.drain(WAIT).await.unwrap();
    assert_eq!((count().await, std::fs::read_dir(&spill_dir).unwrap().count()), (9, 0));
    room.record(span(20, &[]));
    tasks.shut_down(WAIT).await.unwrap();
    assert_eq!((count().await, std::fs::read_dir(&spill_dir).unwrap().count()), (10, 0));
}

/// Runs errands here, as another process would, or fails first.
#[derive(Debug)]
struct Beside {
    dir: PathBuf,
    fails: AtomicBool,
}

impl Beside {
    async fn lake(&self) -> LanceLake {
        LanceLake::open(LanceConfig::new(LakeLocation::Local(self.dir.join("lake")))).await.unwrap()
    }

    async fn run_until(&self, errand: Errand, stop: &Stop) -> Result<Ended, TraceFault> {
        // It is what crosses to another process.
        let errand: Errand = serde_json::from_str(&serde_json::to_string(&errand).unwrap()).unwrap();
        let (spill, values) = (self.dir.join("spill"), Blobs::local(&self.dir.join("values")).unwrap());
        let hold = Hold::take(&spill, WAIT).await?;
        Workplace::open(&self.lake().await, &spill, values, hold).await?.run(errand, stop).await
    }
}

#[async_trait]
impl Elsewhere for Beside {
    async fn run(&self, errand: Errand) -> Result<Ended, TraceFault> {
        let done = self.run_until(errand, &Stop::never()).await;
        if self.fails.swap(false, Ordering::SeqCst) { Err(TraceFault::Errand { reason: "killed".into() }) } else { done }
    }

    async fn end(&self, _reason: &str) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_brings_is_counted_here_and_what_it_leaves_is_brought_later() {
    let dir = tempfile::tempdir().unwrap();
    let beside = Arc::new(Beside { dir: dir.path().to_owned(), fails: AtomicBool::new(false) });
    let spill_dir = dir.path().join("spill");
    // A damaged one lies aside afterwards, and does not keep the others.
    let damaged = left(&spill::Spill::open(&spill_dir, u64::MAX).unwrap(), &[span(50, &[])]);
    let mut bytes = std::fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let elsewhere: Arc<dyn Elsewhere> = Arc::clone(&beside) as _;
    let settings =
        Settings { bring: Bring::WhenQuiet, elsewhere: Some(elsewhere), ..settings(&spill_dir, 1 << 30, Capture::Full) };
    let clock: Arc<dyn Clock> = Arc::new(FrozenClock::at(Timestamp::from_micros(1)));
    let (tasks, access) = (Tasks::default(), Arc::new(Readable::default()));
    let room = Observability::open(&beside.lake().await, settings, &tasks, (clock, Metrics::default()), access).await.unwrap();
    let count = async || {
        let table = beside.lake().await.open(&table::table_name().unwrap(), &table::spec()).await.unwrap();
        table.count(mainspring_lake::Filter::All).await.unwrap()
    };
    let first: Vec<Span> = (0..6).map(|n| span(n, &[])).collect();
    for one in &first {
        room.record_durably(vec![one.clone()], WAIT).await.unwrap();
    }
    room.drain(WAIT).await.unwrap();
    assert_eq!((count().await, room.status().queryable, room.status().set_aside), (6, 6, 1));
    // It did its work, and it is not known that it did.
    beside.fails.store(true, Ordering::SeqCst);
    room.record_durably(vec![span(7, &[])], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    assert_eq!((count().await, room.status().queryable), (7, 7));
    tasks.shut_down(WAIT).await.unwrap();
    let late = Errand::upkeep(Some(Timestamp::from_micros(4_000_000_000_000_000)), Duration::ZERO);
    let stopped = Tasks::default();
    stopped.ask_to_stop();
    assert_eq!(beside.run_until(late.clone(), &stopped.stop()).await.unwrap(), Ended::Stopped);
    assert_eq!(count().await, 7);
    assert_eq!(beside.run(late).await.unwrap(), Ended::Done);
    assert_eq!(count().await, 0, "what is too old is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_fails_elsewhere_is_told_and_counted_and_is_not_tried_at_once_again() {
    let dir = tempfile::tempdir().unwrap();
    let spill_dir = dir.path().join("spill");
    let beside = Arc::new(Beside { dir: dir.path().to_owned(), fails: AtomicBool::new(true) });
    let elsewhere: Arc<dyn Elsewhere> = Arc::clone(&beside) as _;
    let settings =
        Settings { bring: Bring::WhenQuiet, elsewhere: Some(elsewhere), ..settings(&spill_dir, 1 << 30, Capture::Full) };
    let clock: Arc<dyn Clock> = Arc::new(FrozenClock::at(Timestamp::from_micros(1)));
    let (tasks, access, metrics) = (Tasks::default(), Arc::new(Readable::default()), Metrics::default());
    let lake = beside.lake().await;
    let room = Observability::open(&lake, settings, &tasks, (clock, metrics.clone()), access).await.unwrap();
    let errands = room.errands().unwrap();
    let says = |line: &str| assert!(metrics.render().contains(line), "{line}: {}", metrics.render());
    says("mainspring_errands_total{errand=\"upkeep\",outcome=\"failed\"} 0");
    let upkeep = || Errand::upkeep(None, Duration::from_secs(3600));
    assert!(errands.run(upkeep()).await.is_err());
    let failing = FailingErrand {
        kind: ErrandKind::Upkeep,
        times: 1,
        reason: "the process that works at the traces failed: killed".into(),
    };
    assert_eq!(room.status().failing, [failing]);
    assert!(!errands.may_run(ErrandKind::Upkeep) && errands.may_run(ErrandKind::Bring));
    says("mainspring_errands_total{errand=\"upkeep\",outcome=\"failed\"} 1");
    says("mainspring_errands_failing{errand=\"upkeep\"} 1");
    beside.fails.store(true, Ordering::SeqCst);
    assert!(errands.run(upkeep()).await.is_err());
    assert_eq!(room.status().failing[0].times, 2);
    assert_eq!(errands.run(upkeep()).await.unwrap(), Ended::Done);
    assert!(room.status().failing.is_empty() && errands.may_run(ErrandKind::Upkeep));
    says("mainspring_errands_total{errand=\"upkeep\",outcome=\"done\"} 1");
    says("mainspring_errands_failing{errand=\"upkeep\"} 0");
    tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_in_steps_and_what_is_younger_stays() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let hour = 3_600_000_000;
    let old: Vec<Span> = (0..5).map(|n| span(n * hour + 7, &[])).collect();
    let limit = 4 * hour + 100;
    let young = [span(limit, &[]), span(limit + hour, &[])];
    room.record_durably(old.iter().chain(&young).cloned().collect(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let number = async || room.table().version().await.unwrap().number;
    let (before, stop) = (number().await, Stop::never());
    let gone = expiring::in_steps(room.kept(), Timestamp::from_micros(limit), 2, &stop).await.unwrap();
    assert_eq!((gone, number().await), ((5, Ended::Done), before + 3));
    assert_eq!(room.expire(Timestamp::from_micros(limit)).await.unwrap(), 0);
    let left = room.list(&actor(Labels::All), &TraceFilter::default(), &PageRequest::first(9)).await.unwrap();
    assert_eq!(left.items.iter().map(|trace| trace.trace).collect::<Vec<_>>(), [young[1].trace, young[0].trace]);
    tasks.shut_down(WAIT).await.unwrap();
}

#[test]
fn quiet_comes_after_half_a_minute_and_not_before_unless_much_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (counters, mut quiet) = (Counters::new(Metrics::default()), Quiet::default());
    let kept = spill::Spill::open(dir.path(), 1 << 20).unwrap();
    assert!((0..20).all(|_| !quiet.has_come(&counters, &kept)), "nothing waits");
    left(&kept, &[span(1, &[])]);
    counters.recorded.fetch_add(5_000, Ordering::SeqCst);
    assert_eq!((0..20).position(|_| quiet.has_come(&counters, &kept)), Some(15));
    counters.recorded.fetch_add(5_000, Ordering::SeqCst);
    assert!(!quiet.has_come(&counters, &kept));
    let small = spill::Spill::open(dir.path(), kept.bytes() * 4).unwrap();
    assert!(quiet.has_come(&counters, &small), "a quarter of what may wait does");
}
