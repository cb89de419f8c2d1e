//! Limits that several processes keep together.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{Clock, Money, PageRequest, Tasks, Timestamp};
use mainspring_testservers::{on_every_engine, postgres::Postgres};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use super::{Room, all_calls, caller, intent, money, outcome, refused, seconds, set, start, sums};
use crate::{
    ledger::{Ledger, LedgerFault, LedgerParts, Metric, Permit, SubjectKind, UsageBy, meter::block},
    record::CallStatus,
};

on_every_engine!(Catalog: [
    money_is_fetched_before_it_is_spent_and_never_exceeded,
    what_is_not_used_goes_back_and_others_can_have_it,
    a_process_that_died_is_settled_for_and_settled_with_when_it_returns,
    a_call_that_costs_more_than_was_set_aside_leaves_the_accounts_straight,
    a_limit_that_is_lowered_takes_back_what_was_fetched,
    calls_at_once_are_shared,
    processes_that_serve_calls_are_listed,
    nothing_is_fetched_for_a_call_dearer_than_the_whole_budget,
]);

impl Room {
    /// One of several processes: its journal is its own.
    pub(super) async fn process(&self, name: &str) -> Ledger {
        let journal = self.journal.with_file_name(name);
        Ledger::prepare(LedgerParts { journal, ..self.parts() }, true).await.unwrap()
    }

    /// Spent and fetched of the project's budget for the day.
    pub(super) async fn account(&self) -> (Money, Money) {
        const ACCOUNT: &str = "SELECT spent, leased FROM budget_spent WHERE kind = 'project' AND span = 'day' LIMIT 1";
        let rows = self.catalog.query(ACCOUNT, params![]).await.unwrap();
        let amount = |column| rows.first().map_or(0, |row| row.int(column).unwrap());
        (Money::from_pico(amount("spent").into()), Money::from_pico(amount("leased").into()))
    }
}

impl Ledger {
    /// What the background does a few times a second.
    async fn look_after(&self) {
        self.fetch().await;
        self.give_back(false).await;
    }
}

/// Admits, and fetches in between what has to be fetched, as the background does.
pub(super) async fn admit(ledger: &Ledger, room: &Room, output: u64) -> Result<Permit, LedgerFault> {
    let intent = intent(&room.clock, 0, output);
    for _ in 0..3 {
        match ledger.admit(&caller(), &intent) {
            Err(LedgerFault::NotReady { .. }) => ledger.fetch().await,
            other => return other,
        }
    }
    panic!("what was fetched was not there");
}

pub(super) fn settle(ledger: &Ledger, permit: Permit, output: u64) {
    let done = intent(&mainspring_kernel::FrozenClock::at(start()), 0, 0);
    permit.settle(outcome(ledger, &done, (0, output)));
}

/// Random calls of two processes; the accounts are looked at after each step.
async fn money_is_fetched_before_it_is_spent_and_never_exceeded(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let processes = [room.process("one").await, room.process("two").await];
    set(&processes[0], &room, SubjectKind::Project, "*", Metric::UsdPerDay, "1").await;
    processes[1].refresh().await.unwrap();
    let mut dice = StdRng::seed_from_u64(7);
    let mut under_way: Vec<(usize, Permit, u64)> = Vec::new();
    let (mut spent, mut refusals) = (Money::ZERO, 0);
    for _ in 0..150 {
        let which = dice.random_range(0..2);
        let ledger = &processes[which];
        match dice.random_range(0..10) {
            0..5 => {
                let output = dice.random_range(1..100_000);
                match admit(ledger, &room, output).await {
                    Ok(permit) => under_way.push((which, permit, output)),
                    Err(LedgerFault::Refused(_)) => {
                        refusals += 1;
                        room.clock.advance(Duration::from_millis(300));
                    }
                    Err(fault) => panic!("{fault:?}"),
                }
            }
            5..8 if !under_way.is_empty() => {
                let (which, permit, output) = under_way.swap_remove(dice.random_range(0..under_way.len()));
                let used = dice.random_range(0..=output);
                spent += money("0.60").for_tokens(used);
                settle(&processes[which], permit, used);
            }
            8 => ledger.flush().await.unwrap(),
            _ => {
                room.clock.advance(seconds(3));
                ledger.give_back(false).await;
            }
        }
        let (in_catalog, fetched) = room.account().await;
        assert!(in_catalog + fetched <= money("1"), "{in_catalog} spent and {fetched} fetched of a dollar");
        assert!(fetched >= Money::ZERO);
    }
    assert!(refusals > 0, "the budget was never short, so that nothing was tried");
    for (which, permit, output) in under_way {
        spent += money("0.60").for_tokens(output);
        settle(&processes[which], permit, output);
    }
    for ledger in &processes {
        ledger.flush().await.unwrap();
        room.clock.advance(seconds(3));
        ledger.give_back(true).await;
    }
    assert_eq!(room.account().await, (spent, Money::ZERO), "all is spent or given back");
    assert!(spent <= money("1"));
}

