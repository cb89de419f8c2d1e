//! Sums of calls by the hour.

use mainspring_catalog::{Catalog, CatalogFault, Engine, Tx, params};
use mainspring_kernel::{Money, id::ProjectId};

use crate::ledger::usage::{UsageBy, UsageFilter};

macro_rules! sums {
    ($list:ident) => {
        $list!(
            calls,
            failed,
            unpriced,
            input,
            output,
            cache_read,
            cache_write,
            cache_write_hour,
            input_audio,
            input_image,
            reasoning,
            output_audio,
            output_image,
            input_estimated,
            output_estimated
        )
    };
}

macro_rules! add_up {
    ($first:ident $(, $more:ident)*) => {
        concat!(stringify!($first), " = usage_hour.", stringify!($first), " + excluded.", stringify!($first)
            $(, ", ", stringify!($more), " = usage_hour.", stringify!($more), " + excluded.", stringify!($more))*)
    };
}

macro_rules! select_sums {
    ($first:ident $(, $more:ident)*) => {
        concat!("CAST(SUM(", stringify!($first), ") AS BIGINT) AS ", stringify!($first)
            $(, ", CAST(SUM(", stringify!($more), ") AS BIGINT) AS ", stringify!($more))*)
    };
}

macro_rules! columns {
    () => {
        "project, hour, api_key, principal, end_user, app, route, model, provider, target, price_table, price_entry, calls, failed, \
         unpriced, input, output, cache_read, cache_write, cache_write_hour, input_audio, input_image, reasoning, output_audio, \
         output_image, input_estimated, output_estimated, cost"
    };
}

/// The cost is cut off at the end of its range: a bill of nine million dollars in an hour must not stop the others.
macro_rules! or_add {
    () => {
        concat!(
            " ON CONFLICT (project, hour, api_key, principal, end_user, app, route, model, provider, target, price_table, price_entry) \
              DO UPDATE SET ",
            sums!(add_up),
            ", cost = CASE WHEN usage_hour.cost > 9223372036854775807 - excluded.cost THEN 9223372036854775807 \
             ELSE usage_hour.cost + excluded.cost END"
        )
    };
}

macro_rules! extract {
    ($($column:literal),*) => { concat!($("json_extract(e.value, '$.", $column, "')", ", "),*, "json_extract(e.value, '$.cost')") };
}

/// `$1` is a list of rows, as JSON: one statement for a whole batch.
pub(super) const ADD_SQLITE: &str = concat!(
    "INSERT INTO usage_hour (",
    columns!(),
    ") SELECT ",
    extract!(
        "project",
        "hour",
        "api_key",
        "principal",
        "end_user",
        "app",
        "route",
        "model",
        "provider",
        "target",
        "price_table",
        "price_entry",
        "calls",
        "failed",
        "unpriced",
        "input",
        "output",
        "cache_read",
        "cache_write",
        "cache_write_hour",
        "input_audio",
        "input_image",
        "reasoning",
        "output_audio",
        "output_image",
        "input_estimated",
        "output_estimated"
    ),
    " FROM json_each($1) AS e WHERE true",
    or_add!()
);
pub(super) const ADD_POSTGRES: &str = concat!(
    "INSERT INTO usage_hour (",
    columns!(),
    ") SELECT ",
    columns!(),
    " FROM json_to_recordset(CAST($1 AS json)) AS e (project text, hour bigint, api_key text, principal text, end_user text, \
      app text, route text, model text, provider text, target text, price_table text, price_entry text, calls bigint, \
      failed bigint, unpriced bigint, input bigint, output bigint, cache_read bigint, cache_write bigint, \
      cache_write_hour bigint, input_audio bigint, input_image bigint, reasoning bigint, output_audio bigint, \
      output_image bigint, input_estimated bigint, output_estimated bigint, cost bigint)",
    or_add!()
);
/// With what the rows may stand for beside the rest, and whose calls they are.
macro_rules! sum {
    ($own:literal, $whose:literal) => {
        concat!(
            "SELECT CASE CAST($1 AS TEXT) ",
            $own,
            "WHEN 'key' THEN api_key WHEN 'principal' THEN principal WHEN 'user' THEN end_user \
             WHEN 'app' THEN app WHEN 'route' THEN route WHEN 'model' THEN model WHEN 'provider' THEN provider \
             WHEN 'target' THEN CASE WHEN target = '' THEN '' ELSE provider || '/' || target END \
             WHEN 'day' THEN CAST(hour / 24 AS TEXT) WHEN 'hour' THEN CAST(hour AS TEXT) ELSE '' END AS name, ",
            sums!(select_sums),
            ", CAST(SUM(cost / 1000000) AS BIGINT) AS micros, CAST(SUM(cost % 1000000) AS BIGINT) AS rest FROM usage_hour WHERE ",
            $whose,
            "hour >= $2 AND hour < $3 AND (CAST($4 AS TEXT) IS NULL OR api_key = $4) \
             AND (CAST($5 AS TEXT) IS NULL OR end_user = $5) AND (CAST($6 AS TEXT) IS NULL OR app = $6) \
             AND (CAST($7 AS TEXT) IS NULL OR model = $7) AND (CAST($8 AS TEXT) IS NULL OR provider = $8) \
             GROUP BY 1 ORDER BY SUM(cost / 1000000) + SUM(cost % 1000000) / 1000000 DESC, SUM(cost % 1000000) % 1000000 DESC, \
             name LIMIT $9"
        )
    };
}

