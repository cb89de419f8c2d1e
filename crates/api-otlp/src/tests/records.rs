//! Log records, and what every record is held to.

use std::collections::HashSet;

use mainspring_kernel::Timestamp;
use mainspring_llm::{
    Span,
    trace::{SpanEvent, SpanLink, SpanStatus, names},
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{export, project};
use crate::{
    logs,
    request::{Encoding, decode},
    shared::bound,
    spans::{self, Received},
};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SPAN: &str = "eee19b7ec3c1b174";
/// When the examples happened, and a little later.
const THEN: i64 = 1_544_712_660_000_000;
const NOW: i64 = THEN + 60_000_000;

fn records(records: &Value) -> ExportLogsServiceRequest {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let group = json!({"resource": resource, "scopeLogs": [{"scope": {"name": "openai"}, "logRecords": records}]});
    decode(json!({"resourceLogs": [group]}).to_string().as_bytes(), Encoding::Json).unwrap()
}

fn question() -> Value {
    json!({
        "timeUnixNano": "1544712660000000000", "traceId": TRACE, "spanId": SPAN, "eventName": "gen_ai.user.message",
        "severityNumber": 9,
        "attributes": [
            {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
            {"key": "mainspring.app", "value": {"stringValue": "not theirs to say"}}
        ],
        "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "Why?"}}]}}
    })
}

fn read(all: &Value) -> Received {
    let mut received = logs::read(records(all), project());
    bound(&mut received, Timestamp::from_micros(NOW));
    received
}

fn one(record: Value) -> Span {
    let mut received = read(&json!([record]));
    assert_eq!((received.spans.len(), received.rejected), (1, 0), "{}", received.reason);
    received.spans.remove(0)
}

#[test]
fn a_record_stands_below_the_span_it_was_written_in() {
    let span = one(question());
    assert_eq!((span.trace.to_string(), span.parent.unwrap().to_string()), (TRACE.into(), SPAN.into()));
    assert_eq!((span.name.as_str(), span.start, span.end), ("gen_ai.user.message", Timestamp::from_micros(THEN), span.start));
    assert_eq!(span.status, SpanStatus::Unset);
    let expected = [
        (names::SIGNAL, json!("log")),
        ("client.mainspring.app", json!("not theirs to say")),
        ("otel.log.severity", json!("INFO")),
        ("otel.log.severity_number", json!(9)),
        ("resource.service.name", json!("shop")),
        ("otel.scope.name", json!("openai")),
        ("gen_ai.provider.name", json!("openai")),
    ];
    for (key, value) in expected {
        assert_eq!(span.attributes[key], value, "{key}");
    }
    assert_eq!(span.events.len(), 1);
    assert_eq!((span.events[0].name.as_str(), &span.events[0].attributes["content"]), ("gen_ai.user.message", &json!("Why?")));
}

#[test]
fn a_body_that_is_no_message_is_one_value() {
    let said = |body: Value| {
        let mut record = question();
        record["eventName"] = json!("checkout.failed");
        record["body"] = body;
        one(record).events.into_iter().map(|event| Value::from(event.attributes)).collect::<Vec<_>>()
    };
    assert_eq!(said(json!({"stringValue": "no funds"})), [json!({"body": "no funds"})]);
    assert_eq!(said(question()["body"].clone()), [json!({"body": {"content": "Why?"}})]);
    assert_eq!(said(json!({})), Vec::<Value>::new());
}

#[test]
fn a_record_that_comes_again_is_the_same_and_another_is_not() {
    let (mut later, mut other) = (question(), question());
    later["timeUnixNano"] = json!("1544712660000000001");
    other["body"] = json!({"stringValue": "Why not?"});
    assert_eq!(one(question()), one(question()));
    let ids = [one(question()), one(later), one(other)].map(|span| span.span);
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
    // In another project it is another one: what is in one says nothing of what is in the other.
    let elsewhere = logs::read(records(&json!([question()])), mainspring_kernel::id::ProjectId::from_raw(2));
    assert_ne!(elsewhere.spans[0].span, ids[0]);
}

#[test]
fn records_that_say_the_same_in_one_request_are_as_many_as_came() {
    let mut bare = question();
    bare.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "traceId" | "spanId"));
    let all = json!([question(), question(), bare, question(), bare]);
    let (once, again) = (read(&all), read(&all));
    assert_eq!((once.spans.len(), once.rejected), (5, 0), "{}", once.reason);
    let ids: HashSet<_> = once.spans.iter().map(|span| (span.trace.to_string(), span.span.to_string())).collect();
    assert_eq!(ids.len(), 5, "{ids:?}");
    assert_eq!(once.spans, again.spans, "what is sent again is there once");
    // The first is the one that a request of its own would bring.
    let first = |span: &Span| {
        let mut span = span.clone();
        span.attributes.remove(names::PLACE);
        span
    };
    assert_eq!((first(&once.spans[0]), first(&once.spans[2])), (first(&one(question())), first(&one(bare))));
    assert_ne!(once.spans[2].trace, once.spans[4].trace, "each of no trace is one by itself");
}

