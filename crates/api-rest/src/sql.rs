//! Questions in SQL over what a project sent.

use axum::{Json, extract::State};
use mainspring_kernel::{FaultKind, Role};
use mainspring_observability::{SqlColumn, SqlQuestion, SqlRows, SqlTable};
use mainspring_web_kit::{Answer, Body, Caller, Problem};
use mainspring_wire as wire;

use crate::{Rest, traces::time};

/// Answers one `SELECT` over the project's spans, logs and points of metrics; nothing it says can write.
#[utoipa::path(post, path = "/api/v1/sql", tag = "sql", operation_id = "sql", request_body = wire::SqlRequest,
    responses((status = 200, body = wire::SqlAnswer)))]
pub(crate) async fn ask(
    State(rest): State<Rest>,
    caller: Caller,
    Body(request): Body<wire::SqlRequest>,
) -> Answer<Json<wire::SqlAnswer>> {
    let actor = caller.needs(Role::Reader)?;
    let wire::SqlRequest { query, from, to, limit } = request;
    if query.trim().is_empty() {
        return Err(Problem::new(FaultKind::Invalid, "body-invalid", "`query` is a SELECT statement"));
    }
    let question = SqlQuestion { text: query, from: time("from", from)?, to: time("to", to)?, limit };
    Ok(Json(answer(rest.observability.sql(&rest.points, actor, &question).await?)))
}

/// Lists the tables that SQL may ask, with their columns.
#[utoipa::path(get, path = "/api/v1/sql/schema", tag = "sql", operation_id = "sql_schema",
    responses((status = 200, body = wire::SqlSchema)))]
pub(crate) async fn schema(State(rest): State<Rest>, caller: Caller) -> Answer<Json<wire::SqlSchema>> {
    caller.needs(Role::Reader)?;
    let table = |SqlTable { name, says, columns }| wire::SqlTableView {
        name: name.to_owned(),
        description: says.to_owned(),
        columns: columns.into_iter().map(column).collect(),
    };
    let tables = rest.observability.sql_tables(&rest.points).await?;
    Ok(Json(wire::SqlSchema { tables: tables.into_iter().map(table).collect() }))
}

fn column(SqlColumn { name, kind }: SqlColumn) -> wire::SqlColumnView {
    wire::SqlColumnView { name, kind }
}

pub(crate) fn answer(SqlRows { columns, rows, more }: SqlRows) -> wire::SqlAnswer {
    wire::SqlAnswer { columns: columns.into_iter().map(column).collect(), rows, more }
}
