//! The worker: what becomes of a job whose handler succeeds, fails, panics, hangs or is told to stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use mainspring_catalog::Catalog;
use mainspring_kernel::{Stop, SystemClock, Tasks};
use mainspring_testservers::on_every_engine;
use serde_json::{Value, json};

use super::{Room, kind};
use crate::{Context, Failure, Handler, Job, JobState, Jobs, NewJob, Retry, StopReason, Worker};

on_every_engine!(Catalog: [
    a_handler_that_answers_completes_its_job,
    a_handler_that_fails_or_panics_leaves_a_reason,
    a_handler_hears_that_its_job_is_cancelled,
    shutting_down_gives_the_job_back,
    a_handler_whose_lease_is_taken_is_dropped,
    a_handler_may_end_its_own_job,
    workers_finish_everything_in_the_queue,
    a_handler_that_holds_the_writer_does_not_stop_its_own_heartbeat,
]);

/// Does what the payload says.
#[derive(Debug, Default)]
struct Obedient {
    runs: AtomicU32,
    dropped: AtomicU32,
}

struct CountDrop<'c>(&'c AtomicU32);
impl Drop for CountDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Handler for Obedient {
    async fn run(&self, job: &Job, context: &Context) -> Result<Value, Failure> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        match job.payload["do"].as_str() {
            Some("fail") => Err(Failure { message: "as told".to_owned(), retry: Retry::Never }),
            Some("panic") => panic!("as told"),
            Some("wait") => match context.stopped().await {
                StopReason::Cancelled => Err(Failure { message: "cancelled".to_owned(), retry: Retry::Later }),
                StopReason::ShuttingDown => Err(Failure { message: "shutting down".to_owned(), retry: Retry::Later }),
            },
            Some("hang") => {
                let _drop = CountDrop(&self.dropped);
                std::future::pending().await
            }
            _ => {
                context.progress(&json!({"half": true})).await?;
                Ok(json!({ "answered": job.payload["do"] }))
            }
        }
    }
}

/// Workers need a clock that runs.
struct Shop {
    room: Room,
    jobs: Jobs,
    handler: Arc<Obedient>,
    worker: Worker,
}

impl Shop {
    async fn over(catalog: Catalog) -> Self {
        let room = Room::over(catalog.clone()).await;
        let jobs = Jobs::open(catalog, Arc::new(SystemClock));
        let handler = Arc::new(Obedient::default());
        let worker = Worker::new(jobs.clone(), "test").handle(kind("ingest"), handler.clone()).lease(Duration::from_millis(300));
        Self { room, jobs, handler, worker }
    }

    async fn enqueue(&self, what: &str) -> mainspring_kernel::id::JobId {
        let new = NewJob::new(kind("ingest"), json!({ "do": what })).in_project(self.room.editor.project);
        self.jobs.enqueue(&new).await.unwrap().id()
    }

    async fn job(&self, id: mainspring_kernel::id::JobId) -> Job {
        self.jobs.get(&self.room.reader, id).await.unwrap()
    }

    async fn until(&self, id: mainspring_kernel::id::JobId, state: JobState) {
        for _ in 0..600 {
            if self.job(id).await.state == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the job never became {state:?}: {:?}", self.job(id).await);
    }
}

async fn a_handler_that_answers_completes_its_job(catalog: Catalog) {
    let shop = Shop::over(catalog).await;
    assert!(!shop.worker.run_one(&Stop::never()).await.unwrap());
    let id = shop.enqueue("work").await;
    assert!(shop.worker.run_one(&Stop::never()).await.unwrap());
    let job = shop.job(id).await;
    assert_eq!((job.state, job.result), (JobState::Done, Some(json!({"answered": "work"}))));
    assert_eq!(job.progress, Some(json!({"half": true})));
}

async fn a_handler_that_fails_or_panics_leaves_a_reason(catalog: Catalog) {
    let shop = Shop::over(catalog).await;
    let failing = shop.enqueue("fail").await;
    shop.worker.run_one(&Stop::never()).await.unwrap();
    let job = shop.job(failing).await;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Failed, Some("as told")));
    let panicking = shop.enqueue("panic").await;
    shop.worker.run_one(&Stop::never()).await.unwrap();
    let job = shop.job(panicking).await;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Queued, Some("the handler panicked")));
}

