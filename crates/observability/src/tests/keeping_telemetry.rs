//! Retention, erasures and large values, over a lake and both catalogs' statements.

use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, CatalogFault, Tx};
use mainspring_jobs::Jobs;
use mainspring_kernel::Role;
use mainspring_testservers::on_every_engine;
use serde_json::Value;

use super::*;
use crate::{
    Derived, Drift, Entering, ErasedNames, ErasureState, Keeping, KeepingParts, MetricPoints, NewScore, Retention, ScoreFilter,
    Scores, SpanServer, Subject, Telemetry,
    values::{LARGE, Values, cut, named_by},
};

on_every_engine!(Catalog: [
    every_statement_compiles,
    a_turn_is_taken_by_one,
    scores_go_when_the_spans_of_their_project_do,
    an_erasure_is_there_once_and_forgets_whose_it_was,
    what_a_write_left_that_was_broken_off_goes_after_an_erasure,
]);

const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, 'kept', '', $2) RETURNING id";

#[derive(Debug)]
struct NoTrail;

#[async_trait]
impl AuditTrail for NoTrail {
    async fn record(&self, _: &mut Tx, _: &Actor, _: AuditEntry) -> Result<(), CatalogFault> {
        Ok(())
    }
}

/// What other rooms were told, in order, and rows that come to a table when they are told first.
#[derive(Debug, Default)]
pub(super) struct Others(pub(super) Mutex<Vec<String>>, pub(super) Mutex<Option<Coming>>);

pub(super) type Coming = (Arc<dyn mainspring_lake::Table>, arrow_array::RecordBatch);

#[async_trait]
impl Derived for Others {
    async fn settle(&self) {}

    async fn forget(&self, _: ProjectId, names: &ErasedNames) -> Result<(), Box<dyn Fault>> {
        self.0.lock().unwrap().push(format!("forget {}{}", names.values.join(" "), worded(names)));
        let coming = self.1.lock().unwrap().take();
        if let Some((table, rows)) = coming {
            table.append(rows).await.unwrap();
        }
        Ok(())
    }

    async fn erase(&self, _: ProjectId, names: &ErasedNames) -> Result<(), Box<dyn Fault>> {
        let (values, traces) = (names.values.join(" "), names.traces.len());
        self.0.lock().unwrap().push(format!("erase {values} of {traces} traces{}", worded(names)));
        Ok(())
    }
}

fn worded(names: &ErasedNames) -> String {
    names.words.iter().map(|word| format!(", the word {word}")).collect()
}

pub(super) struct Kept {
    pub(super) keeping: Keeping,
    pub(super) it: Room,
    pub(super) admin: Actor,
    pub(super) others: Arc<Others>,
    pub(super) lake: LanceLake,
    pub(super) dir: tempfile::TempDir,
}

/// The project is there, as identity would have made it.
pub(super) async fn keep(catalog: Catalog) -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("lake")))).await.unwrap();
    let clock = FrozenClock::at(Timestamp::from_micros(1_700_000_000_000_000));
    let mut it = open_over(&lake, &dir.path().join("spill"), (Capture::Full, clock)).await;
    let points: Arc<dyn mainspring_lake::Lake> =
        Arc::new(LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("points")))).await.unwrap());
    it.room = it.room.with_scores(Scores::new(points, Capture::Full, it.tasks.clone()));
    catalog.write(PROJECT, mainspring_catalog::params![project(), it.clock.now()]).await.unwrap();
    let server = enter(&catalog, &it.clock, dir.path(), "one").await;
    let (keeping, others) = keeping_of(catalog, &it, (dir.path(), server)).await;
    keeping.begin_serving().await.unwrap();
    let admin = Actor { role: Role::Admin, ..actor(Labels::All) };
    Kept { keeping, it, admin, others, lake, dir }
}

/// A server begins, with what lies below its folder.
pub(super) async fn enter(catalog: &Catalog, clock: &FrozenClock, dir: &Path, name: &str) -> SpanServer {
    let (jobs, spill_dir) = (Jobs::open(catalog.clone(), Arc::new(clock.clone())), dir.join("spill"));
    let (file, name) = (dir.join("server"), name.to_owned());
    SpanServer::enter(Entering { catalog, jobs: &jobs, clock, file, spill_dir: &spill_dir, name }).await.unwrap()
}

