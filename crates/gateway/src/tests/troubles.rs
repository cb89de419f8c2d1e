//! Every kind of provider against every trouble, storms of them, and clocks that jump: each call is settled once, with what
//! the provider told or a guess that says so, and gives its place back.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use mainspring_kernel::{Fault, Money, PageRequest};
use mainspring_llm::Provenance;
use mainspring_providers::FaultClass::{self, Auth, Malformed, Overloaded, RateLimited, Reset, Server, Timeout};
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Used, When};
use serde_json::{Value, json};

use super::{
    room::{Room, chat, cost, drain, provider, upstream},
    translated::place,
};
use crate::{
    CallRecord, CallStatus, Standing,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
};

const KINDS: [&str; 5] = ["openai", "azure", "anthropic", "gemini", "bedrock"];

/// What happens, how it is called, whole and in a stream (where it can happen there), and whether it is paid.
struct Case {
    behaviour: Behaviour,
    /// A route with little patience is asked.
    hasty: bool,
    whole: &'static [FaultClass],
    stream: &'static [FaultClass],
    paid: bool,
}

fn case(trouble: Trouble, (whole, stream): (&'static [FaultClass], &'static [FaultClass]), paid: bool) -> Case {
    Case { behaviour: Behaviour::trouble(trouble), hasty: false, whole, stream, paid }
}

fn cases() -> Vec<Case> {
    let hangs = |trouble| Case { hasty: true, ..case(trouble, (&[Timeout], &[Timeout]), true) };
    let refused =
        |status, class| Case { behaviour: Behaviour::status(status), hasty: false, whole: class, stream: class, paid: false };
    vec![
        hangs(Trouble::Hang(When::BeforeHead)),
        hangs(Trouble::Hang(When::After(0))),
        hangs(Trouble::Hang(When::After(1))),
        // Bytes that say nothing to a reader of events are the beginning of a frame to another.
        Case { stream: &[Timeout, Malformed], ..hangs(Trouble::Trickle(1)) },
        case(Trouble::Reset(When::BeforeHead), (&[Reset], &[Reset]), false),
        case(Trouble::Close(When::BeforeHead), (&[Reset], &[Reset]), false),
        case(Trouble::Reset(When::After(1)), (&[Reset], &[Reset]), true),
        case(Trouble::Close(When::After(1)), (&[Reset], &[Reset]), true),
        case(Trouble::End(1), (&[Malformed], &[Reset]), true),
        case(Trouble::Malformed(1), (&[Malformed], &[Malformed]), true),
        case(Trouble::NotJson, (&[Malformed], &[Malformed]), true),
        // Readers that take what they do not know for news find that nothing followed it.
        case(Trouble::WrongJson, (&[Malformed], &[Malformed, Reset]), true),
        case(Trouble::EndlessLine, (&[], &[Malformed]), true),
        // In the place of an answer it is a refusal, and behind its beginning not.
        case(Trouble::Error(0), (&[], &[Server, Overloaded, RateLimited]), false),
        case(Trouble::Error(1), (&[Malformed], &[Server, Overloaded, RateLimited]), true),
        refused(500, &[Server]),
        refused(503, &[Overloaded]),
        refused(429, &[RateLimited]),
        refused(401, &[Auth]),
    ]
}

/// Routes of one target that no breaker protects from trouble, in a project with one place.
async fn room_with(place: Value) -> Room {
    let room = Room::open().await;
    let spec = |timeouts: Value| {
        json!({
            "targets": [{"provider": "main", "model": "a"}],
            "retry": {"attempts": 0},
            "breaker": {"failure_rate": 1.0, "min_attempts": 100_000, "window": "1m", "open_for": "1m", "probes": 1},
            "timeouts": timeouts,
        })
    };
    let hasty = spec(json!({"first": "150ms", "whole": "150ms", "idle": "150ms", "attempt": "600ms"}));
    room.apply(&[("provider", "main", place), ("route", "assistant", spec(json!({}))), ("route", "hasty", hasty)]).await;
    limit(&room, Metric::Concurrent, Amount::Count(1)).await;
    room
}

