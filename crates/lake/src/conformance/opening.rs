//! Tables that are opened with more columns than they have.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, cast::AsArray, types::Int64Type};
use arrow_schema::{DataType, Field, Schema};
use futures::future::join_all;

use super::{Row, batch, done, ids, rows_of, spec, table};
use crate::{
    Aggregate, Filter, IndexKind, IndexSpec, Lake, LakeFault, MeasureOf, Scalar, Scan, TableSpec, TextQuery, UpkeepPolicy,
};

fn with(more: Vec<Field>, indexes: &[(&str, IndexKind)]) -> TableSpec {
    let mut spec = spec();
    let fields = spec.schema.fields().iter().map(|field| field.as_ref().clone()).chain(more);
    spec.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    spec.indexes.extend(indexes.iter().map(|(column, kind)| IndexSpec { column: (*column).to_owned(), kind: *kind }));
    spec
}

fn wider() -> TableSpec {
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    let more = vec![
        Field::new("cost", DataType::Int64, true),
        Field::new("note", DataType::Utf8, true),
        Field::new("tags", DataType::List(item), true),
    ];
    with(more, &[("cost", IndexKind::Scalar), ("note", IndexKind::Text), ("tags", IndexKind::Labels)])
}

/// Rows of the wider table; what is added to them is null but for the cost and the note.
fn wide_batch(rows: &[Row], cost: i64, note: &str) -> RecordBatch {
    let narrow = batch(rows);
    let mut columns: Vec<ArrayRef> = narrow.columns().to_vec();
    columns.push(Arc::new(Int64Array::from_value(cost, rows.len())));
    columns.push(Arc::new(StringArray::from_iter_values(rows.iter().map(|_| note))));
    let schema = wider().schema;
    columns.push(arrow_array::new_null_array(schema.field_with_name("tags").unwrap().data_type(), rows.len()));
    RecordBatch::try_new(schema, columns).unwrap()
}

pub(super) async fn a_table_gets_the_columns_it_lacks(lake: &dyn Lake) {
    let narrow = table(lake, "opening-wider").await;
    let old = [Row::new("a").doc("one").number(1).words("old words"), Row::new("b").angle(3.0)];
    narrow.append(batch(&old)).await.unwrap();
    let before = narrow.snapshot().await.unwrap();
    let wide = lake.open(narrow.name(), &wider()).await.unwrap();
    assert_eq!(wide.schema().fields().len(), narrow.schema().fields().len());
    assert_eq!(before.schema().fields().len(), spec().schema.fields().len(), "a version keeps its columns");

    assert_eq!(rows_of(&wide.scan(Scan::of(Filter::All)).await.unwrap()), old);
    let costs = wide.scan(Scan::of(Filter::All).columns(&["cost", "tags"])).await.unwrap();
    assert!(costs.iter().all(|batch| batch.columns().iter().all(|column| column.null_count() == batch.num_rows())));
    assert_eq!(ids(&*wide, Scan::of(Filter::IsNull("cost".into()))).await, ["a", "b"]);
    assert_eq!(wide.count(Filter::Gt("cost".into(), Scalar::Int(0))).await.unwrap(), 0);

    wide.append(wide_batch(&[Row::new("c")], 7, "a fresh note")).await.unwrap();
    assert_eq!(ids(&*wide, Scan::of(Filter::eq("cost", 7_i64))).await, ["c"]);
    let notes = TextQuery { column: "note".into(), words: "fresh".into(), limit: 5, filter: Filter::All };
    assert_eq!(wide.matching(notes.clone()).await.unwrap().rows.len(), 1);
    let summed = wide.aggregate(Aggregate::of(Filter::All).measure("sum", MeasureOf::Sum("cost".into()))).await.unwrap();
    assert_eq!(summed.batches[0].column(0).as_primitive::<Int64Type>().value(0), 7);

    // Who opened it before goes on as before.
    narrow.append(batch(&[Row::new("d").number(4)])).await.unwrap();
    narrow.replace(Filter::eq("id", "a"), Some(batch(&[Row::new("a").number(5)]))).await.unwrap();
    assert_eq!(ids(&*wide, Scan::of(Filter::IsNull("cost".into()))).await, ["a", "b", "d"]);
    for _ in 0..2 {
        wide.upkeep(&UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..UpkeepPolicy::default() }).await.unwrap();
        assert_eq!(ids(&*wide, Scan::of(Filter::All)).await, ["a", "b", "c", "d"]);
        assert_eq!(ids(&*wide, Scan::of(Filter::eq("cost", 7_i64))).await, ["c"]);
        assert_eq!(wide.matching(notes.clone()).await.unwrap().rows.len(), 1);
    }
    assert_eq!(ids(&*before, Scan::of(Filter::All)).await, ["a", "b"]);
    drop(before);
    done(lake, &wide).await;
}

