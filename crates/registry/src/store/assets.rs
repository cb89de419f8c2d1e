//! Assets, versions and the references between them.

use mainspring_catalog::{CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    AssetKind, AssetRef, Digest, Name, Timestamp,
    id::{AssetId, PrincipalId, ProjectId},
};
use serde_json::Value;

use super::Reads;
use crate::model::{Asset, Pin, ResolvedReference, VersionSummary};

const FIND: &str = "SELECT a.id, a.latest, v.digest FROM asset a \
    JOIN asset_version v ON v.asset = a.id AND v.number = a.latest \
    WHERE a.project = $1 AND a.kind = $2 AND a.name = $3";
const NAMES: &str = "SELECT name FROM asset WHERE project = $1 AND kind = $2 ORDER BY name LIMIT 10000";
const LIST: &str = "SELECT a.id, a.kind, a.name, a.latest, a.created, a.updated, v.digest, v.description FROM asset a \
    JOIN asset_version v ON v.asset = a.id AND v.number = a.latest \
    WHERE a.project = $1 AND (CAST($2 AS TEXT) IS NULL OR a.kind = $2) \
    AND (CAST($3 AS TEXT) IS NULL OR (a.kind, a.name) > ($3, $4)) ORDER BY a.kind, a.name LIMIT $5";
const BY_NUMBER: &str = "SELECT number, digest FROM asset_version WHERE asset = $1 AND number = $2";
const BY_DIGEST: &str = "SELECT number, digest FROM asset_version WHERE asset = $1 AND digest = $2 ORDER BY number DESC LIMIT 1";
const BY_ALIAS: &str = "SELECT v.number, v.digest FROM alias l \
    JOIN asset_version v ON v.asset = l.asset AND v.number = l.number WHERE l.asset = $1 AND l.name = $2";
const VERSION: &str = "SELECT number, digest, description, spec, author, message, created FROM asset_version \
    WHERE asset = $1 AND number = $2";
const HISTORY: &str = "SELECT number, digest, description, author, message, created FROM asset_version \
    WHERE asset = $1 AND (CAST($2 AS BIGINT) IS NULL OR number < $2) ORDER BY number DESC LIMIT $3";
const REFERENCES: &str = "SELECT r.path, r.kind, r.target, r.to_number, r.to_digest, t.name FROM asset_reference r \
    JOIN asset t ON t.id = r.to_asset WHERE r.asset = $1 AND r.number = $2 ORDER BY r.ordinal";
const USED_BY: &str = "SELECT a.kind, a.name, v.number, v.digest, r.path FROM asset_reference r \
    JOIN asset a ON a.id = r.asset JOIN asset_version v ON v.asset = r.asset AND v.number = r.number \
    WHERE r.to_asset = $1 AND r.to_number = $2 \
    AND (CAST($3 AS TEXT) IS NULL OR (a.kind, a.name, v.number, r.path) > ($3, $4, $5, $6)) \
    ORDER BY a.kind, a.name, v.number, r.path LIMIT $7";
const INSERT_ASSET: &str = "INSERT INTO asset (id, project, kind, name, latest, created, updated) \
    VALUES ($1, $2, $3, $4, 1, $5, $5)";
const ADVANCE_ASSET: &str = "UPDATE asset SET latest = $2, updated = $3 WHERE id = $1";
const INSERT_VERSION: &str = "INSERT INTO asset_version \
    (asset, number, digest, description, spec, author, message, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const INSERT_REFERENCE: &str = "INSERT INTO asset_reference \
    (asset, number, ordinal, path, kind, target, to_asset, to_number, to_digest) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

pub(super) const STATEMENTS: &[&str] = &[
    FIND,
    NAMES,
    LIST,
    BY_NUMBER,
    BY_DIGEST,
    BY_ALIAS,
    VERSION,
    HISTORY,
    REFERENCES,
    USED_BY,
    INSERT_ASSET,
    ADVANCE_ASSET,
    INSERT_VERSION,
    INSERT_REFERENCE,
];

/// An asset's identity and its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) id: AssetId,
    pub(crate) number: u32,
    pub(crate) digest: Digest,
}

/// A version as it is written.
pub(crate) struct VersionRow<'v> {
    pub(crate) asset: AssetId,
    pub(crate) number: u32,
    pub(crate) digest: Digest,
    pub(crate) description: Option<&'v str>,
    pub(crate) spec: &'v str,
    pub(crate) author: PrincipalId,
    pub(crate) message: &'v str,
    pub(crate) created: Timestamp,
}