async fn what_is_not_used_goes_back_and_others_can_have_it(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    set(&one, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.10").await;
    two.refresh().await.unwrap();
    let permit = admit(&one, &room, 100_000).await.unwrap();
    settle(&one, permit, 0);
    let refusal = refused(admit(&two, &room, 100_000).await);
    assert_eq!(refusal.retry_after, seconds(1), "it may come back");
    assert!(refusal.taken.unwrap() >= money("0.06"));
    one.look_after().await;
    let (_, fetched) = room.account().await;
    assert!(fetched > Money::ZERO && fetched <= money("0.004"), "{fetched}: at most two blocks are kept for the next call");
    room.clock.advance(seconds(2));
    one.look_after().await;
    assert_eq!(room.account().await.1, Money::ZERO, "there was no next call");
    admit(&two, &room, 100_000).await.unwrap();
}

async fn a_process_that_died_is_settled_for_and_settled_with_when_it_returns(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    set(&two, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "1").await;
    one.refresh().await.unwrap();
    // Two calls are under way; one of them costs a cent and settles, but never reaches the catalog.
    let permit = admit(&one, &room, 100_000).await.unwrap();
    let other = admit(&one, &room, 200_000).await.unwrap();
    let set_aside = other.set_aside();
    settle(&one, permit, 20_000);
    std::mem::forget(other);
    drop(one);
    let (spent, fetched) = room.account().await;
    assert_eq!(spent, Money::ZERO);
    assert!(fetched >= money("0.18"), "{fetched}");
    room.clock.advance(seconds(1_800));
    two.tidy().await.unwrap();
    assert_eq!(room.account().await, (Money::ZERO, fetched), "half an hour is no death");
    room.clock.advance(seconds(1_801));
    two.say_alive().await;
    two.tidy().await.unwrap();
    assert_eq!(room.account().await, (fetched, Money::ZERO), "all that was fetched counts as spent");
    let again = room.process("one").await;
    let cost = money("0.012") + set_aside;
    assert_eq!(room.account().await, (cost, Money::ZERO), "now it is known what was spent");
    let calls = all_calls(&again, &room).await;
    assert_eq!((calls.len(), calls.iter().map(|call| call.cost).sum::<Money>()), (2, cost));
    assert_eq!(calls.iter().filter(|call| call.status == CallStatus::Interrupted).count(), 1);
}

async fn a_call_that_costs_more_than_was_set_aside_leaves_the_accounts_straight(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let one = room.process("one").await;
    set(&one, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "1").await;
    let permit = admit(&one, &room, 10_000).await.unwrap();
    // Set aside were 0.006 dollars; it costs a hundred times as much.
    settle(&one, permit, 1_000_000);
    one.flush().await.unwrap();
    assert_eq!(room.account().await.0, money("0.60"));
    let permit = admit(&one, &room, 100_000).await.unwrap();
    settle(&one, permit, 100_000);
    one.flush().await.unwrap();
    one.give_back(true).await;
    assert_eq!(room.account().await, (money("0.66"), Money::ZERO));
    room.clock.advance(seconds(1));
    let permit = admit(&one, &room, 560_000).await.unwrap();
    settle(&one, permit, 560_000);
    one.flush().await.unwrap();
    room.clock.advance(seconds(1));
    assert!(admit(&one, &room, 10_000).await.is_err());
}

async fn a_limit_that_is_lowered_takes_back_what_was_fetched(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    set(&one, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "100").await;
    two.refresh().await.unwrap();
    for ledger in [&one, &two] {
        drop(admit(ledger, &room, 1).await.unwrap());
    }
    assert!(room.account().await.1 > money("1"), "a fiftieth is fetched at once");
    set(&one, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.05").await;
    two.refresh().await.unwrap();
    let (_, fetched) = room.account().await;
    assert!(fetched < money("0.01"), "{fetched} are still fetched");
    for ledger in [&one, &two] {
        assert!(admit(ledger, &room, 100_000).await.is_err());
    }
}

async fn nothing_is_fetched_for_a_call_dearer_than_the_whole_budget(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let one = room.process("one").await;
    set(&one, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.05").await;
    let fault = one.admit(&caller(), &intent(&room.clock, 0, 100_000)).unwrap_err();
    assert!(matches!(fault, LedgerFault::TooDear(_)), "{fault:?}");
    one.look_after().await;
    assert_eq!(room.account().await, (Money::ZERO, Money::ZERO));
}

async fn calls_at_once_are_shared(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    set(&one, &room, SubjectKind::Project, "*", Metric::Concurrent, "6").await;
    two.refresh().await.unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(admit(&one, &room, 1).await.unwrap());
    }
    let mut others = Vec::new();
    while let Ok(permit) = admit(&two, &room, 1).await {
        others.push(permit);
    }
    assert_eq!(others.len(), 2);
    let listed = one.limits(&room.admin, &PageRequest::first(1)).await.unwrap();
    assert_eq!(listed.items[0].left, Some(0), "what both have taken");
    held.clear();
    room.clock.advance(seconds(3));
    one.give_back(false).await;
    for _ in 0..4 {
        others.push(admit(&two, &room, 1).await.unwrap());
    }
    // A process that dies takes nothing along for long.
    drop(two);
    std::mem::forget(others);
    one.say_alive().await;
    room.clock.advance(seconds(11));
    one.say_alive().await;
    for _ in 0..6 {
        held.push(admit(&one, &room, 1).await.unwrap());
    }
    assert!(admit(&one, &room, 1).await.is_err());
}

async fn processes_that_serve_calls_are_listed(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    let listed = async |of: &Ledger, page: PageRequest| {
        let found = of.processes(&room.admin, &page).await.unwrap();
        let items: Vec<_> = found.items.into_iter().map(|process| (process.id, process.here)).collect();
        (items, found.next)
    };
    let mut both = vec![(one.owner().to_owned(), true), (two.owner().to_owned(), false)];
    both.sort();
    assert_eq!(listed(&one, PageRequest::first(10)).await, (both.clone(), None));
    let (first, next) = listed(&one, PageRequest::first(1)).await;
    let (second, none) = listed(&one, PageRequest::new(Some(1), next).unwrap()).await;
    assert_eq!(([first, second].concat(), none), (both, None));
    // One that says nothing any more is gone.
    room.clock.advance(seconds(11));
    one.say_alive().await;
    assert_eq!(listed(&one, PageRequest::first(10)).await.0, [(one.owner().to_owned(), true)]);
    // Who keeps everything alone is the only one.
    let alone = room.ledger().await;
    assert_eq!(listed(&alone, PageRequest::first(10)).await, (vec![(alone.owner().to_owned(), true)], None));
}

/// Goes on from a fixed moment, so that no test meets the end of a day.
#[derive(Debug)]
struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        start().plus(self.0.elapsed())
    }
}

