//! `mainspring keys` and `mainspring audit`.

use std::process::ExitCode;

use mainspring_config::Seconds;
use mainspring_wire as wire;

use super::{
    Session,
    projects::{held, shown},
    segment,
};
use crate::{
    args::{Keys, Paging},
    output::{self, dash, line, say, table},
    report::PARTIAL,
};

pub(crate) async fn keys(session: &Session, command: Keys) -> anyhow::Result<ExitCode> {
    match command {
        Keys::Create { name, role, labels, models, expires_at, member } => {
            let request = wire::NewKey { name, role, labels: held(labels), models, expires_at, member };
            let created: wire::CreatedKey = session.client.post("/api/v1/keys", &request).await?;
            show_secret(session, &created);
        }
        Keys::List => list(session).await?,
        Keys::Rotate { id, overlap } => {
            let overlap = overlap.map(|text| text.parse::<Seconds>()).transpose().map_err(anyhow::Error::msg)?;
            let request = wire::RotateKey { overlap_seconds: overlap.map(|overlap| overlap.0.as_secs()) };
            let rotated: wire::CreatedKey =
                session.client.post(&format!("/api/v1/keys/{}/rotate", segment(&id)), &request).await?;
            if let Some(until) = rotated.key.old_secret_until.as_deref().filter(|_| !session.json && overlap.is_some()) {
                say(&format!("the old secret works until {until}"));
            }
            show_secret(session, &rotated);
        }
        Keys::Revoke { id } => {
            let revoked: wire::KeyView = session.client.delete(&format!("/api/v1/keys/{}", segment(&id))).await?;
            if session.json {
                output::json(&revoked);
            } else {
                line(&format!("{} is revoked", revoked.name));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_secret(session: &Session, created: &wire::CreatedKey) {
    if session.json {
        output::json(created);
        return;
    }
    say(&format!("{} ({}); the key is shown once:", created.key.name, created.key.role));
    line(&created.secret);
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let keys: Vec<wire::KeyView> = session.client.all("/api/v1/keys").await?;
    if session.json {
        output::json(&keys);
        return Ok(());
    }
    let rows = keys.iter().map(|key| {
        let state = if key.revoked_at.is_some() { "revoked" } else { "active" };
        vec![
            key.id.clone(),
            key.name.clone(),
            dash(key.member.as_deref()),
            key.role.clone(),
            shown(&key.labels),
            key.models.as_ref().map_or_else(|| "all".to_owned(), |models| models.join(" ")),
            state.to_owned(),
            dash(key.expires_at.as_deref()),
            dash(key.last_used_at.as_deref()),
        ]
    });
    table(&["id", "name", "for", "role", "labels", "models", "state", "expires", "last used"], rows.collect());
    Ok(())
}

pub(crate) async fn audit(session: &Session, verify: bool, paging: &Paging) -> anyhow::Result<ExitCode> {
    if verify {
        let check: wire::AuditCheck = session.client.post("/api/v1/audit/verify", &serde_json::json!({})).await?;
        if session.json {
            output::json(&check);
        } else {
            line(&match check.broken_at {
                None => format!("intact: {} entries", check.entries),
                Some(at) => format!("broken at entry {at} of {}", check.entries),
            });
        }
        return Ok(if check.intact { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) });
    }
    let page: wire::Page<wire::AuditEntry> = session.page("/api/v1/audit", paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|entry| {
        vec![entry.sequence.to_string(), entry.at.clone(), entry.actor.clone(), entry.action.clone(), entry.target.clone()]
    });
    table(&["#", "at", "actor", "action", "target"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}
