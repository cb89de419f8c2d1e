use std::collections::BTreeSet;

use super::{
    Row, batch, done,
    rows::{ids_at, ids_in_order, leaning},
    table,
};
use crate::{Distance, DocHits, Filter, Lake, LakeFault, Order, Scalar, Scan, Table, TextQuery, UpkeepPolicy, VectorQuery};

fn words(words: &str, filter: Filter) -> TextQuery {
    TextQuery { column: "words".into(), words: words.to_owned(), limit: 20, filter }
}

fn towards(degrees: f32, filter: Filter, distance: Distance) -> VectorQuery {
    VectorQuery { column: "vector".into(), vector: leaning(degrees), limit: 5, filter, distance }
}

const INDEXED: Distance = Distance::Indexed { probes: 20, refine: 3 };

/// Upkeep that does everything it could.
fn thorough() -> UpkeepPolicy {
    UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..UpkeepPolicy::default() }
}

async fn found(table: &dyn Table, query: TextQuery) -> Vec<String> {
    let hits = table.matching(query).await.unwrap();
    assert!(hits.rows.windows(2).all(|pair| pair[0].1 >= pair[1].1), "best first: {hits:?}");
    ids_at(table, &hits.rows).await
}

pub(super) async fn words_are_found_at_once(lake: &dyn Lake) {
    let table = table(lake, "searching-words").await;
    assert_eq!(table.matching(words("anything", Filter::All)).await.unwrap(), DocHits::default());
    table
        .append(batch(&[
            Row::new("a").words("The lake holds versions of every table"),
            Row::new("b").words("Lakes and lakes: a lake, again a lake"),
            Row::new("c").words("Nothing of the kind"),
            Row::new("d"),
        ]))
        .await
        .unwrap();
    assert_eq!(found(&*table, words("lake", Filter::All)).await, ["b", "a"]);
    table.upkeep(&thorough()).await.unwrap();
    assert_eq!(found(&*table, words("lake", Filter::All)).await, ["b", "a"]);
    // What came after the last upkeep is found beside what came before.
    table.append(batch(&[Row::new("e").words("versioned lake")])).await.unwrap();
    let all: BTreeSet<String> = found(&*table, words("lake", Filter::All)).await.into_iter().collect();
    assert_eq!(all, BTreeSet::from(["a", "b", "e"].map(str::to_owned)));
    assert_eq!(found(&*table, words("versions kind", Filter::All)).await.len(), 3);
    assert_eq!(found(&*table, words("Café", Filter::All)).await, Vec::<String>::new());
    table.append(batch(&[Row::new("f").words("cafe"), Row::new("g").words("東京タワーへ行く")])).await.unwrap();
    assert_eq!(found(&*table, words("Café", Filter::All)).await, ["f"]);
    assert_eq!(found(&*table, words("東京", Filter::All)).await, ["g"]);
    let mut one = words("lake", Filter::All);
    one.limit = 1;
    assert_eq!(found(&*table, one.clone()).await.len(), 1);
    one.limit = 0;
    assert_eq!(table.matching(one).await.unwrap(), DocHits::default());
    done(lake, &table).await;
}

pub(super) async fn words_have_no_syntax(lake: &dyn Lake) {
    let table = table(lake, "searching-syntax").await;
    table.append(batch(&[Row::new("a").words("plain words"), Row::new("b").words("second text")])).await.unwrap();
    for nothing in ["", "   ", "\t\n", "?!", "the of and", "\0", "NOT", "*", "\"", "(((", "words:"] {
        let hits = table.matching(words(nothing, Filter::All)).await;
        let wanted = usize::from(nothing == "words:");
        assert_eq!(hits.unwrap().rows.len(), wanted, "{nothing:?}");
    }
    assert_eq!(found(&*table, words("+plain -words \"second", Filter::All)).await.len(), 2);
    assert_eq!(found(&*table, words("plain AND second", Filter::All)).await.len(), 2);
    assert_eq!(found(&*table, words("pla*", Filter::All)).await.len(), 0);
    let long = "word ".repeat(20_000);
    assert_eq!(found(&*table, words(&long, Filter::All)).await, ["a"]);
    let mut other = words("plain", Filter::All);
    other.column = "doc".into();
    assert!(matches!(table.matching(other).await, Err(LakeFault::Query { .. })), "a column without an index");
    done(lake, &table).await;
}

