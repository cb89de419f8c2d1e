//! Several processes over one catalog: each has connections of its own, which is what makes it one.

use std::{collections::HashSet, sync::Arc};

use mainspring_catalog::{Catalog, CatalogFault};
use mainspring_kernel::{Fault, SystemClock};
use mainspring_testservers::postgres::Postgres;
use serde_json::json;
use tokio::task::JoinSet;

use super::{MINUTE, kind};
use crate::{Jobs, NewJob};

const PROCESSES: usize = 3;
const JOBS: usize = 90;

/// Every process enqueues its share while the others already take jobs.
async fn share_one_queue(url: &str) {
    let mut processes = JoinSet::new();
    for process in 0..PROCESSES {
        let url = url.to_owned();
        processes.spawn(async move {
            let jobs = Jobs::open(Catalog::open(&url).await.unwrap(), Arc::new(SystemClock));
            for number in 0..JOBS / PROCESSES {
                let new = NewJob::new(kind("ingest"), json!({ "from": process, "number": number }));
                let new = new.deduped_by(format!("{process}/{number}"));
                while !came_through(jobs.enqueue(&new).await) {}
            }
            let mut held = Vec::new();
            while let Some(lease) = jobs.lease("w", &[kind("ingest")], MINUTE).await.unwrap() {
                held.push((lease.job.id, lease.job.attempt));
                while !came_through(jobs.complete(&lease, &json!(null)).await) {}
            }
            held
        });
    }
    let held: Vec<_> = processes.join_all().await.into_iter().flatten().collect();
    let ids: HashSet<_> = held.iter().map(|(id, _)| *id).collect();
    assert_eq!((held.len(), ids.len()), (JOBS, JOBS), "a job was lost or held twice");
    assert!(held.iter().all(|(_, attempt)| *attempt == 1));
}

fn came_through<T>(outcome: Result<T, crate::JobFault>) -> bool {
    match outcome {
        Err(fault) if fault.code() == CatalogFault::CONTENTION => false,
        other => other.map(|_| true).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn processes_share_a_queue_in_one_sqlite_file() {
    let folder = mainspring_testservers::temporary_folder();
    share_one_queue(&format!("sqlite://{}/catalog.db", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn processes_share_a_queue_on_one_postgres_server() {
    let server = Postgres::start().unwrap_or_else(|fault| panic!("{fault}"));
    share_one_queue(&server.new_schema().unwrap()).await;
}