/// As a process of before an upgrade does.
pub(super) async fn a_table_with_more_columns_is_opened_with_fewer(lake: &dyn Lake) {
    let wide = lake.open(table(lake, "opening-fewer").await.name(), &wider()).await.unwrap();
    wide.append(wide_batch(&[Row::new("a").number(1)], 7, "a fresh note")).await.unwrap();
    let narrow = lake.open(wide.name(), &spec()).await.unwrap();
    assert_eq!(narrow.schema().fields().len(), wider().schema.fields().len(), "columns do not go");
    narrow.append(batch(&[Row::new("b").number(2), Row::new("c")])).await.unwrap();
    narrow.replace(Filter::eq("id", "c"), Some(batch(&[Row::new("c").number(3)]))).await.unwrap();
    let want = [Row::new("a").number(1), Row::new("b").number(2), Row::new("c").number(3)];
    assert_eq!(rows_of(&narrow.scan(Scan::of(Filter::All)).await.unwrap()), want);
    assert_eq!(ids(&*wide, Scan::of(Filter::IsNull("cost".into()))).await, ["b", "c"]);
    assert_eq!(ids(&*wide, Scan::of(Filter::eq("cost", 7_i64))).await, ["a"]);
    // Who knows all of them adds all of them, whoever opened it in between.
    wide.append(wide_batch(&[Row::new("d")], 8, "another")).await.unwrap();
    assert_eq!(ids(&*wide, Scan::of(Filter::eq("cost", 8_i64))).await, ["d"]);
    done(lake, &wide).await;
    // Rows without a value for it could not be added.
    let must = with(vec![Field::new("must", DataType::Int64, false)], &[]);
    let strict = lake.open(&"opening-strict".parse().unwrap(), &must).await.unwrap();
    assert!(matches!(lake.open(strict.name(), &spec()).await, Err(LakeFault::Schema { .. })));
    done(lake, &strict).await;
}

pub(super) async fn any_number_may_widen_a_table_at_once(lake: &dyn Lake) {
    let narrow = table(lake, "opening-at-once").await;
    let spec = wider();
    let openings = (0..4).map(|_| lake.open(narrow.name(), &spec));
    let writers = (0..6).map(|n| {
        let narrow = narrow.clone();
        async move { narrow.append(batch(&[Row::new(format!("n{n}"))])).await.unwrap() }
    });
    let (opened, _) = futures::future::join(join_all(openings), join_all(writers)).await;
    let opened: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
    for (n, wide) in opened.iter().enumerate() {
        assert_eq!(wide.schema().fields().len(), spec.schema.fields().len());
        wide.append(wide_batch(&[Row::new(format!("w{n}"))], 1, "n")).await.unwrap();
    }
    assert_eq!(narrow.count(Filter::All).await.unwrap(), 10);
    assert_eq!(narrow.count(Filter::eq("cost", 1_i64)).await.unwrap(), 4);
    done(lake, &narrow).await;
}

