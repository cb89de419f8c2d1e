//! The thread that owns a model's context.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use llama_cpp_2::{
    context::{LlamaContext, params::LlamaContextParams},
    llama_batch::LlamaBatch,
};
use mainspring_llm::ModelFault;

use crate::{
    backend::backend,
    generation::{Generation, Next, Phase, Request},
    model::Model,
    slots::{CHUNK, Slots, next_chunk},
    spec::ChatOptions,
};

#[derive(Debug)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    model: Arc<Model>,
    options: ChatOptions,
    queue: Mutex<Queue>,
    changed: Condvar,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Queue {
    requests: VecDeque<Request>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Counters {
    running: AtomicU64,
    finished: AtomicU64,
    abandoned: AtomicU64,
    prefill_tokens: AtomicU64,
    prefill_micros: AtomicU64,
    decode_tokens: AtomicU64,
    decode_micros: AtomicU64,
    /// Of the last finished requests, a moving average.
    request_micros: AtomicU64,
}

/// What an engine has done since the model was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChatStats {
    pub waiting: u64,
    pub running: u64,
    pub finished: u64,
    /// Streams that were dropped before their end, or ran out of time.
    pub abandoned: u64,
    pub prefill_tokens: u64,
    pub prefill_micros: u64,
    pub decode_tokens: u64,
    pub decode_micros: u64,
}

impl Engine {
    pub(crate) fn start(name: String, model: Arc<Model>, options: ChatOptions) -> Result<Self, ModelFault> {
        let shared = Arc::new(Shared {
            name,
            model,
            options,
            queue: Mutex::default(),
            changed: Condvar::new(),
            counters: Counters::default(),
        });
        let working = Arc::clone(&shared);
        match std::thread::Builder::new().name("generate".to_owned()).spawn(move || working.work()) {
            Ok(thread) => Ok(Self { shared, thread: Some(thread) }),
            Err(fault) => Err(shared.fault(format!("no thread: {fault}"))),
        }
    }

    pub(crate) fn model(&self) -> &Arc<Model> {
        &self.shared.model
    }

    pub(crate) fn submit(&self, request: Request) -> Result<(), ModelFault> {
        let mut queue = self.shared.queue();
        if queue.requests.len() >= self.shared.options.queue {
            queue.requests.retain(|request| !request.out.is_closed());
        }
        if queue.requests.len() >= self.shared.options.queue {
            let retry_after = self.shared.time_for(queue.requests.len());
            return Err(ModelFault::Saturated { model: self.shared.name.clone(), retry_after });
        }
        queue.requests.push_back(request);
        drop(queue);
        self.shared.changed.notify_one();
        Ok(())
    }

