//! Cross-encoders, on a tiny classifier that counts words.

use mainspring_kernel::Fault;
use mainspring_llm::Reranker;

use super::{at, budget, files, tiny};
use crate::{CrossEncoder, CrossSpec, EncoderFiles, EngineOptions, session::Session};

/// Row `id` of the table is what the word with that id adds to each class.
async fn reranker(dir: &std::path::Path, classes: usize) -> CrossEncoder {
    let tokenizer = files("all-minilm-l6-v2").await.tokenizer;
    let words = tokenizers::Tokenizer::from_file(&tokenizer).unwrap();
    let mut weights = vec![vec![0.0; classes]; words.get_vocab_size(true)];
    weights[words.token_to_id("key").unwrap() as usize][classes - 1] = 2.0;
    weights[words.token_to_id("office").unwrap() as usize][classes - 1] = -1.0;
    let model = dir.join("tiny.onnx");
    tiny::classifier(&model, &weights);
    let spec = CrossSpec { name: "tiny".to_owned(), identity: "sha256:tiny".to_owned(), max_tokens: 64 };
    CrossEncoder::new(spec, at(EncoderFiles { model, tokenizer }), EngineOptions::default())
}

fn passages() -> Vec<String> {
    ["the office is closed", "a key is a key", "nothing here"].map(str::to_owned).to_vec()
}

#[tokio::test]
async fn a_classifier_with_one_or_two_outputs_ranks_pairs() {
    for classes in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let scored = reranker(dir.path(), classes).await.rerank("which one", passages(), budget()).await.unwrap();
        let scores: Vec<f32> = scored.iter().map(|scored| scored.score).collect();
        assert!(scores[1] > scores[2] && scores[2] > scores[0], "{scores:?}");
        // Two keys at two each: a logit of four.
        assert!((scores[1] - 1.0 / (1.0 + (-4.0_f32).exp())).abs() < 1e-5, "{scores:?}");
    }
}

#[tokio::test]
async fn long_pairs_are_cut_and_both_sides_stay() {
    let dir = tempfile::tempdir().unwrap();
    let scored = reranker(dir.path(), 1).await;
    let long = vec![format!("key {}", "filler ".repeat(5_000))];
    let score = scored.rerank("office", long, budget()).await.unwrap()[0].score;
    // The query's -1 and the passage's +2 were both read.
    assert!((score - 1.0 / (1.0 + (-1.0_f32).exp())).abs() < 1e-5, "{score}");
}

#[tokio::test]
async fn a_model_with_other_outputs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let fault = reranker(dir.path(), 3).await.rerank("q", passages(), budget()).await.unwrap_err();
    assert_eq!(fault.code(), "model-unsupported");
    let embedder = files("all-minilm-l6-v2").await;
    let spec = CrossSpec { name: "minilm".to_owned(), identity: String::new(), max_tokens: 64 };
    let fault = CrossEncoder::new(spec, at(embedder), EngineOptions::default()).rerank("q", passages(), budget()).await;
    assert_eq!(fault.unwrap_err().code(), "model-engine-failed");
}

#[test]
fn damaged_models_are_refused_and_never_end_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.onnx");
    tiny::classifier(&path, &[vec![1.0], vec![2.0]]);
    let whole = std::fs::read(&path).unwrap();
    assert!(Session::load(&path).is_ok());
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let _ = Session::load(&path);
    }
    let mut runner = proptest::test_runner::TestRunner::default();
    let flips = (0..whole.len(), proptest::num::u8::ANY);
    runner
        .run(&flips, |(at, flip)| {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            std::fs::write(&path, &bytes).unwrap();
            let _ = Session::load(&path);
            Ok(())
        })
        .unwrap();
}
