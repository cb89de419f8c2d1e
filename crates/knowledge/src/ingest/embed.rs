//! The middle stage: gives every chunk a vector, and keeps the encoder busy while it does.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use mainspring_kernel::Fault as _;
use mainspring_llm::{Budget, Embedder, ModelFault, embed::EmbedAs, embed::Embedded};
use tokio::sync::mpsc;

use super::{
    meter::Meter,
    pipeline::{Complete, Item, Prepared},
    vectors::{Vector, Vectors},
};
use crate::fault::KnowledgeFault;

/// Texts handed over at once: enough to sort by length and fill batches.
const CALL_TEXTS: usize = 128;
/// Calls under way: one in work, one waiting right behind it, one being filled.
const CALLS: usize = 3;
/// No more documents are taken in while this many chunks wait for vectors.
const CHUNKS_HELD: usize = 4096;
const CALL_DEADLINE: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct EmbedStage {
    embedder: Arc<dyn Embedder>,
    vectors: Vectors,
    meter: Meter,
    open: HashMap<u64, Open>,
    next: u64,
    chunks_held: usize,
    /// Who waits for each text that is in the queue or in the encoder.
    waiting: HashMap<String, Vec<(u64, usize)>>,
    queue: VecDeque<(String, String)>,
    calls: FuturesUnordered<BoxFuture<'static, Result<Answer, ModelFault>>>,
}

/// A document that still lacks vectors.
struct Open {
    prepared: Box<Prepared>,
    vectors: Vec<Option<Vector>>,
    missing: usize,
}

struct Answer {
    digests: Vec<String>,
    embedded: Embedded,
}

impl EmbedStage {
    pub(super) fn new(embedder: Arc<dyn Embedder>, vectors: Vectors, meter: Meter) -> Self {
        Self {
            embedder,
            vectors,
            meter,
            open: HashMap::new(),
            next: 0,
            chunks_held: 0,
            waiting: HashMap::new(),
            queue: VecDeque::new(),
            calls: FuturesUnordered::new(),
        }
    }

    pub(super) async fn run(
        mut self,
        mut input: mpsc::Receiver<Item>,
        output: mpsc::Sender<Complete>,
    ) -> Result<(), KnowledgeFault> {
        let mut more = true;
        while more || !self.calls.is_empty() || !self.queue.is_empty() {
            self.fill_encoder();
            // A single document may be larger than the bound; it is taken when nothing else is held.
            let room = self.chunks_held < CHUNKS_HELD;
            tokio::select! {
                biased;
                Some(answer) = self.calls.next(), if !self.calls.is_empty() => {
                    for complete in self.take_in(answer?)? {
                        send(&output, complete).await?;
                    }
                }
                item = input.recv(), if more && room => match item {
                    None => more = false,
                    Some(Item::Change(change)) => send(&output, Complete::Change(change)).await?,
                    Some(Item::Rows(prepared)) => {
                        if let Some(complete) = self.admit(prepared).await? {
                            send(&output, complete).await?;
                        }
                    }
                },
                else => return Err(KnowledgeFault::Worker { reason: "documents wait for vectors that nobody makes".into() }),
            }
        }
        Ok(())
    }

    /// Hands over full calls, and a small one rather than none.
    fn fill_encoder(&mut self) {
        while self.calls.len() < CALLS && (self.queue.len() >= CALL_TEXTS || (self.calls.is_empty() && !self.queue.is_empty())) {
            let count = self.queue.len().min(CALL_TEXTS);
            let (digests, texts): (Vec<String>, Vec<String>) = self.queue.drain(..count).unzip();
            self.meter.encoding();
            self.calls.push(call(self.embedder.clone(), digests, texts).boxed());
        }
    }