pub(super) async fn keeping_of(catalog: Catalog, it: &Room, (dir, server): (&Path, SpanServer)) -> (Keeping, Arc<Others>) {
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("points")))).await.unwrap();
    let lake: Arc<dyn mainspring_lake::Lake> = Arc::new(lake);
    let clock: Arc<dyn Clock> = Arc::new(it.clock.clone());
    let others = Arc::new(Others::default());
    let keeping = Keeping::open(KeepingParts {
        jobs: Jobs::open(catalog.clone(), Arc::clone(&clock)),
        catalog,
        audit: Arc::new(NoTrail),
        clock,
        spans: it.room.clone(),
        points: MetricPoints::new(Arc::clone(&lake), Capture::Full, it.tasks.clone()),
        drift: Drift::new(lake, it.room.clone(), None),
        derived: Arc::clone(&others) as Arc<dyn Derived>,
        server: Arc::new(server),
        keep_for: Duration::from_secs(3_600),
    });
    (keeping, others)
}

async fn every_statement_compiles(catalog: Catalog) {
    for statements in crate::keeping::store::STATEMENTS {
        let failed = mainspring_catalog::testing::prepare_all(&catalog, statements).await;
        assert!(failed.is_empty(), "{failed:?}");
    }
}

async fn a_turn_is_taken_by_one(catalog: Catalog) {
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog).await;
    let now = it.clock.now().as_micros();
    let hours = |hours: i64| now - hours * 3_600_000_000;
    let spans = [span(hours(3), &[]), span(hours(2), &[]), span(hours(0), &[])];
    it.room.record_durably(spans.to_vec(), WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    // The project keeps them longer than the settings do.
    let rule = Retention { keep_for: Some(Duration::from_secs(9_000)), max_bytes: None };
    keeping.set_retention(&admin, Telemetry::Spans, rule).await.unwrap();
    let since = keeping.begun_since(project(), Telemetry::Spans).await.unwrap();
    assert_eq!(since, it.clock.now().minus(Duration::from_secs(9_000)));
    assert!(keeping.begun_since(project(), Telemetry::Logs).await.unwrap() > since, "what is said of spans is of spans");
    assert_eq!(keeping.retain("one", &Telemetry::ALL).await.unwrap(), 1);
    keeping.set_retention(&admin, Telemetry::Spans, Retention::default()).await.unwrap();
    assert_eq!(keeping.retain("another", &Telemetry::ALL).await.unwrap(), 0, "it is not its turn");
    assert_eq!(keeping.retain("one", &Telemetry::ALL).await.unwrap(), 1);
    let held = keeping.holdings(&admin).await.unwrap();
    let last = held[0].last.unwrap();
    assert_eq!((held[0].rows, held[0].oldest, last.rows, last.all_rows), (1, Some(spans[2].start), 1, 2));
    assert!(held[0].bytes > 0 && held[1].last.is_none());
    // No bytes at all is more likely a slip than a wish.
    let most = |bytes: u64| Retention { keep_for: None, max_bytes: Some(bytes) };
    let refused = keeping.set_retention(&admin, Telemetry::Spans, most(0)).await.unwrap_err();
    assert!(refused.code() == "keeping-invalid" && refused.hint().is_some(), "{refused}");
    assert_eq!(keeping.retain("one", &Telemetry::ALL).await.unwrap(), 0);
    keeping.set_retention(&admin, Telemetry::Spans, most(1)).await.unwrap();
    assert_eq!(keeping.retain("one", &Telemetry::ALL).await.unwrap(), 1);
}

/// How many scores the project has.
async fn scored(it: &Room, admin: &Actor) -> usize {
    it.room.list_scores(admin, &ScoreFilter::default(), &PageRequest::first(100)).await.unwrap().items.len()
}

async fn score(it: &Room, admin: &Actor) {
    let now = it.clock.now();
    let about = Some(TraceId::random().to_string());
    let new = NewScore { name: "quality".into(), value: json!(1), trace: about, ..NewScore::default() };
    let score = it.room.scores().unwrap().check(new, admin.project, now).unwrap();
    it.room.put_scores(admin, vec![score]).await.unwrap();
}

