use mainspring_providers::{Preset, ProviderKind};
use serde_json::json;

use crate::{
    costs::for_a_million,
    draft::{class, weights},
    known::Known,
    names,
};

#[test]
fn a_name_becomes_the_nearest_that_is_allowed() {
    for (given, slug) in [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o (EU)", "gpt-4o-eu"),
        ("openai/gpt-4o", "openai-gpt-4o"),
        ("__x..", "x"),
        ("Köln", "k-ln"),
        ("日本", ""),
        ("a//b", "a-b"),
        ("qwen_3.5", "qwen_3.5"),
    ] {
        assert_eq!(names::slug(given), slug, "{given}");
    }
    let free = |text: &str, taken: &[&str]| names::free(text, "x", |name| taken.contains(&name.as_str())).unwrap().to_string();
    assert_eq!((free("a", &[]), free("a", &["a"]), free("a", &["a", "a-2"])), ("a".into(), "a-2".into(), "a-3".into()));
    assert_eq!(free("日本", &["x"]), "x-2");
    let long = "n".repeat(200);
    assert_eq!((free(&long, &[]).len(), free(&long, &[&long[..63]]).len()), (63, 63));
}

#[test]
fn a_variable_has_the_letters_that_variables_have() {
    for (given, name) in [
        ("openai-prod", "OPENAI_PROD"),
        ("OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("3f-x", "KEY_3F_X"),
        ("ü", "KEY_"),
        ("a..b", "A_B"),
    ] {
        assert_eq!(names::variable(given), name, "{given}");
    }
}

#[test]
fn providers_are_known_by_the_words_of_every_gateway() {
    for (word, kind) in [
        ("openai", ProviderKind::OpenAi),
        ("together_ai", ProviderKind::OpenAi),
        ("together-ai", ProviderKind::OpenAi),
        ("@azure-openai", ProviderKind::Azure),
        ("google_ai_studio_gemini", ProviderKind::Gemini),
        ("aws_bedrock", ProviderKind::Bedrock),
        ("anthropic", ProviderKind::Anthropic),
        ("hyperbolic", ProviderKind::OpenAi),
    ] {
        assert_eq!(Known::of(word).map(Known::kind), Some(kind), "{word}");
    }
    for word in ["vertex_ai", "gcp_vertex_gemini", "sagemaker", "", "azure_ai", "replicate"] {
        assert!(Known::of(word).is_none(), "{word}");
    }
    let spec = Known::of("groq").unwrap().spec(None);
    assert_eq!((spec.preset, spec.base_url), (Some(Preset::Groq), None));
    let spec = Known::of("groq").unwrap().spec(Some("https://api.groq.com/openai/v1/".into()));
    assert_eq!((spec.preset, spec.base_url), (Some(Preset::Groq), None));
    let spec = Known::of("vllm").unwrap().spec(Some("http://gpu-7:8000/v1/".into()));
    assert_eq!((spec.preset, spec.base_url.as_deref()), (Some(Preset::Vllm), Some("http://gpu-7:8000/v1")));
    let spec = Known::of("openai").unwrap().spec(Some("http://gpu-7:8000/v1".into()));
    assert_eq!((spec.preset, spec.base_url.as_deref()), (None, Some("http://gpu-7:8000/v1")));
    assert!(Known::of("hyperbolic").unwrap().spec(None).validate().is_ok());
}

#[test]
fn a_price_of_a_token_is_moved_and_not_rounded() {
    for (given, dollars) in [
        (json!(0.000_002_5), "2.50"),
        (json!(1e-5), "10.00"),
        (json!(3.75e-8), "0.0375"),
        (json!("1.5e-7"), "0.15"),
        (json!("0.00000015"), "0.15"),
        (json!(0), "0.00"),
    ] {
        assert_eq!(for_a_million(&given).map(|money| money.to_string()).as_deref(), Some(dollars), "{given}");
    }
    for given in [json!("much"), json!(null), json!([1]), json!("1e"), json!("")] {
        assert!(for_a_million(&given).is_none(), "{given}");
    }
}

#[test]
fn shares_keep_their_proportion() {
    for (shares, expected) in [
        (vec![0.7, 0.3], vec![7, 3]),
        (vec![0.9, 0.1], vec![9, 1]),
        (vec![600.0, 300.0], vec![600, 300]),
        (vec![0.0, 0.0], vec![1, 1]),
        (vec![1.0, 0.0], vec![1, 0]),
        (vec![], vec![]),
        (vec![1.0 / 3.0, 2.0 / 3.0], vec![1, 2]),
        (vec![0.501_234, 0.25], vec![1_000_000, 498_769]),
    ] {
        assert_eq!(weights(&shares), expected, "{shares:?}");
    }
    let huge = weights(&[1e12, 1.0, f64::NAN, -3.0]);
    assert_eq!((huge.len(), huge[0]), (4, 1));
}

#[test]
fn every_status_that_is_a_fault_has_a_class() {
    for status in 400..600 {
        let found = class(status).is_some();
        assert!(found || (405..500).contains(&status), "{status}");
    }
    assert!(class(200).is_none() && class(302).is_none());
}
