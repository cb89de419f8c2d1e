//! Runs: one execution of anything, with what it read and wrote.

use std::{str::FromStr, time::Duration};

use mainspring_catalog::Tx;
use mainspring_kernel::{
    Actor, Digest, Name, Page, PageRequest, Role, Timestamp,
    id::{PrincipalId, ProjectId, RunId},
    text,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Registry, RegistryFault,
    apply::{fits, needs},
    model::Pin,
    store::{self, Reads, Sign},
};

const JSON_MAX: usize = 256 << 10;
const NAME_MAX: usize = 200;
const LINKS_MAX: usize = 10_000;
const ERROR_MAX: usize = 4_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl RunStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status `{given}`: use running, succeeded, failed or cancelled")]
pub struct RunStatusFault {
    pub given: String,
}

impl FromStr for RunStatus {
    type Err = RunStatusFault;
    fn from_str(given: &str) -> Result<Self, RunStatusFault> {
        [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == given)
            .ok_or_else(|| RunStatusFault { given: text::elide(given, 40) })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Input,
    Output,
}

impl Direction {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// Something a run read or wrote: a version, a lake table at a version, a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `prompt`, `knowledge`, `table`, `blob`, …
    pub kind: String,
    pub name: String,
    pub number: Option<i64>,
    pub digest: Option<Digest>,
}

impl From<&Pin> for Link {
    fn from(pin: &Pin) -> Self {
        let Pin { kind, name, number, digest } = pin;
        Self { kind: kind.to_string(), name: name.to_string(), number: Some((*number).into()), digest: Some(*digest) }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    pub id: RunId,
    pub project: ProjectId,
    /// `request`, `ingestion`, `evaluation`, …: an open list.
    pub kind: Name,
    pub name: String,
    pub status: RunStatus,
    pub principal: PrincipalId,
    pub trace: Option<String>,
    pub parent: Option<RunId>,
    /// The process that runs it.
    pub owner: String,
    pub heartbeat: Timestamp,
    pub parameters: Value,
    pub metrics: Value,
    pub progress: Value,
    pub error: Option<String>,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    /// Empty in lists.
    pub inputs: Vec<Link>,
    pub outputs: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    pub kind: Name,
    pub name: String,
    pub trace: Option<String>,
    pub parent: Option<RunId>,
    pub owner: String,
    pub parameters: Value,
    pub inputs: Vec<Link>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub status: RunStatus,
    pub metrics: Value,
    pub outputs: Vec<Link>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    pub kind: Option<Name>,
    pub name: Option<String>,
    pub status: Option<RunStatus>,
}

impl Registry {
    pub async fn start_run(&self, actor: &Actor, new: NewRun) -> Result<Run, RegistryFault> {
        let new = &new;
        self.catalog
            .transact(|mut tx| async move {
                let run = self.start_run_in(&mut tx, actor, new.clone()).await?;
                Ok((tx, run))
            })
            .await
    }

    /// Starts a run together with another change.
    pub async fn start_run_in(&self, tx: &mut Tx, actor: &Actor, new: NewRun) -> Result<Run, RegistryFault> {
        needs(actor, Role::Reader)?;
        let NewRun { kind, name, trace, parent, owner, parameters, inputs } = new;
        fits("the name of a run", NAME_MAX, name.len())?;
        fits("the inputs of a run", LINKS_MAX, inputs.len())?;
        fits("the parameters of a run", JSON_MAX, parameters.to_string().len())?;
        let now = self.clock.now();
        let run = Run {
            id: RunId::new(now),
            project: actor.project,
            kind,
            name,
            status: RunStatus::Running,
            principal: actor.principal,
            trace,
            parent,
            owner,
            heartbeat: now,
            parameters,
            metrics: Value::Object(serde_json::Map::new()),
            progress: Value::Object(serde_json::Map::new()),
            error: None,
            started: now,
            ended: None,
            inputs,
            outputs: Vec::new(),
        };
        store::insert_run(tx, &run).await?;
        store::insert_links(tx, run.id, Direction::Input, &run.inputs).await?;
        Ok(run)
    }

    /// Says how far a run is, which also says that it lives.
    pub async fn progress_run(&self, actor: &Actor, run: RunId, progress: &Value) -> Result<(), RegistryFault> {
        fits("the progress of a run", JSON_MAX, progress.to_string().len())?;
        self.touch_run(actor, run, Sign::Progress(progress)).await
    }

