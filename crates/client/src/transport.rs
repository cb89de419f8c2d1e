//! How requests reach a server: over a socket, or in this process.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{Request, Response, header};

use crate::fault::ClientFault;

pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, ClientFault>> + Send>>;

#[async_trait]
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Sends a request whose URI is a path with a query.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, ClientFault>;

    /// The same with a body that is never whole in memory.
    async fn send_stream(&self, request: Request<BodyStream>) -> Result<Response<BodyStream>, ClientFault>;
}

#[derive(Debug, Clone)]
pub struct HttpTransport {
    base: String,
    key: Option<String>,
    http: reqwest::Client,
}

impl HttpTransport {
    pub fn new(base: &str, key: Option<String>) -> Result<Self, ClientFault> {
        // Another part of the process may have installed it; either way there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = base.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .connect_timeout(std::time::Duration::from_secs(5))
            .build()
            .map_err(|error| ClientFault::Unreachable { url: base.clone(), reason: error.to_string() })?;
        Ok(Self { base, key, http })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, ClientFault> {
        self.sent(request.map(reqwest::Body::from)).await
    }

    async fn send_stream(&self, request: Request<BodyStream>) -> Result<Response<BodyStream>, ClientFault> {
        // Why the body ended early is told by whoever made it; the connection only knows that it did.
        let broke = Arc::new(Mutex::new(None));
        let tell = Arc::clone(&broke);
        let sent = self.sent(request.map(|body| {
            reqwest::Body::wrap_stream(body.map(move |part| {
                part.map_err(|fault| {
                    let told = std::io::Error::other(fault.to_string());
                    tell.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
                    told
                })
            }))
        }));
        let sent = sent.await;
        match broke.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(fault) => Err(fault),
            None => sent,
        }
    }
}

impl HttpTransport {
    async fn sent(&self, request: Request<reqwest::Body>) -> Result<Response<BodyStream>, ClientFault> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut outgoing = self.http.request(parts.method, format!("{}{path}", self.base)).headers(parts.headers).body(body);
        if let Some(key) = &self.key {
            outgoing = outgoing.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let answer = outgoing
            .send()
            .await
            .map_err(|error| ClientFault::Unreachable { url: self.base.clone(), reason: innermost(&error) })?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.extend(answer.headers().clone());
        }
        let stream = answer.bytes_stream().map(|part| part.map_err(|error| ClientFault::Broken { reason: innermost(&error) }));
        response.body(Box::pin(stream) as BodyStream).map_err(|error| ClientFault::Unreadable { reason: error.to_string() })
    }
}

/// The last cause says what happened ("connection refused"); the first only that something did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
