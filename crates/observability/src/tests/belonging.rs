//! Whose spans are that do not say so themselves: who pays is found by user, whatever order the spans of a trace came in.

use std::collections::HashSet;

use mainspring_kernel::Stop;
use mainspring_lake::Filter;
use tokio::sync::oneshot;

use super::{
    asking::{NOW, SECOND},
    unsteady::{Outage, Unsteady},
    *,
};
use crate::{
    Ended, GatheredBy, Measured, MetricsQuestion, SpanFilter, adopting,
    belonging::late,
    settle::{Kept, rewriting::NAMED_AT_ONCE},
    table::to_batch,
};

/// A call of a model that used so many tokens, and does not say for whom.
fn call(above: &Span, tokens: i64) -> Span {
    let attributes = Map::from_iter([
        ("resource.service.name".to_owned(), json!("shop")),
        (names::OPERATION.to_owned(), json!("chat")),
        (names::REQUEST_MODEL.to_owned(), json!("gpt")),
        (names::INPUT_TOKENS.to_owned(), json!(tokens)),
    ]);
    let start = above.start.as_micros() + 1;
    Span { trace: above.trace, parent: Some(above.span), kind: SpanKind::Client, attributes, ..span(start, &[]) }
}

/// The span by which a program's trace begins: it says who asked.
fn root(user: &str) -> Span {
    let attributes = Map::from_iter([("user.id".to_owned(), json!(user)), ("session.id".to_owned(), json!(format!("s-{user}")))]);
    Span { name: "checkout".into(), kind: SpanKind::Internal, attributes, ..span(NOW - SECOND, &[]) }
}

