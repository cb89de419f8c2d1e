//! Whatever is sent: it is read, or refused in OpenAI's shape.

use mainspring_gateway::{GatewayFault, Reading};
use mainspring_providers::{Operation, openai::responses};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    error::{Answer, OpenAiError},
    inputs,
    question::question,
    routed::reader,
};

fn bodies() -> [Value; 3] {
    [
        json!({"model": "m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 3, "user": "u", "novel": 1}),
        json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": true}),
        json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}], "instructions": "b",
            "text": {"format": {"type": "json_object"}}, "temperature": 1, "mainspring": {"session": "s"}, "include": []}),
    ]
}

fn is_a_clients_fault(error: &OpenAiError) -> Result<(), TestCaseError> {
    let error = &error.body()["error"];
    prop_assert_eq!(&error["type"], &json!("invalid_request_error"), "{}", error);
    prop_assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", error);
    Ok(())
}

fn asked(body: &[u8]) -> Answer<()> {
    let call = responses::read(body).map_err(|fault| OpenAiError::from(GatewayFault::invalid(fault.param, fault.message)))?;
    question(call).map(|_| ())
}

fn all_read(body: &[u8]) -> Result<(), TestCaseError> {
    let all = [Operation::Chat, Operation::Responses, Operation::Compact, Operation::Completions, Operation::Embeddings];
    for operation in all.into_iter().chain([Operation::Rerank, Operation::Moderations]) {
        if let Err(fault) = reader(operation)(body) {
            is_a_clients_fault(&OpenAiError::from(fault))?;
        }
    }
    if let Err(error) = asked(body) {
        is_a_clients_fault(&error)?;
    }
    if let Ok(Reading::Rerank(call)) = inputs::rerank(body) {
        prop_assert!(!call.documents.is_empty());
        prop_assert!(inputs::returned(body).is_none_or(|documents| documents == call.documents));
    }
    if let Ok(Reading::Embed(call)) = inputs::embed(body) {
        prop_assert!(!call.inputs.is_empty() && !call.extra.contains_key("input") && !call.extra.contains_key("model"));
        prop_assert_eq!(inputs::in_base64(body), call.extra.get("encoding_format") == Some(&json!("base64")));
    }
    Ok(())
}

#[test]
fn whole_bodies_are_read() {
    let [embed, rerank, response] = bodies().map(|body| body.to_string());
    let Ok(Reading::Embed(call)) = inputs::embed(embed.as_bytes()) else { panic!("{embed}") };
    assert_eq!((call.inputs.len(), call.dimensions, call.user.as_deref()), (2, Some(3), Some("u")));
    assert!(call.extra.contains_key("novel"));
    let Ok(Reading::Rerank(call)) = inputs::rerank(rerank.as_bytes()) else { panic!("{rerank}") };
    assert_eq!((call.documents, call.top_n, call.extra.len()), (vec!["a".to_owned(), "b".to_owned()], Some(1), 0));
    asked(response.as_bytes()).unwrap();
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        all_read(&bytes)?;
    }

    #[test]
    fn a_body_with_another_value_or_cut_short_is_read_or_refused(
        which in 0_usize..3,
        name in "(model|input|query|documents|top_n|dimensions|encoding_format|user|text|mainspring|temperature|tools|[a-z_]{1,9})",
        value in prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), ".{0,9}".prop_map(Value::from), Just(json!([1])), Just(json!({"a": []}))],
        cut in 0_usize..300,
    ) {
        let mut body = bodies()[which].clone();
        body[name] = value;
        let text = body.to_string();
        all_read(text.as_bytes())?;
        all_read(&text.as_bytes()[..cut.min(text.len())])?;
    }
}
