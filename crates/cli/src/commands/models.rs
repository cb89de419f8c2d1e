//! `mainspring models`.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use mainspring_config::Config;
use mainspring_server::open_weights;
use mainspring_weights::{Condition, Phase, Task, Weights};

use crate::{
    args,
    output::{self, bytes, line, say, table},
};

pub(crate) async fn run(config: &Config, command: args::Models, json: bool) -> anyhow::Result<ExitCode> {
    let weights = open_weights(&config.models_dir())?;
    match command {
        args::Models::Pull { name, all } => {
            let names = match name {
                Some(name) => vec![name],
                None if all => weights.list()?.into_iter().map(|model| model.name).collect(),
                None => defaults(config),
            };
            for name in names {
                pull(&weights, &name, json).await?;
            }
        }
        args::Models::List => list(&weights, json)?,
        args::Models::Verify { name } => return verify(&weights, name, json).await,
    }
    Ok(ExitCode::SUCCESS)
}

fn defaults(config: &Config) -> Vec<String> {
    vec![config.models.embed.clone(), config.models.chat.clone()]
}

/// Fetches one model with a bar.
pub(crate) async fn pull(weights: &Weights, name: &str, quiet: bool) -> anyhow::Result<()> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(ProgressStyle::with_template("{prefix} {bar:28} {bytes}/{total_bytes} {bytes_per_sec} {msg}")?);
    bar.set_prefix(name.to_owned());
    let shown = bar.clone();
    let installed = weights
        .pull(name, move |progress| {
            shown.set_length(progress.total.unwrap_or(0));
            shown.set_position(progress.done);
            shown.set_message(match progress.phase {
                Phase::Checking => "checking",
                Phase::Waiting => "another process fetches it",
                Phase::Fetching => "fetching",
                Phase::Unpacking => "unpacking",
                Phase::Installed => "here",
            });
        })
        .await?;
    bar.finish_and_clear();
    if quiet {
        output::json(&serde_json::json!({"name": installed.name, "identity": installed.identity}));
    } else {
        line(&format!("{}  {}", installed.name, installed.identity));
    }
    Ok(())
}

/// Fetches the default models while the server already serves.
pub(crate) fn pull_in_background(config: &Config) {
    let Ok(weights) = open_weights(&config.models_dir()) else { return };
    let names = defaults(config);
    #[expect(clippy::disallowed_methods, reason = "it ends with the process; a fetch that is cut off goes on at the next start")]
    tokio::spawn(async move {
        for name in names {
            let missing = weights.locate(&name).is_err();
            if missing {
                say(&format!("fetching {name}"));
            }
            match weights.pull(&name, |_| {}).await {
                Ok(_) if missing => say(&format!("{name} is here")),
                Ok(_) => {}
                Err(fault) => say(&format!("{name} could not be fetched: {}", mainspring_kernel::fault::chain(&fault))),
            }
        }
    });
}

fn list(weights: &Weights, json: bool) -> anyhow::Result<()> {
    let models = weights.list()?;
    if json {
        let rows: Vec<_> = models
            .iter()
            .map(|m| serde_json::json!({"name": m.name, "task": m.task.as_str(), "bytes": m.size, "installed": m.installed, "identity": m.identity, "licence": m.licence}))
            .collect();
        output::json(&rows);
        return Ok(());
    }
    let rows = models.iter().map(|model| {
        let detail = match &model.task {
            Task::Embed { dimensions, .. } => format!("{dimensions} dimensions"),
            Task::Chat { context } => format!("{context} tokens of context"),
            Task::Rerank { .. } | Task::Reference => String::new(),
        };
        let here = if model.installed { "here" } else { "not here" };
        vec![
            model.name.clone(),
            model.task.as_str().to_owned(),
            bytes(model.size),
            here.to_owned(),
            model.licence.clone().unwrap_or_default(),
            detail,
        ]
    });
    table(&["model", "task", "size", "files", "licence", "detail"], rows.collect());
    Ok(())
}

async fn verify(weights: &Weights, name: Option<String>, json: bool) -> anyhow::Result<ExitCode> {
    let names = match name {
        Some(name) => vec![name],
        None => weights.list()?.into_iter().map(|model| model.name).collect(),
    };
    let all = names.len() > 1;
    let mut sound = true;
    let mut rows = Vec::new();
    for name in names {
        let files = weights.verify(&name).await?;
        // One that was never fetched is not damaged; one of which a part is here is.
        if all && files.iter().all(|file| file.condition == Condition::Missing) {
            continue;
        }
        for file in files {
            sound &= file.condition == Condition::Sound;
            let condition = match file.condition {
                Condition::Sound => "sound".to_owned(),
                Condition::Missing => "missing".to_owned(),
                Condition::WrongSize { found } => format!("cut short or grown: {found} bytes"),
                Condition::WrongDigest { found } => format!("damaged: its digest is {found}"),
            };
            rows.push(vec![name.clone(), file.role.to_string(), condition]);
        }
    }
    if json {
        output::json(&rows);
    } else {
        table(&["model", "file", "condition"], rows);
        if !sound {
            say("`mainspring models pull NAME` fetches what is missing or damaged");
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
