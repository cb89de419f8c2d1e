//! From our values to the drivers' and back, and from the drivers' errors to ours.

use std::sync::Arc;

use sqlx::{
    Column as _, Row as _, TypeInfo as _, ValueRef as _,
    error::{DatabaseError, ErrorKind},
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{CatalogFault, ConstraintKind, Param, Row, row::Cell};

macro_rules! bind_with {
    ($name:ident, $arguments:ty) => {
        pub(crate) fn $name(sql: &'static str, params: Vec<Param>) -> Result<$arguments, CatalogFault> {
            use sqlx::Arguments as _;
            check(sql, &params)?;
            let mut arguments = <$arguments>::default();
            for param in params {
                let added = match param {
                    Param::Int(value) => arguments.add(value),
                    Param::Text(value) => arguments.add(value),
                    Param::Bytes(value) => arguments.add(value),
                };
                added.map_err(|source| CatalogFault::Statement(sqlx::Error::Encode(source)))?;
            }
            Ok(arguments)
        }
    };
}
bind_with!(sqlite_arguments, SqliteArguments);
bind_with!(postgres_arguments, PgArguments);

/// SQLite binds NULL to a parameter nobody gave, and takes a NUL inside text; PostgreSQL refuses both.
fn check(sql: &str, params: &[Param]) -> Result<(), CatalogFault> {
    let wanted = highest_placeholder(sql);
    if wanted != params.len() {
        return Err(CatalogFault::Binding { wanted, given: params.len() });
    }
    let nul = params.iter().any(|param| matches!(param, Param::Text(Some(text)) if text.contains('\0')));
    if nul { Err(CatalogFault::NulText) } else { Ok(()) }
}

pub(crate) fn highest_placeholder(sql: &str) -> usize {
    let number = |after: &str| {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..end].parse().unwrap_or(0)
    };
    sql.match_indices('$').map(|(at, _)| number(&sql[at + 1..])).max().unwrap_or(0)
}

pub(crate) fn sqlite_rows(rows: &[SqliteRow]) -> Result<Vec<Row>, CatalogFault> {
    let columns = rows.first().map(|row| names(row.columns())).unwrap_or_default();
    rows.iter()
        .map(|row| {
            let cells = (0..columns.len()).map(|index| sqlite_cell(row, index)).collect::<Result<_, _>>()?;
            Ok(Row::new(columns.clone(), cells))
        })
        .collect()
}

pub(crate) fn postgres_rows(rows: &[PgRow]) -> Result<Vec<Row>, CatalogFault> {
    let columns = rows.first().map(|row| names(row.columns())).unwrap_or_default();
    rows.iter()
        .map(|row| {
            let cells = (0..columns.len()).map(|index| postgres_cell(row, index)).collect::<Result<_, _>>()?;
            Ok(Row::new(columns.clone(), cells))
        })
        .collect()
}

fn names<C: sqlx::Column>(columns: &[C]) -> Arc<[String]> {
    columns.iter().map(|column| column.name().to_owned()).collect()
}

fn sqlite_cell(row: &SqliteRow, index: usize) -> Result<Cell, CatalogFault> {
    let value = row.try_get_raw(index).map_err(CatalogFault::Statement)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info().name().to_owned();
    match kind.as_str() {
        "INTEGER" | "BOOLEAN" => row.try_get_unchecked(index).map(Cell::Int),
        "TEXT" => row.try_get_unchecked(index).map(Cell::Text),
        "BLOB" => row.try_get_unchecked(index).map(Cell::Bytes),
        _ => return Err(unknown_type(row.column(index).name(), &kind)),
    }
    .map_err(CatalogFault::Statement)
}

