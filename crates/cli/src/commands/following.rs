//! Following a run to its end.

use std::{error::Error, fmt, time::Duration};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use mainspring_client::ClientFault;
use mainspring_wire as wire;

use super::{Session, segment};

/// A server that is about to stop follows nobody, and is gone a moment later; one that stays can be asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Nobody here hears of a run any more. The run itself goes on.
#[derive(Debug)]
pub(crate) struct Unfollowed {
    knowledge: String,
    run: String,
    why: ClientFault,
}

impl fmt::Display for Unfollowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the ingestion of `{}` cannot be followed any longer", self.knowledge)
    }
}

impl Error for Unfollowed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.why)
    }
}

impl Unfollowed {
    pub(crate) fn hint(&self) -> String {
        let Self { knowledge, run, why: _ } = self;
        format!(
            "run {run} goes on in the server, or when a server runs again; `mainspring ingest {knowledge}` follows it, \
             `mainspring runs {knowledge}` says how it ended"
        )
    }
}

/// Whether the server, or the way to it, went away.
pub(crate) fn went_away(fault: &ClientFault) -> bool {
    match fault {
        ClientFault::Refused(refusal) => refusal.status >= 500,
        ClientFault::Unreachable { .. } | ClientFault::Broken { .. } => true,
        ClientFault::Unreadable { .. } | ClientFault::Unsendable { .. } => false,
    }
}

fn is_over(run: &wire::RunView) -> bool {
    !matches!(run.status.as_str(), "queued" | "running")
}

/// Shows how far a run is until it has ended.
pub(crate) async fn follow(session: &Session, knowledge: &str, run: &str) -> anyhow::Result<wire::RunView> {
    let bar = if session.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(ProgressStyle::with_template("{spinner} {bar:28} {pos}/{len} documents  {msg}")?);
    let ended = to_its_end(session, run, &bar).await;
    bar.finish_and_clear();
    ended.map_err(|error| match error.downcast::<ClientFault>() {
        Ok(why) if went_away(&why) => Unfollowed { knowledge: knowledge.to_owned(), run: run.to_owned(), why }.into(),
        Ok(fault) => fault.into(),
        Err(other) => other,
    })
}

async fn to_its_end(session: &Session, run: &str, bar: &ProgressBar) -> anyhow::Result<wire::RunView> {
    loop {
        let mut events = session.client.events(&format!("/api/v1/runs/{}/events", segment(run))).await?;
        while let Some(event) = events.next().await {
            let view: wire::RunView = serde_json::from_str(&event?).context("a progress event cannot be read")?;
            if let Some(progress) = &view.progress {
                show(progress, bar);
            }
            if is_over(&view) {
                return Ok(view);
            }
        }
        // The stream ended before the run did: the run itself says how it stands.
        let view: wire::RunView = session.client.get(&format!("/api/v1/runs/{}", segment(run))).await?;
        if is_over(&view) {
            return Ok(view);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn show(progress: &wire::IngestProgress, bar: &ProgressBar) {
    bar.set_length(progress.documents_total.unwrap_or(0));
    bar.set_position(progress.documents_done);
    let speed = progress.tokens_per_second.map(|speed| format!(", {speed:.0} tokens/s")).unwrap_or_default();
    let eta = progress.eta_seconds.map(|eta| format!(", {eta:.0} s left")).unwrap_or_default();
    bar.set_message(format!("{} chunks{speed}{eta}  {}", progress.chunks, progress.stage));
}
