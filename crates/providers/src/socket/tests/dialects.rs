//! Every adapter over the socket, against a server that speaks its dialect.

use mainspring_kernel::Timestamp;
use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Call, Dialect, Event, Finish, Part, Role, Turn},
};
use mainspring_testservers::upstream::{Behaviour, Script, Upstream, Used};

use super::{ENOUGH, KEY, endpoint, patient, socket};
use crate::{Adapter, Endpoint, FaultClass, Incoming, ProviderKind, UpstreamFault, adapter};

const KINDS: [(ProviderKind, &str); 5] = [
    (ProviderKind::OpenAi, "/v1"),
    (ProviderKind::Azure, ""),
    (ProviderKind::Anthropic, "/v1"),
    (ProviderKind::Gemini, "/v1beta"),
    (ProviderKind::Bedrock, ""),
];

fn there(upstream: &Upstream, kind: ProviderKind, path: &str) -> (Endpoint, &'static dyn Adapter) {
    let mut endpoint = endpoint(&format!("{}{path}", upstream.url()));
    endpoint.kind = kind;
    endpoint.secret_key = (kind == ProviderKind::Bedrock).then(|| KEY.into());
    endpoint.region = (kind == ProviderKind::Bedrock).then(|| "eu-central-1".into());
    endpoint.default_max_tokens = Some(100);
    (endpoint, adapter(kind).unwrap())
}

async fn ask(endpoint: &Endpoint, adapter: &dyn Adapter, stream: bool) -> Result<Incoming, UpstreamFault> {
    let mut call = Call::new("m", Dialect::OpenAiChat);
    call.turns.push(Turn::text(Role::User, "How are you?"));
    call.stream = stream;
    let mut outgoing = adapter.encode(endpoint, &call)?.outgoing;
    adapter.authorize(endpoint, &mut outgoing, Timestamp::from_micros(1_700_000_000_000_000))?;
    socket().send(endpoint, outgoing, patient()).await
}

async fn streamed(endpoint: &Endpoint, adapter: &dyn Adapter) -> Result<Vec<Event>, UpstreamFault> {
    let mut incoming = ask(endpoint, adapter, true).await?;
    let (mut reader, mut events) = (adapter.events(endpoint), Vec::new());
    while let Some(chunk) = incoming.next_chunk().await? {
        reader.push(&chunk, &mut events)?;
    }
    reader.end(&mut events)?;
    Ok(events)
}

async fn whole(endpoint: &Endpoint, adapter: &dyn Adapter) -> Result<Answer, UpstreamFault> {
    let mut incoming = ask(endpoint, adapter, false).await?;
    adapter.decode(endpoint, &incoming.whole(ENOUGH).await?)
}

fn numbers(usage: &TokenUsage) -> (u64, u64, u64) {
    (usage.input, usage.output, usage.cache_read)
}

#[tokio::test]
async fn every_kind_is_understood_whole_and_streamed() {
    let used = Used { input: 20, output: 9, cache_read: 4, ..Used::default() };
    let upstream = Upstream::start(Script::always(Behaviour { usage: Some(used), ..Behaviour::saying("I am well.") })).unwrap();
    for (kind, path) in KINDS {
        let (endpoint, adapter) = there(&upstream, kind, path);
        let answer = whole(&endpoint, adapter).await.unwrap();
        assert_eq!(answer.choices[0].parts, [Part::text("I am well.")], "{kind:?}");
        assert_eq!(answer.choices[0].finish, Finish::Stop);
        assert_eq!(numbers(&answer.usage.unwrap()), (20, 9, 4), "{kind:?}");

        let (mut text, mut usage) = (String::new(), TokenUsage::default());
        let events = streamed(&endpoint, adapter).await.unwrap();
        for event in &events {
            match event {
                Event::Text { text: more, .. } => text.push_str(more),
                Event::Usage(later) => usage.merge(later),
                _ => {}
            }
        }
        assert_eq!((text.as_str(), numbers(&usage)), ("I am well.", (20, 9, 4)), "{kind:?}");
        assert!(
            matches!(events.first(), Some(Event::Began { .. })) && events.last() == Some(&Event::Ended),
            "{kind:?}: {events:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_ends_too_early_is_a_reset_and_garbage_is_malformed() {
    let upstream = Upstream::start(Script::default()).unwrap();
    for (kind, path) in KINDS {
        // Dialects have words of their own for a provider that gives up within a stream.
        let gave_up = match kind {
            ProviderKind::OpenAi | ProviderKind::Azure => FaultClass::Server,
            ProviderKind::Bedrock => FaultClass::RateLimited,
            _ => FaultClass::Overloaded,
        };
        for (behaviour, class) in [
            ("end=2", FaultClass::Reset),
            ("close=2", FaultClass::Reset),
            ("reset=2", FaultClass::Reset),
            ("malformed=1", FaultClass::Malformed),
            ("error=1", gave_up),
        ] {
            let (mut endpoint, adapter) = there(&upstream, kind, path);
            endpoint.base_url = format!("{}/do/{behaviour}{path}", upstream.url());
            let fault = streamed(&endpoint, adapter).await.unwrap_err();
            assert_eq!(fault.class, class, "{kind:?} {behaviour}: {}", fault.message);
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_malformed_and_a_refusal_is_sorted() {
    let upstream = Upstream::start(Script::default()).unwrap();
    for (kind, path) in KINDS {
        for behaviour in ["wrong-json", "not-json", "malformed=1"] {
            let (mut endpoint, adapter) = there(&upstream, kind, path);
            endpoint.base_url = format!("{}/do/{behaviour}{path}", upstream.url());
            let fault = whole(&endpoint, adapter).await.unwrap_err();
            assert_eq!(fault.class, FaultClass::Malformed, "{kind:?} {behaviour}: {}", fault.message);
        }
        for (status, class) in [
            (401, FaultClass::Auth),
            (403, FaultClass::Auth),
            (404, FaultClass::NotFound),
            (413, FaultClass::TooLarge),
            (429, FaultClass::RateLimited),
            (500, FaultClass::Server),
            (503, FaultClass::Overloaded),
        ] {
            let (mut endpoint, adapter) = there(&upstream, kind, path);
            endpoint.base_url = format!("{}/do/status={status},retry-after=3{path}", upstream.url());
            let mut incoming = ask(&endpoint, adapter, false).await.unwrap();
            let body = incoming.whole(ENOUGH).await.unwrap();
            let fault = adapter.refusal(&endpoint, incoming.status, &incoming.headers, &body);
            assert_eq!((fault.class, fault.status), (class, Some(status)), "{kind:?}: {}", fault.message);
        }
    }
}
