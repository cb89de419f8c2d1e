//! Servers, what erasures have found, and which server has carried out which of them.

use std::collections::BTreeSet;

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Erasure, ErasureId, erasure, read};
use crate::keeping::model::{Holder, ServerId};

const KNOWN: &str = "SELECT id FROM span_server WHERE id = $1";
const ENTER: &str = "INSERT INTO span_server (id, session, name, seen) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (id) DO UPDATE SET session = $2, name = $3, seen = $4";
const OTHERS: &str = "DELETE FROM span_server WHERE id <> $1";
const SEEN: &str = "UPDATE span_server SET seen = $3 WHERE id = $1 AND session = $2 RETURNING id";
const LEAVE: &str = "DELETE FROM span_server WHERE id = $1 AND session = $2";

/// What found nothing more since then was heard of by a server whose generation is as large.
const OWED: &str = erasure!(
    "state IN ('waiting', 'running') AND subject IS NOT NULL AND NOT EXISTS (SELECT 1 FROM erasure_server s \
     WHERE s.erasure = erasure.id AND s.server = $1 AND s.generation >= \
     (SELECT COALESCE(MAX(m.generation), 0) FROM erasure_mark m WHERE m.erasure = erasure.id)) ORDER BY id LIMIT 100"
);
const GIVEN_UP_ON: &str = erasure!(
    "state = 'done' AND id IN (SELECT s.erasure FROM erasure_server s WHERE s.server = $1 AND s.generation IS NULL) \
     ORDER BY id LIMIT 10000"
);
const DONE_SINCE: &str = erasure!("state = 'done' AND cleaned IS NOT NULL AND ended > $1 ORDER BY id LIMIT 100000");

const LATEST: &str = "SELECT CAST(COALESCE(MAX(generation), 0) AS BIGINT) AS latest FROM erasure_mark WHERE erasure = $1";
const MARKS: &str = "SELECT generation, fingerprints, found, hours FROM erasure_mark WHERE erasure = $1 ORDER BY generation";
const ADD_MARK: &str = "INSERT INTO erasure_mark (erasure, generation, fingerprints, found, hours) VALUES ($1, $2, $3, $4, $5)";
const FORGET_FOUND: &str = "UPDATE erasure_mark SET found = NULL WHERE erasure = $1";

const ANSWER: &str = "INSERT INTO erasure_server (erasure, server, name, generation, seen) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (erasure, server) DO UPDATE SET name = $3, generation = $4, seen = $5";
const MISSING: &str = "SELECT id, name, seen FROM span_server WHERE NOT EXISTS (SELECT 1 FROM erasure_server s \
    WHERE s.erasure = $1 AND s.server = span_server.id AND s.generation >= $2) ORDER BY id LIMIT 1000";
const WAITED_FOR: &str = "SELECT id, name, seen FROM span_server WHERE NOT EXISTS (SELECT 1 FROM erasure_server s \
    WHERE s.erasure = $1 AND s.server = span_server.id AND s.generation >= \
    (SELECT COALESCE(MAX(m.generation), 0) FROM erasure_mark m WHERE m.erasure = $1)) ORDER BY id LIMIT 1000";
const GIVE_UP: &str = "INSERT INTO erasure_server (erasure, server, name, generation, seen) VALUES ($1, $2, $3, NULL, $4) \
    ON CONFLICT (erasure, server) DO UPDATE SET name = $3, generation = NULL, seen = $4";
const WITHOUT: &str = "SELECT erasure, server AS id, name, seen FROM erasure_server \
    WHERE generation IS NULL AND erasure >= $1 AND erasure <= $2 ORDER BY erasure, server LIMIT 10000";

const PRUNE_MARKS: &str = "DELETE FROM erasure_mark WHERE erasure IN \
    (SELECT id FROM erasure WHERE state IN ('done', 'failed') AND COALESCE(ended, asked) < $1)";
const PRUNE_ANSWERS: &str = "DELETE FROM erasure_server WHERE generation IS NOT NULL AND erasure IN \
    (SELECT id FROM erasure WHERE state IN ('done', 'failed') AND COALESCE(ended, asked) < $1)";
const PRUNE_SERVERS: &str = "DELETE FROM span_server WHERE seen < $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    KNOWN,
    ENTER,
    OTHERS,
    SEEN,
    LEAVE,
    OWED,
    GIVEN_UP_ON,
    DONE_SINCE,
    LATEST,
    MARKS,
    ADD_MARK,
    FORGET_FOUND,
    ANSWER,
    MISSING,
    WAITED_FOR,
    GIVE_UP,
    WITHOUT,
    PRUNE_MARKS,
    PRUNE_ANSWERS,
    PRUNE_SERVERS,
];

