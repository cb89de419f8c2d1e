//! What was used, what it cost, and what it would have cost otherwise.

use std::{collections::HashMap, time::Duration};

use axum::{Json, extract::State};
use mainspring_gateway::ledger::{Repriced, RepricedRow, Repricing, UsageBy, UsageFilter, UsageQuestion, UsageReport, UsageRow};
use mainspring_kernel::{
    Actor, AssetRef, FaultKind, Money, Name, PageRequest, Role, Timestamp, duration, id::ProjectId, name::RefFault,
    page::LIMIT_MAX,
};
use mainspring_web_kit::{Answer, Caller, Home, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::Rest;

/// Looked back when nobody says how far.
const USUAL: Duration = Duration::from_secs(30 * 86_400);

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(FaultKind::Invalid, "query-invalid", detail)
}

/// A moment as people write one: RFC 3339, a date (its beginning in UTC), or how long ago: `30d`, `12h`.
pub(crate) fn moment(name: &str, given: Option<&str>, now: Timestamp) -> Answer<Option<Timestamp>> {
    let Some(text) = given.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let found = Timestamp::parse(text)
        .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
        .or_else(|| duration::read(text).map(|ago| now.minus(ago)));
    let wrong = || invalid(format!("`{name}` is no time: write 2026-11-26T08:00:00Z, 2026-11-26, or 30d for thirty days ago"));
    found.map(Some).ok_or_else(wrong)
}

/// The stretch asked for; the last thirty days unless said otherwise.
fn stretch(since: Option<&str>, until: Option<&str>, now: Timestamp) -> Answer<(Timestamp, Timestamp)> {
    let until = moment("until", until, now)?.unwrap_or(now);
    let since = moment("since", since, now)?.unwrap_or_else(|| until.minus(USUAL));
    Ok((since, until))
}

fn row(row: UsageRow, keys: &KeyNames) -> wire::UsageRow {
    let UsageRow {
        name,
        calls,
        failed,
        unpriced,
        input,
        output,
        cache_read,
        cache_write,
        input_audio,
        input_image,
        reasoning,
        output_audio,
        output_image,
        input_estimated,
        output_estimated,
        cost,
    } = row;
    wire::UsageRow {
        key_name: keys.get(&name).cloned(),
        name,
        calls,
        failed,
        unpriced,
        input_tokens: input,
        output_tokens: output,
        cache_read_tokens: cache_read,
        cache_write_tokens: cache_write,
        input_audio_tokens: input_audio,
        input_image_tokens: input_image,
        reasoning_tokens: reasoning,
        output_audio_tokens: output_audio,
        output_image_tokens: output_image,
        input_estimated_tokens: input_estimated,
        output_estimated_tokens: output_estimated,
        cost: cost.to_string(),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct UsageQuery {
    by: Option<String>,
    since: Option<String>,
    until: Option<String>,
    key: Option<String>,
    user: Option<String>,
    app: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    #[serde(default)]
    all_projects: bool,
}

/// What calls used and cost: `by` project, key, principal, user, app, route, model, provider, target, day or hour.
/// By project it covers every project that the caller may be in. With `all_projects` everything is of all projects together,
/// which takes an admin of the project `default`.
#[utoipa::path(get, path = "/api/v1/usage", tag = "usage", operation_id = "get_usage",
    params(("by" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query),
        ("key" = Option<String>, Query), ("user" = Option<String>, Query), ("app" = Option<String>, Query),
        ("model" = Option<String>, Query), ("provider" = Option<String>, Query), ("all_projects" = Option<bool>, Query)),
    responses((status = 200, body = wire::UsageView)))]
pub(crate) async fn usage(
    State(rest): State<Rest>,
    caller: Caller,
    Home(home): Home,
    Query(query): Query<UsageQuery>,
) -> Answer<Json<wire::UsageView>> {
    let actor = caller.needs(Role::Reader)?;
    let UsageQuery { by, since, until, key, user, app, model, provider, all_projects } = query;
    let (since, until) = stretch(since.as_deref(), until.as_deref(), rest.clock.now())?;
    let by = by.as_deref().filter(|by| !by.is_empty()).map(str::parse::<UsageBy>).transpose()?.unwrap_or_default();
    let filter = UsageFilter { key, user, app, model, provider };
    let question = UsageQuestion { by, since, until, filter };
    crate::calls::caught_up(&rest).await;
    let report = match by {
        _ if all_projects => of_all(&rest, &home, &question).await?,
        UsageBy::Project => by_project(&rest, &home, &question).await?,
        _ => rest.ledger.usage(actor, &question).await?,
    };
    let UsageReport { since, until, total, mut rows, cut } = report;
    if by == UsageBy::Principal {
        name_principals(&rest, rows.iter_mut().map(|row| &mut row.name).collect()).await?;
    }
    let keys = key_names(&rest, by, rows.iter().map(|row| row.name.as_str()).collect()).await?;
    Ok(Json(wire::UsageView {
        by: by.as_str().to_owned(),
        since: since.to_string(),
        until: until.to_string(),
        total: row(total, &keys),
        rows: rows.into_iter().map(|each| row(each, &keys)).collect(),
        cut,
    }))
}

