//! Reading calls and sums back, and pricing them anew.

use mainspring_catalog::Catalog;
use mainspring_kernel::{Clock as _, Fault as _, Money, PageRequest, Role, Timestamp};
use mainspring_llm::TokenUsage;
use mainspring_providers::Operation;
use mainspring_testservers::on_every_engine;

use super::{Room, all_calls, call, caller, intent, money, of_user, outcome, seconds, sums};
use crate::{
    ledger::{CallFilter, Candidate, Intent, Ledger, Repriced, Repricing, UsageBy, UsageFilter, UsageQuestion, batch::ended_at},
    record::{AttemptCharge, CallRecord, CallStatus},
};

on_every_engine!(Catalog: [
    calls_are_listed_by_when_they_ended_and_none_twice,
    a_filter_that_few_pass_gives_what_passes,
    usage_is_counted_by_whatever_is_asked,
    usage_keeps_to_its_stretch_and_its_filter,
    another_model_would_have_cost_this,
    other_prices_would_have_cost_this,
    only_some_calls_are_priced_anew,
    what_is_priced_anew_is_counted_by_whatever_is_asked,
    calls_past_their_time_go_and_sums_stay,
    small_segments_become_one_and_nothing_is_lost,
    nobody_reads_what_is_not_theirs,
    all_projects_are_added_up,
]);

/// Calls that overlap, in several segments and hours.
async fn many(ledger: &Ledger, room: &Room) -> Vec<CallRecord> {
    let mut made = Vec::new();
    for number in 0..60_u32 {
        let intent = intent(&room.clock, 100, 100);
        let permit = ledger.admit(&of_user(&format!("user-{}", number % 7)), &intent).unwrap();
        let mut record = outcome(ledger, &intent, (u64::from(number), 1));
        record.caller = of_user(&format!("user-{}", number % 7));
        record.took_ms = number * 7_919 % 400_000;
        record.status = if number % 10 == 9 { CallStatus::Failed } else { CallStatus::Ok };
        made.push(record.clone());
        permit.settle(record);
        room.clock.advance(seconds(150));
        if number % 4 == 3 {
            ledger.flush().await.unwrap();
        }
    }
    ledger.flush().await.unwrap();
    made.sort_by_key(|record| std::cmp::Reverse((ended_at(record), record.id)));
    made
}

async fn calls_are_listed_by_when_they_ended_and_none_twice(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let made = many(&ledger, &room).await;
    for limit in [1, 7, 59, 60, 61] {
        let (mut found, mut page) = (Vec::new(), PageRequest::first(limit));
        loop {
            let listed = ledger.calls(&room.admin, &CallFilter::default(), &page).await.unwrap();
            assert!(listed.items.len() <= limit);
            found.extend(listed.items);
            let Some(next) = listed.next else { break };
            page = PageRequest::new(Some(limit), Some(next)).unwrap();
        }
        assert_eq!(found, made, "in pages of {limit}");
    }
    let broken = PageRequest::new(Some(5), Some("nonsense".to_owned())).unwrap();
    assert_eq!(ledger.calls(&room.admin, &CallFilter::default(), &broken).await.unwrap_err().code(), "usage-bad-page");
}

async fn a_filter_that_few_pass_gives_what_passes(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let made = many(&ledger, &room).await;
    let (from, to) = (ended_at(&made[40]), ended_at(&made[10]));
    let checks: [(CallFilter, &dyn Fn(&CallRecord) -> bool); 5] = [
        (CallFilter { status: Some(CallStatus::Failed), ..CallFilter::default() }, &|record| record.status == CallStatus::Failed),
        (CallFilter { user: Some("user-3".to_owned()), ..CallFilter::default() }, &|record| {
            record.caller.user.as_deref() == Some("user-3")
        }),
        (CallFilter { since: Some(from), until: Some(to), ..CallFilter::default() }, &|record| {
            (from..to).contains(&ended_at(record))
        }),
        (CallFilter { provider: Some("nobody".to_owned()), ..CallFilter::default() }, &|_| false),
        (CallFilter { model: Some("gpt-4o-mini".to_owned()), key: caller().key, ..CallFilter::default() }, &|_| true),
    ];
    for (filter, passes) in checks {
        let found = ledger.calls(&room.admin, &filter, &PageRequest::first(100)).await.unwrap();
        let expected: Vec<CallRecord> = made.iter().filter(|record| passes(record)).cloned().collect();
        assert_eq!(found.items, expected, "{filter:?}");
        assert!(found.next.is_none());
    }
}

