//! Measures the encoder: tokens per second by engines, threads and batch size, and query latency.
//! `cargo run -p mainspring-encoders --example throughput [-- FILE]`
//! With FILE, texts parted by NUL, it measures just those as the server embeds them, and prints one JSON object.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for people")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mainspring_encoders::{EmbedderSpec, EncoderFiles, EngineOptions, LocalEmbedder, Pooling};
use mainspring_llm::{Budget, Embedder, embed::EmbedAs};
use mainspring_weights::{ModelList, Role, Weights};

fn budget() -> Budget {
    Budget::of(Duration::from_secs(600))
}

fn spec() -> EmbedderSpec {
    EmbedderSpec {
        name: "all-minilm-l6-v2".to_owned(),
        identity: String::new(),
        dimensions: 384,
        max_tokens: 256,
        pooling: Pooling::Mean,
        query_prefix: String::new(),
        passage_prefix: String::new(),
    }
}

/// Never short of work: three calls of 128 texts are under way.
async fn saturated(files: EncoderFiles, texts: Vec<String>) {
    let embedder = Arc::new(LocalEmbedder::new(spec(), Arc::new(move || Ok(files.clone())), EngineOptions::default()));
    embedder.embed(texts[..texts.len().min(64)].to_vec(), EmbedAs::Passage, budget()).await.unwrap();
    let calls: Vec<Vec<String>> = texts.chunks(128).map(<[String]>::to_vec).collect();
    let waiting = Arc::new(std::sync::Mutex::new(calls));
    let start = Instant::now();
    let workers = (0..3).map(|_| {
        let (embedder, waiting) = (Arc::clone(&embedder), Arc::clone(&waiting));
        tokio::spawn(async move {
            let mut tokens = 0;
            loop {
                let Some(call) = waiting.lock().unwrap().pop() else { return tokens };
                tokens += embedder.embed(call, EmbedAs::Passage, budget()).await.unwrap().tokens;
            }
        })
    });
    let mut tokens = 0;
    for worker in workers.collect::<Vec<_>>() {
        tokens += worker.await.unwrap();
    }
    println!("{{\"tokens_per_second\": {:.1}}}", tokens as f64 / start.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() {
    let weights = Weights::open(&Weights::default_dir(), ModelList::built_in().unwrap()).unwrap();
    let installed = weights.pull("all-minilm-l6-v2", |_| ()).await.unwrap();
    let path = |role| installed.path(role).unwrap().to_owned();
    let files = EncoderFiles { model: path(Role::Model), tokenizer: path(Role::Tokenizer) };
    if let Some(file) = std::env::args().nth(1) {
        let texts = std::fs::read_to_string(file).unwrap().split('\0').map(str::to_owned).collect();
        return saturated(files, texts).await;
    }
    let sentence = "Experimental investigation of the aerodynamics of a wing in a slipstream was made in order to determine the spanwise distribution of the lift increase. ";
    let texts: Vec<String> = (0..96).map(|i| sentence.repeat(1 + i % 9)).collect();
    for (engines, threads) in [(1, 1), (1, 2), (2, 1)] {
        for batch_tokens in [512, 1024, 2048, 4096] {
            let files = files.clone();
            let options = EngineOptions { engines, threads, batch_tokens, ..EngineOptions::default() };
            let embedder = LocalEmbedder::new(spec(), Arc::new(move || Ok(files.clone())), options);
            embedder.prepare(budget()).await.unwrap();
            embedder.embed(texts[..8].to_vec(), EmbedAs::Passage, budget()).await.unwrap();
            let start = Instant::now();
            let tokens = embedder.embed(texts.clone(), EmbedAs::Passage, budget()).await.unwrap().tokens;
            let rate = tokens as f64 / start.elapsed().as_secs_f64();
            let mut latencies: Vec<Duration> = Vec::new();
            for _ in 0..20 {
                let start = Instant::now();
                embedder.embed(vec!["what lifts a wing in a slipstream?".to_owned()], EmbedAs::Query, budget()).await.unwrap();
                latencies.push(start.elapsed());
            }
            latencies.sort_unstable();
            let stats = embedder.stats().unwrap();
            println!(
                "engines {engines} threads {threads} batch {batch_tokens}: {rate:.0} tokens/s, padding {:.1} %, query p50 {:?}",
                100.0 * stats.padding as f64 / (stats.tokens + stats.padding) as f64,
                latencies[latencies.len() / 2],
            );
        }
    }
    let start = Instant::now();
    let document = sentence.repeat(4_000);
    let spec_files = files.clone();
    let embedder = LocalEmbedder::new(spec(), Arc::new(move || Ok(spec_files.clone())), EngineOptions::default());
    embedder.tokenizer().count("load");
    println!("tokenizer loaded in {:?}", start.elapsed());
    let start = Instant::now();
    let count = embedder.tokenizer().count(&document);
    println!("tokenizer with places: {:.0} tokens/s over {count}", count as f64 / start.elapsed().as_secs_f64());
}
