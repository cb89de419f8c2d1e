use proptest::prelude::*;

use super::{
    fault::PromFault,
    parser::parse,
    tree::{Aggregation, Expr, Function, Matcher, Operator, Selector, Test},
};

/// The tree of a text, as text.
#[track_caller]
fn check(text: &str, wanted: &str) {
    assert_eq!(parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).to_string(), wanted, "{text}");
}

#[test]
fn questions_are_read_as_prometheus_reads_them() {
    check("1 + 2 * 3", "((1) + (((2) * (3))))");
    check("-1 - 2", "((-(1)) - (2))");
    check("mainspring_calls_total", "mainspring_calls_total");
    check("mainspring_calls_total{model=\"gpt\", status!='ok',}", "mainspring_calls_total{model=\"gpt\",status!=\"ok\"}");
    check("{__name__=\"mainspring_calls_total\",app=~`a\\d`}", "mainspring_calls_total{app=~\"a\\\\d\"}");
    check("sum(rate(mainspring_calls_total[5m]))", "sum by () (rate(mainspring_calls_total[300000ms]))");
    check(
        "sum by (app, model) (increase(mainspring_calls_total[1h30m])) # so",
        "sum by (app, model) (increase(mainspring_calls_total[5400000ms]))",
    );
    check("max(mainspring_call_duration_seconds) by (model) / 2", "((max by (model) (mainspring_call_duration_seconds)) / (2))");
}

#[test]
fn what_is_not_understood_is_refused_where_it_stands() {
    for (text, at) in [
        ("topk(3, mainspring_calls_total)", 1),
        ("histogram_quantile(0.9, mainspring_calls_total)", 1),
        ("sum without (app) (mainspring_calls_total)", 5),
        ("mainspring_calls_total offset 5m", 24),
        ("mainspring_calls_total[5m]", 23),
        ("rate(mainspring_calls_total[5m:1m])", 31),
        ("mainspring_calls_total > 1", 24),
        ("mainspring_calls_total and mainspring_calls_total", 24),
        ("2 ^ 3", 3),
        ("mainspring_calls_total / on (app) mainspring_calls_total", 26),
        ("{app=\"a\"}", 1),
    ] {
        let found = parse(text);
        assert!(matches!(found, Err(PromFault::Unsupported { at: found, .. }) if found == at), "{text}: {found:?}");
    }
    for (text, at) in [
        ("", 1),
        ("sum(", 5),
        ("mainspring_calls_total{app}", 27),
        ("mainspring_calls_total{app=\"a}", 28),
        ("rate(mainspring_calls_total[5])", 29),
        ("mainspring_call_total", 1),
        ("1 +", 4),
        ("(1", 3),
    ] {
        let found = parse(text);
        assert!(matches!(found, Err(PromFault::Invalid { at: found, .. }) if found == at), "{text}: {found:?}");
    }
    let nested = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(matches!(parse(&nested), Err(PromFault::Invalid { .. })));
    let chained = "1+".repeat(5_000) + "1";
    assert!(matches!(parse(&chained), Err(PromFault::Invalid { .. })));
}

fn label() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_]{0,8}"
}

fn selector() -> impl Strategy<Value = Selector> {
    let name =
        prop::sample::select(vec!["mainspring_calls_total", "mainspring_tokens_total", "mainspring_call_duration_seconds"]);
    let test = prop::sample::select(vec![Test::Equal, Test::NotEqual, Test::Matches, Test::MatchesNot]);
    let matcher = (label(), test, ".{0,12}").prop_map(|(label, test, value)| Matcher { label, test, value });
    (name, prop::collection::vec(matcher, 0..3)).prop_map(|(name, matchers)| Selector { name: name.to_owned(), matchers, at: 1 })
}

fn expr() -> impl Strategy<Value = Expr> {
    let function = prop::sample::select(vec![Function::Rate, Function::Increase]);
    let window = (function, selector(), 1_i64..10_000_000).prop_map(|(function, selector, millis)| Expr::Window {
        function,
        selector,
        micros: millis * 1_000,
    });
    let leaf = prop_oneof![(0.0_f64..1e12).prop_map(Expr::Number), selector().prop_map(Expr::Selector), window];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let of = prop::sample::select(vec![
            Aggregation::Sum,
            Aggregation::Avg,
            Aggregation::Min,
            Aggregation::Max,
            Aggregation::Count,
        ]);
        let operator = prop::sample::select(vec![Operator::Plus, Operator::Minus, Operator::Times, Operator::Over]);
        let together = (of, prop::collection::vec(label(), 0..3), inner.clone()).prop_map(|(of, by, inner)| Expr::Aggregate {
            of,
            by,
            inner: Box::new(inner),
            at: 1,
        });
        let binary = (inner.clone(), operator, inner.clone()).prop_map(|(left, operator, right)| Expr::Binary {
            left: Box::new(left),
            operator,
            right: Box::new(right),
        });
        prop_oneof![together, binary, inner.prop_map(|inner| Expr::Negative(Box::new(inner)))]
    })
}

/// Where parts stand says nothing of what they mean.
fn placeless(expr: Expr) -> Expr {
    match expr {
        Expr::Aggregate { of, by, inner, at: _ } => Expr::Aggregate { of, by, inner: Box::new(placeless(*inner)), at: 1 },
        Expr::Negative(inner) => Expr::Negative(Box::new(placeless(*inner))),
        Expr::Binary { left, operator, right } => {
            Expr::Binary { left: Box::new(placeless(*left)), operator, right: Box::new(placeless(*right)) }
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn what_was_read_is_written_and_read_again(expr in expr()) {
        let text = expr.to_string();
        let read = parse(&text);
        prop_assert!(read.is_ok(), "{text}: {read:?}");
        prop_assert_eq!(placeless(read.unwrap()), expr, "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_words_of_the_language_are_read_or_refused(
        words in prop::collection::vec(prop::sample::select(vec![
            "sum", "by", "rate", "(", ")", "[", "]", "{", "}", "mainspring_calls_total", "5m", ",", "=", "!=", "=~", "\"a\"", "+", "-", "*",
            "/", "1", "e", "app", "#", "\n", "offset", "without", "'", "`", "\\",
        ]), 0..40),
    ) {
        let _ = parse(&words.concat());
        let _ = parse(&words.join(" "));
    }
}
