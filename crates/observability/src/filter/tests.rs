use std::{collections::BTreeSet, sync::Arc};

use mainspring_kernel::{Fault, Timestamp, id::ProjectId};
use mainspring_lake::{Lake, Scan, Table};
use mainspring_lake_lance::{LakeLocation, LanceConfig, LanceLake};
use mainspring_llm::{
    Span, SpanId, TraceId,
    trace::{SpanKind, SpanStatus, names},
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use serde_json::{Map, Value as Json, json};

use super::{
    FIELDS, FieldKind, FilterFault, SEVERITIES, SpanFilter,
    fields::among,
    known,
    parser::{LENGTH_MAX, LOOKED_FOR_MAX, SCORES_MAX},
    severity_of,
    tree::{Comparison, Condition, Expr, Field, Moment, Test, Value},
};
use crate::table::{Rows, kind_text, spec, status_text, table_name, to_batch};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

#[track_caller]
fn check(text: &str, printed: &str) {
    let filter: SpanFilter = text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"));
    assert_eq!(filter.to_string(), printed, "{text}");
    assert_eq!(printed.parse(), Ok(filter), "{printed}");
}

#[test]
fn filters_are_read_as_people_write_them() {
    check("", "");
    check("  \n", "");
    check("model = gpt-4o", r#"model = "gpt-4o""#);
    check("model='gpt-4o'AND error", r#"model = "gpt-4o" and error"#);
    check("not error", "not error");
    check("error = false", "error = false");
    check("entry and duration>=2s", "entry and duration >= 2s");
    check("duration < 2500us or duration > 1.5s", "duration < 2500us or duration > 1500ms");
    check("duration > 90m", "duration > 90m");
    check("first_token > 0.5s", "first_token > 500ms");
    check("cost > $0.25", "cost > 0.25");
    check("cost <= 0.000000001", "cost <= 0.000000001");
    check("input_tokens == 12", "input_tokens = 12");
    check("start > -1h and start <= now", "start > -1h and start <= now");
    check("start >= 2026-11-26", "start >= 2026-11-26T00:00:00.000000Z");
    check("start < 2026-11-26T10:00:00+02:00", "start < 2026-11-26T08:00:00.000000Z");
    check("model in (gpt-4o, \"claude\")", r#"model in ("gpt-4o", "claude")"#);
    check("model not in (a)", r#"not model in ("a")"#);
    check("tag = beta", r#"tag = "beta""#);
    check("session exists and not user exists", "session exists and not user exists");
    check("content contains \"a \\\"b\\\" \\\\\"", r#"content contains "a \"b\" \\""#);
    check("content words \" refund   policy \"", r#"content words "refund policy""#);
    check("name starts_with chat", r#"name starts_with "chat""#);
    check("name <> x", r#"name != "x""#);
    check(r#"attributes["a.b"] > 1.5 and attributes["n"] = -3"#, r#"attributes["a.b"] > 1.5 and attributes["n"] = -3"#);
    check(r#"attributes["t"] = "5" or attributes["f"] = true"#, r#"attributes["t"] = "5" or attributes["f"] = true"#);
    check(r#"attributes["e"] exists"#, r#"attributes["e"] exists"#);
    check(r#"attributes["n"]=5 and attributes["n"]==5"#, r#"attributes["n"] = 5 and attributes["n"] = 5"#);
    check(r#"score["x"]=0.8 or score["x"]!=1"#, r#"score["x"] = 0.8 or score["x"] != 1"#);
    check("score.quality > 0.5", r#"score["quality"] > 0.5"#);
    check("score['answer quality'] = good", r#"score["answer quality"] = "good""#);
    check("score.a.b = true and not score.c exists", r#"score["a.b"] = true and not score["c"] exists"#);
    check("error or entry and name = a", r#"error or (entry and name = "a")"#);
    check("(error or entry) and name = a", r#"(error or entry) and name = "a""#);
    check("not (error or entry)", "not (error or entry)");
    check("((error))", "error");
    check("log and severity>=WARN", r#"log and severity >= "warn""#);
    check("not log or severity in (error, fatal)", r#"not log or severity in ("error", "fatal")"#);
    check("log = false and severity exists", "log = false and severity exists");
}

#[track_caller]
fn refused(text: &str, at: usize, what: &str, hint: &str) {
    let fault = text.parse::<SpanFilter>().expect_err(text);
    assert_eq!(fault.at, at, "{text}: {fault}");
    assert!(fault.what.contains(what), "{text}: {fault}");
    assert!(fault.hint().unwrap_or_default().contains(hint), "{text}: {:?}", fault.hint);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_what_to_write() {
    refused("modle = x", 1, "unknown field `modle`", "did you mean `model`?");
    refused("error and gen_ai.request.modus = x", 11, "unknown field", "attributes[\"gen_ai.request.modus\"]");
    refused("zzzzzzzzzzzz = 1", 1, "unknown field", "fields are name, type");
    refused("model", 1, "alone says nothing", "model = …");
    refused("model contians x", 1, "alone says nothing", "did you mean `contains`?");
    refused("model = ", 9, "is missing", "");
    refused("model = and error", 9, "a value is missing before `and`", "quotes");
    refused("duration > 2", 12, "compared with a duration", "150ms");
    refused("duration > 2.0000001s", 12, "compared with a duration", "1us");
    refused("duration > 9999999999999d", 12, "compared with a duration", "");
    refused("cost > cheap", 8, "compared with dollars", "0.25");
    refused("cost > 0.0000000001", 8, "compared with dollars", "nine decimals");
    refused("input_tokens > 1.5", 16, "a whole number", "");
    refused("start > yesterday", 9, "compared with a time", "-1h");
    refused("model > x", 7, "neither more nor less", "numbers");
    refused("status = bogus", 10, "`status` is never `bogus`", "ok, error, unset");
    refused("status != Eror", 11, "`status` is never `Eror`", "did you mean `error`?");
    refused("kind = sever", 8, "`kind` is never `sever`", "did you mean `server`?");
    refused("kind in (client, tool)", 18, "`kind` is never `tool`", "type = tool");
    refused("kind = agent", 8, "`kind` is never `agent`", "type = agent");
    refused("severity > 13", 12, "`severity` is never `13`", "trace, debug, info, warn, error, fatal");
    refused("severity = eror", 12, "`severity` is never `eror`", "did you mean `error`?");
    refused("severity contains err", 10, "asked of texts", "");
    refused("tag != x", 5, "several of `tag`", "not tag = …");
    refused("error = rate-limited", 9, "true or false", "error_type");
    refused("error in (true)", 10, "true or false", "alone");
    refused("attributes[\"a\"] < \"5\"", 19, "compares numbers", "without quotes");
    refused("attributes.a = 5", 1, "unknown field", "attributes[\"a\"]");
    refused("attributes[a] = 5", 12, "stands in quotes", "attributes[");
    refused("attributes[\"\"] = 5", 12, "is empty", "");
    refused("duration contains x", 10, "asked of texts", "");
    refused("name words x", 6, "asked of `content`", "contains");
    refused("content words \"  \"", 15, "no words", "");
    refused("score. = 1", 1, "the name of a score is missing", "score.NAME");
    refused("score = 1", 7, "`[` is missing", "");
    refused("score[a] = 1", 7, "stands in quotes", "score.NAME");
    refused("score.a > good", 11, "compares numbers", "");
    refused("score.a", 1, "alone says nothing", "exists");
    refused(&vec!["score.a = 1"; SCORES_MAX + 1].join(" or "), 15 * SCORES_MAX + 1, "ask for scores", "`in`");
    refused("\"refund\"", 1, "where a field should", "content contains \"refund\"");
    refused("(error", 7, "`)` is missing before the end", "");
    refused("error)", 6, "closes nothing", "");
    refused("error entry", 7, "cannot follow", "`and` or `or`");
    refused("error and", 10, "a condition is missing at the end", "");
    refused("error && entry", 7, "`&`", "`and`");
    refused("!error", 1, "`!`", "`not`");
    refused("name = \"ab", 8, "does not end", "close it");
    refused(r#"name = "a\b""#, 8, "backslash", r"\\");
    refused("ä = 1 ö", 1, "unknown field", "");
    refused(&"(".repeat(100), 25, "deep", "");
    refused(&"not ".repeat(100), 97, "deep", "");
    refused(&" ".repeat(LENGTH_MAX + 1), 1, "longer than", "");
}

#[test]
fn only_a_time_that_is_told_from_now_means_other_spans_later() {
    let is_relative = |text: &str| text.parse::<SpanFilter>().unwrap().is_relative();
    for lasts in ["", "start >= 2026-11-26", "name contains \"start > now\"", "duration > 1h and not error"] {
        assert!(!is_relative(lasts), "{lasts}");
    }
    for moves in ["start > -1h", "start <= now", "entry and not (error or start < -2d)", "start in (2026-11-26, -1h)"] {
        assert!(is_relative(moves), "{moves}");
    }
}

#[test]
fn the_texts_that_a_field_can_have_are_those_that_are_stored() {
    let statuses = [SpanStatus::Ok, SpanStatus::Error(String::new()), SpanStatus::Unset];
    assert_eq!(among("status").unwrap(), statuses.each_ref().map(status_text));
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    assert_eq!(among("kind").unwrap(), kinds.map(kind_text));
    assert_eq!(among("type"), None, "more may come");
}

#[test]
fn a_severity_is_each_of_the_numbers_that_its_word_stands_for() {
    let mut span = span().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    for (number, fits, others) in [
        (
            13,
            ["severity = warn", "severity >= warn", "severity <= warn"],
            ["severity != warn", "severity > warn", "severity < warn"],
        ),
        (
            16,
            ["severity = Warn", "severity > info", "severity in (info, warn)"],
            ["severity >= error", "severity > warn", "severity = info"],
        ),
        (24, ["severity = fatal", "severity >= warn", "log"], ["severity < fatal", "not log", "severity in (info, warn)"]),
    ] {
        let record = [(names::SIGNAL, json!("log")), (names::SEVERITY_NUMBER, json!(number))];
        span.attributes = record.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let is = |text: &str| text.parse::<SpanFilter>().unwrap().matches(&span, NOW).unwrap();
        assert!(fits.into_iter().all(is), "{number}");
        assert!(!others.into_iter().any(is), "{number}");
    }
    // A record that does not say is neither more nor less severe than another, and a span is no record.
    span.attributes.remove(names::SEVERITY_NUMBER);
    let is = |span: &Span, text: &str| text.parse::<SpanFilter>().unwrap().matches(span, NOW).unwrap();
    assert!(is(&span, "log and not severity exists and not severity < fatal and not severity != warn"));
    span.attributes.clear();
    assert!(is(&span, "log = false") && !is(&span, "log or severity exists"));
    assert_eq!([0, 1, 12, 17, 24, 25].map(severity_of), [None, Some("trace"), Some("info"), Some("error"), Some("fatal"), None]);
}

#[test]
fn no_more_is_looked_for_in_a_span_than_is_quick() {
    let words = |count: usize| (0..count).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
    let each = |count: usize, one: &str| vec![one; count].join(" or ");
    for fits in [
        format!("content words \"{}\"", words(LOOKED_FOR_MAX)),
        format!("content words \"{}\"", "a A ".repeat(900)),
        each(LOOKED_FOR_MAX, "content contains x"),
        each(LOOKED_FOR_MAX + 1, "name contains x"),
    ] {
        assert!(fits.parse::<SpanFilter>().is_ok(), "{fits}");
    }
    check("content words \"b a B\"", "content words \"b a\"");
    let what = "more than 32 texts";
    refused(&format!("content words \"{}\"", words(LOOKED_FOR_MAX + 1)), 15, what, "`contains`");
    let all = each(LOOKED_FOR_MAX, "content contains x");
    for one in ["content contains ", "content starts_with ", "content words ", r#"attributes["x"] contains "#] {
        refused(&format!("{all} or {one}x"), all.chars().count() + 5 + one.chars().count(), what, "");
    }
}

#[test]
fn the_reference_page_names_every_field_and_its_filters_are_filters() {
    let page = include_str!("../../../../docs/reference/filters.md");
    for field in FIELDS {
        let kind = match field.kind {
            FieldKind::Text => "text",
            FieldKind::Flag => "flag",
            FieldKind::Number => "number",
            FieldKind::Duration => "duration",
            FieldKind::Money => "dollars",
            FieldKind::Time => "time",
            FieldKind::List => "texts",
            FieldKind::Severity => "severity",
        };
        let row = format!("| `{}` | {kind} | {} |", field.name, field.says);
        assert!(page.contains(&row), "docs/reference/filters.md lacks: {row}");
    }
    let examples = page.split("```filter\n").skip(1).filter_map(|rest| rest.split("```").next()).flat_map(str::lines);
    let examples: Vec<&str> = examples.filter(|line| !line.trim().is_empty()).collect();
    assert!(examples.len() > 10, "{}", examples.len());
    for example in examples {
        let read: Result<SpanFilter, FilterFault> = example.parse();
        assert!(read.is_ok(), "{example}: {read:?}");
    }
    for limit in [format!("{LENGTH_MAX} bytes"), format!("{LOOKED_FOR_MAX} texts and words")] {
        assert!(page.contains(&limit), "docs/reference/filters.md does not say {limit}");
    }
    let grammar = page.split("```grammar\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for keyword in super::values::KEYWORDS {
        assert!(grammar.contains(&format!("\"{keyword}\"")), "the grammar lacks {keyword}");
    }
}

/// Few, so that filters and spans meet.
fn text() -> impl Strategy<Value = String> {
    select(vec!["", "a", "b", "A b", "gpt", "gpt-4", "é\"\\", "chat", "and", "5", "ok"]).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![select(vec![0, 1, 5, 1_000, 2_000_000]), any::<i64>().prop_map(|number| number.saturating_abs())]
}

fn moment() -> impl Strategy<Value = Moment> {
    let near = (-5_000_000..5_000_000_i64).prop_map(|off| Moment::At(Timestamp::from_micros(NOW.as_micros() + off)));
    prop_oneof![near, number().prop_map(Moment::Ago)]
}

fn value(kind: FieldKind) -> BoxedStrategy<Value> {
    match kind {
        FieldKind::Text | FieldKind::List => text().prop_map(Value::Text).boxed(),
        FieldKind::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
        FieldKind::Number => number().prop_map(Value::Number).boxed(),
        FieldKind::Duration => number().prop_map(Value::Duration).boxed(),
        FieldKind::Money => number().prop_map(Value::Money).boxed(),
        FieldKind::Time => moment().prop_map(Value::Time).boxed(),
        FieldKind::Severity => select(SEVERITIES.to_vec()).prop_map(|word| Value::Text(word.to_owned())).boxed(),
    }
}

fn equality() -> impl Strategy<Value = Comparison> {
    select(vec![Comparison::Eq, Comparison::NotEq])
}

fn comparison() -> impl Strategy<Value = Comparison> {
    select(vec![Comparison::Eq, Comparison::NotEq, Comparison::Lt, Comparison::LtEq, Comparison::Gt, Comparison::GtEq])
}

fn texts(name: &str) -> BoxedStrategy<Test> {
    let words = subsequence(vec!["a", "B", "gpt"], 1..3);
    let words = words.prop_map(|words| Test::Words(words.into_iter().map(str::to_owned).collect()));
    let others = prop_oneof![text().prop_map(Test::Contains), text().prop_map(Test::StartsWith)];
    if name == "content" { prop_oneof![others, words].boxed() } else { others.boxed() }
}

fn value_of(name: &str, kind: FieldKind) -> BoxedStrategy<Value> {
    match among(name) {
        Some(texts) => select(texts.to_vec()).prop_map(|text| Value::Text(text.to_owned())).boxed(),
        None => value(kind),
    }
}

fn test_of(name: &'static str, kind: FieldKind) -> BoxedStrategy<Test> {
    let listed = prop::collection::vec(value_of(name, kind), 1..3).prop_map(Test::In);
    match kind {
        FieldKind::Flag => {
            prop_oneof![Just(Test::Holds), (equality(), value_of(name, kind)).prop_map(|(how, value)| Test::Compare(how, value))]
                .boxed()
        }
        FieldKind::List => {
            prop_oneof![value_of(name, kind).prop_map(|value| Test::Compare(Comparison::Eq, value)), listed, Just(Test::Exists)]
                .boxed()
        }
        FieldKind::Text => prop_oneof![
            (equality(), value_of(name, kind)).prop_map(|(how, value)| Test::Compare(how, value)),
            listed,
            Just(Test::Exists),
            texts(name),
        ]
        .boxed(),
        _ => prop_oneof![
            (comparison(), value_of(name, kind)).prop_map(|(how, value)| Test::Compare(how, value)),
            listed,
            Just(Test::Exists)
        ]
        .boxed(),
    }
}

fn attribute() -> impl Strategy<Value = Condition> {
    let decimal = select(vec![0.5, -1.0, 5.0, 1e30]).prop_map(Value::Decimal);
    let numeric = || prop_oneof![select(vec![-3, 0, 5]).prop_map(Value::Number), decimal.clone()];
    let any_value = prop_oneof![text().prop_map(Value::Text), any::<bool>().prop_map(Value::Flag), numeric()];
    let test = prop_oneof![
        (comparison(), numeric()).prop_map(|(how, value)| Test::Compare(how, value)),
        (equality(), any_value.clone()).prop_map(|(how, value)| Test::Compare(how, value)),
        prop::collection::vec(any_value, 1..3).prop_map(Test::In),
        Just(Test::Exists),
        text().prop_map(Test::Contains),
        text().prop_map(Test::StartsWith),
    ];
    (select(vec!["x", "y.z", "user.id", "never"]), test)
        .prop_map(|(key, test)| Condition { field: Field::Attribute(key.to_owned()), test })
}

fn condition() -> impl Strategy<Value = Condition> {
    let named = select((0..FIELDS.len()).collect::<Vec<_>>()).prop_flat_map(|at| {
        let field = &FIELDS[at];
        test_of(field.name, field.kind).prop_map(move |test| Condition { field: Field::Known(field), test })
    });
    prop_oneof![3 => named, 1 => attribute()]
}

fn filter() -> impl Strategy<Value = SpanFilter> {
    let tree = condition().prop_map(Expr::Is).prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    });
    tree.prop_map(SpanFilter)
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(filter in filter()) {
        prop_assert_eq!(filter.to_string().parse(), Ok(filter));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        let _ = text.parse::<SpanFilter>();
    }

    #[test]
    fn any_words_are_read_or_refused_within_the_text(words in prop::collection::vec(select(vec![
        "model", "error", "=", "!=", "<", ">=", "(", ")", "[", "]", ",", "\"a\"", "'", "\\", "and", "or", "not", "in", "exists", "contains",
        "words", "attributes", "duration", "2s", "-1h", "cost", "1e9", "start", "now", "tag", "entry", "µ", "score.a", "score",
    ]), 0..14)) {
        let text = words.join(" ");
        match text.parse::<SpanFilter>() {
            Ok(filter) => prop_assert_eq!(filter.to_string().parse(), Ok(filter)),
            Err(fault) => prop_assert!((1..=text.chars().count() + 1).contains(&fault.at), "{fault}"),
        }
    }

    #[test]
    fn what_was_written_and_cut_is_read_or_refused(filter in filter(), cut in 0..200_usize) {
        let _ = filter.to_string().chars().take(cut).collect::<String>().parse::<SpanFilter>();
    }
}

fn attributes() -> impl Strategy<Value = Map<String, Json>> {
    let keys = vec![
        "x",
        "y.z",
        names::REQUEST_MODEL,
        names::OPERATION,
        names::PROVIDER,
        names::USER,
        names::CONVERSATION,
        names::ERROR,
        names::INPUT_TOKENS,
        names::APP,
        names::SEVERITY_NUMBER,
        "service.name",
        "resource.service.name",
        "gen_ai.prompt.name",
    ];
    let value = prop_oneof![
        5 => text().prop_map(Json::from),
        3 => number().prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => select(vec![json!(0.5), json!(5.0), json!(-3), json!(null), json!(["a"]), json!({"a": 5}), json!(u64::MAX)]),
    ];
    let messages = text().prop_map(|text| json!([{"role": "user", "parts": [{"type": "text", "content": text}]}]));
    // Of a record's severity mostly one that there is.
    let record = prop::option::weighted(0.3, prop::option::of(1..=24_i64));
    (prop::collection::vec((select(keys), value), 0..8), prop::option::of(messages), record).prop_map(
        |(pairs, messages, record)| {
            let mut attributes: Map<String, Json> = pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            attributes.extend(messages.map(|messages| (names::INPUT_MESSAGES.to_owned(), messages)));
            if let Some(severity) = record {
                attributes.insert(names::SIGNAL.to_owned(), json!("log"));
                attributes.extend(severity.map(|number| (names::SEVERITY_NUMBER.to_owned(), json!(number))));
            }
            attributes
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let status = prop_oneof![Just(SpanStatus::Unset), Just(SpanStatus::Ok), text().prop_map(SpanStatus::Error)];
    let kind = select(vec![SpanKind::Internal, SpanKind::Server, SpanKind::Client]);
    let ids = (any::<[u8; 16]>(), any::<[u8; 8]>(), prop::option::of(any::<[u8; 8]>()));
    (ids, text(), kind, (-5_000_000..5_000_000_i64, 0..3_000_000_i64), status, attributes()).prop_map(
        |((trace, id, parent), name, kind, (start, took), status, attributes)| {
            let start = Timestamp::from_micros(NOW.as_micros() + start);
            Span {
                project: ProjectId::from_raw(7),
                trace: TraceId::from_slice(&trace).unwrap_or_else(TraceId::random),
                span: SpanId::from_slice(&id).unwrap_or_else(SpanId::random),
                parent: parent.and_then(|parent| SpanId::from_slice(&parent)),
                name,
                kind,
                start,
                end: Timestamp::from_micros(start.as_micros() + took),
                status,
                attributes,
                events: Vec::new(),
                links: Vec::new(),
            }
        },
    )
}

async fn table_of(spans: &[Span], dir: &std::path::Path) -> Arc<dyn Table> {
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.to_owned()))).await.unwrap();
    let table = lake.open(&table_name().unwrap(), &spec()).await.unwrap();
    table.append(to_batch(spans).unwrap()).await.unwrap();
    table
}

async fn found(table: &Arc<dyn Table>, filter: &SpanFilter) -> BTreeSet<String> {
    let batches = table.scan(Scan::of(filter.condition(NOW)).columns(&["span"])).await.unwrap();
    let mut found = BTreeSet::new();
    for batch in &batches {
        found.extend((0..batch.num_rows()).filter_map(|row| Rows(batch).text("span", row).unwrap().map(str::to_owned)));
    }
    found
}

#[test]
fn the_table_and_the_memory_agree_about_every_span() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::deterministic();
    let spans = prop::collection::vec(span(), 80).new_tree(&mut runner).unwrap().current();
    let dir = tempfile::tempdir().unwrap();
    let table = runtime.block_on(table_of(&spans, dir.path()));
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let (apart, seen) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    TestRunner::new(config)
        .run(&filter(), |filter| {
            let by_table = runtime.block_on(found(&table, &filter));
            let in_memory: BTreeSet<String> =
                spans.iter().filter(|span| filter.matches(span, NOW).unwrap()).map(|span| span.span.to_string()).collect();
            prop_assert_eq!(&by_table, &in_memory, "{}", filter);
            seen.set(seen.get() + 1);
            apart.set(apart.get() + usize::from(!by_table.is_empty() && by_table.len() < spans.len()));
            Ok(())
        })
        .unwrap();
    assert!(apart.get() > seen.get() / 10, "{} of {} filters told spans apart", apart.get(), seen.get());
}

#[test]
fn a_comparison_with_what_is_not_there_is_false_and_its_opposite_true() {
    let mut runner = TestRunner::deterministic();
    let mut span = span().new_tree(&mut runner).unwrap().current();
    span.attributes = Map::from_iter([("x".to_owned(), json!("text"))]);
    span.status = SpanStatus::Ok;
    for (text, holds) in [
        ("model = a", false),
        ("model != a", false),
        ("not model = a", true),
        ("not model != a", true),
        ("model not in (a, b)", true),
        ("cost > 0 or cost <= 0", false),
        (r#"attributes["x"] != 5"#, false),
        (r#"not attributes["x"] = 5"#, true),
        (r#"attributes["x"] != "other""#, true),
        (r#"attributes["y"] != "other""#, false),
        ("error = false", true),
        ("error != false", false),
        ("status = ok and start > -1d and not error", true),
        ("", true),
    ] {
        let filter: SpanFilter = text.parse().unwrap();
        assert_eq!(filter.matches(&span, NOW).unwrap(), holds, "{text}");
    }
    assert_eq!(known("model").map(|field| field.kind), Some(FieldKind::Text));
}
