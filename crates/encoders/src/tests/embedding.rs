//! The real model.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mainspring_kernel::Fault;
use mainspring_llm::{Budget, Embedder, ModelFault, Reranker, embed::EmbedAs};

use super::{at, budget, cosine, files, minilm, minilm_spec, nowhere};
use crate::{EncoderFiles, EngineOptions, LateInteraction, LocalEmbedder};

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "The cat sits on the mat.",
        "A feline rests on a rug.",
        "Quarterly revenue grew by nine percent.",
        "",
        "Größere Übung: naïve café, Ελληνικά, 日本語のテキスト, emoji 🎛️.",
        "x",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("word ".repeat(1000));
    texts.push("supercalifragilistic".repeat(60));
    texts
}

#[tokio::test]
async fn vectors_have_length_one_and_near_meanings_are_near() {
    let embedder = minilm().await;
    let embedded = embedder.embed(texts(), EmbedAs::Passage, budget()).await.unwrap();
    assert_eq!(embedded.vectors.len(), texts().len());
    for vector in &embedded.vectors {
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-4);
    }
    let near = cosine(&embedded.vectors[0], &embedded.vectors[1]);
    let far = cosine(&embedded.vectors[0], &embedded.vectors[2]);
    assert!(near > far + 0.3, "{near} and {far}");
    // 1000 words and a very long word are cut to the model's length.
    assert!(embedded.tokens < 256 + 256 + 120, "{}", embedded.tokens);
}

