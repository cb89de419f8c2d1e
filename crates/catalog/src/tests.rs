//! What holds on both engines, then what only one of them can show.

mod conformance;
mod damage;
mod killed;
mod postgres;

use std::time::Duration;

use mainspring_kernel::Timestamp;
use proptest::prelude::*;

use crate::{Catalog, CatalogFault, constraints::Constraints, driver::highest_placeholder, params};

const INSERT_PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', $3)";
const PROJECT_NAMES: &str = "SELECT name FROM project ORDER BY name";

fn moment() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_123_456)
}

async fn insert_project(catalog: &Catalog, name: &str) -> Result<(), CatalogFault> {
    catalog.write(INSERT_PROJECT, params![name, name, moment()]).await.map(drop)
}

async fn project_names(catalog: &Catalog) -> Vec<String> {
    let rows = catalog.query(PROJECT_NAMES, params![]).await.unwrap();
    rows.iter().map(|row| row.text("name").unwrap().to_owned()).collect()
}

#[track_caller]
fn check_placeholders(sql: &str, want: usize) {
    assert_eq!(highest_placeholder(sql), want, "{sql}");
}

#[test]
fn the_highest_placeholder_is_what_must_be_bound() {
    check_placeholders("SELECT 1", 0);
    check_placeholders("SELECT $1, $2", 2);
    check_placeholders("SELECT $2 WHERE $10 = $2", 10);
    check_placeholders("SELECT '$'", 0);
}

#[test]
fn constraint_names_are_read_from_the_schema() {
    let mut constraints = Constraints::default();
    constraints.read(
        "CREATE TABLE t ( -- a comment, with commas (and brackets)\n id TEXT NOT NULL CONSTRAINT t_pk PRIMARY KEY,\n \
         a TEXT CONSTRAINT t_kind CHECK (a IN ('x', 'y,')), b INTEGER,\n \
         c TEXT CONSTRAINT t_other_fk REFERENCES other (id), CONSTRAINT t_ab_unique UNIQUE (a, \"b\")) STRICT",
    );
    constraints.read("CREATE UNIQUE INDEX t_open ON t (a, c DESC) WHERE b = 1");
    let unique =
        |columns: &str| constraints.candidates(crate::ConstraintKind::Unique, &format!("UNIQUE constraint failed: {columns}"));
    assert_eq!(unique("t.id"), ["t_pk"]);
    assert_eq!(unique("t.a, t.b"), ["t_ab_unique"]);
    assert_eq!(unique("t.a, t.c"), ["t_open"]);
    assert_eq!(unique("t.b"), [""; 0]);
    assert_eq!(constraints.candidates(crate::ConstraintKind::ForeignKey, ""), ["t_other_fk"]);
}

#[tokio::test]
async fn addresses_that_are_none_are_refused_without_being_repeated() {
    for url in ["", "catalog.db", "sqlite://relative.db", "mysql://u:secret@h/db", "postgres://u:secret@h:port/db"] {
        let fault = Catalog::open(url).await.unwrap_err();
        assert_eq!(mainspring_kernel::Fault::code(&fault), "catalog-bad-url", "{url}");
        assert!(!mainspring_kernel::fault::chain(&fault).contains("secret"), "{fault}");
    }
}

proptest! {
    #[test]
    fn no_schema_text_breaks_the_reader(text in ".{0,200}") {
        Constraints::default().read(&text);
        Constraints::default().read(&format!("CREATE TABLE t ({text}"));
        Constraints::default().read(&format!("CREATE UNIQUE INDEX i ON t ({text}"));
        highest_placeholder(&text);
    }
}

/// Waits for something that must happen, and says what did not.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}");
}
