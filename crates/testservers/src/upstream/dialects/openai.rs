//! OpenAI's endpoints, and rerank as Cohere and Jina have it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, EVENT_STREAM, GARBAGE, JSON, Question, Reply, bits, halves, quoted};
use crate::upstream::script::{Behaviour, Used};

const CREATED: u64 = 1_700_000_000;
const DIMENSIONS: usize = 8;

pub(super) fn reply(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Reply {
    let stream = question.stream;
    let (pieces, can_stream) = match question.asked {
        Asked::Chat if stream => (chat_stream(question, number, behaviour), true),
        Asked::Responses if stream => (responses_stream(question, number, behaviour), true),
        Asked::Completions if stream => (completions_stream(question, number, behaviour), true),
        Asked::Chat => (halves(chat(question, number, behaviour)), false),
        Asked::Responses => {
            let status = if question.background { "queued" } else { "completed" };
            (halves(response(question.as_made(), number, behaviour, status).to_string()), false)
        }
        Asked::Kept => (halves(question.kept.as_ref().map(|(_, body)| body.clone()).unwrap_or_default()), false),
        Asked::Compact => (halves(compaction(question, number, behaviour)), false),
        Asked::InputTokens => (halves(input_tokens(behaviour)), false),
        Asked::Completions => (halves(completions(question, number, behaviour)), false),
        Asked::Embeddings => (halves(embeddings(question, behaviour)), false),
        Asked::Rerank => (halves(rerank(question, behaviour)), false),
        Asked::Moderations => (halves(moderations(question, number)), false),
        _ => (halves(models()), false),
    };
    let error = if question.asked == Asked::Responses {
        let error = r#"{"type":"error","code":"server_error","message":"no capacity","param":null,"sequence_number":99}"#;
        format!("event: error\ndata: {error}\n\n")
    } else {
        format!("data: {}\n\n", error(503, None))
    };
    Reply {
        media_type: if can_stream { EVENT_STREAM } else { JSON },
        headers: vec![("x-request-id", format!("req_{number}"))],
        pieces,
        error: error.into(),
        garbage: Bytes::from_static(GARBAGE),
    }
}

pub(super) fn error(status: u16, code: Option<&str>) -> String {
    let (kind, usual) = match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("invalid_request_error", Some("unsupported_country_region_territory")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        400..500 => ("invalid_request_error", None),
        _ => ("server_error", None),
    };
    json!({ "error": { "message": "the script says so", "type": kind, "param": null, "code": code.or(usual) } }).to_string()
}

fn usage(used: Option<Used>) -> Value {
    used.map_or(Value::Null, |used| {
        json!({
            "prompt_tokens": used.input,
            "completion_tokens": used.output,
            "total_tokens": used.input + used.output,
            "prompt_tokens_details": { "cached_tokens": used.cache_read, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": used.reasoning, "audio_tokens": 0 },
        })
    })
}

fn tool_call(name: &str, arguments: &str) -> Value {
    json!({ "id": "call_0", "type": "function", "function": { "name": name, "arguments": arguments } })
}

fn chat(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> String {
    let mut message = json!({ "role": "assistant", "content": behaviour.texts().concat(), "refusal": null });
    if let Some(think) = &behaviour.think {
        message["reasoning_content"] = json!(think);
    }
    if let Some((name, arguments)) = &behaviour.tool {
        message["content"] = Value::Null;
        message["tool_calls"] = json!([tool_call(name, arguments)]);
    }
    let mut whole = json!({
        "id": format!("chatcmpl-{number}"),
        "object": "chat.completion",
        "created": CREATED,
        "model": question.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish(behaviour) }],
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
    });
    if behaviour.usage.is_some() {
        whole["usage"] = usage(behaviour.usage);
    }
    whole.to_string()
}

const fn finish(behaviour: &Behaviour) -> &'static str {
    if behaviour.tool.is_some() { "tool_calls" } else { "stop" }
}

