//! Who is asking. Every route is behind this layer; forgetting it is not possible per route.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, Method, header, request::Parts};
use mainspring_kernel::{Actor, FaultKind, ModelScope, Role, text};
use secrecy::SecretString;

use crate::{
    conventions,
    problem::{Answer, Problem},
};

/// Names the project of a request; without it, it is the caller's own.
pub const PROJECT: HeaderName = HeaderName::from_static("x-mainspring-project");

/// Turns a key into an actor. `server` implements it over the identity room.
#[async_trait]
pub trait Authenticate: Send + Sync + std::fmt::Debug + 'static {
    async fn authenticate(&self, key: &SecretString) -> Result<Actor, Problem>;
    /// Whether the process serves this machine only, and takes callers without a key.
    fn keyless(&self) -> bool;
    /// Who such a caller is now, if anybody.
    async fn local(&self) -> Answer<Option<Actor>>;
    /// The same caller in the project they name, if they may be there.
    async fn enter(&self, actor: &Actor, project: &str) -> Result<Actor, Problem>;
}

#[derive(Debug, Clone)]
pub struct Access {
    pub authenticate: Arc<dyn Authenticate>,
    /// Names this server answers to beside loopback ones.
    pub allowed_hosts: Arc<[String]>,
    /// Paths whose answer may depend on who asks; at others nobody is looked for.
    pub wants_caller: fn(&str) -> bool,
}

/// The actor of a request, in its project.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

/// Why it is not known who asks, for those who want to know.
#[derive(Debug, Clone)]
struct Unknown(Problem);

/// The actor of a request in the project they are of, whichever one the request names.
#[derive(Debug, Clone)]
pub struct Home(pub Actor);

impl Caller {
    /// The actor, if its role suffices.
    pub fn needs(&self, role: Role) -> Answer<&Actor> {
        if self.0.may(role) {
            return Ok(&self.0);
        }
        Err(Problem::new(
            FaultKind::Forbidden,
            "role-too-low",
            format!("this needs the role {role}; the key has {}", self.0.role),
        )
        .with_hint("ask a project admin for a key with that role"))
    }
}

/// Whether the actor's key may name this as `model`. The refusal is the same whether or not there is such a model.
pub fn may_name(actor: &Actor, model: &str) -> Answer<()> {
    if actor.models.allows(model) {
        return Ok(());
    }
    let detail = format!("this key may not use the model `{}`", text::elide(model, 80));
    Err(Problem::new(FaultKind::Forbidden, "model-not-allowed", detail).with_hint("`GET /v1/models` lists those it may use"))
}

/// For what runs models that its request does not name.
pub fn may_name_any(actor: &Actor) -> Answer<()> {
    if actor.models == ModelScope::All {
        return Ok(());
    }
    let detail = "this runs models as they were named before, and this key may use some models only";
    Err(Problem::new(FaultKind::Forbidden, "model-not-allowed", detail).with_hint("use a key without a list of models"))
}

fn key_required() -> Problem {
    Problem::new(FaultKind::Unauthenticated, "key-required", "this needs an API key")
        .with_hint("send `Authorization: Bearer <key>`; `mainspring keys create` makes one")
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| nobody(parts))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Home {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| nobody(parts))
    }
}

fn nobody(parts: &Parts) -> Problem {
    parts.extensions.get::<Unknown>().map_or_else(key_required, |Unknown(problem)| problem.clone())
}

