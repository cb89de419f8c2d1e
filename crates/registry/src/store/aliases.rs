//! Aliases and their moves.

use mainspring_catalog::{CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Name, Timestamp,
    id::{AssetId, PrincipalId, ProjectId},
};

use super::Reads;
use crate::model::{Alias, AliasMove};

const LIST: &str = "SELECT l.name, l.number, l.updated, l.updated_by, v.digest FROM alias l \
    JOIN asset_version v ON v.asset = l.asset AND v.number = l.number WHERE l.asset = $1 ORDER BY l.name LIMIT 1000";
const LIST_ALL: &str = "SELECT l.asset, l.name, l.number, l.updated, l.updated_by, v.digest FROM alias l \
    JOIN asset a ON a.id = l.asset JOIN asset_version v ON v.asset = l.asset AND v.number = l.number \
    WHERE a.project = $1 ORDER BY l.asset, l.name LIMIT 10000";
const FIND: &str = "SELECT number FROM alias WHERE asset = $1 AND name = $2";
const INSERT: &str = "INSERT INTO alias (asset, name, number, updated, updated_by) VALUES ($1, $2, $3, $4, $5)";
const UPDATE: &str = "UPDATE alias SET number = $3, updated = $4, updated_by = $5 WHERE asset = $1 AND name = $2";
const DELETE: &str = "DELETE FROM alias WHERE asset = $1 AND name = $2";
const LAST_MOVE: &str = "SELECT MAX(ordinal) AS last FROM alias_move WHERE asset = $1 AND name = $2";
const INSERT_MOVE: &str = "INSERT INTO alias_move \
    (asset, name, ordinal, from_number, to_number, moved, moved_by, message) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const MOVES: &str = "SELECT ordinal, from_number, to_number, moved, moved_by, message FROM alias_move \
    WHERE asset = $1 AND name = $2 AND (CAST($3 AS BIGINT) IS NULL OR ordinal < $3) ORDER BY ordinal DESC LIMIT $4";

pub(super) const STATEMENTS: &[&str] = &[LIST, LIST_ALL, FIND, INSERT, UPDATE, DELETE, LAST_MOVE, INSERT_MOVE, MOVES];

impl Reads<'_> {
    pub(crate) async fn aliases(&mut self, asset: AssetId) -> Result<Vec<Alias>, CatalogFault> {
        let rows = self.query(LIST, params![asset]).await?;
        rows.iter().map(read_alias).collect()
    }

    pub(crate) async fn project_aliases(&mut self, project: ProjectId) -> Result<Vec<(AssetId, Alias)>, CatalogFault> {
        let rows = self.query(LIST_ALL, params![project]).await?;
        rows.iter().map(|row| Ok((row.parse("asset")?, read_alias(row)?))).collect()
    }

    pub(crate) async fn alias_moves(
        &mut self,
        asset: AssetId,
        alias: &Name,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Vec<AliasMove>, CatalogFault> {
        let rows = self.query(MOVES, params![asset, alias, before, limit]).await?;
        rows.iter().map(read_move).collect()
    }
}

fn read_alias(row: &Row) -> Result<Alias, CatalogFault> {
    Ok(Alias {
        name: row.parse("name")?,
        number: row.number("number")?,
        digest: row.parse("digest")?,
        updated: row.time("updated")?,
        updated_by: row.parse("updated_by")?,
    })
}

fn read_move(row: &Row) -> Result<AliasMove, CatalogFault> {
    let version = |column: &str| row.opt_int(column)?.map(|_| row.number(column)).transpose();
    Ok(AliasMove {
        ordinal: row.number("ordinal")?,
        from: version("from_number")?,
        to: version("to_number")?,
        moved: row.time("moved")?,
        moved_by: row.parse("moved_by")?,
        message: row.text("message")?.to_owned(),
    })
}

pub(crate) async fn find_alias(tx: &mut Tx, asset: AssetId, alias: &Name) -> Result<Option<u32>, CatalogFault> {
    let rows = tx.query(FIND, params![asset, alias]).await?;
    rows.first().map(|row| row.number("number")).transpose()
}

/// One move of one alias: who, when and why.
pub(crate) struct Move<'m> {
    pub(crate) asset: AssetId,
    pub(crate) alias: &'m Name,
    pub(crate) from: Option<u32>,
    pub(crate) to: Option<u32>,
    pub(crate) now: Timestamp,
    pub(crate) by: PrincipalId,
    pub(crate) message: &'m str,
}

/// Makes the move and records it.
pub(crate) async fn move_alias(tx: &mut Tx, step: Move<'_>) -> Result<(), CatalogFault> {
    let Move { asset, alias, from, to, now, by, message } = step;
    match (from, to) {
        (_, None) => tx.execute(DELETE, params![asset, alias]).await?,
        (None, Some(to)) => tx.execute(INSERT, params![asset, alias, to, now, by]).await?,
        (Some(_), Some(to)) => tx.execute(UPDATE, params![asset, alias, to, now, by]).await?,
    };
    let rows = tx.query(LAST_MOVE, params![asset, alias]).await?;
    let last = rows.first().map(|row| row.opt_int("last")).transpose()?.flatten().unwrap_or(0);
    tx.execute(INSERT_MOVE, params![asset, alias, last + 1, from, to, now, by, message]).await.map(drop)
}
