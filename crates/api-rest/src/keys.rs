//! API keys and the audit log.

use std::time::Duration;

use axum::{Json, extract::State};
use mainspring_identity::{ApiKey, AuditRecord, IssuedKey, NewKey};
use mainspring_kernel::{FaultKind, Labels, ModelScope, Name, Role, Timestamp, id::ApiKeyId};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem};
use mainspring_wire as wire;
use secrecy::ExposeSecret;

use crate::{Rest, assets::Names, projects};

fn invalid(code: &'static str, detail: impl std::fmt::Display) -> Problem {
    Problem::new(FaultKind::Invalid, code, detail.to_string())
}

fn view(key: ApiKey, names: &Names) -> wire::KeyView {
    let ApiKey { id, name, prefix, principal, role, labels, models, created, created_by: _, .. } = key;
    let ApiKey { expires, old_until, last_used, revoked, .. } = key;
    wire::KeyView {
        id: id.to_string(),
        name: name.to_string(),
        role: role.to_string(),
        labels: projects::labels_view(labels),
        models: match models {
            ModelScope::All => None,
            ModelScope::Some(names) => Some(names.into_iter().collect()),
        },
        member: Some(names.get(principal)),
        hint: Some(prefix),
        created_at: created.to_string(),
        expires_at: expires.map(|at| at.to_string()),
        old_secret_until: old_until.map(|at| at.to_string()),
        last_used_at: last_used.map(|at| at.to_string()),
        revoked_at: revoked.map(|at| at.to_string()),
    }
}

async fn one(rest: &Rest, key: ApiKey) -> Answer<wire::KeyView> {
    let names = Names::of(rest, vec![key.principal]).await?;
    Ok(view(key, &names))
}

async fn issued(rest: &Rest, issued: IssuedKey) -> Answer<Json<wire::CreatedKey>> {
    let secret = issued.secret.expose_secret().to_owned();
    Ok(Json(wire::CreatedKey { key: one(rest, issued.key).await?, secret }))
}

/// Lists keys, newest first.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", operation_id = "list_keys",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::KeyView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::KeyView>>> {
    let actor = caller.needs(Role::Admin)?;
    let keys = rest.identity.list_keys(actor, &page).await?;
    let names = Names::of(&rest, keys.items.iter().map(|key| key.principal).collect()).await?;
    Ok(Json(wire::Page { items: keys.items.into_iter().map(|key| view(key, &names)).collect(), next: keys.next }))
}

/// Makes a key. The secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", operation_id = "create_key",
    request_body = wire::NewKey, responses((status = 200, body = wire::CreatedKey)))]
pub(crate) async fn create(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<wire::NewKey>,
) -> Answer<Json<wire::CreatedKey>> {
    let actor = caller.needs(Role::Admin)?;
    let labels = body.labels.map_or(Labels::All, projects::labels);
    let models = body.models.map_or(ModelScope::All, |names| ModelScope::Some(names.into_iter().collect()));
    let expires = body
        .expires_at
        .filter(|text| !text.is_empty())
        .map(|text| Timestamp::parse(&text).ok_or_else(|| invalid("body-invalid", "`expires_at` is not an RFC 3339 time")))
        .transpose()?;
    let role = projects::role(&body.role)?;
    let name: Name = body.name.parse().map_err(|fault: mainspring_kernel::name::NameFault| invalid("body-invalid", fault))?;
    let principal = match body.member.as_deref() {
        Some(member) => Some(rest.identity.member(actor, member).await?.principal.id),
        None => None,
    };
    let new = NewKey { name, role, labels, models, expires, principal };
    issued(&rest, rest.identity.create_key(actor, &new).await?).await
}

pub(crate) fn key_id(text: &str) -> Answer<ApiKeyId> {
    text.parse().map_err(|fault: mainspring_kernel::id::IdFault| invalid("path-invalid", fault))
}

/// Gives a key a new secret. It stays the same key, with its limits and its usage; the old secret stops at once, or after
/// the overlap that was asked for.
#[utoipa::path(post, path = "/api/v1/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key",
    params(("id" = String, Path)), request_body = wire::RotateKey, responses((status = 200, body = wire::CreatedKey)))]
pub(crate) async fn rotate(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<wire::RotateKey>,
) -> Answer<Json<wire::CreatedKey>> {
    let actor = caller.needs(Role::Admin)?;
    let overlap = Duration::from_secs(body.overlap_seconds.unwrap_or_default());
    issued(&rest, rest.identity.rotate_key(actor, key_id(&id)?, overlap).await?).await
}

/// Ends a key at once.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "keys", operation_id = "revoke_key",
    params(("id" = String, Path)), responses((status = 200, body = wire::KeyView)))]
pub(crate) async fn revoke(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::KeyView>> {
    let actor = caller.needs(Role::Admin)?;
    let key = rest.identity.revoke_key(actor, key_id(&id)?).await?;
    Ok(Json(one(&rest, key).await?))
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "keys", operation_id = "list_audit",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::AuditEntry>)))]
pub(crate) async fn audit(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::AuditEntry>>> {
    let actor = caller.needs(Role::Admin)?;
    let found = rest.identity.list_audit(actor, &page).await?;
    let names = Names::of(&rest, found.items.iter().map(|record| record.principal).collect()).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(|record| entry(record, &names)).collect(), next: found.next }))
}

fn entry(record: AuditRecord, names: &Names) -> wire::AuditEntry {
    wire::AuditEntry {
        sequence: u64::try_from(record.number).unwrap_or_default(),
        at: record.at.to_string(),
        actor: names.get(record.principal),
        action: record.action,
        target: record.subject,
        detail: record.detail,
        hash: record.digest.to_string(),
    }
}

/// Follows the hash chain of the audit log to its end.
#[utoipa::path(post, path = "/api/v1/audit/verify", tag = "keys", operation_id = "verify_audit", responses((status = 200, body = wire::AuditCheck)))]
pub(crate) async fn verify_audit(State(rest): State<Rest>, caller: Caller) -> Answer<Json<wire::AuditCheck>> {
    let actor = caller.needs(Role::Admin)?;
    let verdict = rest.identity.verify_audit(actor).await?;
    Ok(Json(wire::AuditCheck {
        intact: verdict.broken.is_none(),
        entries: u64::try_from(verdict.verified).unwrap_or_default(),
        broken_at: verdict.broken.and_then(|link| u64::try_from(link.number).ok()),
    }))
}