#[tokio::test]
async fn a_batch_gives_the_same_vectors_as_one_at_a_time() {
    let embedder = minilm().await;
    let together = embedder.embed(texts(), EmbedAs::Passage, budget()).await.unwrap().vectors;
    for (text, vector) in texts().into_iter().zip(&together) {
        let alone = embedder.embed(vec![text.clone()], EmbedAs::Passage, budget()).await.unwrap().vectors;
        let cosine = cosine(&alone[0], vector);
        assert!(cosine > 0.999, "{cosine} for {:?}", text.chars().take(40).collect::<String>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_querys_vector_does_not_depend_on_who_else_asks() {
    let embedder = Arc::new(minilm().await);
    let query = || vec!["how do I rotate an API key?".to_owned()];
    let alone = embedder.embed(query(), EmbedAs::Query, budget()).await.unwrap();
    let crowd = (0..24).map(|i| {
        let embedder = Arc::clone(&embedder);
        async move {
            let (texts, purpose) = if i % 2 == 0 {
                (vec!["how do I rotate an API key?".to_owned()], EmbedAs::Query)
            } else {
                (vec![format!("passage {i} "); 20], EmbedAs::Passage)
            };
            (i, embedder.embed(texts, purpose, budget()).await.unwrap())
        }
    });
    for (i, embedded) in futures_join(crowd).await {
        if i % 2 == 0 {
            assert_eq!(embedded, alone);
        }
    }
}

async fn futures_join<T: Send + 'static>(work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let mut set = tokio::task::JoinSet::new();
    for work in work {
        set.spawn(work);
    }
    set.join_all().await
}

#[tokio::test]
async fn token_places_are_bytes_of_the_text() {
    let embedder = minilm().await;
    embedder.prepare(budget()).await.unwrap();
    let tokenizer = embedder.tokenizer();
    let text = "Größe: the CPU's naïve 日本 test\n\n[SEP] end";
    let tokens = tokenizer.tokenize(text);
    let words: Vec<&str> = tokens.ranges.iter().map(|range| &text[range.clone()]).collect();
    assert!(words.len() > 6 && words.concat().starts_with("Größe:theCPU"), "{words:?}");
    assert!(words.contains(&"日") && words.contains(&"test"), "{words:?}");
    assert!(words.concat().contains("[SEP]"), "control tokens in documents are text: {words:?}");
    assert_eq!(tokenizer.count(text), words.len());
    // A long document is tokenised in pieces, with the same places as a short one.
    let long = "The quick brown fox jumps over the lazy dog; naïve café.\n".repeat(5_000);
    let per_line = tokenizer.count("The quick brown fox jumps over the lazy dog; naïve café.\n");
    let ranges = tokenizer.tokenize(&long).ranges;
    assert_eq!(ranges.len(), per_line * 5_000);
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert_eq!(&long[ranges[per_line * 4_999].clone()], "The");
}

#[tokio::test]
async fn every_built_in_embedder_tells_what_is_about_the_same_from_what_is_not() {
    let list = mainspring_weights::ModelList::built_in().unwrap();
    let embedders = list.iter().filter_map(|(name, model)| match model.task {
        mainspring_weights::Task::Embed { dimensions, max_tokens, .. } => Some((name.to_string(), dimensions, max_tokens)),
        _ => None,
    });
    let mut seen = Vec::new();
    for (name, dimensions, max_tokens) in embedders {
        let spec = crate::EmbedderSpec { name: name.clone(), dimensions, max_tokens, ..minilm_spec() };
        let embedder = LocalEmbedder::new(spec, at(files(&name).await), EngineOptions::default());
        let texts = ["The cat sleeps on the sofa.", "A kitten is napping on the couch.", "Interest rates rose by half a point."];
        let vectors = embedder.embed(texts.map(str::to_owned).to_vec(), EmbedAs::Passage, budget()).await.unwrap().vectors;
        let (near, far) = (cosine(&vectors[0], &vectors[1]), cosine(&vectors[0], &vectors[2]));
        assert!(near > 0.5 && far < 0.2, "{name}: {near} and {far}");
        seen.push(vectors[0].clone());
    }
    assert!(seen.len() > 1 && cosine(&seen[0], &seen[1]) < 0.9, "different models give different vectors");
}

#[tokio::test]
async fn nothing_is_loaded_before_it_is_used_and_missing_weights_may_arrive_later() {
    let embedder = LocalEmbedder::new(minilm_spec(), nowhere(), EngineOptions::default());
    let fault = embedder.embed(texts(), EmbedAs::Query, budget()).await.unwrap_err();
    assert_eq!(fault.code(), "model-not-installed");
    assert_eq!(embedder.prepare(budget()).await.unwrap_err().code(), "model-not-installed");
    // Without a tokenizer, limits still hold roughly.
    assert_eq!(embedder.tokenizer().count("some plain words here."), 7);

    let (there, found) = (Arc::new(AtomicBool::new(false)), files("all-minilm-l6-v2").await);
    let asked = Arc::clone(&there);
    let locate = Arc::new(move || {
        if asked.load(Ordering::SeqCst) { Ok(found.clone()) } else { Err(ModelFault::NotInstalled { model: "m".to_owned() }) }
    });
    let embedder = LocalEmbedder::new(minilm_spec(), locate, EngineOptions::default());
    assert!(embedder.embed(vec!["a".to_owned()], EmbedAs::Query, budget()).await.is_err());
    assert!(!embedder.is_loaded());
    there.store(true, Ordering::SeqCst);
    embedder.embed(vec!["a".to_owned()], EmbedAs::Query, budget()).await.unwrap();
    assert!(embedder.is_loaded());
}

#[tokio::test]
async fn broken_files_and_wrong_dimensions_are_faults() {
    let dir = tempfile::tempdir().unwrap();
    let good = files("all-minilm-l6-v2").await;
    let bytes = std::fs::read(&good.model).unwrap();
    let short = dir.path().join("short.onnx");
    std::fs::write(&short, &bytes[..bytes.len() / 2]).unwrap();
    let noise = dir.path().join("noise.onnx");
    std::fs::write(&noise, b"not a model at all").unwrap();
    let attempts = [
        (EncoderFiles { model: short, ..good.clone() }, minilm_spec()),
        (EncoderFiles { model: noise.clone(), ..good.clone() }, minilm_spec()),
        (EncoderFiles { tokenizer: noise, ..good.clone() }, minilm_spec()),
        (EncoderFiles { model: dir.path().join("gone"), ..good.clone() }, minilm_spec()),
        (good, crate::EmbedderSpec { dimensions: 512, ..minilm_spec() }),
    ];
    for (files, spec) in attempts {
        let embedder = LocalEmbedder::new(spec, at(files.clone()), EngineOptions::default());
        let fault = embedder.embed(vec!["a".to_owned()], EmbedAs::Query, budget()).await.unwrap_err();
        assert_eq!(fault.code(), "model-engine-failed", "{files:?}");
    }
}

#[tokio::test]
async fn an_empty_request_and_a_spent_budget_cost_nothing() {
    let embedder = minilm().await;
    let embedded = embedder.embed(Vec::new(), EmbedAs::Query, budget()).await.unwrap();
    assert!(embedded.vectors.is_empty());
    embedder.prepare(budget()).await.unwrap();
    let fault = embedder.embed(texts(), EmbedAs::Query, Budget::of(Duration::ZERO)).await.unwrap_err();
    assert_eq!(fault.code(), "model-timeout");
    assert_eq!(embedder.stats().unwrap().batches, 0);
}

#[tokio::test]
async fn a_text_beyond_the_window_is_cut_or_refused_as_asked() {
    let embedder = minilm().await;
    // One token a word, and the two that the model adds.
    let words = |count: usize| vec!["key ".repeat(count)];
    let fits = embedder.embed_whole(words(254), EmbedAs::Passage, budget()).await.unwrap();
    assert_eq!(fits.tokens, 256);
    for (count, expected) in [(255, 257), (60_000, 60_002)] {
        let fault = embedder.embed_whole(words(count), EmbedAs::Passage, budget()).await.unwrap_err();
        assert_eq!(fault.code(), "context-length-exceeded");
        assert!(
            matches!(fault, ModelFault::ContextExceeded { tokens, window: 256, .. } if tokens == expected),
            "{fault} for {expected}"
        );
        let cut = embedder.embed(words(count), EmbedAs::Passage, budget()).await.unwrap();
        assert_eq!((cut.tokens, cut.vectors[0] == fits.vectors[0]), (256, true));
    }
    // What the model puts before a text takes room too.
    let spec = crate::EmbedderSpec { passage_prefix: "passage: ".to_owned(), ..minilm_spec() };
    let embedder = LocalEmbedder::new(spec, at(files("all-minilm-l6-v2").await), EngineOptions::default());
    assert!(embedder.embed_whole(words(252), EmbedAs::Passage, budget()).await.is_ok());
    assert!(embedder.embed_whole(words(253), EmbedAs::Passage, budget()).await.is_err());
    assert!(embedder.embed_whole(words(254), EmbedAs::Query, budget()).await.is_ok());
}

#[tokio::test]
async fn late_interaction_puts_the_answer_first() {
    let embedder = Arc::new(minilm().await);
    let tokens = embedder.embed_tokens(vec!["rotate a key".to_owned()], budget()).await.unwrap();
    assert!(tokens[0].len() >= 5 && tokens[0].iter().all(|token| (cosine(token, token) - 1.0).abs() < 1e-4));
    let reranker = LateInteraction::new(embedder);
    let passages = [
        "The office is closed on public holidays.",
        "To rotate an API key, create a new key and revoke the old one.",
        "Keys on a piano are black and white.",
        "",
    ];
    let scored = reranker.rerank("how do I rotate an API key", passages.map(str::to_owned).to_vec(), budget()).await.unwrap();
    assert_eq!(scored.iter().map(|scored| scored.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let best = scored.iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
    assert_eq!(best.index, 1, "{scored:?}");
    assert!(scored.iter().all(|scored| scored.score.is_finite()));
    assert!(reranker.identity().starts_with("late-interaction:"));
    assert!(reranker.rerank("q", Vec::new(), budget()).await.unwrap().is_empty());
}
