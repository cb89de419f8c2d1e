//! Who is asking. Every route is behind this layer; forgetting it is not possible per route.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, header, request::Parts};
use mainspring_kernel::{Actor, FaultKind, Role};
use secrecy::SecretString;

use crate::problem::{Answer, Problem};

/// Turns a key into an actor. `server` implements it over the identity room.
#[async_trait]
pub trait Authenticate: Send + Sync + std::fmt::Debug + 'static {
    async fn authenticate(&self, key: &SecretString) -> Result<Actor, Problem>;
    /// Who a caller without a key is, where the process serves this machine only.
    fn local(&self) -> Option<Actor>;
}

#[derive(Debug, Clone)]
pub struct Access {
    pub authenticate: Arc<dyn Authenticate>,
    /// Names this server answers to beside loopback ones.
    pub allowed_hosts: Arc<[String]>,
}

/// The actor of a request.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

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

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            Problem::new(FaultKind::Unauthenticated, "key-required", "this needs an API key")
                .with_hint("send `Authorization: Bearer <key>`; `mainspring keys create` makes one")
        })
    }
}

/// The layer that finds the caller. A bad key is refused here; a missing one only where a `Caller` is asked for,
/// so that health checks and the page's files need none.
pub async fn authenticate(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let caller = match credential(&access, &request) {
        Ok(Credential::Key(key)) => access.authenticate.authenticate(&key).await.map(Some),
        Ok(Credential::Local(actor)) => Ok(Some(actor)),
        Ok(Credential::Nobody) => Ok(None),
        Err(problem) => Err(problem),
    };
    match caller {
        Ok(Some(actor)) => {
            request.extensions_mut().insert(Caller(actor));
            next.run(request).await
        }
        Ok(None) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

enum Credential {
    Key(SecretString),
    /// The single user of a server that serves this machine only.
    Local(Actor),
    Nobody,
}

fn credential(access: &Access, request: &Request) -> Result<Credential, Problem> {
    if let Some(key) = key(request.headers())? {
        return Ok(Credential::Key(key));
    }
    let Some(local) = access.authenticate.local() else { return Ok(Credential::Nobody) };
    let peer_is_local =
        request.extensions().get::<ConnectInfo<SocketAddr>>().is_none_or(|ConnectInfo(peer)| peer.ip().is_loopback());
    if !peer_is_local {
        return Ok(Credential::Nobody);
    }
    refuse_foreign_pages(access, request)?;
    Ok(Credential::Local(local))
}

fn key(headers: &HeaderMap) -> Result<Option<SecretString>, Problem> {
    let unreadable = || Problem::new(FaultKind::Unauthenticated, "key-unreadable", "the key header is not readable text");
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().map_err(|_| unreadable())?;
        let key = text
            .strip_prefix("Bearer ")
            .or_else(|| text.strip_prefix("bearer "))
            .ok_or_else(|| Problem::new(FaultKind::Unauthenticated, "key-unreadable", "use `Authorization: Bearer <key>`"))?;
        // SDKs insist on sending some key; on loopback a made-up one means "no key".
        return Ok(key.trim().starts_with("msk_").then(|| SecretString::from(key.trim().to_owned())));
    }
    if let Some(value) = headers.get("x-api-key") {
        let text = value.to_str().map_err(|_| unreadable())?;
        return Ok(text.starts_with("msk_").then(|| SecretString::from(text.to_owned())));
    }
    Ok(None)
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
