//! What a provider's spec has to keep to. Messages never repeat a value that could hold a key.

use http::{HeaderName, HeaderValue};
use mainspring_kernel::Fault as _;
use mainspring_registry::{SpecFault, SpecProblem};
use url::Url;

use super::{ProviderKind, ProviderSpec};
use crate::credential::{CredentialRef, is_key};

/// Headers that prove who is asking: the credential brings them.
const OF_CREDENTIALS: &[&str] =
    &["authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token", "cookie"];

/// Words in the name of a header whose value is likely a secret.
const OF_SECRETS: &[&str] = &[
    "apikey",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "key",
    "passwd",
    "password",
    "secret",
    "token",
];

/// Headers that belong to the connection: whoever sends the request writes them.
const OF_CONNECTIONS: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
];

#[derive(Default)]
struct Problems(Vec<SpecProblem>);

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(SpecProblem { path: path.into(), message: message.into(), unknown_field: false });
    }
}

impl ProviderSpec {
    /// Everything that is wrong with it, by place.
    pub fn validate(&self) -> Result<(), SpecFault> {
        let mut problems = Problems::default();
        self.kind_fits(&mut problems);
        if let Some(address) = &self.base_url
            && let Err(message) = check_address(address)
        {
            problems.add("base_url", message);
        }
        for (name, value) in &self.headers {
            if let Err(message) = self.check_header(name, value) {
                problems.add(format!("headers.{name}"), message);
            }
        }
        self.check_rest(&mut problems);
        if problems.0.is_empty() { Ok(()) } else { Err(SpecFault { problems: problems.0 }) }
    }

    fn kind_fits(&self, problems: &mut Problems) {
        let kind = self.kind;
        let remote = kind != ProviderKind::Local;
        let bedrock = kind == ProviderKind::Bedrock;
        let given = [
            ("preset", self.preset.is_some(), kind == ProviderKind::OpenAi, "`openai`"),
            ("responses", self.responses.is_some(), kind == ProviderKind::OpenAi, "`openai`"),
            ("base_url", self.base_url.is_some(), remote, "servers"),
            ("credential", self.credential.is_some(), remote, "servers"),
            ("headers", !self.headers.is_empty(), remote, "servers"),
            ("secret_key", self.secret_key.is_some(), bedrock, "`bedrock`"),
            ("session_token", self.session_token.is_some(), bedrock, "`bedrock`"),
            ("region", self.region.is_some(), bedrock, "`bedrock`"),
        ];
        for (field, is_given, fits, whose) in given {
            if is_given && !fits {
                problems.add(field, format!("is for {whose} only, not for the type `{}`", kind.as_str()));
            }
        }
        match kind {
            ProviderKind::Azure if self.base_url.is_none() => {
                problems.add("base_url", "Azure has no common address: write `https://NAME.openai.azure.com`");
            }
            ProviderKind::Bedrock if self.region.is_none() => {
                problems.add("region", "Bedrock needs a region, such as `eu-central-1`")
            }
            _ => {}
        }
        if bedrock && self.secret_key.is_some() && self.credential.is_none() {
            problems.add("credential", "is missing: a secret access key needs its access key id");
        }
        if bedrock && self.session_token.is_some() && self.secret_key.is_none() {
            problems.add("secret_key", "is missing: a session token needs its secret access key");
        }
    }

    fn check_header(&self, name: &str, value: &str) -> Result<(), String> {
        let lower = name.to_ascii_lowercase();
        if OF_CONNECTIONS.contains(&lower.as_str()) {
            return Err("belongs to the connection and cannot be set".to_owned());
        }
        match CredentialRef::of_value(value) {
            _ if HeaderName::from_bytes(name.as_bytes()).is_err() => Err("is not the name of a header".to_owned()),
            Some(Ok(_)) => Ok(()),
            Some(Err(fault)) => Err(format!("{fault}: {}", fault.hint().unwrap_or_default())),
            None => self.check_value(&lower, value).map_err(str::to_owned),
        }
    }

    /// A value that stands in the spec itself.
    fn check_value(&self, name: &str, value: &str) -> Result<(), &'static str> {
        // Says only that the credential goes where other servers have it; Anthropic's own adapter reads it.
        let scheme_alone = name == "authorization" && value.trim().eq_ignore_ascii_case("bearer");
        if scheme_alone && self.kind == ProviderKind::Anthropic {
            return Ok(());
        }
        if OF_CREDENTIALS.contains(&name) {
            return Err(
                "carries a credential, and specs are shown to everyone in the project: use `credential`, or write where the value \
                 lies, as `env:NAME`, `secret:name` or `file:/path`",
            );
        }
        if name.split(['-', '_']).any(|word| OF_SECRETS.contains(&word)) {
            return Err(
                "likely carries a secret by its name, and specs are shown to everyone in the project: write where the value lies, \
                 as `env:NAME`, `secret:name` or `file:/path`",
            );
        }
        if HeaderValue::from_str(value).is_err() {
            return Err("has a value that no header can carry");
        }
        if is_key(value.trim()) {
            return Err("looks like a key, and specs are shown to everyone in the project: write where it lies, as `env:NAME`, \
                 `secret:name` or `file:/path`");
        }
        Ok(())
    }

    fn check_rest(&self, problems: &mut Problems) {
        // Both become part of an address.
        if let Some(region) = &self.region
            && !is_word(region, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        {
            problems.add("region", "is not a region: write it as `eu-central-1`");
        }
        if let Some(version) = &self.api_version
            && !is_word(version, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        {
            problems.add("api_version", "is not a version: write it as `2024-10-21`");
        }
        for (at, model) in self.models.iter().flatten().enumerate() {
            if model.trim().is_empty() {
                problems.add(format!("models[{at}]"), "is empty");
            }
        }
        for (field, number) in [("default_max_tokens", self.default_max_tokens), ("max_concurrent", self.max_concurrent)] {
            if number == Some(0) {
                problems.add(field, "must be at least 1");
            }
        }
    }
}

fn is_word(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(fits)
}

fn check_address(address: &str) -> Result<(), &'static str> {
    let Ok(url) = Url::parse(address) else {
        return Err("is not an address: write it as `https://api.example.com/v1`");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with `https://` or `http://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or password in it, and specs are shown to everyone in the project: use `credential`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("ends with its path: paths of requests are added to it");
    }
    // `Url` mends what the client would refuse, such as spaces.
    if address.parse::<http::Uri>().is_err() || url.host_str().is_none_or(str::is_empty) {
        return Err("is not an address: write it as `https://api.example.com/v1`");
    }
    Ok(())
}