const SUM: &str = sum!("", "project = $10 AND ");
const SUM_OF_ALL: &str = sum!("WHEN 'project' THEN project ", "");

pub(super) const STATEMENTS: &[&str] = &[SUM, SUM_OF_ALL];

/// What the calls of one group come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UsageSum {
    pub(crate) name: String,
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) unpriced: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    pub(crate) input_audio: u64,
    pub(crate) input_image: u64,
    pub(crate) reasoning: u64,
    pub(crate) output_audio: u64,
    pub(crate) output_image: u64,
    pub(crate) input_estimated: u64,
    pub(crate) output_estimated: u64,
    pub(crate) cost: Money,
}

/// Adds rows, each of another group, written as a JSON list.
pub(crate) async fn add_usage(tx: &mut Tx, rows: &str) -> Result<(), CatalogFault> {
    let sql = match tx.engine() {
        Engine::Sqlite => ADD_SQLITE,
        Engine::Postgres => ADD_POSTGRES,
    };
    tx.execute(sql, params![rows]).await.map(drop)
}

/// The dearest groups of a stretch of hours, dearest first; of every project where none is named.
pub(crate) async fn usage(
    catalog: &Catalog,
    project: Option<ProjectId>,
    (by, filter): (Option<UsageBy>, &UsageFilter),
    (from, to): (i64, i64),
    limit: usize,
) -> Result<Vec<UsageSum>, CatalogFault> {
    let UsageFilter { key, user, app, model, provider } = filter;
    let by = by.map_or("", UsageBy::as_str);
    let rows = match project {
        Some(project) => catalog.query(SUM, params![by, from, to, key, user, app, model, provider, limit, project]).await?,
        None => catalog.query(SUM_OF_ALL, params![by, from, to, key, user, app, model, provider, limit]).await?,
    };
    rows.iter()
        .map(|row| {
            let cost = i128::from(row.int("micros")?) * 1_000_000 + i128::from(row.int("rest")?);
            Ok(UsageSum {
                name: row.text("name")?.to_owned(),
                calls: row.number("calls")?,
                failed: row.number("failed")?,
                unpriced: row.number("unpriced")?,
                input: row.number("input")?,
                output: row.number("output")?,
                cache_read: row.number("cache_read")?,
                cache_write: row.number::<u64>("cache_write")?.saturating_add(row.number("cache_write_hour")?),
                input_audio: row.number("input_audio")?,
                input_image: row.number("input_image")?,
                reasoning: row.number("reasoning")?,
                output_audio: row.number("output_audio")?,
                output_image: row.number("output_image")?,
                input_estimated: row.number("input_estimated")?,
                output_estimated: row.number("output_estimated")?,
                cost: Money::from_pico(cost),
            })
        })
        .collect()
}