    pub(crate) fn stats(&self) -> ChatStats {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ChatStats {
            waiting: self.shared.queue().requests.len() as u64,
            running: read(&counters.running),
            finished: read(&counters.finished),
            abandoned: read(&counters.abandoned),
            prefill_tokens: read(&counters.prefill_tokens),
            prefill_micros: read(&counters.prefill_micros),
            decode_tokens: read(&counters.decode_tokens),
            decode_micros: read(&counters.decode_micros),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Every stream holds the engine, so nobody reads any more.
        let mut queue = self.shared.queue();
        queue.closed = true;
        queue.requests.clear();
        drop(queue);
        self.shared.changed.notify_one();
        // A process that ends while a batch is computed takes the engine's statics from under it.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, reason: impl Into<String>) -> ModelFault {
        ModelFault::Engine { model: self.name.clone(), reason: reason.into() }
    }

    fn time_for(&self, requests: usize) -> Duration {
        let each = Duration::from_micros(self.counters.request_micros.load(Ordering::Relaxed)).max(Duration::from_secs(1));
        let slots = u32::try_from(self.options.slots.max(1)).unwrap_or(1);
        (each * u32::try_from(requests).unwrap_or(u32::MAX) / slots).min(Duration::from_secs(120))
    }

    fn work(&self) {
        while self.wait() {
            // A fault in the wrapper must not end the thread that serves everybody. The requests in
            // the context see their channels close; the next one gets a new context.
            if catch_unwind(AssertUnwindSafe(|| self.session())).is_err() {
                tracing::error!(model = self.name, "the chat engine panicked and starts again");
                self.counters.running.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Until there is something to do; `false` when there never will be.
    fn wait(&self) -> bool {
        let mut queue = self.queue();
        while queue.requests.is_empty() {
            if queue.closed {
                return false;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// One context's life.
    fn session(&self) {
        match self.context() {
            Ok(context) => {
                let mut session = Session {
                    shared: self,
                    context,
                    batch: LlamaBatch::new(CHUNK.max(self.options.slots), 1),
                    slots: Slots::new(self.options.slots),
                    active: Vec::new(),
                };
                while self.wait() {
                    session.run();
                }
            }
            Err(reason) => {
                tracing::error!(model = self.name, reason, "no context for the chat model");
                for request in self.queue().requests.drain(..) {
                    let _ = request.out.try_send(Err(self.fault(reason.clone())));
                }
            }
        }
    }

    fn context(&self) -> Result<LlamaContext<'_>, String> {
        let slots = u32::try_from(self.options.slots.max(1)).map_err(|fault| fault.to_string())?;
        let window = u32::try_from(self.model.window).map_err(|fault| fault.to_string())?;
        let total = window.checked_mul(slots).and_then(NonZeroU32::new).ok_or("a context window of zero")?;
        let threads = i32::try_from(self.options.threads.max(1)).map_err(|fault| fault.to_string())?;
        let params = LlamaContextParams::default()
            .with_n_ctx(Some(total))
            .with_n_seq_max(slots)
            .with_n_batch(u32::try_from(CHUNK.max(self.options.slots)).unwrap_or(512))
            .with_n_ubatch(u32::try_from(CHUNK.max(self.options.slots)).unwrap_or(512))
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            // Each conversation in memory of its own: where its numbers lie must not depend on others.
            .with_kv_unified(false)
            .with_offload_kqv(false)
            .with_no_perf(true);
        self.model.llama.new_context(backend()?, params).map_err(|fault| fault.to_string())
    }
}

/// A context and the conversations in it.
struct Session<'a> {
    shared: &'a Shared,
    context: LlamaContext<'a>,
    batch: LlamaBatch<'a>,
    slots: Slots,
    active: Vec<(Generation, Instant)>,
}

impl Session<'_> {
    /// Until nothing is active and nothing waits.
    fn run(&mut self) {
        loop {
            self.admit();
            if self.active.is_empty() {
                return;
            }
            self.drop_unwanted();
            self.prefill();
            self.decode();
        }
    }

    fn admit(&mut self) {
        while self.active.len() < self.shared.options.slots.max(1) {
            let Some(request) = self.shared.queue().requests.pop_front() else { return };
            if request.out.is_closed() {
                self.count_abandoned();
                continue;
            }
            let Some(place) = self.slots.take(&request.prompt) else { return };
            let kept = self.keep_only(place.slot, place.reuse);
            let out = request.out.clone();
            match Generation::new(request, place.slot, kept, &self.shared.model) {
                Ok(generation) => self.active.push((generation, Instant::now())),
                Err(fault) => {
                    self.slots.release(place.slot);
                    let _ = out.try_send(Err(fault));
                }
            }
        }
        self.shared.counters.running.store(self.active.len() as u64, Ordering::Relaxed);
    }

    /// Clears a slot after its first `reuse` tokens and answers how many are left.
    fn keep_only(&mut self, slot: usize, reuse: usize) -> usize {
        let sequence = u32::try_from(slot).ok();
        let from = u32::try_from(reuse).ok();
        if reuse > 0 && matches!(self.context.clear_kv_cache_seq(sequence, from, None), Ok(true)) {
            return reuse;
        }
        // Not every kind of model can forget a part.
        self.slots.forget(slot);
        let _ = self.context.clear_kv_cache_seq(sequence, None, None);
        0
    }

    fn drop_unwanted(&mut self) {
        let (slots, shared) = (&mut self.slots, self.shared);
        let closed = shared.queue().closed;
        let mut dropped = 0;
        self.active.retain(|(generation, _)| {
            let wanted = !closed && generation.is_wanted(&shared.name);
            if !wanted {
                slots.release(generation.slot);
                dropped += 1;
            }
            wanted
        });
        shared.counters.abandoned.fetch_add(dropped, Ordering::Relaxed);
        shared.counters.running.store(self.active.len() as u64, Ordering::Relaxed);
    }

    fn count_abandoned(&self) {
        self.shared.counters.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    /// One chunk of one prompt: the one that was begun first.
    fn prefill(&mut self) {
        let Some(index) = self.active.iter().position(|(generation, _)| matches!(generation.phase, Phase::Prefill { .. })) else {
            return;
        };
        let (generation, _) = &self.active[index];
        let Phase::Prefill { done } = generation.phase else { return };
        let prompt = &generation.request.prompt;
        let chunk = next_chunk(done, prompt.len());
        let (slot, last) = (generation.slot, chunk.end == prompt.len());
        self.batch.clear();
        let mut added = Ok(());
        for at in chunk.clone() {
            added = added.and_then(|()| add(&mut self.batch, prompt[at], at, slot, at + 1 == prompt.len()));
        }
        let start = Instant::now();
        let outcome = added.and_then(|()| self.context.decode(&mut self.batch).map_err(|fault| fault.to_string()));
        let counters = &self.shared.counters;
        counters.prefill_tokens.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        counters.prefill_micros.fetch_add(micros(start.elapsed()), Ordering::Relaxed);
        if let Err(reason) = outcome {
            return self.fail(index, &reason);
        }
        let generation = &mut self.active[index].0;
        generation.phase = Phase::Prefill { done: chunk.end };
        self.slots.computed(slot, &generation.request.prompt[..chunk.end]);
        if last {
            self.advance(&[(index, chunk.len() - 1)]);
        }
    }

    /// One token for every conversation that is past its prompt.
    fn decode(&mut self) {
        let ready = |(_, (generation, _)): &(usize, &(Generation, Instant))| matches!(generation.phase, Phase::Decode { .. });
        let ready: Vec<(usize, bool)> =
            self.active.iter().enumerate().filter(ready).map(|(index, (generation, _))| (index, generation.is_exact())).collect();
        let alone = ready.iter().filter(|(_, exact)| *exact).map(|(index, _)| vec![*index]);
        let together: Vec<usize> = ready.iter().filter(|(_, exact)| !exact).map(|(index, _)| *index).collect();
        let batches: Vec<Vec<usize>> = alone.chain([together]).filter(|batch| !batch.is_empty()).collect();
        // From the back, since ended conversations are taken out of the list.
        let mut ended = Vec::new();
        for batch in batches {
            ended.extend(self.decode_batch(&batch));
        }
        self.remove(ended);
    }

    /// Answers which conversations ended.
    fn decode_batch(&mut self, indexes: &[usize]) -> Vec<usize> {
        self.batch.clear();
        let mut added = Ok(());
        for index in indexes {
            let generation = &self.active[*index].0;
            if let Phase::Decode { last } = generation.phase {
                let (position, slot) = (generation.position(), generation.slot);
                added = added.and_then(|()| add(&mut self.batch, last, position, slot, true));
            }
        }
        let start = Instant::now();
        let outcome = added.and_then(|()| self.context.decode(&mut self.batch).map_err(|fault| fault.to_string()));
        let counters = &self.shared.counters;
        counters.decode_tokens.fetch_add(indexes.len() as u64, Ordering::Relaxed);
        counters.decode_micros.fetch_add(micros(start.elapsed()), Ordering::Relaxed);
        match outcome {
            Ok(()) => {
                let rows: Vec<(usize, usize)> = indexes.iter().enumerate().map(|(row, index)| (*index, row)).collect();
                self.choose(&rows)
            }
            Err(reason) => {
                for index in indexes {
                    self.active[*index].0.fail(self.shared.fault(reason.clone()));
                    self.slots.forget(self.active[*index].0.slot);
                }
                indexes.to_vec()
            }
        }
    }

    fn advance(&mut self, rows: &[(usize, usize)]) {
        let ended = self.choose(rows);
        self.remove(ended);
    }

    /// Lets conversations choose their next token from rows of the last batch; answers which ended.
    fn choose(&mut self, rows: &[(usize, usize)]) -> Vec<usize> {
        let mut ended = Vec::new();
        for (index, row) in rows {
            let generation = &mut self.active[*index].0;
            let logits = self.context.get_logits_ith(i32::try_from(*row).unwrap_or(i32::MAX));
            match generation.advance(logits, &self.shared.model) {
                Ok(Next::GoOn) => {}
                Ok(Next::Ended) => ended.push(*index),
                Err(reason) => {
                    generation.fail(self.shared.fault(reason));
                    ended.push(*index);
                }
            }
        }
        ended
    }

    fn fail(&mut self, index: usize, reason: &str) {
        tracing::error!(model = self.shared.name, reason, "a chat batch failed");
        let generation = &self.active[index].0;
        generation.fail(self.shared.fault(reason));
        self.slots.forget(generation.slot);
        self.remove(vec![index]);
    }

    fn remove(&mut self, mut ended: Vec<usize>) {
        ended.sort_unstable();
        for index in ended.into_iter().rev() {
            let (generation, start) = self.active.remove(index);
            self.slots.release(generation.slot);
            let counters = &self.shared.counters;
            counters.finished.fetch_add(1, Ordering::Relaxed);
            let (old, now) = (counters.request_micros.load(Ordering::Relaxed), micros(start.elapsed()));
            let average = if old == 0 { now } else { (old * 7 + now) / 8 };
            counters.request_micros.store(average, Ordering::Relaxed);
        }
        self.shared.counters.running.store(self.active.len() as u64, Ordering::Relaxed);
    }
}

fn add(
    batch: &mut LlamaBatch<'_>,
    token: llama_cpp_2::token::LlamaToken,
    position: usize,
    slot: usize,
    logits: bool,
) -> Result<(), String> {
    let position = i32::try_from(position).map_err(|fault| fault.to_string())?;
    let slot = i32::try_from(slot).map_err(|fault| fault.to_string())?;
    batch.add(token, position, &[slot], logits).map_err(|fault| fault.to_string())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
