//! Money by the day and by the month, kept by one process.

use std::sync::Arc;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Clock as _, Fault as _, FaultKind, Money};
use mainspring_providers::ProviderKind;
use mainspring_testservers::on_every_engine;
use tokio::task::JoinSet;

use super::{Room, all_calls, call, caller, intent, money, of_user, outcome, refused, seconds, set, sums};
use crate::ledger::{Candidate, Ledger, LedgerFault, Metric, SubjectKind, UsageBy};

on_every_engine!(Catalog: [
    sixty_four_calls_at_once_do_not_exceed_a_dollar,
    a_budget_waits_for_calls_under_way_and_for_its_next_window_otherwise,
    what_was_spent_before_there_was_a_budget_counts,
    a_failed_call_costs_what_it_used,
    a_call_across_midnight_counts_where_it_began,
    calls_that_were_under_way_when_a_budget_was_set_count,
    nothing_without_a_price_goes_against_a_budget,
    the_dearest_target_is_set_aside,
    a_further_attempt_sets_aside_once_more,
    an_amount_beyond_counting_is_refused,
    free_calls_pass_a_spent_budget,
    a_changed_amount_holds_at_once,
    a_call_dearer_than_a_whole_budget_is_refused_for_good,
]);

/// A dollar for calls of at most 6 cents each, which use half of that: 64 at once, again and again.
async fn sixty_four_calls_at_once_do_not_exceed_a_dollar(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "1").await;
    let mut callers = JoinSet::new();
    let gate = Arc::new(tokio::sync::Barrier::new(64));
    for _ in 0..64 {
        let (ledger, room, gate) = (ledger.clone(), room.clone(), Arc::clone(&gate));
        callers.spawn(async move {
            gate.wait().await;
            let mut made = 0;
            loop {
                let intent = intent(&room.clock, 0, 100_000);
                match ledger.admit(&caller(), &intent) {
                    Ok(permit) => {
                        tokio::task::yield_now().await;
                        permit.settle(outcome(&ledger, &intent, (0, 50_000)));
                        made += 1;
                    }
                    // The others hold the rest, and may give some back.
                    Err(LedgerFault::Refused(refusal)) if refusal.retry_after <= seconds(1) => tokio::task::yield_now().await,
                    Err(fault) => {
                        assert_eq!(fault.code(), "budget-spent");
                        return made;
                    }
                }
            }
        });
    }
    let made: u64 = callers.join_all().await.into_iter().sum();
    ledger.flush().await.unwrap();
    let total = sums(&ledger, &room, UsageBy::Project).await.total;
    assert_eq!((total.calls, total.cost), (made, money("0.03").times(made)));
    assert!(total.cost <= money("1.00"), "{} were spent of a dollar", total.cost);
    // The next call could cost six cents; as long as that fits, calls are let through.
    assert!(total.cost > money("0.94"), "{} were spent although more would fit", total.cost);
}

async fn a_budget_waits_for_calls_under_way_and_for_its_next_window_otherwise(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Key, "*", Metric::UsdPerDay, "0.10").await;
    set(&ledger, &room, SubjectKind::Key, "*", Metric::UsdPerMonth, "0.14").await;
    let first = intent(&room.clock, 0, 100_000);
    let permit = ledger.admit(&caller(), &first).unwrap();
    let refusal = refused(ledger.admit(&caller(), &intent(&room.clock, 0, 100_000)));
    assert_eq!((refusal.metric, refusal.retry_after), (Metric::UsdPerDay, seconds(1)), "the call under way may give some back");
    permit.settle(outcome(&ledger, &first, (0, 100_000)));
    let fault = ledger.admit(&caller(), &intent(&room.clock, 0, 100_000)).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Saturated, "budget-spent"));
    // From ten past four to midnight.
    assert_eq!(fault.retry_after(), Some(seconds(19 * 3_600 + 50 * 60)));
    assert!(fault.hint().unwrap().contains("0.06"), "{:?}", fault.hint());
    room.clock.advance(fault.retry_after().unwrap());
    let next_day = intent(&room.clock, 0, 100_000);
    ledger.admit(&caller(), &next_day).unwrap().settle(outcome(&ledger, &next_day, (0, 100_000)));
    let refusal = refused(ledger.admit(&caller(), &intent(&room.clock, 0, 60_000)));
    assert_eq!(refusal.metric, Metric::UsdPerMonth);
    assert_eq!(room.clock.now().plus(refusal.retry_after), mainspring_kernel::Timestamp::parse("2025-12-01T00:00:00Z").unwrap());
    room.clock.advance(refusal.retry_after);
    ledger.admit(&caller(), &intent(&room.clock, 0, 100_000)).unwrap();
}