#[test]
fn messages_of_one_moment_keep_the_order_in_which_they_were_sent() {
    let (mut answer, mut other) = (question(), question());
    answer["eventName"] = json!("gen_ai.choice");
    other["eventName"] = json!("checkout.failed");
    let places = |all: Value| -> Vec<Value> {
        read(&all).spans.into_iter().map(|span| span.attributes.get(names::PLACE).cloned().unwrap_or_default()).collect()
    };
    assert_eq!(places(json!([question(), other, answer])), [json!(0), Value::Null, json!(2)]);
    // It is another record's neighbour when it comes again, and the same record.
    let mut again = read(&json!([answer, question()])).spans;
    assert_eq!((again[1].span, &again[1].attributes[names::PLACE]), (one(question()).span, &json!(1)));
    again[1].attributes.insert(names::PLACE.to_owned(), json!(0));
    assert_eq!(again.remove(1), one(question()));
}

#[test]
fn a_record_of_no_trace_is_one_by_itself() {
    let mut record = question();
    for field in ["traceId", "spanId", "eventName"] {
        record.as_object_mut().unwrap().remove(field);
    }
    let span = one(record.clone());
    assert_eq!((span.parent, span.name.as_str()), (None, "log"));
    assert_eq!(one(record.clone()).trace, span.trace);
    // An id that is none is none, as the protocol says.
    record["traceId"] = json!("5b8e");
    record["spanId"] = json!(SPAN);
    let wrong = one(record);
    assert_eq!(wrong.parent, None);
    assert_ne!(wrong.trace, span.trace);
}

#[test]
fn names_times_and_severities_are_found_where_older_senders_put_them() {
    let mut old = question();
    old.as_object_mut().unwrap().remove("eventName");
    old["timeUnixNano"] = json!("0");
    old["observedTimeUnixNano"] = json!("1544712661000000000");
    old["severityNumber"] = json!("SEVERITY_NUMBER_ERROR");
    old["severityText"] = json!("Severe");
    old["attributes"] = json!([{"key": "event.name", "value": {"stringValue": "gen_ai.choice"}}]);
    let span = one(old);
    assert_eq!((span.name.as_str(), span.start), ("gen_ai.choice", Timestamp::from_micros(THEN + 1_000_000)));
    assert_eq!(span.status, SpanStatus::Error("Severe".into()));
    assert_eq!(span.attributes["otel.log.severity"], "Severe");
}

#[test]
fn a_severity_that_is_told_in_a_word_only_is_a_number_too() {
    for (word, number, failed) in [("Warning", json!(13), false), ("ERROR", json!(17), true), ("critical", json!(21), true)] {
        let mut record = question();
        record.as_object_mut().unwrap().remove("severityNumber");
        record["severityText"] = json!(word);
        let span = one(record);
        assert_eq!((&span.attributes[names::SEVERITY], &span.attributes[names::SEVERITY_NUMBER]), (&json!(word), &number));
        assert_eq!(matches!(span.status, SpanStatus::Error(_)), failed, "{word}");
    }
    let mut unknown = question();
    unknown.as_object_mut().unwrap().remove("severityNumber");
    unknown["severityText"] = json!("loud");
    assert!(!one(unknown).attributes.contains_key(names::SEVERITY_NUMBER));
}

#[test]
fn records_that_cannot_be_kept_are_counted_and_the_others_are_kept() {
    let timeless = json!({"body": {"stringValue": "when?"}});
    let ahead = json!({"timeUnixNano": format!("{}000", NOW + 25 * 3_600_000_000), "body": {"stringValue": "tomorrow"}});
    let soon = json!({"timeUnixNano": format!("{}000", NOW + 23 * 3_600_000_000), "body": {"stringValue": "clocks differ"}});
    let received = read(&json!([timeless, question(), ahead, soon]));
    assert_eq!((received.spans.len(), received.rejected), (2, 2));
    assert_eq!(
        received.reason,
        "a record has no time; a record lies more than a day in the future: is the sender's clock right?"
    );
}

