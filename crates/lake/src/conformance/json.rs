use super::{Row, batch, done, ids, table};
use crate::{Comparison, Filter, JsonTest, Lake, LakeFault, Order, Scalar, Scan};

const PATH: [&str; 1] = ["gen_ai.request.model"];

fn is(comparison: Comparison, value: impl Into<Scalar>) -> JsonTest {
    JsonTest::Is(comparison, value.into())
}

pub(super) async fn values_inside_json_are_found(lake: &dyn Lake) {
    let table = table(lake, "json-values").await;
    table
        .append(batch(&[
            Row::new("a").words(r#"{"gen_ai.request.model":"gpt","n":3,"deep":{"list":[{"x":1},{"x":"two"}]},"ok":true}"#),
            Row::new("b").words(r#"{ "n" : 3.5 , "gen_ai.request.model" : "GPT-4\"o" , "ok" : false, "deep":{"x":"n"} }"#),
            Row::new("c").words(r#"{"\u006e":-7,"gen_ai.request.model":null,"ok":"true"}"#),
            Row::new("d").words("not JSON: gen_ai.request.model"),
            Row::new("e"),
            Row::new("f").words(r#"{"other":{"gen_ai.request.model":"gpt"},"n":"3"}"#),
        ]))
        .await
        .unwrap();
    let check = async |path: &[&str], test: JsonTest, wanted: &[&str]| {
        let filter = Filter::json("words", path, test);
        assert_eq!(ids(&*table, Scan::of(filter.clone())).await, wanted, "{filter:?}");
        assert_eq!(table.count(filter.clone()).await.unwrap(), wanted.len() as u64, "{filter:?}");
        let page = Scan::of(filter.clone()).order("id", Order::Descending).limit(10);
        assert_eq!(ids(&*table, page).await, wanted, "{filter:?}");
    };
    check(&PATH, is(Comparison::Eq, "gpt"), &["a"]).await;
    check(&PATH, is(Comparison::Eq, "GPT-4\"o"), &["b"]).await;
    check(&PATH, is(Comparison::NotEq, "gpt"), &["b"]).await;
    check(&PATH, JsonTest::Exists, &["a", "b"]).await;
    check(&PATH, JsonTest::Contains("pT".into()), &["a", "b"]).await;
    check(&PATH, JsonTest::StartsWith("GPT".into()), &["b"]).await;
    check(&PATH, JsonTest::OneOf(vec!["gpt".into(), "x".into(), 3_i64.into()]), &["a"]).await;
    check(&PATH, JsonTest::OneOf(vec![]), &[]).await;
    check(&["n"], is(Comparison::Gt, 3_i64), &["b"]).await;
    check(&["n"], is(Comparison::LtEq, Scalar::Float(3.0)), &["a", "c"]).await;
    check(&["n"], is(Comparison::Eq, "3"), &["f"]).await;
    check(&["n"], is(Comparison::Lt, 0_i64), &["c"]).await;
    check(&["ok"], is(Comparison::Eq, Scalar::Bool(true)), &["a"]).await;
    check(&["deep", "list", "1", "x"], is(Comparison::Eq, "two"), &["a"]).await;
    check(&["deep", "list", "0", "x"], is(Comparison::GtEq, 1_i64), &["a"]).await;
    check(&["deep", "list", "2", "x"], JsonTest::Exists, &[]).await;
    check(&["deep"], JsonTest::Exists, &["a", "b"]).await;
    check(&["deep", "x", "further"], JsonTest::Exists, &[]).await;
    check(&["other", PATH[0]], is(Comparison::Eq, "gpt"), &["f"]).await;
    let not = Filter::Not(Box::new(Filter::json("words", &PATH, is(Comparison::Eq, "gpt"))));
    assert_eq!(ids(&*table, Scan::of(not)).await, ["b"], "what has no such value is not found by a negation");
    let absent = Filter::Not(Box::new(Filter::json("words", &PATH, JsonTest::Exists)));
    assert_eq!(ids(&*table, Scan::of(absent)).await, ["c", "d", "f"]);
    let both = Filter::json("words", &["n"], JsonTest::Exists).and(Filter::eq("id", "a"));
    assert_eq!(ids(&*table, Scan::of(both)).await, ["a"]);
    table.replace(Filter::json("words", &PATH, is(Comparison::Eq, "gpt")), None).await.unwrap();
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["b", "c", "d", "e", "f"]);
    done(lake, &table).await;
}

pub(super) async fn senseless_json_conditions_are_refused(lake: &dyn Lake) {
    let table = table(lake, "json-refused").await;
    table.append(batch(&[Row::new("a").words("{}")])).await.unwrap();
    for odd in [
        Filter::json("number", &["n"], JsonTest::Exists),
        Filter::json("labels", &["n"], JsonTest::Exists),
        Filter::json("words", &["n"], is(Comparison::Eq, Scalar::Float(f64::NAN))),
        Filter::json("words", &["n"; 100], JsonTest::Exists),
    ] {
        assert!(matches!(table.count(odd.clone()).await, Err(LakeFault::Query { .. })), "{odd:?}");
    }
    let unknown = Filter::json("nope", &["n"], JsonTest::Exists);
    assert!(matches!(table.count(unknown).await, Err(LakeFault::NoColumn { .. })));
    done(lake, &table).await;
}
