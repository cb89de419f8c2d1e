use bytes::Bytes;
use http::header::AUTHORIZATION;
use mainspring_kernel::Timestamp;
use mainspring_llm::exchange::{Call, Dialect, EmbedCall, RerankCall, Role, Turn};
use serde_json::{Map, Value, json};

use super::{AZURE, OPENAI, PLAIN, UNKNOWN, at};
use crate::{
    fault::FaultClass,
    openai::OpenAi,
    seam::{About, Adapter, Endpoint, Kept, Operation},
};

const ALL: [Operation; 9] = [
    Operation::Chat,
    Operation::Responses,
    Operation::Compact,
    Operation::Messages,
    Operation::CountTokens,
    Operation::Completions,
    Operation::Embeddings,
    Operation::Rerank,
    Operation::Moderations,
];

#[track_caller]
fn check(adapter: OpenAi, endpoint: &Endpoint, want: &[(Operation, &str)]) {
    for operation in ALL {
        let address = adapter.pass(endpoint, operation, Bytes::from_static(b"{}"), false).map(|sent| {
            let sent = sent.unwrap();
            assert_eq!((sent.body, sent.method), (Bytes::from_static(b"{}"), http::Method::POST));
            assert_eq!(sent.headers["content-type"], "application/json");
            sent.uri.to_string()
        });
        let wanted = want.iter().find(|(named, _)| *named == operation).map(|(_, address)| (*address).to_owned());
        assert_eq!(address, wanted, "{operation:?} of {}", endpoint.base_url);
    }
}

#[test]
fn requests_go_where_the_dialect_has_them() {
    use Operation::{Chat, Compact, Completions, CountTokens, Embeddings, Moderations, Rerank, Responses};
    check(
        PLAIN,
        &at(OPENAI),
        &[
            (Chat, "https://api.openai.com/v1/chat/completions"),
            (Responses, "https://api.openai.com/v1/responses"),
            (Compact, "https://api.openai.com/v1/responses/compact"),
            (CountTokens, "https://api.openai.com/v1/responses/input_tokens"),
            (Completions, "https://api.openai.com/v1/completions"),
            (Embeddings, "https://api.openai.com/v1/embeddings"),
            (Rerank, "https://api.openai.com/v1/rerank"),
            (Moderations, "https://api.openai.com/v1/moderations"),
        ],
    );
    check(
        PLAIN,
        &at(UNKNOWN),
        &[
            (Chat, "http://gpu-7.example:8000/v1/chat/completions"),
            (Completions, "http://gpu-7.example:8000/v1/completions"),
            (Embeddings, "http://gpu-7.example:8000/v1/embeddings"),
            (Rerank, "http://gpu-7.example:8000/v1/rerank"),
            (Moderations, "http://gpu-7.example:8000/v1/moderations"),
        ],
    );
    check(
        PLAIN,
        &at("https://api.cohere.ai/compatibility/v1"),
        &[
            (Chat, "https://api.cohere.ai/compatibility/v1/chat/completions"),
            (Completions, "https://api.cohere.ai/compatibility/v1/completions"),
            (Embeddings, "https://api.cohere.ai/compatibility/v1/embeddings"),
            (Rerank, "https://api.cohere.ai/v2/rerank"),
            (Moderations, "https://api.cohere.ai/compatibility/v1/moderations"),
        ],
    );
}

