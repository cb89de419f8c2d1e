use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use mainspring_kernel::Name;

use super::{Row, batch, done, ids, spec, table};
use crate::{Filter, IndexKind, IndexSpec, Lake, LakeFault, Scan, TableSpec};

pub(super) async fn a_table_is_opened_again_with_its_rows(lake: &dyn Lake) {
    let table = table(lake, "tables-again.v1_x").await;
    table.append(batch(&[Row::new("a")])).await.unwrap();
    let again = lake.open(table.name(), &spec()).await.unwrap();
    assert_eq!(ids(&*again, Scan::of(Filter::All)).await, ["a"]);
    let existing = lake.open_existing(table.name()).await.unwrap();
    assert_eq!(ids(&*existing, Scan::of(Filter::All)).await, ["a"]);
    assert_eq!(existing.name(), table.name());
    assert_eq!(existing.schema(), table.schema());
    // A write through one handle is seen through the others.
    again.append(batch(&[Row::new("b")])).await.unwrap();
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["a", "b"]);
    done(lake, &table).await;
}

pub(super) async fn another_schema_is_refused(lake: &dyn Lake) {
    let table = table(lake, "tables-schema").await;
    let schema = |fields: Vec<Field>| TableSpec { schema: Arc::new(Schema::new(fields)), indexes: Vec::new(), ..spec() };
    let mut fields: Vec<Field> = spec().schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    let without_id = schema(fields[1..].to_vec());
    fields[2] = Field::new("number", DataType::Int32, true);
    for other in [without_id, schema(fields)] {
        assert!(matches!(lake.open(table.name(), &other).await, Err(LakeFault::Schema { .. })));
    }
    let name: Name = "tables-index".parse().unwrap();
    for (column, kind) in
        [("number", IndexKind::Text), ("words", IndexKind::Vector), ("doc", IndexKind::Labels), ("labels", IndexKind::Scalar)]
    {
        let index = IndexSpec { column: column.to_owned(), kind };
        let odd = TableSpec { indexes: vec![index], ..spec() };
        assert!(matches!(lake.open(&name, &odd).await, Err(LakeFault::Schema { .. })), "{kind:?} on {column}");
    }
    let index = IndexSpec { column: "nope".to_owned(), kind: IndexKind::Scalar };
    let unknown = TableSpec { indexes: vec![index], ..spec() };
    assert!(matches!(lake.open(&name, &unknown).await, Err(LakeFault::NoColumn { .. })));
    done(lake, &table).await;
}

pub(super) async fn tables_are_listed_and_dropped(lake: &dyn Lake) {
    let (one, two) = (table(lake, "tables-one").await, table(lake, "tables-two").await);
    let listed = lake.list().await.unwrap();
    assert!(listed.contains(one.name()) && listed.contains(two.name()), "{listed:?}");
    lake.drop_table(one.name()).await.unwrap();
    let listed = lake.list().await.unwrap();
    assert!(!listed.contains(one.name()) && listed.contains(two.name()), "{listed:?}");
    assert!(matches!(lake.open_existing(one.name()).await, Err(LakeFault::NoTable { .. })));
    lake.drop_table(one.name()).await.unwrap();
    done(lake, &two).await;
}

pub(super) async fn a_dropped_table_starts_empty(lake: &dyn Lake) {
    let first = table(lake, "tables-reborn").await;
    first.append(batch(&[Row::new("a").words("old")])).await.unwrap();
    let version = first.version().await.unwrap();
    lake.drop_table(first.name()).await.unwrap();
    let second = lake.open(first.name(), &spec()).await.unwrap();
    assert_eq!(second.count(Filter::All).await.unwrap(), 0);
    second.append(batch(&[Row::new("b")])).await.unwrap();
    assert_eq!(ids(&*second, Scan::of(Filter::All)).await, ["b"]);
    assert!(matches!(second.at(&version).await, Err(LakeFault::NoVersion { .. })), "the number names other rows now");
    done(lake, &second).await;
}

pub(super) async fn a_dropped_table_answers_no_more(lake: &dyn Lake) {
    let table = table(lake, "tables-gone").await;
    table.append(batch(&[Row::new("a")])).await.unwrap();
    lake.drop_table(table.name()).await.unwrap();
    assert!(matches!(table.count(Filter::All).await, Err(LakeFault::NoTable { .. })));
    assert!(matches!(table.append(batch(&[Row::new("b")])).await, Err(LakeFault::NoTable { .. })));
    assert!(!lake.list().await.unwrap().contains(table.name()));
}

pub(super) async fn stats_count(lake: &dyn Lake) {
    let table = table(lake, "tables-stats").await;
    table.append(batch(&(0..20).map(|n| Row::new(format!("{n:02}")).words("w")).collect::<Vec<_>>())).await.unwrap();
    table.append(batch(&[Row::new("x").words("w")])).await.unwrap();
    let commit = table.replace(Filter::eq("id", "03"), None).await.unwrap();
    table.tag("t", &commit.version).await.unwrap();
    let stats = table.stats().await.unwrap();
    assert_eq!((stats.rows, stats.fragments, stats.deleted_rows, stats.tags), (20, 2, 1, 1));
    assert_eq!(stats.version, commit.version);
    assert_eq!(stats.versions, commit.version.number);
    assert!(stats.bytes.is_some_and(|bytes| bytes > 0));
    assert!(stats.indexes.contains(&("words".to_owned(), 0, 20)), "{:?}", stats.indexes);
    done(lake, &table).await;
}

pub(super) async fn the_lake_answers(lake: &dyn Lake) {
    lake.ping().await.unwrap();
}
