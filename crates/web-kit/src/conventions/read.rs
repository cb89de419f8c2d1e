//! The mapping itself: headers in, wishes out.

use std::time::Duration;

use http::HeaderMap;
use mainspring_kernel::text;
use mainspring_llm::TraceId;
use serde_json::{Map, Value};

use super::{KEYS, Kept, Wished};

/// Longer names of users and conversations are cut.
const NAME_MAX: usize = 200;
const PREFIXES: [&str; 3] = ["helicone-", "x-portkey-", "x-litellm-"];
/// How coding agents name a conversation.
const SESSIONS: [&str; 3] = ["session_id", "session-id", "conversation_id"];
/// How we do: it comes before whatever else names one.
const OWN_SESSION: &str = "x-mainspring-session";
/// A day: longer waits are none.
const TIMEOUT_MAX: f64 = 86_400.0;

pub(super) fn read(headers: &HeaderMap) -> Option<Wished> {
    let follows =
        |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || SESSIONS.contains(&name) || name == OWN_SESSION;
    if !headers.keys().any(|name| follows(name.as_str())) {
        return None;
    }
    let mut wished = Wished::default();
    for (name, value) in headers.iter().filter(|(name, _)| follows(name.as_str())) {
        let name = name.as_str();
        let used = match value.to_str() {
            // Read where callers are told apart, and by nobody else.
            _ if KEYS.contains(&name) => true,
            Ok(value) => take(&mut wished, name, value.trim()),
            Err(_) => false,
        };
        if !used {
            wished.ignored.insert(name.to_owned());
        }
    }
    if let Some(session) = headers.get(OWN_SESSION).and_then(|value| value.to_str().ok()).and_then(named) {
        wished.session = Some(session);
    }
    // How long answers are kept is the route's to say.
    let aged = headers.get(http::header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    if wished.wants_cache.is_some() && aged.is_some_and(|said| said.to_ascii_lowercase().contains("max-age")) {
        wished.ignored.insert("cache-control".to_owned());
    }
    Some(wished)
}

/// Whether the header takes effect, or asks for nothing.
fn take(wished: &mut Wished, name: &str, value: &str) -> bool {
    if let Some(rest) = name.strip_prefix("helicone-") {
        return helicone(wished, rest, value);
    }
    if let Some(rest) = name.strip_prefix("x-portkey-") {
        return portkey(wished, rest, value);
    }
    if let Some(rest) = name.strip_prefix("x-litellm-") {
        return litellm(wished, rest, value);
    }
    // A session that is named on purpose comes before an agent's own.
    wished.session = wished.session.take().or_else(|| named(value));
    true
}

fn helicone(wished: &mut Wished, name: &str, value: &str) -> bool {
    match name {
        "user-id" => user(wished, value),
        "session-id" => session(wished, value),
        "session-path" | "session-name" | "request-id" | "prompt-id" => note(wished, &name.replace('-', "_"), value),
        "cache-enabled" if is_true(value) => {
            wished.wants_cache = Some("helicone-cache-enabled");
            true
        }
        "cache-enabled" if is_false(value) => keep(wished, Kept::Bypass),
        // Answers are not divided by a name that the client makes up: rather none than another's.
        "cache-seed" => {
            keep(wished, Kept::Bypass);
            false
        }
        "omit-request" => omit(&mut wished.omit_request, is_true(value), "helicone-omit-request"),
        "omit-response" => omit(&mut wished.omit_response, is_true(value), "helicone-omit-response"),
        // Tokens are counted whatever a client says.
        "stream-usage" => true,
        name => match name.strip_prefix("property-") {
            Some(property) => note(wished, property, value),
            None => is_false(value),
        },
    }
}

fn portkey(wished: &mut Wished, name: &str, value: &str) -> bool {
    match name {
        "provider" => provider(wished, value, "x-portkey-provider"),
        "virtual-key" => provider(wished, value, "x-portkey-virtual-key"),
        "config" => config(wished, value),
        "metadata" => metadata(wished, value),
        "trace-id" => trace(wished, value),
        "span-name" | "span-id" | "parent-span-id" => note(wished, &name.replace('-', "_"), value),
        "cache" if matches!(value, "simple" | "semantic") => {
            wished.wants_cache = Some("x-portkey-cache");
            true
        }
        "cache-force-refresh" if is_true(value) => keep(wished, Kept::Refresh),
        "cache-namespace" => {
            keep(wished, Kept::Bypass);
            false
        }
        "request-timeout" => timeout(wished, value, 0.001),
        // Without it, neither side of a call is kept there.
        "debug" => {
            omit(&mut wished.omit_request, is_false(value), "x-portkey-debug");
            omit(&mut wished.omit_response, is_false(value), "x-portkey-debug")
        }
        _ => is_false(value),
    }
}

fn litellm(wished: &mut Wished, name: &str, value: &str) -> bool {
    match name {
        "end-user-id" | "customer-id" => user(wished, value),
        "session-id" => session(wished, value),
        "trace-id" => trace(wished, value),
        "timeout" => timeout(wished, value, 1.0),
        "spend-logs-metadata" => metadata(wished, value),
        "agent-id" => note(wished, "agent_id", value),
        "tags" => {
            let tags: Vec<Value> = value.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(Value::from).collect();
            wished.metadata.insert("tags".to_owned(), tags.into());
            true
        }
        "enable-message-redaction" => {
            let header = "x-litellm-enable-message-redaction";
            omit(&mut wished.omit_request, is_true(value), header);
            omit(&mut wished.omit_response, is_true(value), header)
        }
        _ => is_false(value),
    }
}

fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true") || value == "1"
}

