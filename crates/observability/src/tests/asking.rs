//! What was recorded, as it is asked for.

use std::collections::BTreeSet;

use mainspring_kernel::FaultKind;

use super::*;
use crate::{Counted, GatheredBy, Heard, Measured, MetricsQuestion, SpanFilter, Tailing};

pub(super) const NOW: i64 = 1_700_000_000_000_000;
pub(super) const SECOND: i64 = 1_000_000;

fn filtered(text: &str) -> TraceFilter {
    TraceFilter { also: text.parse::<SpanFilter>().unwrap(), ..TraceFilter::default() }
}

/// A program's trace: what enters it, and a call of a model below, which says what was used.
pub(super) fn program(start: i64, session: &str, (input, cost): (i64, f64)) -> [Span; 2] {
    let mut entry = span(start, &[]);
    (entry.name, entry.kind) = ("checkout".into(), SpanKind::Internal);
    entry.attributes = Map::from_iter([
        ("resource.service.name".to_owned(), json!("shop")),
        ("session.id".to_owned(), json!(session)),
        ("x".to_owned(), json!(5)),
    ]);
    entry.end = Timestamp::from_micros(start + 3 * SECOND);
    let mut call = span(start + 1, &[]);
    (call.trace, call.parent, call.name, call.kind) = (entry.trace, Some(entry.span), "chat gpt".into(), SpanKind::Client);
    call.attributes = Map::from_iter([
        ("resource.service.name".to_owned(), json!("shop")),
        (names::OPERATION.to_owned(), json!("chat")),
        (names::REQUEST_MODEL.to_owned(), json!("gpt")),
        (names::INPUT_TOKENS.to_owned(), json!(input)),
        (names::OUTPUT_TOKENS.to_owned(), json!(7)),
        ("llm.cost.total".to_owned(), json!(cost)),
    ]);
    call.end = Timestamp::from_micros(start + SECOND);
    [entry, call]
}

