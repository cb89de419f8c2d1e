use mainspring_lake::{Filter, LakeFault, Scalar, conformance::spec};
use proptest::prelude::*;

use crate::filter::{Condition, compile};

fn compiled(filter: &Filter) -> Result<Condition, LakeFault> {
    compile(filter, &spec().schema, "t")
}

#[test]
fn constants_are_folded_out() {
    let never = || Filter::Or(vec![]);
    let some = || Filter::eq("id", "a");
    for (filter, wanted) in [
        (Filter::All, Condition::Always),
        (Filter::And(vec![]), Condition::Always),
        (never(), Condition::Never),
        (Filter::Not(Box::new(never())), Condition::Always),
        (Filter::And(vec![some(), never()]), Condition::Never),
        (Filter::Or(vec![some(), Filter::All]), Condition::Always),
        (Filter::any_of("id", Vec::<String>::new()), Condition::Never),
        (Filter::HasAny("labels".into(), vec![]), Condition::Never),
    ] {
        assert_eq!(compiled(&filter).unwrap(), wanted, "{filter:?}");
    }
    assert_eq!(compiled(&Filter::And(vec![Filter::All, some()])).unwrap(), compiled(&some()).unwrap());
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        any::<bool>().prop_map(Scalar::Bool),
        any::<i64>().prop_map(Scalar::Int),
        any::<f64>().prop_map(Scalar::Float),
        ".{0,12}".prop_map(Scalar::Text),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let column = prop_oneof![
        Just("id".to_owned()),
        Just("number".to_owned()),
        Just("share".to_owned()),
        Just("flag".to_owned()),
        Just("labels".to_owned()),
        Just("vector".to_owned()),
        ".{0,8}",
    ];
    let leaf = (column, scalar(), prop::collection::vec(scalar(), 0..4), 0..11_u8).prop_map(|(column, value, values, kind)| {
        let text = format!("{value:?}");
        match kind {
            0 => Filter::All,
            1 => Filter::Eq(column, value),
            2 => Filter::NotEq(column, value),
            3 => Filter::Lt(column, value),
            4 => Filter::LtEq(column, value),
            5 => Filter::Gt(column, value),
            6 => Filter::GtEq(column, value),
            7 => Filter::In(column, values),
            8 => Filter::HasAny(column, vec![text]),
            9 => Filter::Contains(column, text),
            _ => Filter::StartsWith(column, text),
        }
    });
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn any_tree_compiles_or_is_refused(filter in filter()) {
        match compiled(&filter) {
            Ok(_) | Err(LakeFault::NoColumn { .. } | LakeFault::Query { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