async fn scores_go_when_the_spans_of_their_project_do(catalog: Catalog) {
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog).await;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    score(&it, &admin).await;
    it.clock.advance(hours(2));
    score(&it, &admin).await;
    // The project keeps them longer than the settings do.
    let rule = |keep_for: Option<Duration>, max_bytes: Option<u64>| Retention { keep_for, max_bytes };
    keeping.set_retention(&admin, Telemetry::Spans, rule(Some(hours(3)), None)).await.unwrap();
    assert_eq!((keeping.retain_scores("one").await.unwrap(), scored(&it, &admin).await), (0, 2));
    keeping.set_retention(&admin, Telemetry::Spans, Retention::default()).await.unwrap();
    assert_eq!(keeping.retain_scores("one").await.unwrap(), 1, "as the settings say");
    assert_eq!((keeping.retain_scores("one").await.unwrap(), scored(&it, &admin).await), (0, 1));
    // And not as long.
    it.clock.advance(Duration::from_secs(60));
    keeping.set_retention(&admin, Telemetry::Spans, rule(Some(Duration::from_secs(30)), None)).await.unwrap();
    assert_eq!(keeping.retain_scores("another").await.unwrap(), 0, "it is not its turn");
    assert_eq!((keeping.retain_scores("one").await.unwrap(), scored(&it, &admin).await), (1, 0));
    // What is said of logs says nothing of scores.
    score(&it, &admin).await;
    keeping.set_retention(&admin, Telemetry::Spans, rule(Some(hours(1_000)), Some(1 << 40))).await.unwrap();
    keeping.set_retention(&admin, Telemetry::Logs, rule(Some(Duration::from_secs(1)), None)).await.unwrap();
    it.clock.advance(hours(50));
    assert_eq!(keeping.retain_scores("one").await.unwrap(), 0, "nobody knows how old spans are that went");
    // Where the oldest spans go because there are too many bytes, so do the scores of their time.
    score(&it, &admin).await;
    it.room.record_durably(vec![span(it.clock.now().as_micros(), &[])], WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    assert_eq!((keeping.retain_scores("one").await.unwrap(), scored(&it, &admin).await), (1, 1));
}

async fn an_erasure_is_there_once_and_forgets_whose_it_was(catalog: Catalog) {
    let Kept { keeping, it, admin, others, dir: _dir, .. } = keep(catalog).await;
    let mut theirs = span(5, &[]);
    theirs.attributes.insert(names::USER.into(), json!("somebody"));
    theirs.attributes.insert("input.value".into(), json!("w".repeat(LARGE + 1)));
    let other = span(6, &[]);
    it.room.record_durably(vec![theirs.clone(), other.clone()], WAIT).await.unwrap();
    let subject = Subject::User("somebody".into());
    let asked = keeping.ask(&admin, &subject).await.unwrap();
    assert_eq!(keeping.ask(&admin, &subject).await.unwrap().id, asked.id, "one is under way");
    let (begun, read) = keeping.begin(asked.id).await.unwrap().unwrap();
    assert_eq!((begun.state, read), (ErasureState::Running, subject.clone()));
    keeping.erase(asked.id, project(), &subject).await.unwrap();
    let told = others.0.lock().unwrap().clone();
    assert_eq!(told, ["forget somebody", "forget somebody", "erase somebody of 1 traces"]);
    // Broken off, it begins again.
    let answered = keeping.erase(asked.id, project(), &subject).await.unwrap();
    let found = keeping.erasure(&admin, asked.id).await.unwrap();
    assert_eq!((found.erased.spans, found.subject.as_deref()), (1, Some("somebody")));
    assert!(read_whole(&it.room, &admin, theirs.trace).await.is_err());
    assert_eq!(read_whole(&it.room, &admin, other.trace).await.unwrap(), [other]);
    assert_eq!(it.room.sweep_values().await.unwrap(), 0, "the large value went with its span");
    let jobs = Jobs::open(keeping.catalog().clone(), Arc::new(it.clock.clone()));
    let lease = jobs.lease("a test", &[crate::EraseJob::kind()], WAIT).await.unwrap().unwrap();
    keeping.finish(&admin, asked.id, &lease, answered).await.unwrap();
    let done = keeping.erasure(&admin, asked.id).await.unwrap();
    assert_eq!((done.state, done.subject, done.fingerprint), (ErasureState::Done, None, subject.fingerprint(project())));
    assert!(keeping.begin(asked.id).await.unwrap().is_none(), "there is nothing left to do");
}