async fn limit(room: &Room, metric: Metric, amount: Amount) {
    let new = NewLimit { kind: SubjectKind::Project, subject: "*".to_owned(), metric, amount };
    room.gateway.ledger().set_limit(&room.admin(), new).await.unwrap();
}

/// The class a client is told; nothing where it has the error as the provider said it, in the stream.
async fn told(room: &Room, model: &str, stream: bool) -> Option<FaultClass> {
    match room.gateway.call(room.request(&chat(model, stream))).await {
        Err(fault) => Some(fault.class().unwrap_or_else(|| panic!("{fault:?}"))),
        Ok(answered) => drain(answered.body).await.1.and_then(|fault| fault.class()),
    }
}

fn is_paid_as_it_says(record: &CallRecord, paid: bool, what: &str) {
    let usage = record.usage;
    assert_eq!(record.cost, cost(usage.input, usage.output), "{what}");
    assert_eq!(usage.input > 0, paid, "{what}: {record:?}");
    // What nobody told is a guess, and says so.
    let told = usage.input == 12;
    assert!(!paid || told || usage.input_from == Provenance::Estimated, "{what}: {record:?}");
}

#[tokio::test]
async fn every_kind_of_provider_survives_every_trouble() {
    for kind in KINDS {
        let server = upstream(Script::default());
        let mut room = room_with(place(kind, &server)).await;
        for case in cases() {
            for stream in [false, true] {
                let classes = if stream { case.stream } else { case.whole };
                if classes.is_empty() {
                    continue;
                }
                let what = format!("{kind} {:?} status {} stream {stream}", case.behaviour.trouble, case.behaviour.status);
                let before = server.count();
                server.script(Script::always(case.behaviour.clone()));
                let class = told(&room, if case.hasty { "hasty" } else { "assistant" }, stream).await;
                let record = room.settled_once().await;
                assert_eq!(record.status, CallStatus::Failed, "{what}: {record:?}");
                assert!(record.class.is_some_and(|class| classes.contains(&class)), "{what}: {record:?}");
                assert!(class.is_none_or(|class| Some(class) == record.class), "{what}: {class:?} {record:?}");
                assert_eq!((record.attempts, server.count()), (1, before + 1), "{what}");
                is_paid_as_it_says(&record, case.paid, &what);
            }
        }
        // After all of that the project's one place is free, and the next call is answered and paid.
        server.script(Script::default());
        for stream in [false, true] {
            assert_eq!(told(&room, "assistant", stream).await, None, "{kind}");
            let record = room.settled_once().await;
            assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(12, 8)), "{kind} {stream}: {record:?}");
        }
        assert_eq!(room.gateway.ledger().under_way(), 0, "{kind}");
    }
}

#[tokio::test]
async fn a_line_of_ten_megabytes_is_read_in_every_dialect() {
    for kind in ["anthropic", "gemini", "bedrock"] {
        let server = upstream(Script::always(Behaviour::trouble(Trouble::LongLine(10_000_000))));
        let mut room = room_with(place(kind, &server)).await;
        let (text, fault) = room.stream("assistant").await.unwrap();
        assert_eq!((text.len(), fault.is_none()), (10_000_000, true), "{kind}: {fault:?}");
        assert_eq!(room.settled_once().await.cost, cost(12, 8), "{kind}");
    }
}

#[tokio::test]
async fn bytes_that_trickle_into_a_stream_do_not_hold_it_beyond_the_attempts_time() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Trickle(4))));
    let mut room = Room::open().await;
    // Something always comes within `idle`.
    let timeouts = json!({"first": "30s", "idle": "30s", "attempt": "500ms"});
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 0}, "timeouts": timeouts});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert_eq!(fault.and_then(|fault| fault.class()), Some(Timeout));
    assert!(text.contains("word0") && text.ends_with("\n\n"), "an error can follow: {text:?}");
    server.wait_until_hung_up().await;
    let record = room.settled_once().await;
    assert_eq!((record.status, record.class), (CallStatus::Failed, Some(Timeout)));
    assert!(record.usage.output > 0 && record.usage.output_from == Provenance::Estimated, "{record:?}");
}