pub(super) async fn words_are_found_under_a_filter(lake: &dyn Lake) {
    let table = table(lake, "searching-filter").await;
    let rows: Vec<Row> = (0..60)
        .map(|n| {
            // The rows the filter leaves are the worst hits of all.
            let rare = n % 20 == 7;
            let text = if rare { "signal among a great many other words that dilute it a lot" } else { "signal signal signal" };
            Row::new(format!("{n:02}")).words(text).labels(if rare { &["rare"] } else { &["common"] })
        })
        .collect();
    table.append(batch(&rows)).await.unwrap();
    let mut query = words("signal", Filter::HasAny("labels".into(), vec!["rare".into()]));
    query.limit = 3;
    let wanted: BTreeSet<String> = ["07", "27", "47"].map(str::to_owned).into();
    for _ in 0..2 {
        let hits: BTreeSet<String> = found(&*table, query.clone()).await.into_iter().collect();
        assert_eq!(hits, wanted);
        table.upkeep(&thorough()).await.unwrap();
    }
    let mut none = query;
    none.filter = Filter::eq("id", "nobody");
    assert_eq!(table.matching(none).await.unwrap(), DocHits::default());
    done(lake, &table).await;
}

pub(super) async fn words_are_a_condition(lake: &dyn Lake) {
    let table = table(lake, "searching-condition").await;
    let rows: Vec<Row> = (0..40_i64)
        .map(|n| {
            let text = if n % 10 == 3 { "A refund for the Café order" } else { "an order was placed" };
            Row::new(format!("{n:02}")).number(n).words(text).doc(if n < 20 { "one" } else { "two" })
        })
        .collect();
    table.append(batch(&rows[..15])).await.unwrap();
    table.append(batch(&rows[15..])).await.unwrap();
    let has = |text: &str| Filter::Words("words".into(), text.into());
    for _ in 0..2 {
        let check = async |filter: Filter, wanted: &[&str]| {
            assert_eq!(super::ids(&*table, Scan::of(filter.clone())).await, wanted, "{filter:?}");
            assert_eq!(table.count(filter.clone()).await.unwrap(), wanted.len() as u64, "{filter:?}");
            let newest = Scan::of(filter.clone()).order("number", Order::Descending).limit(2);
            let first: Vec<&str> = wanted.iter().rev().take(2).copied().collect();
            assert_eq!(ids_in_order(&*table, newest).await, first, "newest of {filter:?}");
            let mut second = Scan::of(filter.clone()).order("id", Order::Ascending).limit(2);
            second.offset = 1;
            let middle: Vec<&str> = wanted.iter().skip(1).take(2).copied().collect();
            assert_eq!(ids_in_order(&*table, second).await, middle, "second of {filter:?}");
        };
        check(has("refunds"), &["03", "13", "23", "33"]).await;
        check(has("cafe REFUND"), &["03", "13", "23", "33"]).await;
        check(has("refund placed"), &[]).await;
        check(has("refund").and(Filter::eq("doc", "two")), &["23", "33"]).await;
        check(has("refund").and(has("order")).and(Filter::Gt("number".into(), Scalar::Int(3))), &["13", "23", "33"]).await;
        check(Filter::And(vec![Filter::And(vec![has("refund")]), Filter::eq("id", "13")]), &["13"]).await;
        check(has("refund").and(Filter::any_of("id", Vec::<String>::new())), &[]).await;
        check(has("nothing like it"), &[]).await;
        check(has(" "), &[]).await;
        check(has("the of"), &[]).await;
        assert_eq!(table.count(has("order")).await.unwrap(), 40);
        assert_eq!(table.scan(Scan::of(has("order")).limit(7)).await.unwrap().iter().map(|b| b.num_rows()).sum::<usize>(), 7);
        table.upkeep(&thorough()).await.unwrap();
    }
    for odd in [
        Filter::Not(Box::new(has("refund"))),
        Filter::Or(vec![has("refund"), Filter::eq("id", "01")]),
        Filter::Words("doc".into(), "one".into()),
        Filter::Words("number".into(), "1".into()),
    ] {
        assert!(matches!(table.count(odd.clone()).await, Err(LakeFault::Query { .. })), "{odd:?}");
        assert!(matches!(table.scan(Scan::of(odd.clone())).await, Err(LakeFault::Query { .. })), "{odd:?}");
    }
    assert!(matches!(table.count(Filter::Words("nope".into(), "x".into())).await, Err(LakeFault::NoColumn { .. })));
    done(lake, &table).await;
}