/// Asks for nothing.
fn is_false(value: &str) -> bool {
    value.is_empty() || value.eq_ignore_ascii_case("false") || value == "0"
}

fn named(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| text::elide(value, NAME_MAX))
}

fn user(wished: &mut Wished, value: &str) -> bool {
    wished.user = named(value).or(wished.user.take());
    true
}

fn session(wished: &mut Wished, value: &str) -> bool {
    wished.session = named(value).or(wished.session.take());
    true
}

fn note(wished: &mut Wished, name: &str, value: &str) -> bool {
    wished.metadata.insert(name.to_owned(), value.into());
    true
}

fn omit(wish: &mut Option<&'static str>, wanted: bool, header: &'static str) -> bool {
    *wish = wish.or(wanted.then_some(header));
    true
}

fn keep(wished: &mut Wished, kept: Kept) -> bool {
    wished.kept = wished.kept.max(Some(kept));
    true
}

fn timeout(wished: &mut Wished, value: &str, unit: f64) -> bool {
    let seconds = value.parse::<f64>().map(|number| number * unit).ok().filter(|seconds| (0.001..=TIMEOUT_MAX).contains(seconds));
    let Some(seconds) = seconds else { return false };
    let given = Duration::from_secs_f64(seconds);
    wished.timeout = Some(wished.timeout.map_or(given, |known| known.min(given)));
    true
}

fn provider(wished: &mut Wished, value: &str, header: &'static str) -> bool {
    let Some(name) = named(value.trim_start_matches('@')) else { return true };
    // A key opens one provider; the other header names a kind of it.
    let closer = header == "x-portkey-virtual-key" || wished.provider.as_ref().is_none_or(|(_, by)| *by == "x-portkey-config");
    if closer {
        wished.provider = Some((name.to_ascii_lowercase(), header));
    }
    true
}

/// Where it has the form of a trace's id, it says which calls stand together; as a note it can be searched for.
fn trace(wished: &mut Wished, value: &str) -> bool {
    let digits: String = value.chars().filter(|letter| *letter != '-').map(|letter| letter.to_ascii_lowercase()).collect();
    wished.trace = digits.parse::<TraceId>().ok().filter(|_| digits.len() == 32).or(wished.trace);
    note(wished, "trace_id", value)
}

fn metadata(wished: &mut Wished, value: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(value) else { return false };
    add_metadata(wished, fields);
    true
}

fn add_metadata(wished: &mut Wished, fields: Map<String, Value>) {
    for (name, value) in fields {
        match (name.as_str(), &value) {
            ("_user", Value::String(name)) => {
                user(wished, name);
            }
            _ => {
                wished.metadata.insert(name, value);
            }
        }
    }
}

/// The name of a route, or a config itself, of which one target can be asked.
fn config(wished: &mut Wished, value: &str) -> bool {
    if !value.starts_with('{') {
        wished.config = named(value);
        return true;
    }
    let Ok(Value::Object(fields)) = serde_json::from_str(value) else { return false };
    inline(wished, fields);
    true
}

fn inline(wished: &mut Wished, fields: Map<String, Value>) {
    for (name, value) in fields {
        let used = match (name.as_str(), value) {
            (_, Value::Null) => true,
            ("provider" | "virtual_key" | "virtualKey", Value::String(named)) => {
                if wished.provider.is_none() {
                    provider(wished, &named, "x-portkey-config");
                }
                true
            }
            ("request_timeout" | "requestTimeout", Value::Number(millis)) => timeout(wished, &millis.to_string(), 0.001),
            ("metadata", Value::Object(fields)) => {
                add_metadata(wished, fields);
                true
            }
            ("cache", _) => {
                wished.wants_cache = Some("x-portkey-config.cache");
                true
            }
            ("override_params" | "overrideParams", Value::Object(mut parameters)) => {
                let model = parameters.shift_remove("model");
                wished.model = model.and_then(|model| model.as_str().and_then(named)).or(wished.model.take());
                parameters.is_empty()
            }
            ("targets", Value::Array(mut targets)) if targets.len() == 1 => match targets.pop() {
                Some(Value::Object(only)) => {
                    inline(wished, only);
                    true
                }
                _ => false,
            },
            // One target is asked in any case.
            ("strategy", Value::Object(strategy)) if strategy.get("mode").is_some_and(|mode| mode == "single") => true,
            _ => false,
        };
        if !used {
            let plain = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            wished.ignored.insert(if plain { format!("x-portkey-config.{name}") } else { "x-portkey-config".to_owned() });
        }
    }
}
