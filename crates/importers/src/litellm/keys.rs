//! What LiteLLM answers to `GET /key/list?return_full_object=true`: its keys, which no `config.yaml` holds.

use mainspring_gateway::ledger::SubjectKind;
use mainspring_kernel::Role;
use serde_json::Value;

use super::limits;
use crate::{
    client_keys::{self, Expiry},
    draft::{Client, Draft},
    fault::ImportFault,
    read::{self, Table},
};

/// What it keeps of a key that says nothing of what the key may do. Digests and beginnings of keys are among it: none is shown.
const QUIET: [&str; 22] = [
    "token",
    "token_id",
    "key",
    "key_name",
    "spend",
    "model_spend",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "last_active",
    "last_refreshed_at",
    "budget_reset_at",
    "soft_budget_cooldown",
    "litellm_budget_table",
    "rotation_count",
    "last_rotation_at",
    "key_rotation_at",
    "user",
    "user_email",
    "team_alias",
    "created_by_user",
];
/// Every model: no bound on names.
const EVERY: [&str; 2] = ["all-proxy-models", "all-team-models"];
const BOUNDS: [&str; 4] = ["max_budget", "rpm_limit", "tpm_limit", "max_parallel_requests"];
/// Sessions of its own page have keys too.
const PAGE: &str = "litellm-dashboard";

pub(super) fn read(draft: &mut Draft, text: &str) -> Result<(), ImportFault> {
    let whose = "LiteLLM's list of keys";
    let (list, top) = client_keys::list(text, whose, "keys")?;
    if list.iter().any(Value::is_string) {
        return Err(ImportFault::Foreign { whose, reason: "it names digests only: ask for `return_full_object=true`" });
    }
    let page = |name: &str| top.get(name).and_then(read::whole);
    if page("current_page").unwrap_or(1) < page("total_pages").unwrap_or(1) {
        draft.missing("keys", "this is one page of several: ask for a larger `size`, or import each");
    }
    client_keys::each(draft, list, "keys", one);
    Ok(())
}

fn one(draft: &mut Draft, mut key: Table) {
    let path = key.path.clone();
    let (team, user) = (key.text("team_id"), key.text("user_id"));
    if team.as_deref() == Some(PAGE) {
        return draft.missing(path, "a session of its page: no key is made");
    }
    if key.has("blocked") && key.truth("blocked") != Some(false) {
        return draft.missing(path, "it is blocked there: no key is made");
    }
    let expires = match client_keys::expiry(draft, key.take("expires"), &path) {
        Expiry::Never => None,
        Expiry::At(at) => Some(at),
        Expiry::Unknown => return,
    };
    if let Some(field) = BOUNDS.into_iter().find(|field| !is_readable(&key, field)) {
        return draft.missing(key.at(field), "this limit cannot be read, or lets nothing through: no key is made");
    }
    let Some(models) = models(draft, &mut key) else { return };
    if team.is_some() {
        draft.different(key.at("team_id"), "a team is a project: keys are made in the project that is imported into");
    }
    if team.is_some() && models.0.is_none() {
        let all =
            "what its team may name and spend is not in this list: the key may name everything, until it is made with `--models`";
        draft.different(key.at("models"), all);
    }
    if user.is_some() {
        let other = "keys act for whoever makes them; `mainspring keys create --for MEMBER` makes one for another";
        draft.different(key.at("user_id"), other);
    }
    let alias = key.text("key_alias").filter(|alias| !alias.trim().is_empty()).or(user);
    let client = Client { name: alias.as_deref().unwrap_or_default(), role: Role::Reader, models: models.0, expires };
    let Some(name) = draft.client(&path, client, client_keys::NEW) else { return };
    let whom = (SubjectKind::Key, Some(name.as_str()));
    limits::budget_of_key(draft, &mut key, whom);
    limits::rates(draft, &mut key, whom);
    rest(draft, key);
}

/// Absent, or a number that a limit can be.
fn is_readable(key: &Table, field: &str) -> bool {
    let Some(value) = key.peek(field).filter(|value| !value.is_null()) else { return true };
    if field == "max_budget" {
        return read::number(value).is_some_and(|amount| amount >= 0.0);
    }
    read::whole(value).is_some_and(|most| most > 0)
}

/// A bound on names, or none.
struct Models(Option<Vec<String>>);

/// What the key may name; nothing where that cannot be said, so that it would be allowed more than there.
fn models(draft: &mut Draft, key: &mut Table) -> Option<Models> {
    let path = key.at("models");
    if !key.has("models") {
        return Some(Models(None));
    }
    let Some(names) = key.texts("models") else {
        draft.missing(path, "this is no list of names: no key is made");
        return None;
    };
    if names.is_empty() || names.iter().any(|name| EVERY.contains(&name.as_str())) {
        return Some(Models(None));
    }
    client_keys::models(draft, names, &path).map(|names| Models(Some(names)))
}

fn rest(draft: &mut Draft, key: Table) {
    let path = key.path.clone();
    for (name, value) in key.rest() {
        let empty = match &value {
            Value::Bool(on) => !on,
            Value::Array(list) => list.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        if empty || QUIET.contains(&name.as_str()) {
            continue;
        }
        let message = match name.as_str() {
            "aliases" => "names of models are of routes: write them into a route's `models`",
            "soft_budget" => "a `monitor` of the sum of `cost` of the key's calls tells a `receiver` before a budget is spent",
            "metadata" | "tags" => "keys have a name and no notes",
            "model_max_budget" | "model_rpm_limit" | "model_tpm_limit" => {
                "a limit is for a key or for a model, not for one within the other"
            }
            "organization_id" | "org_id" | "project_id" | "agent_id" => "keys belong to a project and act for a member",
            "permissions" | "allowed_routes" | "allowed_passthrough_routes" | "config" | "allowed_cache_controls" => {
                "what a key may do is its role"
            }
            _ => "this has no equivalent",
        };
        draft.missing(read::joined(&path, &name), message);
    }
}