async fn what_was_spent_before_there_was_a_budget_counts(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    call(&ledger, &room.clock, &of_user("ann"), (0, 100_000)).unwrap();
    ledger.flush().await.unwrap();
    // Not in the catalog yet.
    call(&ledger, &room.clock, &of_user("ann"), (0, 50_000)).unwrap();
    call(&ledger, &room.clock, &of_user("bob"), (0, 10_000)).unwrap();
    let limit = set(&ledger, &room, SubjectKind::User, "*", Metric::UsdPerMonth, "0.10").await;
    assert_eq!((spent_of(&ledger, &room, "ann"), spent_of(&ledger, &room, "bob")), (money("0.09"), money("0.006")));
    let fits = intent(&room.clock, 0, NEARLY_ALL);
    ledger.admit(&of_user("eve"), &fits).unwrap().settle(outcome(&ledger, &fits, (0, 0)));
    // While there is no budget nobody counts; when there is one again, everything counts.
    ledger.remove_limit(&room.admin, limit.id).await.unwrap();
    call(&ledger, &room.clock, &of_user("eve"), (0, 20_000)).unwrap();
    ledger.flush().await.unwrap();
    set(&ledger, &room, SubjectKind::User, "*", Metric::UsdPerMonth, "0.10").await;
    assert_eq!(spent_of(&ledger, &room, "eve"), money("0.012"));
    let again = room.ledger().await;
    assert_eq!((spent_of(&again, &room, "ann"), spent_of(&again, &room, "eve")), (money("0.09"), money("0.012")));
}

/// Tokens written that cost a little less than ten cents.
const NEARLY_ALL: u64 = 160_000;

fn spent_of(ledger: &Ledger, room: &Room, user: &str) -> Money {
    refused(ledger.admit(&of_user(user), &intent(&room.clock, 0, NEARLY_ALL))).taken.unwrap()
}

/// The next window would have no room for it either, so nobody is told to wait.
async fn a_call_dearer_than_a_whole_budget_is_refused_for_good(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::User, "*", Metric::UsdPerDay, "0.10").await;
    let dear = || ledger.admit(&of_user("ann"), &intent(&room.clock, 0, 200_000)).unwrap_err();
    for _ in 0..2 {
        let fault = dear();
        assert_eq!((fault.kind(), fault.code(), fault.retry_after()), (FaultKind::Invalid, "budget-too-small", None));
        assert!(fault.headers().is_none() && fault.hint().unwrap().contains("max_tokens"));
        let LedgerFault::TooDear(told) = fault else { panic!("not too dear: {fault:?}") };
        assert_eq!((told.whom.as_str(), told.allowed.as_str()), ("user `ann`", "0.10"));
        assert!(told.needed >= money("0.12") && told.needed < money("0.1200001"), "{}", told.needed);
        assert!(told.to_string().contains("in a whole day"), "{told}");
        // Nor does it depend on what is spent.
        call(&ledger, &room.clock, &of_user("ann"), (0, 100_000)).unwrap();
        room.clock.advance(seconds(86_400));
    }
    // What is dear for one day fits into a month.
    set(&ledger, &room, SubjectKind::User, "ann", Metric::UsdPerDay, "0.20").await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerMonth, "0.15").await;
    let fault = dear();
    assert_eq!((fault.code(), fault.retry_after().is_some()), ("budget-spent", true), "some of it is spent, and comes back");
}

async fn a_failed_call_costs_what_it_used(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.06001").await;
    for status in [crate::record::CallStatus::Failed, crate::record::CallStatus::Cancelled] {
        let intent = intent(&room.clock, 0, 100_000);
        let permit = ledger.admit(&caller(), &intent).unwrap();
        permit.settle(crate::record::CallRecord { status, ..outcome(&ledger, &intent, (0, 0)) });
    }
    ledger.admit(&caller(), &intent(&room.clock, 0, 100_000)).unwrap();
}

async fn a_call_across_midnight_counts_where_it_began(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.07").await;
    let evening = intent(&room.clock, 0, 100_000);
    let permit = ledger.admit(&caller(), &evening).unwrap();
    room.clock.advance(seconds(20 * 3_600));
    let morning = intent(&room.clock, 0, 100_000);
    let other = ledger.admit(&caller(), &morning).unwrap();
    permit.settle(outcome(&ledger, &evening, (0, 100_000)));
    other.settle(outcome(&ledger, &morning, (0, 100_000)));
    ledger.flush().await.unwrap();
    let again = room.ledger().await;
    for ledger in [&ledger, &again] {
        let refusal = refused(ledger.admit(&caller(), &intent(&room.clock, 0, 100_000)));
        assert_eq!(refusal.taken, Some(money("0.06")), "only what began today");
    }
}

