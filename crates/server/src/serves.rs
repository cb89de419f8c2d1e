//! What a process serves: everything, or models only.

use std::time::Duration;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use mainspring_kernel::FaultKind;
use mainspring_observability::Bring;
use mainspring_web_kit::Problem;

use crate::addresses;

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Serves {
    #[default]
    Everything,
    /// A gateway: the surfaces by which models are called, and what administers them. It runs no apps, ingests nothing, and
    /// loads a local model only where a route names it.
    Models,
}

impl Serves {
    /// When spans are brought to the lake. Nobody reads traces at a gateway, and each commit of a lake costs it time and
    /// memory; of a lake in its own data directory nobody reads at all while it runs.
    pub(crate) const fn bring(self, shared: bool) -> Bring {
        match (self, shared) {
            (Self::Everything, _) => Bring::Within(Duration::from_millis(100)),
            (Self::Models, true) => Bring::Within(Duration::from_secs(1)),
            (Self::Models, false) => Bring::WhenQuiet,
        }
    }
}

/// Nouns of the REST API that a gateway has; whatever is added elsewhere it has not.
const NOUNS: [&str; 17] = [
    "apply",
    "assets",
    "audit",
    "batches",
    "calls",
    "files",
    "health",
    "keys",
    "limits",
    "master-key",
    "members",
    "openapi.json",
    "processes",
    "projects",
    "routes",
    "secrets",
    "usage",
];

const ELSEWHERE: &str =
    "this process serves models only; the page and everything else are at one started with `mainspring serve`";

/// Nouns of what a gateway records and shows to nobody.
const OF_TRACES: [&str; 5] = ["traces", "spans", "logs", "sessions", "users"];

const LATER: &str = "`mainspring serve` shows traces: over the same PostgreSQL and the same lake at any time, over this data folder \
     once the gateway has stopped; until then `mainspring calls` shows its calls";

/// The layer in front of the surfaces of a gateway.
pub(crate) async fn models_only(request: Request, next: Next) -> Response {
    if has(request.uri().path()) {
        return next.run(request).await;
    }
    let hint = hint(request.uri().path());
    Problem::new(FaultKind::NotFound, "models-only", "this process serves models only").with_hint(hint).into_response()
}

fn hint(path: &str) -> &'static str {
    if noun(path).is_some_and(|noun| OF_TRACES.contains(&noun)) {
        LATER
    } else {
        "ask a process that was started with `mainspring serve`"
    }
}

/// Whatever no route of a gateway took.
pub(crate) async fn nothing_here(request: Request) -> Response {
    let path = request.uri().path();
    Problem::new(FaultKind::NotFound, "route-not-found", format!("nothing answers {} {path}", request.method()))
        .with_hint(addresses::meant(path).unwrap_or_else(|| ELSEWHERE.to_owned()))
        .into_response()
}

fn has(path: &str) -> bool {
    match noun(path) {
        Some(noun) => NOUNS.contains(&noun),
        None => !path.starts_with("/api/"),
    }
}

fn noun(path: &str) -> Option<&str> {
    path.strip_prefix("/api/v1/")?.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::{LATER, has, hint};

    #[test]
    fn whoever_asks_a_gateway_for_traces_is_told_where_and_when_they_are_shown() {
        for path in ["/api/v1/traces", "/api/v1/traces/5b8e/tree", "/api/v1/sessions/s-1", "/api/v1/spans/count", "/api/v1/logs"]
        {
            assert_eq!(hint(path), LATER, "{path}");
        }
        for path in ["/api/v1/knowledge/x", "/api/v1/tracesmith", "/api/v2/traces"] {
            assert!(!hint(path).contains("traces"), "{path}");
        }
    }

    #[test]
    fn a_gateway_has_what_calls_models_and_what_administers_that() {
        for path in
            ["/v1/chat/completions", "/v1/messages", "/healthz", "/api/v1/keys", "/api/v1/keys/key_1/rotate", "/schemas/route"]
        {
            assert!(has(path), "{path}");
        }
        for path in ["/api/v1/knowledge/x/ingest", "/api/v1/apps", "/api/v1/keysmith", "/api/v1/", "/api/v1", "/api/v2/keys"] {
            assert!(!has(path), "{path}");
        }
    }
}
