//! `mainspring demo`: the main job on real input, in one command.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use mainspring_config::Config;
use mainspring_server::{Building, DataLock, open_weights};
use rust_embed::RustEmbed;

use super::{
    Session, ask, assets, knowledge, models,
    serve::{reachable, until_stopped},
};
use crate::{
    args::{Ask, Demo, Global},
    connection,
    output::{line, say},
    specs,
};

/// Mainspring's own documentation, as it was when this binary was built.
#[derive(RustEmbed)]
#[folder = "../../docs"]
struct Manual;

#[derive(RustEmbed)]
#[folder = "../../examples/manual"]
struct Example;

const QUESTION: &str = "Which address does Mainspring listen on, and does it need a key there?";

pub(crate) async fn run(global: &Global, mut config: Config, demo: Demo) -> anyhow::Result<ExitCode> {
    say("1/4 models, pinned by digest");
    let weights = open_weights(&config)?;
    for name in [&config.models.embed, &config.models.chat] {
        let installed = models::pull(&weights, name).await?;
        if !global.json {
            line(&format!("{}  {}", installed.name, installed.identity));
        }
    }
    let folder = unpack(&config)?;
    // A server that others reach reads only the folders it was given.
    if !config.server.listen.ip().is_loopback() {
        config.knowledge.local_roots.push(std::path::absolute(config.data_dir().join("demo"))?);
    }
    let lock = DataLock::acquire(config.data_dir())
        .with_context(|| format!("cannot use the data directory {}", config.data_dir().display()))?;
    let building = Building::open(config, lock).await?;
    building.repaired().iter().for_each(|text| say(&format!("repaired: {text}")));
    let client = connection::within(&building, global.project.as_deref())?;
    let (address, listening) = tokio::sync::oneshot::channel();
    let (finished, finish) = tokio::sync::oneshot::channel::<()>();
    let stop = async {
        tokio::select! {
            () = until_stopped() => {}
            _ = finish => {}
        }
    };
    let served = building.serve(
        move |bound| {
            let _ = address.send(bound);
        },
        stop,
    );
    let show = async {
        let url = reachable(listening.await.context("the server did not start")?);
        let session = Session { client, url: Some(url.clone()), json: global.json };
        let outcome = show(&session, &folder, &demo).await;
        if demo.once || outcome.is_err() {
            let _ = finished.send(());
        } else {
            say(&format!("\nthe page is at {url}; any OpenAI client works with {url}/v1 and model=\"manual\""));
            say("Ctrl-C stops");
            // Dropping the sender would stop the server.
            std::mem::forget(finished);
        }
        outcome
    };
    let (served, shown) = tokio::join!(served, show);
    shown?;
    served?;
    Ok(ExitCode::SUCCESS)
}

async fn show(session: &Session, folder: &std::path::Path, demo: &Demo) -> anyhow::Result<()> {
    say("2/4 applying examples/manual: a knowledge, and an app that quotes it");
    let reply = assets::send(session, specs::read_aside(folder, None).await?, "demo").await?;
    if !session.json {
        assets::show_plan(session, &reply);
    }
    say("3/4 ingesting the manual");
    let run = knowledge::bring_up_to_date(session, "manual", &mainspring_wire::IngestRequest::default()).await?;
    if !session.json {
        knowledge::tell(session, "manual", &run).await?;
    }
    if run.status != "succeeded" {
        let reason = run.error.and_then(|error| error.detail).unwrap_or(run.status);
        bail!("the manual could not be ingested: {reason}");
    }
    let question = demo.question.clone().unwrap_or_else(|| QUESTION.to_owned());
    say(&format!("4/4 asking: {question}\n"));
    ask::run(session, &Ask { app: "manual".to_owned(), question, seed: Some(1), max_tokens: None }).await?;
    Ok(())
}

/// Writes the manual and its specs under the data directory, where the next run finds them unchanged.
fn unpack(config: &Config) -> anyhow::Result<PathBuf> {
    let folder = config.data_dir().join("demo");
    // As in the repository: the specs name `../../docs`.
    let specs = folder.join("examples/manual");
    let write = |path: PathBuf, bytes: &[u8]| -> anyhow::Result<()> {
        if std::fs::read(&path).is_ok_and(|present| present == bytes) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    for name in Manual::iter().filter(|name| name.ends_with(".md")) {
        if let Some(file) = Manual::get(&name) {
            write(folder.join("docs").join(name.as_ref()), &file.data)?;
        }
    }
    for name in Example::iter().filter(|name| name.ends_with(".yaml")) {
        if let Some(file) = Example::get(&name) {
            write(specs.join(name.as_ref()), &file.data)?;
        }
    }
    Ok(specs)
}