#[test]
fn azure_names_the_deployment_in_the_path() {
    use Operation::{Chat, Compact, Completions, Embeddings, Responses};
    let version = "?api-version=2024-10-21";
    let address = |path: &str| format!("https://x.openai.azure.com/openai/deployments/target%20model/{path}{version}");
    for base in ["https://x.openai.azure.com", "https://x.openai.azure.com/openai"] {
        let endpoint = Endpoint { model: "target model".to_owned(), ..at(base) };
        check(
            AZURE,
            &endpoint,
            &[
                (Chat, &address("chat/completions")),
                (Completions, &address("completions")),
                (Embeddings, &address("embeddings")),
                (Responses, "https://x.openai.azure.com/openai/v1/responses"),
                (Compact, "https://x.openai.azure.com/openai/v1/responses/compact"),
            ],
        );
    }
    let endpoint = Endpoint { api_version: Some("preview".to_owned()), ..at("https://x.openai.azure.com/openai/v1") };
    check(
        AZURE,
        &endpoint,
        &[
            (Chat, "https://x.openai.azure.com/openai/v1/chat/completions?api-version=preview"),
            (Completions, "https://x.openai.azure.com/openai/v1/completions?api-version=preview"),
            (Embeddings, "https://x.openai.azure.com/openai/v1/embeddings?api-version=preview"),
            (Responses, "https://x.openai.azure.com/openai/v1/responses?api-version=preview"),
            (Compact, "https://x.openai.azure.com/openai/v1/responses/compact?api-version=preview"),
        ],
    );
}

#[test]
fn a_response_that_is_kept_lies_beneath_where_it_was_made() {
    let asked = |adapter: OpenAi, endpoint: &Endpoint, about: About, query: Option<&str>| {
        let sent = adapter.kept(endpoint, Kept { about, response: "resp_1", query })?.unwrap();
        assert!(sent.body.is_empty() && !sent.headers.contains_key("content-type"), "{about:?} says nothing");
        Some(format!("{} {}", sent.method, sent.uri))
    };
    let azure = Endpoint { api_version: Some("preview".to_owned()), ..at("https://x.openai.azure.com/openai/v1") };
    for (about, query, on_openai, on_azure) in [
        (
            About::Read,
            Some("stream=true&starting_after=3"),
            "GET resp_1?stream=true&starting_after=3",
            "&stream=true&starting_after=3",
        ),
        (About::Delete, None, "DELETE resp_1", ""),
        (About::Cancel, Some(""), "POST resp_1/cancel", ""),
        (About::InputItems, Some("limit=5"), "GET resp_1/input_items?limit=5", "&limit=5"),
    ] {
        let (method, path) = on_openai.split_once(' ').unwrap();
        assert_eq!(asked(PLAIN, &at(OPENAI), about, query), Some(format!("{method} {OPENAI}/responses/{path}")));
        let path = path.split('?').next().unwrap();
        let address = format!("{method} https://x.openai.azure.com/openai/v1/responses/{path}?api-version=preview{on_azure}");
        assert_eq!(asked(AZURE, &azure, about, query), Some(address));
    }
    assert_eq!(asked(PLAIN, &at(UNKNOWN), About::Read, None), None, "nothing is kept by who has no such endpoint");
    let odd = PLAIN.kept(&at(OPENAI), Kept { about: About::Read, response: "../files", query: None }).unwrap().unwrap();
    assert_eq!(odd.uri, "https://api.openai.com/v1/responses/..%2Ffiles");
}

#[track_caller]
fn check_credential(adapter: OpenAi, secret: Option<&str>, want: Option<(&str, &str)>) {
    let endpoint = Endpoint { credential: secret.map(|secret| secret.to_owned().into()), ..at("https://x.openai.azure.com") };
    let mut sent = adapter.pass(&endpoint, Operation::Chat, Bytes::new(), false).unwrap().unwrap();
    adapter.authorize(&endpoint, &mut sent, Timestamp::from_micros(0)).unwrap();
    for name in ["authorization", "api-key"] {
        let value = sent.headers.get(name);
        assert_eq!(value.map(|value| value.to_str().unwrap()), want.filter(|(named, _)| *named == name).map(|(_, value)| value));
        assert!(value.is_none_or(http::HeaderValue::is_sensitive));
    }
    assert!(!format!("{sent:?}").contains("s3cr3t"), "{sent:?}");
}