fn postgres_cell(row: &PgRow, index: usize) -> Result<Cell, CatalogFault> {
    let value = row.try_get_raw(index).map_err(CatalogFault::Statement)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info().name().to_owned();
    match kind.as_str() {
        "INT8" => row.try_get_unchecked(index).map(Cell::Int),
        "INT4" => row.try_get_unchecked::<i32, _>(index).map(|value| Cell::Int(value.into())),
        "INT2" => row.try_get_unchecked::<i16, _>(index).map(|value| Cell::Int(value.into())),
        "BOOL" => row.try_get_unchecked::<bool, _>(index).map(|value| Cell::Int(value.into())),
        "TEXT" | "VARCHAR" | "NAME" | "CHAR" | "UNKNOWN" => row.try_get_unchecked(index).map(Cell::Text),
        "BYTEA" => row.try_get_unchecked(index).map(Cell::Bytes),
        _ => return Err(unknown_type(row.column(index).name(), &kind)),
    }
    .map_err(CatalogFault::Statement)
}

fn unknown_type(column: &str, kind: &str) -> CatalogFault {
    let reason = format!("values of type {kind} do not exist in the catalog: CAST it to BIGINT or TEXT");
    CatalogFault::Column { column: column.to_owned(), reason }
}

/// Codes: https://www.sqlite.org/rescode.html
pub(crate) fn sqlite_fault(source: sqlx::Error) -> CatalogFault {
    let code = match &source {
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(1),
        // The only thing to wait for is the single writer.
        sqlx::Error::PoolTimedOut => return CatalogFault::Busy,
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => {
            return CatalogFault::Unavailable(source);
        }
        _ => return CatalogFault::Statement(source),
    };
    match code & 0xff {
        5 if code == 517 => CatalogFault::Contention(source),
        5 | 6 => CatalogFault::Busy,
        13 => CatalogFault::DiskFull(source),
        8 | 10 | 14 => CatalogFault::Storage(source),
        11 | 26 => CatalogFault::Corrupt(source),
        19 => constraint(source),
        _ => CatalogFault::Statement(source),
    }
}

/// Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
pub(crate) fn postgres_fault(source: sqlx::Error) -> CatalogFault {
    let code = match &source {
        sqlx::Error::Database(error) => error.code().map(|code| code.into_owned()).unwrap_or_default(),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => return CatalogFault::Unavailable(source),
        _ => return CatalogFault::Statement(source),
    };
    match code.as_str() {
        "40001" | "40P01" => CatalogFault::Contention(source),
        "55P03" => CatalogFault::Busy,
        "57014" => CatalogFault::Timeout { limit: crate::engine::STATEMENT_DEADLINE },
        "53100" => CatalogFault::DiskFull(source),
        "58030" => CatalogFault::Storage(source),
        "XX001" | "XX002" => CatalogFault::Corrupt(source),
        "25006" | "25P03" | "57P01" | "57P02" | "57P03" | "57P05" => CatalogFault::Unavailable(source),
        "3D000" => CatalogFault::Refused(source),
        _ if code.starts_with("28") => CatalogFault::Refused(source),
        _ if code.starts_with("08") || code.starts_with("53") => CatalogFault::Unavailable(source),
        _ if code.starts_with("23") => constraint(source),
        _ => CatalogFault::Statement(source),
    }
}

/// The name is known on PostgreSQL; on SQLite `constraints.rs` adds it.
fn constraint(source: sqlx::Error) -> CatalogFault {
    let Some(error) = source.as_database_error() else {
        return CatalogFault::Statement(source);
    };
    let Some(kind) = constraint_kind(error) else {
        return CatalogFault::Statement(source);
    };
    let names = error.constraint().map(str::to_owned).into_iter().collect();
    CatalogFault::Constraint { kind, names, source }
}

fn constraint_kind(error: &dyn DatabaseError) -> Option<ConstraintKind> {
    match error.kind() {
        ErrorKind::UniqueViolation => Some(ConstraintKind::Unique),
        ErrorKind::ForeignKeyViolation => Some(ConstraintKind::ForeignKey),
        ErrorKind::CheckViolation => Some(ConstraintKind::Check),
        ErrorKind::NotNullViolation => Some(ConstraintKind::NotNull),
        _ => None,
    }
}
