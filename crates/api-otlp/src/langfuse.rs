//! What Langfuse's clients ask beside sending spans: whether anybody is there, and whether the key is good.

use axum::Json;
use mainspring_kernel::Role;
use mainspring_web_kit::{Caller, Problem};
use serde_json::{Value, json};

/// Anybody may ask.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({"status": "OK", "version": env!("CARGO_PKG_VERSION")}))
}

/// The one project of the key.
pub(crate) async fn projects(caller: Caller) -> Result<Json<Value>, Problem> {
    let project = caller.needs(Role::Reader)?.project.to_string();
    let organization = json!({"id": "mainspring", "name": "mainspring"});
    Ok(Json(json!({"data": [{"id": project, "name": project, "organization": organization, "metadata": {}}]})))
}
