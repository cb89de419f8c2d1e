//! Noticing that local folders changed. Whoever wires this starts an ingestion for every notice; the
//! ingestion itself finds out what changed, so a notice that is missed or made up costs little.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::{
    source::SourceFault,
    spec::{KnowledgeSpec, SourceSpec},
};

/// Watches the folders and files of a spec; ends when dropped.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
    quiet: Duration,
}

impl Watch {
    /// `quiet`: how long nothing may change before a notice is given, so that a copy of many files is one notice.
    pub fn start(spec: &KnowledgeSpec, quiet: Duration) -> Result<Self, SourceFault> {
        // One place is enough: a notice that finds it taken says nothing new.
        let (notice, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| matters(&event)) {
                let _ = notice.try_send(());
            }
        })
        .map_err(|fault| unwatchable("", &fault))?;
        for (path, mode) in local_paths(spec) {
            watcher.watch(&path, mode).map_err(|fault| unwatchable(&path.to_string_lossy(), &fault))?;
        }
        Ok(Self { _watcher: watcher, changes, quiet })
    }

    /// Resolves when something changed and then nothing did for a while.
    pub async fn changed(&mut self) -> Option<()> {
        self.changes.recv().await?;
        // However long it goes on, a notice is due some time.
        let latest = tokio::time::Instant::now() + self.quiet * 20;
        while let Ok(Some(())) = tokio::time::timeout(self.quiet, self.changes.recv()).await {
            if tokio::time::Instant::now() >= latest {
                break;
            }
        }
        Some(())
    }
}

fn matters(event: &Event) -> bool {
    matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Any)
}

fn local_paths(spec: &KnowledgeSpec) -> Vec<(PathBuf, RecursiveMode)> {
    let mut paths = Vec::new();
    for source in &spec.sources {
        match source {
            SourceSpec::Folder(folder) => paths.push((PathBuf::from(&folder.path), RecursiveMode::Recursive)),
            // Editors replace files instead of writing into them, so the folder is what has to be watched.
            SourceSpec::Files(files) => paths.extend(files.paths.iter().map(|file| {
                let parent = Path::new(file).parent().filter(|parent| !parent.as_os_str().is_empty());
                (parent.unwrap_or(Path::new(".")).to_owned(), RecursiveMode::NonRecursive)
            })),
            SourceSpec::Web(_) | SourceSpec::Git(_) | SourceSpec::S3(_) => {}
        }
    }
    paths
}

fn unwatchable(path: &str, fault: &notify::Error) -> SourceFault {
    SourceFault::Unusable { place: path.to_owned(), reason: format!("it cannot be watched: {fault}") }
}
