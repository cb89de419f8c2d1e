//! Taking out of a server's disk, before anything of it is brought, what was erased while the server was away.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use mainspring_catalog::Catalog;
use mainspring_kernel::{Timestamp, id::ProjectId};

use super::{
    Entering, KeepingFault, ask_in,
    model::{Erasure, ErasureId, ServerId, Subject, trace_mark},
    server::REMEMBERED_FOR,
    store::{self, Answer, Mark, Marks},
    whose::{Found, Search, Searched, Whose},
};
use crate::{
    fault::TraceFault,
    forget, hold,
    sampling::UNDECIDED,
    spill::{self, Frames, Segment, Spill},
};

/// Others may find more of an erasure while this server looks. What it has not heard of then, it hears of when it runs.
const ROUNDS: u32 = 20;

/// An erasure, what is looked for, and what was known of it before.
struct Due {
    erasure: Erasure,
    marks: Marks,
    open: bool,
}

pub(super) async fn cleanse(entering: &Entering<'_>, server: ServerId, (known, empty): (bool, bool)) -> Result<(), KeepingFault> {
    let Entering { catalog, clock, spill_dir, .. } = *entering;
    let now = clock.now();
    // Of a server that nobody knows any longer, it is not known which erasures it has heard of.
    let forgotten = !known && !empty;
    let since = now.minus(REMEMBERED_FOR);
    let mut done = store::given_up_on(catalog, server).await?;
    if forgotten {
        done.extend(store::done_since(catalog, since).await?);
    }
    for round in 0..ROUNDS {
        let owed = store::owed_by(catalog, server).await?;
        if owed.is_empty() && done.is_empty() && (round > 0 || !forgotten) {
            return Ok(());
        }
        let (mut due, mut whose) = (Vec::new(), Vec::new());
        let open = owed.into_iter().map(|erasure| (erasure, true));
        for (erasure, open) in open.chain(std::mem::take(&mut done).into_iter().map(|erasure| (erasure, false))) {
            let (of, marks) = looked_for(catalog, &erasure).await?;
            whose.push(of);
            due.push(Due { erasure, marks, open });
        }
        // Whoever still brings what lies here would bring what is about to be taken out.
        hold::others_end(spill_dir).await?;
        let (dir, whose, before) = (spill_dir.to_owned(), Arc::<[Whose]>::from(whose), forgotten.then_some(since));
        let cleansing = tokio::task::spawn_blocking(move || cleanse_disk(&dir, &whose, before)).await;
        let found = cleansing.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })??;
        for (due, found) in due.iter().zip(&found) {
            answer(entering, server, due, found, now).await?;
        }
        if due.iter().all(|due| !due.open) {
            return Ok(());
        }
    }
    Ok(())
}

/// What is looked for of an erasure. Of one that is done, and of one whose subject cannot be read, only fingerprints are known.
pub(super) async fn looked_for(catalog: &Catalog, erasure: &Erasure) -> Result<(Whose, Marks), KeepingFault> {
    let marks = store::marks(catalog, erasure.id).await?;
    let subject = erasure.subject.as_deref().and_then(|text| Subject::read(&erasure.kind, text).ok());
    let whose = match subject {
        Some(subject) => Whose::known(erasure.project, subject, marks.traces.iter().cloned().collect()),
        None => {
            let fingerprints = marks.fingerprints.iter().copied().collect();
            Whose::done(erasure.project, (erasure.kind.clone(), erasure.fingerprint), fingerprints)
        }
    };
    Ok((whose, marks))
}

/// What a server found of an erasure and nobody had found before.
pub(super) fn news(project: ProjectId, found: &Found, marks: &Marks) -> Option<Mark> {
    let traces: Vec<String> = found.traces.difference(&marks.traces).cloned().collect();
    let sessions: Vec<String> = found.sessions.difference(&marks.sessions).cloned().collect();
    let fingerprints = traces.iter().map(|trace| trace_mark(project, trace)).collect();
    let anything = !traces.is_empty() || !sessions.is_empty();
    anything.then(|| Mark { fingerprints, traces, sessions, ..Mark::default() })
}

async fn answer(
    entering: &Entering<'_>,
    server: ServerId,
    Due { erasure, marks, open }: &Due,
    found: &Found,
    now: Timestamp,
) -> Result<(), KeepingFault> {
    let Entering { catalog, jobs, ref name, .. } = *entering;
    let name = name.as_str();
    if *open {
        let answer = Answer { erasure: erasure.id, server, name, generation: marks.generation };
        let mark = news(erasure.project, found, marks);
        let mark = mark.as_ref();
        catalog
            .transact(|mut tx| async move {
                let taken = store::acknowledge(&mut tx, answer, mark, now).await?;
                Ok::<_, KeepingFault>((tx, taken))
            })
            .await?;
        return Ok(());
    }
    // Of a trace that only this disk knew to be theirs, the lake may have something.
    let people = matches!(erasure.kind.as_str(), "user" | "session");
    let unheard = |trace: &&String| people && !marks.fingerprints.contains(&trace_mark(erasure.project, trace));
    for trace in found.traces.iter().filter(unheard) {
        let (subject, id) = (&Subject::Trace(trace.clone()), ErasureId::new(now));
        catalog
            .transact(|mut tx| async move {
                ask_in(&mut tx, jobs, (id, erasure.project), subject, (now, erasure.asked_by.as_str())).await?;
                Ok::<_, KeepingFault>((tx, ()))
            })
            .await?;
    }
    Ok(store::made_good(catalog, erasure.id, (server, name), now).await?)
}

