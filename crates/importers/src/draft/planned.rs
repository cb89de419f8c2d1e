//! Keys and limits: no specs, but what the server can be told to make.

use mainspring_gateway::ledger::{Amount, Metric, SubjectKind};
use mainspring_kernel::{Name, Role, Timestamp};

use super::Draft;
use crate::{
    names,
    report::{Action, Step, WantedKey, WantedLimit},
};

/// Whom a limit is about; no subject: each there is.
pub(crate) type Whom<'w> = (SubjectKind, Option<&'w str>);

/// A client of the other gateway that gets a key here.
pub(crate) struct Client<'c> {
    /// What it is called there.
    pub(crate) name: &'c str,
    pub(crate) role: Role,
    pub(crate) models: Option<Vec<String>>,
    pub(crate) expires: Option<Timestamp>,
}

impl Draft {
    pub(super) fn step(&mut self, step: Step) {
        if !self.report.plan.contains(&step) {
            self.report.plan.push(step);
        }
    }

    /// A key to be made. It has a name of its own among those of the plan.
    pub(crate) fn client(&mut self, path: impl Into<String>, client: Client<'_>, why: &str) -> Option<Name> {
        let Client { name, role, models, expires } = client;
        let taken = |name: &Name| self.keys_planned().any(|key| key.name == *name);
        let name = names::free(name, "client", taken)?;
        let mut command = format!("mainspring keys create {name} --role {role}");
        if let Some(models) = &models {
            command = format!("{command} --models {}", models.join(","));
        }
        if let Some(expires) = expires {
            command = format!("{command} --expires-at {expires}");
        }
        let action = Action::Key(WantedKey { name: name.clone(), role, models, expires_at: expires });
        self.step(Step { path: path.into(), command, why: why.to_owned(), action: Some(action) });
        Some(name)
    }

    fn keys_planned(&self) -> impl Iterator<Item = &WantedKey> {
        self.report.plan.iter().filter_map(|step| match &step.action {
            Some(Action::Key(key)) => Some(key),
            _ => None,
        })
    }

    /// A limit to be set. Of two for the same thing the first counts, so that importing again changes nothing.
    pub(crate) fn limit(&mut self, path: impl Into<String>, whom: Whom<'_>, (metric, amount): (Metric, &str), why: &str) {
        let path = path.into();
        let Ok(amount) = Amount::read(metric, amount) else {
            return self.missing(path, "no limit can be this: counts are whole numbers from one, budgets 0 to 9000000 dollars");
        };
        let (kind, subject) = (whom.0, whom.1.map(str::to_owned));
        let wanted = WantedLimit { kind, subject, metric, amount };
        let known = self.report.plan.iter().find_map(|step| match &step.action {
            Some(Action::Limit(known)) if same(known, &wanted) => Some(known.amount),
            _ => None,
        });
        match known {
            Some(known) if known == amount => {}
            Some(_) => self.different(path, "another place of the file limits the same, and the first counts"),
            None => {
                let command = command(&wanted);
                self.step(Step { path, command, why: why.to_owned(), action: Some(Action::Limit(wanted)) });
            }
        }
    }
}

fn same(one: &WantedLimit, other: &WantedLimit) -> bool {
    (one.kind, one.metric, &one.subject) == (other.kind, other.metric, &other.subject)
}

fn command(WantedLimit { kind, subject, metric, amount }: &WantedLimit) -> String {
    let metric = metric.as_str().replace('_', "-");
    let whom = match (kind, subject) {
        (SubjectKind::Key, Some(name)) => format!("key=ID-OF-{name}"),
        (kind, Some(subject)) => format!("{}={subject}", kind.as_str()),
        (kind, None) => kind.as_str().to_owned(),
    };
    format!("mainspring limits set {metric} {amount} --for {whom}")
}
