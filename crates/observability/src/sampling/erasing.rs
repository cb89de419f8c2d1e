//! Letting go of what is held: of what was forgotten, and of what is erased, of which no file holds anything afterwards.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use mainspring_kernel::id::ProjectId;
use mainspring_llm::Span;
use tokio::sync::MutexGuard;

use super::{Key, Sampler, Waiting};
use crate::{
    fault::TraceFault,
    keeping::{Found, Search, Searched, Whose},
    spill::{self, Frames},
};

/// What was let go of.
#[derive(Debug)]
pub(crate) struct LetGo {
    /// Of each erasure.
    pub(crate) found: Vec<Found>,
    /// Spans that readers wait for in vain now.
    pub(crate) awaited: u64,
}

impl Sampler {
    /// Whoever takes traces out holds this until they are elsewhere, or back.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Lets go of the traces of a project that are held and show what is to be forgotten. Answers how many spans readers wait
    /// for in vain now.
    pub(crate) fn forget(&self, project: ProjectId, shows: impl Fn(&Span) -> bool) -> u64 {
        self.let_go_where(|waiting| waiting.key.0 == project && waiting.spans.iter().any(|held| shows(&held.span)))
    }

    fn let_go_where(&self, goes: impl Fn(&Waiting) -> bool) -> u64 {
        let mut state = self.state();
        let keys: Vec<Key> = state.traces.values().filter(|waiting| goes(waiting)).map(Waiting::key).collect();
        let mut gone: Vec<Waiting> = keys.iter().filter_map(|key| state.take(key)).collect();
        let wanted = std::mem::take(&mut state.wanted);
        let (theirs, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|waiting| goes(waiting));
        state.wanted = others;
        drop(state);
        let awaited = theirs.iter().map(|waiting| waiting.spans.len() as u64).sum();
        gone.extend(theirs);
        self.drop_all(gone, "forgotten");
        awaited
    }

    /// Lets go of the traces that erasures are about, and of nothing else, and takes them out of the files.
    pub(crate) async fn erase(self: &Arc<Self>, whose: &Arc<[Whose]>) -> Result<LetGo, TraceFault> {
        // What somebody has in hand comes to the spill or back here first.
        let _turn = self.turn().await;
        let (this, whose) = (Arc::clone(self), Arc::clone(whose));
        let erased = tokio::task::spawn_blocking(move || this.erase_now(&whose)).await;
        erased.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?
    }

    fn erase_now(&self, whose: &[Whose]) -> Result<LetGo, TraceFault> {
        let mut search = Search::of(whose);
        let mut files = Files { sampler: self, files: Vec::new() };
        let state = self.state();
        let mut named: BTreeMap<&Path, &Arc<PathBuf>> = BTreeMap::new();
        for held in state.traces.values().chain(&state.wanted).flat_map(|waiting| &waiting.spans) {
            search.look(&held.span);
            named.insert(held.file.as_path(), &held.file);
        }
        files.files.extend(named.into_values().map(Arc::clone));
        drop(state);
        // What was decided already lies in a file for as long as something is held beside it.
        let mut inside: Vec<HashSet<Key>> = Vec::with_capacity(files.files.len());
        for file in &files.files {
            let spans = read(file)?;
            spans.iter().for_each(|span| search.look(span));
            inside.push(spans.iter().map(|span| (span.project, span.trace)).collect());
        }
        let Searched { mut goes, strips, found } = search.end();
        // What is held of a trace that used a document is let go of as well.
        goes.extend(strips);
        let awaited = self.let_go_where(|waiting| goes.contains(&waiting.key));
        for file in files.files.iter().zip(&inside).filter(|(_, keys)| !keys.is_disjoint(&goes)).map(|(file, _)| file) {
            let spans = read(file)?;
            let left = spans.iter().filter(|span| !goes.contains(&(span.project, span.trace)));
            let rewritten = Frames::of(left).and_then(|frames| match self.files.get() {
                Some(files) => files.rewrite(file, &frames),
                None => Ok(()),
            });
            rewritten.map_err(|source| unusable(file, source))?;
        }
        Ok(LetGo { found, awaited })
    }

    /// Removes files that lie aside, of this folder.
    pub(crate) fn remove_aside(&self, unwanted: impl Fn(&Path) -> bool) -> std::io::Result<u64> {
        self.files.get().map_or(Ok(0), |files| files.remove_aside(unwanted))
    }

    /// Whether nothing is held on the disk.
    pub(crate) fn is_empty(&self) -> std::io::Result<bool> {
        spill::is_empty(&self.dir)
    }
}

/// Files that stay while somebody looks at them; the last who lets go of one removes it.
struct Files<'s> {
    sampler: &'s Sampler,
    files: Vec<Arc<PathBuf>>,
}

impl Drop for Files<'_> {
    fn drop(&mut self) {
        self.files.drain(..).for_each(|file| self.sampler.let_go(file));
    }
}

fn read(path: &Path) -> Result<Vec<Span>, TraceFault> {
    let segment = spill::read(path).map_err(|source| unusable(path, source))?;
    Ok(segment.map(|segment| segment.spans).unwrap_or_default())
}

fn unusable(path: &Path, source: std::io::Error) -> TraceFault {
    TraceFault::Spill { path: path.display().to_string(), source }
}