async fn usage_is_counted_by_whatever_is_asked(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let made = many(&ledger, &room).await;
    let cost: Money = made.iter().map(|record| record.cost).sum();
    for (by, rows) in [
        (UsageBy::Project, 1),
        (UsageBy::Key, 1),
        (UsageBy::Principal, 1),
        (UsageBy::User, 7),
        (UsageBy::App, 1),
        (UsageBy::Route, 1),
        (UsageBy::Model, 1),
        (UsageBy::Provider, 1),
        (UsageBy::Target, 1),
        (UsageBy::Day, 1),
        (UsageBy::Hour, 3),
    ] {
        let report = sums(&ledger, &room, by).await;
        assert_eq!(report.rows.len(), rows, "by {}", by.as_str());
        assert_eq!((report.total.calls, report.total.failed, report.total.cost), (60, 6, cost), "by {}", by.as_str());
        assert_eq!(report.rows.iter().map(|row| row.cost).sum::<Money>(), cost);
        assert_eq!(report.rows.iter().map(|row| row.calls).sum::<u64>(), 60);
        assert_eq!(by.as_str().parse::<UsageBy>().unwrap(), by);
    }
    let named = |report: &crate::ledger::UsageReport| report.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(named(&sums(&ledger, &room, UsageBy::Target).await), ["openai/gpt-4o-mini"]);
    assert_eq!(named(&sums(&ledger, &room, UsageBy::Day).await), ["2025-11-26"]);
    let hours = ["2025-11-26T04:00:00.000000Z", "2025-11-26T05:00:00.000000Z", "2025-11-26T06:00:00.000000Z"];
    assert_eq!(named(&sums(&ledger, &room, UsageBy::Hour).await), hours);
    let users = sums(&ledger, &room, UsageBy::User).await.rows;
    assert!(users.is_sorted_by(|a, b| a.cost >= b.cost), "the dearest first");
    assert_eq!(
        "modle".parse::<UsageBy>().unwrap_err().to_string(),
        "the question cannot be answered: usage is not counted by `modle`: did you mean `model`?"
    );
}

async fn usage_keeps_to_its_stretch_and_its_filter(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    many(&ledger, &room).await;
    let ask = async |since: &str, until: &str, filter: UsageFilter| {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let question = UsageQuestion { by: UsageBy::User, since: at(since), until: at(until), filter };
        ledger.usage(&room.admin, &question).await
    };
    let all = || UsageFilter::default();
    // From ten past four, every two and a half minutes: twenty calls in the first hour, twenty-four in the next.
    let first = ask("2025-11-26T04:30:00Z", "2025-11-26T04:31:00Z", all()).await.unwrap();
    assert_eq!((first.total.calls, first.since.to_string().as_str()), (20, "2025-11-26T04:00:00.000000Z"));
    assert_eq!(ask("2025-11-26T05:00:00Z", "2025-11-26T06:00:00Z", all()).await.unwrap().total.calls, 24);
    assert_eq!(ask("2025-11-26T05:00:00Z", "2025-11-26T06:00:00.000001Z", all()).await.unwrap().total.calls, 40);
    let of_one = UsageFilter { user: Some("user-3".to_owned()), ..all() };
    let report = ask("2025-11-01T00:00:00Z", "2025-12-01T00:00:00Z", of_one).await.unwrap();
    assert_eq!((report.rows.len(), report.total.calls), (1, 9));
    let fault = ask("2025-11-26T05:00:00Z", "2025-11-26T05:00:00Z", all()).await.unwrap_err();
    assert_eq!(fault.code(), "usage-bad-question");
}

