//! `mainspring models`.

use std::{
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use indicatif::{ProgressBar, ProgressStyle};
use mainspring_config::Config;
use mainspring_server::open_weights;
use mainspring_weights::{Condition, Installed, Phase, Progress, Role, Task, Weights, WeightsFault};

use crate::{
    args,
    output::{self, bytes, line, say, table},
};

pub(crate) async fn run(config: &Config, command: args::Models, json: bool) -> anyhow::Result<ExitCode> {
    let weights = open_weights(config)?;
    match command {
        args::Models::Pull { name, all } => {
            let names = match name {
                Some(name) => vec![name],
                None if all => weights.list()?.into_iter().map(|model| model.name).collect(),
                None => defaults(config, &weights)?,
            };
            let mut pulled = Vec::new();
            for name in names {
                let installed = pull(&weights, &name).await?;
                if json {
                    pulled.push(serde_json::json!({"name": installed.name, "identity": installed.identity}));
                } else {
                    line(&format!("{}  {}", installed.name, installed.identity));
                }
            }
            if json {
                output::json(&pulled);
            }
        }
        args::Models::List => list(&weights, json)?,
        args::Models::Verify { name } => return verify(&weights, name, json).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// What has to be here. A chat model that no list has is a route or a provider's, which projects have.
pub(crate) fn defaults(config: &Config, weights: &Weights) -> Result<Vec<String>, WeightsFault> {
    let chat = weights.list()?.into_iter().map(|model| model.name).filter(|name| *name == config.models.chat);
    Ok(std::iter::once(config.models.embed.clone()).chain(chat).collect())
}

/// Fetches one model with a bar on standard error, which is there only when a person looks.
pub(crate) async fn pull(weights: &Weights, name: &str) -> anyhow::Result<Installed> {
    let bar = ProgressBar::new(0);
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
        .await;
    bar.finish_and_clear();
    Ok(installed?)
}

/// Fetches the default models while the server already serves, unless they are here and sound.
pub(crate) fn pull_in_background(config: &Config) {
    let Ok(weights) = open_weights(config) else { return };
    let Ok(names) = defaults(config, &weights) else { return };
    // Said before the server answers anybody: an ingestion that comes at once waits, for the second model too.
    let names: Vec<_> = names.into_iter().map(|name| (weights.announce(&name).ok(), name)).collect();
    #[expect(clippy::disallowed_methods, reason = "it ends with the process; a fetch that is cut off goes on at the next start")]
    tokio::spawn(async move {
        for (_coming, name) in names {
            let (looking, wanted) = (weights.clone(), name.clone());
            match tokio::task::spawn_blocking(move || looking.locate(&wanted)).await {
                Ok(Ok(_)) | Err(_) => continue,
                Ok(Err(WeightsFault::Damaged { role, damage, .. })) => {
                    say(&format!("the {role} of {name} {damage}; fetching it again"));
                }
                Ok(Err(_)) => say(&format!("fetching {name}")),
            }
            let (told, shown) = (Mutex::<Option<(Role, u64)>>::default(), name.clone());
            let tell = move |progress: Progress| {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(percent) = next_tenth(&mut told, &progress) {
                    say(&format!("fetching {shown} ({}): {percent} %", progress.role));
                }
            };
            match weights.pull(&name, tell).await {
                Ok(_) => say(&format!("{name} is here")),
                Err(fault) => say(&format!("{name} could not be fetched: {}", mainspring_kernel::fault::chain(&fault))),
            }
        }
    });
}

/// The percentage, where another tenth is here: a log is no bar.
fn next_tenth(told: &mut Option<(Role, u64)>, progress: &Progress) -> Option<u64> {
    let total = progress.total.filter(|total| progress.phase == Phase::Fetching && *total > 0)?;
    let now = (progress.role, progress.done.saturating_mul(10) / total);
    let before = told.replace(now);
    (now.1 > 0 && before != Some(now)).then_some(now.1 * 10)
}

fn list(weights: &Weights, json: bool) -> anyhow::Result<()> {
    let models = weights.list()?;
    if json {
        let rows: Vec<_> = models
            .iter()
            .map(|m| serde_json::json!({"name": m.name, "task": m.task.as_str(), "bytes": m.size, "installed": m.installed, "identity": m.identity, "licence": m.licence, "list": m.from}))
            .collect();
        output::json(&rows);
        return Ok(());
    }
    let rows = models.iter().map(|model| {
        let detail = match &model.task {
            Task::Embed { dimensions, max_tokens, .. } => format!("{dimensions} dimensions, {max_tokens} tokens"),
            Task::Chat { context } => format!("{context} tokens of context"),
            Task::Rerank { max_tokens } => format!("{max_tokens} tokens"),
            Task::Reference => String::new(),
        };
        let here = if model.installed { "here" } else { "not here" };
        vec![
            model.name.clone(),
            model.task.as_str().to_owned(),
            bytes(model.size),
            here.to_owned(),
            model.licence.clone().unwrap_or_default(),
            model.from.as_ref().map_or_else(|| "built in".to_owned(), |list| list.display().to_string()),
            detail,
        ]
    });
    table(&["model", "task", "size", "files", "licence", "list", "detail"], rows.collect());
    Ok(())
}

/// How a file is, in words; nothing when it is as it should be.
pub(crate) fn flaw(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Sound => None,
        Condition::Missing => Some("missing".to_owned()),
        Condition::WrongSize { found } => Some(format!("cut short or grown: {found} bytes")),
        Condition::WrongDigest { found } => Some(format!("damaged: its digest is {found}")),
    }
}

async fn verify(weights: &Weights, name: Option<String>, json: bool) -> anyhow::Result<ExitCode> {
    let names = match name {
        Some(name) => vec![name],
        None => weights.list()?.into_iter().map(|model| model.name).collect(),
    };
    let all = names.len() > 1;
    let mut checked = Vec::new();
    for name in names {
        let files = weights.verify(&name).await?;
        // One that was never fetched is not damaged; one of which a part is here is.
        if all && files.iter().all(|file| file.condition == Condition::Missing) {
            continue;
        }
        checked.extend(files.into_iter().map(|file| (name.clone(), file)));
    }
    let sound = checked.iter().all(|(_, file)| file.condition == Condition::Sound);
    let said = |condition: &Condition| flaw(condition).unwrap_or_else(|| "sound".to_owned());
    if json {
        let row = |(name, file): &(String, mainspring_weights::Checked)| {
            let (sound, condition) = (file.condition == Condition::Sound, said(&file.condition));
            serde_json::json!({"model": name, "file": file.role, "digest": file.digest, "sound": sound, "condition": condition})
        };
        output::json(&checked.iter().map(row).collect::<Vec<_>>());
    } else {
        let row = |(name, file): &(String, mainspring_weights::Checked)| {
            vec![name.clone(), file.role.to_string(), said(&file.condition)]
        };
        table(&["model", "file", "condition"], checked.iter().map(row).collect());
        if !sound {
            say("`mainspring models pull NAME` fetches what is missing or damaged");
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenth_of_what_is_fetched_is_told_once() {
        let mut told = None;
        let mut tell =
            |role, phase, done, total| next_tenth(&mut told, &Progress { model: "m".to_owned(), role, phase, done, total });
        assert_eq!(tell(Role::Model, Phase::Checking, 500, Some(500)), None);
        let percents: Vec<u64> = (0..=500).filter_map(|done| tell(Role::Model, Phase::Fetching, done, Some(500))).collect();
        assert_eq!(percents, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert_eq!(tell(Role::Tokenizer, Phase::Fetching, 0, Some(3)), None);
        assert_eq!(tell(Role::Tokenizer, Phase::Fetching, 3, Some(3)), Some(100));
        assert_eq!((tell(Role::Model, Phase::Fetching, 3, None), tell(Role::Model, Phase::Fetching, 0, Some(0))), (None, None));
    }
}
