//! Keys of providers that the server keeps: set, listed, removed, and never shown.

use axum::{Json, extract::State};
use mainspring_kernel::{FaultKind, Name, Role, name::NameFault};
use mainspring_secrets::{Resealed, Secret};
use mainspring_web_kit::{Answer, Body, Caller, Home, Paging, Path, Problem};
use mainspring_wire as wire;
use secrecy::SecretString;
use serde_json::Value;

use crate::{Rest, assets::Names};

fn view(secret: Secret, names: &Names) -> wire::SecretView {
    let Secret { name, fingerprint, created, created_by, changed, changed_by, last_used } = secret;
    wire::SecretView {
        name: name.to_string(),
        fingerprint,
        created_at: created.to_string(),
        created_by: names.get(created_by),
        changed_at: changed.to_string(),
        changed_by: names.get(changed_by),
        last_used_at: last_used.map(|at| at.to_string()),
    }
}

async fn one(rest: &Rest, secret: Secret) -> Answer<Json<wire::SecretView>> {
    let names = Names::of(rest, vec![secret.created_by, secret.changed_by]).await?;
    Ok(Json(view(secret, &names)))
}

fn named(text: &str) -> Answer<Name> {
    text.parse().map_err(|fault: NameFault| Problem::new(FaultKind::Invalid, "path-invalid", fault.to_string()))
}

/// By hand: what a reader of JSON finds wrong it repeats, and here that may be the value.
fn value(body: Value) -> Answer<SecretString> {
    let wrong = || Problem::new(FaultKind::Invalid, "body-invalid", "the body is `{\"value\": TEXT}` and nothing else");
    match body {
        Value::Object(mut fields) if fields.len() == 1 => match fields.remove("value") {
            Some(Value::String(text)) => Ok(text.into()),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// Lists the project's secrets by name, without their values.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets", operation_id = "list_secrets",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::SecretView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::SecretView>>> {
    let actor = caller.needs(Role::Admin)?;
    let found = rest.secrets.list(actor, &page).await?;
    let people = found.items.iter().flat_map(|secret| [secret.created_by, secret.changed_by]).collect();
    let names = Names::of(&rest, people).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(|secret| view(secret, &names)).collect(), next: found.next }))
}

/// Keeps a value under a name, in the place of one that had it. Providers that refer to it use it within seconds.
#[utoipa::path(put, path = "/api/v1/secrets/{name}", tag = "secrets", operation_id = "set_secret",
    params(("name" = String, Path)), request_body = wire::NewSecret, responses((status = 200, body = wire::SecretView)))]
pub(crate) async fn set(
    State(rest): State<Rest>,
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body<Value>,
) -> Answer<Json<wire::SecretView>> {
    let actor = caller.needs(Role::Admin)?;
    let secret = rest.secrets.set(actor, &named(&name)?, &value(body)?).await?;
    rest.gateway.refresh_keys().await;
    one(&rest, secret).await
}

/// Removes a secret; providers that refer to it have no key within seconds.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}", tag = "secrets", operation_id = "remove_secret",
    params(("name" = String, Path)), responses((status = 200, body = wire::SecretView)))]
pub(crate) async fn remove(State(rest): State<Rest>, caller: Caller, Path(name): Path<String>) -> Answer<Json<wire::SecretView>> {
    let actor = caller.needs(Role::Admin)?;
    let secret = rest.secrets.remove(actor, &named(&name)?).await?;
    rest.gateway.refresh_keys().await;
    one(&rest, secret).await
}

/// Seals every secret of every project anew. This takes an admin of the project `default`.
#[utoipa::path(post, path = "/api/v1/master-key/rotate", tag = "secrets", operation_id = "rotate_master_key",
    responses((status = 200, body = wire::ResealedSecrets)))]
pub(crate) async fn rotate_master_key(State(rest): State<Rest>, Home(home): Home) -> Answer<Json<wire::ResealedSecrets>> {
    Caller(home.clone()).needs(Role::Admin)?;
    rest.identity.check_administers_installation(&home).await?;
    let Resealed { secrets, master } = rest.secrets.rotate_master_key(&home).await?;
    Ok(Json(wire::ResealedSecrets { secrets, master_key: master }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::value;

    #[test]
    fn a_body_that_is_wrong_is_not_repeated() {
        assert_eq!(value(json!({"value": "sk-1"})).unwrap().expose_secret(), "sk-1");
        let wrong = [
            json!("sk-live"),
            json!(["sk-live"]),
            json!({}),
            json!({"sk-live": 1}),
            json!({"value": ["sk-live"]}),
            json!({"value": "sk-live", "more": 1}),
        ];
        for body in wrong {
            let problem = value(body).unwrap_err();
            assert_eq!((problem.status.as_u16(), problem.code), (400, "body-invalid"));
            assert!(!format!("{problem:?}").contains("sk-live"), "{problem:?}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(text in "\\PC{0,60}|\\{\"value\":\\PC{0,40}\\}") {
            if let Ok(body) = serde_json::from_str(&text) {
                let _ = value(body);
            }
        }
    }
}
