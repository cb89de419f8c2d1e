//! `mainspring projects` and `mainspring members`.

use std::process::ExitCode;

use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::{Held, Members, Projects},
    output::{self, line, table},
};

pub(crate) async fn projects(session: &Session, command: Projects) -> anyhow::Result<ExitCode> {
    match command {
        Projects::List => {
            let projects: Vec<wire::ProjectView> = session.client.all("/api/v1/projects").await?;
            if session.json {
                output::json(&projects);
                return Ok(ExitCode::SUCCESS);
            }
            let rows = projects
                .into_iter()
                .map(|project| vec![project.name, project.role, project.created_at, project.description.unwrap_or_default()]);
            table(&["project", "your role", "created", "description"], rows.collect());
        }
        Projects::Create { name, description } => {
            let request = wire::NewProject { name, description };
            let project: wire::ProjectView = session.client.post("/api/v1/projects", &request).await?;
            if session.json {
                output::json(&project);
            } else {
                line(&format!("{}; work in it with `--project {}`", project.name, project.name));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn members(session: &Session, command: Members) -> anyhow::Result<ExitCode> {
    let path = |name: &str| format!("/api/v1/members/{}", segment(name));
    let member: wire::MemberView = match command {
        Members::List => return list(session).await,
        Members::Add { name, role, service, labels } => {
            let kind = service.then(|| "service".to_owned());
            let request = wire::NewMember { name, role, kind, labels: held(labels) };
            session.client.post("/api/v1/members", &request).await?
        }
        Members::Set { name, role, all_labels, labels } => {
            let labels = if all_labels { Some(wire::LabelsView::All(wire::AllLabels::All)) } else { held(labels) };
            session.client.put(&path(&name), &wire::MemberChange { role, labels }).await?
        }
        Members::Remove { name } => {
            let member: wire::MemberView = session.client.delete(&path(&name)).await?;
            if !session.json {
                line(&format!("{} is no member any more", output::printable(&member.name)));
                return Ok(ExitCode::SUCCESS);
            }
            member
        }
    };
    if session.json {
        output::json(&member);
    } else {
        line(&format!("{}: {}, labels {}", output::printable(&member.name), member.role, shown(&member.labels)));
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(session: &Session) -> anyhow::Result<ExitCode> {
    let members: Vec<wire::MemberView> = session.client.all("/api/v1/members").await?;
    if session.json {
        output::json(&members);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = members.into_iter().map(|member| {
        let labels = shown(&member.labels);
        vec![member.name, member.kind, member.role, labels, member.since]
    });
    table(&["name", "kind", "role", "labels", "since"], rows.collect());
    Ok(ExitCode::SUCCESS)
}

/// What was said of labels; nothing, when nothing was.
pub(crate) fn held(labels: Held) -> Option<wire::LabelsView> {
    (labels.no_labels || !labels.labels.is_empty()).then_some(wire::LabelsView::Some(labels.labels))
}

pub(crate) fn shown(labels: &wire::LabelsView) -> String {
    match labels {
        wire::LabelsView::All(_) => "all".to_owned(),
        wire::LabelsView::Some(labels) if labels.is_empty() => "none".to_owned(),
        wire::LabelsView::Some(labels) => labels.join(" "),
    }
}