    async fn admit(&mut self, prepared: Box<Prepared>) -> Result<Option<Complete>, KnowledgeFault> {
        let mut vectors: Vec<Option<Vector>> =
            prepared.chunks.iter().map(|chunk| self.vectors.recent(&chunk.text_digest)).collect();
        let unknown: HashSet<String> = prepared
            .chunks
            .iter()
            .zip(&vectors)
            .filter(|(chunk, vector)| vector.is_none() && !self.waiting.contains_key(&chunk.text_digest))
            .map(|(chunk, _)| chunk.text_digest.clone())
            .collect();
        let found = if unknown.is_empty() { HashMap::new() } else { self.vectors.find(&unknown).await? };
        let number = self.next;
        self.next += 1;
        let mut missing = 0;
        for (at, chunk) in prepared.chunks.iter().enumerate() {
            if vectors[at].is_some() {
                continue;
            }
            if let Some(vector) = found.get(&chunk.text_digest) {
                vectors[at] = Some(vector.clone());
                continue;
            }
            missing += 1;
            let waiters = self.waiting.entry(chunk.text_digest.clone()).or_default();
            if waiters.is_empty() {
                self.queue.push_back((chunk.text_digest.clone(), chunk.search_text.clone()));
            }
            waiters.push((number, at));
        }
        let (all, reused) = (prepared.chunks.len() as u64, (prepared.chunks.len() - missing) as u64);
        self.meter.count(|progress| {
            progress.chunks += all;
            progress.reused += reused;
        });
        if missing == 0 {
            return complete(prepared, vectors).map(Some);
        }
        self.chunks_held += prepared.chunks.len();
        self.open.insert(number, Open { prepared, vectors, missing });
        Ok(None)
    }

    fn take_in(&mut self, answer: Answer) -> Result<Vec<Complete>, KnowledgeFault> {
        let Answer { digests, embedded } = answer;
        self.meter.encoded(digests.len() as u64, embedded.tokens);
        if embedded.vectors.len() != digests.len() {
            return Err(KnowledgeFault::Worker { reason: "the embedder gave another number of vectors".into() });
        }
        let mut done = Vec::new();
        for (digest, vector) in digests.into_iter().zip(embedded.vectors) {
            let vector: Vector = vector.into();
            self.vectors.remember(&digest, &vector);
            for (number, at) in self.waiting.remove(&digest).unwrap_or_default() {
                let Some(open) = self.open.get_mut(&number) else { continue };
                if open.vectors[at].replace(vector.clone()).is_none() {
                    open.missing -= 1;
                }
                if open.missing == 0
                    && let Some(open) = self.open.remove(&number)
                {
                    self.chunks_held -= open.prepared.chunks.len();
                    done.push(complete(open.prepared, open.vectors)?);
                }
            }
        }
        Ok(done)
    }
}

fn complete(prepared: Box<Prepared>, vectors: Vec<Option<Vector>>) -> Result<Complete, KnowledgeFault> {
    let all: Option<Vec<Vector>> = vectors.into_iter().collect();
    let all = all.ok_or_else(|| KnowledgeFault::Worker { reason: "a chunk was left without a vector".into() })?;
    Ok(Complete::Rows(prepared, all))
}

async fn send(output: &mpsc::Sender<Complete>, complete: Complete) -> Result<(), KnowledgeFault> {
    output.send(complete).await.map_err(|_| KnowledgeFault::Worker { reason: "the writing stage ended early".into() })
}

/// One call, repeated while the encoder says it is full: others share it.
async fn call(embedder: Arc<dyn Embedder>, digests: Vec<String>, texts: Vec<String>) -> Result<Answer, ModelFault> {
    let patience = Budget::of(PATIENCE);
    loop {
        match embedder.embed(texts.clone(), EmbedAs::Passage, Budget::of(CALL_DEADLINE)).await {
            Ok(embedded) => return Ok(Answer { digests, embedded }),
            Err(fault @ ModelFault::Saturated { .. }) if !patience.is_spent() => {
                tokio::time::sleep(fault.retry_after().unwrap_or(Duration::from_millis(200))).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}
