//! `mainspring dev DIR`: serve, and apply on every save.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use mainspring_client::{Client, HttpTransport};
use mainspring_config::Config;
use mainspring_server::{Building, DataLock};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::{Session, assets, models, serve::until_stopped};
use crate::{
    args::{Dev, Global},
    output::say,
    specs,
};

/// An editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(200);

pub(crate) async fn run(_: &Global, config: Config, dev: Dev) -> anyhow::Result<ExitCode> {
    let lock = DataLock::acquire(config.data_dir())
        .with_context(|| format!("cannot use the data directory {}", config.data_dir().display()))?;
    if config.models.pull {
        models::pull_in_background(&config);
    }
    let building = Building::open(config, lock).await?;
    building.repaired().iter().for_each(|text| say(&format!("repaired: {text}")));
    let (address, listening) = tokio::sync::oneshot::channel();
    let (changed, changes) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = changed.try_send(());
        }
    })?;
    watcher.watch(&dev.dir, RecursiveMode::Recursive).with_context(|| format!("cannot watch {}", dev.dir.display()))?;
    let served = building.serve(
        move |bound| {
            let _ = address.send(bound);
        },
        until_stopped(),
    );
    tokio::select! {
        served = served => served?,
        outcome = follow(&dev, listening, changes) => outcome?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn follow(
    dev: &Dev,
    listening: tokio::sync::oneshot::Receiver<std::net::SocketAddr>,
    mut changes: mpsc::Receiver<()>,
) -> anyhow::Result<()> {
    let Ok(address) = listening.await else { return std::future::pending().await };
    let url = format!("http://{address}");
    say(&format!("{url}  applies {} on every save; Ctrl-C stops", dev.dir.display()));
    let client = Client::new(Arc::new(HttpTransport::new(&url, None)?));
    let session = Session { client, url: Some(url), json: false };
    loop {
        // What does not apply is said; the next save is another chance.
        let applied = async {
            let manifests = specs::read(&dev.dir)?;
            assets::send(&session, manifests, false, Some("saved".to_owned())).await
        };
        match applied.await {
            Ok(reply) => assets::show_plan(&session, &reply),
            Err(error) => {
                crate::report::failed(&error, false);
            }
        }
        if changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
    }
}