fn received(change: impl FnOnce(&mut Span)) -> Received {
    let mut received = spans::read(export(), project());
    change(&mut received.spans[0]);
    bound(&mut received, Timestamp::from_micros(NOW));
    received
}

#[test]
fn a_span_of_four_megabytes_is_kept_and_one_that_could_not_be_read_back_is_not() {
    let long = |bytes: usize| received(|span| _ = span.attributes.insert("long".into(), "\u{1}".repeat(bytes).into()));
    assert_eq!((long(4 << 20).spans.len(), long(4 << 20).rejected), (1, 0));
    let refused = long(10 << 20);
    assert_eq!((refused.spans.len(), refused.rejected, refused.reason.as_str()), (0, 1, "a record is larger than 10 MiB"));
    // Events count too.
    let attributes: Map<String, Value> = Map::from_iter([("long".to_owned(), Value::from("x".repeat(1 << 20)))]);
    let event = SpanEvent { name: "e".into(), at: Timestamp::from_micros(THEN), attributes };
    assert_eq!(received(|span| span.events = vec![event; 10]).rejected, 1);
    // As JSON these take more than their names, and what a span says of its failure is written with it.
    let empty = SpanEvent { name: String::new(), at: Timestamp::from_micros(THEN), attributes: Map::new() };
    assert_eq!(received(|span| span.events = vec![empty; 200_000]).rejected, 1);
    assert_eq!(received(|span| span.status = SpanStatus::Error("\u{1}".repeat(11 << 20))).rejected, 1);
}

#[test]
fn of_very_many_attributes_the_last_are_left_out_and_counted() {
    let many = |count: usize| {
        let mut kept = received(|span| span.attributes = (0..count).map(|n| (format!("a{n}"), Value::from(n))).collect());
        assert_eq!(kept.rejected, 0);
        kept.spans.remove(0).attributes
    };
    assert_eq!(many(16_384).len(), 16_384);
    let cut = many(20_000);
    assert_eq!((cut.len(), &cut["otel.attributes_left_out"]), (16_385, &json!(20_000 - 16_384)));
    assert!(cut.contains_key("a16383") && !cut.contains_key("a16384"));
    // Of an event and of a link fewer are kept.
    let nested: Map<String, Value> = (0..2_000).map(|n| (format!("a{n}"), Value::from(n))).collect();
    let kept = received(|span| {
        span.events = vec![SpanEvent { name: "e".into(), at: span.start, attributes: nested.clone() }];
        span.links = vec![SpanLink { trace: span.trace, span: span.span, attributes: nested }];
    });
    for attributes in [&kept.spans[0].events[0].attributes, &kept.spans[0].links[0].attributes] {
        assert_eq!((attributes.len(), &attributes["otel.attributes_left_out"]), (1_025, &json!(2_000 - 1_024)));
    }
}

#[test]
fn a_span_from_the_wrong_century_is_rejected() {
    for (start, end) in [(0, THEN), (THEN, NOW + 2 * 86_400_000_000), (i64::MAX / 2, i64::MAX / 2)] {
        let kept = received(|span| (span.start, span.end) = (Timestamp::from_micros(start), Timestamp::from_micros(end)));
        assert_eq!((kept.spans.len(), kept.rejected), (0, 1), "{start} {end}");
    }
    // Late ones are not: retention says how long they stay.
    assert_eq!(received(|span| (span.start, span.end) = (Timestamp::from_micros(1), Timestamp::from_micros(2))).rejected, 0);
}

proptest! {
    #[test]
    fn any_bytes_are_records_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            if let Err(problem) = decode::<ExportLogsServiceRequest>(&bytes, encoding) {
                prop_assert_eq!(problem.code, "otlp-malformed");
            }
        }
    }

    /// A valid export with bytes changed or cut off: never a panic, and every record is either kept or counted.
    #[test]
    fn changed_records_are_kept_or_counted(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = prost::Message::encode_to_vec(&records(&json!([question(), question()])));
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        if let Ok(changed) = decode::<ExportLogsServiceRequest>(&bytes, Encoding::Protobuf) {
            let groups = changed.resource_logs.iter().flat_map(|group| &group.scope_logs);
            let sent: usize = groups.map(|group| group.log_records.len()).sum();
            let mut received = logs::read(changed, project());
            bound(&mut received, Timestamp::from_micros(NOW));
            prop_assert_eq!(received.spans.len() + received.rejected, sent);
        }
    }
}
