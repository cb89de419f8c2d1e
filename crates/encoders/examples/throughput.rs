//! Measures the encoder: tokens per second by engines, threads and batch size, and query latency.
//! `cargo run -p mainspring-encoders --example throughput`
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

#[tokio::main]
async fn main() {
    let weights = Weights::open(&Weights::default_dir(), ModelList::built_in().unwrap()).unwrap();
    let installed = weights.pull("all-minilm-l6-v2", |_| ()).await.unwrap();
    let path = |role| installed.path(role).unwrap().to_owned();
    let files = EncoderFiles { model: path(Role::Model), tokenizer: path(Role::Tokenizer) };
    let sentence = "Experimental investigation of the aerodynamics of a wing in a slipstream was made in order to determine the spanwise distribution of the lift increase. ";
    let texts: Vec<String> = (0..96).map(|i| sentence.repeat(1 + i % 9)).collect();
    for (engines, threads) in [(1, 1), (1, 2), (2, 1)] {
        for batch_tokens in [512, 1024, 2048, 4096] {
            let spec = EmbedderSpec {
                name: "all-minilm-l6-v2".to_owned(),
                identity: String::new(),
                dimensions: 384,
                max_tokens: 256,
                pooling: Pooling::Mean,
                query_prefix: String::new(),
                passage_prefix: String::new(),
            };
            let files = files.clone();
            let options = EngineOptions { engines, threads, batch_tokens, ..EngineOptions::default() };
            let embedder = LocalEmbedder::new(spec, Arc::new(move || Ok(files.clone())), options);
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
    let embedder = LocalEmbedder::new(
        EmbedderSpec {
            name: "m".to_owned(),
            identity: String::new(),
            dimensions: 384,
            max_tokens: 256,
            pooling: Pooling::Mean,
            query_prefix: String::new(),
            passage_prefix: String::new(),
        },
        Arc::new(move || Ok(spec_files.clone())),
        EngineOptions::default(),
    );
    embedder.tokenizer().count("load");
    println!("tokenizer loaded in {:?}", start.elapsed());
    let start = Instant::now();
    let count = embedder.tokenizer().count(&document);
    println!("tokenizer with places: {:.0} tokens/s over {count}", count as f64 / start.elapsed().as_secs_f64());
}
