//! `[[rate_limiting.rules]]`, which are no specs: what the server can be told to set.

use std::collections::BTreeMap;

use mainspring_gateway::ledger::{Metric, SubjectKind};
use mainspring_kernel::{Name, Role};
use serde_json::Value;

use crate::{
    client_keys,
    draft::{Client, Draft},
    read::{self, Table},
};

/// What is limited there, and what it is called here.
const METRICS: [(&str, Metric); 4] = [
    ("model_inferences_per_minute", Metric::RequestsPerMinute),
    ("tokens_per_minute", Metric::TokensPerMinute),
    ("cost_per_day", Metric::UsdPerDay),
    ("cost_per_month", Metric::UsdPerMonth),
];

/// Keys that rules name by their public ids, and what they are called here.
type Keys = BTreeMap<String, Name>;

pub(super) fn read(draft: &mut Draft, mut table: Table) {
    let off = table.truth("enabled") == Some(false);
    if table.take("default_cost").is_some() {
        draft.missing(table.at("default_cost"), "not needed: what a call may cost is worked out before it is made");
    }
    let path = table.at("rules");
    let rules = table.list("rules").unwrap_or_default();
    for (field, _) in table.rest() {
        draft.missing(format!("rate_limiting.{field}"), "this has no equivalent");
    }
    if off {
        return;
    }
    let mut keys = Keys::new();
    for (index, value) in rules.into_iter().enumerate() {
        if let Some(rule) = Table::of(format!("{path}[{index}]"), value) {
            read_rule(draft, rule, &mut keys);
        }
    }
}

fn read_rule(draft: &mut Draft, mut rule: Table, keys: &mut Keys) {
    let path = rule.path.clone();
    let whom = whom(draft, &rule.list("scope").unwrap_or_default(), (keys, &path));
    if rule.take("priority").is_some() {
        draft.different(
            rule.at("priority"),
            "every limit that fits a call holds; one that names its subject takes the place of the one for each",
        );
    }
    rule.take("always");
    let Some((kind, subject)) = whom else {
        draft.missing(path, "limits are for the project, a key, a member, a user or a model, not for other tags");
        return;
    };
    for (theirs, ours) in METRICS {
        let Some(value) = rule.take(theirs) else { continue };
        let (amount, refill) = match &value {
            Value::Object(bucket) => {
                (bucket.get("capacity").and_then(read::number), bucket.get("refill_rate").and_then(read::number))
            }
            plain => (read::number(plain), None),
        };
        let place = read::joined(&path, theirs);
        let Some(amount) = amount.filter(|amount| *amount > 0.0) else {
            draft.missing(place, "this is no number");
            continue;
        };
        if refill.is_some_and(|refill| refill != amount) {
            draft.different(&place, "a bucket refills by what it holds each minute");
        }
        let why = match ours.span() {
            Some(_) => "budgets begin anew with the day or the month in UTC",
            None => "a bucket that refills evenly",
        };
        draft.limit(place, (kind, subject.as_deref()), (ours, &amount.to_string()), why);
    }
    for (field, _) in rule.rest() {
        draft.missing(
            read::joined(&path, &field),
            "requests and tokens are limited by the minute, money by the day and the month",
        );
    }
}

/// Whom a rule is about; nothing where it cannot be said.
fn whom(draft: &mut Draft, scope: &[Value], (keys, path): (&mut Keys, &str)) -> Option<(SubjectKind, Option<String>)> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let [one] = scope else {
        return scope.is_empty().then_some((SubjectKind::Project, None));
    };
    if let Some(id) = text(one, "api_key_public_id") {
        return match id.as_str() {
            "tensorzero::each" => Some((SubjectKind::Key, None)),
            id if !id.starts_with("tensorzero::") && public(id) => {
                key(draft, keys, (id, path)).map(|name| (SubjectKind::Key, Some(name.to_string())))
            }
            _ => None,
        };
    }
    let (key, value) = (text(one, "tag_key")?, text(one, "tag_value")?);
    match (key.as_str(), value.as_str()) {
        ("user" | "user_id", "tensorzero::each") => Some((SubjectKind::User, None)),
        ("user" | "user_id", name) if !name.starts_with("tensorzero::") && plain(name) => {
            Some((SubjectKind::User, Some(name.to_owned())))
        }
        _ => None,
    }
}

/// The key that is made for one of theirs.
fn key(draft: &mut Draft, keys: &mut Keys, (id, path): (&str, &str)) -> Option<Name> {
    if let Some(name) = keys.get(id) {
        return Some(name.clone());
    }
    let called = format!("client-{id}");
    let client = Client { name: &called, role: Role::Reader, models: None, expires: None };
    let name = draft.client(path, client, client_keys::NEW)?;
    keys.insert(id.to_owned(), name.clone());
    Some(name)
}

/// Short enough to be no whole key, which would be a secret.
fn public(id: &str) -> bool {
    plain(id) && id.len() <= 32 && !id.starts_with("sk-")
}

/// Stands in a command as it is.
fn plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@'))
}
