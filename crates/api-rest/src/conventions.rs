//! Which conventions the senders of spans speak, and what is not understood of them.

use axum::{Json, extract::State};
use mainspring_kernel::Role;
use mainspring_observability::{Conventions, ServiceWords, UnknownName};
use mainspring_web_kit::{Answer, Caller};
use mainspring_wire as wire;

use crate::Rest;

/// Says which conventions and versions the newest spans of each service are written in, names that are not understood, and
/// attributes of the senders' own.
#[utoipa::path(get, path = "/api/v1/traces/conventions", tag = "traces", operation_id = "get_trace_conventions",
    responses((status = 200, body = wire::ConventionReport)))]
pub(crate) async fn report(State(rest): State<Rest>, caller: Caller) -> Answer<Json<wire::ConventionReport>> {
    let actor = caller.needs(Role::Reader)?;
    let Conventions { services, unknown, attributes, spans } = rest.observability.conventions(actor).await?;
    Ok(Json(wire::ConventionReport {
        services: services.into_iter().map(service).collect(),
        unknown: unknown.into_iter().map(name).collect(),
        attributes,
        spans,
    }))
}

fn service(words: ServiceWords) -> wire::ServiceConventions {
    let ServiceWords { service, spans, last, conventions, versions, instrumentations } = words;
    wire::ServiceConventions {
        service,
        spans,
        last: last.to_string(),
        conventions: conventions.into_iter().map(|(convention, spans)| (convention.as_str().to_owned(), spans)).collect(),
        versions: versions.into_iter().collect(),
        instrumentations: instrumentations.into_iter().collect(),
    }
}

fn name(UnknownName { name, spans, services, like }: UnknownName) -> wire::UnknownAttribute {
    wire::UnknownAttribute { name, spans, services: services.into_iter().collect(), like: like.map(str::to_owned) }
}
