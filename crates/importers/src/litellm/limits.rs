//! Budgets and limits, which are no specs: what the server can be told to set.

use mainspring_gateway::ledger::{Metric, SubjectKind};
use mainspring_kernel::{Name, Role};

use super::deployment::Deployment;
use crate::{
    draft::{Client, Draft, Whom},
    read::Table,
};

const BUDGET: &str = "budgets begin anew with the day or the month in UTC";
const RATES: [(&str, Metric); 3] = [
    ("rpm_limit", Metric::RequestsPerMinute),
    ("tpm_limit", Metric::TokensPerMinute),
    ("max_parallel_requests", Metric::Concurrent),
];

/// `1d`, `24h`, `30d`, `1mo`: what a budget is for.
pub(super) fn metric(duration: Option<&str>) -> Option<Metric> {
    match duration.map(str::trim) {
        Some("1d" | "24h" | "daily") => Some(Metric::UsdPerDay),
        Some("30d" | "31d" | "1mo" | "monthly") => Some(Metric::UsdPerMonth),
        _ => None,
    }
}

pub(super) fn read(draft: &mut Draft, settings: &mut Table, general: &mut Table) {
    let each = |kind: SubjectKind| -> Whom<'static> { (kind, None) };
    budget(draft, settings, ("max_budget", "budget_duration"), each(SubjectKind::Project));
    budget(draft, general, ("max_budget", "budget_duration"), each(SubjectKind::Project));
    budget(draft, settings, ("max_internal_user_budget", "internal_user_budget_duration"), each(SubjectKind::Principal));
    budget(draft, settings, ("max_end_user_budget", "end_user_budget_duration"), each(SubjectKind::User));
    for (section, kind) in [
        ("default_internal_user_params", SubjectKind::Principal),
        ("default_key_generate_params", SubjectKind::Key),
        ("upperbound_key_generate_params", SubjectKind::Key),
        ("default_end_user_params", SubjectKind::User),
    ] {
        let Some(mut table) = settings.table(section) else { continue };
        budget(draft, &mut table, ("max_budget", "budget_duration"), each(kind));
        rates(draft, &mut table, each(kind));
        let path = table.path.clone();
        for (name, _) in table.rest() {
            draft.missing(
                format!("{path}.{name}"),
                "members and keys are made with `mainspring members add` and `mainspring keys create`",
            );
        }
    }
    if let Some(most) = general.whole("global_max_parallel_requests").filter(|most| *most > 0) {
        let (path, most) = (general.at("global_max_parallel_requests"), most.to_string());
        draft.limit(path, each(SubjectKind::Project), (Metric::Concurrent, &most), "calls of the project at once");
    }
    operator(draft, general);
}

fn budget(draft: &mut Draft, table: &mut Table, (amount, duration): (&str, &str), whom: Whom<'_>) {
    let path = table.at(amount);
    let (given, lasts) = (table.number(amount), table.text(duration));
    let Some(given) = given else { return };
    match metric(lasts.as_deref()) {
        Some(metric) => draft.limit(path, whom, (metric, &given.to_string()), BUDGET),
        None => draft.missing(path, "a budget is for a day or a calendar month: `mainspring limits set usd-per-month …`"),
    }
}

/// The budget of one key. It gets the nearest one there is rather than none: without one it could spend without an end.
pub(super) fn budget_of_key(draft: &mut Draft, table: &mut Table, whom: Whom<'_>) {
    let path = table.at("max_budget");
    let (given, lasts) = (table.number("max_budget"), table.text("budget_duration"));
    let Some(given) = given else { return };
    let metric = metric(lasts.as_deref()).unwrap_or_else(|| {
        let within_a_day = lasts.as_deref().is_some_and(|lasts| lasts.trim().ends_with(['s', 'm', 'h']));
        let (metric, word) = if within_a_day { (Metric::UsdPerDay, "day") } else { (Metric::UsdPerMonth, "calendar month") };
        let said = lasts.map_or_else(|| "a budget that never begins anew".to_owned(), |_| "a budget for another time".to_owned());
        draft.different(&path, format!("{said} becomes one of the same amount for each {word}"));
        metric
    });
    draft.limit(path, whom, (metric, &given.to_string()), BUDGET);
}

pub(super) fn rates(draft: &mut Draft, table: &mut Table, whom: Whom<'_>) {
    for (name, metric) in RATES {
        if let Some(most) = table.whole(name).filter(|most| *most > 0) {
            let why = match whom {
                (kind, None) => format!("for each {} there is", kind.as_str()),
                (kind, Some(_)) => format!("for this {} alone", kind.as_str()),
            };
            draft.limit(table.at(name), whom, (metric, &most.to_string()), &why);
        }
    }
}

/// What deployments take together, where each of them says what it takes.
pub(super) fn of_group(draft: &mut Draft, (path, route): (&str, &Name), deployments: &[Deployment]) {
    let whom = (SubjectKind::Model, Some(route.as_str()));
    let together = |pick: fn(&Deployment) -> Option<f64>| deployments.iter().map(pick).sum::<Option<f64>>();
    for (metric, most) in [
        (Metric::RequestsPerMinute, together(|deployment| deployment.rpm)),
        (Metric::TokensPerMinute, together(|deployment| deployment.tpm)),
    ] {
        if let Some(most) = most.map(f64::round).filter(|most| (1.0..=1e15).contains(most)) {
            let why = "targets have no limits of their own; the model that clients name may have one";
            draft.limit(path, whom, (metric, &most.to_string()), why);
        }
    }
    let budgets: Option<Vec<(Metric, f64)>> = deployments.iter().map(|deployment| deployment.budget).collect();
    match budgets.as_deref() {
        Some([(metric, first), others @ ..]) if others.iter().all(|(other, _)| other == metric) => {
            let sum = first + others.iter().map(|(_, amount)| amount).sum::<f64>();
            draft.limit(path, whom, (*metric, &sum.to_string()), "targets have no budgets of their own; the model has one");
        }
        _ if deployments.iter().any(|deployment| deployment.budget.is_some()) => {
            draft.missing(path, "a budget is for a route, a key, a user or the project: `mainspring limits set`");
        }
        _ => {}
    }
}

/// Keys are made here: what other servers keep of theirs is digests.
fn operator(draft: &mut Draft, general: &mut Table) {
    let path = general.at("master_key");
    if general.take("master_key").is_some() {
        let why = "keys of another server do not work here: clients get new ones, which are shown once";
        draft.client(&path, Client { name: "operator", role: Role::Admin, models: None, expires: None }, why);
        draft.plan(path, "mainspring keys create my-app --role reader", "for each application that calls models");
    }
}
