//! Attributes and events lie in the table without what is searched of them, and are read as they came.

use mainspring_lake::{Filter, Scan, TableSpec};

use super::{asking::NOW, *};
use crate::{
    SpanFilter,
    table::{Rows, to_batch},
};

/// What was said, in every place where senders put it.
fn told(from: i64) -> Vec<Span> {
    let of = |n: i64, attributes: serde_json::Value| {
        let attributes = attributes.as_object().unwrap().clone();
        Span { attributes, ..span(NOW + from + n, &[]) }
    };
    let text = |n: i64| {
        let kind = from + n;
        format!(
            "how long does a pump of kind {kind} last?\n\t\"It läuft\" – so they say – for years, and longer where nobody uses it\n"
        )
    };
    let messages = |role: &str, text: &str| json!([{"role": role, "parts": [{"type": "text", "content": text}]}]);
    let asked = messages("user", &text(0)).to_string();
    let mut told = vec![
        of(
            0,
            json!({(names::OPERATION): "chat", (names::INPUT_MESSAGES): asked, (names::OUTPUT_MESSAGES): messages("assistant", &text(1))}),
        ),
        of(
            1,
            json!({
                "openinference.span.kind": "LLM",
                "input.value": json!({"messages": [{"role": "user", "content": text(1)}], "model": "gpt"}).to_string(),
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.content": text(1),
                "llm.output_messages.0.message.content": text(2),
            }),
        ),
        of(2, json!({"openinference.span.kind": "CHAIN", "input.value": text(2), "output.value": text(2)})),
        of(3, json!({(names::OPERATION): "chat"})),
        // More than the column of the beginning holds.
        of(4, json!({"openinference.span.kind": "CHAIN", "input.value": (0..200).map(text).collect::<String>()})),
        of(5, json!({"http.request.method": "POST", "\u{1}odd": "\u{1}\u{2}"})),
    ];
    let event = |name: &str, text: String| SpanEvent {
        name: name.to_owned(),
        at: Timestamp::from_micros(NOW),
        attributes: Map::from_iter([("content".to_owned(), json!(text))]),
    };
    told[3].events = vec![event("gen_ai.user.message", text(3)), event("gen_ai.assistant.message", text(4))];
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_events_are_as_they_came_in_rows_of_now_and_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("lake")))).await.unwrap();
    let whole = TableSpec { echoes: Vec::new(), ..table::spec() };
    let before = lake.open(&table::table_name().unwrap(), &whole).await.unwrap();
    let (old, new) = (told(0), told(1_000));
    before.append(to_batch(&old).unwrap()).await.unwrap();
    let clock = FrozenClock::at(Timestamp::from_micros(1_700_000_000_000_000));
    let Room { room, .. } = open_over(&lake, &dir.path().join("spill"), (Capture::Full, clock)).await;
    room.record_durably(new.clone(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();

    let (all, mut texts) = (actor(Labels::All), Texts::default());
    for span in old.iter().chain(&new) {
        assert_eq!(read_whole(&room, &all, span.trace).await.unwrap(), [span.clone()]);
        texts.write(span).unwrap();
        for (column, wanted) in [("attributes", texts.attributes()), ("events", texts.events())] {
            let this = Filter::eq("span", span.span.to_string());
            let batches = room.table().scan(Scan::of(this).columns(&[column])).await.unwrap();
            let rows = Rows(&batches[0]);
            let found = rows.text(column, 0).unwrap().unwrap();
            assert_eq!(found.as_bytes(), wanted, "each byte of `{column}`");
        }
    }
    for (filter, wanted) in [
        ("attributes[\"input.value\"] contains \"pump of kind 1001\"", 2),
        ("attributes[\"input.value\"] starts_with \"how long does a pump of kind 2 \"", 1),
        ("attributes[\"llm.output_messages.0.message.content\"] contains \"LÄUFT\" and content contains \"nobody uses it\"", 2),
        ("content contains \"a pump of kind 1004\"", 2),
    ] {
        let filter = TraceFilter { also: filter.parse::<SpanFilter>().unwrap(), ..TraceFilter::default() };
        let found = room.count_spans(&all, &filter).await.unwrap().count;
        assert_eq!(found, wanted, "{filter:?}");
    }
}
