//! Caching, and everything that has no equivalent: named, with what to do instead where there is something.

use mainspring_gateway::{Cache, CacheMode, Span};
use serde_json::Value;

use crate::{
    draft::{self, Draft},
    read::{self, Table},
};

/// Kept for so long where nothing is said.
const KEPT_FOR: Span = Span::seconds(600);

/// The cache of every route.
pub(super) fn cache(draft: &mut Draft, settings: &mut Table, router: &mut Table) -> Option<Cache> {
    let by_router = router.truth("cache_responses").unwrap_or(false);
    let on = settings.truth("cache").unwrap_or(false) || by_router;
    let params = settings.table("cache_params");
    if !on {
        return None;
    }
    let Some(mut params) = params else {
        return Some(draft::cache(CacheMode::Exact, KEPT_FOR));
    };
    if params.text("mode").as_deref() == Some("default_off") {
        draft.missing(
            params.at("mode"),
            "a cache that clients switch on by request has no equivalent: routes are left without one",
        );
        return None;
    }
    let kind = params.text("type").unwrap_or_default();
    let semantic = kind.contains("semantic");
    let ttl = params.number("ttl").and_then(draft::seconds).unwrap_or(KEPT_FOR);
    let mut cache = draft::cache(if semantic { CacheMode::Semantic } else { CacheMode::Exact }, ttl);
    if let Some(threshold) = params.number("similarity_threshold").filter(|threshold| (0.0..=1.0).contains(threshold)) {
        cache.threshold = threshold;
    }
    if !matches!(kind.as_str(), "" | "local") {
        draft.different(
            params.at("type"),
            "answers are kept in this process's memory, for each project by itself; no server is needed",
        );
    }
    let path = params.path.clone();
    let rest: Vec<String> = params.rest().into_iter().map(|(name, _)| name).collect();
    if semantic && rest.iter().any(|name| name.contains("embedding_model")) {
        draft.different(&path, "questions are compared by the server's own embedding model; `cache.embedding` names another");
    }
    if !rest.is_empty() {
        draft.missing(path, format!("not needed here: {}", rest.join(", ")));
    }
    Some(cache)
}

/// Notes what is left of every section.
pub(super) fn note(draft: &mut Draft, mut top: Table, sections: [Table; 3]) {
    if let Some(Value::Object(set)) = top.take("environment_variables") {
        let names: Vec<&str> = set.keys().map(String::as_str).collect();
        if !names.is_empty() {
            let message = format!("variables are set where the server is started, not in specs: {}", names.join(", "));
            draft.missing("environment_variables", message);
        }
    }
    for section in sections {
        let path = section.path.clone();
        for (name, value) in section.rest() {
            draft.missing(read::joined(&path, &name), setting(&name, &value));
        }
    }
    for (name, _) in top.rest() {
        // Where people keep what they merge into other places.
        if !name.starts_with(['x', '_', '.']) || !name.trim_start_matches('x').starts_with(['-', '_', '.']) {
            draft.missing(name.clone(), of_top(&name));
        }
    }
}

fn of_top(name: &str) -> &'static str {
    match name {
        "include" => "files it includes are not read: import each",
        "guardrails" => "guards are no part of routes",
        "mcp_servers" | "mcp_tools" => "servers of tools are not proxied",
        "vector_store_registry" | "search_tools" => "documents are searched by a `knowledge` and an app",
        "callback_settings" => "traces are kept here; the page and `mainspring traces` show them",
        "files_settings" | "finetune_settings" => "files and fine-tuning of providers are not proxied",
        _ => "this has no equivalent",
    }
}

fn setting(name: &str, value: &Value) -> &'static str {
    let metrics = value == "prometheus" || value.as_array().is_some_and(|list| list.iter().any(|each| each == "prometheus"));
    match name {
        "drop_params" | "modify_params" => {
            "what a provider's dialect cannot say is left out and named in `x-mainspring-lost`; what would change the answer is refused"
        }
        "success_callback" | "failure_callback" | "callbacks" | "service_callbacks" if metrics => {
            "traces are kept here, and metrics are at `/metrics`; other callbacks have no equivalent"
        }
        "success_callback" | "failure_callback" | "callbacks" | "service_callbacks" | "langfuse_default_tags" => {
            "traces are kept here; the page and `mainspring traces` show them"
        }
        "set_verbose" | "json_logs" | "debug_level" => "the server's own settings: `log.filter` and `log.format`",
        "turn_off_message_logging" | "redact_user_api_key_info" | "store_prompts_in_spend_logs" => {
            "what traces keep of messages is a setting of the project"
        }
        "database_url" | "database_connection_pool_limit" | "database_connection_timeout" | "store_model_in_db" => {
            "the catalog is the server's: SQLite without a setting, or `catalog.url` for PostgreSQL. Models and keys in LiteLLM's own database are not read"
        }
        "alerting"
        | "alerting_threshold"
        | "alert_types"
        | "alerting_args"
        | "alert_to_webhook_url"
        | "spend_report_frequency" => {
            "write a `receiver` for who is told, by webhook, Slack, mail or PagerDuty, and a `monitor` of cost, faults or times for what tells them"
        }
        "default_team_settings" | "default_team_params" | "default_team_disabled" => {
            "a team is a project: `mainspring projects create`, with members, keys and limits of its own"
        }
        "enable_pre_call_checks" => "a target with a `context_window` is passed over by calls that are longer",
        name if name.starts_with("redis") || name == "cache_kwargs" => {
            "not needed: limits hold across processes through the catalog, exactly on one process and within a stated error on several"
        }
        "provider_budget_config" | "tag_budget_config" => {
            "budgets are for the project, a key, a member, a user or a model: `mainspring limits set usd-per-day … --for model=ROUTE`"
        }
        "allowed_fails_policy" => "a breaker opens by the share of attempts that fail, whatever their fault",
        "enable_tag_filtering" | "tag_filtering_match_any" => "targets are not chosen by tags: make a route for each",
        "max_fallbacks" => "every target of a route may be asked once the ones before it have failed",
        "completion_model" | "embedding_model" | "image_generation_model" | "moderation_model" => "a request names its model",
        "pass_through_endpoints" => "addresses of providers are not passed through: call models by their names",
        "enable_jwt_auth"
        | "litellm_jwtauth"
        | "custom_auth"
        | "custom_sso"
        | "enable_oauth2_auth"
        | "enable_oauth2_proxy_auth" => "clients show keys made with `mainspring keys create`",
        "user_header_name" | "user_header_mappings" => {
            "the end user is `user` of the body, or the header `x-litellm-end-user-id`"
        }
        "extra_spend_tag_headers" => "notes come as `metadata` of the body or in `x-litellm-tags`, and are kept in traces",
        "max_request_size_mb" => "the server's own setting: `server.body_limit`",
        "background_health_checks" | "health_check_interval" | "health_check_details" => {
            "nobody is called to see how they are: breakers and `mainspring routes list` tell by the calls that are made"
        }
        "forward_client_headers_to_llm_api" | "forward_openai_org_id" => {
            "headers of a provider's own dialect are passed on to it, and no others"
        }
        _ => "this has no equivalent",
    }
}