fn storm(open_for: &str) -> Value {
    json!({
        "targets": [{"provider": "main", "model": "a"}],
        "retry": {"attempts": 0},
        "breaker": {"failure_rate": 0.5, "min_attempts": 10, "window": "10m", "open_for": open_for, "probes": 2},
    })
}

async fn standing(room: &Room) -> Standing {
    room.gateway.health(room.project).await[0].standing
}

#[tokio::test]
async fn a_storm_of_calls_meets_an_open_breaker_then_its_probes_and_then_everyone_again() {
    const CALLS: usize = 64;
    let server = upstream(Script::always(Behaviour::status(503)));
    let mut room = Room::open().await;
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", storm("4s"))]).await;
    let codes = async |room: &Room| -> Vec<Option<&'static str>> {
        let call = async || room.ask("assistant").await.err().map(|fault| fault.code());
        join_all((0..CALLS).map(|_| call())).await
    };
    let first = codes(&room).await;
    assert!(first.iter().all(|code| matches!(code, Some("upstream-overloaded" | "gateway-no-target"))), "{first:?}");
    let asked = server.count();
    assert!(asked >= 10, "{asked}");
    assert!(matches!(standing(&room).await, Standing::Open { .. }));
    let second = codes(&room).await;
    assert!(second.iter().all(|code| *code == Some("gateway-no-target")), "{second:?}");
    assert_eq!(server.count(), asked, "the upstream is left alone");
    for _ in 0..2 * CALLS {
        let record = room.settled().await;
        assert_eq!((record.status, record.cost), (CallStatus::Failed, Money::ZERO));
    }
    // While the probes are under way everyone else is still refused.
    server.script(Script::always(Behaviour { delay: Duration::from_secs(2), ..Behaviour::default() }));
    while matches!(standing(&room).await, Standing::Open { .. }) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let third = codes(&room).await;
    assert_eq!(third.iter().filter(|code| code.is_none()).count(), 2, "{third:?}");
    assert_eq!(server.count(), asked + 2);
    assert_eq!(standing(&room).await, Standing::Closed);
    server.script(Script::default());
    assert!(codes(&room).await.iter().all(Option::is_none));
    let mut costs = Vec::new();
    for _ in 0..2 * CALLS {
        costs.push(room.settled().await.cost);
    }
    assert_eq!(costs.into_iter().sum::<Money>(), cost(12, 8).times(2 + CALLS as u64), "each that was answered, once");
    assert!(room.none_settled());
}

