//! The engine on a model that waits for permission, so that what shares a batch is not left to luck.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use mainspring_kernel::Fault;
use mainspring_llm::{Budget, ModelFault};

use super::budget;
use crate::{
    EngineOptions, Pooling,
    batch::{Padded, Want},
    engine::{Encoded, Engine, Parts},
    queue::{Answer, Lane},
    session::{Forward, Output, Threads},
};

/// Answers each row with its first id, once the gate has let the batch through.
struct Gated {
    seen: Mutex<Sender<Vec<i32>>>,
    permits: Arc<Permits>,
}

#[derive(Default)]
struct Permits {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Permits {
    fn allow(&self, count: usize) {
        *self.count.lock().unwrap() += count;
        self.changed.notify_all();
    }
}

impl Forward for Gated {
    fn forward(&self, batch: &Padded, _: &Threads) -> Result<Output, String> {
        let firsts: Vec<i32> = batch.ids.chunks_exact(batch.width).map(|row| row[0]).collect();
        self.seen.lock().unwrap().send(firsts.clone()).unwrap();
        let mut count = self.permits.count.lock().unwrap();
        while *count == 0 {
            count = self.permits.changed.wait(count).unwrap();
        }
        *count -= 1;
        drop(count);
        if firsts.contains(&666) {
            panic!("a batch the model cannot take");
        }
        Ok(Output { width: 0, depth: 1, data: firsts.iter().map(|id| *id as f32).collect() })
    }
}

struct Bench {
    engine: Arc<Engine>,
    permits: Arc<Permits>,
    seen: Receiver<Vec<i32>>,
}

fn bench(options: EngineOptions) -> Bench {
    let (seen, batches) = channel();
    let permits = Arc::<Permits>::default();
    let forward = Gated { seen: Mutex::new(seen), permits: Arc::clone(&permits) };
    let parts = Parts { name: "gated".to_owned(), forward: Box::new(forward), pooling: Pooling::Mean, pad: 0, options };
    Bench { engine: Arc::new(Engine::start(parts).unwrap()), permits, seen: batches }
}

fn options() -> EngineOptions {
    EngineOptions { engines: 1, threads: 1, batch_tokens: 40, queue_tokens: 100 }
}

impl Bench {
    /// Starts a request of rows with the given first ids, ten tokens each.
    fn ask(&self, lane: Lane, firsts: &[u32], budget: Budget) -> tokio::task::JoinHandle<Result<Vec<Answer>, ModelFault>> {
        let engine = Arc::clone(&self.engine);
        let row = |first: &u32| Encoded { ids: std::iter::once(*first).chain([1; 9]).collect(), types: vec![0; 10] };
        let rows: Vec<Encoded> = firsts.iter().map(row).collect();
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        tokio::spawn(async move { engine.run(lane, Want::Logits, rows, budget).await })
    }

