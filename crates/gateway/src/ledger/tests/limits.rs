//! Requests and tokens a minute, calls at once.

use mainspring_catalog::Catalog;
use mainspring_kernel::{Clock as _, Fault as _, FaultKind};
use mainspring_testservers::on_every_engine;

use super::{Room, all_calls, call, caller, intent, limit, money, of_user, outcome, refused, seconds, set};
use crate::ledger::{Intent, Metric, SubjectKind};

on_every_engine!(Catalog: [
    requests_are_refused_with_the_exact_time_to_come_back,
    tokens_are_set_aside_and_what_is_not_used_comes_back,
    tokens_are_counted_as_they_are_thought_to_be_and_dollars_as_they_can_be,
    calls_at_once_are_counted,
    a_limit_for_each_holds_for_each_alone_and_a_named_one_instead,
    a_route_is_one_model_however_it_is_called,
    what_is_refused_takes_nothing,
    of_several_limits_in_the_way_the_longest_is_told,
    limits_by_the_minute_go_on_after_a_restart,
    a_clock_that_jumps_neither_opens_nor_locks_anything,
]);

async fn requests_are_refused_with_the_exact_time_to_come_back(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Key, "*", Metric::RequestsPerMinute, "6").await;
    for number in 0..6 {
        let permit = ledger.admit(&caller(), &intent(&room.clock, 10, 10)).unwrap();
        let told = permit.headers();
        assert_eq!(told["x-ratelimit-limit-requests"], "6");
        assert_eq!(told["x-ratelimit-remaining-requests"], (5 - number).to_string().as_str());
    }
    let fault = ledger.admit(&caller(), &intent(&room.clock, 10, 10)).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Saturated, "limit-requests"));
    assert_eq!(fault.retry_after(), Some(seconds(10)));
    assert_eq!(fault.headers().unwrap()["x-ratelimit-remaining-requests"], "0");
    assert!(fault.to_string().contains("may make 6 requests a minute"), "{fault}");
    room.clock.advance(seconds(10) - std::time::Duration::from_micros(1));
    assert!(ledger.admit(&caller(), &intent(&room.clock, 10, 10)).is_err(), "a microsecond early");
    room.clock.advance(std::time::Duration::from_micros(1));
    ledger.admit(&caller(), &intent(&room.clock, 10, 10)).unwrap();
}

async fn tokens_are_set_aside_and_what_is_not_used_comes_back(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::TokensPerMinute, "10000").await;
    let first = intent(&room.clock, 6_000, 2_000);
    let permit = ledger.admit(&caller(), &first).unwrap();
    assert_eq!(permit.headers()["x-ratelimit-remaining-tokens"], "2000");
    let fault = ledger.admit(&caller(), &intent(&room.clock, 2_000, 1_000)).unwrap_err();
    assert_eq!((fault.code(), fault.retry_after()), ("limit-tokens", Some(seconds(6))));
    permit.settle(outcome(&ledger, &first, (400, 100)));
    let second = ledger.admit(&caller(), &intent(&room.clock, 2_000, 1_000)).unwrap();
    assert_eq!(second.headers()["x-ratelimit-remaining-tokens"], "6500");
    // More than was set aside is owed.
    second.settle(outcome(&ledger, &first, (20_000, 0)));
    let refusal = refused(ledger.admit(&caller(), &intent(&room.clock, 10, 0)));
    assert!(refusal.retry_after > seconds(60), "{:?}", refusal.retry_after);
    room.clock.advance(seconds(180));
    // Larger than the limit: it needs a full bucket, and is owed then.
    let large = intent(&room.clock, 50_000, 0);
    let permit = ledger.admit(&caller(), &large).unwrap();
    permit.settle(outcome(&ledger, &large, (1_000, 0)));
    ledger.admit(&caller(), &intent(&room.clock, 8_000, 0)).unwrap();
}

/// A quarter of the bytes of a text are about its tokens; its bytes are what they can be at most.
async fn tokens_are_counted_as_they_are_thought_to_be_and_dollars_as_they_can_be(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::TokensPerMinute, "10000").await;
    let intent = Intent { input_tokens_about: 2_000, ..intent(&room.clock, 8_000, 1_000) };
    let permit = ledger.admit(&caller(), &intent).unwrap();
    assert_eq!(permit.headers()["x-ratelimit-remaining-tokens"], "7000");
    let set_aside = permit.set_aside();
    assert!(set_aside >= money("0.0018"), "8,000 tokens read and 1,000 written: {set_aside}");
    // Nobody says what became of it.
    drop(permit);
    ledger.flush().await.unwrap();
    let calls = all_calls(&ledger, &room).await;
    assert_eq!((calls[0].usage.input, calls[0].usage.output, calls[0].cost), (2_000, 1_000, set_aside));
}

async fn calls_at_once_are_counted(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Principal, "*", Metric::Concurrent, "2").await;
    let first = ledger.admit(&caller(), &intent(&room.clock, 10, 10)).unwrap();
    let _second = ledger.admit(&caller(), &intent(&room.clock, 10, 10)).unwrap();
    let fault = ledger.admit(&caller(), &intent(&room.clock, 10, 10)).unwrap_err();
    assert_eq!((fault.code(), fault.retry_after()), ("limit-concurrent", Some(seconds(1))));
    drop(first);
    ledger.admit(&caller(), &intent(&room.clock, 10, 10)).unwrap();
}

