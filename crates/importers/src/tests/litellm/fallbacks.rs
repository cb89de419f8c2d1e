//! Which targets a route has, and after which faults they are asked.

use mainspring_kernel::AssetKind;
use serde_json::json;

use super::proxy;
use crate::{
    litellm,
    tests::{names, route, rows, says, sound, targets, unset},
};

#[test]
fn deployments_of_one_name_are_targets_of_one_route_and_fallbacks_come_after_them() {
    let imported = proxy();
    let expected =
        ["gpt-4o", "claude-sonnet", "team-gpt", "haiku-bedrock", "flash", "llama-local", "qwen-house", "embed", "claude"];
    assert_eq!(names(&imported, AssetKind::Route), expected);
    assert_eq!(imported.manifests.iter().find_map(|manifest| manifest.description.as_deref()), Some("For most things."));
    let gpt = route(&imported, "gpt-4o");
    assert_eq!(
        targets(gpt),
        rows(&[("azure/gpt-4o-eu", 0, 600), ("openai-2/gpt-4o", 0, 300), ("anthropic/claude-sonnet-4-5", 1, 1)])
    );
    assert_eq!((&gpt["targets"][0]["price_as"], &gpt["targets"][0]["context_window"]), (&json!("gpt-4o"), &json!(128_000)));
    assert_eq!((&gpt["models"], &gpt["choose"]), (&json!(["gpt-4"]), &json!("latency")));
    assert_eq!(gpt["retry"], json!({"attempts": 3, "on": ["timeout", "connect", "rate_limited"]}));
    // One of its deployments says 30 seconds, the router a minute.
    assert_eq!(gpt["timeouts"]["attempt"], json!("1m"));
    says(&imported.report.different, "model_list.gpt-4o", "the longest counts");
    assert_eq!(gpt["breaker"], json!({"min_attempts": 4, "window": "1m", "open_for": "30s"}));
    assert_eq!((&gpt["cache"]["ttl"], &gpt["cache"]["sampled"]), (&json!("15m"), &json!(true)));
    assert_eq!(route(&imported, "flash")["models"], json!(["fast"]));
    assert_eq!(
        targets(route(&imported, "flash")),
        rows(&[("gemini/gemini-2.5-flash", 0, 3), ("openrouter/google/gemini-2.5-flash", 1, 1)])
    );
    // What is for one fault is asked after that fault.
    let on = |name: &str, at: usize| route(&imported, name)["targets"][at].get("on").cloned();
    assert_eq!((on("llama-local", 0), on("llama-local", 1)), (None, Some(json!(["context_window"]))));
    assert_eq!((on("claude-sonnet", 0), on("claude-sonnet", 1)), (None, Some(json!(["content_filter"]))));
    assert_eq!(on("gpt-4o", 2), None);
    let parameters = &route(&imported, "qwen-house")["targets"][0]["parameters"];
    assert_eq!(parameters, &json!({"user": null, "top_k": 20}));
    assert_eq!(route(&imported, "claude-sonnet")["targets"][0]["parameters"], json!({"temperature": 0.2, "max_tokens": 4096}));
}

#[test]
fn a_fault_that_has_fallbacks_of_its_own_leads_past_those_of_all_faults() {
    let text = "model_list:\n\
        \x20 - {model_name: a, litellm_params: {model: openai/a}}\n\
        \x20 - {model_name: b, litellm_params: {model: openai/b}}\n\
        \x20 - {model_name: long, litellm_params: {model: openai/long}}\n\
        router_settings:\n  fallbacks: [{a: [b]}]\n  context_window_fallbacks: [{a: [long]}]\n";
    let imported = litellm(text, &unset).unwrap();
    sound(&imported);
    let a = route(&imported, "a");
    assert_eq!(targets(a), rows(&[("openai/a", 0, 1), ("openai/b", 1, 1), ("openai/long", 2, 1)]));
    assert_eq!((a["targets"][1].get("on"), &a["targets"][2]["on"]), (None, &json!(["context_window"])));
    let on = a["fallback"]["on"].as_array().unwrap();
    assert!(on.contains(&json!("server")) && !on.contains(&json!("context_window")), "{on:?}");
    assert!(!imported.report.different.iter().any(|note| note.message.contains("fault")), "{:?}", imported.report.different);
}

/// Whichever part of the file says so.
#[test]
fn a_group_that_is_there_for_any_fault_and_for_one_of_its_own_is_asked_after_both() {
    let group = |name: &str, model: &str| format!("  - {{model_name: {name}, litellm_params: {{model: openai/{model}}}}}\n");
    let three = [group("a", "a"), group("b", "b"), group("long", "long")].concat();
    let four = [three.as_str(), &group("a", "twin")].concat();
    let all = "fallbacks: [{a: [b]}], content_policy_fallbacks: [{a: [b]}], context_window_fallbacks: [{a: [b]}]";
    let both = ["context_window", "content_filter"];
    let (window, filter, none) = (&both[..1], &both[1..], &both[..0]);
    for (models, settings, router, expected, led) in [
        (&three, "fallbacks: [{a: [b]}]", "context_window_fallbacks: [{a: [b]}]", vec![("b", 1, none)], window),
        (&three, "", all, vec![("b", 1, none)], &both[..]),
        (
            &three,
            "content_policy_fallbacks: [{a: [b, long]}]",
            "fallbacks: [{a: [b]}]",
            vec![("b", 1, none), ("long", 2, filter)],
            &both[..],
        ),
        // Past the others, whose order is another.
        (
            &three,
            "default_fallbacks: [b, long]",
            "context_window_fallbacks: [{a: [long]}], content_policy_fallbacks: [{a: [long]}]",
            vec![("b", 1, none), ("long", 2, none), ("long", 3, &both[..])],
            none,
        ),
        // And past the other deployments of the group itself.
        (
            &four,
            "fallbacks: [{a: [b]}]",
            "content_policy_fallbacks: [{a: [b]}]",
            vec![("twin", 0, none), ("b", 1, none), ("b", 2, filter)],
            window,
        ),
    ] {
        let text = format!("model_list:\n{models}litellm_settings: {{{settings}}}\nrouter_settings: {{{router}}}\n");
        let imported = litellm(&text, &unset).unwrap();
        sound(&imported);
        let a = route(&imported, "a");
        let wanted: Vec<(String, u64, u64)> =
            expected.iter().map(|(name, tier, _)| (format!("openai/{name}"), *tier, 1)).collect();
        assert_eq!(targets(a)[1..], wanted[..], "{text}");
        for (at, (.., on)) in expected.iter().enumerate() {
            assert_eq!(a["targets"][at + 1].get("on").unwrap_or(&json!([])), &json!(on), "{text}");
        }
        let usual = json!(mainspring_gateway::Fallback::default().on);
        let leads = a.get("fallback").map_or(&usual, |fallback| &fallback["on"]).as_array().unwrap();
        let found: Vec<&str> = both.into_iter().filter(|class| leads.contains(&json!(class))).collect();
        assert_eq!((found.as_slice(), leads.contains(&json!("server"))), (led, true), "{text}");
    }
}
