//! Reaching a server: the one named, the one that serves the data directory, or one inside this process.

use std::sync::Arc;

use anyhow::{Context, bail};
use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderName, HeaderValue, Request, Response};
use mainspring_client::{BodyStream, Client, ClientFault, HttpTransport, Transport};
use mainspring_config::Config;
use mainspring_server::{Building, DataLock, LockFault};
use secrecy::ExposeSecret;
use tower::ServiceExt;

use crate::{args::Global, output};

/// A client, and what has to be put away when the command is done.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// Where a browser can look, when a server runs.
    pub(crate) url: Option<String>,
    building: Option<Building>,
}

impl Connection {
    pub(crate) async fn open(global: &Global, config: &Config) -> anyhow::Result<Self> {
        let project = global.project.as_deref();
        if let Some(url) = &config.client.url {
            return Self::remote(url, config, project);
        }
        match DataLock::acquire(config.data_dir()) {
            Ok(lock) => Self::in_process(config, lock, project).await,
            Err(LockFault::Held { url: Some(url), .. }) => Self::remote(&url, config, project),
            Err(fault) => Err(fault).with_context(|| format!("cannot use the data directory {}", config.data_dir().display())),
        }
        .inspect(|connection| {
            if connection.url.is_none() && !global.json && output::is_terminal() {
                tracing::debug!("no server runs; working in this process");
            }
        })
    }

    fn remote(url: &str, config: &Config, project: Option<&str>) -> anyhow::Result<Self> {
        let key = config.client.api_key.as_ref().map(|key| key.expose_secret().to_owned());
        let transport = HttpTransport::new(url, key)?;
        Ok(Self { client: client(Arc::new(transport), project)?, url: Some(url.to_owned()), building: None })
    }

    async fn in_process(config: &Config, lock: DataLock, project: Option<&str>) -> anyhow::Result<Self> {
        let building = Building::open(config.clone(), lock).await?;
        building.repaired().iter().for_each(|text| output::say(&format!("repaired: {text}")));
        let client = within(&building, project)?;
        Ok(Self { client, url: None, building: Some(building) })
    }

    /// Finishes background work and lets go of the data directory.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self.building {
            Some(building) => building.shut_down().await.context("could not put everything away"),
            None => Ok(()),
        }
    }
}

/// A client of the building in this process: it needs no key, whatever the building listens on.
pub(crate) fn within(building: &Building, project: Option<&str>) -> anyhow::Result<Client> {
    client(Arc::new(InProcess(building.router())), project)
}

fn client(transport: Arc<dyn Transport>, project: Option<&str>) -> anyhow::Result<Client> {
    let Some(project) = project else { return Ok(Client::new(transport)) };
    let Ok(project) = HeaderValue::from_str(project) else { bail!("`{}` cannot be a project", output::printable(project)) };
    Ok(Client::new(Arc::new(InProject { transport, project })))
}

const PROJECT: HeaderName = HeaderName::from_static("x-mainspring-project");

/// Says with every request which project is meant.
#[derive(Debug)]
struct InProject {
    transport: Arc<dyn Transport>,
    project: HeaderValue,
}

#[async_trait]
impl Transport for InProject {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<BodyStream>, ClientFault> {
        request.headers_mut().insert(PROJECT, self.project.clone());
        self.transport.send(request).await
    }

    async fn send_stream(&self, mut request: Request<BodyStream>) -> Result<Response<BodyStream>, ClientFault> {
        request.headers_mut().insert(PROJECT, self.project.clone());
        self.transport.send_stream(request).await
    }
}

#[derive(Debug, Clone)]
struct InProcess(Router);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, ClientFault> {
        Ok(self.sent(request.map(axum::body::Body::from)).await)
    }

    async fn send_stream(&self, request: Request<BodyStream>) -> Result<Response<BodyStream>, ClientFault> {
        Ok(self.sent(request.map(axum::body::Body::from_stream)).await)
    }
}

impl InProcess {
    async fn sent(&self, request: Request<axum::body::Body>) -> Response<BodyStream> {
        let response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        response.map(|body| {
            let stream =
                body.into_data_stream().map(|part| part.map_err(|error| ClientFault::Broken { reason: error.to_string() }));
            Box::pin(stream) as BodyStream
        })
    }
}
