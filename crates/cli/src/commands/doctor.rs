//! `mainspring doctor`: checks the machine and the stores, and says what to do.

use std::process::ExitCode;

use mainspring_config::Config;
use mainspring_server::open_weights;
use mainspring_wire as wire;

use crate::{
    args::Global,
    connection::Connection,
    output::{self, line},
};

#[derive(Debug, serde::Serialize)]
struct Finding {
    what: String,
    ok: bool,
    detail: String,
}

pub(crate) async fn run(global: &Global, config: &Config) -> anyhow::Result<ExitCode> {
    let mut findings = vec![cpu(), space(config)];
    findings.extend(models(config));
    match Connection::open(global, config).await {
        Ok(connection) => {
            let overview: Result<wire::Overview, _> = connection.client.get("/api/v1/overview").await;
            match overview {
                Ok(overview) => findings.extend(overview.health.into_iter().map(|part| Finding {
                    ok: matches!(part.state.as_str(), "ok" | "busy" | "off"),
                    detail: part.detail.unwrap_or(part.state),
                    what: part.component,
                })),
                Err(fault) => findings.push(Finding { what: "server".into(), ok: false, detail: fault.to_string() }),
            }
            connection.close().await?;
        }
        Err(error) => findings.push(Finding { what: "stores".into(), ok: false, detail: format!("{error:#}") }),
    }
    if global.json {
        output::json(&findings);
    } else {
        for finding in &findings {
            let mark = if finding.ok { "✓" } else { "✗" };
            line(&output::printable(&format!("{mark} {:<10} {}", finding.what, finding.detail)));
        }
    }
    Ok(if findings.iter().all(|finding| finding.ok) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn cpu() -> Finding {
    let ok = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
    let detail = if ok { "AVX2 and FMA are there" } else { "the local engines need AVX2 and FMA; use remote models" };
    Finding { what: "cpu".into(), ok, detail: detail.into() }
}

fn space(config: &Config) -> Finding {
    let data = config.data_dir();
    let probe = data.join(".doctor");
    let written =
        std::fs::create_dir_all(data).and_then(|()| std::fs::write(&probe, b"x")).and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding { what: "data".into(), ok: true, detail: data.display().to_string() },
        Err(error) => {
            Finding { what: "data".into(), ok: false, detail: format!("{} cannot be written: {error}", data.display()) }
        }
    }
}

fn models(config: &Config) -> Vec<Finding> {
    let weights = match open_weights(&config.models_dir()) {
        Ok(weights) => weights,
        Err(fault) => return vec![Finding { what: "models".into(), ok: false, detail: mainspring_kernel::fault::chain(&fault) }],
    };
    let finding = |name: &String| match weights.locate(name) {
        Ok(_) => Finding { what: "model".into(), ok: true, detail: name.clone() },
        Err(fault) => {
            Finding { what: "model".into(), ok: false, detail: format!("{name}: {fault}; `mainspring models pull {name}`") }
        }
    };
    [&config.models.embed, &config.models.chat].map(finding).into()
}