pub(super) async fn record(room: &Observability, spans: impl IntoIterator<Item = Span>) {
    spans.into_iter().for_each(|span| room.record(span));
    room.drain(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_lists_and_counts_of_traces_and_spans() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut failed = program(NOW - 10 * SECOND, "s-2", (100, 0.25));
    failed[1].status = SpanStatus::Error("too slow".into());
    record(&room, program(NOW - 20 * SECOND, "s-1", (10, 0.5)).into_iter().chain(failed.clone())).await;
    let all = actor(Labels::All);
    let traces = async |text: &str| {
        let listed = room.list(&all, &filtered(text), &PageRequest::first(9)).await.unwrap();
        let counted = Counted { count: listed.items.len() as u64, exact: true, waiting: 0 };
        assert_eq!(room.count(&all, &filtered(text)).await.unwrap(), counted);
        listed.items
    };
    let spans = async |text: &str| {
        let listed = room.spans(&all, &filtered(text), &PageRequest::first(9)).await.unwrap();
        assert_eq!(room.count_spans(&all, &filtered(text)).await.unwrap().count, listed.items.len() as u64);
        listed.items
    };
    assert_eq!(traces("").await.len(), 2);
    assert_eq!(traces("session = s-1 and service = shop").await.len(), 1);
    assert_eq!(traces("error").await.len(), 0, "the entry did not fail");
    assert_eq!(traces("start > -15s").await[0].trace, failed[0].trace);
    assert_eq!(traces(r#"attributes["x"] > 4.5 and not attributes["y"] exists"#).await.len(), 2);
    assert_eq!(spans("").await.len(), 4);
    let [found] = &spans("error").await[..] else { panic!("one span failed") };
    assert_eq!((found.span, found.error.as_deref(), found.model.as_deref()), (failed[1].span, Some("too slow"), Some("gpt")));
    assert_eq!((found.kind.as_deref(), found.cost, found.entry), (Some("chat"), Some(250_000_000), false));
    assert_eq!(spans("cost > 0.25").await.len(), 1);
    assert_eq!(spans("cost >= 0.25 and input_tokens in (10, 100)").await.len(), 2);
    assert_eq!(spans("duration > 2s").await.len(), 2);
    assert_eq!(spans("not model exists").await.len(), 2);
    // Tokens and cost are those of the whole trace, though the entry says none.
    let [one] = &traces("session = s-2").await[..] else { panic!("one trace") };
    assert_eq!(
        (one.input_tokens, one.output_tokens, one.cost, one.spans, one.errors),
        (Some(100), Some(7), Some(250_000_000), 2, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_spans_holds_still_and_a_time_means_the_same_on_every_page() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, clock, .. } = open(dir.path(), Capture::Full).await;
    record(&room, (0..7).map(|n| span(NOW - n * SECOND, &[]))).await;
    let all = actor(Labels::All);
    let filter = filtered("start >= -6s");
    let mut page = PageRequest::first(3);
    let mut seen = Vec::new();
    loop {
        let found = room.spans(&all, &filter, &page).await.unwrap();
        seen.extend(found.items.iter().map(|span| (NOW - span.start.as_micros()) / SECOND));
        let Some(next) = found.next else { break };
        clock.advance(Duration::from_secs(60));
        record(&room, [span(clock.now().as_micros(), &[])]).await;
        page = PageRequest::new(Some(3), Some(next)).unwrap();
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    let broken = room.spans(&all, &filter, &PageRequest::new(None, Some("made-up".into())).unwrap()).await;
    assert!(matches!(broken, Err(TraceFault::Page(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_of_a_program_that_numbers_its_spans_are_all_listed_once() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let first = span(NOW - SECOND, &[]);
    let numbered: Vec<Span> = (0..5).map(|_| Span { trace: TraceId::random(), ..first.clone() }).collect();
    record(&room, numbered.clone()).await;
    let all = actor(Labels::All);
    let expected: BTreeSet<_> = numbered.iter().map(|span| span.trace.to_string()).collect();
    let (mut traces, mut spans) = (Vec::new(), Vec::new());
    let mut page = PageRequest::first(2);
    while traces.len() < 9 {
        let found = room.list(&all, &TraceFilter::default(), &page).await.unwrap();
        traces.extend(found.items.iter().map(|item| item.trace.to_string()));
        let Some(next) = found.next else { break };
        page = PageRequest::new(Some(2), Some(next)).unwrap();
    }
    page = PageRequest::first(2);
    while spans.len() < 9 {
        let found = room.spans(&all, &TraceFilter::default(), &page).await.unwrap();
        spans.extend(found.items.iter().map(|item| item.trace.to_string()));
        let Some(next) = found.next else { break };
        page = PageRequest::new(Some(2), Some(next)).unwrap();
    }
    assert_eq!((traces.len(), spans.len()), (5, 5));
    assert_eq!(traces.into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(spans.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_its_traces_in_order_and_what_all_of_them_used() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let first = program(NOW - 30 * SECOND, "s-1", (10, 0.5));
    let mut second = program(NOW - 20 * SECOND, "s-1", (5, 0.25));
    second[1].status = SpanStatus::Error("broke".into());
    let other = program(NOW - 10 * SECOND, "s-2", (1, 0.125));
    record(&room, [&second, &first, &other].into_iter().flatten().cloned()).await;
    let all = actor(Labels::All);

    let listed = room.gathered(&all, GatheredBy::Session, &TraceFilter::default(), &PageRequest::first(1)).await.unwrap();
    assert_eq!(listed.items.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(), ["s-2"], "the last active first");
    let page = PageRequest::new(Some(1), listed.next).unwrap();
    let listed = room.gathered(&all, GatheredBy::Session, &TraceFilter::default(), &page).await.unwrap();
    assert_eq!(listed.next, None);
    let [session] = &listed.items[..] else { panic!("{listed:?}") };
    assert_eq!((session.id.as_str(), session.traces, session.spans, session.errors), ("s-1", 2, 4, 1));
    assert_eq!((session.input_tokens, session.output_tokens, session.cost), (15, 14, Some(750_000_000)));
    assert_eq!((session.duration_micros, session.first, session.whole), (6 * SECOND, first[0].start, true));

    let shown = room.session(&all, "s-1", &PageRequest::first(1)).await.unwrap();
    assert_eq!((&shown.session, shown.traces.items[0].trace), (session, first[0].trace));
    let page = PageRequest::new(Some(1), shown.traces.next).unwrap();
    let shown = room.session(&all, "s-1", &page).await.unwrap();
    assert_eq!((shown.traces.items[0].trace, shown.traces.next), (second[0].trace, None));
    assert!(matches!(room.session(&all, "s-3", &PageRequest::first(1)).await, Err(TraceFault::NoSession { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_measured_in_groups_and_over_time() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let hour = 3_600 * SECOND;
    let mut failed = program(NOW - hour, "s-2", (100, 0.25));
    failed[1].status = SpanStatus::Error("broke".into());
    record(&room, program(NOW - 10 * SECOND, "s-1", (10, 0.5)).into_iter().chain(failed)).await;
    let all = actor(Labels::All);
    let ask = |text: &str, by: &[&str], measures: &[&str], bucket: Option<u64>| MetricsQuestion {
        filter: filtered(text),
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        bucket: bucket.map(Duration::from_secs),
        measures: measures.iter().map(|name| (*name).to_owned()).collect(),
        limit: None,
    };
    let names = ["count", "errors", "error_rate", "traces", "input_tokens", "cost", "duration_max"];
    let found = room.measure(&all, ask("", &["model"], &names, None)).await.unwrap();
    let of = |model: Option<&str>| {
        let row = found.rows.iter().find(|row| row.keys[0].as_deref() == model).unwrap_or_else(|| panic!("{found:?}"));
        row.values.clone()
    };
    assert_eq!(found.rows.len(), 2);
    assert_eq!(
        of(Some("gpt")),
        [
            Some(Measured::Count(2)),
            Some(Measured::Count(1)),
            Some(Measured::Share(0.5)),
            Some(Measured::Count(2)),
            Some(Measured::Count(110)),
            Some(Measured::Nanodollars(750_000_000)),
            Some(Measured::Millis(999.999)),
        ]
    );
    assert_eq!((of(None)[0], of(None)[4], of(None)[5]), (Some(Measured::Count(2)), None, None), "the entries say no usage");

    let found = room.measure(&all, ask("entry", &[], &["count", "duration_p50"], Some(3_600))).await.unwrap();
    let begun: Vec<i64> = found.rows.iter().map(|row| row.start.unwrap().as_micros()).collect();
    assert_eq!(begun, [(NOW - hour).div_euclid(hour) * hour, (NOW - 10 * SECOND).div_euclid(hour) * hour]);
    for row in &found.rows {
        let [Some(Measured::Count(1)), Some(Measured::Millis(millis))] = row.values[..] else { panic!("{row:?}") };
        assert!((millis - 3_000.0).abs() < 30.0, "{millis}");
    }
    for (by, measures, bucket) in [(vec!["content"], vec![], None), (vec![], vec!["cuont"], None), (vec![], vec![], Some(1))] {
        let refused = room.measure(&all, ask("", &by, &measures, bucket)).await;
        assert!(matches!(refused, Err(TraceFault::Question { .. })), "{by:?} {measures:?} {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_span_once_from_the_first_to_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    // Many at once, and hours without one.
    let crowd = (0..1_300).map(|n| span(NOW - 3_600 * SECOND + n / 10, &[]));
    let spans: Vec<Span> = crowd.chain((0..20).map(|n| span(NOW - 90_000 * SECOND * n, &[]))).collect();
    for some in spans.chunks(500) {
        record(&room, some.iter().cloned()).await;
    }
    let exported = async |text: &str| {
        let mut export = room.export(&actor(Labels::All), &filtered(text)).await.unwrap();
        let mut found = Vec::new();
        while let Some(page) = export.next().await.unwrap() {
            assert!(!page.is_empty());
            found.extend(page);
        }
        found
    };
    let mut wanted = spans.clone();
    wanted.sort_by_key(|span| (span.start, span.span.to_string()));
    assert_eq!(exported("").await, wanted);
    assert_eq!(exported("start < -7200s").await.len(), 19);
    assert_eq!(exported("model = nobody").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_parquet_file_that_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let spans: Vec<Span> = (0..700).map(|n| span(NOW + n, if n % 2 == 0 { &[] } else { &["hr"] })).collect();
    record(&room, spans.iter().cloned()).await;
    let path = dir.path().join("spans.parquet");
    for (who, text, wanted) in [
        (actor(Labels::All), "", spans.iter().collect::<Vec<_>>()),
        (holding(&[]), "", spans.iter().step_by(2).collect()),
        (actor(Labels::All), "model = nobody", vec![]),
    ] {
        let mut export = room.export(&who, &filtered(text)).await.unwrap().into_parquet().unwrap();
        let mut bytes = Vec::new();
        while let Some(part) = export.next().await.unwrap() {
            bytes.extend(part);
        }
        std::fs::write(&path, bytes).unwrap();
        let file = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap());
        let mut found = Vec::new();
        for batch in file.unwrap().build().unwrap().map(Result::unwrap) {
            assert!(batch.column_by_name("labels").is_none() && batch.column_by_name("cost").is_some());
            let rows = crate::table::Rows(&batch);
            found.extend((0..batch.num_rows()).map(|row| rows.text("span", row).unwrap().unwrap().to_owned()));
        }
        assert_eq!(found, wanted.into_iter().map(|span| span.span.to_string()).collect::<Vec<_>>(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parquet_file_has_large_values_whole() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut spans: Vec<Span> = (0..40).map(|n| span(NOW + n, &[])).collect();
    for at in [0, 7, 8, 20, 21, 22, 39] {
        spans[at].attributes.insert("input.value".into(), json!(format!("{at} {}", "words ".repeat(20_000))));
        let attributes = Map::from_iter([("body".to_owned(), json!("é".repeat(40_000 + at)))]);
        spans[at].events = vec![SpanEvent { name: "said".into(), at: spans[at].start, attributes }];
    }
    record(&room, spans.iter().cloned()).await;
    let mut export = room.export(&actor(Labels::All), &filtered("")).await.unwrap().into_parquet().unwrap();
    let mut bytes = Vec::new();
    while let Some(part) = export.next().await.unwrap() {
        bytes.extend(part);
    }
    let path = dir.path().join("spans.parquet");
    std::fs::write(&path, bytes).unwrap();
    let file = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap());
    let mut at = 0;
    for batch in file.unwrap().build().unwrap().map(Result::unwrap) {
        assert!(batch.column_by_name("content_rest").is_none() && batch.column_by_name("weight").is_some());
        let rows = crate::table::Rows(&batch);
        for row in 0..batch.num_rows() {
            let json = |name: &str| serde_json::from_str::<serde_json::Value>(rows.text(name, row).unwrap().unwrap()).unwrap();
            assert_eq!(rows.text("span", row).unwrap(), Some(spans[at].span.to_string().as_str()), "in their order");
            assert_eq!(json("attributes"), serde_json::to_value(&spans[at].attributes).unwrap(), "{at}");
            assert_eq!(json("events"), serde_json::to_value(&spans[at].events).unwrap(), "{at}");
            at += 1;
        }
    }
    assert_eq!(at, spans.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_what_is_stored_from_now_on_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    record(&room, [span(1, &[])]).await;
    let tail = |every_span: bool, text: &str| {
        room.tail(&tasks, actor(Labels::All), Tailing { filter: text.parse().unwrap(), every_span }).unwrap()
    };
    let (mut entries, mut every) = (tail(false, ""), tail(true, "not entry and cost > 0.2"));
    let mut stranger = actor(Labels::All);
    stranger.project = ProjectId::from_raw(8);
    let mut elsewhere = room.tail(&tasks, stranger, Tailing { every_span: true, ..Tailing::default() }).unwrap();
    let [entry, call] = program(NOW, "s-1", (10, 0.25));
    record(&room, [call.clone(), entry.clone()]).await;
    let told = async |heard: &mut tokio::sync::mpsc::Receiver<Heard>| match tokio::time::timeout(WAIT, heard.recv()).await {
        Ok(Some(Heard::Span(span))) => span.span,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(&mut entries).await, entry.span);
    assert_eq!(told(&mut every).await, call.span);
    assert!(entries.try_recv().is_err() && every.try_recv().is_err() && elsewhere.try_recv().is_err());
    tasks.shut_down(WAIT).await.unwrap();
    assert!(entries.recv().await.is_none(), "it ends with the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_of_a_tail_is_told_how_much_it_missed_and_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let mut heard = room.tail(&tasks, actor(Labels::All), Tailing::default()).unwrap();
    for round in 0..10 {
        record(&room, (0..100).map(|n| span(round * 100 + n, &[]))).await;
    }
    let (mut seen, mut missed) = (0, 0);
    while seen + missed < 1_000 {
        match tokio::time::timeout(WAIT, heard.recv()).await {
            Ok(Some(Heard::Span(_))) => seen += 1,
            Ok(Some(Heard::Missed(spans))) => missed += spans,
            other => panic!("{other:?} after {seen} and {missed}"),
        }
    }
    assert!(missed > 0 && seen >= 256, "{seen} seen, {missed} missed");
}

/// The traces that an actor finds, by every way there is.
async fn found_by(room: &Observability, tasks: &Tasks, who: &Actor, more: &[Span]) -> [BTreeSet<TraceId>; 6] {
    let (none, page) = (TraceFilter::default(), PageRequest::first(100));
    let listed = room.list(who, &none, &page).await.unwrap().items.into_iter().map(|trace| trace.trace).collect();
    let spans = room.spans(who, &none, &page).await.unwrap().items.into_iter().map(|span| span.trace).collect();
    let mut exported = BTreeSet::new();
    let mut export = room.export(who, &none).await.unwrap();
    while let Some(some) = export.next().await.unwrap() {
        exported.extend(some.into_iter().map(|span| span.trace));
    }
    let mut of_sessions = BTreeSet::new();
    for session in room.gathered(who, GatheredBy::Session, &none, &page).await.unwrap().items {
        let shown = room.session(who, &session.id, &page).await.unwrap();
        assert_eq!(shown.session.traces, shown.traces.items.len() as u64);
        of_sessions.extend(shown.traces.items.into_iter().map(|trace| trace.trace));
    }
    let mut heard = room.tail(tasks, who.clone(), Tailing { every_span: true, ..Tailing::default() }).unwrap();
    record(room, more.iter().cloned()).await;
    // Whatever it is told, it is told before this.
    let mut marker = span(NOW, &[]);
    marker.project = who.project;
    record(room, [marker.clone()]).await;
    let mut told = BTreeSet::new();
    loop {
        match tokio::time::timeout(WAIT, heard.recv()).await {
            Ok(Some(Heard::Span(span))) if span.span == marker.span => break,
            Ok(Some(Heard::Span(span))) => {
                told.insert(span.trace);
            }
            other => panic!("{other:?}"),
        }
    }
    let mut opened = BTreeSet::new();
    for id in more.iter().map(|span| span.trace) {
        opened.extend(read_whole(room, who, id).await.is_ok().then_some(id));
    }
    [listed, spans, exported, of_sessions, told, opened]
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_a_trace_of_another_project_or_of_hidden_documents_by_any_way() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let in_session = |labels: &[&str]| {
        let mut made = span(NOW - SECOND, labels);
        made.attributes.insert(names::CONVERSATION.to_owned(), json!("s-1"));
        if !labels.is_empty() {
            made.attributes.insert(names::USER.to_owned(), json!("ann"));
        }
        made
    };
    let (open_one, secret) = (in_session(&[]), in_session(&["hr"]));
    // The entry is harmless; a span below it is not.
    let mut below = in_session(&["hr"]);
    let above = in_session(&[]);
    (below.trace, below.parent, below.kind) = (above.trace, Some(above.span), SpanKind::Internal);
    let spans = [open_one.clone(), secret.clone(), below, above.clone()];
    record(&room, spans.iter().cloned()).await;
    let mut stranger = actor(Labels::All);
    stranger.project = ProjectId::from_raw(8);
    let other_spans = || {
        let again = |span: &Span| Span { span: SpanId::random(), ..span.clone() };
        spans.iter().map(again).collect::<Vec<_>>()
    };
    for (who, wanted) in [
        (holding(&[]), [open_one.trace].into()),
        (holding(&["hr"]), BTreeSet::from([open_one.trace, secret.trace, above.trace])),
        (stranger.clone(), BTreeSet::new()),
    ] {
        let found = found_by(&room, &tasks, &who, &other_spans()).await;
        let names = ["listed", "spans", "exported", "sessions", "told", "opened"];
        for (name, traces) in names.into_iter().zip(found) {
            let of_these: BTreeSet<TraceId> =
                traces.into_iter().filter(|id| spans.iter().any(|span| span.trace == *id)).collect();
            assert_eq!(of_these, wanted, "{name} {who:?}");
        }
        let sessions = room.gathered(&who, GatheredBy::Session, &TraceFilter::default(), &PageRequest::first(9)).await.unwrap();
        let users: Vec<Option<String>> = sessions.items.into_iter().map(|session| session.user).collect();
        assert_eq!(users.contains(&Some("ann".into())), wanted.len() > 1, "{who:?}");
        let only = filtered("session = s-1");
        assert_eq!(room.count(&who, &only).await.unwrap().count, wanted.len() as u64);
        let measured =
            room.measure(&who, MetricsQuestion { filter: only, measures: vec!["traces".into()], ..MetricsQuestion::default() });
        let rows = measured.await.unwrap().rows;
        assert_eq!(rows[0].values, [Some(Measured::Count(i64::try_from(wanted.len()).unwrap()))], "{who:?}");
    }
    assert!(matches!(room.session(&stranger, "s-1", &PageRequest::first(9)).await, Err(TraceFault::NoSession { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_used_a_word_in_a_hidden_trace_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let of = |user: &str, start: i64, labels: &[&str]| {
        let mut made = span(start, labels);
        made.attributes.insert(names::USER.to_owned(), json!(user));
        made
    };
    // Both are known by a trace that everybody may see, but said this in one that few may.
    let hidden = [of("ann", 81, &["hr"]), of("bob", 82, &["hr"])];
    record(&room, hidden.into_iter().chain([of("ann", 1, &[]), of("bob", 2, &[])])).await;
    let users = async |who: &Actor, text: &str| {
        let found = room.gathered(who, GatheredBy::User, &filtered(text), &PageRequest::first(1)).await.unwrap();
        (found.items.into_iter().map(|user| user.id).collect::<Vec<_>>(), found.next.is_some())
    };
    let asked = r#"content contains "question 8""#;
    assert_eq!(users(&holding(&["hr"]), asked).await, (vec!["bob".to_owned()], true));
    assert_eq!(users(&holding(&[]), asked).await, (vec![], false));
    assert_eq!(users(&holding(&[]), "").await, (vec!["bob".to_owned()], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_tails_and_exports_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let all = actor(Labels::All);
    let tail = || room.tail(&tasks, all.clone(), Tailing::default());
    let mut tails: Vec<_> = std::iter::from_fn(|| tail().ok()).collect();
    assert_eq!(tails.len(), crate::tail::TAILS_MAX);
    let refused = tail().unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (FaultKind::Saturated, "trace-too-many-tails"));
    tails.pop();
    // Its task hears of it soon.
    let again = async {
        while tail().is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT, again).await.unwrap();

    let export = async || room.export(&all, &TraceFilter::default()).await;
    let mut exports = Vec::new();
    for _ in 0..crate::query::EXPORTS_MAX {
        exports.push(export().await.unwrap());
    }
    let refused = export().await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (FaultKind::Saturated, "trace-too-many-exports"));
    exports.pop();
    assert!(export().await.is_ok());
}
