mod any;

use std::sync::Arc;

use mainspring_kernel::{Digest, Money};
use mainspring_llm::{
    ServiceTier::{Flex, Priority, Ultrafast},
    TokenUsage,
};
use mainspring_providers::ProviderKind::{self, Anthropic, Azure, Bedrock, Gemini, Local, OpenAi};
use serde_json::json;

use super::{Bound, Place, PriceTable, Prices};
use crate::{incurs::Incurs, prices::PricesSpec};

fn bound(input: u64, output: u64, searches: u64) -> Bound {
    Bound { input, output, searches, batch: false, incurs: Incurs::ALL }
}

fn used(input: u64, output: u64) -> TokenUsage {
    TokenUsage { input, output, ..TokenUsage::default() }
}

#[track_caller]
fn check(what: &str, (provider, kind, model): (&str, ProviderKind, &str), usage: TokenUsage, batch: bool, dollars: &str) {
    let charge = Prices::builtin().cost(Place { provider, kind, preset: None, model }, &usage, batch);
    let found = charge.map_or_else(|| "unknown".to_owned(), |charge| charge.cost.to_string());
    assert_eq!(found, dollars, "{what}");
}

/// Numbers as providers report them, in our form, and what a person makes of the public prices with a pencil.
#[test]
fn calls_cost_what_their_providers_say() {
    let gpt_4o = ("openai", OpenAi, "gpt-4o-2024-08-06");
    check("plain", gpt_4o, used(1_000, 500), false, "0.0075");
    check("cached input is a part of the input", gpt_4o, TokenUsage { cache_read: 1_920, ..used(2_006, 300) }, false, "0.005615");
    let o3 = ("openai", OpenAi, "o3");
    check("thinking is a part of the output", o3, TokenUsage { reasoning: 1_024, ..used(75, 1_186) }, false, "0.009638");
    let audio = ("openai", OpenAi, "gpt-4o-audio-preview-2024-12-17");
    check("sound in and out", audio, TokenUsage { input_audio: 1_000, output_audio: 600, ..used(1_200, 800) }, false, "0.0905");
    check("a batch", ("openai", OpenAi, "gpt-4o-mini"), used(10_000, 2_000), true, "0.00135");
    check("a deployment with a price of its own name", ("east", Azure, "gpt-35-turbo-0125"), used(1_000, 0), false, "0.0005");
    check("a name before the pattern it matches too", ("east", Azure, "gpt-35-turbo-16k"), used(1_000, 0), false, "0.003");
    let five = ("openai", OpenAi, "gpt-5-2025-08-07");
    let served = |tier| TokenUsage { tier: Some(tier), cache_read: 200, ..used(1_000, 500) };
    check("as usual", five, TokenUsage { tier: None, ..served(Flex) }, false, "0.006025");
    check("served when there is time", five, served(Flex), false, "0.0030125");
    check("served before others", five, served(Priority), false, "0.01205");
    check("a tier that is not listed", five, served(Ultrafast), false, "0.006025");
    check("a batch is served as batches are", five, served(Priority), true, "0.0030125");
    let long = TokenUsage { tier: Some(Priority), ..used(300_000, 1_000) };
    check("a long input before others", ("openai", OpenAi, "gpt-6-sol"), long, false, "2.43");
    let sol = ("openai", OpenAi, "gpt-5.6-sol");
    check("written to OpenAI's cache", sol, TokenUsage { cache_write: 1_000, ..used(2_000, 0) }, false, "0.009");
    check("a long input, dearer", ("openai", OpenAi, "gpt-5.5-pro"), used(300_000, 1_000), false, "18.27");
    check("an embedding", ("openai", OpenAi, "text-embedding-3-small"), used(8, 0), false, "0.00000016");
    check("a moderation", ("openai", OpenAi, "omni-moderation-latest"), used(500, 0), false, "0.00");

    // Anthropic counts what it caches outside of its input; here it is inside.
    let sonnet = ("anthropic", Anthropic, "claude-sonnet-4-5-20250929");
    check("written to the cache", sonnet, TokenUsage { cache_write: 188_086, ..used(188_107, 393) }, false, "0.7112805");
    let older = ("anthropic", Anthropic, "claude-sonnet-4-20250514");
    check("a long input", older, TokenUsage { cache_read: 250_000, ..used(260_000, 1_000) }, false, "0.2325");
    check("a long input in a batch", older, used(260_000, 1_000), true, "0.79125");
    check("a long one, not dearer", ("anthropic", Anthropic, "claude-sonnet-4-6"), used(260_000, 1_000), false, "0.795");
    check("long from 100,000 on", ("anthropic", Anthropic, "claude-haiku-5-5"), used(150_000, 1_000), false, "0.0775");
    let haiku = ("anthropic", Anthropic, "claude-haiku-4-5");
    let cached = TokenUsage { cache_read: 1_800, cache_write: 148, cache_write_hour: 100, ..used(2_148, 503) };
    check("every kind of cache at once", haiku, cached, false, "0.00318");

    // Gemini counts thinking outside of its output; here it is inside.
    let pro = ("gemini", Gemini, "gemini-2.5-pro");
    check(
        "long, cached, thinking",
        pro,
        TokenUsage { cache_read: 100_000, reasoning: 1_500, ..used(300_000, 2_000) },
        false,
        "0.555",
    );
    let flash = ("gemini", Gemini, "gemini-2.5-flash");
    check("sound", flash, TokenUsage { input_audio: 6_000, ..used(10_000, 200) }, false, "0.0077");
    let speaking = ("gemini", Gemini, "gemini-2.5-flash-native-audio-latest");
    check("sound to a relative", speaking, TokenUsage { input_audio: 1_000, ..used(1_000, 0) }, false, "0.003");

    let deepseek = ("deepseek", OpenAi, "deepseek-chat");
    check("hits and misses", deepseek, TokenUsage { cache_read: 800, ..used(1_000, 400) }, false, "0.00014224");
    check(
        "a region that is looked through",
        ("aws", Bedrock, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        used(1_000, 100),
        false,
        "0.00495",
    );
    check(
        "a region with its own price",
        ("aws", Bedrock, "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        used(1_000, 100),
        false,
        "0.0045",
    );
    check("paid by the call", ("aws", Bedrock, "cohere.rerank-v3-5:0"), used(0, 0), false, "0.002");
    let cohere = ("cohere", OpenAi, "rerank-v3.5");
    check("a search", cohere, used(0, 0), false, "0.002");
    check("several searches in one call", cohere, TokenUsage { searches: 3, ..used(0, 0) }, false, "0.006");
    check("a name that is priced at one provider", ("groq", OpenAi, "openai/gpt-oss-120b"), used(1_000, 500), false, "0.00045");
    check("the same name elsewhere", ("our-vllm", OpenAi, "openai/gpt-oss-120b"), used(1_000, 500), false, "unknown");
    check("the models of this process", ("local", Local, "smollm2-135m-instruct"), used(1_000, 500), false, "0.00");
    check("nobody knows", ("openai", OpenAi, "gpt-99"), used(1_000, 500), false, "unknown");
    check("no dated name of another model", ("openai", OpenAi, "gpt-5.4-nano-2026-03-05"), used(1_000_000, 0), false, "0.20");
}

/// Whatever a project calls its provider.
#[test]
fn a_price_of_a_known_server_is_found_by_its_preset() {
    use mainspring_providers::Preset::{Groq, Together};
    let at = |provider, preset| {
        let place = Place { provider, kind: OpenAi, preset, model: "openai/gpt-oss-120b" };
        Prices::builtin().cost(place, &used(1_000, 500), false).map(|charge| charge.cost.to_string())
    };
    assert_eq!(at("groq-eu", Some(Groq)), Some("0.00045".to_owned()));
    assert_eq!(at("groq", None), at("groq-eu", Some(Groq)));
    assert_eq!(at("groq-eu", None), None);
    assert_ne!(at("fast", Some(Together)), None);
}

/// The areas that ids of inference profiles begin with, as AWS lists them and as people use them (`in.` and `amer.`).
#[test]
fn every_area_of_bedrock_is_looked_through() {
    for area in ["us", "us-gov", "amer", "ca", "sa", "eu", "me", "apac", "jp", "au", "in", "global"] {
        let model = format!("{area}.amazon.titan-embed-text-v2:0");
        check(area, ("aws", Bedrock, &model), used(1_000_000, 0), false, "0.02");
    }
    check("no area", ("aws", Bedrock, "xx.amazon.titan-embed-text-v2:0"), used(1_000_000, 0), false, "unknown");
    check("another kind of provider", ("main", OpenAi, "in.amazon.titan-embed-text-v2:0"), used(1_000_000, 0), false, "unknown");
}

fn table(yaml: &str) -> Arc<PriceTable> {
    let spec: PricesSpec = yaml_serde::from_str(yaml).unwrap();
    assert!(spec.validate().is_empty(), "{:?}", spec.validate());
    Arc::new(PriceTable::new(Digest::of(yaml.as_bytes()), spec))
}

#[test]
fn a_projects_own_table_comes_first_model_by_model() {
    let own = table(
        "models:\n- {model: gpt-4o, provider: azure, input: 1, output: 1}\n- {model: gpt-4o, input: 2, output: 2}\n- {model: our-best, input: 4, output: 4}\n- {model: 'our-*', input: 3, output: 3}",
    );
    let prices = Prices::over_builtin(Arc::clone(&own));
    let cost = |provider, kind, model| {
        let charge = prices.cost(Place { provider, kind, preset: None, model }, &used(1_000_000, 0), false).unwrap();
        (charge.cost.to_string(), charge.price.table, charge.price.entry)
    };
    let ours = own.digest();
    assert_eq!(cost("east", Azure, "gpt-4o"), ("1.00".to_owned(), ours, "gpt-4o".to_owned()));
    assert_eq!(cost("azure", OpenAi, "gpt-4o"), ("1.00".to_owned(), ours, "gpt-4o".to_owned()), "a provider of that name");
    assert_eq!(cost("openai", OpenAi, "gpt-4o"), ("2.00".to_owned(), ours, "gpt-4o".to_owned()));
    assert_eq!(cost("x", OpenAi, "our-best"), ("4.00".to_owned(), ours, "our-best".to_owned()), "the first that matches counts");
    assert_eq!(cost("x", OpenAi, "our-other"), ("3.00".to_owned(), ours, "our-*".to_owned()));
    let (dollars, table, entry) = cost("openai", OpenAi, "gpt-4o-mini");
    assert_eq!((dollars.as_str(), table == ours, entry.as_str()), ("0.15", false, "gpt-4o-mini"));
}

/// A table that has every rate there is, and what a person makes of it with a pencil.
#[test]
fn every_token_is_paid_at_the_rate_of_what_it_is() {
    let own = table(
        "models:
        - model: a
          input: 2
          output: 8
          cache_read: '0.5'
          cache_write: '2.5'
          cache_write_hour: 4
          input_audio: 20
          input_image: 3
          reasoning: 10
          output_audio: 40
          output_image: 30
          request: '0.01'
          batch: {input: 1, output: 4, cache_read: '0.25', output_image: 15}
          tiers: [{above_input: 200000, rates: {input: 4, output: 12, input_image: 6}, batch: {input: 2, output: 6}}]",
    );
    let prices = Prices::over_builtin(own);
    let cost = |usage: &TokenUsage, batch| {
        prices.cost(Place { provider: "p", kind: OpenAi, preset: None, model: "a" }, usage, batch).unwrap().cost.to_string()
    };
    const M: u64 = 100_000;
    for (what, usage, dollars) in [
        ("text", used(M, M), "1.01"),
        ("found in the cache", TokenUsage { cache_read: M, ..used(M, 0) }, "0.06"),
        ("written to the cache", TokenUsage { cache_write: M, ..used(M, 0) }, "0.26"),
        ("written for an hour", TokenUsage { cache_write_hour: M, ..used(M, 0) }, "0.41"),
        ("sound heard", TokenUsage { input_audio: M, ..used(M, 0) }, "2.01"),
        ("images seen", TokenUsage { input_image: M, ..used(M, 0) }, "0.31"),
        ("thinking", TokenUsage { reasoning: M, ..used(0, M) }, "1.01"),
        ("sound made", TokenUsage { output_audio: M, ..used(0, M) }, "4.01"),
        ("images made", TokenUsage { output_image: M, ..used(0, M) }, "3.01"),
        ("a part of each", TokenUsage { cache_read: M / 4, input_image: M / 4, reasoning: M / 2, ..used(M, M) }, "1.0975"),
        ("nothing but the call", used(0, 0), "0.01"),
        ("a longer input, all of it", TokenUsage { input_image: M, ..used(3 * M, M) }, "2.60"),
    ] {
        assert_eq!(cost(&usage, false), dollars, "{what}");
    }
    for (what, usage, dollars) in [
        ("text", used(M, M), "0.50"),
        ("found in the cache", TokenUsage { cache_read: M, ..used(M, 0) }, "0.025"),
        ("sound, which has no rate of its own there", TokenUsage { input_audio: M, ..used(M, 0) }, "0.10"),
        ("images made", TokenUsage { output_image: M, ..used(0, M) }, "1.50"),
        ("a longer input", used(3 * M, M), "1.20"),
    ] {
        assert_eq!(cost(&usage, true), dollars, "{what}, in a batch");
    }
}

#[test]
fn what_a_table_must_not_say_is_found() {
    let problems =
        |yaml: &str| yaml_serde::from_str::<PricesSpec>(yaml).map(|spec| spec.validate()).map_err(|fault| fault.to_string());
    for (yaml, place) in [
        ("models: [{model: '', input: 1, output: 1}]", "models[0].model"),
        ("models: [{model: 'a*b', input: 1, output: 1}]", "models[0].model"),
        ("models: [{model: a, input: -1, output: 1}]", "models[0].input"),
        ("models: [{model: a, input: 1, output: 2000000}]", "models[0].output"),
        ("models: [{model: a, input: 1, output: 1}, {model: a, input: 2, output: 2}]", "models[1].model"),
        ("models: [{model: a, input: 1, output: 1, batch: {input: 1, output: -1}}]", "models[0].batch.output"),
        (
            "models: [{model: a, input: 1, output: 1, service_tiers: {flex: {input: -1, output: 1}}}]",
            "models[0].service_tiers.flex.input",
        ),
        (
            "models: [{model: a, input: 1, output: 1, service_tiers: {slow: {input: 1, output: 1}}}]",
            "models[0].service_tiers.slow",
        ),
        (
            "models: [{model: a, input: 1, output: 1, tiers: [{above_input: 0, rates: {input: 1, output: 1}}]}]",
            "models[0].tiers[0].above_input",
        ),
    ] {
        let found = problems(yaml).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [place], "{yaml}");
    }
    let after = |before: &str, price: &str| {
        let found = problems(&format!("models: [{{{before}, input: 1, output: 1}}, {{{price}, input: 2, output: 2}}]")).unwrap();
        assert!(found.keys().all(|place| place == "models[1].model"), "{found:?}");
        found.into_values().next()
    };
    let hidden = "it is never reached: `gpt-*` (models[0]) stands before it and matches all that it does; put this one first";
    assert_eq!(after("model: 'gpt-*'", "model: gpt-4o").as_deref(), Some(hidden));
    for (before, price) in [
        ("model: 'gpt-*'", "model: 'gpt-4*'"),
        ("model: '*'", "model: a, provider: azure"),
        ("model: a", "model: a, provider: azure"),
        ("model: 'a*', provider: azure", "model: a, provider: azure"),
    ] {
        assert!(after(before, price).is_some(), "{before} before {price}");
    }
    for (before, price) in [
        ("model: gpt-4o", "model: 'gpt-*'"),
        ("model: 'gpt-4*'", "model: 'gpt-*'"),
        ("model: 'gpt-*'", "model: gpt"),
        ("model: '*', provider: azure", "model: a"),
        ("model: a, provider: azure", "model: a"),
        ("model: a, provider: azure", "model: a, provider: openai"),
    ] {
        assert_eq!(after(before, price), None, "{before} before {price}");
    }
    assert!(problems("models: [{model: a, input: 1}]").unwrap_err().contains("output"), "a price that is left out is not zero");
    assert!(problems("models: [{model: a, input: 1, output: 1, cached: 1}]").unwrap_err().contains("cached"));
    assert!(
        problems("models: [{model: a, input: 1, output: 1, batch: {input: 1, output: 1, cached: 1}}]")
            .unwrap_err()
            .contains("cached")
    );
}

#[test]
fn a_spec_is_stored_as_it_was_written() {
    let yaml = "models: [{model: a, input: 0.15, output: '0.6', cache_read: 0.075, tiers: [{above_input: 5, rates: {input: 1, output: 2}}]}]";
    let spec: PricesSpec = yaml_serde::from_str(yaml).unwrap();
    let stored = serde_json::to_value(&spec).unwrap();
    assert_eq!(stored["models"][0]["input"], "0.15");
    assert_eq!(serde_json::from_value::<PricesSpec>(stored).unwrap(), spec);
}

/// What is set aside for a million tokens of input, in dollars.
#[track_caller]
fn check_aside(what: &str, (kind, model): (ProviderKind, &str), body: &serde_json::Value, dollars: i64, cents: i64) {
    let place = Place { provider: "x", kind, preset: None, model };
    let incurs = Incurs::of(body.to_string().as_bytes());
    let most = Prices::builtin().most(place, &Bound { incurs, ..bound(1_000_000, 0, 1) }).unwrap().cost;
    let exact = Money::from_pico(i128::from(dollars * 100 + cents) * 10_000_000_000);
    assert!(most >= exact && most < exact + Money::from_pico(100), "{what}: {most}");
}

#[test]
fn what_a_request_cannot_be_charged_is_not_set_aside() {
    let said = |part: serde_json::Value| json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
    let text = said(json!({"type": "text", "text": "Hello."}));
    let marked = said(json!({"type": "text", "text": "Hello.", "cache_control": {"type": "ephemeral"}}));
    let hour = said(json!({"type": "text", "text": "Hello.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}));
    let sound = said(json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}));
    let sonnet = (Anthropic, "claude-sonnet-4-5");
    check_aside("plain text", sonnet, &text, 3, 0);
    check_aside("written to the cache", sonnet, &marked, 3, 75);
    check_aside("written to it for an hour", sonnet, &hour, 6, 0);
    check_aside("sound that costs nothing more", sonnet, &sound, 3, 0);
    // OpenAI writes to its cache without being told to.
    check_aside("plain text, a long one", (OpenAi, "gpt-6-luna"), &text, 0, 25);
    check_aside("plain text", (Gemini, "gemini-2.5-flash"), &text, 0, 30);
    check_aside("sound", (Gemini, "gemini-2.5-flash"), &sound, 1, 0);
    let mut quick = text.clone();
    quick["service_tier"] = json!("priority");
    check_aside("plain text, quickly", (OpenAi, "gpt-5"), &quick, 2, 50);
    check_aside("plain text, as usual", (OpenAi, "gpt-5"), &text, 1, 25);
    let tool = json!({"model": "m", "tools": [{"name": "t", "cache_control": {"ttl": "1h"}}]});
    check_aside("a tool that is kept", sonnet, &tool, 6, 0);
}