#[test]
fn a_credential_goes_where_it_is_looked_for_and_is_not_shown() {
    check_credential(PLAIN, Some("sk-s3cr3t\n"), Some(("authorization", "Bearer sk-s3cr3t")));
    check_credential(AZURE, Some("s3cr3t0123"), Some(("api-key", "s3cr3t0123")));
    check_credential(AZURE, Some("eyJ0.s3cr3t.sig"), Some(("authorization", "Bearer eyJ0.s3cr3t.sig")));
    check_credential(PLAIN, None, None);
    let endpoint = Endpoint { credential: Some("s3cr\u{7}3t".to_owned().into()), ..at(OPENAI) };
    let mut sent = PLAIN.pass(&endpoint, Operation::Chat, Bytes::new(), false).unwrap().unwrap();
    let fault = PLAIN.authorize(&endpoint, &mut sent, Timestamp::from_micros(0)).unwrap_err();
    assert_eq!((fault.class, fault.message.contains("s3cr")), (FaultClass::Auth, false));
    assert!(sent.headers.get(AUTHORIZATION).is_none());
}

#[test]
fn headers_of_the_provider_are_sent_and_wrong_ones_are_refused() {
    let mut endpoint = at(OPENAI);
    endpoint.headers.insert("OpenAI-Organization".to_owned(), "org-1".to_owned());
    let sent = PLAIN.pass(&endpoint, Operation::Chat, Bytes::new(), false).unwrap().unwrap();
    assert_eq!(sent.headers["openai-organization"], "org-1");
    endpoint.headers.insert("bad name".to_owned(), "x".to_owned());
    assert_eq!(PLAIN.pass(&endpoint, Operation::Chat, Bytes::new(), false).unwrap().unwrap_err().class, FaultClass::Invalid);
    let nowhere = at("http://exa mple/v1");
    assert_eq!(PLAIN.pass(&nowhere, Operation::Chat, Bytes::new(), false).unwrap().unwrap_err().class, FaultClass::Connect);
}

#[test]
fn a_translated_call_goes_to_chat_completions() {
    let mut call = Call::new("asked-model", Dialect::OpenAiResponses);
    call.turns.push(Turn::text(Role::User, "Hi"));
    let sent = PLAIN.encode(&at(UNKNOWN), &call).unwrap().outgoing;
    assert_eq!(sent.uri, "http://gpu-7.example:8000/v1/chat/completions");
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body, json!({"model": "target-model", "messages": [{"role": "user", "content": "Hi"}]}));
}

fn embed_call() -> EmbedCall {
    EmbedCall {
        model: "asked-model".to_owned(),
        inputs: vec!["a".to_owned(), "b".to_owned()],
        dimensions: Some(256),
        user: Some("u-1".to_owned()),
        extra: Map::from_iter([("input_type".to_owned(), json!("query")), ("encoding_format".to_owned(), json!("float"))]),
    }
}

#[test]
fn texts_to_embed_are_written_as_each_server_takes_them() {
    let body = |adapter: OpenAi, base: &str| -> Value {
        serde_json::from_slice(&adapter.encode_embed(&at(base), &embed_call()).unwrap().body).unwrap()
    };
    let plain = json!({"model": "target-model", "input": ["a", "b"], "input_type": "query", "dimensions": 256});
    assert_eq!(body(PLAIN, UNKNOWN), plain);
    let mut openai = plain.clone();
    openai["encoding_format"] = json!("base64");
    openai["user"] = json!("u-1");
    assert_eq!(body(PLAIN, OPENAI), openai);
    assert_eq!(body(AZURE, "https://x.openai.azure.com"), openai);
    let voyage = json!({"model": "target-model", "input": ["a", "b"], "input_type": "query", "output_dimension": 256});
    assert_eq!(body(PLAIN, "https://api.voyageai.com/v1"), voyage);
}

