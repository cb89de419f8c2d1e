//! The threads that empty the queue.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mainspring_llm::{Budget, ModelFault};

use crate::{
    batch::{Padded, Row, Want, plan},
    queue::{Answer, Job, Lane, Queue, Turn},
    session::{Forward, Output, Threads},
    spec::{EngineOptions, Pooling},
};

/// Passages are taken from the queue in windows of so many batches: enough to find rows of like
/// length, few enough that a query never waits for more than one batch.
const WINDOW_BATCHES: usize = 4;
/// What is assumed until something was measured.
const FIRST_RATE: u64 = 4_000;

#[derive(Debug)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    name: String,
    forward: Box<dyn Forward>,
    pooling: Pooling,
    pad: u32,
    options: EngineOptions,
    queue: Queue,
    counters: Counters,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("name", &self.name).field("options", &self.options).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Counters {
    batches: AtomicU64,
    rows: AtomicU64,
    tokens: AtomicU64,
    padding: AtomicU64,
    rate: AtomicU64,
}

/// What an engine has done since it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineStats {
    pub batches: u64,
    pub rows: u64,
    pub tokens: u64,
    /// Positions computed only to fill batches.
    pub padding: u64,
    /// Rows whose caller had left.
    pub dropped: u64,
    pub waiting_tokens: u64,
    /// A moving average, one engine thread.
    pub tokens_per_second: u64,
}

/// What an engine is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) forward: Box<dyn Forward>,
    pub(crate) pooling: Pooling,
    pub(crate) pad: u32,
    pub(crate) options: EngineOptions,
}

/// One text or pair as the tokenizer left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) ids: Vec<u32>,
    pub(crate) types: Vec<u32>,
}

impl Engine {
    pub(crate) fn start(parts: Parts) -> Result<Self, ModelFault> {
        let Parts { name, forward, pooling, pad, options } = parts;
        let queue = Queue::new(options.queue_tokens);
        let shared = Arc::new(Shared { name, forward, pooling, pad, options, queue, counters: Counters::default() });
        for number in 0..shared.options.engines.max(1) {
            let working = Arc::clone(&shared);
            let spawned = std::thread::Builder::new().name(format!("encode-{number}")).spawn(move || working.work());
            if let Err(fault) = spawned {
                shared.queue.close(|| shared.fault("it is stopping"));
                return Err(shared.fault(&format!("no thread: {fault}")));
            }
        }
        Ok(Self { shared })
    }

    pub(crate) fn stats(&self) -> EngineStats {
        self.shared.stats()
    }

    /// Runs rows and waits for all of them.
    pub(crate) async fn run(
        &self,
        lane: Lane,
        want: Want,
        encoded: Vec<Encoded>,
        budget: Budget,
    ) -> Result<Vec<Answer>, ModelFault> {
        if encoded.is_empty() {
            return Ok(Vec::new());
        }
        if budget.is_spent() {
            return Err(ModelFault::Timeout { model: self.shared.name.clone() });
        }
        let (job, answers) = Job::new(encoded.len(), budget.deadline());
        let job = Arc::new(job);
        let rows = encoded.into_iter().enumerate().map(|(index, Encoded { ids, types })| Row {
            ids,
            types,
            want,
            job: Arc::clone(&job),
            index,
        });
        let shared = &self.shared;
        shared
            .queue
            .push(lane, rows.collect())
            .map_err(|full| ModelFault::Saturated { model: shared.name.clone(), retry_after: shared.time_for(full.waiting) })?;
        match tokio::time::timeout_at(budget.deadline(), answers).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(_)) => Err(shared.fault("it is stopping")),
            Err(_) => Err(ModelFault::Timeout { model: shared.name.clone() }),
        }
    }
}

impl Engine {
    /// Refuses what waits; the threads end after their batch.
    pub(crate) fn stop(&self) {
        self.shared.queue.close(|| self.shared.fault("it is stopping"));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn fault(&self, reason: &str) -> ModelFault {
        ModelFault::Engine { model: self.name.clone(), reason: reason.to_owned() }
    }

    fn time_for(&self, tokens: usize) -> Duration {
        let rate = match self.counters.rate.load(Ordering::Relaxed) {
            0 => FIRST_RATE,
            rate => rate * self.options.engines.max(1) as u64,
        };
        Duration::from_secs((tokens as u64 / rate).clamp(1, 60))
    }

    fn stats(&self) -> EngineStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EngineStats {
            batches: read(&self.counters.batches),
            rows: read(&self.counters.rows),
            tokens: read(&self.counters.tokens),
            padding: read(&self.counters.padding),
            dropped: self.queue.dropped(),
            waiting_tokens: self.queue.waiting() as u64,
            tokens_per_second: read(&self.counters.rate),
        }
    }

