//! Usage that several spans of a trace say, spans that come twice, and links, from the sender to the table.

use mainspring_lake::{Filter, Scan};
use mainspring_llm::trace::SpanLink;
use serde_json::Value;

use super::*;
use crate::{capture::Policy, table::Rows};

/// A span of another program.
fn theirs(trace: TraceId, parent: Option<SpanId>, attributes: Value) -> Span {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    Span { trace, parent, kind: SpanKind::Internal, attributes, ..span(1_000, &[]) }
}

fn says(tokens: i64) -> Value {
    json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": tokens,
        "resource.service.name": "shop"})
}

/// By span: whether it counts, and how often it is there.
async fn counted(room: &Observability) -> std::collections::HashMap<SpanId, (Option<bool>, usize)> {
    let mut found = std::collections::HashMap::new();
    for batch in room.table().scan(Scan::of(Filter::All).columns(&["span", "counted"])).await.unwrap() {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let id: SpanId = rows.text("span", row).unwrap().unwrap().parse().unwrap();
            let (counts, times) = found.entry(id).or_insert((None, 0));
            (*counts, *times) = (rows.yes("counted", row).unwrap(), *times + 1);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_and_its_child_count_once_in_whatever_order_they_come() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let dir = tempfile::tempdir().unwrap();
        let Room { room, .. } = open(dir.path(), Capture::Full).await;
        let agent =
            theirs(TraceId::random(), None, json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 12}));
        let step = theirs(agent.trace, Some(agent.span), json!({"openinference.span.kind": "CHAIN"}));
        let call = theirs(agent.trace, Some(step.span), says(12));
        let spans = [agent, step, call];
        for at in order {
            room.record_durably(vec![spans[at].clone()], WAIT).await.unwrap();
            room.drain(WAIT).await.unwrap();
        }
        let found = counted(&room).await;
        let want = [Some(false), None, Some(true)];
        for (span, want) in spans.iter().zip(want) {
            assert_eq!(found[&span.span], (want, 1), "{order:?}");
        }
        assert_eq!(read_whole(&room, &actor(Labels::All), spans[0].trace).await.unwrap().len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noughts_and_what_was_embedded_take_nothing_from_who_says_what_was_used() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let agent =
        theirs(TraceId::random(), None, json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 1000}));
    let told_nothing = theirs(agent.trace, Some(agent.span), says(0));
    let embedding = json!({"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 5});
    let embedded = theirs(agent.trace, Some(agent.span), embedding);
    for span in [&told_nothing, &agent, &embedded] {
        room.record_durably(vec![span.clone()], WAIT).await.unwrap();
        room.drain(WAIT).await.unwrap();
    }
    let found = counted(&room).await;
    let counts = [&agent, &told_nothing, &embedded].map(|span| found[&span.span]);
    assert_eq!(counts, [(Some(true), 1), (None, 1), (Some(true), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_told_of_a_call_before_this_server_did_counts_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let caller = theirs(TraceId::random(), None, says(7));
    room.record_durably(vec![caller.clone()], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    assert_eq!(counted(&room).await[&caller.span], (Some(true), 1));
    let mut entry = span(1_001, &[]);
    (entry.trace, entry.parent) = (caller.trace, Some(caller.span));
    let mut call = theirs(caller.trace, Some(entry.span), says(7));
    call.start = entry.end;
    call.attributes.insert("mainspring.call".into(), json!("call_1"));
    // As this server records its own: nobody waits for them.
    room.record(call.clone());
    room.record(entry.clone());
    room.drain(WAIT).await.unwrap();
    let found = counted(&room).await;
    assert_eq!((found[&caller.span], found[&call.span], found[&entry.span]), ((Some(false), 1), (Some(true), 1), (None, 1)));
    assert_eq!(read_whole(&room, &actor(Labels::All), caller.trace).await.unwrap()[0], caller, "nothing else of it changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_above_a_caller_that_counts_no_longer_counts_until_a_call_says_one() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let agent = theirs(TraceId::random(), None, json!({"gen_ai.operation.name": "invoke_agent", "llm.cost.total": 0.5}));
    let caller = theirs(agent.trace, Some(agent.span), says(7));
    room.record_durably(vec![agent.clone(), caller.clone()], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    for (cost, agent_counts) in [(None, true), (Some(0.5), false)] {
        let entry = Span { trace: agent.trace, parent: Some(caller.span), ..span(1_001, &[]) };
        let mut call = theirs(agent.trace, Some(entry.span), says(7));
        call.attributes.insert("mainspring.call".into(), json!("call_1"));
        call.attributes.extend(cost.map(|cost| ("mainspring.cost".to_owned(), json!(cost))));
        room.record(call);
        room.record(entry);
        room.drain(WAIT).await.unwrap();
        let found = counted(&room).await;
        let counts = [&agent, &caller].map(|span| found[&span.span]);
        assert_eq!(counts, [(Some(agent_counts), 1), (Some(false), 1)], "{cost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_asked_only_of_traces_that_it_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let known = |room: &Observability, span: &Span| {
        let found = room.kept().known.as_ref().unwrap().of(&[(span.trace, span.start.as_micros())].into());
        (found.nodes.len(), found.ask.len())
    };
    let old = theirs(TraceId::random(), None, says(7));
    {
        let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
        room.record_durably(vec![old.clone()], WAIT).await.unwrap();
        room.drain(WAIT).await.unwrap();
        assert_eq!(known(&room, &old), (1, 0), "it is remembered");
        tasks.shut_down(WAIT).await.unwrap();
    }
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut later = theirs(TraceId::random(), None, says(7));
    later.start = Timestamp::from_micros(old.start.as_micros() + 1);
    for span in [&old, &later, &old, &later] {
        room.record_durably(vec![span.clone()], WAIT).await.unwrap();
        room.drain(WAIT).await.unwrap();
    }
    assert_eq!((known(&room, &old), known(&room, &later)), ((0, 1), (1, 0)), "what an earlier process added is asked for");
    let found = counted(&room).await;
    assert_eq!((found[&old.span], found[&later.span]), ((Some(true), 1), (Some(true), 1)), "each is there once");
    drop(room.kept().deleting().await);
    assert_eq!(known(&room, &later), (0, 1), "rows were taken out");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_span_in_two_requests_is_there_once_and_another_projects_span_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let one = theirs(TraceId::random(), None, says(7));
    for _ in 0..2 {
        room.record_durably(vec![one.clone(), one.clone()], WAIT).await.unwrap();
        room.drain(WAIT).await.unwrap();
    }
    assert_eq!(counted(&room).await[&one.span], (Some(true), 1));
    // A trace may go through two projects, and anybody may send any id.
    let mut other = one.clone();
    other.project = ProjectId::from_raw(8);
    let beneath = Span { parent: Some(one.span), span: SpanId::random(), ..other.clone() };
    room.record_durably(vec![other.clone(), beneath], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let counts = |id: u128| {
        let counted = Filter::Eq("counted".into(), mainspring_lake::Scalar::Bool(true));
        Filter::eq("project", ProjectId::from_raw(id).to_string()).and(counted)
    };
    assert_eq!(room.table().count(counts(7)).await.unwrap(), 1, "what another project sends changes nothing");
    assert_eq!(room.table().count(counts(8)).await.unwrap(), 1, "there the child counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_filled_from_any_convention_and_links_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut sent = theirs(
        TraceId::random(),
        None,
        json!({
            "openinference.span.kind": "LLM", "llm.model_name": "claude", "llm.provider": "anthropic", "llm.token_count.prompt": 50,
            "llm.token_count.completion": 7, "llm.token_count.prompt_details.cache_read": 20, "llm.cost.total": 0.5,
            "resource.service.name": "shop", "resource.service.version": "1.4", "session.id": "s", "tag.tags": ["a"],
            "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "where is the zukamirel?",
        }),
    );
    let attributes = Map::from_iter([("why".to_owned(), json!("it goes on"))]);
    sent.links = vec![SpanLink { trace: TraceId::random(), span: SpanId::random(), attributes }];
    room.record_durably(vec![sent.clone()], WAIT).await.unwrap();
    assert_eq!(read_whole(&room, &actor(Labels::All), sent.trace).await.unwrap(), [sent.clone()]);
    let batches = room.table().scan(Scan::of(Filter::All)).await.unwrap();
    let rows = Rows(&batches[0]);
    let text = |name: &str| rows.text(name, 0).unwrap().map(str::to_owned);
    let words = ["type", "provider", "model", "service", "release", "session", "operation"].map(text);
    let want = ["chat", "anthropic", "claude", "shop", "1.4", "s", "chat"].map(|word| Some(word.to_owned()));
    assert_eq!(words, want);
    let numbers = ["input_tokens", "output_tokens", "cache_read_tokens", "cost"].map(|name| rows.number(name, 0).unwrap());
    assert_eq!(numbers, [Some(50), Some(7), Some(20), Some(500_000_000)]);
    assert_eq!(rows.yes("counted", 0).unwrap(), Some(true));
    let found = TraceFilter { text: Some("ZUKAMIREL".into()), ..TraceFilter::default() };
    assert_eq!(room.list(&actor(Labels::All), &found, &PageRequest::first(9)).await.unwrap().items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_what_services_speak() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut odd = says(1);
    odd["gen_ai.usage.imput_tokens"] = json!(3);
    odd["otel.schema_url"] = json!("https://opentelemetry.io/schemas/1.38.0");
    room.record_durably(vec![theirs(TraceId::random(), None, odd), theirs(TraceId::random(), None, says(2))], WAIT)
        .await
        .unwrap();
    room.record(span(5, &[]));
    let told = room.conventions(&actor(Labels::All)).await.unwrap();
    assert_eq!((told.spans, told.services.len(), told.services[0].service.as_str()), (2, 1, "shop"));
    assert_eq!(told.services[0].versions.iter().collect::<Vec<_>>(), ["1.38.0"]);
    assert_eq!(
        (told.unknown[0].name.as_str(), told.unknown[0].like),
        ("gen_ai.usage.imput_tokens", Some("gen_ai.usage.input_tokens"))
    );
    let mut stranger = actor(Labels::All);
    stranger.project = ProjectId::from_raw(8);
    assert_eq!(room.conventions(&stranger).await.unwrap(), crate::Conventions::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_sends_much_does_not_hide_another() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let sent = |service: &str, start: i64| {
        let attributes = json!({"resource.service.name": service, format!("gen_ai.of_{service}"): 1});
        let mut span = theirs(TraceId::random(), None, attributes);
        (span.start, span.end) = (Timestamp::from_micros(start), Timestamp::from_micros(start + 1));
        span
    };
    room.record_durably((0..3).map(|at| sent("quiet", 10 + at)).collect(), WAIT).await.unwrap();
    for part in 0..11 {
        room.record_durably((0..500).map(|at| sent("busy", 1_000 + part * 500 + at)).collect(), WAIT).await.unwrap();
        room.drain(WAIT).await.unwrap();
    }
    let told = room.conventions(&actor(Labels::All)).await.unwrap();
    let services: Vec<(&str, u64)> = told.services.iter().map(|words| (words.service.as_str(), words.spans)).collect();
    assert_eq!(services, [("busy", 2_500), ("quiet", 3)]);
    let unknown: Vec<(&str, u64)> = told.unknown.iter().map(|name| (name.name.as_str(), name.spans)).collect();
    assert_eq!((told.spans, unknown), (2_503, vec![("gen_ai.of_busy", 2_500), ("gen_ai.of_quiet", 3)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_keeps_what_it_cost_although_that_was_written_as_text() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let [search, mut model, _] = trace_that_used("doc_abc", &[]);
    model.attributes = Map::from_iter([
        ("langfuse.observation.type".to_owned(), json!("generation")),
        ("langfuse.observation.usage_details".to_owned(), json!("{\"input\": 9, \"output\": 4}")),
        ("langfuse.observation.cost_details".to_owned(), json!("{\"total\": 0.25}")),
        ("langfuse.observation.output".to_owned(), json!("a zukamirel")),
    ]);
    let agent = theirs(
        search.trace,
        None,
        json!({"langfuse.observation.type": "agent", "langfuse.observation.usage_details": "{\"input\": 9}"}),
    );
    model.parent = Some(agent.span);
    room.record_durably(vec![search.clone(), model.clone(), agent.clone()], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    assert_eq!(room.forget_documents(project(), &["doc_abc".to_owned()], None).await.unwrap().spans, 3);
    let batches = room.table().scan(Scan::of(Filter::eq("span", model.span.to_string()))).await.unwrap();
    let rows = Rows(&batches[0]);
    let numbers = ["input_tokens", "output_tokens", "cost"].map(|name| rows.number(name, 0).unwrap());
    assert_eq!(numbers, [Some(9), Some(4), Some(250_000_000)]);
    assert_eq!((rows.text("type", 0).unwrap(), rows.text("content", 0).unwrap()), (Some("chat"), Some("")));
    let found = counted(&room).await;
    assert_eq!((found[&model.span], found[&agent.span]), ((Some(true), 1), (Some(false), 1)));
}

#[test]
fn a_segment_that_an_older_version_wrote_is_read() {
    // A frame of before spans had links.
    let payload = br#"{"project":"prj_00000000000000000000000007","trace":"5b8efff798038103d269b633813fc60c","span":"eee19b7ec3c1b174","parent":null,"name":"chat","kind":"client","start":"2025-11-24T16:00:00.000000Z","end":"2025-11-24T16:00:01.500000Z","status":{"code":"ok"},"attributes":{"gen_ai.request.model":"m"},"events":[{"name":"e","at":"2025-11-24T16:00:00.500000Z","attributes":{}}]}"#;
    let project = project().to_string();
    let payload = String::from_utf8_lossy(payload).replace("prj_00000000000000000000000007", &project).into_bytes();
    let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(crc32fast::hash(&payload).to_le_bytes());
    bytes.extend(&payload);
    let segment = spill::parse(&bytes);
    assert_eq!((segment.torn, segment.damaged, segment.spans.len()), (0, 0, 1));
    let read = &segment.spans[0];
    assert_eq!((read.name.as_str(), read.links.len(), read.events.len()), ("chat", 0, 1));
    // What is written of it now is what was written then.
    assert_eq!(serde_json::to_vec(read).unwrap(), payload);
}

#[test]
fn capture_leaves_out_content_of_every_convention() {
    let sent = || {
        let mut sent = theirs(
            TraceId::random(),
            None,
            json!({
                "llm.input_messages.0.message.content": "secret", "input.value": "secret", "langfuse.observation.output": "secret",
                "gen_ai.prompt.0.content": "secret", "ai.prompt": "secret", "mlflow.spanInputs": "secret", "traceloop.entity.input": "secret",
                "session.id": "s", "enduser.id": "ada", "gen_ai.usage.input_tokens": 3, "note": "mail ada@example.org",
            }),
        );
        let said = Map::from_iter([("content".to_owned(), json!("secret"))]);
        sent.events = vec![SpanEvent { name: "gen_ai.user.message".into(), at: sent.start, attributes: said }];
        let mail = Map::from_iter([("of".to_owned(), json!("ada@example.org")), ("input.value".to_owned(), json!("secret"))]);
        sent.links = vec![SpanLink { trace: TraceId::random(), span: SpanId::random(), attributes: mail }];
        sent
    };
    for (capture, persons) in [(Capture::Metadata, true), (Capture::None, false)] {
        let mut kept = sent();
        Policy::of(capture).apply(&mut kept);
        assert!(!format!("{kept:?}").contains("secret"), "{kept:#?}");
        assert_eq!(kept.attributes.contains_key("session.id") && kept.attributes.contains_key("enduser.id"), persons);
        assert_eq!(kept.attributes["gen_ai.usage.input_tokens"], 3);
    }
    let mut redacted = sent();
    Policy::of(Capture::Redacted).apply(&mut redacted);
    assert!(!format!("{redacted:?}").contains("ada@example.org"), "{redacted:#?}");
    assert!(format!("{redacted:?}").contains("secret"));
}

#[test]
fn doubtful_times_are_marked_and_stay() {
    let now = Timestamp::parse("2026-11-26T12:00:00Z").unwrap();
    let at = |seconds: i64| Timestamp::from_micros(now.as_micros() + seconds * 1_000_000);
    let parent = Span { start: at(-10), end: at(-5), ..theirs(TraceId::random(), None, json!({})) };
    let child = |start, end| Span { start, end, ..theirs(parent.trace, Some(parent.span), json!({})) };
    let (fine, early, late) = (child(at(-9), at(-6)), child(at(-11), at(-6)), child(at(-9), at(-4)));
    let (old, future) =
        (child(Timestamp::from_micros(0), at(-6)), child(Timestamp::parse("2200-01-01T00:00:00Z").unwrap(), at(-6)));
    let mut turned = fine.clone();
    (turned.span, turned.attributes) =
        (SpanId::random(), Map::from_iter([(crate::END_AS_SENT.to_owned(), json!("1970-01-01T00:00:00Z"))]));
    let spans = [parent.clone(), fine.clone(), early.clone(), late.clone(), old.clone(), future.clone(), turned.clone()];
    let marks = crate::clock_marks(&spans, now);
    use crate::ClockMark::{EndsBeforeStart, FarOff, Skew};
    let of = |span: &Span| marks.get(&span.span).cloned().unwrap_or_default();
    assert_eq!((of(&parent), of(&fine)), (vec![], vec![]));
    assert_eq!((of(&early), of(&late)), (vec![Skew], vec![Skew]));
    assert_eq!((of(&old), of(&turned)), (vec![Skew, FarOff], vec![EndsBeforeStart]));
    assert!(of(&future).contains(&FarOff));
    // Neither the longest time there is nor one that goes back breaks a row.
    let mut longest = parent.clone();
    (longest.start, longest.end) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    let batch = crate::table::to_batch(&[longest, Span { end: at(-20), ..parent }]).unwrap();
    let rows = Rows(&batch);
    assert_eq!((rows.number("duration", 0).unwrap(), rows.number("duration", 1).unwrap()), (Some(i64::MAX), Some(0)));
    assert!(rows.span(0).is_ok());
}
