//! Makes calls of several kinds and names each on standard output once it is let through, and again once it is settled.
//! The gateway's tests kill this program and look for every call it named.
#![expect(clippy::print_stdout, reason = "the calls are what the test reads")]

use std::{io::Write as _, sync::Arc, time::Duration};

use mainspring_catalog::Catalog;
use mainspring_gateway::{
    CallRecord, CallStatus, Caller, Incurs, Ledger, Place, descriptors,
    ledger::{Candidate, Intent, LedgerParts},
};
use mainspring_kernel::{
    Clock as _, Money, SystemClock, Tasks,
    id::{CallId, PrincipalId, ProjectId},
};
use mainspring_llm::TokenUsage;
use mainspring_providers::{Operation, ProviderKind};
use mainspring_registry::Registry;
use mainspring_telemetry::Metrics;

const CALLERS: u64 = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(journal)) = (arguments.next(), arguments.next()) else {
        return Err("two arguments: the catalog's address and the journal's folder".into());
    };
    let catalog = Catalog::open(&url).await?;
    let parts = LedgerParts {
        registry: Registry::open(catalog.clone(), Arc::new(SystemClock), descriptors()),
        catalog,
        clock: Arc::new(SystemClock),
        tasks: Tasks::default(),
        metrics: Metrics::default(),
        journal: journal.into(),
        audit: None,
        keep_calls_for: Duration::from_secs(90 * 86_400),
    };
    let tasks = parts.tasks.clone();
    let ledger = Ledger::open(parts).await?;
    for number in 0..CALLERS {
        let ledger = ledger.clone();
        tasks.spawn(format!("caller {number}"), move |_| async move { call_for_ever(&ledger, number).await });
    }
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

async fn call_for_ever(ledger: &Ledger, caller: u64) {
    for number in 0_u64.. {
        let at = SystemClock.now();
        let intent = Intent {
            id: CallId::new(at),
            at,
            model: "gpt-4o-mini".to_owned(),
            route: None,
            operation: Operation::Chat,
            input_tokens_upper: 2_000,
            input_tokens_about: 500,
            searches_upper: 1,
            incurs: Incurs::ALL,
            candidates: vec![Candidate {
                provider: "openai".parse().expect("a name"),
                kind: ProviderKind::OpenAi,
                preset: None,
                price_as: "gpt-4o-mini".to_owned(),
                max_output_tokens: Some(1_000),
            }],
            batch: false,
            trace: "0af7651916cd43dd8448eb211c80319c".parse().expect("a trace"),
        };
        let who = Caller {
            project: ProjectId::from_raw(1),
            principal: PrincipalId::from_raw(2),
            key: None,
            user: None,
            app: None,
            line_of: None,
        };
        let permit = match ledger.admit(&who, &intent) {
            Ok(permit) => permit,
            Err(fault) => return say(&format!("refused {} {fault}", intent.id)),
        };
        say(&format!("admitted {} {}", intent.id, permit.set_aside()));
        if number % 7 == caller {
            tokio::time::sleep(Duration::from_millis(number % 40)).await;
        }
        let record = outcome(ledger, &who, &intent, number % 900);
        let cost = record.cost;
        permit.settle(record);
        say(&format!("settled {} {cost}", intent.id));
        tokio::task::yield_now().await;
    }
}

fn outcome(ledger: &Ledger, who: &Caller, intent: &Intent, tokens: u64) -> CallRecord {
    let usage = TokenUsage { input: tokens * 2, output: tokens, ..TokenUsage::default() };
    let place = Place { provider: "openai", kind: ProviderKind::OpenAi, preset: None, model: "gpt-4o-mini" };
    let charge = ledger.prices(who.project).cost(place, &usage, false);
    CallRecord {
        id: intent.id,
        caller: who.clone(),
        at: intent.at,
        took_ms: 1,
        first_ms: None,
        model: intent.model.clone(),
        route: None,
        provider: Some("openai".to_owned()),
        target: Some("gpt-4o-mini".to_owned()),
        operation: intent.operation.as_str().to_owned(),
        status: CallStatus::Ok,
        class: None,
        attempts: 1,
        usage,
        cost: charge.as_ref().map_or(Money::ZERO, |charge| charge.cost),
        price: charge.map(|charge| charge.price),
        charges: Vec::new(),
        cached: false,
        batch: false,
        response: None,
        account: None,
        background: None,
        trace: intent.trace,
    }
}

/// A line at a time, whoever else speaks; a reader that went away ends the program.
fn say(text: &str) {
    println!("{text}");
    if std::io::stdout().flush().is_err() {
        std::process::exit(0);
    }
}
