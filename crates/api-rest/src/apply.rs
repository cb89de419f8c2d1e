//! Applications as text: many manifests in one transaction; and the schemas they follow.

use axum::{Json, extract::State};
use mainspring_kernel::{Actor, AssetKind, Digest, FaultKind, Role, id::ProjectId, text};
use mainspring_observability::DashboardSpec;
use mainspring_registry::{Action, Change, Draft, Plan, PlannedMove, ProblemKind, RegistryFault};
use mainspring_web_kit::{Answer, Body, Caller, Path, Problem};
use mainspring_wire as wire;
use serde_json::Value;

use crate::{Rest, assets::lines_text};

/// Plans, and unless `dry_run`, applies: all manifests or none, and with `expected` only what that plan said.
#[utoipa::path(post, path = "/api/v1/apply", tag = "assets", operation_id = "apply",
    request_body = wire::ApplyRequest, responses((status = 200, body = wire::ApplyReply)))]
pub(crate) async fn apply(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<wire::ApplyRequest>,
) -> Answer<Json<wire::ApplyReply>> {
    let actor = caller.needs(if body.dry_run { Role::Reader } else { Role::Editor })?;
    let mut origins = body.origins.into_iter();
    let named = |(index, value)| Draft { origin: origin(index, &value, origins.next()), value };
    let drafts: Vec<Draft> = body.manifests.into_iter().enumerate().map(named).collect();
    if drafts.iter().any(is_dashboard) {
        // Before any question is asked: of more drafts than the registry takes none is looked at.
        let mut problems = match rest.registry.plan(actor, &drafts).await {
            Ok(_) => Vec::new(),
            Err(RegistryFault::Rejected { problems }) => problems,
            Err(fault) => return Err(fault.into()),
        };
        let wrong = Box::pin(wrong_panels(&rest, actor, &drafts)).await?;
        if !wrong.is_empty() {
            // With everything else that is wrong, so that it is corrected at once.
            problems.extend(wrong);
            return Err(RegistryFault::Rejected { problems }.into());
        }
    }
    let mut plan = if body.dry_run {
        rest.registry.plan(actor, &drafts).await?
    } else {
        let unreadable = |_| Problem::new(FaultKind::Invalid, "body-invalid", "`expected` is not the digest of a plan");
        let expected = body.expected.map(|digest| digest.parse::<Digest>().map_err(unreadable)).transpose()?;
        let plan = rest.registry.apply_planned(actor, &drafts, body.message.as_deref().unwrap_or(""), expected).await?;
        // Whoever applied a route may call it at once.
        rest.gateway.refresh().await;
        plan
    };
    // By plans alone, whoever may not apply would find out which variables and files this server has.
    if actor.may(Role::Editor) {
        warn_of_keys(&rest, actor.project, &drafts, &mut plan).await;
    }
    Ok(Json(wire::ApplyReply { applied: !body.dry_run, plan: plan.digest().to_string(), changes: planned(plan) }))
}

/// Questions in SQL that no dashboard could show. The registry knows no tables, so it cannot tell.
async fn wrong_panels(rest: &Rest, actor: &Actor, drafts: &[Draft]) -> Answer<Vec<mainspring_registry::Problem>> {
    let mut problems = Vec::new();
    for Draft { origin, value } in drafts.iter().filter(|draft| is_dashboard(draft)) {
        // What cannot be read the registry tells of.
        let Ok(parsed) = (rest.registry.descriptor(AssetKind::Dashboard)?.parse)(&value["spec"]) else { continue };
        let spec: DashboardSpec = serde_json::from_value(parsed.canonical).map_err(|_| Problem::internal())?;
        let wrong = rest.observability.wrong_panels(&rest.points, actor, &spec).await;
        let problem = |(at, message): (usize, String)| {
            let (origin, path) = (origin.clone(), format!("spec.panels[{at}].sql"));
            mainspring_registry::Problem { origin, path, kind: ProblemKind::Spec, message }
        };
        problems.extend(wrong.into_iter().map(problem));
    }
    Ok(problems)
}

fn is_dashboard(draft: &Draft) -> bool {
    draft.value["kind"] == AssetKind::Dashboard.as_str()
}

/// A key that is not there yet may come later, so it is no reason to refuse.
async fn warn_of_keys(rest: &Rest, project: ProjectId, drafts: &[Draft], plan: &mut Plan) {
    for (change, draft) in plan.changes.iter_mut().zip(drafts) {
        if change.kind == AssetKind::Provider {
            change.warnings.extend(rest.gateway.lacks(project, &change.name, &draft.value["spec"]).await);
        }
    }
}

/// How to name a manifest in a message: as whoever sent it does, by what it says it is, or by its place.
fn origin(index: usize, value: &Value, given: Option<String>) -> String {
    if let Some(given) = given.filter(|given| !given.trim().is_empty()) {
        return text::elide(&given, 200);
    }
    match (value["kind"].as_str(), value["name"].as_str()) {
        (Some(kind), Some(name)) => text::elide(&format!("{kind}/{name}"), 120),
        _ => format!("manifest {}", index + 1),
    }
}

fn planned(plan: Plan) -> Vec<wire::PlannedChange> {
    let alias = |step: PlannedMove| wire::PlannedAlias { alias: step.alias.to_string(), from: step.from, to: step.to };
    let change = |change: Change| wire::PlannedChange {
        kind: change.kind.to_string(),
        name: change.name.to_string(),
        action: match change.action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Unchanged => "unchanged",
        }
        .to_owned(),
        from_version: change.before.as_ref().map(|pin| pin.number),
        to_version: Some(change.after.number),
        digest: change.after.digest.to_string(),
        aliases: change.aliases.into_iter().map(alias).collect(),
        diff: Some(lines_text(&change.diff)).filter(|text| !text.is_empty()),
        warnings: change.warnings,
    };
    plan.changes.into_iter().map(change).collect()
}

/// The JSON Schema of a kind's manifests, for editors.
#[utoipa::path(get, path = "/schemas/{kind}", tag = "assets", operation_id = "get_schema",
    params(("kind" = String, Path)), responses((status = 200, body = Value)))]
pub(crate) async fn schema(State(rest): State<Rest>, Path(file): Path<String>) -> Answer<Json<Value>> {
    let kind = file.strip_suffix(".json").unwrap_or(&file);
    let kind = kind.parse().map_err(|fault: mainspring_kernel::name::KindFault| {
        Problem::new(FaultKind::NotFound, "schema-not-found", fault.to_string())
    })?;
    Ok(Json(rest.registry.schema(kind)?))
}
