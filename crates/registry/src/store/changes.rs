//! Moves and versions by time.

use mainspring_catalog::{CatalogFault, Row, params};
use mainspring_kernel::{AssetKind, Timestamp, id::ProjectId};

use super::Reads;
use crate::changes::Changed;

/// `$4` is the kinds, each between commas: a static statement has no lists.
const MOVED: &str = "SELECT a.kind, a.name, m.name AS alias, m.from_number, m.to_number, m.moved AS happened, \
    m.moved_by AS principal, m.message FROM alias_move m JOIN asset a ON a.id = m.asset \
    WHERE a.project = $1 AND m.moved > $2 AND m.moved <= $3 AND REPLACE($4, ',' || a.kind || ',', '') <> $4 \
    ORDER BY m.moved DESC, a.id, m.ordinal DESC LIMIT $5";
const MADE: &str = "SELECT a.kind, a.name, CAST(NULL AS TEXT) AS alias, CAST(NULL AS BIGINT) AS from_number, \
    v.number AS to_number, v.created AS happened, v.author AS principal, v.message \
    FROM asset_version v JOIN asset a ON a.id = v.asset \
    WHERE a.project = $1 AND v.created > $2 AND v.created <= $3 AND REPLACE($4, ',' || a.kind || ',', '') <> $4 \
    ORDER BY v.created DESC, a.id, v.number DESC LIMIT $5";

pub(super) const STATEMENTS: &[&str] = &[MOVED, MADE];

impl Reads<'_> {
    pub(crate) async fn moved_between(
        &mut self,
        project: ProjectId,
        (since, until): (Timestamp, Timestamp),
        (kinds, limit): (&[AssetKind], usize),
    ) -> Result<Vec<Changed>, CatalogFault> {
        self.query(MOVED, params![project, since, until, listed(kinds), limit]).await?.iter().map(read).collect()
    }

    pub(crate) async fn made_between(
        &mut self,
        project: ProjectId,
        (since, until): (Timestamp, Timestamp),
        (kinds, limit): (&[AssetKind], usize),
    ) -> Result<Vec<Changed>, CatalogFault> {
        self.query(MADE, params![project, since, until, listed(kinds), limit]).await?.iter().map(read).collect()
    }
}

fn listed(kinds: &[AssetKind]) -> String {
    kinds.iter().fold(",".to_owned(), |listed, kind| format!("{listed},{kind},"))
}

fn read(row: &Row) -> Result<Changed, CatalogFault> {
    let number = |column: &str| row.opt_int(column)?.map(|_| row.number(column)).transpose();
    Ok(Changed {
        kind: row.parse("kind")?,
        name: row.parse("name")?,
        alias: row.opt_parse("alias")?,
        from: number("from_number")?,
        to: number("to_number")?,
        at: row.time("happened")?,
        by: row.parse("principal")?,
        message: row.text("message")?.to_owned(),
    })
}
