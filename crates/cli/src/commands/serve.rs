//! `mainspring serve` and `mainspring gateway`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
};

use anyhow::Context;
use mainspring_config::Config;
use mainspring_server::{Building, DataLock, Serves};

use super::models;
use crate::{memory, output::say};

pub(crate) async fn run(config: Config, serves: Serves) -> anyhow::Result<ExitCode> {
    let lock = DataLock::acquire(config.data_dir())
        .with_context(|| format!("cannot use the data directory {}", config.data_dir().display()))?;
    let pull = config.models.pull && serves == Serves::Everything;
    let building = Box::pin(Building::open_to_serve(config.clone(), lock, serves)).await?;
    building.repaired().iter().for_each(|text| say(&format!("repaired: {text}")));
    if pull {
        models::pull_in_background(&config);
    }
    let data = config.data_dir().display().to_string();
    building
        .serve(
            move |address| {
                let what = match serves {
                    Serves::Everything => "serves",
                    Serves::Models => "serves models at",
                };
                say(&format!("mainspring {} {what} {}", env!("CARGO_PKG_VERSION"), reachable(address)));
                if address.ip().is_unspecified() {
                    say(&format!("and whoever reaches this machine at port {}", address.port()));
                }
                say(&format!("data in {data}; Ctrl-C stops"));
                memory::give_back();
                memory::started();
            },
            until_stopped(),
        )
        .await?;
    Ok(ExitCode::SUCCESS)
}

/// Where a browser on this machine can look.
pub(crate) fn reachable(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// Ctrl-C or a polite kill.
pub(crate) async fn until_stopped() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
