use axum::response::IntoResponse;
use mainspring_chains::Target;
use mainspring_providers::anthropic;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{asked::asked, text};
use crate::{error::AnthropicError, question::question};

fn any_json() -> impl Strategy<Value = Value> {
    const NAMES: &str = "type|text|content|role|schema|name|source|session|parameters|user_id|[a-z_]{1,8}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "text|user|assistant|tool_use|tool_result|image|json_schema|adaptive".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((NAMES, inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A body that lacks nothing, with any values in the place of some of its own.
fn any_body() -> impl Strategy<Value = Value> {
    const TOP: &str = "model|messages|system|tools|tool_choice|stop_sequences|stream|temperature|top_p|top_k|max_tokens|thinking\
        |output_config|metadata|service_tier|mainspring|[a-z_]{1,8}";
    proptest::collection::vec((TOP, any_json()), 0..4).prop_map(|pairs| {
        let mut body = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in pairs {
            body[name] = value;
        }
        body
    })
}

fn has_anthropics_shape(error: AnthropicError) -> Result<(), TestCaseError> {
    let response = error.into_response();
    prop_assert_eq!(response.status().as_u16(), 400);
    let error: Value = serde_json::from_str(&text(response)).unwrap();
    prop_assert_eq!(&error["type"], &json!("error"));
    prop_assert_eq!(&error["error"]["type"], &json!("invalid_request_error"));
    prop_assert!(!error["error"]["message"].as_str().unwrap_or_default().is_empty(), "{}", error);
    Ok(())
}

/// As the server reads a body that turns out to be for an app.
fn received(body: Vec<u8>) -> Result<(), TestCaseError> {
    let asked = match asked(body, &[], true) {
        Ok(asked) => asked,
        Err(error) => return has_anthropics_shape(error),
    };
    let Ok(target) = asked.peeked.model.parse::<Target>() else { return Ok(()) };
    match anthropic::read(&asked.body) {
        Ok(call) => question(call, target).err().map_or(Ok(()), has_anthropics_shape),
        Err(fault) => has_anthropics_shape(AnthropicError::invalid(&fault.field, fault.message)),
    }
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_in_anthropics_shape(whole in any_json(), body in any_body()) {
        received(whole.to_string().into_bytes())?;
        received(body.to_string().into_bytes())?;
    }

    #[test]
    fn any_bytes_are_read_or_refused_in_anthropics_shape(bytes in proptest::collection::vec(any::<u8>(), 0..64), cut in 0_usize..90) {
        let mut whole = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}).to_string().into_bytes();
        whole.truncate(cut);
        whole.extend(&bytes);
        received(bytes)?;
        received(whole)?;
    }
}