pub(in crate::keeping) async fn is_known(catalog: &Catalog, id: ServerId) -> Result<bool, CatalogFault> {
    Ok(!catalog.query(KNOWN, params![id]).await?.is_empty())
}

/// A process that begins, of a server. `alone`: there is no other over this catalog.
pub(in crate::keeping) async fn enter(
    catalog: &Catalog,
    (id, session, name): (ServerId, &str, &str),
    now: Timestamp,
    alone: bool,
) -> Result<(), CatalogFault> {
    catalog.write(ENTER, params![id, session, name, now]).await?;
    if alone {
        catalog.write(OTHERS, params![id]).await?;
    }
    Ok(())
}

/// Whether the server is this process still.
pub(in crate::keeping) async fn say_seen(
    catalog: &Catalog,
    (id, session): (ServerId, &str),
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(SEEN, params![id, session, now]).await?.is_empty())
}

/// Nothing is on its disk.
pub(in crate::keeping) async fn leave(catalog: &Catalog, (id, session): (ServerId, &str)) -> Result<(), CatalogFault> {
    catalog.write(LEAVE, params![id, session]).await.map(drop)
}

/// Erasures under way that a server has not carried out yet, as far as they have come.
pub(in crate::keeping) async fn owed_by(catalog: &Catalog, server: ServerId) -> Result<Vec<Erasure>, CatalogFault> {
    catalog.query(OWED, params![server]).await?.iter().map(read).collect()
}

/// Those that were done without it.
pub(in crate::keeping) async fn given_up_on(catalog: &Catalog, server: ServerId) -> Result<Vec<Erasure>, CatalogFault> {
    catalog.query(GIVEN_UP_ON, params![server]).await?.iter().map(read).collect()
}

pub(in crate::keeping) async fn done_since(catalog: &Catalog, since: Timestamp) -> Result<Vec<Erasure>, CatalogFault> {
    catalog.query(DONE_SINCE, params![since]).await?.iter().map(read).collect()
}

/// What an erasure has found.
#[derive(Debug, Default)]
pub(in crate::keeping) struct Marks {
    pub(in crate::keeping) generation: i64,
    pub(in crate::keeping) fingerprints: BTreeSet<Digest>,
    pub(in crate::keeping) traces: BTreeSet<String>,
    pub(in crate::keeping) sessions: BTreeSet<String>,
    /// That named topics.
    pub(in crate::keeping) words: BTreeSet<String>,
    pub(in crate::keeping) hours: BTreeSet<i64>,
}

/// More of it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(in crate::keeping) struct Mark {
    pub(in crate::keeping) fingerprints: Vec<Digest>,
    pub(in crate::keeping) traces: Vec<String>,
    pub(in crate::keeping) sessions: Vec<String>,
    pub(in crate::keeping) words: Vec<String>,
    pub(in crate::keeping) hours: Vec<i64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Found {
    traces: Vec<String>,
    sessions: Vec<String>,
    words: Vec<String>,
}

pub(in crate::keeping) async fn marks(catalog: &Catalog, erasure: ErasureId) -> Result<Marks, CatalogFault> {
    let mut marks = Marks::default();
    for row in catalog.query(MARKS, params![erasure]).await? {
        marks.generation = row.int("generation")?;
        marks.fingerprints.extend(row.json::<Vec<Digest>>("fingerprints")?);
        let Found { traces, sessions, words } = row.opt_json("found")?.unwrap_or_default();
        marks.traces.extend(traces);
        marks.sessions.extend(sessions);
        marks.words.extend(words);
        marks.hours.extend(row.json::<Vec<i64>>("hours")?);
    }
    Ok(marks)
}

/// Writes down that an erasure has come further: every server has to hear of it. Answers its generation.
pub(in crate::keeping) async fn add_mark(tx: &mut Tx, erasure: ErasureId, mark: &Mark) -> Result<i64, CatalogFault> {
    let generation = latest(tx, erasure).await? + 1;
    let text = |value: serde_json::Result<String>| value.unwrap_or_default();
    let found = Found { traces: mark.traces.clone(), sessions: mark.sessions.clone(), words: mark.words.clone() };
    let fingerprints = text(serde_json::to_string(&mark.fingerprints));
    let (found, hours) = (text(serde_json::to_string(&found)), text(serde_json::to_string(&mark.hours)));
    tx.execute(ADD_MARK, params![erasure, generation, fingerprints, found, hours]).await?;
    Ok(generation)
}

