//! `mainspring doctor`: checks the machine and the stores, and says what to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::ExitCode,
};

use mainspring_config::Config;
use mainspring_server::{DataLock, LockFault, check_cpu, open_weights};
use mainspring_weights::{Condition, Weights};
use mainspring_wire as wire;
use serde_json::{Value, json};

use super::models;
use crate::{
    args::Global,
    connection::Connection,
    output::{self, line},
};

/// With less than this, ingestion will soon fail.
const ROOM: u64 = 1 << 30;

#[derive(Debug, serde::Serialize)]
struct Finding {
    what: String,
    ok: bool,
    detail: String,
    /// Numbers, for programs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    facts: BTreeMap<String, Value>,
}

impl Finding {
    fn new(what: &str, ok: bool, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), ok, detail: detail.into(), facts: BTreeMap::new() }
    }
}

pub(crate) async fn run(global: &Global, config: &Config) -> anyhow::Result<ExitCode> {
    let mut findings = vec![cpu()];
    // With a server elsewhere, the data directory and the models are its own.
    if config.client.url.is_none() {
        findings.extend([data(config.data_dir()), disk(config.data_dir()), owner(config.data_dir())]);
        findings.extend(local_models(config).await);
    }
    findings.extend(Box::pin(stores(global, config)).await?);
    if global.json {
        output::json(&findings);
    } else {
        for finding in &findings {
            let mark = if finding.ok { "✓" } else { "✗" };
            line(&output::printable(&format!("{mark} {:<8} {}", finding.what, finding.detail)));
        }
    }
    Ok(if findings.iter().all(|finding| finding.ok) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn cpu() -> Finding {
    match check_cpu() {
        Ok(()) => Finding::new("cpu", true, "x86-64-v3"),
        Err(fault) => Finding::new("cpu", false, fault.to_string()),
    }
}

fn data(data: &Path) -> Finding {
    let probe = data.join(".doctor");
    let written =
        std::fs::create_dir_all(data).and_then(|()| std::fs::write(&probe, b"x")).and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::new("data", true, data.display().to_string()),
        Err(error) => Finding::new("data", false, format!("{} cannot be written: {error}", data.display())),
    }
}

fn disk(data: &Path) -> Finding {
    match fs2::available_space(data) {
        Ok(free) => {
            let few = if free < ROOM { "; make room before the next ingestion" } else { "" };
            let mut finding = Finding::new("disk", free >= ROOM, format!("{} free{few}", output::bytes(free)));
            finding.facts.insert("free_bytes".to_owned(), json!(free));
            finding
        }
        Err(error) => Finding::new("disk", false, format!("free space is not known: {error}")),
    }
}

/// Who uses the data directory.
fn owner(data: &Path) -> Finding {
    match DataLock::acquire(data) {
        Ok(_) => Finding::new("lock", true, "no server runs here; the stores are opened in this process"),
        Err(LockFault::Held { pid, url: Some(url) }) => Finding::new("lock", true, format!("process {pid} serves {url}")),
        Err(fault) => Finding::new("lock", false, mainspring_kernel::fault::chain(&fault)),
    }
}

/// Every file that is here is read; only what the settings name must be here.
async fn local_models(config: &Config) -> Vec<Finding> {
    let weights = match open_weights(config) {
        Ok(weights) => weights,
        Err(fault) => return vec![Finding::new("models", false, mainspring_kernel::fault::chain(&fault))],
    };
    let mut names: BTreeSet<String> = models::defaults(config, &weights).unwrap_or_default().into_iter().collect();
    let listed = weights.list().unwrap_or_default();
    names.extend(listed.into_iter().filter(|model| model.installed).map(|model| model.name));
    let mut findings = Vec::new();
    for name in names {
        findings.push(model(&weights, &name).await);
    }
    findings
}

async fn model(weights: &Weights, name: &str) -> Finding {
    let help = format!("`mainspring models pull {name}`");
    match weights.verify(name).await {
        Ok(files) if files.iter().all(|file| file.condition == Condition::Sound) => {
            Finding::new("model", true, format!("{name}: verified"))
        }
        Ok(files) => {
            let flaws = files.iter().filter_map(|file| Some(format!("the {} is {}", file.role, models::flaw(&file.condition)?)));
            Finding::new("model", false, format!("{name}: {}; {help}", flaws.collect::<Vec<_>>().join(", ")))
        }
        Err(fault) => Finding::new("model", false, format!("{name}: {}", mainspring_kernel::fault::chain(&fault))),
    }
}

/// What the server says of its parts: one that runs, or one opened here, which repairs what a crash left.
async fn stores(global: &Global, config: &Config) -> anyhow::Result<Vec<Finding>> {
    let connection = match Connection::open(global, config).await {
        Ok(connection) => connection,
        Err(error) => return Ok(vec![Finding::new("stores", false, format!("{error:#}"))]),
    };
    let health: Result<Vec<wire::HealthItem>, _> = connection.client.all("/api/v1/health").await;
    let findings = match health {
        Ok(parts) => parts.into_iter().map(of_server).collect(),
        Err(fault) => vec![Finding::new("server", false, fault.to_string())],
    };
    connection.close().await?;
    Ok(findings)
}

fn of_server(part: wire::HealthItem) -> Finding {
    let wire::HealthItem { component, state, detail, facts } = part;
    let ok = matches!(state.as_str(), "ok" | "busy" | "off");
    let detail = detail.map_or_else(|| state.clone(), |detail| format!("{state}: {detail}"));
    Finding { what: component, ok, detail, facts }
}
