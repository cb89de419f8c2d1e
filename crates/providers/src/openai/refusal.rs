//! What an answer that is no answer means. The dialect has codes for some of it; the rest is read from the status and,
//! where servers say no more than a sentence, from that.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::Endpoint,
};

mod wait;
mod words;

const NOTHING: &str = "the answer is an error that says nothing";

/// Longer ones are no error objects.
const BODY_MAX: usize = 64 * 1024;

pub(super) fn of(endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamFault {
    let parsed: Option<Value> = if body.len() <= BODY_MAX { serde_json::from_slice(body).ok() } else { None };
    let said = match &parsed {
        Some(value) => Said::of(value),
        None => Said { message: words::excerpt(body), ..Said::default() },
    };
    // An answer that began well and turns out to be an error says its status itself, if anyone does.
    let told = if status.is_success() { said.status } else { Some(status.as_u16()) };
    let class = words::class(told, &said);
    let mut fault = fault(endpoint, class, said);
    fault.status = Some(status.as_u16());
    if fault.message.is_empty() {
        fault.message = if status.is_success() { NOTHING.to_owned() } else { format!("answered {status}") };
    }
    fault.retry_after = wait::asked(headers, status == StatusCode::TOO_MANY_REQUESTS);
    let shown = class != FaultClass::Auth && body.len() <= BODY_MAX && !endpoint.is_quoted(body);
    fault.body = shown.then(|| Bytes::copy_from_slice(body));
    fault
}

/// An error object in what should have been an answer: in its place, beside its choices, or as what one of them ended with.
pub(super) fn within(endpoint: &Endpoint, map: &Map<String, Value>) -> Option<UpstreamFault> {
    let is_error = map.get("object").and_then(Value::as_str) == Some("error");
    if is_error || has_error(map) {
        return Some(bare(endpoint, map));
    }
    let mut choices = map.get("choices").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let ended = |choice: &Map<String, Value>| choice.get("finish_reason").and_then(Value::as_str) == Some("error");
    choices.find(|choice| has_error(choice) || ended(choice)).map(|choice| bare(endpoint, choice))
}

fn has_error(map: &Map<String, Value>) -> bool {
    map.get("error").is_some_and(|error| !error.is_null())
}

pub(super) fn bare(endpoint: &Endpoint, map: &Map<String, Value>) -> UpstreamFault {
    let said = Said::of_object(map);
    let mut fault = fault(endpoint, words::class(said.status, &said), said);
    if fault.message.is_empty() {
        fault.message = NOTHING.to_owned();
    }
    fault
}

fn fault(endpoint: &Endpoint, class: FaultClass, said: Said) -> UpstreamFault {
    // Servers quote the key that they refuse.
    let message =
        if class == FaultClass::Auth { "the credential is not accepted".to_owned() } else { endpoint.unquoted(&said.message) };
    let code = said.codes.into_iter().next().filter(|code| !endpoint.is_quoted(code.as_bytes()));
    UpstreamFault { said: code, ..UpstreamFault::new(endpoint, class, message) }
}

/// What an error object says.
#[derive(Debug, Default)]
struct Said {
    message: String,
    /// Codes and types, the most telling first.
    codes: Vec<String>,
    /// Some give the status as the code.
    status: Option<u16>,
}

impl Said {
    fn of(value: &Value) -> Self {
        match value {
            Value::Object(map) => Self::of_object(map),
            // Google's servers of this dialect give a list of one.
            Value::Array(list) => list.first().and_then(Value::as_object).map(Self::of_object).unwrap_or_default(),
            Value::String(text) => Self { message: text.clone(), ..Self::default() },
            _ => Self::default(),
        }
    }

    fn of_object(map: &Map<String, Value>) -> Self {
        let inside = match map.get("error") {
            Some(Value::Object(inside)) => inside,
            Some(Value::String(text)) => return Self { message: text.clone(), ..Self::told(map) },
            _ => map,
        };
        Self::told(inside)
    }

    fn told(map: &Map<String, Value>) -> Self {
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        let inner = map.get("innererror").and_then(|inner| inner.get("code")).and_then(Value::as_str);
        let codes = [inner, text("code"), text("type"), text("status")];
        let status = map.get("code").and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
        let message = text("message").or(text("detail")).or(text("msg")).map_or_else(|| details(map), str::to_owned);
        Self {
            message,
            codes: codes.into_iter().flatten().filter(|code| !code.is_empty()).map(str::to_owned).collect(),
            status: status.and_then(|status| u16::try_from(status).ok()).filter(|status| (100..600).contains(status)),
        }
    }
}

/// A list of what is wrong with the request, as FastAPI's servers give it.
fn details(map: &Map<String, Value>) -> String {
    if let Some(inside) = map.get("message").and_then(Value::as_object) {
        return details(inside);
    }
    let list = ["detail", "message", "errors"].iter().find_map(|name| map.get(*name)?.as_array());
    let texts = list.into_iter().flatten().filter_map(|detail| {
        let place = detail.get("loc").and_then(Value::as_array).map(|place| {
            let steps = place.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
            steps.collect::<Vec<_>>().join(".")
        });
        let text = detail.get("msg").or(detail.get("message")).and_then(Value::as_str).or(detail.as_str())?;
        Some(place.map_or_else(|| text.to_owned(), |place| format!("{place}: {text}")))
    });
    texts.collect::<Vec<_>>().join("; ")
}
