//! What has no equivalent, with what to do instead where there is something.

use crate::{
    draft::Draft,
    read::{self, Table},
};

pub(super) fn note(draft: &mut Draft, mut top: Table) {
    if let Some(gateway) = top.table("gateway") {
        for (name, _) in gateway.rest() {
            draft.missing(read::joined("gateway", &name), of_gateway(&name));
        }
    }
    for (name, _) in top.rest() {
        draft.missing(name.clone(), of_top(&name));
    }
}

fn of_gateway(name: &str) -> &'static str {
    match name {
        "bind_address" => "the server's own setting: `server.listen`",
        "auth" => "clients show keys made with `mainspring keys create`",
        "observability" => "calls are journaled before they go out and kept in the catalog; traces are in the lake",
        "export" => "spans are taken in by OTLP and kept here; they are not sent on",
        "cache" => "a route has a `cache` of its own, with a `ttl`",
        "relay" => "a provider may be another gateway: give its address",
        "debug" => "the server's own setting: `log.filter`",
        "global_outbound_http_timeout_ms" => "a route has `timeouts` of its own",
        "metrics" => "metrics are at `/metrics`, with buckets of their own",
        "fetch_and_encode_input_files_before_inference" => "files are passed on as the client gives them",
        "template_filesystem_access" => "a template reaches nothing but its values",
        "disable_pseudonymous_usage_analytics" => "nothing is sent anywhere",
        _ => "this has no equivalent",
    }
}

fn of_top(name: &str) -> &'static str {
    match name {
        "metrics" => {
            "feedback is a score of the trace that an answer names: send it to `/api/v1/feedback` or `/api/v1/scores`; names and kinds need no declaration, and a `monitor` watches them"
        }
        "evaluations" => "evaluations are not run here yet; what they find is kept as scores with the source `evaluation`",
        "tools" => "tools come with the request",
        "object_storage" => "images are passed on and not kept",
        "clickhouse" | "postgres" => "the catalog is the server's: SQLite without a setting, or PostgreSQL by its address",
        "optimizers" => "fine-tuning has no equivalent yet",
        _ => "this has no equivalent",
    }
}
