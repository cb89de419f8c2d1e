//! Whether the documents of a knowledge were ever all read, and how far that is: nothing that is found then means less.

use mainspring_kernel::{Actor, Labels, id::RunId};
use mainspring_llm::{ReadSoFar, Unread, UnreadState};

use crate::{
    fault::KnowledgeFault,
    model::{KnowledgeKey, Progress},
    service::Inner,
    store::{self, State, held},
};

/// What is known of it without asking: every search reads the state, and runs of this process are in memory.
pub(super) fn at_hand(inner: &Inner, actor: &Actor, key: &KnowledgeKey, state: Option<&State>) -> Option<Unread> {
    if state.is_some_and(|state| state.synced.is_some()) {
        return None;
    }
    // A forgetting holds it, too, under an id of another kind.
    let run = state.and_then(|state| state.held_by(inner.clock.now())).and_then(|by| by.parse::<RunId>().ok());
    Some(Unread {
        knowledge: key.name.to_string(),
        state: if run.is_some() { UnreadState::UnderWay } else { UnreadState::BrokenOff },
        documents: run.and_then(|run| inner.progress(run)).and_then(|progress| so_far(actor, &progress)),
        code: None,
    })
}

/// With what the last run left in the catalog. For those who are told that nothing was found.
pub(super) async fn looked_up(inner: &Inner, actor: &Actor, key: &KnowledgeKey, known: Unread) -> Result<Unread, KnowledgeFault> {
    if known.state == UnreadState::UnderWay && known.documents.is_some() {
        return Ok(known);
    }
    let Some(last) = store::run::latest(&inner.catalog, key).await? else {
        return Ok(Unread { state: UnreadState::NotBegun, ..known });
    };
    let documents = known.documents.or_else(|| last.progress.as_ref().and_then(|progress| so_far(actor, progress)));
    let code = last.error.filter(|_| known.state == UnreadState::BrokenOff).map(|error| error.code);
    Ok(Unread { documents, code, ..known })
}

/// Of a knowledge that has no table to search: `None` where it was read once, and the table is gone.
pub(crate) async fn without_table(inner: &Inner, actor: &Actor, key: &KnowledgeKey) -> Result<Option<Unread>, KnowledgeFault> {
    let state = held::find(&inner.catalog, key).await?;
    match at_hand(inner, actor, key, state.as_ref()) {
        Some(known) => looked_up(inner, actor, key, known).await.map(Some),
        None => Ok(None),
    }
}

/// Counts are of every document, so only those who see all hear them.
fn so_far(actor: &Actor, progress: &Progress) -> Option<ReadSoFar> {
    let Progress { seen: found, to_do, done, .. } = progress;
    let told = actor.labels == Labels::All && *found > 0;
    told.then(|| ReadSoFar { read: found.saturating_sub(to_do.saturating_sub(*done)), found: *found })
}