async fn calls_that_were_under_way_when_a_budget_was_set_count(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let early = intent(&room.clock, 0, 100_000);
    let permit = ledger.admit(&caller(), &early).unwrap();
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.10").await;
    permit.settle(outcome(&ledger, &early, (0, 100_000)));
    let refusal = refused(ledger.admit(&caller(), &intent(&room.clock, 0, 100_000)));
    assert_eq!(refusal.taken, Some(money("0.06")));
    ledger.flush().await.unwrap();
    let refusal = refused(room.ledger().await.admit(&caller(), &intent(&room.clock, 0, 100_000)));
    assert_eq!(refusal.taken, Some(money("0.06")));
}

async fn nothing_without_a_price_goes_against_a_budget(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let mut unpriced = intent(&room.clock, 100, 100);
    unpriced.candidates[0].price_as = "our-own-model".to_owned();
    let permit = ledger.admit(&caller(), &unpriced).unwrap();
    permit.settle(outcome(&ledger, &unpriced, (100, 100)));
    ledger.flush().await.unwrap();
    let total = sums(&ledger, &room, UsageBy::Project).await.total;
    assert_eq!((total.cost, total.unpriced), (Money::ZERO, 1), "without a budget it is let through, and told apart from free");
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "100").await;
    let fault = ledger.admit(&caller(), &unpriced).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Invalid, "budget-needs-price"));
    room.apply(
        "apiVersion: mainspring/v1\nkind: prices\nname: default\nspec: {models: [{model: our-own-model, input: 0, output: 0}]}",
    )
    .await;
    ledger.refresh().await.unwrap();
    let permit = ledger.admit(&caller(), &unpriced).unwrap();
    assert_eq!(permit.set_aside(), Money::ZERO, "a price of zero is a price");
}

async fn the_dearest_target_is_set_aside(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let candidate = |kind, model: &str| Candidate::from(("p".parse().unwrap(), kind, model.to_owned()));
    let mut intent = intent(&room.clock, 0, 0);
    intent.candidates = vec![
        candidate(ProviderKind::OpenAi, "gpt-4o-mini"),
        Candidate { max_output_tokens: Some(10_000), ..candidate(ProviderKind::Anthropic, "claude-opus-4-5") },
        candidate(ProviderKind::OpenAi, "gpt-4o"),
    ];
    let set_aside = ledger.admit(&caller(), &intent).unwrap().set_aside();
    assert!(set_aside >= money("0.25") && set_aside < money("0.2500001"), "ten thousand tokens of Opus: {set_aside}");
    intent.candidates.truncate(1);
    let set_aside = ledger.admit(&caller(), &intent).unwrap().set_aside();
    assert!(set_aside >= money("0.0024576") && set_aside < money("0.0024577"), "4096 tokens where nobody says: {set_aside}");
}

async fn a_further_attempt_sets_aside_once_more(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.15").await;
    let intent = intent(&room.clock, 0, 100_000);
    let mut permit = ledger.admit(&caller(), &intent).unwrap();
    let once = permit.set_aside();
    permit.again().unwrap();
    assert_eq!(permit.set_aside(), once + once);
    let fault = permit.again().unwrap_err();
    assert_eq!(fault.code(), "budget-spent");
    assert_eq!(permit.set_aside(), once + once);
    drop(permit);
    ledger.flush().await.unwrap();
    let calls = all_calls(&ledger, &room).await;
    assert_eq!((calls[0].cost, calls[0].attempts), (once + once, 2));
}

async fn an_amount_beyond_counting_is_refused(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let fault = ledger.admit(&caller(), &intent(&room.clock, u64::MAX / 4, 0)).unwrap_err();
    assert!(matches!(fault, LedgerFault::TooMuchMoney), "{fault:?}");
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Invalid, "ledger-too-much-money"));
}

async fn free_calls_pass_a_spent_budget(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0").await;
    let mut free = intent(&room.clock, 1_000, 1_000);
    assert!(ledger.admit(&caller(), &free).is_err());
    free.candidates = vec![Candidate::from(("local".parse().unwrap(), ProviderKind::Local, "smollm2".to_owned()))];
    ledger.admit(&caller(), &free).unwrap();
}

async fn a_changed_amount_holds_at_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let limit = set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.01").await;
    assert!(call(&ledger, &room.clock, &caller(), (0, 100_000)).is_err());
    let changed = set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "1").await;
    assert_eq!(changed.id, limit.id, "it is the same limit");
    call(&ledger, &room.clock, &caller(), (0, 100_000)).unwrap();
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.10").await;
    assert!(call(&ledger, &room.clock, &caller(), (0, 100_000)).is_err());
    ledger.remove_limit(&room.admin, limit.id).await.unwrap();
    call(&ledger, &room.clock, &caller(), (0, 100_000)).unwrap();
}
