//! Who may see what: as a condition of the query, and again on the way out.

use std::collections::BTreeSet;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, Labels};
use mainspring_lake::{Filter, Scalar};
use mainspring_llm::RetrieveRequest;

use crate::{
    fault::KnowledgeFault,
    model::{DocumentId, DocumentStatus},
    spec::RESERVED_KEYS,
    store::{Visible, document, held},
    table::{ChunkRow, EVERYONE, columns},
};

/// Filters of one request, all told: more come from no person.
const VALUES: usize = 1000;

/// What the actor may see. Only the actor's own labels count; a request can narrow, never widen.
pub(crate) fn labels_filter(labels: &Labels) -> Filter {
    match labels {
        Labels::All => Filter::All,
        Labels::Some(held) => {
            let mut any = vec![EVERYONE.to_owned()];
            any.extend(held.iter().filter(|label| *label != EVERYONE).cloned());
            Filter::HasAny(columns::LABELS.to_owned(), any)
        }
    }
}

/// The whole condition of a search.
pub(crate) fn filter(actor: &Actor, request: &RetrieveRequest) -> Result<Filter, KnowledgeFault> {
    let bad = |field, reason: &str| KnowledgeFault::BadRequest { field, reason: reason.to_owned() };
    let values: usize = request.metadata.values().map(Vec::len).sum();
    if values > VALUES || request.documents.len() > VALUES {
        return Err(bad("metadata", "at most 1000 values"));
    }
    let mut filter = labels_filter(&actor.labels);
    for (key, values) in &request.metadata {
        if values.is_empty() {
            return Err(bad("metadata", "a key needs at least one value"));
        }
        filter = filter.and(metadata_filter(key, values)?);
    }
    if !request.documents.is_empty() {
        let ids: Result<Vec<DocumentId>, _> = request.documents.iter().map(|id| id.parse()).collect();
        let ids = ids.map_err(|fault: crate::model::DocumentIdFault| bad("documents", &fault.to_string()))?;
        filter = filter.and(crate::table::of_documents(&ids));
    }
    Ok(filter)
}

fn metadata_filter(key: &str, values: &[String]) -> Result<Filter, KnowledgeFault> {
    if RESERVED_KEYS.contains(&key) {
        return Ok(Filter::In(key.to_owned(), values.iter().map(|value| Scalar::Text(value.clone())).collect()));
    }
    if key.is_empty() || key.contains('=') {
        let reason = "a key is not empty and holds no `=`".to_owned();
        return Err(KnowledgeFault::BadRequest { field: "metadata", reason });
    }
    let pairs = values.iter().map(|value| format!("{key}={value}")).collect();
    Ok(Filter::HasAny(columns::META.to_owned(), pairs))
}

/// Whether a row that was found may leave this process. `now` is what the catalog says of its document;
/// `pinned`: the search reads a state of the past, where documents that are gone since may still stand.
pub(crate) fn may_leave(actor: &Actor, row: &ChunkRow, now: Option<&Visible>, pinned: bool) -> bool {
    let by_row = actor.labels.may_see(&row.labels);
    let by_catalog = match now {
        Some(Visible { status: DocumentStatus::Forgotten, .. }) => false,
        // Whoever lost access since does not get it back by looking at the past.
        Some(Visible { labels, .. }) => actor.labels.may_see(labels),
        // Nor does anybody whose labels would have to be compared with those it had last.
        None => pinned && actor.labels == Labels::All,
    };
    by_row && by_catalog
}

/// Those of these documents that the actor may not read, by what the catalog says of them now.
pub(crate) async fn unreadable(
    catalog: &Catalog,
    actor: &Actor,
    mut documents: Vec<String>,
) -> Result<BTreeSet<String>, KnowledgeFault> {
    if actor.labels == Labels::All || documents.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut unreadable = BTreeSet::new();
    for key in held::of_project(catalog, actor.project).await? {
        // An id is a digest that knows its knowledge: it is found in one at most.
        let found = document::labels_of(catalog, &key, &documents).await?;
        documents.retain(|id| !found.contains_key(id));
        unreadable.extend(found.into_iter().filter(|(_, now)| !actor.labels.may_see(&now.labels)).map(|(id, _)| id));
    }
    unreadable.extend(documents);
    Ok(unreadable)
}
