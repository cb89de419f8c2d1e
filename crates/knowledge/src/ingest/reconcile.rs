//! Before a run: does the table hold what the catalog says it holds? Asked when the last run did not
//! end, or when the table is not the one the last run left, as after a repair.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_catalog::CatalogFault;
use mainspring_lake::{Filter, LakeFault, LakeVersion, Scan, Table};

use super::{hold::Hold, patience::patiently, run::Target};
use crate::{
    fault::KnowledgeFault,
    service::Inner,
    store::document,
    table::{Reader, columns},
};

const AT_ONCE: usize = 500;

/// Takes out what the catalog does not know of, and marks what is missing as not done.
pub(super) async fn reconcile(inner: &Inner, hold: &Hold, target: &Target) -> Result<(), KnowledgeFault> {
    let (table, settled) = (target.table.as_ref(), target.settled.as_ref());
    if !target.unsettled && patiently(inner, || is_where_left(table, settled)).await? {
        return Ok(());
    }
    let held = patiently(inner, || chunks_by_document(table)).await?;
    let expected = document::rows_of_table(&inner.catalog, &target.row.table).await?;
    let (strays, lost) = compare(&held, &expected);
    if strays.is_empty() && lost.is_empty() {
        return Ok(());
    }
    tracing::warn!(
        knowledge = %hold.key().name, strays = strays.len(), lost = lost.len(),
        "the table and the catalog disagree; the documents concerned are written again"
    );
    for some in strays.chunks(AT_ONCE) {
        let delete = Filter::any_of(columns::DOCUMENT, some.iter().map(String::as_str));
        patiently(inner, || async { Ok(table.replace(delete.clone(), None).await?) }).await?;
    }
    let reset: BTreeSet<&String> = strays.iter().chain(&lost).collect();
    let reset: Vec<&String> = reset.into_iter().collect();
    for some in reset.chunks(AT_ONCE) {
        inner
            .catalog
            .transact::<(), CatalogFault, _>(|mut tx| async move {
                for id in some {
                    document::reset_rows(&mut tx, &target.row.table, id).await?;
                }
                Ok((tx, ()))
            })
            .await?;
    }
    Ok(())
}

/// Upkeep makes newer versions of the same rows; an older number, or another transaction under the same
/// one, means that commits were lost.
async fn is_where_left(table: &dyn Table, settled: Option<&LakeVersion>) -> Result<bool, KnowledgeFault> {
    let Some(settled) = settled else { return Ok(true) };
    let now = table.version().await?;
    if now == *settled {
        return Ok(true);
    }
    if now.number <= settled.number {
        return Ok(false);
    }
    match table.at(settled).await {
        Ok(_) => Ok(true),
        Err(LakeFault::NoVersion { .. }) => Ok(false),
        Err(fault) => Err(fault.into()),
    }
}

pub(crate) async fn chunks_by_document(table: &dyn Table) -> Result<BTreeMap<String, u64>, KnowledgeFault> {
    let mut held = BTreeMap::new();
    for batch in table.scan(Scan::of(Filter::All).columns(&[columns::DOCUMENT])).await? {
        for id in Reader::new(&batch, table.name().as_str()).column_of_texts(columns::DOCUMENT)?.iter().flatten() {
            match held.get_mut(id) {
                Some(count) => *count += 1,
                None => {
                    held.insert(id.to_owned(), 1);
                }
            }
        }
    }
    Ok(held)
}

/// Documents whose rows are in the table and should not be so, and those whose rows should be there.
pub(super) fn compare(held: &BTreeMap<String, u64>, expected: &BTreeMap<String, u64>) -> (Vec<String>, Vec<String>) {
    let strays = held.iter().filter(|(id, count)| expected.get(*id) != Some(count));
    let lost = expected.iter().filter(|(id, count)| **count > 0 && held.get(*id) != Some(count));
    (strays.map(|(id, _)| id.clone()).collect(), lost.map(|(id, _)| id.clone()).collect())
}
