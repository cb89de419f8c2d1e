//! What Portkey answers to `GET /v1/api-keys`: its keys, with their limits.

use mainspring_gateway::ledger::{Metric, SubjectKind};
use mainspring_kernel::{Name, Role};
use serde_json::Value;

use crate::{
    client_keys::{self, Expiry},
    draft::{Client, Draft},
    fault::ImportFault,
    read::{self, Table},
};

/// What it keeps of a key that says nothing of what the key may do. A part of the key is among it: none is shown.
const QUIET: [&str; 16] = [
    "id",
    "object",
    "key",
    "slug",
    "description",
    "created_at",
    "created_by",
    "last_updated_at",
    "updated_at",
    "creation_mode",
    "organisation_id",
    "workspace_id",
    "workspace_slug",
    "user_id",
    "alert_emails",
    "is_default",
];

pub(super) fn read(draft: &mut Draft, text: &str) -> Result<(), ImportFault> {
    let (list, top) = client_keys::list(text, "Portkey's list of keys", "data")?;
    let listed = u64::try_from(list.len()).unwrap_or(u64::MAX);
    if top.get("total").and_then(read::whole).is_some_and(|total| total > listed) {
        draft.missing("data", "this is one page of several: ask for a larger `page_size`, or import each");
    }
    client_keys::each(draft, list, "data", one);
    Ok(())
}

fn one(draft: &mut Draft, mut key: Table) {
    let path = key.path.clone();
    if key.take("status").is_some_and(|status| status != "active") {
        return draft.missing(path, "it is not active there: no key is made");
    }
    let expires = match client_keys::expiry(draft, key.take("expires_at"), &path) {
        Expiry::Never => None,
        Expiry::At(at) => Some(at),
        Expiry::Unknown => return,
    };
    let most = key.peek("usage_limits").and_then(|usage| usage.get("credit_limit")).filter(|value| !value.is_null());
    if most.is_some_and(|value| read::number(value).is_none_or(|amount| amount < 0.0)) {
        return draft.missing(key.at("usage_limits"), "this limit cannot be read: no key is made");
    }
    // Those of people and those that administer are told apart there; calls of models are what moves in.
    let called = key.text("name").unwrap_or_default();
    let client = Client { name: &called, role: Role::Reader, models: None, expires };
    let Some(name) = draft.client(&path, client, client_keys::NEW) else { return };
    budget(draft, &mut key, &name);
    rates(draft, &mut key, &name);
    rest(draft, key);
}

fn budget(draft: &mut Draft, key: &mut Table, name: &Name) {
    let Some(mut usage) = key.table("usage_limits") else { return };
    let path = usage.at("credit_limit");
    if usage.text("type").is_some_and(|kind| kind != "cost") {
        return draft.missing(path, "tokens are limited by the minute: `mainspring limits set tokens-per-minute …`");
    }
    let Some(amount) = usage.number("credit_limit") else { return };
    if usage.text("periodic_reset").as_deref() != Some("monthly") {
        // Without one it could spend without an end.
        draft.different(&path, "a budget that never begins anew, or for another time, becomes one for each calendar month");
    }
    let whom = (SubjectKind::Key, Some(name.as_str()));
    draft.limit(path, whom, (Metric::UsdPerMonth, &amount.to_string()), "budgets begin anew with the month in UTC");
}

fn rates(draft: &mut Draft, key: &mut Table, name: &Name) {
    let path = key.at("rate_limits");
    for (index, value) in key.list("rate_limits").unwrap_or_default().into_iter().enumerate() {
        let place = format!("{path}[{index}]");
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let metric = match (text("type"), text("unit")) {
            ("requests", "rpm") => Metric::RequestsPerMinute,
            ("tokens", "rpm") => Metric::TokensPerMinute,
            _ => {
                draft.missing(place, "requests and tokens are limited by the minute");
                continue;
            }
        };
        let most = value.get("value").and_then(read::whole).unwrap_or_default().to_string();
        draft.limit(place, (SubjectKind::Key, Some(name.as_str())), (metric, &most), "for this key alone");
    }
}

fn rest(draft: &mut Draft, key: Table) {
    let path = key.path.clone();
    for (name, value) in key.rest() {
        let empty = match &value {
            Value::Array(list) => list.is_empty(),
            Value::Object(fields) => fields.values().all(Value::is_null),
            Value::String(text) => text.is_empty(),
            Value::Number(number) => number.as_f64() == Some(0.0),
            other => other == &Value::Bool(false),
        };
        if empty || QUIET.contains(&name.as_str()) {
            continue;
        }
        let message = match name.as_str() {
            "scopes" => "keys are made as readers, which may call models; `mainspring keys create --role` makes others",
            "type" => "keys act for whoever makes them; `mainspring keys create --for MEMBER` makes one for another",
            "defaults" => "what a call says when it says nothing is of a route, not of a key",
            _ => "this has no equivalent",
        };
        draft.missing(read::joined(&path, &name), message);
    }
}