#[test]
fn vectors_are_read_as_numbers_and_as_base64_in_any_order() {
    // 1.0 and -2.5 as little-endian f32.
    let body = json!({
        "object": "list",
        "data": [
            {"object": "embedding", "index": 1, "embedding": "AACAPwAAIMA="},
            {"object": "embedding", "index": 0, "embedding": [0.5, 2]},
        ],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    });
    let answer = PLAIN.decode_embed(&at(OPENAI), body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.vectors, [vec![0.5, 2.0], vec![1.0, -2.5]]);
    assert_eq!((answer.model.as_str(), answer.usage.unwrap().input), ("text-embedding-3-small", 4));
    for wrong in [
        json!({"data": [{"index": 0, "embedding": "AAA="}]}),
        json!({"data": [{"index": 0, "embedding": "?"}]}),
        json!({"data": [{"index": 1, "embedding": [1]}]}),
        json!({"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}),
        json!({"data": [{"embedding": {}}]}),
        json!({"data": 1}),
        json!([]),
    ] {
        let fault = PLAIN.decode_embed(&at(OPENAI), wrong.to_string().as_bytes()).unwrap_err();
        assert_eq!(fault.class, FaultClass::Malformed, "{wrong}");
    }
    let refused = json!({"error": {"message": "too many", "code": "rate_limit_exceeded"}});
    let fault = PLAIN.decode_embed(&at(OPENAI), refused.to_string().as_bytes()).unwrap_err();
    assert_eq!(fault.class, FaultClass::RateLimited);
}

#[track_caller]
fn check_ranked(body: Value, want: &[(u32, f64)]) {
    let answer = PLAIN.decode_rerank(&at(UNKNOWN), body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.results, want, "{body}");
}

#[test]
fn rerank_is_spoken_as_cohere_jina_voyage_and_tei_do() {
    let call = RerankCall {
        model: "asked-model".to_owned(),
        query: "q".to_owned(),
        documents: vec!["a".to_owned(), "b".to_owned()],
        top_n: Some(1),
        extra: Map::from_iter([("return_documents".to_owned(), json!(false))]),
    };
    let body = |base: &str| -> Value { serde_json::from_slice(&PLAIN.encode_rerank(&at(base), &call).unwrap().body).unwrap() };
    let want = json!({"return_documents": false, "model": "target-model", "query": "q", "documents": ["a", "b"], "top_n": 1});
    assert_eq!(body(UNKNOWN), want);
    assert_eq!(body("https://api.voyageai.com/v1")["top_k"], 1);
    assert_eq!(AZURE.encode_rerank(&at("https://x.openai.azure.com"), &call).unwrap_err().class, FaultClass::Unsupported);

    let results = json!([{"index": 1, "relevance_score": 0.25}, {"index": 0, "relevance_score": 0.75}]);
    check_ranked(json!({"id": "x", "results": results, "meta": {"billed_units": {"search_units": 1}}}), &[(0, 0.75), (1, 0.25)]);
    check_ranked(json!({"object": "list", "data": results, "usage": {"total_tokens": 7}}), &[(0, 0.75), (1, 0.25)]);
    check_ranked(json!([{"index": 0, "score": 0.5}]), &[(0, 0.5)]);
    check_ranked(json!({"model": "m", "results": [{"index": 3, "relevance_score": 1, "document": {"text": "d"}}]}), &[(3, 1.0)]);
    // Who says it under both names is understood where either can be read.
    let other = json!([{"index": 4, "relevance_score": 0.1}]);
    check_ranked(json!({"data": other, "results": results}), &[(0, 0.75), (1, 0.25)]);
    for none in [Value::Null, json!("see `data`"), json!([{"index": 0}])] {
        check_ranked(json!({"results": none, "data": other}), &[(4, 0.1)]);
        check_ranked(json!({"results": other, "data": none}), &[(4, 0.1)]);
        let neither = json!({"results": none, "data": {}}).to_string();
        assert_eq!(PLAIN.decode_rerank(&at(UNKNOWN), neither.as_bytes()).unwrap_err().class, FaultClass::Malformed, "{neither}");
    }
    for wrong in ["{}", "1", r#"{"results":[{"index":-1,"relevance_score":1}]}"#, r#"{"results":[{"index":0}]}"#, ""] {
        let fault = PLAIN.decode_rerank(&at(UNKNOWN), wrong.as_bytes()).unwrap_err();
        assert_eq!(fault.class, FaultClass::Malformed, "{wrong}");
    }
}
