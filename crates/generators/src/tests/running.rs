//! The engine: queues, slots, readers that leave.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use mainspring_kernel::Fault;
use mainspring_llm::{Budget, ChatModel, Delta, FinishReason};

use super::{ask, at, budget, gguf, nowhere, smollm, spec};
use crate::{ChatOptions, ChatSpec, LocalChat, check_cpu};

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn a_dropped_stream_frees_the_engine() {
    let chat = smollm().await;
    let mut request = ask("Write a very long story.", 900);
    request.sampling.temperature = 1.5;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = chat.stream(request.clone(), budget()).await.unwrap();
        stream.next().await.unwrap().unwrap();
        streams.push(stream);
    }
    assert_eq!(chat.stats().unwrap().running, 2);
    drop(streams);
    until("the slots are free", || chat.stats().unwrap().running == 0).await;
    assert_eq!(chat.stats().unwrap().abandoned, 2);
    assert!(chat.stats().unwrap().decode_tokens < 900);
    let reply = chat.complete(ask("hi", 3), budget()).await.unwrap();
    assert!(reply.usage.output_tokens > 0);
}

#[tokio::test]
async fn a_full_queue_refuses_and_waiting_requests_are_answered_in_turn() {
    let options = ChatOptions { slots: 1, queue: 2, ..ChatOptions::default() };
    let chat = Arc::new(LocalChat::new(spec(), at(gguf().await), options));
    let mut running = chat.stream(ask("Write a very long story.", 900), budget()).await.unwrap();
    running.next().await.unwrap().unwrap();
    let first = chat.stream(ask("hi", 2), budget()).await.unwrap();
    let second = chat.stream(ask("ho", 2), budget()).await.unwrap();
    let fault = chat.stream(ask("no", 2), budget()).await.map(drop).unwrap_err();
    assert_eq!(fault.code(), "model-saturated");
    assert!(fault.retry_after().unwrap() >= Duration::from_secs(1));
    // One that leaves the queue makes room in it.
    drop(first);
    let third = chat.stream(ask("now", 2), budget()).await.unwrap();
    drop(running);
    for stream in [second, third] {
        let reply = mainspring_llm::chat::collect(stream).await.unwrap();
        assert_eq!(reply.finish, FinishReason::Length);
    }
}

#[tokio::test]
async fn a_deadline_ends_a_stream_with_a_timeout() {
    let chat = smollm().await;
    chat.prepare(budget()).await.unwrap();
    let mut stream = chat.stream(ask("Write a very long story.", 900), Budget::of(Duration::from_millis(700))).await.unwrap();
    let fault = loop {
        match stream.next().await.unwrap() {
            Ok(Delta::Text { .. }) => {}
            Ok(Delta::Done { .. }) => panic!("900 tokens in 0.7 s"),
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.code(), "model-timeout");
    assert!(stream.next().await.is_none());
    until("the slot is free", || chat.stats().unwrap().running == 0).await;
}

#[tokio::test]
async fn seeded_answers_do_not_depend_on_who_runs_beside() {
    let chat = Arc::new(smollm().await);
    let story = || ask("Tell me about bees and what they do all day.", 40);
    let alone = chat.complete(story(), budget()).await.unwrap();
    let mut loose = ask("Write a very long story.", 200);
    loose.sampling.seed = None;
    let mut beside = chat.stream(loose, budget()).await.unwrap();
    beside.next().await.unwrap().unwrap();
    let crowded = chat.complete(story(), budget()).await.unwrap();
    assert_eq!(alone.text, crowded.text);
    drop(beside);
}

#[tokio::test]
async fn loose_requests_run_together() {
    let options = ChatOptions { slots: 3, ..ChatOptions::default() };
    let chat = Arc::new(LocalChat::new(ChatSpec { context: 512, ..spec() }, at(gguf().await), options));
    let mut loose = ask("Count from one to a hundred.", 30);
    loose.sampling.seed = None;
    let streams = [chat.stream(loose.clone(), budget()), chat.stream(loose.clone(), budget()), chat.stream(loose, budget())];
    for stream in futures::future::join_all(streams).await {
        let reply = mainspring_llm::chat::collect(stream.unwrap()).await.unwrap();
        assert!(reply.usage.output_tokens > 0 && !reply.text.is_empty());
    }
    until("all are counted", || chat.stats().unwrap().finished == 3).await;
}

#[tokio::test]
async fn nothing_is_loaded_before_it_is_used_and_broken_files_are_faults() {
    let chat = LocalChat::new(spec(), nowhere(), ChatOptions::default());
    assert_eq!(chat.complete(ask("hi", 1), budget()).await.unwrap_err().code(), "model-not-installed");
    assert_eq!(chat.context_window(), Some(1024));
    assert!(!chat.is_loaded() && chat.stats().is_none());
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(gguf().await).unwrap();
    for (name, content) in [("short", &bytes[..bytes.len() / 2]), ("noise", b"not a model".as_slice()), ("empty", b"")] {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        let chat = LocalChat::new(spec(), at(path), ChatOptions::default());
        let fault = chat.complete(ask("hi", 1), budget()).await.unwrap_err();
        assert_eq!(fault.code(), "model-engine-failed", "{name}");
    }
    let chat = LocalChat::new(spec(), at(dir.path().join("gone")), ChatOptions::default());
    assert!(chat.prepare(budget()).await.unwrap_err().to_string().contains("no file"));
}

#[test]
fn this_cpu_is_new_enough() {
    check_cpu().unwrap();
}
