//! The third worker: brings held traces among the others once something happened in them, and lets go of those whose time is
//! over.

use std::{collections::HashSet, sync::Arc, time::Duration};

use mainspring_kernel::{Stop, fault::chain};
use mainspring_lake::{Filter, Scan, Table};
use mainspring_llm::Span;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    fault::TraceFault,
    sampling::{Key, Sampler, Waiting},
    spill::Spill,
    table::Rows,
    writer::{Counters, Onward, hand_on, write},
};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the lake may take to say what it has of traces, and when it is asked again.
const ASK_FOR: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_secs(2);

type Shared = (Arc<Spill>, Arc<Sampler>, Arc<Counters>);

/// What is still held at the end stays on the disk for the next process.
pub(crate) async fn decide(table: Arc<dyn Table>, onward: Onward, shared: Shared, stop: Stop) {
    let (_, sampler, counters) = &shared;
    loop {
        tokio::select! {
            () = stop.requested() => return,
            () = sampler.changed() => {}
            () = sleep(LOOK_EVERY) => {}
        }
        let turn = sampler.turn().await;
        release(&onward, &shared, sampler.take_wanted()).await;
        drop(turn);
        loop {
            // Until they are in the spill, or let go of, nobody else finds them.
            let _turn = sampler.turn().await;
            let (sure, doubtful) = sampler.take_due(Instant::now());
            let more = !sure.is_empty();
            let mut kept = sampler.settle(sure, &HashSet::new());
            let asked = !doubtful.is_empty();
            if asked {
                match timeout(ASK_FOR, present(table.as_ref(), &doubtful)).await {
                    Ok(Ok(found)) => kept.extend(sampler.settle(doubtful, &found)),
                    Ok(Err(fault)) => {
                        tracing::debug!(fault = %chain(&fault), "the lake does not say which traces it has");
                        sampler.put_back(doubtful, false, Instant::now() + RETRY);
                    }
                    Err(_) => sampler.put_back(doubtful, false, Instant::now() + RETRY),
                }
            }
            counters.announce(kept.iter().map(|waiting| waiting.spans().count() as u64).sum());
            release(&onward, &shared, kept).await;
            if !(more || asked) || stop.is_requested() {
                break;
            }
        }
        // Of traces that were put back while something happened in them.
        counters.announce(sampler.announced());
    }
}

/// Writes held spans to the spill like others, and holds them no longer.
async fn release(onward: &Onward, (spill, sampler, counters): &Shared, waiting: Vec<Waiting>) {
    if waiting.is_empty() {
        return;
    }
    let spans: u64 = waiting.iter().map(|waiting| waiting.spans().count() as u64).sum();
    let (worker, onto) = (Arc::clone(spill), onward.clone());
    let written = tokio::task::spawn_blocking(move || {
        let spans: Vec<Span> = waiting.iter().flat_map(Waiting::spans).cloned().collect();
        let bytes = waiting.iter().map(Waiting::bytes).sum();
        // A process that died here left them in both places.
        (write(&worker, spans, (bytes, true), &onto), waiting)
    });
    match written.await {
        Ok((Ok(segment), waiting)) => {
            hand_on(spill, onward, segment, true);
            sampler.released(waiting);
        }
        Ok((Err(trouble), waiting)) => {
            tracing::warn!(spans, "spans of traces that are kept wait: {trouble}");
            sampler.put_back(waiting, true, Instant::now());
        }
        Err(error) => {
            tracing::error!(%error, spans, "held spans could not be written: this is a defect; the next start takes them up");
            counters.pass(spans);
        }
    }
}

/// Traces of which the lake has something: another server kept them, or this one before it was started again.
async fn present(table: &dyn Table, waiting: &[Waiting]) -> Result<HashSet<Key>, TraceFault> {
    let among = Filter::any_of("trace", waiting.iter().map(|waiting| waiting.key().1.to_string()));
    let mut found = HashSet::new();
    for batch in table.scan(Scan::of(among).columns(&["project", "trace"])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let key = (rows.text("project", row)?.map(str::parse), rows.text("trace", row)?.map(str::parse));
            if let (Some(Ok(project)), Some(Ok(trace))) = key {
                found.insert((project, trace));
            }
        }
    }
    Ok(found)
}
