//! Answers of the real model.

use futures::StreamExt;
use mainspring_kernel::Fault;
use mainspring_llm::{Budget, ChatModel, Delta, FinishReason, Message, ModelFault, chat::ResponseFormat};
use serde_json::{Value, json};

use super::{ask, budget, smollm};

#[tokio::test]
async fn the_same_seed_says_the_same_whatever_ran_before() {
    let chat = smollm().await;
    let story = || ask("Tell me a short story about a clockmaker and a river.", 60);
    let first = chat.complete(story(), budget()).await.unwrap();
    // Another conversation in between, and a warm cache now.
    chat.complete(ask("What is the capital of France?", 10), budget()).await.unwrap();
    let again = chat.complete(story(), budget()).await.unwrap();
    assert_eq!((first.text.as_str(), first.finish), (again.text.as_str(), again.finish));
    let fresh = smollm().await.complete(story(), budget()).await.unwrap();
    assert_eq!(first.text, fresh.text);
    let mut texts = std::collections::BTreeSet::from([first.text]);
    for seed in 1..4 {
        let mut other = story();
        other.sampling.seed = Some(seed);
        texts.insert(chat.complete(other, budget()).await.unwrap().text);
    }
    assert!(texts.len() > 1, "seeds make a difference");
}

#[tokio::test]
async fn a_long_prompt_is_reused_and_says_the_same() {
    let chat = smollm().await;
    let facts = "The mill stands by the river. The bakery opens at six. ".repeat(20);
    let question = |text: &str| ask(&format!("{facts}\n{text}"), 24);
    let cold = chat.complete(question("When does the bakery open?"), budget()).await.unwrap();
    assert_eq!(cold.usage.cached_tokens, 0);
    let warm = chat.complete(question("When does the bakery open?"), budget()).await.unwrap();
    assert!(warm.usage.cached_tokens >= 192 && warm.usage.cached_tokens < warm.usage.input_tokens, "{:?}", warm.usage);
    assert_eq!(cold.text, warm.text);
    let other = chat.complete(question("Where is the mill?"), budget()).await.unwrap();
    assert!(other.usage.cached_tokens >= 192);
    assert_eq!(other.text, smollm().await.complete(question("Where is the mill?"), budget()).await.unwrap().text);
}

#[tokio::test]
async fn an_answer_knows_something() {
    let mut request = ask("What is the capital of France? Answer with one word.", 12);
    request.sampling.temperature = 0.0;
    let reply = smollm().await.complete(request, budget()).await.unwrap();
    assert!(reply.text.contains("Paris"), "{reply:?}");
    assert_eq!(reply.finish, FinishReason::Stop);
}

#[tokio::test]
async fn max_tokens_ends_with_length_and_counts_are_right() {
    let chat = smollm().await;
    let request = ask("Write a very long poem about mountains.", 9);
    let counted = chat.count_tokens(&request.messages).await.unwrap();
    let reply = chat.complete(request, budget()).await.unwrap();
    assert_eq!(reply.finish, FinishReason::Length);
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (counted as u64, 9));
}

#[tokio::test]
async fn a_stop_sequence_ends_the_answer_and_is_not_in_it() {
    let chat = smollm().await;
    let free = chat.complete(ask("Count from one to ten in words.", 40), budget()).await.unwrap().text;
    // Something the model says by itself, across a token's border.
    let middle: Vec<char> = free.chars().collect();
    let stop: String = middle[middle.len() / 2..middle.len() / 2 + 4].iter().collect();
    let mut request = ask("Count from one to ten in words.", 40);
    request.stop = vec!["never said, surely".to_owned(), stop.clone()];
    let reply = chat.complete(request, budget()).await.unwrap();
    assert_eq!(reply.text, free[..free.find(&stop).unwrap()]);
    assert_eq!(reply.finish, FinishReason::Stop);
}