async fn another_model_would_have_cost_this(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    for _ in 0..10 {
        call(&ledger, &room.clock, &caller(), (100_000, 10_000)).unwrap();
    }
    let mut unknown = intent(&room.clock, 1_000, 1_000);
    unknown.candidates =
        vec![Candidate::from(("ours".parse().unwrap(), mainspring_providers::ProviderKind::OpenAi, "our-model".to_owned()))];
    let permit = ledger.admit(&caller(), &unknown).unwrap();
    let record = CallRecord {
        provider: Some("ours".to_owned()),
        target: Some("our-model".to_owned()),
        ..outcome(&ledger, &unknown, (1_000, 1_000))
    };
    permit.settle(record);
    let cached = intent(&room.clock, 1_000, 1_000);
    ledger.admit(&caller(), &cached).unwrap().settle(CallRecord {
        cached: true,
        cost: Money::ZERO,
        price: None,
        ..outcome(&ledger, &cached, (5, 5))
    });
    ledger.flush().await.unwrap();
    let stretch = (room.clock.now().minus(seconds(60)), room.clock.now().plus(seconds(60)));
    let other = ledger.reprice(&room.admin, &Repricing::As("gpt-4o".to_owned()), &anew(all(), stretch)).await.unwrap();
    assert_eq!((other.total.calls, other.total.cost), (12, money("0.21")));
    // Ten times 0.25 + 0.10, and once 0.0025 + 0.01; what came from the cache cost nothing.
    assert_eq!(other.total.repriced, money("3.5125"));
    assert_eq!((other.total.unpriced, other.total.still_unpriced), (1, 0));
    let names: Vec<&str> = other.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["openai/gpt-4o-mini", "ours/our-model"]);
    let qualified =
        ledger.reprice(&room.admin, &Repricing::As("groq/openai/gpt-oss-120b".to_owned()), &anew(all(), stretch)).await.unwrap();
    assert_eq!(qualified.total.repriced, money("0.21075"));
    let fault = ledger.reprice(&room.admin, &Repricing::As("gpt-99".to_owned()), &anew(all(), stretch)).await.unwrap_err();
    assert_eq!(fault.code(), "prices-unknown-model");
}

/// By the same names as the sums have.
async fn what_is_priced_anew_is_counted_by_whatever_is_asked(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    many(&ledger, &room).await;
    ledger.flush().await.unwrap();
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let stretch = (at("2025-11-26T00:00:00Z"), at("2025-11-27T00:00:00Z"));
    for by in UsageBy::ALL {
        let question = UsageQuestion { by, ..anew(all(), stretch) };
        let sums = ledger.usage_of_all(&room.admin, &question).await.unwrap();
        let repriced = ledger.reprice(&room.admin, &Repricing::As("gpt-4o".to_owned()), &question).await.unwrap();
        let mut expected: Vec<_> = sums.rows.into_iter().map(|row| (row.name, row.calls, row.input, row.cost)).collect();
        expected.sort();
        let found: Vec<_> = repriced.rows.into_iter().map(|row| (row.name, row.calls, row.input, row.cost)).collect();
        assert_eq!(found, expected, "{}", by.as_str());
        assert_eq!((repriced.total.calls, repriced.cut), (60, false));
    }
}

/// By where the calls went.
fn anew(filter: UsageFilter, (since, until): (Timestamp, Timestamp)) -> UsageQuestion {
    UsageQuestion { by: UsageBy::Target, since, until, filter }
}

/// Every call there is.
fn all() -> UsageFilter {
    UsageFilter::default()
}