fn folders(spill_dir: &Path) -> [PathBuf; 2] {
    [spill_dir.to_owned(), spill_dir.join(UNDECIDED)]
}

/// Whether a server's disk holds no span.
pub(super) fn nothing_in(spill_dir: &Path) -> std::io::Result<bool> {
    for dir in folders(spill_dir) {
        if !spill::is_empty(&dir)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Rewrites every segment that holds something of these erasures. `before`: what was written before then is older than what
/// anybody remembers of erasures, and is moved aside.
fn cleanse_disk(spill_dir: &Path, whose: &[Whose], before: Option<Timestamp>) -> Result<Vec<Found>, TraceFault> {
    let mut spills = Vec::new();
    for dir in folders(spill_dir).iter().filter(|dir| dir.exists()) {
        let spill = Spill::open(dir, u64::MAX)?;
        if let Some(before) = before {
            set_old_aside(&spill, before)?;
        }
        spills.push(spill);
    }
    let mut search = Search::of(whose);
    for spill in &spills {
        for path in segments(spill)? {
            if let Some(segment) = read(spill, &path) {
                segment.spans.iter().for_each(|span| search.look(span));
            }
        }
    }
    let searched = search.end();
    for spill in &spills {
        for path in segments(spill)? {
            if let Some(segment) = read(spill, &path) {
                rewrite(spill, &path, segment, &searched)?;
            }
        }
        remove_aside(spill, whose)?;
    }
    Ok(searched.found)
}

fn segments(spill: &Spill) -> Result<Vec<PathBuf>, TraceFault> {
    spill.waiting().map_err(|source| TraceFault::Spill { path: "segments".into(), source })
}

/// One that cannot be read lies aside afterwards.
fn read(spill: &Spill, path: &Path) -> Option<Segment> {
    spill::read(path).unwrap_or_else(|error| {
        tracing::error!(%error, path = %path.display(), "a segment of spans cannot be read");
        spill.set_aside(path);
        None
    })
}

fn rewrite(spill: &Spill, path: &Path, mut segment: Segment, searched: &Searched) -> Result<(), TraceFault> {
    let before = segment.spans.len();
    segment.spans.retain(|span| !searched.goes.contains(&(span.project, span.trace)));
    let mut changed = segment.spans.len() != before;
    for span in segment.spans.iter_mut().filter(|span| searched.strips.contains(&(span.project, span.trace))) {
        changed |= forget::strip(span);
    }
    if segment.damaged > 0 {
        // Whatever it was, nobody can read it, and it cannot be told from what was erased.
        tracing::error!(path = %path.display(), spans = segment.damaged, "damaged spans were taken out of a segment, since something was erased meanwhile");
    }
    if !(changed || segment.damaged > 0 || segment.torn > 0) {
        return Ok(());
    }
    let rewritten = if segment.spans.is_empty() {
        std::fs::remove_file(path)
    } else {
        Frames::of(&segment.spans).and_then(|frames| spill.rewrite(path, &frames))
    };
    rewritten.map_err(|source| TraceFault::Spill { path: path.display().to_string(), source })
}

fn set_old_aside(spill: &Spill, before: Timestamp) -> Result<(), TraceFault> {
    let micros = u64::try_from(before.as_micros()).unwrap_or(0);
    let before = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
    for path in segments(spill)? {
        if path.metadata().and_then(|found| found.modified()).is_ok_and(|written| written < before) {
            spill.set_aside(&path);
        }
    }
    Ok(())
}

/// What lies aside is damaged. Where nobody knows the words any longer that stand in what was erased, all of it goes.
fn remove_aside(spill: &Spill, whose: &[Whose]) -> Result<(), TraceFault> {
    let known: Option<Vec<Vec<String>>> = whose.iter().map(Whose::words).collect();
    let known: Option<Vec<String>> = known.map(|words| words.into_iter().flatten().collect());
    let removed = spill.remove_aside(|path| known.as_ref().is_none_or(|words| spill::shows(path, words)));
    let removed = removed.map_err(|source| TraceFault::Spill { path: "aside".into(), source })?;
    if removed > 0 {
        tracing::warn!(removed, "segments that lay aside may have held what was erased; they were removed");
    }
    Ok(())
}
