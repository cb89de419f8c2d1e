//! Requests with typed answers.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Method, Request, Response, header};
use mainspring_wire as wire;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    fault::{ClientFault, Refusal},
    form::Form,
    sse::Events,
    transport::{BodyStream, Transport},
};

#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
}

impl Client {
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientFault> {
        read(self.send(Method::GET, path, None).await?).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientFault> {
        read(self.send(Method::POST, path, Some(json(body)?)).await?).await
    }

    /// Sends a file as it is read.
    pub async fn upload<T: DeserializeOwned>(&self, path: &str, form: Form) -> Result<T, ClientFault> {
        let (kind, length, body) = form.written();
        let request = Request::builder().method(Method::POST).uri(path);
        let request = request.header(header::CONTENT_TYPE, kind).header(header::CONTENT_LENGTH, length);
        let request = request.body(body).map_err(|error| ClientFault::Unreadable { reason: error.to_string() })?;
        read(self.transport.send_stream(request).await?).await
    }

    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientFault> {
        read(self.send(Method::PUT, path, Some(json(body)?)).await?).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientFault> {
        read(self.send(Method::DELETE, path, None).await?).await
    }

    /// Opens a stream of events with a GET.
    pub async fn events(&self, path: &str) -> Result<Events, ClientFault> {
        Ok(Events::new(accepted(self.send(Method::GET, path, None).await?).await?.into_body()))
    }

    /// A file, as it comes.
    pub async fn download(&self, path: &str) -> Result<BodyStream, ClientFault> {
        Ok(accepted(self.send(Method::GET, path, None).await?).await?.into_body())
    }

    /// Opens a stream of events with a POST.
    pub async fn post_events(&self, path: &str, body: &impl Serialize) -> Result<(HeaderMap, Events), ClientFault> {
        let response = accepted(self.send(Method::POST, path, Some(json(body)?)).await?).await?;
        let headers = response.headers().clone();
        Ok((headers, Events::new(response.into_body())))
    }

    /// Every item of a paged list.
    pub async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ClientFault> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let query = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page: wire::Page<T> = self.get(&format!("{path}{separator}limit=200{query}")).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Response<BodyStream>, ClientFault> {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request =
            request.body(body.unwrap_or_default()).map_err(|error| ClientFault::Unreadable { reason: error.to_string() })?;
        self.transport.send(request).await
    }
}

fn json(body: &impl Serialize) -> Result<Bytes, ClientFault> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| ClientFault::Unreadable { reason: error.to_string() })
}

async fn whole(mut body: BodyStream) -> Result<Vec<u8>, ClientFault> {
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        bytes.extend_from_slice(&part?);
    }
    Ok(bytes)
}

async fn accepted(response: Response<BodyStream>) -> Result<Response<BodyStream>, ClientFault> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let bytes = whole(response.into_body()).await?;
    Err(ClientFault::Refused(refusal(status, &bytes)))
}

async fn read<T: DeserializeOwned>(response: Response<BodyStream>) -> Result<T, ClientFault> {
    let response = accepted(response).await?;
    let bytes = whole(response.into_body()).await?;
    let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
    serde_json::from_slice(bytes).map_err(|error| ClientFault::Unreadable { reason: error.to_string() })
}

/// Reads both shapes of error: our problems and OpenAI's.
pub(crate) fn refusal(status: u16, bytes: &[u8]) -> Refusal {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let mut refusal: Refusal = match value.get("error") {
        Some(error) => Refusal {
            code: error["code"].as_str().unwrap_or_default().to_owned(),
            detail: error["message"].as_str().unwrap_or_default().to_owned(),
            ..Refusal::default()
        },
        None => serde_json::from_value(value).unwrap_or_default(),
    };
    refusal.status = status;
    if refusal.detail.is_empty() {
        refusal.detail = format!("the server answered {status}");
    }
    refusal
}