    pub async fn heartbeat_run(&self, actor: &Actor, run: RunId) -> Result<(), RegistryFault> {
        self.touch_run(actor, run, Sign::Heartbeat).await
    }

    /// Another process goes on with the run of one that died.
    pub async fn take_over_run(&self, actor: &Actor, run: RunId, owner: &str) -> Result<(), RegistryFault> {
        self.touch_run(actor, run, Sign::Owner(owner)).await
    }

    pub async fn finish_run(&self, actor: &Actor, run: RunId, outcome: &Outcome) -> Result<(), RegistryFault> {
        self.catalog
            .transact(|mut tx| async move {
                self.finish_run_in(&mut tx, actor, run, outcome).await?;
                Ok((tx, ()))
            })
            .await
    }

    /// Ends a run together with another change, such as the commit of what it made.
    pub async fn finish_run_in(&self, tx: &mut Tx, actor: &Actor, run: RunId, outcome: &Outcome) -> Result<(), RegistryFault> {
        needs(actor, Role::Reader)?;
        let Outcome { status, metrics, outputs, error } = outcome;
        fits("the metrics of a run", JSON_MAX, metrics.to_string().len())?;
        fits("the outputs of a run", LINKS_MAX, outputs.len())?;
        let error = error.as_deref().map(|error| text::elide(error, ERROR_MAX).replace('\0', "\u{fffd}"));
        let place = (actor.project, run);
        let ended = store::finish_run(tx, place, (*status, metrics, error.as_deref()), self.clock.now()).await?;
        if !ended {
            return Err(missing(&mut Reads::Tx(tx), actor, run).await?);
        }
        Ok(store::insert_links(tx, run, Direction::Output, outputs).await?)
    }

    /// Ends a run whose process died, together with whatever else that takes; answers what it was. For the
    /// building's own upkeep: nobody asks for it.
    pub async fn break_off_run_in(
        &self,
        tx: &mut Tx,
        project: ProjectId,
        run: RunId,
        reason: &str,
    ) -> Result<Option<Run>, RegistryFault> {
        let nothing = Value::Object(serde_json::Map::new());
        let end = (RunStatus::Failed, &nothing, Some(reason));
        store::finish_run(tx, (project, run), end, self.clock.now()).await?;
        Ok(Reads::Tx(tx).get_run(project, run).await?)
    }

    pub async fn get_run(&self, actor: &Actor, run: RunId) -> Result<Run, RegistryFault> {
        needs(actor, Role::Reader)?;
        let found = Reads::Catalog(&self.catalog).get_run(actor.project, run).await?;
        found.ok_or(RegistryFault::RunNotFound { id: run })
    }

    /// Newest first.
    pub async fn list_runs(&self, actor: &Actor, filter: &RunFilter, page: &PageRequest) -> Result<Page<Run>, RegistryFault> {
        needs(actor, Role::Reader)?;
        let before = page.after::<RunId>()?;
        let runs = Reads::Catalog(&self.catalog).list_runs(actor.project, filter, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(runs, page, |run| run.id))
    }

    /// Which runs read or wrote something with this digest, newest first.
    pub async fn runs_with(&self, actor: &Actor, digest: &Digest, page: &PageRequest) -> Result<Page<RunId>, RegistryFault> {
        needs(actor, Role::Reader)?;
        let before = page.after::<RunId>()?;
        let mut reads = Reads::Catalog(&self.catalog);
        let runs = reads.runs_by_digest(actor.project, digest, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(runs, page, |run| *run))
    }

    /// Runs of every project that are still called running and have not been heard of for `silence`:
    /// the process died. For the building's own upkeep, which resumes or ends them.
    pub async fn stale_runs(&self, silence: Duration, limit: usize) -> Result<Vec<Run>, RegistryFault> {
        Ok(store::stale_runs(&self.catalog, self.clock.now().minus(silence), limit).await?)
    }

    async fn touch_run(&self, actor: &Actor, run: RunId, sign: Sign<'_>) -> Result<(), RegistryFault> {
        needs(actor, Role::Reader)?;
        if store::touch_run(&self.catalog, (actor.project, run), sign, self.clock.now()).await? {
            return Ok(());
        }
        Err(missing(&mut Reads::Catalog(&self.catalog), actor, run).await?)
    }
}

async fn missing(reads: &mut Reads<'_>, actor: &Actor, run: RunId) -> Result<RegistryFault, RegistryFault> {
    let exists = reads.run_exists(actor.project, run).await?;
    Ok(if exists { RegistryFault::RunEnded { id: run } } else { RegistryFault::RunNotFound { id: run } })
}