async fn what_a_write_left_that_was_broken_off_goes_after_an_erasure(catalog: Catalog) {
    let Kept { keeping, it, admin, dir, .. } = keep(catalog).await;
    it.room.record_durably(vec![span(5, &[])], WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    let left = dir.path().join("lake/spans.lance/data/left.lance");
    let leave = || std::fs::write(&left, "what somebody said").unwrap();
    leave();
    assert_eq!(keeping.clear_leftovers().await.unwrap(), 0, "nobody was erased");
    assert!(left.exists());
    let subject = Subject::User("somebody".into());
    let asked = keeping.ask(&admin, &subject).await.unwrap();
    keeping.begin(asked.id).await.unwrap().unwrap();
    keeping.erase(asked.id, project(), &subject).await.unwrap();
    assert!(!left.exists(), "where nobody else writes it goes at once");
    // What a server leaves that dies now was read before.
    leave();
    it.clock.advance(Duration::from_secs(2 * 3_600));
    assert!(keeping.clear_leftovers().await.unwrap() > 0);
    assert!(!left.exists());
    // After a while nothing is left that was read before.
    it.clock.advance(Duration::from_secs(2 * 3_600));
    leave();
    assert_eq!(keeping.clear_leftovers().await.unwrap(), 0);
    assert!(left.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_leave_their_span_and_come_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks: _tasks, .. } = open(dir.path(), Capture::Full).await;
    let mut large = span(5, &[]);
    large.attributes.insert("input.value".into(), json!("ä".repeat(LARGE)));
    large.attributes.insert("list".into(), json!(vec!["a text of some length"; LARGE]));
    large.attributes.insert("nested".into(), json!({"small": 1, "long": "l".repeat(LARGE + 1)}));
    // One that comes again, and one that comes once.
    room.record_durably(vec![large.clone()], WAIT).await.unwrap();
    room.record_durably(vec![large.clone()], WAIT).await.unwrap();
    let all = actor(Labels::All);
    let mut read = read_whole(&room, &all, large.trace).await.unwrap();
    assert_eq!(read.len(), 1);
    let named = named_by(&read[0]);
    assert_eq!(named.len(), 3);
    assert_eq!(read[0].attributes["nested"]["small"], json!(1));
    for value in &named {
        assert_eq!(room.value(&all, large.trace, large.span, &value.digest).await.unwrap().text.len() as u64, value.bytes);
    }
    room.fill(&mut read[0]).await.unwrap();
    assert_eq!(read, [large.clone()]);
    assert_eq!(room.sweep_values().await.unwrap(), 0, "every one of them is named");
    room.expire(Timestamp::from_micros(6)).await.unwrap();
    assert!(room.sweep_values().await.unwrap() > 3 * LARGE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_values_and_rows_there_are_all_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks: _tasks, .. } = open(dir.path(), Capture::Full).await;
    let large = |n: i64| {
        // Some of them began at once, and one before 1970.
        let mut made = span(if n % 3 == 0 { 5 } else { n - 4 }, &[]);
        made.attributes.insert("input.value".into(), json!(format!("{n} {}", "w".repeat(LARGE))));
        made
    };
    let spans: Vec<Span> = (0..23).map(large).collect();
    room.record_durably(spans.clone(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let stay = spans.iter().step_by(2).map(|span| span.trace.to_string());
    let going = mainspring_lake::Filter::Not(Box::new(mainspring_lake::Filter::any_of("trace", stay)));
    room.table().replace(going, None).await.unwrap();
    let values = Values::new(Blobs::local(&dir.path().join("values")).unwrap(), false).bounded(4, 3);
    assert_eq!(values.sweep(room.table().as_ref()).await.unwrap().values, 11);
    assert_eq!(values.sweep(room.table().as_ref()).await.unwrap().values, 0);
    let all = actor(Labels::All);
    for kept in spans.iter().step_by(2) {
        let mut read = read_whole(&room, &all, kept.trace).await.unwrap().remove(0);
        room.fill(&mut read).await.unwrap();
        assert_eq!(read, *kept);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(Value::from("x".repeat(LARGE + 1))),
        Just(json!({"mainspring.value": {"digest": format!("sha256:{}", "0".repeat(64)), "bytes": 4}})),
        Just(json!({"mainspring.value": null})),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z.]{1,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_cut_out_is_put_back(value in any_value()) {
        let mut whole = span(5, &[]);
        whole.attributes.insert("anything".into(), value);
        let mut rest = whole.clone();
        let large = cut(&mut rest);
        // Whatever a sender sends, nothing is named but what was cut out just now.
        let digests: BTreeSet<_> = large.iter().map(crate::values::Large::digest).collect();
        prop_assert_eq!(named_by(&rest).into_iter().map(|named| named.digest).collect::<BTreeSet<_>>(), digests);
        let put_back = large.iter().filter_map(|large| large.unframed(project())).collect();
        crate::values::fill(&mut rest, &put_back);
        prop_assert_eq!(rest, whole);
        prop_assert!(large.iter().all(|large| large.unframed(ProjectId::from_raw(8)).is_none()), "another project's");
    }
}
