//! Batches, from settings: the surface answers their lines, and identity knows who may still ask.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_api_openai::{Lines, OpenAi};
use mainspring_batches::{BatchConfig, Batches, Maker, Runner, Standing};
use mainspring_config::Config;
use mainspring_identity::Identity;
use mainspring_kernel::{Actor, Fault, Tasks, id::ProjectId};

/// Of the time that a stop may take, what lines under way have to end in; the rest is for writing down what they gave.
const DRAIN_SHARE: u32 = 2;

pub(crate) fn config(config: &Config) -> BatchConfig {
    BatchConfig {
        file_limit: config.gateway.file_limit.0,
        line_limit: usize::try_from(config.server.body_limit.0).unwrap_or(usize::MAX),
        lines_max: config.gateway.batch_lines,
        files_max: config.gateway.files_per_project,
        bytes_max: config.gateway.file_bytes_per_project.0,
        batches_max: config.gateway.batches_per_project,
        keep_files: config.gateway.keep_files_for.0,
        concurrency: config.gateway.batch_concurrency.max(1),
        busy: Duration::from_secs(1),
        turn: BatchConfig::default().turn,
        drain: (config.server.shutdown_grace.0 / DRAIN_SHARE).max(Duration::from_millis(100)),
        longest: config.server.answer_timeout.0,
    }
}

pub(crate) fn runner(batches: Batches, openai: OpenAi, identity: Identity, config: &Config) -> Runner {
    // Its journal makes a process the same one after a restart.
    let me = openai.gateway.ledger().owner().to_owned();
    let lines = Lines::of(openai, config.gateway.batch_prices);
    Runner::new(batches, Arc::new(lines), Arc::new(Makers(identity))).known_as(&me)
}

/// Takes up batches and keeps their files in order, for as long as the server runs.
pub(crate) fn start(batches: Batches, runner: &Runner, owner: &str, tasks: &Tasks) {
    let worker = runner.worker(owner);
    tasks.spawn("batches: worker", |stop| worker.run(stop));
    let runner = runner.clone();
    tasks.spawn("batches: answers", |stop| async move { runner.keep_writing(stop).await });
    let measured = batches.clone();
    tasks.spawn("batches: metrics", |stop| measured.keep_measuring(stop));
    tasks.spawn("batches: upkeep", |stop| batches.keep_up(stop));
}

#[derive(Debug)]
struct Makers(Identity);

#[async_trait]
impl Standing for Makers {
    async fn acting(&self, project: ProjectId, maker: &Maker) -> Result<Actor, Box<dyn Fault>> {
        let acting = self.0.acting(project, maker.principal, maker.key).await;
        acting.map_err(|fault| Box::new(fault) as Box<dyn Fault>)
    }
}