async fn a_handler_hears_that_its_job_is_cancelled(catalog: Catalog) {
    let shop = Shop::over(catalog).await;
    let id = shop.enqueue("wait").await;
    let stop = Stop::never();
    let cancel = async {
        shop.until(id, JobState::Running).await;
        shop.jobs.cancel(&shop.room.editor, id).await.unwrap();
    };
    let (ran, ()) = tokio::join!(shop.worker.run_one(&stop), cancel);
    assert!(ran.unwrap());
    assert_eq!(shop.job(id).await.state, JobState::Cancelled);
}

async fn shutting_down_gives_the_job_back(catalog: Catalog) {
    let shop = Shop::over(catalog).await;
    let id = shop.enqueue("wait").await;
    let tasks = Tasks::default();
    tasks.spawn("worker", |stop| shop.worker.clone().run(stop));
    shop.until(id, JobState::Running).await;
    tasks.shut_down(Duration::from_secs(30)).await.unwrap();
    let job = shop.job(id).await;
    assert_eq!((job.state, job.attempt), (JobState::Queued, 0));
}

async fn a_handler_whose_lease_is_taken_is_dropped(catalog: Catalog) {
    const STEAL: &str = "UPDATE job SET fence = fence + 1, owner = 'thief' WHERE id = $1";
    let shop = Shop::over(catalog.clone()).await;
    let id = shop.enqueue("hang").await;
    let steal = async {
        shop.until(id, JobState::Running).await;
        catalog.write(STEAL, mainspring_catalog::params![id]).await.unwrap();
    };
    let stop = Stop::never();
    let (ran, ()) = tokio::join!(shop.worker.run_one(&stop), steal);
    assert!(ran.unwrap());
    assert_eq!(shop.handler.dropped.load(Ordering::SeqCst), 1);
    let job = shop.job(id).await;
    assert_eq!((job.state, job.owner.as_deref()), (JobState::Running, Some("thief")));
}

#[derive(Debug)]
struct SelfEnding(Catalog, Jobs);

#[async_trait::async_trait]
impl Handler for SelfEnding {
    async fn run(&self, _: &Job, context: &Context) -> Result<Value, Failure> {
        let mut tx = self.0.begin().await?;
        self.1.complete_in(&mut tx, context.lease(), &json!("by itself")).await?;
        tx.commit().await?;
        Ok(json!("by the worker"))
    }
}

async fn a_handler_may_end_its_own_job(catalog: Catalog) {
    let shop = Shop::over(catalog.clone()).await;
    let handler = Arc::new(SelfEnding(catalog, shop.jobs.clone()));
    let worker = shop.worker.clone().handle(kind("ingest"), handler);
    let id = shop.enqueue("").await;
    assert!(worker.run_one(&Stop::never()).await.unwrap());
    assert_eq!(shop.job(id).await.result, Some(json!("by itself")));
}

async fn workers_finish_everything_in_the_queue(catalog: Catalog) {
    let shop = Shop::over(catalog).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(shop.enqueue("work").await);
    }
    let tasks = Tasks::default();
    for _ in 0..2 {
        let worker = shop.worker.clone().slots(4).lease(Duration::from_secs(60));
        tasks.spawn("worker", |stop| worker.run(stop));
    }
    for id in ids {
        shop.until(id, JobState::Done).await;
    }
    tasks.shut_down(Duration::from_secs(30)).await.unwrap();
    assert_eq!(shop.handler.runs.load(Ordering::SeqCst), 20);
}

#[derive(Debug)]
struct Holding(Catalog);

#[async_trait::async_trait]
impl Handler for Holding {
    async fn run(&self, _: &Job, _: &Context) -> Result<Value, Failure> {
        let mut tx = self.0.begin().await?;
        tx.execute("UPDATE project SET description = 'held'", vec![]).await?;
        // Longer than the lease: heartbeats come due and wait for the writer meanwhile.
        tokio::time::sleep(Duration::from_millis(450)).await;
        tx.commit().await?;
        Ok(json!("done"))
    }
}

async fn a_handler_that_holds_the_writer_does_not_stop_its_own_heartbeat(catalog: Catalog) {
    let shop = Shop::over(catalog.clone()).await;
    let worker = shop.worker.clone().handle(kind("ingest"), Arc::new(Holding(catalog)));
    let id = shop.enqueue("").await;
    assert!(worker.run_one(&Stop::never()).await.unwrap());
    assert_eq!(shop.job(id).await.result, Some(json!("done")));
}
