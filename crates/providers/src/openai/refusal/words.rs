//! The class of a fault from its status, its codes and its words.

use crate::{fault::FaultClass, openai::refusal::Said};

/// As much of a text as tells what it is.
const TOLD: usize = 2_000;

const CONTEXT: &[&str] = &[
    "maximum context length",
    "context length",
    "context window",
    "context size",
    "maximum model length",
    "maximum prompt length",
    "prompt is too long",
    "input is too long",
    "too many tokens",
    "exceeds the maximum number of tokens",
    "reduce the length of the messages",
    "`max_new_tokens` must be",
];

const FILTER: &[&str] = &[
    "content management policy",
    "content filter",
    "content_filter",
    "content policy",
    "safety system",
    "flagged",
    "moderation",
];

const NO_MODEL: &[&str] =
    &["does not exist", "not found", "not exist", "no such model", "unknown model", "not a valid model", "do not have access"];

const NO_MONEY: &[&str] = &[
    "exceeded your current quota",
    "insufficient quota",
    "insufficient balance",
    "insufficient credits",
    "out of credits",
    "credit balance",
    "billing hard limit",
];

pub(super) fn class(status: Option<u16>, said: &Said) -> FaultClass {
    use FaultClass::{
        Auth, ContentFilter, ContextWindow, Invalid, NotFound, Overloaded, Quota, RateLimited, Server, Timeout, TooLarge,
    };

    let message: String = said.message.chars().take(TOLD).collect::<String>().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let told = || said.codes.iter().filter_map(|code| of_code(code));
    // Some servers give every error the type of their own ones: whatever else says something counts before it.
    let coded = told().find(|class| *class != Server);
    let is_servers = coded.is_none() && told().next().is_some();
    match (status, coded) {
        // Some turn a request away for its size with the code of a limit that waiting will not lift.
        (Some(413), _) if says(CONTEXT) || coded == Some(ContextWindow) => ContextWindow,
        (Some(413), _) => TooLarge,
        (Some(500), _) if says(&["overloaded", "at capacity"]) => Overloaded,
        (Some(504 | 522 | 524), _) => Timeout,
        (Some(503 | 529), _) => Overloaded,
        (Some(500..), Some(class @ (ContextWindow | ContentFilter | Overloaded))) => class,
        (Some(500..), _) => Server,
        (_, Some(class)) => class,
        (None | Some(..=399 | 409), None) if is_servers => Server,
        (Some(401), None) => Auth,
        (Some(402), None) => Quota,
        (Some(403), None) if says(FILTER) => ContentFilter,
        (Some(403), None) if says(NO_MONEY) => Quota,
        (Some(403), None) => Auth,
        (Some(404), None) => NotFound,
        (Some(408), None) => Timeout,
        (Some(429), None) if says(NO_MONEY) => Quota,
        (Some(429), None) => RateLimited,
        // Groq has no capacity for the flexible tier.
        (Some(498), None) => Overloaded,
        (_, None) if says(CONTEXT) => ContextWindow,
        (_, None) if message.contains("model") && says(NO_MODEL) => NotFound,
        (_, None) if says(FILTER) => ContentFilter,
        (None, None) if says(&["overloaded", "at capacity"]) => Overloaded,
        (None, None) if says(&["rate limit", "too many requests"]) => RateLimited,
        // A redirect, which is not followed, and a conflict are the server's doing; as is an error after a good status.
        (None | Some(..=399 | 409), None) => Server,
        (Some(_), None) => Invalid,
    }
}

fn of_code(code: &str) -> Option<FaultClass> {
    Some(match code.to_ascii_lowercase().as_str() {
        "context_length_exceeded" | "context_window_exceeded" | "exceed_context_size_error" | "string_above_max_length" => {
            FaultClass::ContextWindow
        }
        "insufficient_quota"
        | "insufficient_balance"
        | "insufficient_credits"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "exceeded_current_quota_error" => FaultClass::Quota,
        "content_filter"
        | "content_policy_violation"
        | "responsibleaipolicyviolation"
        | "moderation_blocked"
        | "data_inspection_failed" => FaultClass::ContentFilter,
        "model_not_found" | "deploymentnotfound" | "unknown_model" | "not_found_error" | "notfounderror" => FaultClass::NotFound,
        "rate_limit_exceeded" | "rate_limit_error" | "rate_limit_reached_error" | "too_many_requests" | "resource_exhausted" => {
            FaultClass::RateLimited
        }
        "invalid_api_key" | "authentication_error" | "invalid_authentication_error" | "permission_error" => FaultClass::Auth,
        "overloaded_error" | "engine_overloaded_error" | "server_overloaded" | "service_unavailable" | "capacity_exceeded" => {
            FaultClass::Overloaded
        }
        "server_error" | "internal_server_error" | "internal_error" => FaultClass::Server,
        "timeout" | "request_timeout" => FaultClass::Timeout,
        _ => return None,
    })
}

/// The text of a body that is no JSON, such as a proxy's page.
pub(super) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(TOLD)]);
    let is_page = text.trim_start().starts_with('<');
    if is_page { String::new() } else { text.split_whitespace().collect::<Vec<_>>().join(" ") }
}