async fn only_some_calls_are_priced_anew(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    for user in ["ann", "ann", "bob"] {
        call(&ledger, &room.clock, &of_user(user), (100_000, 10_000)).unwrap();
    }
    let settle = |operation: Operation, record: fn(CallRecord) -> CallRecord| {
        let intent = Intent { operation, ..intent(&room.clock, 100_000, 10_000) };
        let settled = CallRecord { operation: operation.as_str().to_owned(), ..outcome(&ledger, &intent, (100_000, 0)) };
        ledger.admit(&of_user("ann"), &intent).unwrap().settle(record(settled));
    };
    settle(Operation::Embeddings, |record| record);
    settle(Operation::Rerank, |record| CallRecord { provider: Some("cohere".to_owned()), ..record });
    settle(Operation::Completions, |record| CallRecord { model: "raw".to_owned(), ..record });
    // One that failed at a provider before another answered.
    settle(Operation::Chat, |record| {
        let usage = TokenUsage { input: 50_000, ..TokenUsage::default() };
        let charge = |provider: &str| AttemptCharge {
            provider: provider.to_owned(),
            target: "m".to_owned(),
            usage,
            cost: money("0.0075"),
            price: record.price.clone(),
        };
        let charges = vec![charge("first"), charge("second")];
        CallRecord { charges, provider: Some("second".to_owned()), target: Some("m".to_owned()), ..record }
    });
    ledger.flush().await.unwrap();
    let stretch = (room.clock.now().minus(seconds(60)), room.clock.now().plus(seconds(60)));
    let other = async |filter: UsageFilter| {
        let asked = Repricing::As("gpt-4o".to_owned());
        let repriced = ledger.reprice(&room.admin, &asked, &anew(filter, stretch)).await.unwrap();
        let Repriced { total, apart, .. } = repriced;
        (total.calls, total.cost, total.repriced, (apart.calls, apart.cost))
    };
    let some = |text: &str| Some(text.to_owned());
    // 0.021 then and 0.35 otherwise for each of three; 0.015 and 0.25 for each of the two that only read.
    let none = (0, Money::ZERO);
    assert_eq!(other(all()).await, (5, money("0.093"), money("1.55"), (2, money("0.03"))));
    assert_eq!(other(UsageFilter { user: some("bob"), ..all() }).await, (1, money("0.021"), money("0.35"), none));
    assert_eq!(other(UsageFilter { user: some("eve"), ..all() }).await, (0, Money::ZERO, Money::ZERO, none));
    assert_eq!(other(UsageFilter { app: some("desk"), ..all() }).await, (0, Money::ZERO, Money::ZERO, none));
    let key = caller().key.map(|key| key.to_string());
    assert_eq!(other(UsageFilter { key, ..all() }).await.0, 5);
    assert_eq!(other(UsageFilter { key: some(""), ..all() }).await.0, 0, "all of them have one");
    assert_eq!(other(UsageFilter { model: some("gpt-4o-mini"), ..all() }).await.0, 5, "as it was admitted");
    // What was wasted at the first was no call there.
    assert_eq!(other(UsageFilter { provider: some("first"), ..all() }).await, (0, money("0.0075"), money("0.125"), none));
    assert_eq!(other(UsageFilter { provider: some("second"), ..all() }).await, (1, money("0.0075"), money("0.125"), none));
    assert_eq!(
        other(UsageFilter { provider: some("cohere"), ..all() }).await,
        (0, Money::ZERO, Money::ZERO, (1, money("0.015")))
    );
    // Other prices hold for every call.
    let same = ledger.reprice(&room.admin, &Repricing::Prices("dearer".parse().unwrap()), &anew(all(), stretch)).await;
    assert!(same.is_err(), "there is no such table yet");
    room.apply("apiVersion: mainspring/v1\nkind: prices\nname: dearer\nspec: {models: [{model: '*', input: 1.50, output: 6}]}")
        .await;
    let dearer = Repricing::Prices("dearer".parse().unwrap());
    let repriced = ledger.reprice(&room.admin, &dearer, &anew(all(), stretch)).await.unwrap();
    assert_eq!((repriced.total.calls, repriced.total.cost, repriced.apart.calls), (7, money("0.123"), 0));
    assert_eq!(repriced.total.repriced, money("1.23"));
}

async fn other_prices_would_have_cost_this(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    room.apply(
        "apiVersion: mainspring/v1\nkind: prices\nname: dearer\nspec: {models: [{model: 'gpt-4o-*', input: 1.50, output: 6}]}",
    )
    .await;
    for _ in 0..10 {
        call(&ledger, &room.clock, &caller(), (100_000, 10_000)).unwrap();
    }
    ledger.flush().await.unwrap();
    let stretch = (room.clock.now().minus(seconds(60)), room.clock.now().plus(seconds(60)));
    let dearer = ledger.reprice(&room.admin, &Repricing::Prices("dearer".parse().unwrap()), &anew(all(), stretch)).await.unwrap();
    assert_eq!((dearer.total.cost, dearer.total.repriced), (money("0.21"), money("2.10")));
    // A table of another name is in force nowhere.
    ledger.refresh().await.unwrap();
    let before = sums(&ledger, &room, UsageBy::Project).await.total.cost;
    call(&ledger, &room.clock, &caller(), (100_000, 10_000)).unwrap();
    ledger.flush().await.unwrap();
    assert_eq!(sums(&ledger, &room, UsageBy::Project).await.total.cost, before + money("0.021"));
    let fault =
        ledger.reprice(&room.admin, &Repricing::Prices("none".parse().unwrap()), &anew(all(), stretch)).await.unwrap_err();
    assert_eq!(fault.code(), "registry-not-found");
    let early = (stretch.0.minus(seconds(600)), stretch.0);
    let nothing = ledger.reprice(&room.admin, &Repricing::As("gpt-4o".to_owned()), &anew(all(), early)).await.unwrap();
    assert_eq!((nothing.total.calls, nothing.rows.len()), (0, 0));
}

async fn calls_past_their_time_go_and_sums_stay(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    ledger.flush().await.unwrap();
    room.clock.advance(seconds(89 * 86_400));
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    ledger.flush().await.unwrap();
    ledger.tidy().await.unwrap();
    assert_eq!(all_calls(&ledger, &room).await.len(), 2);
    room.clock.advance(seconds(2 * 86_400));
    ledger.tidy().await.unwrap();
    assert_eq!(all_calls(&ledger, &room).await.len(), 1);
    assert_eq!(sums(&ledger, &room, UsageBy::Project).await.total.calls, 2);
}

