//! `mainspring jobs`.

use std::process::ExitCode;

use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::Paging,
    output::{self, line, table},
};

pub(crate) async fn run(
    session: &Session,
    state: Option<&str>,
    cancel: Option<&str>,
    paging: &Paging,
) -> anyhow::Result<ExitCode> {
    if let Some(job) = cancel {
        let path = format!("/api/v1/jobs/{}/cancel", segment(job));
        let job: wire::JobView = session.client.post(&path, &serde_json::json!({})).await?;
        if session.json {
            output::json(&job);
        } else {
            line(&format!("{} is {}", job.id, if job.state == "running" { "asked to stop" } else { job.state.as_str() }));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let query = state.map(|state| format!("?state={}", segment(state))).unwrap_or_default();
    let page: wire::Page<wire::JobView> = session.page(&format!("/api/v1/jobs{query}"), paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|job| {
        let word = |value: &serde_json::Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let outcome = job.result.as_ref().map(|result| word(result, "outcome")).or_else(|| job.error.clone());
        // Each kind of job names what it is about.
        let about = ["knowledge", "batch"].map(|field| word(&job.payload, field)).concat();
        vec![
            job.id.clone(),
            about,
            word(&job.payload, "because"),
            job.state.clone(),
            format!("{} of {}", job.attempt, job.max_attempts),
            job.due_at.clone(),
            outcome.unwrap_or_default(),
        ]
    });
    table(&["job", "about", "because", "state", "attempt", "due", "outcome"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}