#[tokio::test]
async fn the_stream_is_the_answer_in_pieces() {
    let chat = smollm().await;
    let request = || ask("Name three colours.", 30);
    let whole = chat.complete(request(), budget()).await.unwrap();
    let mut stream = chat.stream(request(), budget()).await.unwrap();
    let (mut text, mut pieces, mut done) = (String::new(), 0, None);
    while let Some(delta) = stream.next().await {
        assert!(done.is_none(), "nothing comes after the end");
        match delta.unwrap() {
            Delta::Text { text: piece, .. } => {
                pieces += 1;
                text.push_str(&piece);
            }
            Delta::Done { finish, usage } => done = Some((finish, usage)),
        }
    }
    assert!(pieces > 3);
    let (finish, usage) = done.unwrap();
    assert_eq!((text, finish, usage.output_tokens), (whole.text, whole.finish, whole.usage.output_tokens));
}

#[tokio::test]
async fn what_does_not_fit_the_window_is_refused_with_counts() {
    let chat = smollm().await;
    let fault = chat.complete(ask(&"word ".repeat(1_500), 10), budget()).await.unwrap_err();
    assert_eq!(fault.code(), "context-length-exceeded");
    assert!(matches!(fault, ModelFault::ContextExceeded { tokens, window: 1024, .. } if tokens > 1_500), "{fault}");
    let fault = chat.complete(ask("hello", 1_020), budget()).await.unwrap_err();
    assert_eq!(fault.code(), "context-length-exceeded");
    // Without a bound, the window is the bound.
    let mut request = ask(&"word ".repeat(960), 1);
    request.max_tokens = None;
    let reply = chat.complete(request, budget()).await.unwrap();
    assert!(reply.usage.input_tokens + reply.usage.output_tokens <= 1024, "{:?}", reply.usage);
}

#[tokio::test]
async fn an_answer_keeps_to_its_schema() {
    let chat = smollm().await;
    let mut request = ask("Describe a person named Ada, 36, who likes chess.", 120);
    request.format = ResponseFormat::JsonSchema(json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 20 },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "role": { "enum": ["player", "coach"] },
            "tags": { "type": "array", "items": { "type": "string", "maxLength": 12 }, "minItems": 1, "maxItems": 2 },
        },
        "required": ["name", "age", "role", "tags"],
        "additionalProperties": false,
    }));
    for seed in 1..5 {
        request.sampling.seed = Some(seed);
        let reply = chat.complete(request.clone(), budget()).await.unwrap();
        assert_eq!(reply.finish, FinishReason::Stop, "{reply:?}");
        let Value::Object(answer) = serde_json::from_str(&reply.text).unwrap() else { panic!("{}", reply.text) };
        assert_eq!(answer.len(), 4, "{answer:?}");
        assert!(answer["name"].as_str().unwrap().chars().count() <= 20);
        assert!((0..=150).contains(&answer["age"].as_i64().unwrap()));
        assert!(["player", "coach"].contains(&answer["role"].as_str().unwrap()));
        let tags = answer["tags"].as_array().unwrap();
        assert!((1..=2).contains(&tags.len()) && tags.iter().all(Value::is_string));
    }
}

#[tokio::test]
async fn json_is_an_object_and_an_impossible_schema_is_a_fault() {
    let chat = smollm().await;
    let mut request = ask("Give a JSON object with the keys a and b, both small numbers.", 400);
    request.format = ResponseFormat::Json;
    request.sampling.temperature = 0.2;
    let reply = chat.complete(request.clone(), budget()).await.unwrap();
    if reply.finish == FinishReason::Stop {
        assert!(serde_json::from_str::<Value>(&reply.text).unwrap().is_object(), "{}", reply.text);
    }
    assert!(reply.text.starts_with('{'), "{}", reply.text);
    request.format = ResponseFormat::JsonSchema(json!({ "type": "array", "contains": {} }));
    let fault = chat.complete(request, budget()).await.unwrap_err();
    assert_eq!(fault.code(), "model-unsupported");
    assert!(fault.to_string().contains("`contains` at #"), "{fault}");
    let mut request = ask("Give a JSON object.", 8);
    request.format = ResponseFormat::JsonSchema(json!({ "type": "objekt" }));
    let fault = chat.complete(request, budget()).await.unwrap_err();
    assert_eq!(fault.code(), "model-invalid-parameter");
    assert!(fault.to_string().starts_with("`response_format`: the schema at #"), "{fault}");
}

