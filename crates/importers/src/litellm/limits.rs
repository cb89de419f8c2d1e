//! Budgets and limits, which are no specs: a list of commands.

use mainspring_kernel::Name;

use super::deployment::Deployment;
use crate::{draft::Draft, read::Table};

/// `1d`, `24h`, `30d`, `1mo`: what a budget is for.
fn metric(duration: Option<&str>) -> Option<&'static str> {
    match duration.map(str::trim) {
        Some("1d" | "24h" | "daily") => Some("usd-per-day"),
        Some("30d" | "31d" | "1mo" | "monthly") => Some("usd-per-month"),
        _ => None,
    }
}

pub(super) fn read(draft: &mut Draft, settings: &mut Table, general: &mut Table) {
    budget(draft, settings, ("max_budget", "budget_duration"), "project");
    budget(draft, general, ("max_budget", "budget_duration"), "project");
    budget(draft, settings, ("max_internal_user_budget", "internal_user_budget_duration"), "principal");
    budget(draft, settings, ("max_end_user_budget", "end_user_budget_duration"), "user");
    for (section, whose) in [
        ("default_internal_user_params", "principal"),
        ("default_key_generate_params", "key"),
        ("upperbound_key_generate_params", "key"),
        ("default_end_user_params", "user"),
    ] {
        let Some(mut table) = settings.table(section) else { continue };
        budget(draft, &mut table, ("max_budget", "budget_duration"), whose);
        rates(draft, &mut table, whose);
        let path = table.path.clone();
        for (name, _) in table.rest() {
            draft.missing(
                format!("{path}.{name}"),
                "members and keys are made with `mainspring members add` and `mainspring keys create`",
            );
        }
    }
    if let Some(most) = general.whole("global_max_parallel_requests").filter(|most| *most > 0) {
        let command = format!("mainspring limits set concurrent {most}");
        draft.plan(general.at("global_max_parallel_requests"), command, "calls of the project at once");
    }
    keys(draft, general);
}

fn budget(draft: &mut Draft, table: &mut Table, (amount, duration): (&str, &str), whose: &str) {
    let path = table.at(amount);
    let (given, lasts) = (table.number(amount), table.text(duration));
    let Some(given) = given else { return };
    match metric(lasts.as_deref()) {
        Some(metric) => {
            let command = format!("mainspring limits set {metric} {given} --for {whose}");
            draft.plan(path, command, "budgets begin anew with the day or the month in UTC");
        }
        None => draft.missing(path, "a budget is for a day or a calendar month: `mainspring limits set usd-per-month …`"),
    }
}

fn rates(draft: &mut Draft, table: &mut Table, whose: &str) {
    for (name, metric) in
        [("rpm_limit", "requests-per-minute"), ("tpm_limit", "tokens-per-minute"), ("max_parallel_requests", "concurrent")]
    {
        if let Some(most) = table.whole(name).filter(|most| *most > 0) {
            let command = format!("mainspring limits set {metric} {most} --for {whose}");
            draft.plan(table.at(name), command, format!("for each {whose} there is"));
        }
    }
}

/// What deployments take together, where each of them says what it takes.
pub(super) fn of_group(draft: &mut Draft, (path, route): (&str, &Name), deployments: &[Deployment]) {
    let together = |pick: fn(&Deployment) -> Option<f64>| deployments.iter().map(pick).sum::<Option<f64>>().map(f64::round);
    for (metric, most) in [
        ("requests-per-minute", together(|deployment| deployment.rpm)),
        ("tokens-per-minute", together(|deployment| deployment.tpm)),
    ] {
        if let Some(most) = most.filter(|most| (1.0..=1e15).contains(most)) {
            let command = format!("mainspring limits set {metric} {most} --for model={route}");
            draft.plan(path, command, "targets have no limits of their own; the model that clients name may have one");
        }
    }
}

/// Keys are made here: what other servers keep of theirs is digests.
fn keys(draft: &mut Draft, general: &mut Table) {
    let path = general.at("master_key");
    if general.take("master_key").is_some() {
        let why = "keys of another server do not work here: clients get new ones, which are shown once";
        draft.plan(&path, "mainspring keys create operator --role admin", why);
        draft.plan(path, "mainspring keys create my-app --role reader", "for each application that calls models");
    }
}