async fn a_limit_for_each_holds_for_each_alone_and_a_named_one_instead(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::User, "*", Metric::RequestsPerMinute, "1").await;
    set(&ledger, &room, SubjectKind::User, "ann", Metric::RequestsPerMinute, "3").await;
    let came_through = |user: &str| (0..5).filter(|_| call(&ledger, &room.clock, &of_user(user), (1, 1)).is_ok()).count();
    assert_eq!((came_through("ann"), came_through("bob"), came_through("eve")), (3, 1, 1));
    let nobody = crate::record::Caller { user: None, ..caller() };
    let unnamed = (0..5).filter(|_| call(&ledger, &room.clock, &nobody, (1, 1)).is_ok()).count();
    assert_eq!(unnamed, 1, "whoever names no user is one user");
}

async fn a_route_is_one_model_however_it_is_called(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Model, "smart", Metric::RequestsPerMinute, "2").await;
    let by = |name: &str, route: Option<&str>| {
        let mut intent = intent(&room.clock, 1, 1);
        intent.model = name.to_owned();
        intent.route = route.map(str::to_owned);
        ledger.admit(&caller(), &intent).is_ok()
    };
    assert!(by("smart", Some("smart")) && by("gpt-4o", Some("smart")));
    assert!(!by("claude-3", Some("smart")));
    assert!(by("gpt-4o", None));
}

async fn what_is_refused_takes_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::RequestsPerMinute, "100").await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::TokensPerMinute, "1000").await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::Concurrent, "1").await;
    let permit = ledger.admit(&caller(), &intent(&room.clock, 500, 0)).unwrap();
    for _ in 0..50 {
        assert!(ledger.admit(&caller(), &intent(&room.clock, 400, 0)).is_err());
    }
    drop(permit);
    let told = ledger.admit(&caller(), &intent(&room.clock, 100, 0)).unwrap().headers();
    assert_eq!(told["x-ratelimit-remaining-requests"], "98");
    assert_eq!((ledger.under_way(), ledger.waiting()), (0, 2), "nothing was written of what was refused");
}

/// Whichever of them is looked at first.
async fn of_several_limits_in_the_way_the_longest_is_told(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::RequestsPerMinute, "6").await;
    set(&ledger, &room, SubjectKind::User, "*", Metric::TokensPerMinute, "1000").await;
    let six_calls = |last: u64| {
        for _ in 0..5 {
            call(&ledger, &room.clock, &caller(), (1, 0)).unwrap();
        }
        let intent = intent(&room.clock, 1, 0);
        ledger.admit(&caller(), &intent).unwrap().settle(outcome(&ledger, &intent, (last, 0)));
    };
    // Requests come back in ten seconds, tokens in half a minute.
    six_calls(1_495);
    let refusal = refused(ledger.admit(&caller(), &intent(&room.clock, 1, 0)));
    assert_eq!(refusal.metric, Metric::TokensPerMinute);
    assert!(refusal.retry_after > seconds(30) && refusal.retry_after < seconds(31), "{:?}", refusal.retry_after);
    room.clock.advance(seconds(180));
    // Tokens come back within a second.
    six_calls(985);
    let small = intent(&room.clock, 20, 0);
    let refusal = refused(ledger.admit(&caller(), &small));
    assert_eq!((refusal.metric, refusal.retry_after), (Metric::RequestsPerMinute, seconds(10)));
    // A budget is there again tomorrow.
    set(&ledger, &room, SubjectKind::Key, "*", Metric::UsdPerDay, "0.0099").await;
    let refusal = refused(ledger.admit(&caller(), &intent(&room.clock, 20, 16_000)));
    assert_eq!(refusal.metric, Metric::UsdPerDay);
    assert!(refusal.retry_after > seconds(3_600), "{:?}", refusal.retry_after);
    // And what waiting does not help is told whatever else is in the way.
    set(&ledger, &room, SubjectKind::Key, "*", Metric::UsdPerDay, "0.0000001").await;
    let fault = ledger.admit(&caller(), &small).unwrap_err();
    assert_eq!((fault.code(), fault.retry_after()), ("budget-too-small", None));
}

async fn limits_by_the_minute_go_on_after_a_restart(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Key, "*", Metric::RequestsPerMinute, "10").await;
    set(&ledger, &room, SubjectKind::Key, "*", Metric::TokensPerMinute, "10000").await;
    for _ in 0..3 {
        call(&ledger, &room.clock, &caller(), (500, 0)).unwrap();
    }
    ledger.flush().await.unwrap();
    for _ in 0..3 {
        call(&ledger, &room.clock, &caller(), (500, 0)).unwrap();
    }
    // One is under way when the process dies.
    std::mem::forget(ledger.admit(&caller(), &intent(&room.clock, 500, 0)).unwrap());
    room.clock.advance(seconds(6));
    let again = room.ledger().await;
    let told = again.admit(&caller(), &intent(&room.clock, 500, 0)).unwrap().headers();
    // Seven were made, one of them is refilled by now, and this is one.
    assert_eq!(told["x-ratelimit-remaining-requests"], "3");
    assert_eq!(told["x-ratelimit-remaining-tokens"], "7000");
}

async fn a_clock_that_jumps_neither_opens_nor_locks_anything(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let set_to = limit(SubjectKind::Key, "*", Metric::RequestsPerMinute, "2");
    ledger.set_limit(&room.admin, set_to).await.unwrap();
    let later = Room { clock: mainspring_kernel::FrozenClock::at(room.clock.now().plus(seconds(7_200))), ..room.clone() };
    let late = later.ledger().await;
    for _ in 0..2 {
        call(&late, &later.clock, &caller(), (1, 1)).unwrap();
    }
    // A process that starts with its clock two hours behind does not count what seems to come from the future.
    let early = room.ledger().await;
    call(&early, &room.clock, &caller(), (1, 1)).unwrap();
    assert!(call(&early, &room.clock, &caller(), (1, 1)).is_ok());
    assert!(call(&early, &room.clock, &caller(), (1, 1)).is_err());
}
