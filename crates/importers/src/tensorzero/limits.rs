//! `[[rate_limiting.rules]]`, which are no specs: a list of commands.

use serde_json::Value;

use crate::{
    draft::Draft,
    read::{self, Table},
};

/// What is limited there, and what it is called here.
const METRICS: [(&str, &str); 4] = [
    ("model_inferences_per_minute", "requests-per-minute"),
    ("tokens_per_minute", "tokens-per-minute"),
    ("cost_per_day", "usd-per-day"),
    ("cost_per_month", "usd-per-month"),
];

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
    for (index, value) in rules.into_iter().enumerate() {
        if let Some(rule) = Table::of(format!("{path}[{index}]"), value) {
            read_rule(draft, rule);
        }
    }
}

fn read_rule(draft: &mut Draft, mut rule: Table) {
    let path = rule.path.clone();
    let whom = whom(&rule.list("scope").unwrap_or_default());
    if rule.take("priority").is_some() {
        draft.different(
            rule.at("priority"),
            "every limit that fits a call holds; one that names its subject takes the place of the one for each",
        );
    }
    rule.take("always");
    let Some(whom) = whom else {
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
        let why = if ours.starts_with("usd") {
            "budgets begin anew with the day or the month in UTC"
        } else {
            "a bucket that refills evenly"
        };
        draft.plan(place, format!("mainspring limits set {ours} {amount} --for {whom}"), why);
    }
    for (field, _) in rule.rest() {
        draft.missing(
            read::joined(&path, &field),
            "requests and tokens are limited by the minute, money by the day and the month",
        );
    }
}

/// Whom a rule is about; nothing where it cannot be said.
fn whom(scope: &[Value]) -> Option<String> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match scope {
        [] => Some("project".to_owned()),
        [one] => {
            if text(one, "api_key_public_id").as_deref() == Some("tensorzero::each") {
                return Some("key".to_owned());
            }
            let (key, value) = (text(one, "tag_key")?, text(one, "tag_value")?);
            match (key.as_str(), value.as_str()) {
                ("user" | "user_id", "tensorzero::each") => Some("user".to_owned()),
                ("user" | "user_id", name) if !name.starts_with("tensorzero::") && plain(name) => Some(format!("user={name}")),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Stands in a command as it is.
fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@'))
}
