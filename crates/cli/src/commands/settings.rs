//! Settings: loading them, showing them, and starting the log.

use std::{path::Path, process::ExitCode};

use mainspring_config::{Config, Layers};
use mainspring_telemetry::start_log;

use crate::{
    args::{self, Command, Global},
    output,
};

fn layers(global: &Global, listen: Option<String>) -> anyhow::Result<Layers> {
    let mut layers = Layers::defaults()?;
    match &global.config {
        Some(path) => layers = layers.with_file(path)?,
        None => {
            let path = Path::new("mainspring.toml");
            if path.is_file() {
                layers = layers.with_file(path)?;
            }
        }
    }
    layers = layers.with_environment(
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )?;
    if let Some(data) = &global.data {
        layers = layers.with_flag("data.dir", "--data", &data.display().to_string())?;
    }
    if let Some(url) = &global.url {
        layers = layers.with_flag("client.url", "--url", url)?;
    }
    if let Some(listen) = listen {
        layers = layers.with_flag("server.listen", "--listen", &listen)?;
    }
    Ok(layers)
}

pub(crate) fn load(global: &Global, listen: Option<String>) -> anyhow::Result<Config> {
    Ok(layers(global, listen)?.build()?)
}

/// Servers log; commands speak to their user and log only what goes wrong.
pub(crate) fn start_logging(command: &Command, config: &Config) -> anyhow::Result<()> {
    let serves = matches!(command, Command::Serve(_) | Command::Gateway(_) | Command::Dev(_));
    let filter = if serves { config.log.filter.as_str() } else { "error" };
    Ok(start_log(filter, config.log.format.parse()?)?)
}

pub(crate) fn run(_: &Config, command: &args::Config, global: &Global) -> anyhow::Result<ExitCode> {
    let args::Config::Show { origin } = command;
    let settings = layers(global, None)?.settings();
    if global.json {
        let rows: Vec<_> = settings
            .iter()
            .map(|s| serde_json::json!({"key": s.key, "value": s.shown, "origin": s.origin.to_string()}))
            .collect();
        output::json(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    for setting in settings {
        let from = if *origin { format!("  # {}", setting.origin) } else { String::new() };
        output::line(&format!("{} = {}{from}", setting.key, setting.shown));
    }
    Ok(ExitCode::SUCCESS)
}
