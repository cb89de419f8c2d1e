//! The only place with SQL. Rows mirror tables and stay in here.

mod documents;
mod gone;
mod knowledge;
mod receipts;
mod runs;
mod tombstones;

pub(crate) use documents::{Audience, Known, Listed as ListFilter, Visible};
pub(crate) use gone::Gone;
pub(crate) use knowledge::{State, TableRow, TableState};
pub(crate) use runs::RunRow;

pub(crate) mod document {
    pub(crate) use super::documents::{
        Change, announce_text, apply, audiences, bury, called, delete, forget, get, ids_of_source, known, labels_of, lift,
        names_text, page, released, released_by, released_by_until, reset_rows, rows_of_table, same_as_before, same_content,
        unlist_released,
    };
}
pub(crate) mod gone_document {
    pub(crate) use super::gone::{became, called, expire, ids_of_source, lives, strike};
}
pub(crate) mod held {
    pub(crate) use super::knowledge::{
        activate, add_table, drop_table, find, free, free_all, hold, holder, list, mark_unsettled, of_project, renew, settle,
        tables,
    };
}
pub(crate) mod run {
    pub(crate) use super::runs::{any_stranded, finish, forget, get, insert, interrupt, latest, page, page_of_project, progress};
}
pub(crate) mod receipt {
    pub(crate) use super::receipts::{amend, finish, finished, get, insert, note, page, pending, pending_one, wanting};
}
pub(crate) mod tombstone {
    pub(crate) use super::tombstones::{get, page, sources};
}

/// Every statement, for the test that compiles them on both engines.
#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let rooms = [
        documents::STATEMENTS,
        gone::STATEMENTS,
        knowledge::STATEMENTS,
        runs::STATEMENTS,
        receipts::STATEMENTS,
        tombstones::STATEMENTS,
    ];
    rooms.concat()
}