pub(super) async fn other_differences_are_refused(lake: &dyn Lake) {
    let narrow = table(lake, "opening-other").await;
    narrow.append(batch(&[Row::new("a")])).await.unwrap();
    let must = with(vec![Field::new("must", DataType::Int64, false)], &[]);
    let mut retyped = wider();
    let fields = retyped.schema.fields().iter().map(|field| match field.name().as_str() {
        "share" => Field::new("share", DataType::Int64, true),
        _ => field.as_ref().clone(),
    });
    retyped.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    for other in [must, retyped] {
        assert!(matches!(lake.open(narrow.name(), &other).await, Err(LakeFault::Schema { .. })));
    }
    assert_eq!(narrow.schema().fields().len(), spec().schema.fields().len(), "nothing was added on the way");
    lake.open(narrow.name(), &wider()).await.unwrap();
    let text = with(vec![Field::new("extra", DataType::Int64, true)], &[("extra", IndexKind::Text)]);
    assert!(matches!(lake.open(narrow.name(), &text).await, Err(LakeFault::Schema { .. })));
    done(lake, &narrow).await;
}

/// Some that repeat each other, none at all, and some that are larger than any block.
fn various(n: usize) -> Row {
    let text = match n % 5 {
        0 => return Row::new(format!("r{n:04}")),
        1 => String::new(),
        2 => format!("what the row before said, and a number: {n}"),
        3 => "ä語".repeat(n),
        _ => (0..if n % 250 == 4 { 90_000 } else { n })
            .map(|m| char::from(33 + u8::try_from((m * m + n * 7) % 90).unwrap()))
            .collect(),
    };
    Row::new(format!("r{n:04}")).words(&text)
}

pub(super) async fn columns_that_are_packed_are_read_as_they_were_written(lake: &dyn Lake) {
    let plain = table(lake, "opening-packed").await;
    let rows: Vec<Row> = (0..600).map(various).collect();
    plain.append(batch(&rows[..200])).await.unwrap();
    // A table that was there gets it for what comes, by whoever writes.
    let packed = TableSpec { packed: vec!["words".into(), "doc".into()], ..spec() };
    let table = lake.open(plain.name(), &packed).await.unwrap();
    table.append(batch(&rows[200..400])).await.unwrap();
    plain.append(batch(&rows[400..])).await.unwrap();
    let policy = UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..UpkeepPolicy::default() };
    for _ in 0..3 {
        assert_eq!(rows_of(&table.scan(Scan::of(Filter::All)).await.unwrap()), rows);
        for n in [0, 199, 254, 401, 599] {
            let one = Scan::of(Filter::eq("id", format!("r{n:04}")));
            assert_eq!(rows_of(&table.scan(one).await.unwrap()), rows[n..=n]);
        }
        let said = |row: &&Row| row.words.as_ref().is_some_and(|words| words.contains("a number: 4"));
        let found = table.count(Filter::Contains("words".into(), "a number: 4".into())).await.unwrap();
        assert_eq!(found, rows.iter().filter(said).count() as u64);
        table.upkeep(&policy).await.unwrap();
    }
    table.replace(Filter::eq("id", "r0599"), Some(batch(&[various(4)]))).await.unwrap();
    assert_eq!(rows_of(&table.scan(Scan::of(Filter::eq("id", "r0004"))).await.unwrap()), [various(4), various(4)]);
    done(lake, &table).await;
}

pub(super) async fn only_texts_are_packed(lake: &dyn Lake) {
    let name = "opening-unpacked".parse().unwrap();
    let odd = |column: &str| TableSpec { packed: vec![column.into()], ..spec() };
    assert!(matches!(lake.open(&name, &odd("number")).await, Err(LakeFault::Schema { .. })));
    assert!(matches!(lake.open(&name, &odd("nothing")).await, Err(LakeFault::NoColumn { .. })));
    assert!(!lake.list().await.unwrap().contains(&name), "nothing was made");
}
