//! From a server that is put together to one that has stopped.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use mainspring_catalog::Engine;
use mainspring_telemetry::let_go_of_code;
use tokio::net::TcpListener;

use super::Building;
use crate::{
    fault::BootFault,
    serves::Serves,
    serving::{self, Patience},
    upkeep::Background,
};

/// Tasks in the background have begun by then.
const STARTED_WITHIN: Duration = Duration::from_millis(200);

impl Building {
    /// Serves until told to stop, then puts everything away in order.
    pub async fn serve(
        mut self,
        ready: impl FnOnce(SocketAddr),
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), BootFault> {
        let address = self.config.server.listen;
        let keys = self.rest.identity.count_usable_keys().await.map_err(BootFault::part("catalog"))?;
        if !address.ip().is_loopback() {
            if keys == 0 {
                return Err(BootFault::KeyNeeded { address });
            }
            self.keyless = false;
        }
        let listener = TcpListener::bind(address).await.map_err(|source| BootFault::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| BootFault::Listen { address, source })?;
        if let Err(error) = self.lock.announce(Some(&format!("http://{}", reachable(address)))) {
            tracing::warn!(%error, "other commands cannot see where this server listens");
        }
        self.rest.keeping.begin_serving().await.map_err(BootFault::part("trace store"))?;
        match self.serves {
            Serves::Everything => self.background().start(&self.tasks),
            Serves::Models => {
                // Where others share the catalog, one of those that run apps runs batches: their lines may name apps.
                let alone = self.parts.catalog.engine() == Engine::Sqlite;
                self.background().start_for_models(&self.tasks, alone);
            }
        }
        let app = self.router();
        ready(address);
        // What only starting runs is mapped no longer.
        self.tasks.spawn("memory: after the start", |stop| async move {
            if stop.sleep(STARTED_WITHIN).await {
                let_go_of_code();
            }
        });
        let grace = self.config.server.shutdown_grace.0;
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let closing = self.closing.clone();
        let patience = Patience::of(self.config.server.client_timeout.0);
        let server = serving::serve(listener, app, patience, async move {
            stop.await;
            closing.ask_to_stop();
            let _ = stopping.send(true);
        });
        // A client that never finishes does not keep the server from stopping.
        tokio::select! {
            () = server => {}
            () = async { let _ = stopped.wait_for(|stopped| *stopped).await; tokio::time::sleep(grace).await } => {}
        }
        self.shut_down().await
    }

    fn background(&self) -> Background {
        Background {
            knowledge: self.rest.knowledge.clone(),
            observability: self.rest.observability.clone(),
            points: self.rest.points.clone(),
            drift: self.rest.drift.clone(),
            keeping: self.rest.keeping.clone(),
            registry: self.rest.registry.clone(),
            identity: self.rest.identity.clone(),
            metrics: self.parts.metrics.clone(),
            clock: Arc::clone(&self.clock),
            jobs: self.rest.jobs.clone(),
            alerts: self.rest.alerts.clone(),
            monitors: self.rest.monitors.clone(),
            batches: self.batches.clone(),
            runner: self.runner.clone(),
            upkeep_every: self.config.lake.upkeep_every.0,
            keep_traces_for: self.config.traces.keep_for.0,
            keep_versions_for: self.config.lake.keep_versions_for.0,
        }
    }

    /// Stops the rooms, then the lake, and lets go of the data directory.
    pub async fn shut_down(self) -> Result<(), BootFault> {
        let grace = self.config.server.shutdown_grace.0;
        self.closing.ask_to_stop();
        let rooms = self.tasks.shut_down(grace).await;
        if rooms.is_ok() {
            self.rest.keeping.leave().await;
        }
        let lake = self.lake_tasks.shut_down(grace).await;
        drop(self.lock);
        Ok(rooms.and(lake)?)
    }
}

/// An address a browser on this machine can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}
