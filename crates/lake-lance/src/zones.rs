//! Which fragments can hold rows that a condition finds, by the least and the greatest whole number of a column in each.
//!
//! Rows that come in the order of their time lie in it, so a question about an hour reads the fragments of that hour. A
//! fragment's files never change and deletions only take rows away, so its bounds are read once, when first asked for.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::{cast::AsArray, types::Int64Type};
use arrow_schema::DataType;
use futures::{FutureExt as _, StreamExt, TryStreamExt};
use lance::{
    Dataset,
    deps::datafusion::{
        arrow::compute,
        common::ScalarValue,
        logical_expr::{Expr, Operator},
    },
};
use lance_table::format::Fragment;
use mainspring_lake::{IndexKind, LakeFault};

use crate::{indexes, table::Core};

/// The least and the greatest value; nothing where all are null.
pub(crate) type Zone = Option<(i64, i64)>;

/// Forgotten all at once beyond this: fragments that were merged away never come back.
const ZONES_MAX: usize = 100_000;
const AT_ONCE: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Zones(Mutex<HashMap<String, HashMap<u64, Zone>>>);

impl Zones {
    fn known(&self, column: &str) -> HashMap<u64, Zone> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(column).cloned().unwrap_or_default()
    }

    fn learn(&self, column: &str, found: &[(u64, Zone)]) {
        let mut zones = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_column = zones.entry(column.to_owned()).or_default();
        if of_column.len() > ZONES_MAX {
            of_column.clear();
        }
        of_column.extend(found.iter().copied());
    }
}

/// The bounds of a whole-number column in every fragment.
pub(crate) async fn of(core: &Core, dataset: &Arc<Dataset>, column: &str) -> Result<HashMap<u64, Zone>, LakeFault> {
    let mut zones = core.zones.known(column);
    let missing: Vec<Fragment> = dataset.iter_fragments().filter(|fragment| !zones.contains_key(&fragment.id)).cloned().collect();
    if missing.is_empty() {
        return Ok(zones);
    }
    let found: Vec<(u64, Zone)> = futures::stream::iter(missing)
        .map(|fragment| async move {
            let id = fragment.id;
            Ok::<_, LakeFault>((id, Box::pin(read(core, dataset, fragment, column)).await?))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    core.zones.learn(column, &found);
    zones.extend(found);
    Ok(zones)
}

async fn read(core: &Core, dataset: &Arc<Dataset>, fragment: Fragment, column: &str) -> Result<Zone, LakeFault> {
    let fault = |error| core.fault(&error);
    let mut scanner = dataset.scan();
    scanner.with_fragments(vec![fragment]).scan_in_order(false).project(&[column]).map_err(fault)?;
    let mut batches = scanner.try_into_stream().boxed().await.map_err(fault)?;
    let mut zone: Zone = None;
    while let Some(batch) = batches.try_next().await.map_err(fault)? {
        let numbers = batch.column(0).as_primitive::<Int64Type>();
        if let (Some(least), Some(greatest)) = (compute::min(numbers), compute::max(numbers)) {
            zone = Some(zone.map_or((least, greatest), |(low, high)| (low.min(least), high.max(greatest))));
        }
    }
    Ok(zone)
}

/// A comparison of a column with a whole number that every row found must pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) column: String,
    pub(crate) operator: Operator,
    pub(crate) number: i64,
}

impl Bound {
    fn may_hold(&self, zone: Zone) -> bool {
        let Some((least, greatest)) = zone else { return false };
        match self.operator {
            Operator::Eq => least <= self.number && self.number <= greatest,
            Operator::Lt => least < self.number,
            Operator::LtEq => least <= self.number,
            Operator::Gt => greatest > self.number,
            Operator::GtEq => greatest >= self.number,
            _ => true,
        }
    }
}

/// The parts of a condition that must all hold.
fn parts(condition: &Expr) -> Vec<&Expr> {
    let (mut found, mut rest) = (Vec::new(), vec![condition]);
    while let Some(expr) = rest.pop() {
        match expr {
            Expr::BinaryExpr(both) if both.op == Operator::And => rest.extend([&*both.left, &*both.right]),
            other => found.push(other),
        }
    }
    found
}

pub(crate) fn bounds(condition: &Expr) -> Vec<Bound> {
    parts(condition).into_iter().filter_map(bound).collect()
}

fn bound(expr: &Expr) -> Option<Bound> {
    let Expr::BinaryExpr(comparison) = expr else { return None };
    let (column, operator, value) = match (&*comparison.left, &*comparison.right) {
        (Expr::Column(column), Expr::Literal(value, _)) => (column, comparison.op, value),
        (Expr::Literal(value, _), Expr::Column(column)) => (column, comparison.op.swap()?, value),
        _ => return None,
    };
    let ScalarValue::Int64(Some(number)) = value else { return None };
    Some(Bound { column: column.name.clone(), operator, number: *number })
}

/// Whether an index leads to few rows: an equality with a column that has one by now. A range may be nearly all of a table,
/// and then reading the column is quicker than reading its index.
pub(crate) async fn is_pointed(core: &Core, dataset: &Dataset, condition: &Expr) -> Result<bool, LakeFault> {
    let wished = core.indexes();
    for (column, kind) in parts(condition).into_iter().flat_map(pointed_at) {
        let is_wished = wished.iter().any(|spec| spec.kind == kind && spec.column == column);
        if is_wished && indexes::exists(core, dataset, column, kind).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The columns of which an index would lead to the rows of this condition.
fn pointed_at(condition: &Expr) -> Vec<(&str, IndexKind)> {
    let (exprs, kind): (Vec<&Expr>, IndexKind) = match condition {
        Expr::BinaryExpr(both) if both.op == Operator::Eq => (vec![&*both.left, &*both.right], IndexKind::Scalar),
        Expr::InList(list) if !list.negated => (vec![&*list.expr], IndexKind::Scalar),
        Expr::ScalarFunction(call) if call.name().starts_with("array_has") => {
            (call.args.first().into_iter().collect(), IndexKind::Labels)
        }
        _ => return Vec::new(),
    };
    let named =
        exprs.into_iter().filter_map(|expr| if let Expr::Column(column) = expr { Some(column.name.as_str()) } else { None });
    named.map(|name| (name, kind)).collect()
}

/// The fragments that can hold rows of a condition, or `None` where all can, or an index knows better.
pub(crate) async fn relevant(core: &Core, dataset: &Arc<Dataset>, condition: &Expr) -> Result<Option<Vec<Fragment>>, LakeFault> {
    if dataset.count_fragments() < 2 || is_pointed(core, dataset, condition).await? {
        return Ok(None);
    }
    let schema = core.schema_at(dataset);
    let whole = |column: &str| schema.field_with_name(column).is_ok_and(|field| *field.data_type() == DataType::Int64);
    let bounds: Vec<Bound> = bounds(condition).into_iter().filter(|bound| whole(&bound.column)).collect();
    if bounds.is_empty() {
        return Ok(None);
    }
    let mut kept: HashSet<u64> = dataset.iter_fragments().map(|fragment| fragment.id).collect();
    for bound in &bounds {
        let zones = of(core, dataset, &bound.column).await?;
        kept.retain(|id| zones.get(id).is_none_or(|zone| bound.may_hold(*zone)));
    }
    Ok(Some(dataset.iter_fragments().filter(|fragment| kept.contains(&fragment.id)).cloned().collect()))
}
