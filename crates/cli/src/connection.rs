//! Reaching a server: the one named, the one that serves the data directory, or one inside this process.

use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
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
        if let Some(url) = &config.client.url {
            return Self::remote(url, config);
        }
        match DataLock::acquire(config.data_dir()) {
            Ok(lock) => Self::in_process(config, lock).await,
            Err(LockFault::Held { url: Some(url), .. }) => Self::remote(&url, config),
            Err(fault) => Err(fault).with_context(|| format!("cannot use the data directory {}", config.data_dir().display())),
        }
        .inspect(|connection| {
            if connection.url.is_none() && !global.json && output::is_terminal() {
                tracing::debug!("no server runs; working in this process");
            }
        })
    }

    fn remote(url: &str, config: &Config) -> anyhow::Result<Self> {
        let key = config.client.api_key.as_ref().map(|key| key.expose_secret().to_owned());
        let transport = HttpTransport::new(url, key)?;
        Ok(Self { client: Client::new(Arc::new(transport)), url: Some(url.to_owned()), building: None })
    }

    async fn in_process(config: &Config, lock: DataLock) -> anyhow::Result<Self> {
        let building = Building::open(config.clone(), lock).await?;
        building.repaired().iter().for_each(|text| output::say(&format!("repaired: {text}")));
        let client = Client::new(Arc::new(InProcess(building.router())));
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

#[derive(Debug, Clone)]
struct InProcess(Router);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, ClientFault> {
        let request = request.map(axum::body::Body::from);
        let response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        Ok(response.map(|body| {
            let stream =
                body.into_data_stream().map(|part| part.map_err(|error| ClientFault::Broken { reason: error.to_string() }));
            Box::pin(stream) as BodyStream
        }))
    }
}
