//! The process that runs errands: `mainspring __errand`.
//!
//! It may be killed at any moment: a commit of the lake is there or not, and a segment goes when its spans are there.

use std::{
    io::{BufRead as _, Write as _},
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use mainspring_blobs::Blobs;
use mainspring_kernel::{SystemClock, Tasks, fault::chain};
use mainspring_lake_lance::{Durability, LakeLocation, LanceConfig, LanceLake};
use mainspring_observability::{Ended, Hold, TraceFault, Workplace, aside};
use mainspring_telemetry::{LogFormat, start_log};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::words::{Ask, Order, Said, VERSION};

/// One before it that was killed lets go of the folder when it is gone.
const HELD_WITHIN: Duration = Duration::from_secs(10);
const LIVES_EVERY: Duration = Duration::from_secs(1);
/// A commit that is under way when it is to stop.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);
/// What it says of why something failed.
const REASON_MAX: usize = 4096;
/// Far more than are asked for at once.
const ASKS_MAX: usize = 64;

/// Runs as `mainspring __errand`. It ends when it is told so, or with the process that started it.
#[must_use]
pub fn errand_main() -> ExitCode {
    match ordered().and_then(obey) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = say(&Said::Fails { reason: short(reason) });
            ExitCode::FAILURE
        }
    }
}

fn ordered() -> Result<Order, String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| error.to_string())?;
    serde_json::from_str(&line).map_err(|error| error.to_string())
}

fn obey(order: Order) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    tell_of_life().map_err(text)?;
    let asks = listen().map_err(text)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    runtime.block_on(async {
        let (done, outcome) = oneshot::channel();
        aside("errand", async move {
            let _ = done.send(Box::pin(work(order, asks)).await);
        })
        .await;
        outcome.await.unwrap_or_else(|_| Err("its work broke down".to_owned()))
    })
}

/// Says that it lives, which one that was stopped does not.
fn tell_of_life() -> std::io::Result<()> {
    thread::Builder::new().name("lives".to_owned()).spawn(|| {
        while say(&Said::Lives).is_ok() {
            thread::sleep(LIVES_EVERY);
        }
        std::process::exit(1);
    })?;
    Ok(())
}

/// Hears what is wanted, on a thread of its own. Where the lines end, whoever wanted it has gone: the next process over the same
/// folder would bring the same segments.
fn listen() -> std::io::Result<mpsc::Receiver<Ask>> {
    let (to, asks) = mpsc::channel(ASKS_MAX);
    thread::Builder::new().name("asks".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let ask = line.ok().and_then(|line| serde_json::from_str::<Ask>(&line).ok());
            if ask.is_none_or(|ask| to.try_send(ask).is_err()) {
                break;
            }
        }
        std::process::exit(1);
    })?;
    Ok(asks)
}

async fn work(order: Order, mut asks: mpsc::Receiver<Ask>) -> Result<(), String> {
    let Order { version, lake, synced, spill, values, log: (filter, format) } = order;
    if version != VERSION {
        return Err(format!("it is version {VERSION}, and was started by version {version}"));
    }
    let _ignored = ignore_signals().map_err(|error| error.to_string())?;
    // Damaged segments are told of as if the gateway had found them.
    let format = format.parse().unwrap_or(LogFormat::Text);
    start_log(&filter, format).map_err(|fault| chain(&fault))?;
    let hold = Hold::take(&spill, HELD_WITHIN).await.map_err(|fault| chain(&fault))?;
    let location = LakeLocation::parse(&lake).map_err(|fault| chain(&fault))?;
    let durability = if synced { Durability::Disk } else { Durability::Process };
    let writers = Tasks::default();
    let lance = LanceConfig { durability, tasks: writers.clone(), clock: Arc::new(SystemClock), ..LanceConfig::new(location) };
    let lake = LanceLake::open(lance.for_adding()).await.map_err(|fault| chain(&fault))?;
    let values = Blobs::local(&values).map_err(|fault| chain(&fault))?;
    let place = Workplace::open(&lake, &spill, values, hold).await.map_err(|fault| chain(&fault))?;
    // The folder is held until the process is gone, with whatever it still writes.
    let place: &'static Workplace = Box::leak(Box::new(place));
    say(&Said::Ready).map_err(|error| error.to_string())?;
    run_all(place, &mut asks).await?;
    writers.shut_down(WRITTEN_WITHIN).await.map_err(|unfinished| unfinished.to_string())
}

/// Whoever stops a service signals all its processes. This one ends when the gateway, which was signalled as well, says so.
fn ignore_signals() -> std::io::Result<Vec<tokio::signal::unix::Signal>> {
    [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].into_iter().map(signal).collect()
}

/// Runs what it is asked for, side by side, until it is to stop.
async fn run_all(place: &'static Workplace, asks: &mut mpsc::Receiver<Ask>) -> Result<(), String> {
    let stopping = Tasks::default();
    let (mut ends, mut under_way) = (false, JoinSet::new());
    while !ends || !under_way.is_empty() {
        tokio::select! {
            ask = asks.recv(), if !ends => match ask {
                Some(Ask::Run { id, errand }) => {
                    let stop = stopping.stop();
                    under_way.spawn(async move { (id, place.run(errand, &stop).await) });
                }
                Some(Ask::Stop) | None => {
                    ends = true;
                    stopping.ask_to_stop();
                }
            },
            Some(done) = under_way.join_next(), if !under_way.is_empty() => {
                let (id, outcome) = done.map_err(|error| error.to_string())?;
                report(id, outcome).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(())
}

fn report(id: u64, outcome: Result<Ended, TraceFault>) -> std::io::Result<()> {
    match outcome {
        Ok(ended) => say(&Said::Ended { id, ended }),
        Err(fault) => say(&Said::Failed { id, reason: short(chain(&fault)) }),
    }
}

fn short(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_MAX));
    reason
}

fn say(said: &Said) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
