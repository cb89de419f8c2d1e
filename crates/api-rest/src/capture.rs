//! What a project keeps of the telemetry that comes in.

use axum::{Json, extract::State};
use mainspring_kernel::{Actor, FaultKind, Role, name::NameFault};
use mainspring_observability::{Capture, CapturePolicy, OwnPattern, Preview, ShownPolicy};
use mainspring_web_kit::{Answer, Body, Caller, Home, Path, Problem};
use mainspring_wire as wire;

use crate::{Rest, assets::Names};

/// The caller in the project that the address names, as one of its admins.
async fn admin_of(rest: &Rest, home: &Actor, project: &str) -> Answer<Actor> {
    let missing = |_: NameFault| Problem::new(FaultKind::NotFound, "identity-project-not-found", "a project has no such name");
    let actor = rest.identity.enter(home, &project.parse().map_err(missing)?).await?;
    Caller(actor.clone()).needs(Role::Admin)?;
    Ok(actor)
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(FaultKind::Invalid, "capture-invalid", detail)
}

fn policy(set: wire::SetCapture) -> Answer<CapturePolicy> {
    let usual = CapturePolicy::default();
    let capture = set.capture.map(|word| {
        let known = Capture::ALL.into_iter().find(|capture| capture.as_str() == word);
        known.ok_or_else(|| invalid("`capture` is `none`, `metadata`, `redacted` or `full`"))
    });
    let mut patterns = Vec::with_capacity(set.patterns.len());
    for wire::CapturePattern { name, pattern } in set.patterns {
        let name = name.parse().map_err(|fault: NameFault| invalid(fault.to_string()))?;
        patterns.push(OwnPattern { name, pattern });
    }
    Ok(CapturePolicy {
        capture: capture.transpose()?,
        patterns,
        share: set.share.unwrap_or(usual.share),
        keep_errors: set.keep_errors.unwrap_or(usual.keep_errors),
        keep_slower_than_ms: set.keep_slower_than_ms,
        hold_seconds: set.hold_seconds.unwrap_or(usual.hold_seconds),
    })
}

async fn view(rest: &Rest, actor: &Actor, shown: ShownPolicy) -> Answer<Json<wire::CaptureView>> {
    let ShownPolicy { policy, revision, changed, bound, effective } = shown;
    let names = Names::of(rest, changed.iter().map(|(_, by)| *by).collect()).await?;
    let tally = rest.observability.tally(actor);
    let patterns = policy.patterns.into_iter();
    Ok(Json(wire::CaptureView {
        project: rest.identity.project(actor).await?.name.to_string(),
        capture: policy.capture.map(|capture| capture.as_str().to_owned()),
        server: bound.as_str().to_owned(),
        effective: effective.as_str().to_owned(),
        patterns: patterns.map(|OwnPattern { name, pattern }| wire::CapturePattern { name: name.to_string(), pattern }).collect(),
        share: policy.share,
        keep_errors: policy.keep_errors,
        keep_slower_than_ms: policy.keep_slower_than_ms,
        hold_seconds: policy.hold_seconds,
        revision,
        changed_at: changed.map(|(at, _)| at.to_string()),
        changed_by: changed.map(|(_, by)| names.get(by)),
        here: wire::CaptureCounts {
            kept: tally.kept,
            left_out_by_share: tally.head,
            left_out_by_outcome: tally.outcome,
            left_out_early: tally.early,
            held: tally.held,
            redacted: tally.redacted,
        },
    }))
}

/// Shows what a project keeps, and what this server left out since it began.
#[utoipa::path(get, path = "/api/v1/projects/{project}/capture", tag = "projects", operation_id = "get_capture",
    params(("project" = String, Path)), responses((status = 200, body = wire::CaptureView)))]
pub(crate) async fn show(
    State(rest): State<Rest>,
    Home(home): Home,
    Path(project): Path<String>,
) -> Answer<Json<wire::CaptureView>> {
    let actor = admin_of(&rest, &home, &project).await?;
    let shown = rest.capture.show(&actor).await?;
    view(&rest, &actor, shown).await
}

/// Sets what a project keeps: in force here at once, and on other servers within two seconds.
#[utoipa::path(put, path = "/api/v1/projects/{project}/capture", tag = "projects", operation_id = "set_capture",
    params(("project" = String, Path)), request_body = wire::SetCapture, responses((status = 200, body = wire::CaptureView)))]
pub(crate) async fn set(
    State(rest): State<Rest>,
    Home(home): Home,
    Path(project): Path<String>,
    Body(body): Body<wire::SetCapture>,
) -> Answer<Json<wire::CaptureView>> {
    let actor = admin_of(&rest, &home, &project).await?;
    let expected = body.expected;
    let shown = rest.capture.set(&actor, &policy(body)?, expected).await?;
    view(&rest, &actor, shown).await
}

/// Shows what a text becomes under a project's policy, or under one that is not set. Nothing of it is kept.
#[utoipa::path(post, path = "/api/v1/projects/{project}/capture/preview", tag = "projects", operation_id = "preview_capture",
    params(("project" = String, Path)), request_body = wire::PreviewCapture, responses((status = 200, body = wire::CapturePreview)))]
pub(crate) async fn preview(
    State(rest): State<Rest>,
    Home(home): Home,
    Path(project): Path<String>,
    Body(body): Body<wire::PreviewCapture>,
) -> Answer<Json<wire::CapturePreview>> {
    let actor = admin_of(&rest, &home, &project).await?;
    let draft = body.policy.map(policy).transpose()?;
    let Preview { capture, text, found } = rest.capture.preview(&actor, &body.text, draft.as_ref()).await?;
    let found = found.iter().map(|(name, count)| wire::CaptureFound { name: name.to_owned(), count }).collect();
    Ok(Json(wire::CapturePreview { capture: capture.as_str().to_owned(), text, found }))
}
