//! `mainspring dev DIR`: serve, and apply on every save.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use mainspring_config::Config;
use mainspring_server::{Building, DataLock};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::{
    Session, assets, models,
    serve::{reachable, until_stopped},
};
use crate::{
    args::{Dev, Global},
    connection,
    output::{self, say},
    report,
    specs::{self, Spec},
};

/// An editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(200);

pub(crate) async fn run(global: &Global, config: Config, dev: Dev) -> anyhow::Result<ExitCode> {
    let lock = DataLock::acquire(config.data_dir())
        .with_context(|| format!("cannot use the data directory {}", config.data_dir().display()))?;
    let folder = Folder::of(&dev.dir, config.data_dir())?;
    if config.models.pull {
        models::pull_in_background(&config);
    }
    let building = Building::open(config, lock).await?;
    building.repaired().iter().for_each(|text| say(&format!("repaired: {text}")));
    let session = Session { client: connection::within(&building, global.project.as_deref())?, url: None, json: global.json };
    let (address, listening) = tokio::sync::oneshot::channel();
    let (changed, changes) = mpsc::channel(1);
    let watched = folder.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access() && event.paths.iter().any(|path| watched.concerns(path))) {
            let _ = changed.try_send(());
        }
    })?;
    watcher.watch(&folder.dir, RecursiveMode::Recursive).with_context(|| format!("cannot watch {}", dev.dir.display()))?;
    let served = building.serve(
        move |bound| {
            let _ = address.send(bound);
        },
        until_stopped(),
    );
    let follow = async {
        let Ok(address) = listening.await else { return std::future::pending().await };
        say(&format!("{}  applies {} on every save; Ctrl-C stops", reachable(address), dev.dir.display()));
        follow(&session, &folder, changes).await
    };
    tokio::select! {
        served = served => served?,
        () = follow => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// What is watched, and what in it is not.
#[derive(Debug, Clone)]
struct Folder {
    dir: PathBuf,
    /// The data directory, where it lies in the folder: the server's own writes are no saves.
    data: Option<PathBuf>,
}

impl Folder {
    fn of(dir: &Path, data: &Path) -> anyhow::Result<Self> {
        let dir = dir.canonicalize().with_context(|| format!("cannot read {}", dir.display()))?;
        let data = data.canonicalize().ok().filter(|data| data.starts_with(&dir) && *data != dir);
        Ok(Self { dir, data })
    }

    /// Whether a change of this path may be a change of a spec: of a file of them, or of a folder.
    fn concerns(&self, path: &Path) -> bool {
        if self.data.as_ref().is_some_and(|data| path.starts_with(data)) {
            return false;
        }
        let below = path.strip_prefix(&self.dir).unwrap_or(path);
        let hidden = below.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
        !hidden && (path.extension().is_none() || specs::is_spec(path))
    }
}

/// Applies what is there, then what is saved. What does not apply is said; the next save is another chance.
async fn follow(session: &Session, folder: &Folder, mut changes: mpsc::Receiver<()>) {
    let mut applied: Option<Vec<Spec>> = None;
    let mut said = String::new();
    loop {
        match apply(session, folder, &mut applied).await {
            Ok(()) => said.clear(),
            Err(error) => {
                let text = format!("{error:#}");
                if text != said {
                    complain(session, &error);
                }
                said = text;
            }
        }
        if changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
    }
}

async fn apply(session: &Session, folder: &Folder, applied: &mut Option<Vec<Spec>>) -> anyhow::Result<()> {
    let specs = specs::read_aside(&folder.dir, folder.data.as_deref()).await?;
    if applied.as_ref() == Some(&specs) {
        return Ok(());
    }
    let reply = assets::send(session, specs.clone(), "saved").await?;
    let first = applied.replace(specs).is_none();
    if !first && assets::changed(&reply) == 0 {
        return Ok(());
    }
    if session.json {
        output::json_line(&reply);
    } else {
        assets::show_plan(session, &reply);
    }
    Ok(())
}

fn complain(session: &Session, error: &anyhow::Error) {
    if session.json {
        output::json_line(&report::value(error));
    }
    report::failed(error, false);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_writes_and_what_is_hidden_is_no_save() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("app");
        std::fs::create_dir_all(dir.join("state")).unwrap();
        let concerns = |data: &Path, path: &str| {
            let folder = Folder::of(&dir, data).unwrap();
            folder.concerns(&folder.dir.join(path))
        };
        let inside = dir.join("state");
        for path in ["a.yaml", "sub/b.yml", "c.json", "sub", "moved-in"] {
            assert!(concerns(&inside, path), "{path}");
        }
        for path in [".mainspring/catalog.json", ".a.yaml.swp", "sub/.git/x.yaml", "notes.md", "state/x.json", "state"] {
            assert!(!concerns(&inside, path), "{path}");
        }
        // Data around the specs, or elsewhere, hides none of them.
        assert!(concerns(root.path(), "a.yaml") && concerns(&dir, "a.yaml") && concerns(Path::new("/nowhere"), "state/x.json"));
    }
}