fn chat_stream(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Vec<Bytes> {
    let model = quoted(&question.model);
    let (nothing, said) = if question.include_usage { (",\"usage\":null", true) } else { ("", false) };
    let head = format!(
        "data: {{\"id\":\"chatcmpl-{number}\",\"object\":\"chat.completion.chunk\",\"created\":{CREATED},\"model\":{model},\
         \"system_fingerprint\":\"fp_scripted\",\"choices\":["
    );
    let chunk = |delta: &str, finish: &str| {
        let choice = format!("{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}");
        Bytes::from(format!("{head}{choice}]{nothing}}}\n\n"))
    };
    let mut pieces = vec![chunk(r#"{"role":"assistant","content":"","refusal":null}"#, "null")];
    if let Some(think) = &behaviour.think {
        pieces.extend(bits(think).iter().map(|text| chunk(&format!("{{\"reasoning_content\":{}}}", quoted(text)), "null")));
    }
    if let Some((name, arguments)) = &behaviour.tool {
        let begin = json!({ "tool_calls": [{ "index": 0, "id": "call_0", "type": "function", "function": { "name": name, "arguments": "" } }] });
        pieces.push(chunk(&begin.to_string(), "null"));
        pieces.extend(bits(arguments).iter().map(|bit| {
            let more = json!({ "tool_calls": [{ "index": 0, "function": { "arguments": bit } }] });
            chunk(&more.to_string(), "null")
        }));
    } else {
        let texts = behaviour.texts();
        pieces.extend(texts.iter().map(|text| chunk(&format!("{{\"content\":{}}}", quoted(text)), "null")));
    }
    pieces.push(chunk("{}", &quoted(finish(behaviour))));
    if said && behaviour.usage.is_some() {
        pieces.push(format!("{head}],\"usage\":{}}}\n\n", usage(behaviour.usage)).into());
    }
    pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
    pieces
}

fn completions(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> String {
    json!({
        "id": format!("cmpl-{number}"),
        "object": "text_completion",
        "created": CREATED,
        "model": question.model,
        "choices": [{ "text": behaviour.texts().concat(), "index": 0, "logprobs": null, "finish_reason": "stop" }],
        "usage": usage(behaviour.usage),
    })
    .to_string()
}

fn completions_stream(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Vec<Bytes> {
    let model = quoted(&question.model);
    let head = format!(
        "data: {{\"id\":\"cmpl-{number}\",\"object\":\"text_completion\",\"created\":{CREATED},\"model\":{model},\"choices\":["
    );
    let chunk = |text: &str, finish: &str| {
        let text = quoted(text);
        Bytes::from(format!("{head}{{\"text\":{text},\"index\":0,\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"))
    };
    let mut pieces: Vec<Bytes> = behaviour.texts().iter().map(|text| chunk(text, "null")).collect();
    pieces.push(chunk("", "\"stop\""));
    if question.include_usage && behaviour.usage.is_some() {
        pieces.push(format!("{head}],\"usage\":{}}}\n\n", usage(behaviour.usage)).into());
    }
    pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
    pieces
}

impl Question<'_> {
    /// By which model a response is made, and whether its client is away.
    fn as_made(&self) -> (&str, bool) {
        (self.model.as_str(), self.background)
    }
}

pub(in crate::upstream) fn response_id(number: u64) -> String {
    format!("resp_{number}")
}

pub(in crate::upstream) fn response(
    (model, background): (&str, bool),
    number: u64,
    behaviour: &Behaviour,
    status: &str,
) -> Value {
    let done = status == "completed";
    let used = behaviour.usage.filter(|_| done).map(|used| {
        json!({
            "input_tokens": used.input,
            "input_tokens_details": { "cached_tokens": used.cache_read },
            "output_tokens": used.output,
            "output_tokens_details": { "reasoning_tokens": used.reasoning },
            "total_tokens": used.input + used.output,
        })
    });
    json!({
        "id": response_id(number),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": background,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "metadata": {},
        "model": model,
        "output": if done { vec![item(number, behaviour, true)] } else { Vec::new() },
        "parallel_tool_calls": true,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": used,
    })
}

/// What went before is sealed, so that nobody but the server reads it.
fn compaction(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> String {
    let sealed = STANDARD.encode(behaviour.texts().concat());
    let whole = response(question.as_made(), number, behaviour, "completed");
    json!({
        "id": whole["id"],
        "object": "response.compaction",
        "created_at": CREATED,
        "output": [{ "id": format!("cmp_{number}"), "type": "compaction", "encrypted_content": sealed }],
        "usage": whole["usage"],
    })
    .to_string()
}

fn input_tokens(behaviour: &Behaviour) -> String {
    let counted = behaviour.usage.map_or(0, |used| used.input);
    json!({ "object": "response.input_tokens", "input_tokens": counted }).to_string()
}

fn item(number: u64, behaviour: &Behaviour, done: bool) -> Value {
    let status = if done { "completed" } else { "in_progress" };
    if let Some((name, arguments)) = &behaviour.tool {
        let arguments = if done { arguments } else { "" };
        return json!({ "id": format!("fc_{number}"), "type": "function_call", "status": status, "call_id": "call_0", "name": name, "arguments": arguments });
    }
    let content = if done { vec![part(&behaviour.texts().concat())] } else { Vec::new() };
    json!({ "id": format!("msg_{number}"), "type": "message", "status": status, "role": "assistant", "content": content })
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn responses_stream(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Vec<Bytes> {
    let begun = response(question.as_made(), number, behaviour, "in_progress");
    let mut events = vec![
        ("response.created", json!({ "response": begun })),
        ("response.in_progress", json!({ "response": begun })),
        ("response.output_item.added", json!({ "output_index": 0, "item": item(number, behaviour, false) })),
    ];
    if let Some((name, arguments)) = &behaviour.tool {
        let place = |mut value: Value| {
            value["item_id"] = json!(format!("fc_{number}"));
            value["output_index"] = json!(0);
            value
        };
        events
            .extend(bits(arguments).iter().map(|bit| ("response.function_call_arguments.delta", place(json!({ "delta": bit })))));
        events.push(("response.function_call_arguments.done", place(json!({ "name": name, "arguments": arguments }))));
    } else {
        let place = |mut value: Value| {
            value["item_id"] = json!(format!("msg_{number}"));
            value["output_index"] = json!(0);
            value["content_index"] = json!(0);
            value
        };
        let texts = behaviour.texts();
        let whole = texts.concat();
        events.push(("response.content_part.added", place(json!({ "part": part("") }))));
        events.extend(texts.iter().map(|text| ("response.output_text.delta", place(json!({ "delta": text, "logprobs": [] })))));
        events.push(("response.output_text.done", place(json!({ "text": whole, "logprobs": [] }))));
        events.push(("response.content_part.done", place(json!({ "part": part(&whole) }))));
    }
    events.push(("response.output_item.done", json!({ "output_index": 0, "item": item(number, behaviour, true) })));
    events.push(("response.completed", json!({ "response": response(question.as_made(), number, behaviour, "completed") })));
    let numbered = events.into_iter().enumerate().map(|(sequence, (name, mut value))| {
        value["type"] = json!(name);
        value["sequence_number"] = json!(sequence);
        Bytes::from(format!("event: {name}\ndata: {value}\n\n"))
    });
    numbered.collect()
}

/// The bytes of a text, spread over a few dimensions: the same text has the same vector.
pub(super) fn vector(text: &str) -> Vec<f32> {
    let mut sums = [1.0_f32; DIMENSIONS];
    for (at, byte) in text.bytes().enumerate() {
        sums[at % DIMENSIONS] += f32::from(byte) / 255.0;
    }
    let length = sums.iter().map(|sum| sum * sum).sum::<f32>().sqrt();
    sums.iter().map(|sum| sum / length).collect()
}

fn embeddings(question: &Question<'_>, behaviour: &Behaviour) -> String {
    let asked: Value = serde_json::from_slice(question.body).unwrap_or_default();
    let base64 = asked["encoding_format"] == "base64";
    let data = texts_of(&asked["input"]).into_iter().enumerate().map(|(index, text)| {
        let vector = vector(&text);
        let embedding = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    let mut whole = json!({ "object": "list", "data": data.collect::<Vec<_>>(), "model": question.model });
    if let Some(used) = behaviour.usage {
        whole["usage"] = json!({ "prompt_tokens": used.input, "total_tokens": used.input });
    }
    whole.to_string()
}

/// One text, a list of texts, or tokens in place of texts.
fn texts_of(input: &Value) -> Vec<String> {
    match input {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.iter().all(Value::is_number) => vec![input.to_string()],
        Value::Array(items) => items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

fn rerank(question: &Question<'_>, behaviour: &Behaviour) -> String {
    let asked: Value = serde_json::from_slice(question.body).unwrap_or_default();
    let query: Vec<&str> = asked["query"].as_str().unwrap_or_default().split_whitespace().collect();
    let documents = asked["documents"].as_array().cloned().unwrap_or_default();
    let score = |document: &Value| {
        let text = document.as_str().or_else(|| document["text"].as_str()).unwrap_or_default();
        let shared = query.iter().filter(|word| text.contains(**word)).count();
        shared as f64 / query.len().max(1) as f64
    };
    let mut results: Vec<(usize, f64)> = documents.iter().map(score).enumerate().collect();
    results.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let top = asked["top_n"].as_u64().and_then(|top| usize::try_from(top).ok()).unwrap_or(results.len());
    let results = results.iter().take(top).map(|(index, score)| json!({ "index": index, "relevance_score": score }));
    let tokens = behaviour.usage.map(|used| used.input);
    json!({ "model": question.model, "results": results.collect::<Vec<_>>(), "usage": { "total_tokens": tokens } }).to_string()
}

fn moderations(question: &Question<'_>, number: u64) -> String {
    let asked: Value = serde_json::from_slice(question.body).unwrap_or_default();
    let results = texts_of(&asked["input"]).into_iter().map(|text| {
        let flagged = text.contains("violence");
        json!({ "flagged": flagged, "categories": { "violence": flagged }, "category_scores": { "violence": if flagged { 0.9 } else { 0.1 } } })
    });
    json!({ "id": format!("modr-{number}"), "model": question.model, "results": results.collect::<Vec<_>>() }).to_string()
}

fn models() -> String {
    json!({ "object": "list", "data": [{ "id": "scripted", "object": "model", "created": CREATED, "owned_by": "tests" }] })
        .to_string()
}