/// Two processes with their background, on one PostgreSQL server.
struct Together {
    room: Room,
    clock: Arc<Running>,
    tasks: Vec<Tasks>,
    ledgers: Vec<Ledger>,
    server: Postgres,
}

impl Together {
    async fn start(metric: Metric, amount: &str) -> Self {
        let server = Postgres::start().unwrap_or_else(|fault| panic!("{fault}"));
        let url = server.new_database().unwrap();
        let room = Room::over(Catalog::open(&url).await.unwrap()).await;
        let clock = Arc::new(Running(Instant::now()));
        let (mut tasks, mut ledgers) = (Vec::new(), Vec::new());
        for name in ["one", "two"] {
            // Connections of its own are what makes it another process.
            let catalog = Catalog::open(&url).await.unwrap();
            let parts = LedgerParts { catalog, clock: clock.clone(), journal: room.journal.with_file_name(name), ..room.parts() };
            tasks.push(parts.tasks.clone());
            ledgers.push(Ledger::open(parts).await.unwrap());
        }
        set(&ledgers[0], &room, SubjectKind::Project, "*", metric, amount).await;
        ledgers[1].refresh().await.unwrap();
        Self { room, clock, tasks, ledgers, server }
    }

    /// Ends the background; the server goes with what is answered.
    async fn stop(self) -> (Room, Vec<Ledger>, Postgres) {
        for tasks in self.tasks {
            tasks.shut_down(seconds(30)).await.unwrap();
        }
        (self.room, self.ledgers, self.server)
    }
}

