//! The ledger's specification, on both engines.

mod adopting;
mod budgets;
mod damage;
mod killed;
mod limits;
mod outages;
mod reading;
mod recovering;
mod rules;
mod shares;
mod writing;

use std::{path::PathBuf, sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, Clock, Digest, FrozenClock, Labels, ModelScope, Money, PageRequest, Role, Tasks, Timestamp,
    id::{ApiKeyId, CallId, PrincipalId, ProjectId},
};
use mainspring_llm::TokenUsage;
use mainspring_providers::{Operation, ProviderKind};
use mainspring_registry::{Draft, Registry};
use mainspring_telemetry::Metrics;

use super::{
    Amount, Candidate, Intent, Ledger, LedgerFault, LedgerParts, Limit, Metric, NewLimit, Permit, SubjectKind, UsageBy,
    UsageFilter, UsageQuestion, UsageReport,
};
use crate::{
    cost::Place,
    record::{CallRecord, CallStatus, Caller, PriceStamp},
};

/// Ten past the hour, on a Wednesday in November.
pub(super) fn start() -> Timestamp {
    Timestamp::parse("2025-11-26T04:10:00Z").unwrap()
}

/// A settled call; different numbers are different calls.
pub(super) fn record(number: u128) -> CallRecord {
    CallRecord {
        id: CallId::from_raw(number),
        caller: Caller {
            project: ProjectId::from_raw(1),
            principal: PrincipalId::from_raw(2),
            key: Some(ApiKeyId::from_raw(3)),
            user: Some("ann".to_owned()),
            app: None,
            line_of: None,
        },
        at: start(),
        took_ms: 800,
        first_ms: Some(200),
        model: "gpt-4o-mini".to_owned(),
        route: None,
        provider: Some("openai".to_owned()),
        target: Some("gpt-4o-mini".to_owned()),
        operation: "chat".to_owned(),
        status: CallStatus::Ok,
        class: None,
        attempts: 1,
        usage: TokenUsage { input: 1_000, output: 500, ..TokenUsage::default() },
        cost: Money::from_pico(450_000_000),
        price: Some(PriceStamp { table: Digest::of(b"prices"), entry: "gpt-4o-mini".to_owned() }),
        charges: Vec::new(),
        cached: false,
        batch: false,
        response: None,
        account: None,
        background: None,
        trace: "0af7651916cd43dd8448eb211c80319c".parse().unwrap(),
    }
}

/// A project on a catalog, and where its journal lies.
#[derive(Clone)]
struct Room {
    catalog: Catalog,
    clock: FrozenClock,
    admin: Actor,
    stranger: Actor,
    journal: PathBuf,
    _folder: Arc<tempfile::TempDir>,
}

impl Room {
    async fn over(catalog: Catalog) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let (project, other) = (ProjectId::from_raw(1), ProjectId::from_raw(2));
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        catalog.write(PROJECT, params![other, "theirs"]).await.unwrap();
        let actor = |project| Actor {
            principal: PrincipalId::from_raw(2),
            project,
            role: Role::Admin,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        Self {
            catalog,
            clock: FrozenClock::at(start()),
            admin: actor(project),
            stranger: actor(other),
            journal,
            _folder: Arc::new(folder),
        }
    }

    fn registry(&self) -> Registry {
        Registry::open(self.catalog.clone(), Arc::new(self.clock.clone()), crate::descriptors())
    }

    fn parts(&self) -> LedgerParts {
        LedgerParts {
            catalog: self.catalog.clone(),
            registry: self.registry(),
            clock: Arc::new(self.clock.clone()),
            tasks: Tasks::default(),
            metrics: Metrics::default(),
            journal: self.journal.clone(),
            audit: None,
            keep_calls_for: Duration::from_secs(90 * 86_400),
        }
    }

    /// A process that keeps its limits to itself, without a background: a test says when something is written.
    async fn ledger(&self) -> Ledger {
        Ledger::prepare(self.parts(), false).await.unwrap()
    }

