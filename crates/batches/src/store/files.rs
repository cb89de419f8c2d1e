//! Files and their parts.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Digest, Labels, Timestamp,
    id::{PrincipalId, ProjectId},
};

use super::{labels_of, labels_text};
use crate::model::{FileId, FileQuery, Purpose, StoredFile};

macro_rules! columns {
    () => {
        "id, project, name, purpose, size, created, created_by, labels, expires"
    };
}

const INSERT: &str = "INSERT INTO stored_file (id, project, name, purpose, state, size, created, created_by, labels) \
    VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8)";
const FINISH: &str = concat!(
    "UPDATE stored_file SET state = 'ready', name = $2, purpose = $3, size = $4, expires = $5 \
     WHERE id = $1 AND state = 'receiving' RETURNING ",
    columns!()
);
const READY_RESULTS: &str = "UPDATE stored_file SET state = 'ready', expires = $2 WHERE id = $1 AND state = 'growing'";
const GET: &str = concat!("SELECT ", columns!(), " FROM stored_file WHERE project = $1 AND id = $2 AND state = 'ready'");
const IS_READY: &str = "SELECT id FROM stored_file WHERE id = $1 AND state = 'ready'";
const NEWEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM stored_file WHERE project = $1 AND state = 'ready' AND (CAST($2 AS TEXT) IS NULL OR purpose = $2) \
     AND (CAST($3 AS TEXT) IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
);
const OLDEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM stored_file WHERE project = $1 AND state = 'ready' AND (CAST($2 AS TEXT) IS NULL OR purpose = $2) \
     AND (CAST($3 AS TEXT) IS NULL OR id > $3) ORDER BY id LIMIT $4"
);
const GONE: &str = "UPDATE stored_file SET state = 'gone' WHERE id = $1";
/// A file that a batch still has to read stays until the batch has ended.
const EXPIRED: &str = "SELECT id FROM stored_file WHERE (state = 'receiving' AND created < $2) \
    OR (state = 'ready' AND expires < $1 AND NOT EXISTS (SELECT id FROM batch WHERE batch.input_file = stored_file.id \
    AND batch.ended IS NULL)) ORDER BY id LIMIT $3";
const GONES: &str = "SELECT id FROM stored_file WHERE state = 'gone' ORDER BY id LIMIT $1";
const ADD_PART: &str =
    "INSERT INTO file_part (file, number, digest, size) VALUES ($1, $2, $3, $4) ON CONFLICT (file, number) DO NOTHING";
const GROW: &str = "UPDATE stored_file SET size = size + $2 WHERE id = $1";
const PARTS: &str = "SELECT number, digest, size FROM file_part WHERE file = $1 ORDER BY number";
const LAST_PART: &str = "SELECT number FROM file_part WHERE file = $1 ORDER BY number DESC LIMIT 1";
/// What is being taken in counts with the parts that are there.
const HELD: &str = "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM stored_file \
    WHERE project = $1 AND state <> 'gone'";
const REMOVE_PARTS: &str = "DELETE FROM file_part WHERE file = $1";
const REMOVE: &str = "DELETE FROM stored_file WHERE id = $1 AND state = 'gone'";

pub(super) const STATEMENTS: &[&str] = &[
    INSERT,
    FINISH,
    READY_RESULTS,
    GET,
    IS_READY,
    NEWEST,
    OLDEST,
    GONE,
    EXPIRED,
    GONES,
    ADD_PART,
    GROW,
    PARTS,
    LAST_PART,
    HELD,
    REMOVE_PARTS,
    REMOVE,
];

/// A stretch of a file, as a blob. Parts of results are called after the place of the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: u64,
    pub(crate) digest: Digest,
    /// Without what stands before it in the blob.
    pub(crate) size: u64,
}

/// A file that is not there yet: `receiving`, or `growing`.
#[derive(Debug)]
pub(crate) struct NewFile<'f> {
    pub(crate) id: FileId,
    pub(crate) project: ProjectId,
    pub(crate) name: &'f str,
    pub(crate) purpose: Purpose,
    pub(crate) state: &'static str,
    pub(crate) created: Timestamp,
    pub(crate) created_by: PrincipalId,
    pub(crate) labels: &'f Labels,
}

impl NewFile<'_> {
    fn values(&self) -> Vec<mainspring_catalog::Param> {
        let Self { id, project, name, purpose, state, created, created_by, labels } = self;
        params![*id, *project, *name, purpose.as_str(), *state, *created, *created_by, labels_text(labels)]
    }
}

pub(crate) async fn insert_file_in(tx: &mut Tx, new: &NewFile<'_>) -> Result<(), CatalogFault> {
    tx.execute(INSERT, new.values()).await.map(drop)
}