pub(super) async fn replaced_words_are_not_found(lake: &dyn Lake) {
    let table = table(lake, "searching-replaced").await;
    for doc in ["one", "two"] {
        table.append(batch(&[Row::new(doc).doc(doc).words("secret word")])).await.unwrap();
    }
    table.upkeep(&thorough()).await.unwrap();
    table.replace(Filter::eq("doc", "one"), Some(batch(&[Row::new("new").doc("one").words("public word")]))).await.unwrap();
    for _ in 0..2 {
        assert_eq!(found(&*table, words("secret", Filter::All)).await, ["two"]);
        assert_eq!(found(&*table, words("public", Filter::All)).await, ["new"]);
        table.upkeep(&thorough()).await.unwrap();
    }
    table.replace(Filter::All, None).await.unwrap();
    assert_eq!(table.matching(words("word", Filter::All)).await.unwrap(), DocHits::default());
    table.append(batch(&[Row::new("later").words("another word")])).await.unwrap();
    assert_eq!(found(&*table, words("word", Filter::All)).await, ["later"]);
    done(lake, &table).await;
}

pub(super) async fn nearest_rows_come_best_first(lake: &dyn Lake) {
    let table = table(lake, "searching-nearest").await;
    assert_eq!(table.nearest(towards(0.0, Filter::All, INDEXED)).await.unwrap(), DocHits::default());
    let mut rows: Vec<Row> = (0..18_u8).map(|n| Row::new(format!("{n:02}")).angle(f32::from(n) * 10.0)).collect();
    rows.push(Row::new("null"));
    rows.push(Row { vector: Some(vec![0.0; 8]), ..Row::new("zero") });
    table.append(batch(&rows)).await.unwrap();
    for distance in [Distance::Exact, INDEXED] {
        let hits = table.nearest(towards(41.0, Filter::All, distance)).await.unwrap();
        assert_eq!(ids_at(&*table, &hits.rows).await, ["04", "05", "03", "06", "02"]);
        for ((_, score), degrees) in hits.rows.iter().zip([1.0_f32, 9.0, 11.0, 19.0, 21.0]) {
            assert!((score - degrees.to_radians().cos()).abs() < 1e-4, "{score} is the cosine of {degrees}°");
        }
    }
    let mut all = towards(0.0, Filter::All, Distance::Exact);
    all.limit = 100;
    assert_eq!(table.nearest(all.clone()).await.unwrap().rows.len(), 18, "no null and no zero vector");
    all.limit = 0;
    assert_eq!(table.nearest(all).await.unwrap(), DocHits::default());
    done(lake, &table).await;
}