    async fn waiting(&self, tokens: u64) {
        while self.engine.stats().waiting_tokens != tokens {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The next batch that reaches the model.
    async fn batch(&self) -> Vec<i32> {
        loop {
            match self.seen.try_recv() {
                Ok(batch) => return batch,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }
}

fn values(answers: &[Answer]) -> Vec<f32> {
    answers
        .iter()
        .map(|answer| match answer {
            Answer::Vector(v) => v[0],
            Answer::Vectors(_) => panic!(),
        })
        .collect()
}

#[tokio::test]
async fn several_requests_share_a_batch_and_each_gets_its_own() {
    let bench = bench(options());
    let first = bench.ask(Lane::Passage, &[10], budget());
    assert_eq!(bench.batch().await, [10]);
    let second = bench.ask(Lane::Passage, &[20, 21], budget());
    let third = bench.ask(Lane::Passage, &[30], budget());
    bench.waiting(30).await;
    bench.permits.allow(2);
    assert_eq!(bench.batch().await, [20, 21, 30]);
    assert_eq!(values(&first.await.unwrap().unwrap()), [10.0]);
    assert_eq!(values(&second.await.unwrap().unwrap()), [20.0, 21.0]);
    assert_eq!(values(&third.await.unwrap().unwrap()), [30.0]);
    let stats = bench.engine.stats();
    assert_eq!((stats.batches, stats.rows, stats.tokens, stats.waiting_tokens), (2, 4, 40, 0));
}

#[tokio::test]
async fn queries_go_first_and_alone_but_passages_get_their_turn() {
    let bench = bench(EngineOptions { queue_tokens: 1000, ..options() });
    let mut asked = vec![bench.ask(Lane::Passage, &[1, 2, 3, 4, 5, 6, 7, 8], budget())];
    assert_eq!(bench.batch().await, [1, 2, 3, 4]);
    for query in 0..12 {
        asked.push(bench.ask(Lane::Query, &[100 + query], budget()));
        bench.waiting(10 * (u64::from(query) + 1)).await;
    }
    bench.permits.allow(100);
    let mut order = Vec::new();
    for _ in 0..13 {
        order.push(bench.batch().await);
    }
    let passages = order.iter().position(|batch| batch == &[5, 6, 7, 8]).unwrap();
    assert_eq!(passages, 7, "after seven queries: {order:?}");
    order.remove(passages);
    assert_eq!(order, (100..112).map(|query| vec![query]).collect::<Vec<_>>());
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn rows_of_one_query_request_go_together() {
    let bench = bench(options());
    let first = bench.ask(Lane::Query, &[1], budget());
    bench.batch().await;
    let (second, third) = (bench.ask(Lane::Query, &[2, 3], budget()), bench.ask(Lane::Query, &[4], budget()));
    bench.waiting(30).await;
    bench.permits.allow(3);
    assert_eq!((bench.batch().await, bench.batch().await), (vec![2, 3], vec![4]));
    for asked in [first, second, third] {
        asked.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_full_queue_refuses_and_says_when_to_come_back() {
    let bench = bench(options());
    let running = bench.ask(Lane::Passage, &[1], budget());
    bench.batch().await;
    let waiting = bench.ask(Lane::Passage, &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11], budget());
    bench.waiting(100).await;
    let fault = bench.ask(Lane::Query, &[12], budget()).await.unwrap().unwrap_err();
    assert_eq!(fault.code(), "model-saturated");
    assert!(fault.retry_after().unwrap() >= Duration::from_secs(1));
    bench.permits.allow(100);
    running.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
    // And it takes work again.
    bench.ask(Lane::Query, &[12], budget()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_larger_than_the_queue_is_let_in_when_nothing_waits() {
    let bench = bench(options());
    bench.permits.allow(100);
    let answers = bench.ask(Lane::Passage, &(1..=40).collect::<Vec<_>>(), budget()).await.unwrap().unwrap();
    assert_eq!(values(&answers), (1..=40).map(|id| id as f32).collect::<Vec<_>>());
}

#[tokio::test]
async fn rows_nobody_waits_for_are_never_computed() {
    let bench = bench(options());
    let running = bench.ask(Lane::Passage, &[1], budget());
    bench.batch().await;
    let left = bench.ask(Lane::Passage, &[2, 3, 4], budget());
    let late = bench.ask(Lane::Passage, &[5], Budget::of(Duration::from_millis(20)));
    let stays = bench.ask(Lane::Passage, &[6], budget());
    bench.waiting(50).await;
    left.abort();
    assert!(left.await.unwrap_err().is_cancelled());
    assert_eq!(late.await.unwrap().unwrap_err().code(), "model-timeout");
    bench.permits.allow(100);
    assert_eq!(bench.batch().await, [6]);
    running.await.unwrap().unwrap();
    stays.await.unwrap().unwrap();
    assert_eq!(bench.engine.stats().dropped, 4);
}

#[tokio::test]
async fn the_work_of_callers_that_left_keeps_nobody_out() {
    let bench = bench(options());
    let running = bench.ask(Lane::Passage, &[1], budget());
    bench.batch().await;
    let left = bench.ask(Lane::Passage, &(2..=11).collect::<Vec<_>>(), budget());
    bench.waiting(100).await;
    left.abort();
    let _ = left.await;
    let next = bench.ask(Lane::Passage, &[12], budget());
    bench.waiting(10).await;
    bench.permits.allow(100);
    running.await.unwrap().unwrap();
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_batch_that_fails_fails_its_own_rows_only() {
    let bench = bench(options());
    bench.permits.allow(100);
    let fault = bench.ask(Lane::Passage, &[666], budget()).await.unwrap().unwrap_err();
    assert_eq!(fault.code(), "model-engine-failed");
    bench.ask(Lane::Passage, &[1], budget()).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_waits_is_told_when_the_engine_goes() {
    let bench = bench(options());
    let running = bench.ask(Lane::Passage, &[1], budget());
    bench.batch().await;
    let waiting = bench.ask(Lane::Passage, &[2], budget());
    bench.waiting(10).await;
    bench.engine.stop();
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), "model-engine-failed");
    bench.permits.allow(1);
    running.await.unwrap().unwrap();
}