/// What keys are called, by their ids as rows have them.
type KeyNames = HashMap<String, String>;

/// Nothing where rows are no keys.
async fn key_names(rest: &Rest, by: UsageBy, rows: Vec<&str>) -> Answer<KeyNames> {
    if by != UsageBy::Key {
        return Ok(KeyNames::new());
    }
    let ids = rows.into_iter().filter_map(|id| id.parse().ok()).collect();
    let names = rest.identity.key_names(ids).await?;
    Ok(names.into_iter().map(|(id, name)| (id.to_string(), name)).collect())
}

async fn name_principals(rest: &Rest, rows: Vec<&mut String>) -> Answer<()> {
    let ids = rows.iter().filter_map(|name| name.parse().ok()).collect();
    let names = crate::assets::Names::of(rest, ids).await?;
    for name in rows {
        if let Ok(id) = name.parse() {
            *name = names.get(id);
        }
    }
    Ok(())
}

/// A project that is not known keeps its id.
fn name_project(names: &HashMap<ProjectId, Name>, row: &mut String) {
    if let Some(name) = row.parse().ok().and_then(|id: ProjectId| names.get(&id)) {
        *row = name.to_string();
    }
}

/// What all projects used, whoever is in them.
async fn of_all(rest: &Rest, home: &Actor, question: &UsageQuestion) -> Answer<UsageReport> {
    Caller(home.clone()).needs(Role::Admin)?;
    let names = rest.identity.project_names(home).await?;
    let mut report = rest.ledger.usage_of_all(home, question).await?;
    if question.by == UsageBy::Project {
        report.rows.iter_mut().for_each(|row| name_project(&names, &mut row.name));
    }
    Ok(report)
}

/// A row for each project, and the sum of all.
async fn by_project(rest: &Rest, home: &Actor, question: &UsageQuestion) -> Answer<UsageReport> {
    let (mut rows, mut total) = (Vec::new(), UsageRow::default());
    let (mut since, mut until) = (question.since, question.until);
    let mut page = PageRequest::first(LIMIT_MAX);
    loop {
        let found = rest.identity.list_projects(home, &page).await?;
        for own in found.items {
            let actor = Actor { project: own.project.id, role: own.role, ..home.clone() };
            let report = rest.ledger.usage(&actor, question).await?;
            (since, until) = (report.since, report.until);
            add(&mut total, &report.total);
            rows.push(UsageRow { name: own.project.name.to_string(), ..report.total });
        }
        match found.next {
            Some(next) => page = PageRequest::new(Some(LIMIT_MAX), Some(next)).map_err(|fault| invalid(fault.to_string()))?,
            None => break,
        }
    }
    rows.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.name.cmp(&b.name)));
    Ok(UsageReport { since, until, total, rows, cut: false })
}

fn add(total: &mut UsageRow, more: &UsageRow) {
    for (sum, more) in [
        (&mut total.calls, more.calls),
        (&mut total.failed, more.failed),
        (&mut total.unpriced, more.unpriced),
        (&mut total.input, more.input),
        (&mut total.output, more.output),
        (&mut total.cache_read, more.cache_read),
        (&mut total.cache_write, more.cache_write),
        (&mut total.input_audio, more.input_audio),
        (&mut total.input_image, more.input_image),
        (&mut total.reasoning, more.reasoning),
        (&mut total.output_audio, more.output_audio),
        (&mut total.output_image, more.output_image),
        (&mut total.input_estimated, more.input_estimated),
        (&mut total.output_estimated, more.output_estimated),
    ] {
        *sum = sum.saturating_add(more);
    }
    total.cost += more.cost;
}