#[tokio::test]
async fn log_probabilities_belong_to_the_text() {
    let mut request = ask("Say hello.", 8);
    request.logprobs = Some(3);
    let reply = smollm().await.complete(request, budget()).await.unwrap();
    assert_eq!(reply.logprobs.len() as u64, reply.usage.output_tokens);
    let joined: String = reply.logprobs.iter().map(|entry| entry.token.as_str()).collect();
    assert_eq!(joined, reply.text);
    for entry in &reply.logprobs {
        assert!(entry.logprob <= 0.0 && entry.top.len() == 3);
        assert!(entry.top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }
}

#[tokio::test]
async fn many_scripts_come_out_whole() {
    let chat = smollm().await;
    for text in ["日本語で：こんにちは、", "Ελληνικά: καλημέρα ", "emoji: 🎛️🙂🎉🎈", "Русский: привет, "]
    {
        let mut request = ask("", 40);
        request.messages = Vec::new();
        request.sampling.temperature = 0.7;
        let mut stream = chat.stream_text(text.repeat(4), request, budget()).await.unwrap();
        let mut said = String::new();
        while let Some(delta) = stream.next().await {
            if let Delta::Text { text, .. } = delta.unwrap() {
                said.push_str(&text);
            }
        }
        // A character cut off by max_tokens is the only one that may be marked.
        let inner = said.trim_end_matches('\u{FFFD}');
        assert!(!said.is_empty() && !inner.contains('\u{FFFD}'), "{said:?}");
    }
}

#[tokio::test]
async fn raw_text_is_continued_without_a_template() {
    let mut request = ask("", 4);
    request.sampling.temperature = 0.0;
    let stream = smollm().await.stream_text("One, two, three, four, five,".to_owned(), request, budget()).await.unwrap();
    let reply = mainspring_llm::chat::collect(stream).await.unwrap();
    assert!(reply.text.contains("six"), "{reply:?}");
}

#[tokio::test]
async fn parameters_out_of_range_are_named() {
    type Change = fn(&mut mainspring_llm::ChatRequest);
    let chat = smollm().await;
    let changes: [(&str, Change); 8] = [
        ("temperature", |request| request.sampling.temperature = f64::NAN),
        ("temperature", |request| request.sampling.temperature = 2.1),
        ("top_p", |request| request.sampling.top_p = 0.0),
        ("top_k", |request| request.sampling.top_k = Some(0)),
        ("frequency_penalty", |request| request.sampling.frequency_penalty = 3.0),
        ("max_tokens", |request| request.max_tokens = Some(0)),
        ("stop", |request| request.stop = vec![String::new()]),
        ("logprobs", |request| request.logprobs = Some(21)),
    ];
    for (name, change) in changes {
        let mut request = ask("hi", 5);
        change(&mut request);
        let fault = chat.complete(request, budget()).await.unwrap_err();
        assert!(matches!(fault, ModelFault::InvalidParameter { parameter, .. } if parameter == name), "{name}: {fault}");
    }
    assert!(!chat.is_loaded(), "bad requests cost nothing");
    let mut request = ask("", 5);
    request.messages = vec![Message::user("x")];
    let fault = chat.stream_text(String::new(), request, budget()).await.map(drop).unwrap_err();
    assert_eq!(fault.code(), "model-invalid-parameter");
    let fault = chat.complete(ask("hi", 5), Budget::of(std::time::Duration::ZERO)).await.unwrap_err();
    assert_eq!(fault.code(), "model-timeout");
}