pub(super) async fn nearest_rows_obey_the_filter(lake: &dyn Lake) {
    let table = table(lake, "searching-obey").await;
    let rows: Vec<Row> = (0..40_u8)
        .map(|n| {
            Row::new(format!("{n:02}")).angle(f32::from(n)).number(i64::from(n)).labels(if n < 35 { &["all"] } else { &["few"] })
        })
        .collect();
    table.append(batch(&rows)).await.unwrap();
    for _ in 0..2 {
        for distance in [Distance::Exact, INDEXED] {
            let few = Filter::HasAny("labels".into(), vec!["few".into()]);
            let hits = table.nearest(towards(0.0, few, distance)).await.unwrap();
            assert_eq!(ids_at(&*table, &hits.rows).await, ["35", "36", "37", "38", "39"]);
            let none = table.nearest(towards(0.0, Filter::eq("id", "nobody"), distance)).await.unwrap();
            assert_eq!(none, DocHits::default());
            let one = table.nearest(towards(0.0, Filter::eq("number", 20_i64), distance)).await.unwrap();
            assert_eq!(ids_at(&*table, &one.rows).await, ["20"]);
        }
        table.upkeep(&thorough()).await.unwrap();
    }
    done(lake, &table).await;
}

pub(super) async fn vectors_without_direction_are_refused(lake: &dyn Lake) {
    let table = table(lake, "searching-refused").await;
    table.append(batch(&[Row::new("a").angle(0.0)])).await.unwrap();
    for vector in [vec![], vec![1.0; 7], vec![1.0; 9], vec![0.0; 8], vec![f32::NAN; 8], vec![f32::INFINITY; 8]] {
        let query = VectorQuery { vector: vector.clone(), ..towards(0.0, Filter::All, Distance::Exact) };
        assert!(matches!(table.nearest(query).await, Err(LakeFault::Query { .. })), "{vector:?}");
    }
    let query = VectorQuery { column: "words".into(), ..towards(0.0, Filter::All, Distance::Exact) };
    assert!(matches!(table.nearest(query).await, Err(LakeFault::Query { .. })));
    done(lake, &table).await;
}

/// Every set of held labels against every way to read: nobody sees a row they hold no label of.
pub(super) async fn labels_never_leak(lake: &dyn Lake) {
    const LABELS: [&str; 4] = ["a", "b", "a b", "%"];
    let table = table(lake, "searching-labels").await;
    let rows: Vec<Row> = (0..48_u8)
        .map(|n| {
            let held: Vec<&str> = (0..4).filter(|bit| n & (1 << bit) != 0).map(|bit| LABELS[bit]).collect();
            Row::new(format!("{n:02}")).labels(&held).words("shared words").angle(f32::from(n))
        })
        .collect();
    for half in rows.chunks(24) {
        table.append(batch(half)).await.unwrap();
    }
    for after_upkeep in [false, true] {
        for mask in 0..16_usize {
            let held: Vec<String> = (0..4).filter(|bit| mask & (1 << bit) != 0).map(|bit| LABELS[bit].to_owned()).collect();
            let seen: Vec<String> = rows
                .iter()
                .filter(|row| row.labels.iter().flatten().any(|label| held.contains(label)))
                .map(|row| row.id.clone())
                .collect();
            let filter = Filter::HasAny("labels".into(), held.clone());
            let context = format!("held {held:?}, after upkeep {after_upkeep}");
            assert_eq!(super::ids(&*table, Scan::of(filter.clone())).await, seen, "{context}");
            assert_eq!(table.count(filter.clone()).await.unwrap(), seen.len() as u64, "{context}");
            let text = TextQuery { limit: 100, ..words("shared", filter.clone()) };
            let mut by_words = found(&*table, text).await;
            by_words.sort();
            assert_eq!(by_words, seen, "{context}");
            for distance in [Distance::Exact, INDEXED] {
                let query = VectorQuery { limit: 100, ..towards(20.0, filter.clone(), distance) };
                let hits = table.nearest(query).await.unwrap();
                let mut by_vector = ids_at(&*table, &hits.rows).await;
                by_vector.sort();
                assert_eq!(by_vector, seen, "{context}");
            }
        }
        table.upkeep(&thorough()).await.unwrap();
    }
    done(lake, &table).await;
}