#[derive(Debug, Deserialize)]
pub(crate) struct RepriceQuery {
    #[serde(rename = "as")]
    other: Option<String>,
    prices: Option<String>,
    by: Option<String>,
    since: Option<String>,
    until: Option<String>,
    key: Option<String>,
    user: Option<String>,
    app: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    #[serde(default)]
    all_projects: bool,
}

/// What calls would have cost on another model (`as`), or at other `prices`: a table of the project, with a version after
/// `@`. Tokens stay as they were counted. Only calls that write text can be another model's; the others are counted apart.
/// Rows are by target, or as of `GET /api/v1/usage`. With `all_projects` the calls of all projects are priced anew, at the prices
/// of the project `default`, which takes an admin of it.
#[utoipa::path(get, path = "/api/v1/usage/reprice", tag = "usage", operation_id = "reprice_usage",
    params(("as" = Option<String>, Query), ("prices" = Option<String>, Query), ("by" = Option<String>, Query),
        ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("key" = Option<String>, Query),
        ("user" = Option<String>, Query), ("app" = Option<String>, Query), ("model" = Option<String>, Query),
        ("provider" = Option<String>, Query), ("all_projects" = Option<bool>, Query)),
    responses((status = 200, body = wire::RepricedView)))]
pub(crate) async fn reprice(
    State(rest): State<Rest>,
    caller: Caller,
    Home(home): Home,
    Query(query): Query<RepriceQuery>,
) -> Answer<Json<wire::RepricedView>> {
    let actor = caller.needs(Role::Reader)?;
    let RepriceQuery { other, prices, by, since, until, key, user, app, model, provider, all_projects } = query;
    let (since, until) = stretch(since.as_deref(), until.as_deref(), rest.clock.now())?;
    let by = by.as_deref().filter(|by| !by.is_empty()).map(str::parse::<UsageBy>).transpose()?.unwrap_or(UsageBy::Target);
    let question = UsageQuestion { by, since, until, filter: UsageFilter { key, user, app, model, provider } };
    let repricing = match (other, prices) {
        (Some(model), None) => Repricing::As(model),
        (None, Some(table)) => {
            let table: AssetRef = table.parse().map_err(|fault: RefFault| invalid(fault.to_string()))?;
            Repricing::Prices(table)
        }
        _ => return Err(invalid("say either `as`, a model, or `prices`, a table")),
    };
    let mut found = if all_projects {
        reprice_all(&rest, &home, (&repricing, &question)).await?
    } else {
        rest.ledger.reprice(actor, &repricing, &question).await?
    };
    match by {
        UsageBy::Project if !all_projects => {
            let own = rest.identity.project(actor).await?;
            found.rows.iter_mut().for_each(|row| row.name = own.name.to_string());
        }
        UsageBy::Principal => name_principals(&rest, found.rows.iter_mut().map(|row| &mut row.name).collect()).await?,
        _ => {}
    }
    let keys = key_names(&rest, by, found.rows.iter().map(|row| row.name.as_str()).collect()).await?;
    let Repriced { since, until, total, rows, cut, apart } = found;
    Ok(Json(wire::RepricedView {
        by: by.as_str().to_owned(),
        since: since.to_string(),
        until: until.to_string(),
        total: repriced(total, &keys),
        rows: rows.into_iter().map(|each| repriced(each, &keys)).collect(),
        cut,
        apart_calls: apart.calls,
        apart_cost: apart.cost.to_string(),
    }))
}

/// Of all projects, whoever is in them.
async fn reprice_all(rest: &Rest, home: &Actor, asked: (&Repricing, &UsageQuestion)) -> Answer<Repriced> {
    Caller(home.clone()).needs(Role::Admin)?;
    let names = rest.identity.project_names(home).await?;
    let projects: Vec<ProjectId> = names.keys().copied().collect();
    let mut found = rest.ledger.reprice_all(home, &projects, asked).await?;
    if asked.1.by == UsageBy::Project {
        found.rows.iter_mut().for_each(|row| name_project(&names, &mut row.name));
        found.rows.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(found)
}

fn repriced(row: RepricedRow, keys: &KeyNames) -> wire::RepricedRow {
    let RepricedRow { name, calls, input, output, cost, repriced, unpriced, still_unpriced } = row;
    let text = |money: Money| money.to_string();
    wire::RepricedRow {
        key_name: keys.get(&name).cloned(),
        name,
        calls,
        input_tokens: input,
        output_tokens: output,
        cost: text(cost),
        repriced: text(repriced),
        unpriced,
        still_unpriced,
    }
}