/// The layer that finds the caller. A bad key is refused here; a missing one only where a `Caller` is asked for,
/// so that health checks and the page's files need none.
pub async fn authenticate(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let caller = match credential(&access, &request) {
        Ok(Credential::Key(key)) => access.authenticate.authenticate(&key).await.map(Some),
        Ok(Credential::Local) if !(access.wants_caller)(request.uri().path()) => Ok(None),
        Ok(Credential::Local) => match access.authenticate.local().await {
            Ok(Some(local)) => Ok(Some(local)),
            // Removed, and so like anybody else who has no key.
            Ok(None) => key(request.headers()).map(|_| None),
            Err(problem) => {
                request.extensions_mut().insert(Unknown(problem));
                Ok(None)
            }
        },
        Ok(Credential::Nobody) => Ok(None),
        Err(problem) => Err(problem),
    };
    match caller {
        Ok(Some(home)) => match enter(&access, &home, request.headers()).await {
            Ok(actor) => {
                request.extensions_mut().insert(Caller(actor));
                request.extensions_mut().insert(Home(home));
                next.run(request).await
            }
            Err(problem) => problem.into_response(),
        },
        Ok(None) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn enter(access: &Access, home: &Actor, headers: &HeaderMap) -> Answer<Actor> {
    match headers.get(PROJECT) {
        None => Ok(home.clone()),
        Some(name) => access.authenticate.enter(home, &String::from_utf8_lossy(name.as_bytes())).await,
    }
}

enum Credential {
    Key(SecretString),
    /// The single user of a server that serves this machine only.
    Local,
    Nobody,
}

/// Whether a request comes from this machine, or from within this very process.
fn is_of_this_machine(request: &Request) -> bool {
    request.extensions().get::<ConnectInfo<SocketAddr>>().is_none_or(|ConnectInfo(peer)| peer.ip().is_loopback())
}

fn credential(access: &Access, request: &Request) -> Answer<Credential> {
    let given = key(request.headers());
    if let Ok(Some(key)) = given {
        return Ok(Credential::Key(key));
    }
    if !access.authenticate.keyless() || !is_of_this_machine(request) {
        return given.map(|_| Credential::Nobody);
    }
    // SDKs and browsers insist on sending something; where no key is needed, what is not one of ours means "no key".
    refuse_foreign_pages(access, request)?;
    Ok(Credential::Local)
}

/// A key of ours, if there is one. Whatever else stands in its place is refused by those who need a key.
fn key(headers: &HeaderMap) -> Result<Option<SecretString>, Problem> {
    let unreadable = |detail: &str| {
        Problem::new(FaultKind::Unauthenticated, "key-unreadable", detail)
            .with_hint("send `Authorization: Bearer <key>`, or the key alone as `x-api-key`")
    };
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().map_err(|_| unreadable("the key header is not readable text"))?;
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("basic")
            && let Some(key) = of_pair(rest)
        {
            return Ok(Some(key));
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unreadable("names and passwords are not taken here, only keys"));
        }
        return Ok(ours(rest).or_else(|| elsewhere(headers)));
    }
    if let Some(value) = headers.get("x-api-key") {
        let text = value.to_str().map_err(|_| unreadable("the key header is not readable text"))?;
        return Ok(ours(text).or_else(|| elsewhere(headers)));
    }
    Ok(elsewhere(headers))
}

/// A key of ours where clients of other gateways put theirs: beside one for the provider, which is of no use here.
fn elsewhere(headers: &HeaderMap) -> Option<SecretString> {
    conventions::KEYS.iter().find_map(|name| {
        let text = headers.get(*name)?.to_str().ok()?.trim();
        let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
        ours(if scheme.eq_ignore_ascii_case("bearer") { rest } else { text })
    })
}

/// A key of ours as the password of a pair, or as its name: some clients know no other way to send one.
fn of_pair(encoded: &str) -> Option<SecretString> {
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    ours(password).or_else(|| ours(name))
}

fn ours(text: &str) -> Option<SecretString> {
    text.trim().starts_with("msk_").then(|| SecretString::from(text.trim().to_owned()))
}

/// Without a key, a browser could be led here by another site: its `Host` (a rebound name) or `Origin` gives it away.
fn refuse_foreign_pages(access: &Access, request: &Request) -> Result<(), Problem> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    if let Some(host) = host
        && !is_ours(access, host)
    {
        return Err(Problem::new(FaultKind::Forbidden, "host-not-allowed", format!("this server does not answer to `{host}`"))
            .with_hint("add the name to `server.allowed_hosts`, or use a key"));
    }
    let origin = request.headers().get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let reads_only = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if let Some(origin) = origin.filter(|_| !reads_only) {
        let name = origin.split_once("://").map_or(origin, |(_, rest)| rest);
        if !is_ours(access, name) {
            return Err(Problem::new(
                FaultKind::Forbidden,
                "origin-not-allowed",
                format!("pages of `{origin}` may not write here"),
            ));
        }
    }
    Ok(())
}

fn is_ours(access: &Access, host: &str) -> bool {
    let name = if host.starts_with('[') {
        host.split(']').next().map_or(host, |inner| &inner[1..])
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    matches!(name, "localhost" | "127.0.0.1" | "::1") || access.allowed_hosts.iter().any(|allowed| allowed == name)
}
