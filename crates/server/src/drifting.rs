//! Drift, joined: the sketches of hours are made by one process at a time, and monitors hear what was asked about.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_jobs::{Context, Failure, Handler, Job, Jobs, NewJob, Retry, Worker};
use mainspring_kernel::{Actor, Clock, Fault, Name, Stop, Tasks, Timestamp, fault};
use mainspring_lake::{Lake, UpkeepPolicy};
use mainspring_llm::Models;
use mainspring_monitors::{Point, Series, Summary, Topics};
use mainspring_observability::{Drift, Observability, TraceFault};
use serde_json::{Value, json};

/// How often there is a look for hours to make.
const EVERY: Duration = Duration::from_secs(300);
const LEASE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(30);
/// After a stretch of work it rests so many times as long: a history that was brought in is made over hours, and whoever asks
/// or sends meanwhile has the processors.
const RESTS: u32 = 4;

pub(crate) fn open(lake: &Arc<dyn Lake>, observability: &Observability, models: &Models, embedder: &str) -> Drift {
    Drift::new(Arc::clone(lake), observability.clone(), models.embedder(embedder).ok())
}

/// Makes hours for as long as the server runs. Of all processes one does at a time: whichever holds the job, which never
/// ends and rests in between.
pub(crate) fn start(drift: &Drift, jobs: &Jobs, (clock, keep_for): (&Arc<dyn Clock>, Duration), owner: &str, tasks: &Tasks) {
    let Ok(kind) = "drift".parse::<Name>() else { return };
    let hours = Hours { drift: drift.clone(), clock: Arc::clone(clock), keep_for };
    let worker = Worker::new(jobs.clone(), owner).handle(kind.clone(), Arc::new(hours)).lease(LEASE);
    let jobs = jobs.clone();
    tasks.spawn("drift: hours", |stop| async move {
        enqueue(&jobs, kind, &stop).await;
        worker.run(stop).await;
    });
}

/// The job is there once, whoever made it.
async fn enqueue(jobs: &Jobs, kind: Name, stop: &Stop) {
    let job = NewJob::new(kind, json!({})).deduped_by("hours");
    while let Err(found) = jobs.enqueue(&job).await {
        tracing::warn!(cause = %fault::chain(&found), "nobody makes the hours of drift yet; it is tried again");
        if !stop.sleep(AGAIN).await {
            return;
        }
    }
}

struct Hours {
    drift: Drift,
    clock: Arc<dyn Clock>,
    keep_for: Duration,
}

impl Hours {
    async fn make(&self) -> Result<bool, TraceFault> {
        self.drift.expire(self.clock.now().minus(self.keep_for)).await?;
        let more = self.drift.keep().await?;
        self.drift.table().await?.upkeep(&UpkeepPolicy::default()).await?;
        Ok(more)
    }
}

#[async_trait]
impl Handler for Hours {
    async fn run(&self, _: &Job, context: &Context) -> Result<Value, Failure> {
        let begun = tokio::time::Instant::now();
        let made = tokio::select! {
            made = Box::pin(self.make()) => made,
            _ = context.stopped() => Ok(true),
        };
        let after = match made {
            Ok(true) => Duration::from_secs(1).max(begun.elapsed() * RESTS).min(EVERY),
            Ok(false) => EVERY,
            Err(found) => {
                if !found.kind().is_transient() {
                    tracing::warn!(cause = %fault::chain(&found), "hours of drift could not be made; it is tried again");
                }
                AGAIN
            }
        };
        Err(Failure { message: "it rests".into(), retry: Retry::At(self.clock.now().plus(after)) })
    }
}

/// What texts are about, for monitors: of all traces together or of one release, by the hour. `plain`: nothing else narrows
/// the question.
pub(crate) async fn topics(
    drift: &Drift,
    actor: &Actor,
    (field, release, plain): (&str, Option<&str>, bool),
    stretch: (Timestamp, Timestamp),
) -> Result<Vec<Series>, Box<dyn Fault>> {
    if !plain {
        let reason = "topics are kept by release only: they take no filter, no slices and no version of a prompt".to_owned();
        return Err(Box::new(TraceFault::Question { reason }));
    }
    let hours = drift.topic_series(actor, (field, release), stretch).await;
    let hours = hours.map_err(|fault| Box::new(fault) as Box<dyn Fault>)?;
    let point = |(at, sketch): (Timestamp, mainspring_observability::TopicSketch)| Point {
        at,
        summary: Summary::Topics(Box::new(Topics { mean: sketch.mean, shares: Some(sketch.shares), words: sketch.words })),
    };
    let points: Vec<Point> = hours.into_iter().map(point).collect();
    Ok(if points.is_empty() { Vec::new() } else { vec![Series { slice: None, points }] })
}