async fn tell(room: &Observability, spans: &[Span]) {
    room.record_durably(spans.to_vec(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
}

async fn look(room: &Observability) {
    late::look(room.kept(), Timestamp::from_micros(NOW), &Stop::never()).await.unwrap();
}

/// The tokens of each user, or session.
async fn used(room: &Observability, by: &str) -> Vec<(Option<String>, i64)> {
    let (by, measures) = (vec![by.to_owned()], vec!["input_tokens".to_owned()]);
    let question = MetricsQuestion { by, measures, ..MetricsQuestion::default() };
    let rows = room.measure(&actor(Labels::All), question).await.unwrap().rows;
    let tokens = |value: Option<Measured>| match value {
        Some(Measured::Count(tokens)) => tokens,
        other => panic!("{other:?}"),
    };
    let mut used: Vec<_> = rows
        .into_iter()
        .filter(|row| row.values[0].is_some())
        .map(|mut row| (row.keys.remove(0), tokens(row.values[0])))
        .collect();
    used.sort();
    used
}

fn of(named: &str, tokens: i64) -> (Option<String>, i64) {
    (Some(named.to_owned()), tokens)
}

async fn spans_of(room: &Observability, filter: &str) -> u64 {
    let filter = TraceFilter { also: filter.parse::<SpanFilter>().unwrap(), ..TraceFilter::default() };
    room.count_spans(&actor(Labels::All), &filter).await.unwrap().count
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_is_found_whatever_order_the_spans_of_a_trace_come_in() {
    for order in [vec![vec![0, 1, 2]], vec![vec![0], vec![1, 2]], vec![vec![2], vec![1], vec![0]], vec![vec![1, 2], vec![0]]] {
        let dir = tempfile::tempdir().unwrap();
        let Room { room, .. } = open(dir.path(), Capture::Full).await;
        let root = root("ann");
        let step = Span { name: "step".into(), attributes: Map::new(), ..call(&root, 0) };
        let spans = [root.clone(), step.clone(), call(&step, 12)];
        for batch in &order {
            tell(&room, &batch.iter().map(|at| spans[*at].clone()).collect::<Vec<_>>()).await;
        }
        look(&room).await;
        assert_eq!(used(&room, "user").await, [of("ann", 12)], "{order:?}");
        assert_eq!(used(&room, "session").await, [of("s-ann", 12)], "{order:?}");
        assert_eq!((spans_of(&room, "user = ann").await, spans_of(&room, "user = ann and model = gpt").await), (3, 1));
        let mut read = read_whole(&room, &actor(Labels::All), root.trace).await.unwrap();
        read.sort_by_key(|span| span.start);
        assert_eq!(read, spans, "what was sent is as it was sent");
        let users = room.gathered(&actor(Labels::All), GatheredBy::User, &TraceFilter::default(), &PageRequest::first(9)).await;
        let users = users.unwrap().items;
        assert_eq!(users.iter().map(|user| (user.id.as_str(), user.input_tokens)).collect::<Vec<_>>(), [("ann", 12)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_users_in_a_trace_each_pays_for_what_lies_beneath_them() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let batch = Span { attributes: Map::new(), ..root("nobody") };
    let beneath = |user: &str| Span { trace: batch.trace, parent: Some(batch.span), ..root(user) };
    let (ann, bob) = (beneath("ann"), beneath("bob"));
    let (of_ann, of_bob, of_all) = (call(&ann, 1), call(&bob, 2), call(&batch, 4));
    // As long as only one is named, all of the trace is theirs.
    tell(&room, &[of_ann, of_bob, of_all]).await;
    tell(&room, &[ann]).await;
    look(&room).await;
    assert_eq!(used(&room, "user").await, [of("ann", 7)]);
    tell(&room, &[bob]).await;
    look(&room).await;
    assert_eq!(used(&room, "user").await, [(None, 4), of("ann", 1), of("bob", 2)]);
    tell(&room, &[batch]).await;
    look(&room).await;
    assert_eq!(used(&room, "user").await, [(None, 4), of("ann", 1), of("bob", 2)], "whoever began it names nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_this_server_is_of_whom_the_caller_names() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let caller = root("ann");
    let mut ours = call(&caller, 5);
    ours.attributes.insert("mainspring.call".into(), json!("call_1"));
    ours.attributes.remove("resource.service.name");
    // As this server records its own, before the caller tells of its part.
    room.record(ours);
    room.drain(WAIT).await.unwrap();
    tell(&room, &[caller]).await;
    look(&room).await;
    assert_eq!(used(&room, "user").await, [of("ann", 5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_a_server_had_not_come_to_are_found_by_the_next_and_by_another_over_the_same_lake() {
    let dir = tempfile::tempdir().unwrap();
    let root = root("ann");
    {
        let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
        tell(&room, &[call(&root, 12)]).await;
        tell(&room, std::slice::from_ref(&root)).await;
        room.kept().late.as_ref().unwrap().forget(|_| true);
        tasks.shut_down(WAIT).await.unwrap();
    }
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    look(&room).await;
    assert_eq!(used(&room, "user").await, [of("ann", 12)]);
    tasks.shut_down(WAIT).await.unwrap();

    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("lake")))).await.unwrap();
    let mut rooms = Vec::new();
    for name in ["one", "other"] {
        let (tasks, clock) = (Tasks::default(), FrozenClock::at(Timestamp::from_micros(NOW)));
        let settings = Settings { shared: true, ..settings(&dir.path().join(name), 1 << 30, Capture::Full) };
        let (time, access): (Arc<dyn Clock>, _) = (Arc::new(clock), Arc::new(Readable::default()));
        let room = Observability::open(&lake, settings, &tasks, (time, Metrics::default()), access).await.unwrap();
        rooms.push((room, tasks));
    }
    let bob = self::root("bob");
    let [(one, _), (other, _)] = &rooms[..] else { panic!("two servers") };
    tell(one, &[call(&bob, 3)]).await;
    tell(other, &[bob]).await;
    look(other).await;
    assert_eq!(used(one, "user").await, [of("ann", 12), of("bob", 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_takes_a_name_of_its_trace_that_is_no_longer_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    // What an earlier process left is looked for once.
    look(&room).await;
    let caller = root("ann");
    tell(&room, std::slice::from_ref(&caller)).await;
    room.kept().known.as_ref().unwrap().doubt();
    let mut ours = call(&caller, 5);
    ours.attributes.insert("mainspring.call".into(), json!("call_1"));
    ours.attributes.remove("resource.service.name");
    room.record(ours);
    room.drain(WAIT).await.unwrap();
    look(&room).await;
    assert_eq!(used(&room, "user").await, [of("ann", 5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_another_server_adds_at_the_same_moment_is_found_when_the_trace_is_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("lake")))).await.unwrap();
    let (tasks, clock) = (Tasks::default(), FrozenClock::at(Timestamp::from_micros(NOW)));
    let (after, never) = (Duration::from_secs(60), Duration::from_secs(1 << 32));
    let settings = settings(&dir.path().join("spill"), 1 << 30, Capture::Full);
    let settings = Settings { shared: true, adopt_after: never, ..settings };
    let (time, access): (Arc<dyn Clock>, _) = (Arc::new(clock.clone()), Arc::new(Readable::default()));
    let room = Observability::open(&lake, settings, &tasks, (time, Metrics::default()), access).await.unwrap();
    look(&room).await;
    let bob = root("bob");
    // A service that is asked by a program which sends its spans to another server: the trace is entered here too.
    let asked = Span { kind: SpanKind::Server, ..call(&bob, 3) };
    tell(&room, &[asked]).await;
    // That server had compared what it adds with the table before this one came.
    room.table().append(to_batch(&[bob]).unwrap()).await.unwrap();
    look(&room).await;
    assert_eq!(used(&room, "user").await, [(None, 3)]);
    clock.advance(after);
    adopting::look(room.kept(), room.board(), after, &Stop::never()).await.unwrap();
    look(&room).await;
    assert_eq!(used(&room, "user").await, [of("bob", 3)]);
    tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_became_one_of_several_before_a_server_died_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let above = root("nobody");
    let beneath = |user: &str| Span { trace: above.trace, parent: Some(above.span), ..root(user) };
    {
        let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
        look(&room).await;
        tell(&room, &[beneath("ann"), call(&above, 4)]).await;
        assert_eq!(used(&room, "user").await, [of("ann", 4)]);
        // Nobody looks any more.
        let turn = room.kept().turn().await;
        tell(&room, &[beneath("bob")]).await;
        room.kept().late.as_ref().unwrap().forget(|_| true);
        drop(turn);
        tasks.shut_down(WAIT).await.unwrap();
    }
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    look(&room).await;
    assert_eq!(used(&room, "user").await, [(None, 4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_rows_take_names_with_a_commit_and_others_have_their_turn_before_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    look(&room).await;
    let roots: Vec<Span> = (0..40).map(|_| root("ann")).collect();
    let calls: Vec<Span> = roots.iter().flat_map(|root| (0..NAMED_AT_ONCE / 32).map(move |_| call(root, 1))).collect();
    room.table().append(to_batch(&[calls.clone(), roots.clone()].concat()).unwrap()).await.unwrap();
    let of_ann = || Filter::eq("user", "ann");
    let (all, few) = (u64::try_from(calls.len() + roots.len()).unwrap(), u64::try_from(roots.len()).unwrap());
    assert_eq!(room.table().count(of_ann()).await.unwrap(), few);

    let (others, mut kept) = (room.kept().clone(), room.kept().clone());
    let (tell, told) = oneshot::channel();
    kept.late = Some(Arc::default());
    kept.table = Unsteady::changed_between(Arc::clone(room.table()), async move {
        tokio::spawn(async move {
            let _turn = others.turn().await;
            tell.send(others.table.count(Filter::eq("user", "ann")).await.unwrap()).unwrap();
        });
        // It waits for its turn by then.
        tokio::time::sleep(Duration::from_millis(300)).await;
    });
    let before = room.table().stats().await.unwrap().version.number;
    late::look(&kept, Timestamp::from_micros(NOW), &Stop::never()).await.unwrap();
    let named = told.await.unwrap();
    assert!(few < named && named < all, "{named} of {all} had a name when another had its turn");
    assert_eq!((room.table().count(of_ann()).await.unwrap(), room.table().count(Filter::All).await.unwrap()), (all, all));
    let commits = room.table().stats().await.unwrap().version.number - before;
    assert!((2..=4).contains(&commits), "{commits} commits");
}

/// What is looked after apart from what the server itself looks after.
fn within(room: &Observability, limits: late::Limits) -> Kept {
    let mut kept = room.kept().clone();
    kept.late = Some(Arc::new(late::Late::within(limits)));
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_too_large_stays_as_it_is_and_keeps_no_other_from_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    look(&room).await;
    let (large, small) = (root("ann"), root("bob"));
    let spans = [vec![large.clone(), small.clone(), call(&small, 2)], (0..5).map(|_| call(&large, 1)).collect()].concat();
    room.table().append(to_batch(&spans).unwrap()).await.unwrap();
    let kept = within(&room, late::Limits { traces: 9, spans: 6 });
    let waits = kept.late.clone().unwrap();
    waits.wait([&large, &small].map(|root| (root.project, root.trace)).into_iter(), None);
    late::look(&kept, Timestamp::from_micros(NOW), &Stop::never()).await.unwrap();
    assert_eq!(used(&room, "user").await, [(None, 5), of("bob", 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_there_was_no_room_for_are_looked_for_in_pieces_from_where_they_began() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    look(&room).await;
    let roots: Vec<Span> = (0..12)
        .map(|n| Span { start: Timestamp::from_micros(NOW - SECOND + 10 * n), ..root(if n % 2 == 0 { "ann" } else { "bob" }) })
        .collect();
    let calls = roots.iter().map(|root| call(root, 1));
    room.table().append(to_batch(&calls.chain(roots.iter().cloned()).collect::<Vec<_>>()).unwrap()).await.unwrap();
    // Room for one trace, and pieces of eight spans.
    let kept = within(&room, late::Limits { traces: 1, spans: 8 });
    let waits = kept.late.clone().unwrap();
    let keys = roots.iter().map(|root| (root.project, root.trace));
    waits.wait(keys, Some(NOW - SECOND - late::BEFORE));
    for _ in 0..roots.len() {
        late::look(&kept, Timestamp::from_micros(NOW), &Stop::never()).await.unwrap();
    }
    assert_eq!(used(&room, "user").await, [of("ann", 6), of("bob", 6)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_for_names_finds_only_traces_in_which_one_changes_and_what_fails_ends_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    look(&room).await;
    // Whoever called an app does not take it, and of several users none is that of all.
    let caller = Span { attributes: Map::new(), ..root("nobody") };
    let app = Span { trace: caller.trace, parent: Some(caller.span), ..span(NOW - SECOND, &[]) };
    let beneath = ["ann", "bob"].map(|user| Span { trace: caller.trace, parent: Some(caller.span), ..root(user) });
    tell(&room, &[vec![caller, app], beneath.to_vec()].concat()).await;
    let (now, limits) = (Timestamp::from_micros(NOW), late::Limits { traces: 9, spans: 99 });
    let newest = async || late::newest(room.table().as_ref(), now, limits).await.unwrap();
    assert!(newest().await.is_empty());
    let eve = root("eve");
    room.table().append(to_batch(&[call(&eve, 3), eve.clone()]).unwrap()).await.unwrap();
    assert_eq!(newest().await, HashSet::from([(eve.project, eve.trace)]));

    let mut kept = room.kept().clone();
    let outage = Outage::of_writes();
    kept.table = Unsteady::away_in(&outage, Arc::clone(room.table()));
    assert_eq!(late::name_all(&kept, now, &Stop::never()).await, Ended::Done, "the next upkeep does it");
    outage.end();
    late::name_all(&kept, now, &Stop::never()).await;
    assert_eq!(used(&room, "user").await, [of("eve", 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_a_trace_after_a_server_was_started_again_takes_the_name_that_was_stored_before() {
    let dir = tempfile::tempdir().unwrap();
    let root = root("ann");
    {
        let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
        tell(&room, std::slice::from_ref(&root)).await;
        tasks.shut_down(WAIT).await.unwrap();
    }
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    look(&room).await;
    // It began after everything that was there: the table has no copy of it.
    tell(&room, &[call(&root, 5)]).await;
    assert_eq!(used(&room, "user").await, [of("ann", 5)]);
}
