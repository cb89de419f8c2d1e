//! The only way out: an HTTP client that resolves names itself and refuses addresses of the inside,
//! also after a redirect and when a name answers differently the second time.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use mainspring_kernel::{
    Timestamp,
    net::{is_metadata, is_public},
};
use reqwest::{
    StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use url::{Host, Url};

use super::SourceFault;

/// Where the server may connect to on behalf of a spec.
#[derive(Debug, Clone)]
pub struct EgressPolicy {
    /// Allows loopback, private and link-local addresses.
    pub allow_private: bool,
    /// Host names that may resolve to such addresses all the same.
    pub allow_hosts: Vec<String>,
    pub max_redirects: usize,
    pub connect_deadline: Duration,
    /// For one request with its body.
    pub deadline: Duration,
    pub user_agent: String,
}

impl Default for EgressPolicy {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow_hosts: Vec::new(),
            max_redirects: 5,
            connect_deadline: Duration::from_secs(10),
            deadline: Duration::from_secs(60),
            user_agent: concat!("mainspring/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl EgressPolicy {
    fn allows_host(&self, host: &str) -> bool {
        self.allow_private || self.allow_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// Where a cloud hands out the credentials of its machines no document lies, whatever else is allowed.
    fn allows(&self, host: &str, address: IpAddr) -> bool {
        !is_metadata(address) && (is_public(address) || self.allows_host(host))
    }

    /// What a URL says by itself; names are judged when they are resolved.
    fn judge(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::Scheme(url.scheme().to_owned()));
        }
        let address = match url.host() {
            None => return Err(Refused::NoHost),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        let host = url.host_str().unwrap_or_default();
        if self.allows(host, address) { Ok(()) } else { Err(Refused::Inside(host.to_owned())) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("`{0}` addresses are not fetched")]
    Scheme(String),
    #[error("the address names no host")]
    NoHost,
    #[error("`{0}` is an address of the inside: loopback, private, link-local, multicast or reserved")]
    Inside(String),
    #[error("more redirects than {0}")]
    Redirects(usize),
}

/// Resolves names and hands on only addresses the policy allows; the connection goes to just these.
#[derive(Debug, Clone)]
struct Resolver(Arc<EgressPolicy>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let addresses = allowed_addresses(&policy, name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

async fn allowed_addresses(
    policy: &EgressPolicy,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let all = tokio::net::lookup_host((host, port)).await?;
    let allowed: Vec<SocketAddr> = all.filter(|address| policy.allows(host, address.ip())).collect();
    if allowed.is_empty() { Err(Box::new(Refused::Inside(host.to_owned()))) } else { Ok(allowed) }
}

/// What a server said of a document, to ask with the next time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

#[derive(Debug)]
pub(super) enum Answer {
    NotModified,
    Body { bytes: Bytes, media_type: Option<String>, validators: Validators, url: Url },
}

/// A client bound to the policy. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Egress {
    client: reqwest::Client,
    policy: Arc<EgressPolicy>,
}

impl Egress {
    pub fn new(policy: EgressPolicy) -> Result<Self, SourceFault> {
        // Another part of the process may have chosen a provider already; either is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(policy);
        let judge = policy.clone();
        let redirects = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > judge.max_redirects {
                return attempt.error(Refused::Redirects(judge.max_redirects));
            }
            match judge.judge(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(refused) => attempt.error(refused),
            }
        });
        let client = reqwest::Client::builder()
            .dns_resolver(Resolver(policy.clone()))
            .redirect(redirects)
            // A proxy from the environment would connect on our behalf, past the policy.
            .no_proxy()
            .referer(false)
            .connect_timeout(policy.connect_deadline)
            .timeout(policy.deadline)
            .user_agent(policy.user_agent.clone())
            .build()
            .map_err(|fault| SourceFault::Unusable { place: "http client".into(), reason: fault.to_string() })?;
        Ok(Self { client, policy })
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub(super) fn judge(&self, url: &Url) -> Result<(), SourceFault> {
        self.policy.judge(url).map_err(|refused| denied(url, &refused))
    }

    /// The addresses a name may be connected at, for programs that do not use this client.
    pub(super) async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>, SourceFault> {
        self.judge(url)?;
        let port = url.port_or_known_default().unwrap_or(443);
        match url.host() {
            Some(Host::Domain(name)) => {
                allowed_addresses(&self.policy, name, port).await.map_err(|fault| match fault.downcast_ref::<Refused>() {
                    Some(refused) => denied(url, refused),
                    None => SourceFault::Unreachable { place: place(url), reason: fault.to_string() },
                })
            }
            Some(Host::Ipv4(address)) => Ok(vec![(address, port).into()]),
            Some(Host::Ipv6(address)) => Ok(vec![(address, port).into()]),
            None => Err(denied(url, &Refused::NoHost)),
        }
    }

    pub(super) async fn get(&self, url: &Url, known: &Validators, limit: u64) -> Result<Answer, SourceFault> {
        self.judge(url)?;
        let mut headers = HeaderMap::new();
        let mut condition = |name, value: &Option<String>| {
            if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        };
        condition(header::IF_NONE_MATCH, &known.etag);
        condition(header::IF_MODIFIED_SINCE, &known.last_modified);
        let answer = self.client.get(url.clone()).headers(headers).send().await;
        let answer = answer.map_err(|fault| self.explain(url, &fault))?;
        // Without a condition there is nothing it could be unchanged from: such an answer is a fault of the server.
        let conditional = known.etag.is_some() || known.last_modified.is_some();
        if conditional && answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(Answer::NotModified);
        }
        is_not_busy(url, answer.status(), answer.headers())?;
        status_is_fine(url, answer.status())?;
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let validators = Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) };
        let (media_type, reached) = (text(header::CONTENT_TYPE), answer.url().clone());
        let too_large = || SourceFault::TooLarge { place: place(url), limit };
        if answer.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        let mut body = answer.bytes_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|fault| self.explain(url, &fault))?;
            // Counted after decompression, so a small body that swells is caught.
            if bytes.len() as u64 + chunk.len() as u64 > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Answer::Body { bytes: bytes.freeze(), media_type, validators, url: reached })
    }

    fn explain(&self, url: &Url, fault: &reqwest::Error) -> SourceFault {
        let mut cause: Option<&(dyn Error + 'static)> = Some(fault);
        let mut reason = String::new();
        while let Some(error) = cause {
            if let Some(refused) = error.downcast_ref::<Refused>() {
                return denied(url, refused);
            }
            reason = error.to_string();
            cause = error.source();
        }
        if fault.is_timeout() {
            return SourceFault::Timeout { place: place(url), limit: self.policy.deadline };
        }
        SourceFault::Unreachable { place: place(url), reason }
    }
}

