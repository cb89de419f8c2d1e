//! What was acknowledged is there after `kill -9`, once.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use mainspring_catalog::Catalog;
use mainspring_kernel::{Clock as _, Money, SystemClock, id::CallId};
use rand::Rng as _;

use super::{Room, all_calls, set};
use crate::{
    ledger::{Ledger, LedgerParts, Metric, SubjectKind, UsageBy, UsageFilter, UsageQuestion},
    record::CallStatus,
};

/// Calls of one process that may be let through without having been named yet.
const CALLERS: usize = 4;
const ROUNDS: usize = 6;

/// Cargo builds a package's examples before its tests, beside them.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/acknowledged_calls");
    assert!(program.is_file(), "{} was not built: run the tests through cargo", program.display());
    program
}

/// What the program named: let through, with what was set aside; settled, with what it cost.
#[derive(Default)]
struct Named {
    admitted: HashMap<CallId, Money>,
    settled: HashMap<CallId, Money>,
}

impl Named {
    fn line(&mut self, line: &str) {
        let [what, id, amount] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (id, amount) = (id.parse().unwrap(), amount.parse().unwrap());
        match what {
            "admitted" => drop(self.admitted.insert(id, amount)),
            "settled" => drop(self.settled.insert(id, amount)),
            _ => panic!("{line}"),
        }
    }
}

/// Runs the program until it has said so much, and kills it.
fn run_and_kill(url: &str, journal: &Path, lines: usize, named: &mut Named) {
    let mut child = Command::new(program()).arg(url).arg(journal).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..lines {
        named.line(&said.next().expect("the program ended by itself").unwrap());
    }
    child.kill().unwrap();
    // What it had said by then counts too, except a line cut in two.
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    rest.iter().rev().skip(1).for_each(|line| named.line(line));
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_every_acknowledged_call_is_there_once_and_the_rest_costs_what_was_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/catalog.db", folder.path().display());
    let room = Room::over(Catalog::open(&url).await.unwrap()).await;
    let journal = folder.path().join("journal");
    let parts = || LedgerParts { clock: std::sync::Arc::new(SystemClock), journal: journal.clone(), ..room.parts() };
    let ledger = Ledger::prepare(parts(), false).await.unwrap();
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerMonth, "1000").await;
    drop(ledger);
    let began = SystemClock.now();
    let mut named = Named::default();
    for round in 0..ROUNDS {
        let lines = rand::rng().random_range(1..3_000);
        run_and_kill(&url, &journal, lines, &mut named);
        let ledger = Ledger::prepare(parts(), false).await.unwrap();
        let calls = all_calls(&ledger, &room).await;
        let found: HashMap<CallId, _> = calls.iter().map(|call| (call.id, call)).collect();
        assert_eq!(found.len(), calls.len(), "a call is there twice after round {round}");
        for (id, cost) in &named.settled {
            assert_eq!((found[id].status, found[id].cost), (CallStatus::Ok, *cost), "{id} after round {round}");
        }
        for (id, set_aside) in &named.admitted {
            let call = found.get(id).unwrap_or_else(|| panic!("{id} is lost after round {round}"));
            // It may have been settled without having been able to say so.
            let broken_off = call.status == CallStatus::Interrupted && call.cost == *set_aside;
            assert!(broken_off || call.status == CallStatus::Ok, "{call:?}");
        }
        let unnamed: HashSet<_> = found.keys().filter(|id| !named.admitted.contains_key(id)).collect();
        assert!(unnamed.len() <= CALLERS * (round + 1), "{} calls came from nowhere", unnamed.len());
        // The sums and the budget say what the records say.
        let cost: Money = calls.iter().map(|call| call.cost).sum();
        let filter = UsageFilter::default();
        let until = SystemClock.now().plus(super::seconds(3_600));
        let question = UsageQuestion { by: UsageBy::Project, since: began.minus(super::seconds(3_600)), until, filter };
        let total = ledger.usage(&room.admin, &question).await.unwrap().total;
        assert_eq!((total.calls, total.cost), (calls.len() as u64, cost));
        let spent: Money = spent_of_budgets(&room).await;
        assert_eq!(spent, cost);
    }
    assert!(named.settled.len() > 10, "the program was killed before it did anything");
}

/// What is written down as spent of budgets, all months together.
async fn spent_of_budgets(room: &Room) -> Money {
    const SPENT: &str = "SELECT CAST(SUM(spent) AS BIGINT) AS spent FROM budget_spent WHERE span = 'month'";
    let rows = room.catalog.query(SPENT, Vec::new()).await.unwrap();
    Money::from_pico(rows[0].opt_int("spent").unwrap().unwrap_or(0).into())
}
