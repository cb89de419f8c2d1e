//! Embeddings, rerank and raw completions, read whole: for targets that speak another dialect.

use mainspring_gateway::{GatewayFault, Reading};
use mainspring_llm::exchange::{EmbedCall, RerankCall};
use mainspring_providers::openai::chat;
use serde_json::{Map, Value, json};

/// OpenAI's own bound on one request.
const INPUTS_MAX: usize = 2048;

type Fields = Map<String, Value>;

fn fields(body: &[u8]) -> Result<Fields, GatewayFault> {
    let read = serde_json::from_slice::<Fields>(body);
    let mut fields = read.map_err(|error| GatewayFault::invalid("", format!("the body cannot be read: {error}")))?;
    fields.retain(|_, value| !value.is_null());
    Ok(fields)
}

fn wrong(name: &str, must: &str) -> GatewayFault {
    GatewayFault::invalid(name, format!("`{name}` must be {must}"))
}

fn text(fields: &mut Fields, name: &str) -> Result<Option<String>, GatewayFault> {
    match fields.shift_remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, "text")),
    }
}

fn number(fields: &mut Fields, name: &str) -> Result<Option<u32>, GatewayFault> {
    let Some(value) = fields.shift_remove(name) else { return Ok(None) };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| wrong(name, "a whole number of at least 1"))
}

pub(crate) fn embed(body: &[u8]) -> Result<Reading, GatewayFault> {
    let mut fields = fields(body)?;
    let model = text(&mut fields, "model")?.unwrap_or_default();
    let inputs = match fields.shift_remove("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => {
            texts(list).ok_or_else(|| wrong("input", "text or a list of texts for this model, not tokens"))?
        }
        _ => return Err(wrong("input", "text or a list of texts")),
    };
    if inputs.is_empty() || inputs.len() > INPUTS_MAX || inputs.iter().any(String::is_empty) {
        return Err(wrong("input", "1 to 2048 texts, and none of them empty"));
    }
    wants_base64(&fields)?;
    let dimensions = number(&mut fields, "dimensions")?;
    let user = text(&mut fields, "user")?;
    Ok(Reading::Embed(EmbedCall { model, inputs, dimensions, user, extra: fields }))
}

/// What OpenAI writes at most where a client of raw completions does not say.
const COMPLETION_TOKENS: u32 = 16;

/// Raw completions: a model of this process goes on with the prompt, to others it is what a user says. What only a server that
/// has this endpoint can do is refused.
pub(crate) fn completion(body: &[u8]) -> Result<Reading, GatewayFault> {
    let mut fields = fields(body)?;
    let prompt = match fields.shift_remove("prompt") {
        Some(Value::String(one)) => one,
        Some(Value::Array(list)) => match texts(list).as_deref() {
            Some([one]) => one.clone(),
            _ => return Err(wrong("prompt", "one text for this model, not a list and not tokens")),
        },
        _ => return Err(wrong("prompt", "text")),
    };
    if prompt.is_empty() {
        return Err(wrong("prompt", "text that is not empty"));
    }
    for name in ["suffix", "echo", "logprobs", "best_of"] {
        let asks = match fields.shift_remove(name) {
            None | Some(Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(value) => name != "best_of" || value != 1,
        };
        if asks {
            return Err(GatewayFault::invalid(
                name,
                format!("`{name}` cannot be honoured by this model, which has no raw completions"),
            ));
        }
    }
    fields.entry("max_tokens").or_insert_with(|| COMPLETION_TOKENS.into());
    fields.insert("messages".to_owned(), json!([{"role": "user", "content": prompt}]));
    let mut call = chat::read(Value::Object(fields).to_string().as_bytes())
        .map_err(|fault| GatewayFault::invalid(fault.param, fault.message))?;
    call.turns.clear();
    Ok(Reading::Text { prompt, call: Box::new(call) })
}

fn texts(list: Vec<Value>) -> Option<Vec<String>> {
    let text = |value| if let Value::String(text) = value { Some(text) } else { None };
    list.into_iter().map(text).collect()
}

/// How the client wants to read the vectors.
fn wants_base64(fields: &Fields) -> Result<bool, GatewayFault> {
    match fields.get("encoding_format").map(Value::as_str) {
        None | Some(Some("float")) => Ok(false),
        Some(Some("base64")) => Ok(true),
        Some(_) => Err(wrong("encoding_format", "`float` or `base64`")),
    }
}

pub(crate) fn in_base64(body: &[u8]) -> bool {
    fields(body).is_ok_and(|fields| wants_base64(&fields).unwrap_or(false))
}

pub(crate) fn rerank(body: &[u8]) -> Result<Reading, GatewayFault> {
    let mut fields = fields(body)?;
    let model = text(&mut fields, "model")?.unwrap_or_default();
    let query = text(&mut fields, "query")?.ok_or_else(|| wrong("query", "text"))?;
    let documents = documents(&mut fields)?;
    let top_n = number(&mut fields, "top_n")?;
    // It is for us: the target gives indexes.
    fields.shift_remove("return_documents");
    Ok(Reading::Rerank(RerankCall { model, query, documents, top_n, extra: fields }))
}

/// Texts, or objects that hold one.
fn documents(fields: &mut Fields) -> Result<Vec<String>, GatewayFault> {
    let must = || wrong("documents", "a list of texts");
    let Some(Value::Array(list)) = fields.shift_remove("documents") else { return Err(must()) };
    let text = |value| match value {
        Value::String(text) => Some(text),
        Value::Object(mut object) => match object.shift_remove("text") {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    let documents: Vec<String> = list.into_iter().map(text).collect::<Option<_>>().ok_or_else(must)?;
    if documents.is_empty() { Err(must()) } else { Ok(documents) }
}

/// The documents of a request that wants them in its answer.
pub(crate) fn returned(body: &[u8]) -> Option<Vec<String>> {
    let mut fields = fields(body).ok()?;
    let wanted = fields.get("return_documents") == Some(&Value::Bool(true));
    if wanted { documents(&mut fields).ok() } else { None }
}
