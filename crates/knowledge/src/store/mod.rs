//! The only place with SQL. Rows mirror tables and stay in here.

mod documents;
mod gone;
mod knowledge;
mod listed;
mod receipts;
mod released;
mod runs;
mod tombstones;

pub(crate) use documents::{Known, Visible};
pub(crate) use gone::Gone;
pub(crate) use knowledge::{State, TableRow, TableState};
pub(crate) use listed::{Audience, Listed as ListFilter};
pub(crate) use runs::RunRow;

pub(crate) mod document {
    pub(crate) use super::{
        documents::{
            Change, apply, bury, delete, forget, ids_of_source, known, labels_of, lift, reset_rows, rows_of_table,
            same_as_before, same_content,
        },
        listed::{audiences, called, get, page},
        released::{announce_text, names_text, released, released_by, released_by_until, unlist_released},
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
        listed::STATEMENTS,
        runs::STATEMENTS,
        receipts::STATEMENTS,
        released::STATEMENTS,
        tombstones::STATEMENTS,
    ];
    rooms.concat()
}
