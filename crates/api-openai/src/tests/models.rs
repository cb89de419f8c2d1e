//! What can be named, and the endpoints that are no chat.

use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_testservers::upstream::{Behaviour, Upstream};
use serde_json::{Value, json};

use super::{
    surface::{EMBEDDER, LOCAL, RERANKER, Surface},
    walks::{hello, routed, upstream, with},
};

const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

async fn two() -> (Upstream, Surface) {
    let server = upstream(Behaviour::default());
    let surface = routed("openai", &server).await;
    let messages = json!([{"role": "user", "content": "Repeat: {{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    (server, surface)
}

#[tokio::test]
async fn everything_that_can_be_called_is_listed_once() {
    let (_server, surface) = two().await;
    let target = json!({"targets": [{"provider": "main", "model": "big"}]});
    surface.apply(&[("route", "echo", target.clone()), ("route", LOCAL, target)]).await;
    let list = surface.get("/v1/models", &[]).await.json();
    let kinds: Vec<(&str, &str)> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["id"].as_str().unwrap(), entry["mainspring"]["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(list["object"], json!("list"));
    assert_eq!(
        kinds,
        [
            ("echo", "prompt"),
            ("chat", "route"),
            ("main/big", "provider-model"),
            ("main/small", "provider-model"),
            (LOCAL, "route"),
            (EMBEDDER, "embedder"),
        ]
    );
    for name in ["main/big", "echo", EMBEDDER] {
        let one = surface.get(&format!("/v1/models/{name}"), &[]).await;
        assert_eq!((one.status, &one.json()["id"], &one.json()["object"]), (200, &json!(name), &json!("model")));
    }
    let none = surface.get("/v1/models/main/bigg", &[]).await;
    assert_eq!((none.status, &none.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert!(none.text.contains("`main/big`"), "{}", none.text);
}

#[tokio::test]
async fn anthropics_clients_get_the_list_in_their_shape() {
    let (_server, surface) = two().await;
    let list = surface.get("/v1/models", &[VERSION]).await.json();
    let data = list["data"].as_array().unwrap();
    assert_eq!(
        (&list["has_more"], &list["first_id"], &list["last_id"]),
        (&json!(false), &data[0]["id"], &data[data.len() - 1]["id"])
    );
    assert_eq!(list.get("object"), None);
    let entry = json!({"type": "model", "id": "chat", "display_name": "chat", "created_at": "1970-01-01T00:00:00Z"});
    assert!(data.contains(&entry), "{list}");
    assert_eq!(surface.get("/v1/models/chat", &[VERSION]).await.json(), entry);
    let none = surface.get("/v1/models/nobody", &[VERSION]).await;
    let error = none.json();
    assert_eq!((none.status, &error["type"], &error["error"]["type"]), (404, &json!("error"), &json!("not_found_error")));
}

fn numbers(embedding: &Value) -> Vec<f32> {
    match embedding.as_str() {
        Some(text) => STANDARD.decode(text).unwrap().chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect(),
        None => embedding.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect(),
    }
}

#[tokio::test]
async fn embeddings_of_a_provider_are_the_same_in_both_encodings_whatever_it_speaks() {
    for kind in ["openai", "gemini"] {
        let server = upstream(Behaviour::default());
        let surface = Surface::open().await;
        let base = if kind == "openai" { format!("{}/v1", server.url()) } else { format!("{}/v1beta", server.url()) };
        surface.apply(&[("provider", "main", json!({"type": kind, "base_url": base}))]).await;
        let body = json!({"model": "main/embed", "input": ["one", "two"], "encoding_format": "float"});
        let sent = surface.post("/v1/embeddings", &body).await;
        assert_eq!(sent.status, 200, "{kind}: {}", sent.text);
        assert_eq!(sent.header("x-mainspring-provider"), Some("main"), "{kind}");
        let plain = sent.json();
        assert_eq!((&plain["object"], plain["data"].as_array().unwrap().len()), (&json!("list"), 2), "{kind}");
        assert!(plain["usage"]["prompt_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{kind}: {plain}");
        let packed = surface.post("/v1/embeddings", &with(body, &json!({"encoding_format": "base64"}))).await.json();
        for at in 0..2 {
            let (plain, packed) = (&plain["data"][at], &packed["data"][at]);
            assert!(plain["embedding"].is_array() && packed["embedding"].is_string(), "{kind}: {packed}");
            assert_eq!(numbers(&plain["embedding"]), numbers(&packed["embedding"]), "{kind}");
            assert_eq!((&plain["index"], &packed["object"]), (&json!(at), &json!("embedding")), "{kind}");
        }
        if kind == "openai" {
            assert_eq!(server.seen()[1].json()["encoding_format"], json!("base64"));
        }
        let tokens = surface.post("/v1/embeddings", &json!({"model": "main/embed", "input": [1, 2, 3]})).await;
        if kind == "openai" {
            assert_eq!(tokens.status, 200, "{}", tokens.text);
        } else {
            assert_eq!((tokens.status, &tokens.json()["error"]["param"]), (400, &json!("input")));
        }
    }
}

#[tokio::test]
async fn an_embedder_of_this_process_answers_its_own_name_and_through_a_route() {
    let surface = Surface::open().await;
    let target = json!({"targets": [{"provider": "local", "model": EMBEDDER}]});
    surface.apply(&[("route", "vectors", target)]).await;
    for model in [EMBEDDER, "vectors"] {
        for (format, is_text) in [("float", false), ("base64", true)] {
            let body = json!({"model": model, "input": ["ab", "abc"], "encoding_format": format});
            let sent = surface.post("/v1/embeddings", &body).await;
            assert_eq!(sent.status, 200, "{model}: {}", sent.text);
            let answer = sent.json();
            let told = [sent.header("x-mainspring-provider"), sent.header("x-mainspring-cost")];
            assert_eq!(told, [Some("local"), Some("0.00")], "{model}");
            assert_eq!(answer["data"][0]["embedding"].is_string(), is_text, "{model}");
            assert_eq!(numbers(&answer["data"][1]["embedding"]), [3.0, 1.0], "{model}");
            assert_eq!((&answer["model"], &answer["usage"]["total_tokens"]), (&json!(model), &json!(5)), "{model}");
        }
        for (wrong, param) in [
            (json!({"input": []}), "input"),
            (json!({"input": [""]}), "input"),
            (json!({"input": [1]}), "input"),
            (json!({"encoding_format": "int8"}), "encoding_format"),
        ] {
            let sent = surface.post("/v1/embeddings", &with(json!({"model": model, "input": "x"}), &wrong)).await;
            assert_eq!((sent.status, &sent.json()["error"]["param"]), (400, &json!(param)), "{model} {wrong}: {}", sent.text);
        }
    }
    let unknown = surface.post("/v1/embeddings", &json!({"model": "nobody", "input": "x"})).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!("model_not_found")), "{}", unknown.text);
}

#[tokio::test]
async fn a_model_that_does_something_else_is_named_as_what_it_is() {
    let surface = Surface::open().await;
    for (path, body, said) in [
        (
            "/v1/chat/completions",
            hello(EMBEDDER),
            format!("`{EMBEDDER}` is an embedding model and no chat model (name one of {LOCAL})"),
        ),
        ("/v1/chat/completions", hello(RERANKER), format!("`{RERANKER}` is a reranker and no chat model (name one of {LOCAL})")),
        (
            "/v1/embeddings",
            json!({"model": LOCAL, "input": "x"}),
            format!("`{LOCAL}` is a chat model and no embedding model (name one of {EMBEDDER})"),
        ),
        (
            "/v1/rerank",
            json!({"model": LOCAL, "query": "a", "documents": ["b"]}),
            format!("`{LOCAL}` is a chat model and no reranker (name one of {RERANKER})"),
        ),
    ] {
        let sent = surface.post(path, &body).await;
        let error = &sent.json()["error"];
        assert_eq!((sent.status, &error["code"], &error["message"]), (400, &json!("model-wrong-kind"), &json!(said)), "{path}");
    }
}

#[tokio::test]
async fn passages_are_ordered_by_a_provider_and_by_a_model_of_this_process() {
    let server = upstream(Behaviour::default());
    let surface = routed("openai", &server).await;
    let documents = json!(["nothing", {"text": "a red fox"}, "a red hen"]);
    let body = json!({"model": "chat", "query": "red fox", "documents": documents, "top_n": 2});
    let sent = surface.post("/v1/rerank", &body).await;
    let answer = sent.json();
    assert_eq!((sent.status, &answer["results"][0]["index"]), (200, &json!(1)), "{}", sent.text);
    assert_eq!(answer["results"].as_array().unwrap().len(), 2);
    assert_eq!(server.seen()[0].json(), with(body.clone(), &json!({"model": "big"})));
    let here = surface.post("/v1/rerank", &with(body.clone(), &json!({"model": RERANKER, "return_documents": true}))).await;
    let answer = here.json();
    let first = json!({"index": 1, "relevance_score": 9.0, "document": {"text": "a red fox"}});
    assert_eq!((here.status, &answer["results"][0]), (200, &first), "{}", here.text);
    assert_eq!((answer["results"].as_array().unwrap().len(), &answer["model"]), (2, &json!(RERANKER)));
    for (wrong, param) in [
        (json!({"query": null}), "query"),
        (json!({"documents": []}), "documents"),
        (json!({"documents": [7]}), "documents"),
        (json!({"top_n": 0}), "top_n"),
        (json!({"model": null}), "model"),
    ] {
        let sent = surface.post("/v1/rerank", &with(with(body.clone(), &json!({"model": RERANKER})), &wrong)).await;
        assert_eq!((sent.status, &sent.json()["error"]["param"]), (400, &json!(param)), "{wrong}: {}", sent.text);
    }
}

#[tokio::test]
async fn passages_are_ordered_as_the_second_version_of_coheres_clients_has_it() {
    let server = upstream(Behaviour::default());
    let surface = routed("openai", &server).await;
    let documents = json!(["nothing", "a red fox", "a red hen"]);
    let body = json!({"model": "chat", "query": "red fox", "documents": documents, "top_n": 2, "max_tokens_per_doc": 512});
    let sent = surface.post("/v2/rerank", &body).await;
    let answer = sent.json();
    assert_eq!((sent.status, sent.header("content-type")), (200, Some("application/json")), "{}", sent.text);
    assert_eq!(answer["results"][0], json!({"index": 1, "relevance_score": 1.0}));
    assert_eq!(answer["results"].as_array().unwrap().len(), 2);
    assert_eq!(answer["id"].as_str(), sent.header("x-mainspring-trace-id"));
    assert_eq!(answer["meta"], json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": 12}}));
    assert_eq!(sent.header("x-mainspring-provider"), Some("main"));
    assert_eq!(server.seen()[0].json(), with(body.clone(), &json!({"model": "big"})));
    let here = surface.post("/v2/rerank", &with(body.clone(), &json!({"model": RERANKER}))).await;
    let answer = here.json();
    assert_eq!((here.status, &answer["results"][0]), (200, &json!({"index": 1, "relevance_score": 9.0})), "{}", here.text);
    assert!(answer["meta"]["billed_units"]["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{answer}");
    for (wrong, param) in [
        (json!({"query": null}), "query"),
        (json!({"documents": []}), "documents"),
        (json!({"top_n": 0}), "top_n"),
        (json!({"model": null}), "model"),
    ] {
        let sent = surface.post("/v2/rerank", &with(with(body.clone(), &json!({"model": RERANKER})), &wrong)).await;
        let told = sent.json();
        assert_eq!((sent.status, &told["param"]), (400, &json!(param)), "{wrong}: {}", sent.text);
        assert!(told["message"].is_string() && told["error"].is_null(), "{told}");
    }
    let unreadable = surface.send("/v2/rerank", &[], "{").await;
    assert!(unreadable.status == 400 && unreadable.json()["message"].is_string(), "{}", unreadable.text);
}

/// What it says that others have no word for.
#[tokio::test]
async fn coheres_own_answer_stays_as_it_is() {
    let said = json!({
        "id": "c1",
        "results": [{"index": 0, "relevance_score": 0.5, "relevant_spans": []}],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    });
    let server = upstream(Behaviour { body: Some(said.to_string()), ..Behaviour::default() });
    let surface = routed("openai", &server).await;
    let sent = surface.post("/v2/rerank", &json!({"model": "chat", "query": "x", "documents": ["x"]})).await;
    assert_eq!((sent.status, sent.json()), (200, said), "{}", sent.text);
}

#[tokio::test]
async fn an_order_under_two_names_is_handed_on_as_the_one_that_can_be_read() {
    let (ours, other) = (json!([{"index": 1, "relevance_score": 0.5}]), json!([{"index": 0, "relevance_score": 0.25}]));
    for (results, data, want) in [(&ours, &other, &ours), (&ours, &json!("above"), &ours), (&Value::Null, &ours, &ours)] {
        let said = json!({"id": "c1", "results": results, "data": data}).to_string();
        let server = upstream(Behaviour { body: Some(said.clone()), ..Behaviour::default() });
        let surface = routed("openai", &server).await;
        let sent = surface.post("/v2/rerank", &json!({"model": "chat", "query": "x", "documents": ["x", "y"]})).await;
        assert_eq!((sent.status, &sent.json()["results"]), (200, want), "{said}: {}", sent.text);
        let sent = surface.post("/v1/rerank", &json!({"model": "chat", "query": "x", "documents": ["x", "y"]})).await;
        assert_eq!((sent.status, sent.text.as_str()), (200, said.as_str()), "as it came");
    }
}

/// Whoever sorts by it would take it for an order of nothing.
#[tokio::test]
async fn an_order_that_cannot_be_read_is_the_providers_fault_and_the_next_one_is_asked() {
    let well = upstream(Behaviour::default());
    let ask = |model: &str| json!({"model": model, "query": "red fox", "documents": ["nothing", "a red fox"]});
    for said in [
        r#"{"results": ["#,
        r#"{"results": "none"}"#,
        r#"{"results": [{"index": 1}]}"#,
        r#"{"results": [{"index": 1, "relevance_score": "much"}], "usage": {"total_tokens": 7}}"#,
        r#"{"id": "c1", "meta": {"billed_units": {"search_units": 1}}}"#,
        r#"[{"index": 1, "relevance_score": 0.5}]"#,
    ] {
        let server = upstream(Behaviour { body: Some(said.to_owned()), ..Behaviour::default() });
        let surface = routed("openai", &server).await;
        for path in ["/v1/rerank", "/v2/rerank"] {
            let sent = surface.post(path, &ask("chat")).await;
            assert!(sent.status == 503 && sent.text.contains("upstream-malformed"), "{path} {said}: {}", sent.text);
        }
        let other = json!({"type": "openai", "base_url": format!("{}/v1", well.url())});
        let targets = json!([{"provider": "main", "model": "big"}, {"provider": "other", "model": "big"}]);
        let route = json!({"targets": targets, "choose": "first", "retry": {"attempts": 0}});
        surface.apply(&[("provider", "other", other), ("route", "two", route)]).await;
        let sent = surface.post("/v2/rerank", &ask("two")).await;
        assert_eq!((sent.status, sent.header("x-mainspring-provider")), (200, Some("other")), "{said}: {}", sent.text);
        assert_eq!(sent.json()["results"][0]["index"], 1, "{said}: {}", sent.text);
    }
}

#[tokio::test]
async fn moderations_pass_through_or_are_refused() {
    let server = upstream(Behaviour::default());
    let surface = routed("openai", &server).await;
    let sent = surface.post("/v1/moderations", &json!({"model": "chat", "input": "violence"})).await;
    assert_eq!((sent.status, &sent.json()["results"][0]["flagged"]), (200, &json!(true)), "{}", sent.text);
    assert_eq!(sent.header("x-mainspring-provider"), Some("main"));
    let unnamed = surface.post("/v1/moderations", &json!({"input": "x"})).await;
    assert_eq!((unnamed.status, &unnamed.json()["error"]["code"]), (404, &json!("model_not_found")), "{}", unnamed.text);
    let target = json!({"models": ["omni-moderation-*"], "targets": [{"provider": "main"}]});
    surface.apply(&[("route", "moderation", target)]).await;
    assert_eq!(surface.post("/v1/moderations", &json!({"input": "x"})).await.status, 200);
    assert_eq!(server.seen().last().unwrap().json(), json!({"input": "x", "model": "omni-moderation-latest"}));
    let here = surface.post("/v1/moderations", &json!({"model": LOCAL, "input": "x"})).await;
    assert_eq!((here.status, &here.json()["error"]["code"]), (400, &json!("upstream-unsupported")), "{}", here.text);
}

#[tokio::test]
async fn raw_completions_of_a_route_pass_through_whole_and_streamed() {
    let server = upstream(Behaviour::saying("Once upon"));
    let surface = routed("openai", &server).await;
    let body = json!({"model": "chat", "prompt": [1, 2], "novel": true});
    let whole = surface.post("/v1/completions", &body).await;
    assert_eq!((whole.status, &whole.json()["choices"][0]["text"]), (200, &json!("Once upon")), "{}", whole.text);
    assert_eq!(server.seen()[0].json(), with(body.clone(), &json!({"model": "big"})));
    let chunks = surface.post("/v1/completions", &with(body, &json!({"stream": true}))).await.chunks();
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!(text, "Once upon");
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()), "{chunks:?}");
    let here = surface.post("/v1/completions", &json!({"model": LOCAL, "prompt": "x"})).await;
    assert_eq!((here.status, here.header("x-mainspring-provider")), (200, Some("local")), "{}", here.text);
}

#[tokio::test]
async fn to_who_has_no_raw_completions_the_prompt_is_what_a_user_says() {
    const PATH: &str = "/v1/completions";
    let server = upstream(Behaviour::saying("there was a cat."));
    let surface = routed("anthropic", &server).await;
    let body = json!({"model": "chat", "prompt": "Once upon a time", "temperature": 0.5});
    let sent = surface.post(PATH, &body).await;
    let whole = sent.json();
    assert_eq!((sent.status, &whole["object"], &whole["model"]), (200, &json!("text_completion"), &json!("chat")), "{whole}");
    let choice = &whole["choices"][0];
    assert_eq!((&choice["text"], &choice["finish_reason"]), (&json!("there was a cat."), &json!("stop")), "{whole}");
    assert_eq!((&whole["usage"]["prompt_tokens"], &whole["usage"]["total_tokens"]), (&json!(12), &json!(20)), "{whole}");
    let asked = server.seen()[0].json();
    assert!(asked["messages"].to_string().contains("Once upon a time"), "{asked}");
    assert_eq!((&asked["max_tokens"], &asked["temperature"]), (&json!(16), &json!(0.5)), "as this endpoint has it");

    let streamed = with(body.clone(), &json!({"stream": true, "stream_options": {"include_usage": true}}));
    let mut chunks = surface.post(PATH, &streamed).await.chunks();
    let last = chunks.pop().unwrap();
    assert_eq!((&last["usage"]["total_tokens"], &last["choices"]), (&json!(20), &json!([])), "{last}");
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!(
        (text.as_str(), chunks.last().unwrap()["choices"][0]["finish_reason"].as_str()),
        ("there was a cat.", Some("stop"))
    );

    let asked = server.count();
    for (more, param) in [
        (json!({"prompt": ["a", "b"]}), "prompt"),
        (json!({"prompt": [1, 2]}), "prompt"),
        (json!({"echo": true}), "echo"),
        (json!({"suffix": "end"}), "suffix"),
        (json!({"logprobs": 2}), "logprobs"),
        (json!({"best_of": 3}), "best_of"),
    ] {
        let refused = surface.post(PATH, &with(body.clone(), &more)).await;
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!(param)), "{}", refused.text);
    }
    assert_eq!(server.count(), asked);
    // What changes nothing is no reason to refuse.
    let same = with(body, &json!({"prompt": ["Once upon a time"], "echo": false, "suffix": "", "best_of": 1}));
    assert_eq!(surface.post(PATH, &same).await.status, 200);
}

#[tokio::test]
async fn a_route_to_a_model_of_this_process_goes_on_with_raw_text() {
    let surface = Surface::open().await;
    surface.apply(&[("route", "mine", json!({"targets": [{"provider": "local", "model": LOCAL}]}))]).await;
    let sent = surface.post("/v1/completions", &json!({"model": "mine", "prompt": "x"})).await;
    assert_eq!((sent.status, &sent.json()["object"]), (200, &json!("text_completion")), "{}", sent.text);
    assert_eq!(sent.header("x-mainspring-provider"), Some("local"));
}

#[tokio::test]
async fn who_offers_tools_to_a_model_of_this_process_is_told_what_it_can() {
    let surface = Surface::open().await;
    surface.apply(&[("route", "mine", json!({"targets": [{"provider": "local", "model": LOCAL}]}))]).await;
    let tools = json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]});
    let refused = surface.ask(&with(hello("mine"), &tools)).await;
    let error = refused.json()["error"].clone();
    // Clients ask again at any status from 500 on.
    assert_eq!((refused.status, &error["type"]), (400, &json!("invalid_request_error")), "{error}");
    assert_eq!(error["code"], json!("model-unsupported"), "{error}");
    assert!(error["message"].as_str().unwrap().contains("call no tools"), "{error}");
}

#[tokio::test]
async fn a_schema_that_cannot_be_kept_to_is_the_clients_to_mend_and_names_its_parameter() {
    let surface = Surface::open().await;
    surface.apply(&[("route", "mine", json!({"targets": [{"provider": "local", "model": LOCAL}]}))]).await;
    for (schema, code, said) in [
        (json!({"type": "objekt"}), "openai-invalid-parameter", "did you mean `object`?"),
        (json!({"not": {}}), "model-unsupported", "leave it out of the schema"),
    ] {
        let format = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}});
        for (model, streamed) in [("mine", false), ("mine", true), (LOCAL, false), (LOCAL, true)] {
            let refused = surface.ask(&with(with(hello(model), &format), &json!({"stream": streamed}))).await;
            let error = refused.json()["error"].clone();
            assert_eq!((refused.status, &error["type"]), (400, &json!("invalid_request_error")), "{model}: {error}");
            assert_eq!((&error["param"], &error["code"]), (&json!("response_format"), &json!(code)), "{model}: {error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(said) && !message.contains("tools"), "{model}: {message}");
        }
    }
}
