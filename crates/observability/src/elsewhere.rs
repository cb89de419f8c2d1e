//! Spans that came in at another server, for whoever looks on here.
//!
//! Servers share the lake and nothing faster. While somebody looks on, its version is asked for once a second, and what
//! began lately is compared with what was told already when it has moved.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use arrow_array::RecordBatch;
use mainspring_kernel::{Clock, Stop, id::ProjectId};
use mainspring_lake::{Filter, LakeVersion, Scan, Table};

use crate::{
    conventions::counted::Id,
    fault::TraceFault,
    table::{Rows, SPAN},
    tail::Board,
};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// In micros: of spans that began longer ago when they come, nobody is told. So few of the table's files are read.
const BEGAN_WITHIN: i64 = 120_000_000;
/// The clocks of others may be ahead by so much.
const AHEAD: i64 = 60_000_000;
/// So many spans are compared at most; where more began lately, readers hear that they missed some.
pub(crate) const COMPARED_MAX: usize = 100_000;
/// Spans that are read and told at once.
const GROUP_MAX: usize = 500;

/// Tells of others' spans until the server stops.
pub(crate) async fn look_on(table: Arc<dyn Table>, board: Board, clock: Arc<dyn Clock>, stop: Stop) {
    let mut looking: Option<Looking> = None;
    while stop.sleep(LOOK_EVERY).await {
        let ours = board.take_ours();
        let Some(since) = board.read_since() else {
            looking = None;
            continue;
        };
        let looking = looking.get_or_insert_with(|| Looking { since, ..Looking::default() });
        looking.told.extend(ours);
        if let Err(fault) = looking.look(table.as_ref(), &board, clock.now().as_micros()).await {
            tracing::debug!(%fault, "spans of other servers could not be looked for");
        }
    }
}

#[derive(Debug, Default)]
struct Looking {
    /// Whoever looks on has done so since then: what began before and is there at the first look is nothing new.
    since: i64,
    version: Option<LakeVersion>,
    /// When each began.
    told: HashMap<Id, i64>,
}

impl Looking {
    async fn look(&mut self, table: &dyn Table, board: &Board, now: i64) -> Result<(), TraceFault> {
        let from = now.saturating_sub(BEGAN_WITHIN);
        self.told.retain(|_, start| *start >= from);
        let version = table.version().await?;
        if self.version.as_ref() == Some(&version) {
            return Ok(());
        }
        let until = Filter::LtEq("start".into(), now.saturating_add(AHEAD).into());
        let lately = Filter::GtEq("start".into(), from.into()).and(until);
        let scan = Scan::of(lately.clone()).columns(&["project", "trace", "span", "start"]).limit(COMPARED_MAX + 1);
        let found = table.scan(scan).await?;
        // This server tells of its spans before it brings them: what was found of them has been told by now.
        self.told.extend(board.take_ours());
        if found.iter().map(RecordBatch::num_rows).sum::<usize>() > COMPARED_MAX {
            board.tell_missed(projects(&found)?);
            // As if they had begun to look on now.
            *self = Self { since: now, ..Self::default() };
            return Ok(());
        }
        let unheard = self.unheard(&found)?;
        for group in unheard.chunks(GROUP_MAX) {
            tell(table, board, group, &lately).await?;
            self.told.extend(group.iter().copied());
        }
        self.version = Some(version);
        Ok(())
    }

    /// Those that nobody has been told of. At the first look, what was there before anybody looked on counts as told.
    fn unheard(&mut self, found: &[RecordBatch]) -> Result<Vec<(Id, i64)>, TraceFault> {
        let (mut unheard, first) = (Vec::new(), self.version.is_none());
        for batch in found {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                let (id, start) = (rows.id(row)?, rows.number("start", row)?.unwrap_or_default());
                if first && start < self.since {
                    self.told.insert(id, start);
                } else if !self.told.contains_key(&id) {
                    unheard.push((id, start));
                }
            }
        }
        Ok(unheard)
    }
}

async fn tell(table: &dyn Table, board: &Board, group: &[(Id, i64)], lately: &Filter) -> Result<(), TraceFault> {
    let wanted: HashMap<Id, i64> = group.iter().copied().collect();
    let traces: BTreeSet<String> = wanted.keys().map(|(_, trace, _)| trace.to_string()).collect();
    let spans: BTreeSet<String> = wanted.keys().map(|(_, _, span)| span.to_string()).collect();
    let these = Filter::any_of("trace", traces).and(Filter::any_of("span", spans)).and(lately.clone());
    let mut read = Vec::with_capacity(group.len());
    for batch in table.scan(Scan::of(these).columns(&SPAN)).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            if wanted.contains_key(&rows.id(row)?) {
                read.push(rows.span(row)?);
            }
        }
    }
    read.sort_by_key(|span| span.start);
    board.tell_others(&read);
    Ok(())
}

fn projects(found: &[RecordBatch]) -> Result<BTreeSet<ProjectId>, TraceFault> {
    let mut projects = BTreeSet::new();
    for batch in found {
        for row in 0..batch.num_rows() {
            projects.insert(Rows(batch).id(row)?.0);
        }
    }
    Ok(projects)
}