/// One dollar for 64 callers at once, whose calls go wrong in every way: what is recorded, what the budget says is spent
/// and what the records add up to are one number, and it is not above the dollar.
#[tokio::test]
async fn whatever_goes_wrong_a_dollar_stays_a_dollar() {
    const CALLERS: usize = 64;
    const WRITTEN: u64 = 10_000;
    let server = upstream(Script::default());
    let mut room = Room::open().await;
    let spec = json!({
        "targets": [{"provider": "main", "model": "a"}],
        "retry": {"attempts": 1, "backoff": "1ms", "max_backoff": "1ms"},
        "breaker": {"failure_rate": 1.0, "min_attempts": 100_000, "window": "1m", "open_for": "1m", "probes": 1},
        "timeouts": {"idle": "2s"},
    });
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    limit(&room, Metric::UsdPerDay, Amount::Money(Money::from_dollars(1))).await;
    let used = Used { input: 12, output: WRITTEN, cache_read: 0, cache_write: 0, reasoning: 0 };
    let well = || Behaviour { usage: Some(used), ..Behaviour::default() };
    let bad = |trouble| Behaviour { trouble: Some(trouble), ..well() };
    let mixed = || {
        let all = [
            well(),
            bad(Trouble::Reset(When::After(3))),
            well(),
            Behaviour::status(500),
            well(),
            bad(Trouble::Malformed(2)),
            bad(Trouble::End(4)),
            bad(Trouble::WrongJson),
        ];
        (0..CALLERS).fold(Script::always(well()), |script, at| script.then(all[at % all.len()].clone()))
    };
    let (mut records, mut refused) = (Vec::new(), 0);
    loop {
        server.script(mixed());
        let call = async |at: usize| {
            let mut body = chat("assistant", at % 2 == 0);
            body["max_tokens"] = json!(WRITTEN);
            match room.gateway.call(room.request(&body)).await {
                // Some go away as soon as it begins.
                Ok(answered) if at % 7 == 3 => drop(answered.body),
                Ok(answered) => drop(drain(answered.body).await),
                Err(fault) => return fault.code() == "budget-spent",
            }
            false
        };
        let mut calls: FuturesUnordered<_> = (0..CALLERS).map(|at| call(at)).collect();
        let mut let_in = CALLERS;
        while let Some(was_refused) = calls.next().await {
            let_in -= usize::from(was_refused);
        }
        drop(calls);
        refused += CALLERS - let_in;
        for _ in 0..let_in {
            records.push(room.settled().await);
        }
        assert!(room.none_settled(), "nobody is settled twice");
        if let_in == 0 {
            break;
        }
    }
    assert!(refused > CALLERS, "more wanted it than had it");
    let ids: BTreeSet<_> = records.iter().map(|record| record.id).collect();
    assert_eq!(ids.len(), records.len());
    let sum: Money = records.iter().map(|record| record.cost).sum();
    assert!(sum <= Money::from_dollars(1), "{sum}");
    assert!(sum + cost(300, WRITTEN) > Money::from_dollars(1), "and less than one call may cost is left: {sum}");
    let ledger = room.gateway.ledger();
    ledger.flush().await.unwrap();
    let limits = ledger.limits(&room.admin(), &PageRequest::first(10)).await.unwrap();
    assert_eq!(limits.items[0].spent, Some(sum));
}

#[tokio::test]
async fn a_clock_that_jumps_back_and_forth_loses_no_call_and_locks_nobody_out() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let server = upstream(Script::default());
    let mut room = room_with(provider(&server)).await;
    limit(&room, Metric::RequestsPerMinute, Amount::Count(1_000)).await;
    limit(&room, Metric::UsdPerMonth, Amount::Money(Money::from_dollars(1))).await;
    let mut ids = BTreeSet::new();
    for (back, by) in [(true, HOUR), (false, HOUR * 2), (true, HOUR * 24 * 40), (false, HOUR * 24 * 400), (true, HOUR * 24 * 365)]
    {
        if back {
            room.clock.set_back(by);
        } else {
            room.clock.advance(by);
        }
        for stream in [false, true] {
            assert_eq!(told(&room, "assistant", stream).await, None, "{back} {by:?}");
            let record = room.settled_once().await;
            assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(12, 8)), "{back} {by:?}");
            assert!(record.took_ms < 60_000, "{record:?}");
            ids.insert(record.id);
        }
    }
    assert_eq!((ids.len(), server.count()), (10, 10));
    // And while a call is under way.
    server.script(Script::always(Behaviour { delay: Duration::from_millis(100), ..Behaviour::default() }));
    let clock = room.clock.clone();
    let jump = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        clock.set_back(HOUR * 24 * 30);
    };
    let (answered, ()) = tokio::join!(room.ask("assistant"), jump);
    answered.unwrap();
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(12, 8)));
    assert!(record.took_ms >= 100 && record.took_ms < 60_000, "{}", record.took_ms);
    let ledger = room.gateway.ledger();
    ledger.flush().await.unwrap();
    assert_eq!((ledger.under_way(), ledger.waiting()), (0, 0));
}
