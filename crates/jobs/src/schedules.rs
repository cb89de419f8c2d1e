//! Jobs made again and again.

use mainspring_kernel::{
    Actor, Name, Role, Timestamp,
    id::{JobId, ProjectId},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    Jobs,
    every::{Every, EveryFault},
    fault::JobFault,
    model::NewJob,
    queue::{JSON_MAX, fits, needs},
    store,
};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    pub project: ProjectId,
    pub name: Name,
    pub kind: Name,
    pub payload: Value,
    pub every: Every,
    pub priority: i64,
    pub next_due: Timestamp,
    pub last_job: Option<JobId>,
    pub paused: bool,
    pub created: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    pub name: Name,
    pub kind: Name,
    pub payload: Value,
    pub every: Every,
    pub priority: i64,
    pub paused: bool,
}

impl Jobs {
    /// Makes a schedule or replaces the one of its name. Its first job falls due one step from now;
    /// putting the same rhythm again does not put that moment off.
    pub async fn put_schedule(&self, actor: &Actor, new: &NewSchedule) -> Result<Schedule, JobFault> {
        needs(actor, Role::Editor)?;
        fits("the payload of a schedule", JSON_MAX, new.payload.to_string().len())?;
        let now = self.clock.now();
        let first = new.every.next(now).ok_or_else(|| EveryFault::Never { given: new.every.to_string() })?;
        self.catalog
            .transact(|mut tx| async move {
                let known = store::get_schedule(&mut tx, actor.project, &new.name).await?;
                let same = known.as_ref().filter(|known| known.every == new.every && known.next_due > now);
                let NewSchedule { name, kind, payload, every, priority, paused } = new.clone();
                let schedule = Schedule {
                    project: actor.project,
                    next_due: same.map_or(first, |known| known.next_due),
                    last_job: known.as_ref().and_then(|known| known.last_job),
                    created: known.as_ref().map_or(now, |known| known.created),
                    name,
                    kind,
                    payload,
                    every,
                    priority,
                    paused,
                };
                store::put_schedule(&mut tx, &schedule).await?;
                Ok((tx, schedule))
            })
            .await
    }

    /// The jobs it made stay.
    pub async fn remove_schedule(&self, actor: &Actor, name: &Name) -> Result<(), JobFault> {
        needs(actor, Role::Editor)?;
        if store::remove_schedule(&self.catalog, actor.project, name).await? {
            return Ok(());
        }
        Err(JobFault::ScheduleNotFound { name: name.clone() })
    }

    pub async fn schedules(&self, actor: &Actor) -> Result<Vec<Schedule>, JobFault> {
        needs(actor, Role::Reader)?;
        Ok(store::list_schedules(&self.catalog, actor.project).await?)
    }

    /// Makes the jobs of every schedule that is due, each with the schedule's name as its dedupe key: work that
    /// is also asked for in other ways is deduped against it. Any number of processes may call this.
    pub async fn run_schedules(&self) -> Result<Vec<JobId>, JobFault> {
        let now = self.clock.now();
        let mut made = Vec::new();
        for schedule in store::due_schedules(&self.catalog, now).await? {
            let schedule = &schedule;
            // Moments missed while nothing ran become this one.
            let Some(next) = schedule.every.next(now) else {
                continue;
            };
            let job = self
                .catalog
                .transact(|mut tx| async move {
                    let new = NewJob::new(schedule.kind.clone(), schedule.payload.clone())
                        .in_project(schedule.project)
                        .with_priority(schedule.priority)
                        .deduped_by(schedule.name.as_str());
                    let job = self.enqueue_in(&mut tx, &new).await?.id();
                    let ours = store::advance_schedule(&mut tx, schedule, next, job).await?;
                    Ok::<_, JobFault>((tx, ours.then_some(job)))
                })
                .await?;
            made.extend(job);
        }
        if !made.is_empty() {
            self.wake();
        }
        Ok(made)
    }
}