    fn work(&self) {
        let threads = Threads::new(self.options.threads.max(1));
        let window = self.options.batch_tokens * WINDOW_BATCHES;
        let mut planned: VecDeque<Vec<Row>> = VecDeque::new();
        while let Some(turn) = self.queue.take(window, !planned.is_empty()) {
            match turn {
                Turn::Queries(rows) => {
                    for batch in plan(rows, self.options.batch_tokens) {
                        self.run_batch(batch, &threads);
                    }
                    continue;
                }
                Turn::Passages(rows) => planned.extend(plan(rows, self.options.batch_tokens)),
                Turn::AtHand => {}
            }
            if let Some(batch) = planned.pop_front() {
                self.run_batch(batch, &threads);
            }
        }
        for row in planned.into_iter().flatten() {
            row.job.fail(self.fault("it is stopping"));
        }
    }

    fn run_batch(&self, mut rows: Vec<Row>, threads: &Threads) {
        rows.retain(|row| row.job.is_wanted());
        if rows.is_empty() {
            return;
        }
        let batch = Padded::of(&rows, self.pad);
        let start = Instant::now();
        // A shape the model cannot take must not end the thread that serves everybody.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.forward.forward(&batch, threads)));
        let outcome = outcome.unwrap_or_else(|_| Err("it stopped in the middle of a batch".to_owned()));
        self.count(&rows, &batch, start.elapsed());
        match outcome {
            Ok(output) => {
                for (number, row) in rows.iter().enumerate() {
                    match read_row(&output, number, row, self.pooling) {
                        Ok(answer) => row.job.answer(row.index, answer),
                        Err(reason) => row.job.fail(self.fault(reason)),
                    }
                }
            }
            Err(reason) => {
                tracing::error!(model = self.name, reason, rows = rows.len(), "an encoder batch failed");
                for row in &rows {
                    row.job.fail(self.fault(&reason));
                }
            }
        }
    }

    fn count(&self, rows: &[Row], batch: &Padded, took: Duration) {
        let tokens: u64 = rows.iter().map(|row| row.ids.len() as u64).sum();
        let add = |counter: &AtomicU64, value| counter.fetch_add(value, Ordering::Relaxed);
        add(&self.counters.batches, 1);
        add(&self.counters.rows, rows.len() as u64);
        add(&self.counters.tokens, tokens);
        add(&self.counters.padding, (batch.rows * batch.width) as u64 - tokens);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let now = tokens * 1_000_000 / micros;
        let old = self.counters.rate.load(Ordering::Relaxed);
        let rate = if old == 0 { now } else { (old * 7 + now) / 8 };
        self.counters.rate.store(rate, Ordering::Relaxed);
    }
}

/// One row of a batch's output, as it was wanted.
pub(crate) fn read_row(output: &Output, number: usize, row: &Row, pooling: Pooling) -> Result<Answer, &'static str> {
    let depth = output.depth;
    if output.width == 0 {
        let data = &output.data[number * depth..(number + 1) * depth];
        return match row.want {
            Want::Logits => Ok(Answer::Vector(data.to_vec())),
            Want::Pooled => Ok(Answer::Vector(normal(data))),
            Want::Tokens => Err("the model gives no vectors for tokens"),
        };
    }
    let start = number * output.width * depth;
    let tokens = row.ids.len();
    let data = &output.data[start..start + tokens * depth];
    match (row.want, pooling) {
        (Want::Logits, _) => Err("the model is not a sequence classifier"),
        (Want::Pooled, Pooling::Cls) => Ok(Answer::Vector(normal(&data[..depth]))),
        (Want::Pooled, Pooling::Mean) => {
            let mut sum = vec![0.0_f32; depth];
            for token in data.chunks_exact(depth) {
                for (total, value) in sum.iter_mut().zip(token) {
                    *total += value;
                }
            }
            Ok(Answer::Vector(normal(&sum)))
        }
        (Want::Tokens, _) => Ok(Answer::Vectors(data.chunks_exact(depth).map(normal).collect())),
    }
}

/// The vector at length one. A zero vector stays zero: it has no direction.
pub(crate) fn normal(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    let scale = if length > 0.0 && length.is_finite() { length.recip() } else { 0.0 };
    vector.iter().map(|value| value * scale).collect()
}
