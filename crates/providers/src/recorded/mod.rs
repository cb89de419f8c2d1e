//! Traffic with real providers, recorded by others, against our translators.
//!
//! `said.rs` and `folded.rs` read the recordings without any of our code: what they find is what ours must find. What is
//! lost is not hidden in exceptions: `answers.txt` and `requests.txt` list it, with how often.

mod answers;
mod folded;
mod mutated;
mod paired;
mod refused;
mod requests;
mod said;
mod sent;
mod streams;
mod table;
mod usages;

use std::sync::LazyLock;

use mainspring_testservers::recordings::{Api, PACKAGES, Package, Recording};
use serde_json::Value;

use crate::{
    seam::{Adapter, Endpoint, Operation, adapter},
    spec::ProviderKind,
};

static ALL: LazyLock<Vec<Recording>> = LazyLock::new(|| {
    let read = |package: &Package| package.recordings().unwrap_or_else(|fault| panic!("{fault}"));
    PACKAGES.iter().flat_map(read).collect()
});

/// How many answers each package holds at least, whole and streamed. A package that lost its recordings is not passed over.
const HELD: &[(&str, Api, usize, usize)] = &[
    ("chatlas", Api::Chat, 18, 88),
    ("chatlas", Api::Responses, 97, 77),
    ("chatlas", Api::Messages, 5, 56),
    ("chatlas", Api::Gemini, 3, 40),
    ("langchain-anthropic", Api::Messages, 42, 20),
    ("opentelemetry-instrumentation-anthropic", Api::Messages, 44, 37),
    ("opentelemetry-instrumentation-bedrock", Api::Converse, 14, 12),
    ("opentelemetry-instrumentation-botocore", Api::Converse, 10, 14),
    ("opentelemetry-instrumentation-google-genai", Api::Gemini, 15, 0),
    ("opentelemetry-instrumentation-google-genai", Api::GeminiEmbeddings, 2, 0),
    ("opentelemetry-instrumentation-openai", Api::Chat, 231, 81),
    ("opentelemetry-instrumentation-openai", Api::Completions, 42, 19),
    ("opentelemetry-instrumentation-openai", Api::Embeddings, 42, 0),
    ("opentelemetry-instrumentation-openai", Api::Responses, 20, 14),
    ("opentelemetry-instrumentation-openai-v2", Api::Chat, 24, 13),
    ("opentelemetry-instrumentation-openai-v2", Api::Embeddings, 13, 0),
];

#[test]
fn every_package_holds_its_recordings() {
    for (package, api, whole, streamed) in HELD {
        let of = |streams: bool| {
            let ours = |one: &&Recording| one.package == *package && one.api == *api && one.is_streamed() == streams;
            answered().filter(ours).count()
        };
        assert!(of(false) >= *whole && of(true) >= *streamed, "{package} {api:?}: {} whole, {} streamed", of(false), of(true));
    }
    for package in PACKAGES {
        assert!(HELD.iter().any(|(held, ..)| *held == package.name), "{}", package.name);
    }
}

/// Recordings in which the provider answered.
fn answered() -> impl Iterator<Item = &'static Recording> {
    ALL.iter().filter(|one| !is_refused(one))
}

/// Azure says some of its refusals with the status 200.
fn is_refused(recording: &Recording) -> bool {
    let says_error = || !recording.is_streamed() && json(&recording.response).get("error").is_some_and(|error| !error.is_null());
    recording.status != 200 || says_error()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// Checks every one and tells of all that failed.
#[track_caller]
fn check_each<'a>(recordings: impl Iterator<Item = &'a Recording>, check: impl Fn(&Recording) -> Result<(), String>) {
    let (mut seen, mut wrong) = (0, Vec::new());
    for one in recordings {
        seen += 1;
        if let Err(why) = check(one) {
            wrong.push(format!("{} {} ({:?}): {why}", one.package, one.file, one.api));
        }
    }
    assert!(seen > 0, "nothing was checked");
    let shown = wrong.iter().take(12).map(String::as_str).collect::<Vec<_>>().join("\n\n");
    assert!(wrong.is_empty(), "{} of {seen}:\n{shown}", wrong.len());
}

/// Equal, or both as text.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: &T, theirs: &T) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what}\n  ours:   {ours:?}\n  theirs: {theirs:?}")) }
}

/// The provider of a recording, as a spec of it would be.
fn endpoint(recording: &Recording) -> Endpoint {
    let address = recording.uri.split('?').next().unwrap_or_default();
    let host = address.split('/').nth(2).unwrap_or_default();
    let azure = host.ends_with(".openai.azure.com") || host.ends_with(".cognitiveservices.azure.com");
    let kind = match recording.api {
        Api::Messages => ProviderKind::Anthropic,
        Api::Gemini | Api::GeminiEmbeddings => ProviderKind::Gemini,
        Api::Converse => ProviderKind::Bedrock,
        _ if azure => ProviderKind::Azure,
        _ => ProviderKind::OpenAi,
    };
    let ends = ["/chat/completions", "/completions", "/responses", "/embeddings", "/messages"];
    let base = ends.iter().find_map(|end| address.strip_suffix(*end)).unwrap_or(address);
    let named = || {
        let (_, rest) = address.split_once("/models/").or_else(|| address.split_once("/model/"))?;
        Some(rest.split(['/', ':']).next()?.replace("%3A", ":"))
    };
    let asked = serde_json::from_str::<Value>(&recording.request).unwrap_or_default();
    let model = asked["model"].as_str().map(str::to_owned).or_else(named).unwrap_or_default();
    Endpoint { region: Some("us-east-1".to_owned()), ..Endpoint::new("recorded".parse().unwrap(), kind, base, model) }
}

fn adapter_of(endpoint: &Endpoint) -> &'static dyn Adapter {
    adapter(endpoint.kind).unwrap()
}

const fn operation(api: Api) -> Operation {
    match api {
        Api::Chat | Api::Gemini | Api::Converse => Operation::Chat,
        Api::Completions => Operation::Completions,
        Api::Responses => Operation::Responses,
        Api::Embeddings | Api::GeminiEmbeddings => Operation::Embeddings,
        Api::Messages => Operation::Messages,
    }
}

/// Whether answers of it are decoded here; others only pass through.
const fn is_decoded(api: Api) -> bool {
    matches!(api, Api::Chat | Api::Messages | Api::Gemini | Api::Converse)
}