/// Sixty-four callers, thirty-two in each process; calls of at most six cents use half of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_do_not_exceed_a_dollar_together() {
    let together = Together::start(Metric::UsdPerDay, "1").await;
    let mut callers = JoinSet::new();
    let gate = Arc::new(tokio::sync::Barrier::new(64));
    for number in 0..64 {
        let (ledger, clock, gate) = (together.ledgers[number % 2].clone(), Arc::clone(&together.clock), Arc::clone(&gate));
        callers.spawn(async move {
            gate.wait().await;
            let mut made = 0_u64;
            loop {
                let intent = intent(&*clock, 0, 100_000);
                match ledger.admit_async(&caller(), &intent).await {
                    Ok(permit) => {
                        tokio::task::yield_now().await;
                        permit.settle(outcome(&ledger, &intent, (0, 50_000)));
                        made += 1;
                    }
                    Err(LedgerFault::NotReady { .. }) => {}
                    Err(LedgerFault::Refused(refusal)) if refusal.retry_after <= seconds(1) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Err(LedgerFault::Refused(_)) => return made,
                    Err(fault) => panic!("{fault:?}"),
                }
            }
        });
    }
    let made: u64 = callers.join_all().await.into_iter().sum();
    let (room, ledgers, _server) = together.stop().await;
    for ledger in &ledgers {
        ledger.flush().await.unwrap();
        ledger.give_back(true).await;
    }
    let total = sums(&ledgers[0], &room, UsageBy::Project).await.total;
    assert_eq!((total.calls, total.cost), (made, money("0.03").times(made)));
    assert!(total.cost <= money("1.00"), "{} were spent of a dollar", total.cost);
    assert!(total.cost > money("0.94"), "{} were spent although one more call would fit", total.cost);
    assert_eq!(room.account().await, (total.cost, Money::ZERO));
}

/// No more come through than a bucket kept by one process would have let through, and a block for each process.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_keep_a_limit_by_the_minute_within_the_stated_bound() {
    const LIMIT: u64 = 600;
    let together = Together::start(Metric::RequestsPerMinute, &LIMIT.to_string()).await;
    let came_through = Arc::new(Mutex::new(0_u64));
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..16 {
        let (ledger, clock, came) =
            (together.ledgers[number % 2].clone(), Arc::clone(&together.clock), Arc::clone(&came_through));
        callers.spawn(async move {
            while began.elapsed() < seconds(4) {
                match ledger.admit_async(&caller(), &intent(&*clock, 1, 1)).await {
                    Ok(permit) => {
                        *came.lock().unwrap() += 1;
                        drop(permit);
                    }
                    Err(LedgerFault::Refused(_) | LedgerFault::NotReady { .. }) => {
                        tokio::time::sleep(Duration::from_millis(5)).await
                    }
                    Err(fault) => panic!("{fault:?}"),
                }
            }
        });
    }
    callers.join_all().await;
    let took = began.elapsed().as_secs_f64();
    let came_through = *came_through.lock().unwrap();
    let blocks = 2 * u64::try_from(block(LIMIT.into())).unwrap();
    assert_eq!(blocks, 24);
    let most = LIMIT as f64 + took * LIMIT as f64 / 60.0 + blocks as f64;
    assert!(came_through as f64 <= most, "{came_through} came through in {took} s, and {most} would be the most");
    assert!(came_through >= LIMIT - blocks, "{came_through} came through, although {LIMIT} were there at once");
    together.stop().await;
}