async fn small_segments_become_one_and_nothing_is_lost(catalog: Catalog) {
    const SEGMENTS: &str = "SELECT id FROM call_segment ORDER BY id LIMIT 1000";
    let room = Room::over(catalog.clone()).await;
    let ledger = room.ledger().await;
    let made = many(&ledger, &room).await;
    let count = async || catalog.query(SEGMENTS, Vec::new()).await.unwrap().len();
    let before = count().await;
    assert!(before >= 15, "{before}");
    ledger.tidy().await.unwrap();
    assert!(count().await < before, "hours that are past may be packed");
    room.clock.advance(seconds(10 * 3_600));
    ledger.tidy().await.unwrap();
    assert_eq!(count().await, 3, "one for each hour");
    assert_eq!(all_calls(&ledger, &room).await, made);
    assert_eq!(sums(&ledger, &room, UsageBy::Project).await.total.calls, 60);
    ledger.tidy().await.unwrap();
    assert_eq!(count().await, 3);
}

async fn nobody_reads_what_is_not_theirs(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    ledger.flush().await.unwrap();
    let stretch = (room.clock.now().minus(seconds(60)), room.clock.now().plus(seconds(60)));
    let question = UsageQuestion { by: UsageBy::User, since: stretch.0, until: stretch.1, filter: UsageFilter::default() };
    for (actor, calls) in [(room.with_role(Role::Reader), 1), (room.stranger.clone(), 0)] {
        assert_eq!(ledger.calls(&actor, &CallFilter::default(), &PageRequest::first(5)).await.unwrap().items.len(), calls);
        assert_eq!(ledger.usage(&actor, &question).await.unwrap().total.calls, calls as u64);
        let repriced = ledger.reprice(&actor, &Repricing::As("gpt-4o".to_owned()), &anew(all(), stretch)).await.unwrap();
        assert_eq!(repriced.total.calls, calls as u64);
    }
    assert_eq!(ledger.usage_of_all(&room.with_role(Role::Editor), &question).await.unwrap_err().code(), "limit-forbidden");
}

async fn all_projects_are_added_up(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let theirs = crate::Caller { project: room.stranger.project, ..caller() };
    for whose in [caller(), caller(), theirs] {
        let intent = intent(&room.clock, 100_000, 10_000);
        let permit = ledger.admit(&whose, &intent).unwrap();
        let record = CallRecord { caller: whose, ..outcome(&ledger, &intent, (100_000, 10_000)) };
        permit.settle(record);
    }
    ledger.flush().await.unwrap();
    let ask = async |by: UsageBy| {
        let (since, until) = (room.clock.now().minus(seconds(60)), room.clock.now().plus(seconds(60)));
        let question = UsageQuestion { by, since, until, filter: UsageFilter::default() };
        ledger.usage_of_all(&room.admin, &question).await.unwrap()
    };
    let projects = ask(UsageBy::Project).await;
    assert_eq!((projects.total.name.as_str(), projects.total.calls, projects.total.cost), ("", 3, money("0.063")));
    let rows: Vec<_> = projects.rows.iter().map(|row| (row.name.clone(), row.calls)).collect();
    assert_eq!(rows, [(room.admin.project.to_string(), 2), (room.stranger.project.to_string(), 1)], "the dearest first");
    let models = ask(UsageBy::Model).await;
    assert_eq!((models.rows.len(), models.rows[0].calls), (1, 3));
    // Whoever's calls they are, at the prices of whoever asks.
    room.apply("apiVersion: mainspring/v1\nkind: prices\nname: dearer\nspec: {models: [{model: '*', input: 1.50, output: 6}]}")
        .await;
    let (whose, dearer) = ([room.admin.project, room.stranger.project], Repricing::Prices("dearer".parse().unwrap()));
    let stretch = (room.clock.now().minus(seconds(60)), room.clock.now().plus(seconds(60)));
    let question = UsageQuestion { by: UsageBy::Project, ..anew(all(), stretch) };
    let repriced = ledger.reprice_all(&room.admin, &whose, (&dearer, &question)).await.unwrap();
    assert_eq!((repriced.total.calls, repriced.total.cost, repriced.total.repriced), (3, money("0.063"), money("0.63")));
    let rows: std::collections::BTreeMap<_, _> = repriced.rows.iter().map(|row| (row.name.clone(), row.repriced)).collect();
    let [own, other] = whose.map(|project| rows[&project.to_string()]);
    assert_eq!((rows.len(), own, other), (2, money("0.42"), money("0.21")));
    let fault = ledger.reprice_all(&room.with_role(Role::Editor), &whose, (&dearer, &question)).await.unwrap_err();
    assert_eq!(fault.code(), "limit-forbidden");
}