/// A host that is down for good says 503, too: it is busy when it says for how long.
fn is_not_busy(url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<(), SourceFault> {
    let says_when = headers.contains_key(header::RETRY_AFTER);
    let is_busy = status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::SERVICE_UNAVAILABLE && says_when);
    if is_busy { Err(SourceFault::Busy { place: place(url), after: retry_after(headers) }) } else { Ok(()) }
}

/// Seconds, or a date: how long that is after the server's own `Date`, since its clock and ours need not agree.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let said = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (then, now) = (Timestamp::parse_header(said)?, Timestamp::parse_header(text(header::DATE)?)?);
    Some(then.since(now))
}

fn status_is_fine(url: &Url, status: StatusCode) -> Result<(), SourceFault> {
    let place = place(url);
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(SourceFault::Missing { place }),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(SourceFault::Unauthorized { place })
        }
        status if status.is_success() => Ok(()),
        status => Err(SourceFault::Unreachable { place, reason: format!("it answered {status}") }),
    }
}

fn denied(url: &Url, refused: &Refused) -> SourceFault {
    SourceFault::Denied { place: place(url), reason: refused.to_string() }
}

/// An address fit for messages: without user, password and query.
pub(super) fn place(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    mainspring_kernel::text::elide(url.as_str(), 200)
}