    async fn apply(&self, manifest: &str) {
        let drafts = Draft::read("prices.yaml", manifest).unwrap();
        self.registry().apply(&self.admin, &drafts, "").await.unwrap();
    }

    fn with_role(&self, role: Role) -> Actor {
        Actor { role, ..self.admin.clone() }
    }
}

fn caller() -> Caller {
    record(0).caller
}

fn of_user(user: &str) -> Caller {
    Caller { user: Some(user.to_owned()), ..caller() }
}

/// A call of gpt-4o-mini: 0.15 dollars for a million tokens read, 0.60 for a million written.
fn intent(clock: &dyn Clock, input: u64, output: u64) -> Intent {
    let at = clock.now();
    Intent {
        id: CallId::new(at),
        at,
        model: "gpt-4o-mini".to_owned(),
        route: None,
        operation: Operation::Chat,
        input_tokens_upper: input,
        input_tokens_about: input,
        searches_upper: 1,
        incurs: crate::Incurs { served: false, ..crate::Incurs::ALL },
        candidates: vec![Candidate {
            max_output_tokens: Some(output),
            ..Candidate::from(("openai".parse().unwrap(), ProviderKind::OpenAi, "gpt-4o-mini".to_owned()))
        }],
        batch: false,
        trace: record(0).trace,
    }
}

/// How a call of that intent came out.
fn outcome(ledger: &Ledger, intent: &Intent, (input, output): (u64, u64)) -> CallRecord {
    let usage = TokenUsage { input, output, ..TokenUsage::default() };
    let place = Place { provider: "openai", kind: ProviderKind::OpenAi, preset: None, model: &intent.candidates[0].price_as };
    let charge = ledger.prices(caller().project).cost(place, &usage, intent.batch);
    CallRecord {
        id: intent.id,
        at: intent.at,
        model: intent.model.clone(),
        usage,
        cost: charge.as_ref().map_or(Money::ZERO, |charge| charge.cost),
        price: charge.map(|charge| charge.price),
        ..record(0)
    }
}

/// Makes a call that uses what it says.
fn call(ledger: &Ledger, clock: &dyn Clock, caller: &Caller, (input, output): (u64, u64)) -> Result<CallId, LedgerFault> {
    let intent = intent(clock, input, output);
    let permit = ledger.admit(caller, &intent)?;
    permit.settle(outcome(ledger, &intent, (input, output)));
    Ok(intent.id)
}

fn limit(kind: SubjectKind, subject: &str, metric: Metric, amount: &str) -> NewLimit {
    NewLimit { kind, subject: subject.to_owned(), metric, amount: Amount::read(metric, amount).unwrap() }
}

async fn set(ledger: &Ledger, room: &Room, kind: SubjectKind, subject: &str, metric: Metric, amount: &str) -> Limit {
    ledger.set_limit(&room.admin, limit(kind, subject, metric, amount)).await.unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// Every record of the project in the catalog.
async fn all_calls(ledger: &Ledger, room: &Room) -> Vec<CallRecord> {
    let (mut all, mut page) = (Vec::new(), PageRequest::first(500));
    loop {
        let found = ledger.calls(&room.admin, &super::CallFilter::default(), &page).await.unwrap();
        all.extend(found.items);
        match found.next {
            Some(next) => page = PageRequest::new(Some(500), Some(next)).unwrap(),
            None => return all,
        }
    }
}

/// The sums of three months around the start.
async fn sums(ledger: &Ledger, room: &Room, by: UsageBy) -> UsageReport {
    let (since, until) = (Timestamp::parse("2025-10-01T00:00:00Z").unwrap(), Timestamp::parse("2027-01-01T00:00:00Z").unwrap());
    ledger.usage(&room.admin, &UsageQuestion { by, since, until, filter: UsageFilter::default() }).await.unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[track_caller]
fn refused(outcome: Result<Permit, LedgerFault>) -> Box<super::Refusal> {
    match outcome {
        Err(LedgerFault::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
