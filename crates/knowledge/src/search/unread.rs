//! Whether the documents of a knowledge were ever all read, and how far that is: nothing that is found then means less.

use mainspring_kernel::{Actor, Labels, Name, id::RunId};
use mainspring_llm::{ReadSoFar, Unread, UnreadState};
use mainspring_registry::Version;

use crate::{
    fault::KnowledgeFault,
    model::{IngestRun, KnowledgeKey, Progress},
    service::Inner,
    spec::{KnowledgeSpec, SourceSpec},
    store::{self, State, held},
};

/// What is known of it without asking: every search reads the state and the spec, and runs of this process are in memory.
pub(super) fn at_hand(
    inner: &Inner,
    actor: &Actor,
    (version, spec): (&Version, &KnowledgeSpec),
    state: Option<&State>,
) -> Option<Unread> {
    let name = &version.pin.name;
    let Some(settled) = state.filter(|state| state.synced.is_some()) else {
        return Some(as_of_now(inner, actor, name, state, (UnreadState::BrokenOff, Vec::new())));
    };
    let unread = unread_sources(actor, (version, spec), settled);
    if unread.is_empty() {
        return None;
    }
    // As the page of the knowledge shows them.
    let shown = unread.iter().filter(|source| source.label_sets().all(|labels| actor.labels.may_see(labels)));
    let named = shown.map(|source| source.key()).collect();
    Some(as_of_now(inner, actor, name, state, (UnreadState::SourceUnread, named)))
}

/// Those that may give documents the actor may see. Where nobody changed the spec since, most often none is looked at.
fn unread_sources<'s>(actor: &Actor, (version, spec): (&Version, &'s KnowledgeSpec), state: &State) -> Vec<&'s SourceSpec> {
    // Of what was read before it was kept nothing is known.
    let Some(read) = &state.read_sources else { return Vec::new() };
    if state.spec == Some(version.pin.digest) && read.len() == spec.sources.len() {
        return Vec::new();
    }
    let concerns = |source: &SourceSpec| source.label_sets().any(|labels| actor.labels.may_see(labels));
    spec.sources.iter().filter(|source| concerns(source) && !read.contains(&source.mark())).collect()
}

fn as_of_now(
    inner: &Inner,
    actor: &Actor,
    name: &Name,
    state: Option<&State>,
    (at_rest, sources): (UnreadState, Vec<String>),
) -> Unread {
    // A forgetting holds it, too, under an id of another kind.
    let run = state.and_then(|state| state.held_by(inner.clock.now())).and_then(|by| by.parse::<RunId>().ok());
    Unread {
        knowledge: name.to_string(),
        state: if run.is_some() { UnreadState::UnderWay } else { at_rest },
        sources,
        documents: run.and_then(|run| inner.progress(run)).and_then(|progress| so_far(actor, &progress)),
        code: None,
    }
}

/// With what the last run left in the catalog. For those who are told that nothing was found.
pub(super) async fn looked_up(inner: &Inner, actor: &Actor, key: &KnowledgeKey, known: Unread) -> Result<Unread, KnowledgeFault> {
    if known.state == UnreadState::UnderWay && known.documents.is_some() {
        return Ok(known);
    }
    let Some(last) = store::run::latest(&inner.catalog, key).await? else {
        let nobody_began = known.state == UnreadState::BrokenOff;
        return Ok(Unread { state: if nobody_began { UnreadState::NotBegun } else { known.state }, ..known });
    };
    let so_far = || last.progress.as_ref().and_then(|progress| so_far(actor, progress));
    Ok(match known.state {
        UnreadState::NotBegun => known,
        UnreadState::UnderWay => Unread { documents: so_far(), ..known },
        UnreadState::BrokenOff => Unread { documents: so_far(), code: last.error.map(|error| error.code), ..known },
        // Counts of that run say nothing of a source that it did not read.
        UnreadState::SourceUnread => Unread { code: kept_away(actor, &known.sources, last), ..known },
    })
}

/// Why the last run read none of these sources, as far as the actor may hear of it.
fn kept_away(actor: &Actor, sources: &[String], last: IngestRun) -> Option<String> {
    let report = last.report?.visible_to(&actor.labels);
    let failures = report.failures.into_iter().map(|failure| (failure.source, failure.code));
    let warnings = report.warnings.into_iter().map(|warning| (warning.source, warning.code));
    let mut told = failures.chain(warnings);
    told.find(|(source, code)| sources.contains(source) && code.starts_with("source-")).map(|(_, code)| code)
}

/// Of a knowledge that has no table to search: `None` where it was read once, and the table is gone.
pub(crate) async fn without_table(inner: &Inner, actor: &Actor, key: &KnowledgeKey) -> Result<Option<Unread>, KnowledgeFault> {
    let state = held::find(&inner.catalog, key).await?;
    if state.as_ref().is_some_and(|state| state.synced.is_some()) {
        return Ok(None);
    }
    let known = as_of_now(inner, actor, &key.name, state.as_ref(), (UnreadState::BrokenOff, Vec::new()));
    looked_up(inner, actor, key, known).await.map(Some)
}

/// Counts are of every document, so only those who see all hear them.
fn so_far(actor: &Actor, progress: &Progress) -> Option<ReadSoFar> {
    let Progress { seen: found, to_do, done, .. } = progress;
    let told = actor.labels == Labels::All && *found > 0;
    told.then(|| ReadSoFar { read: found.saturating_sub(to_do.saturating_sub(*done)), found: *found })
}