/// `None` where it was cleared away meanwhile.
pub(crate) async fn finish_file(
    catalog: &Catalog,
    id: FileId,
    (name, purpose): (&str, Purpose),
    (size, expires): (u64, Option<Timestamp>),
) -> Result<Option<StoredFile>, CatalogFault> {
    let rows = catalog.write(FINISH, params![id, name, purpose.as_str(), size, expires]).await?;
    rows.first().map(read).transpose()
}

/// A file of results that grows no more.
pub(crate) async fn ready_results(tx: &mut Tx, id: FileId, expires: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(READY_RESULTS, params![id, expires]).await.map(drop)
}

pub(crate) async fn file(catalog: &Catalog, project: ProjectId, id: FileId) -> Result<Option<StoredFile>, CatalogFault> {
    catalog.query(GET, params![project, id]).await?.first().map(read).transpose()
}

pub(crate) async fn is_ready(tx: &mut Tx, id: FileId) -> Result<bool, CatalogFault> {
    Ok(!tx.query(IS_READY, params![id]).await?.is_empty())
}

pub(crate) async fn files(catalog: &Catalog, project: ProjectId, query: &FileQuery) -> Result<Vec<StoredFile>, CatalogFault> {
    let sql = if query.ascending { OLDEST } else { NEWEST };
    let values = params![project, query.purpose.map(Purpose::as_str), query.after, query.limit];
    catalog.query(sql, values).await?.iter().map(read).collect()
}

/// Nobody sees it any longer.
pub(crate) async fn mark_gone(tx: &mut Tx, id: FileId) -> Result<(), CatalogFault> {
    tx.execute(GONE, params![id]).await.map(drop)
}

/// Files whose time is over, and uploads that began before `abandoned` and never ended.
pub(crate) async fn expired_files(
    catalog: &Catalog,
    (now, abandoned): (Timestamp, Timestamp),
    limit: usize,
) -> Result<Vec<FileId>, CatalogFault> {
    catalog.query(EXPIRED, params![now, abandoned, limit]).await?.iter().map(|row| row.parse("id")).collect()
}

pub(crate) async fn gone_files(catalog: &Catalog, limit: usize) -> Result<Vec<FileId>, CatalogFault> {
    catalog.query(GONES, params![limit]).await?.iter().map(|row| row.parse("id")).collect()
}

/// Adds a part, once; answers whether it was not there before.
pub(crate) async fn grow(tx: &mut Tx, file: FileId, part: &Part) -> Result<bool, CatalogFault> {
    let new = tx.execute(ADD_PART, params![file, part.number, part.digest, part.size]).await? > 0;
    if new {
        tx.execute(GROW, params![file, part.size]).await?;
    }
    Ok(new)
}

pub(crate) async fn parts(catalog: &Catalog, file: FileId) -> Result<Vec<Part>, CatalogFault> {
    let part = |row: &Row| Ok(Part { number: row.number("number")?, digest: row.parse("digest")?, size: row.number("size")? });
    catalog.query(PARTS, params![file]).await?.iter().map(part).collect()
}

/// The number of the last part there is.
pub(crate) async fn last_part(catalog: &Catalog, file: FileId) -> Result<Option<u64>, CatalogFault> {
    catalog.query(LAST_PART, params![file]).await?.first().map(|row| row.number("number")).transpose()
}

/// What a project has of files, and of their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

pub(crate) async fn held_files(tx: &mut Tx, project: ProjectId) -> Result<Held, CatalogFault> {
    let rows = tx.query(HELD, params![project]).await?;
    let read = |row: &Row| Ok(Held { files: row.number("files")?, bytes: row.number("bytes")? });
    rows.first().map_or(Ok(Held { files: 0, bytes: 0 }), read)
}

/// Removes a file that is gone, and its parts.
pub(crate) async fn remove_file(catalog: &Catalog, id: FileId) -> Result<(), CatalogFault> {
    catalog.write(REMOVE_PARTS, params![id]).await?;
    catalog.write(REMOVE, params![id]).await.map(drop)
}

/// Removes a file of results that stayed empty.
pub(crate) async fn drop_file(tx: &mut Tx, id: FileId) -> Result<(), CatalogFault> {
    tx.execute(GONE, params![id]).await?;
    tx.execute(REMOVE, params![id]).await.map(drop)
}

fn read(row: &Row) -> Result<StoredFile, CatalogFault> {
    Ok(StoredFile {
        id: row.parse("id")?,
        project: row.parse("project")?,
        name: row.text("name")?.to_owned(),
        purpose: row.parse("purpose")?,
        size: row.number("size")?,
        created: row.time("created")?,
        created_by: row.parse("created_by")?,
        labels: labels_of(row)?,
        expires: row.opt_time("expires")?,
    })
}
