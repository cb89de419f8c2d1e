//! Who is spoken to. Nothing is sent there.

use std::sync::LazyLock;

use mainspring_llm::exchange::Dialect;
use mainspring_providers::{Adapter, Endpoint, ProviderKind, UpstreamFault, adapter};

const KEY: &str = "sk-test-0123456789abcdef";
const SECRET: &str = "secret/0123+456789/abcdef";
const TOKEN: &str = "session-0123456789-abcdef";

const PLACES: [(ProviderKind, &str, &str); 11] = [
    (ProviderKind::OpenAi, "https://api.openai.com/v1", "gpt-4.1"),
    (ProviderKind::OpenAi, "https://models.example/v1", "a-model"),
    (ProviderKind::OpenAi, "https://api.deepseek.com", "deepseek-chat"),
    (ProviderKind::OpenAi, "https://api.cohere.ai/compatibility/v1", "rerank-v3.5"),
    (ProviderKind::Azure, "https://name.openai.azure.com", "o4-mini"),
    (ProviderKind::Anthropic, "https://api.anthropic.com", "claude-sonnet-4-5"),
    (ProviderKind::Gemini, "https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-flash"),
    (ProviderKind::Bedrock, "https://bedrock-runtime.us-east-1.amazonaws.com", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (ProviderKind::Bedrock, "https://bedrock-runtime.us-east-1.amazonaws.com", "amazon.nova-2-lite-v1:0"),
    (ProviderKind::Bedrock, "https://bedrock-runtime.us-east-1.amazonaws.com", "cohere.embed-v4:0"),
    (ProviderKind::Bedrock, "https://bedrock-runtime.us-east-1.amazonaws.com", "amazon.titan-embed-text-v2:0"),
];

static ALL: LazyLock<Vec<Place>> = LazyLock::new(|| PLACES.into_iter().map(Place::of).collect());

#[derive(Debug)]
pub struct Place {
    pub adapter: &'static dyn Adapter,
    pub endpoint: Endpoint,
}

impl Place {
    fn of((kind, base_url, model): (ProviderKind, &str, &str)) -> Self {
        let endpoint = Endpoint {
            credential: Some(KEY.into()),
            secret_key: Some(SECRET.into()),
            session_token: Some(TOKEN.into()),
            region: Some("us-east-1".to_owned()),
            ..Endpoint::new("main".parse().expect("a name"), kind, base_url, model)
        };
        Self { adapter: adapter(kind).expect("a kind with servers"), endpoint }
    }

    #[must_use]
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// One of them, whatever the number.
    #[must_use]
    pub fn numbered(number: u8) -> &'static Self {
        &ALL[usize::from(number) % ALL.len()]
    }

    /// The first of a dialect.
    #[must_use]
    pub fn speaking(dialect: Dialect) -> &'static Self {
        ALL.iter().find(|place| place.adapter.dialect() == dialect).expect("a place for each dialect")
    }

    /// A fault tells no part of the credential.
    #[track_caller]
    pub fn keeps_secrets(&self, fault: &UpstreamFault) {
        let told = format!("{fault} {fault:?}");
        let quoted = [KEY, SECRET, TOKEN].into_iter().find(|secret| told.contains(secret));
        assert_eq!(quoted, None, "{told}");
        assert!(fault.body.as_ref().is_none_or(|body| !self.endpoint.is_quoted(body)), "{told}");
    }
}