async fn latest(tx: &mut Tx, erasure: ErasureId) -> Result<i64, CatalogFault> {
    tx.query(LATEST, params![erasure]).await?.first().map_or(Ok(0), |row| row.int("latest"))
}

/// Takes out which traces and sessions they were.
pub(in crate::keeping) async fn forget_found(tx: &mut Tx, erasure: ErasureId) -> Result<(), CatalogFault> {
    tx.execute(FORGET_FOUND, params![erasure]).await.map(drop)
}

/// What a server says of an erasure: its disk holds nothing of it, up to this generation.
#[derive(Debug, Clone, Copy)]
pub(in crate::keeping) struct Answer<'a> {
    pub(in crate::keeping) erasure: ErasureId,
    pub(in crate::keeping) server: ServerId,
    pub(in crate::keeping) name: &'a str,
    pub(in crate::keeping) generation: i64,
}

/// Takes a server's answer, with what it found itself. Answers `false` where more was found elsewhere meanwhile: then it has
/// to look again.
pub(in crate::keeping) async fn acknowledge(
    tx: &mut Tx,
    answer: Answer<'_>,
    mark: Option<&Mark>,
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    let Answer { erasure, server, name, generation } = answer;
    if latest(tx, erasure).await? != generation {
        return Ok(false);
    }
    let generation = match mark {
        Some(mark) => add_mark(tx, erasure, mark).await?,
        None => generation,
    };
    tx.execute(ANSWER, params![erasure, server, name, generation, now]).await?;
    Ok(true)
}

/// A server has carried out what was done without it.
pub(in crate::keeping) async fn made_good(
    catalog: &Catalog,
    erasure: ErasureId,
    (server, name): (ServerId, &str),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    // Whatever the erasure had found, it holds of this server too.
    catalog.write(ANSWER, params![erasure, server, name, i64::MAX, now]).await.map(drop)
}

/// Servers that have not said yet that they are as far.
pub(in crate::keeping) async fn missing(
    catalog: &Catalog,
    erasure: ErasureId,
    generation: i64,
) -> Result<Vec<Holder>, CatalogFault> {
    catalog.query(MISSING, params![erasure, generation]).await?.iter().map(holder).collect()
}

pub(in crate::keeping) async fn missing_in(
    tx: &mut Tx,
    erasure: ErasureId,
    generation: i64,
) -> Result<Vec<Holder>, CatalogFault> {
    tx.query(MISSING, params![erasure, generation]).await?.iter().map(holder).collect()
}

/// Servers that have not said yet that they are as far as the erasure is.
pub(in crate::keeping) async fn waited_for(catalog: &Catalog, erasure: ErasureId) -> Result<Vec<Holder>, CatalogFault> {
    catalog.query(WAITED_FOR, params![erasure]).await?.iter().map(holder).collect()
}

/// An erasure is done without a server.
pub(in crate::keeping) async fn give_up(tx: &mut Tx, erasure: ErasureId, server: &Holder) -> Result<(), CatalogFault> {
    tx.execute(GIVE_UP, params![erasure, server.server, server.name.as_str(), server.seen]).await.map(drop)
}

/// The servers that erasures were done without, of those from the first to the last.
pub(in crate::keeping) async fn without(
    catalog: &Catalog,
    (first, last): (ErasureId, ErasureId),
) -> Result<Vec<(ErasureId, Holder)>, CatalogFault> {
    let rows = catalog.query(WITHOUT, params![first, last]).await?;
    rows.iter().map(|row| Ok((row.parse("erasure")?, holder(row)?))).collect()
}

/// Forgets what nobody can need any longer: marks of erasures that ended before a time, and servers that have not been heard
/// of since then.
pub(in crate::keeping) async fn prune(catalog: &Catalog, before: Timestamp) -> Result<(), CatalogFault> {
    for sql in [PRUNE_MARKS, PRUNE_ANSWERS, PRUNE_SERVERS] {
        catalog.write(sql, params![before]).await?;
    }
    Ok(())
}

fn holder(row: &Row) -> Result<Holder, CatalogFault> {
    Ok(Holder { server: row.parse("id")?, name: row.text("name")?.to_owned(), seen: row.time("seen")?, alive: false })
}
