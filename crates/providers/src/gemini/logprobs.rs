//! Log probabilities in OpenAI's form, which is the one clients know.

use serde_json::{Map, Value, json};

/// From `logprobsResult`: one list of the tokens that were chosen, beside it one list of candidates for each.
pub(super) fn in_openai_form(result: &Value) -> Option<Value> {
    let chosen = result.get("chosenCandidates")?.as_array()?;
    let tops = result.get("topCandidates").and_then(Value::as_array);
    let content = chosen.iter().enumerate().map(|(index, token)| {
        let top = tops.and_then(|tops| tops.get(index)).and_then(|top| top.get("candidates")).and_then(Value::as_array);
        let top: Vec<Map<String, Value>> = top.into_iter().flatten().map(entry).collect();
        let mut entry = entry(token);
        entry.insert("top_logprobs".into(), json!(top));
        Value::Object(entry)
    });
    Some(json!({"content": content.collect::<Vec<Value>>(), "refusal": null}))
}

fn entry(token: &Value) -> Map<String, Value> {
    let text = token.get("token").and_then(Value::as_str).unwrap_or_default();
    // What OpenAI writes for a token that is not among the likely ones.
    let logprob = token.get("logProbability").and_then(Value::as_f64).unwrap_or(-9999.0);
    Map::from_iter([
        ("token".to_owned(), text.into()),
        ("logprob".to_owned(), logprob.into()),
        ("bytes".to_owned(), json!(text.as_bytes())),
    ])
}