/// Which version of a known asset.
pub(crate) enum Which<'w> {
    Number(u32),
    Digest(&'w Digest),
    Alias(&'w Name),
}

impl Reads<'_> {
    pub(crate) async fn find_asset(
        &mut self,
        project: ProjectId,
        kind: AssetKind,
        name: &Name,
    ) -> Result<Option<Current>, CatalogFault> {
        let row = self.first(FIND, params![project, kind, name]).await?;
        row.map(|row| Ok(Current { id: row.parse("id")?, number: row.number("latest")?, digest: row.parse("digest")? }))
            .transpose()
    }

    pub(crate) async fn asset_names(&mut self, project: ProjectId, kind: AssetKind) -> Result<Vec<String>, CatalogFault> {
        let rows = self.query(NAMES, params![project, kind]).await?;
        rows.iter().map(|row| row.text("name").map(str::to_owned)).collect()
    }

    pub(crate) async fn list_assets(
        &mut self,
        project: ProjectId,
        kind: Option<AssetKind>,
        after: Option<(AssetKind, Name)>,
        limit: usize,
    ) -> Result<Vec<Asset>, CatalogFault> {
        let (after_kind, after_name) = after.unzip();
        let rows = self.query(LIST, params![project, kind, after_kind, after_name, limit]).await?;
        rows.iter().map(read_asset).collect()
    }

    pub(crate) async fn find_version(&mut self, asset: AssetId, which: Which<'_>) -> Result<Option<(u32, Digest)>, CatalogFault> {
        let row = match which {
            Which::Number(number) => self.first(BY_NUMBER, params![asset, number]).await?,
            Which::Digest(digest) => self.first(BY_DIGEST, params![asset, digest]).await?,
            Which::Alias(alias) => self.first(BY_ALIAS, params![asset, alias]).await?,
        };
        row.map(|row| Ok((row.number("number")?, row.parse("digest")?))).transpose()
    }

    pub(crate) async fn read_version(
        &mut self,
        asset: AssetId,
        number: u32,
    ) -> Result<Option<(VersionSummary, Value)>, CatalogFault> {
        let row = self.first(VERSION, params![asset, number]).await?;
        row.map(|row| Ok((read_summary(&row)?, row.json("spec")?))).transpose()
    }

    pub(crate) async fn history(
        &mut self,
        asset: AssetId,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Vec<VersionSummary>, CatalogFault> {
        let rows = self.query(HISTORY, params![asset, before, limit]).await?;
        rows.iter().map(read_summary).collect()
    }

    pub(crate) async fn references(&mut self, asset: AssetId, number: u32) -> Result<Vec<ResolvedReference>, CatalogFault> {
        let rows = self.query(REFERENCES, params![asset, number]).await?;
        rows.iter().map(read_reference).collect()
    }

    pub(crate) async fn used_by(
        &mut self,
        asset: AssetId,
        number: u32,
        after: Option<(AssetKind, Name, u32, String)>,
        limit: usize,
    ) -> Result<Vec<(Pin, String)>, CatalogFault> {
        let (kind, name, version, path) = match after {
            Some((kind, name, version, path)) => (Some(kind), Some(name), Some(version), Some(path)),
            None => (None, None, None, None),
        };
        let rows = self.query(USED_BY, params![asset, number, kind, name, version, path, limit]).await?;
        rows.iter()
            .map(|row| {
                let pin = Pin {
                    kind: row.parse("kind")?,
                    name: row.parse("name")?,
                    number: row.number("number")?,
                    digest: row.parse("digest")?,
                };
                Ok((pin, row.text("path")?.to_owned()))
            })
            .collect()
    }
}

fn read_asset(row: &Row) -> Result<Asset, CatalogFault> {
    Ok(Asset {
        id: row.parse("id")?,
        kind: row.parse("kind")?,
        name: row.parse("name")?,
        latest: row.number("latest")?,
        digest: row.parse("digest")?,
        description: row.opt_text("description")?.map(str::to_owned),
        created: row.time("created")?,
        updated: row.time("updated")?,
        aliases: Vec::new(),
    })
}

fn read_summary(row: &Row) -> Result<VersionSummary, CatalogFault> {
    Ok(VersionSummary {
        number: row.number("number")?,
        digest: row.parse("digest")?,
        description: row.opt_text("description")?.map(str::to_owned),
        author: row.parse("author")?,
        message: row.text("message")?.to_owned(),
        created: row.time("created")?,
    })
}

fn read_reference(row: &Row) -> Result<ResolvedReference, CatalogFault> {
    let kind: AssetKind = row.parse("kind")?;
    let target: AssetRef = row.parse("target")?;
    let pin = Pin { kind, name: row.parse("name")?, number: row.number("to_number")?, digest: row.parse("to_digest")? };
    Ok(ResolvedReference { path: row.text("path")?.to_owned(), kind, target, pin })
}

pub(crate) async fn insert_asset(
    tx: &mut Tx,
    project: ProjectId,
    (id, kind, name): (AssetId, AssetKind, &Name),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    tx.execute(INSERT_ASSET, params![id, project, kind, name, now]).await.map(drop)
}

pub(crate) async fn advance_asset(tx: &mut Tx, asset: AssetId, number: u32, now: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(ADVANCE_ASSET, params![asset, number, now]).await.map(drop)
}

pub(crate) async fn insert_version(tx: &mut Tx, row: VersionRow<'_>) -> Result<(), CatalogFault> {
    let VersionRow { asset, number, digest, description, spec, author, message, created } = row;
    let values = params![asset, number, digest, description, spec, author, message, created];
    tx.execute(INSERT_VERSION, values).await.map(drop)
}

pub(crate) async fn insert_reference(
    tx: &mut Tx,
    from: (AssetId, u32, usize),
    reference: &ResolvedReference,
    to: AssetId,
) -> Result<(), CatalogFault> {
    let (asset, number, ordinal) = from;
    let ResolvedReference { path, kind, target, pin } = reference;
    let values = params![asset, number, ordinal, path, kind, target, to, pin.number, pin.digest];
    tx.execute(INSERT_REFERENCE, values).await.map(drop)
}
