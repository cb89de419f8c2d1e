//! Documents that are gone from their source, or were moved in it: what older states and kept texts still show of them is
//! found, so that it can be forgotten.

use std::collections::BTreeSet;

use mainspring_kernel::{Actor, Digest, Labels, Timestamp};
use mainspring_lake::{LakeFault, Scan, Table};
use serde::{Deserialize, Serialize};

use crate::{
    fault::KnowledgeFault,
    model::{DocumentId, DocumentStatus, KnowledgeKey},
    service::Inner,
    store::{Gone, document, gone_document, held},
    table::{self, Reader, columns},
};

/// An id that a document had before it was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Former {
    pub document: DocumentId,
    /// The id it had next.
    pub became: DocumentId,
    /// When it was gone from there.
    pub gone: Timestamp,
    /// Another document has the id by now, or had it since: only older states are meant.
    pub outlived: bool,
}

/// What a tombstone says, of a document that the catalog has no row of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stone {
    pub document: DocumentId,
    pub source: String,
    pub labels: Vec<String>,
}

impl Stone {
    fn of(gone: &Gone) -> Self {
        Self { document: gone.id.clone(), source: gone.source.clone(), labels: gone.labels.clone() }
    }
}

/// A document that can be forgotten, with all it was before it was moved.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub document: DocumentId,
    /// Those it has and had, under whichever id.
    pub texts: Vec<Digest>,
    pub former: Vec<Former>,
    pub stones: Vec<Stone>,
}

/// Which document is meant by an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// The one that was moved from there, if it was.
    Moved,
    /// What was there, and no more: wherever it was moved, it is not of this source.
    There,
}

/// Nothing where there is none that the actor may know of.
pub(crate) async fn find(
    inner: &Inner,
    actor: &Actor,
    key: &KnowledgeKey,
    (given, means): (&DocumentId, Means),
) -> Result<Option<Found>, KnowledgeFault> {
    let Some(newest) = newest(inner, actor, key, (given, means)).await? else { return Ok(None) };
    let Newest { document, parsed, stone, later } = newest;
    let mut texts = document::released_by(&inner.catalog, &document).await?;
    texts.extend(parsed);
    for Former { document, gone, .. } in &later {
        texts.extend(document::released_by_until(&inner.catalog, document, *gone).await?);
    }
    let mut found = Found { document, texts, former: later, stones: stone.into_iter().collect() };
    formers(inner, key, &mut found).await?;
    Ok(Some(found))
}

/// A document under the id that it has now, or had last.
struct Newest {
    document: DocumentId,
    parsed: Option<Digest>,
    stone: Option<Stone>,
    /// Ids that it had after that one, and that another document has by now.
    later: Vec<Former>,
}

async fn newest(
    inner: &Inner,
    actor: &Actor,
    key: &KnowledgeKey,
    (given, means): (&DocumentId, Means),
) -> Result<Option<Newest>, KnowledgeFault> {
    let catalog = &inner.catalog;
    let (mut last, mut at, mut came): (Option<Newest>, DocumentId, Option<Timestamp>) = (None, given.clone(), None);
    // It may have been moved several times, and back: from each place later than to it.
    loop {
        let now = document::get(catalog, key, None, &at).await?;
        let lives = match (&now, came) {
            // The one that has the id is meant.
            (Some(_), None) => Vec::new(),
            _ => gone_document::lives(catalog, key, &at).await?,
        };
        // Where it was moved it may have gone since, and another have come.
        let life = came.map_or(lives.first(), |came| lives.iter().rev().find(|life| life.at > came));
        let Some(gone) = life else {
            let Some(found) = now else { break };
            let is_there = found.status != DocumentStatus::Forgotten && actor.labels.may_see(&found.labels);
            // Where it went the actor sees nothing: what is left from before is theirs.
            let there = Newest { document: at, parsed: found.parsed, stone: None, later: Vec::new() };
            return Ok(if is_there { Some(there) } else { last });
        };
        if !actor.labels.may_see(&gone.labels) {
            break;
        }
        let is_anothers = now.is_some() || lives.first().is_some_and(|latest| latest.at > gone.at);
        if is_anothers && let Some(before) = &mut last {
            let became = before.later.last().map_or(&before.document, |later| &later.document).clone();
            before.later.push(Former { document: at, became, gone: gone.at, outlived: true });
        } else {
            last = Some(Newest { document: at, parsed: None, stone: Some(Stone::of(gone)), later: Vec::new() });
        }
        match &gone.moved_to {
            Some(next) if means == Means::Moved => (at, came) = (next.clone(), Some(gone.at)),
            _ => break,
        }
    }
    // Whoever does not see everything would have to be asked for labels that nobody knows.
    if last.is_some() || actor.labels != Labels::All {
        return Ok(last);
    }
    let stone = in_states(inner, key, given).await?;
    Ok(stone.map(|stone| Newest { document: given.clone(), parsed: None, stone: Some(stone), later: Vec::new() }))
}

/// Everything that was moved and is this document now, however often.
async fn formers(inner: &Inner, key: &KnowledgeKey, found: &mut Found) -> Result<(), KnowledgeFault> {
    let catalog = &inner.catalog;
    let mut passed = BTreeSet::from([found.document.clone()]);
    let mut open: Vec<(DocumentId, Option<Timestamp>)> = vec![(found.document.clone(), None)];
    while let Some((became, until)) = open.pop() {
        for gone in gone_document::became(catalog, key, &became).await? {
            // What came there later is another document's.
            if until.is_some_and(|until| gone.at > until) || !passed.insert(gone.id.clone()) {
                continue;
            }
            let outlived = document::get(catalog, key, None, &gone.id).await?.is_some()
                || gone_document::lives(catalog, key, &gone.id).await?.first().is_some_and(|last| last.at > gone.at);
            if outlived {
                found.texts.extend(document::released_by_until(catalog, &gone.id, gone.at).await?);
            } else {
                found.texts.extend(document::released_by(catalog, &gone.id).await?);
                found.stones.push(Stone::of(&gone));
            }
            open.push((gone.id.clone(), outlived.then_some(gone.at)));
            found.former.push(Former { document: gone.id, became: became.clone(), gone: gone.at, outlived });
        }
    }
    Ok(())
}

/// What a state that is kept says of a document that the catalog knows nothing of: it went before that was noted.
async fn in_states(inner: &Inner, key: &KnowledgeKey, id: &DocumentId) -> Result<Option<Stone>, KnowledgeFault> {
    for row in held::tables(&inner.catalog, key).await? {
        let table = match inner.lake.open_existing(&row.table).await {
            Ok(table) => table,
            Err(LakeFault::NoTable { .. }) => continue,
            Err(fault) => return Err(fault.into()),
        };
        if let Some(stone) = in_state(table.as_ref(), id).await? {
            return Ok(Some(stone));
        }
        let mut tags = table.tags().await?;
        tags.sort_by_key(|(_, version)| std::cmp::Reverse(version.number));
        for (_, version) in tags {
            if let Some(stone) = in_state(table.at(&version).await?.as_ref(), id).await? {
                return Ok(Some(stone));
            }
        }
    }
    Ok(None)
}

async fn in_state(state: &dyn Table, id: &DocumentId) -> Result<Option<Stone>, KnowledgeFault> {
    let scan = Scan::of(table::of_documents([id])).columns(&columns::SHOWN).limit(1);
    for batch in state.scan(scan).await? {
        if let Some(row) = Reader::new(&batch, state.name().as_str()).rows()?.pop() {
            return Ok(Some(Stone { document: id.clone(), source: row.source, labels: row.labels }));
        }
    }
    Ok(None)
}
