//! Groups and measures become a plan of the engine: a scan of the columns they name, one pass of grouping, one projection.

use std::{collections::HashSet, sync::Arc};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use lance::{
    Dataset,
    deps::datafusion::{
        common::{Column, JoinType, ScalarValue},
        dataframe::DataFrame,
        datasource::provider_as_source,
        error::DataFusionError,
        functions_aggregate::expr_fn,
        logical_expr::{Expr, ExprFunctionExt, LogicalPlanBuilder, ScalarUDF, SortExpr, cast, lit},
    },
};
use mainspring_kernel::text::elide;
use mainspring_lake::{Aggregate, Filter, First, Grouped, Key, KeyOf, LakeFault, Measure, MeasureOf, Numbers, Order};

use crate::{
    echoes,
    filter::{self, Condition, reference},
    functions, json_functions, schema, session, summaries,
    table::Core,
    view,
};

const KEYS_MAX: usize = 16;
const MEASURES_MAX: usize = 64;

pub(crate) async fn run(core: &Arc<Core>, dataset: Arc<Dataset>, question: Aggregate) -> Result<Grouped, LakeFault> {
    let allowance = question.allowance;
    let kept = core.schema_at(&dataset);
    let columns = echoes::hidden(&kept);
    let asked = with_first(&columns, question.first.as_ref());
    let scope = Scope { core, columns: &columns, asked: &asked };
    scope.check(&question)?;
    let plan = scope.plan(&question)?;
    let ready = filter::ready(&question.filter, &kept, core.name.as_str())?;
    let fault = |error: DataFusionError| {
        let engine = |reason| LakeFault::Engine { table: core.name.to_string(), reason };
        session::fault_of(&error, &allowance, Some(core.as_ref()), engine)
    };
    let view = view::of(core.clone(), dataset, ready, &kept).map_err(fault)?;
    let state = session::plain(&allowance).map_err(fault)?;
    let limit = question.limit;
    let grouping = async move {
        let rows = LogicalPlanBuilder::scan("rows", provider_as_source(view), None)?.build()?;
        let rows = DataFrame::new(state, rows);
        let rows = match plan.first {
            Some(first) => first.told_of(rows)?,
            None => rows,
        };
        let groups = rows.aggregate(plan.keys, plan.measures)?.select(plan.answer)?;
        let groups = if plan.order.is_empty() { groups } else { groups.sort(plan.order)? };
        groups.limit(0, Some(limit.saturating_add(1)))?.collect().await
    };
    let batches = session::within(allowance.within, Box::pin(async { grouping.await.map_err(fault) })).await?;
    Ok(cut(batches, limit))
}

/// As many groups as were asked for, and whether there were more.
fn cut(batches: Vec<RecordBatch>, limit: usize) -> Grouped {
    let mut room = limit;
    let mut more = false;
    let mut kept = Vec::new();
    for batch in batches {
        more |= batch.num_rows() > room;
        let batch = batch.slice(0, batch.num_rows().min(room));
        room -= batch.num_rows();
        if batch.num_rows() > 0 {
            kept.push(batch);
        }
    }
    Grouped { batches: kept, more }
}

/// What a sketch is of: a column, of which rows, and what they stand for.
type Sketched<'a> = (&'a str, &'a Filter, Option<&'a str>);

#[derive(Debug)]
struct Plan {
    keys: Vec<Expr>,
    measures: Vec<Expr>,
    answer: Vec<Expr>,
    order: Vec<SortExpr>,
    first: Option<Firsts>,
}

/// Which rows come first, as the engine finds it.
#[derive(Debug)]
struct Firsts {
    name: String,
    by: Expr,
    at: Expr,
}

/// No column is called so.
const SHARED: &str = "first_of";

impl Firsts {
    /// The same rows, each beside the place of the first that shares its values where it is that one.
    fn told_of(self, rows: DataFrame) -> Result<DataFrame, DataFusionError> {
        let least = vec![expr_fn::min(self.at.clone()).alias(&self.name)];
        let firsts = rows.clone().aggregate(vec![self.by.clone().alias(SHARED)], least)?;
        // What stands on the left is what is kept in memory: two numbers for each value.
        firsts.join_on(rows, JoinType::Right, [named(SHARED).eq(self.by), named(&self.name).eq(self.at)])
    }
}

/// The columns that conditions of measures may name.
fn with_first(columns: &Schema, first: Option<&First>) -> Schema {
    let fields = columns.fields().iter().cloned();
    Schema::new(fields.chain(first.map(|first| Arc::new(Field::new(&first.name, DataType::Int64, true)))).collect::<Vec<_>>())
}

#[derive(Debug, Clone, Copy)]
struct Scope<'a> {
    core: &'a Core,
    columns: &'a Schema,
    /// The same, and what is told of rows that come first.
    asked: &'a Schema,
}

impl<'a> Scope<'a> {
    fn check(self, question: &Aggregate) -> Result<(), LakeFault> {
        let (keys, measures) = (&question.keys, &question.measures);
        if keys.len() > KEYS_MAX || measures.len() > MEASURES_MAX {
            return Err(self.core.query_fault(format!("at most {KEYS_MAX} keys and {MEASURES_MAX} measures at once")));
        }
        if keys.is_empty() && measures.is_empty() {
            return Err(self.core.query_fault("a question about groups needs a key or a measure"));
        }
        let mut names = HashSet::new();
        for name in keys.iter().map(|key| &key.name).chain(measures.iter().map(|measure| &measure.name)) {
            if !names.insert(name) {
                return Err(self.core.query_fault(format!("two keys or measures are called `{}`", elide(name, 80))));
            }
        }
        match question.order.iter().find(|(name, _)| !names.contains(name)) {
            Some((name, _)) => Err(self.core.query_fault(format!("no key and no measure is called `{}`", elide(name, 80)))),
            None => Ok(()),
        }
    }

    fn plan(self, question: &Aggregate) -> Result<Plan, LakeFault> {
        let first = question.first.as_ref().map(|first| self.first(first)).transpose()?;
        let mut plan = Plan { keys: Vec::new(), measures: Vec::new(), answer: Vec::new(), order: order_of(question), first };
        for (at, key) in question.keys.iter().enumerate() {
            let name = format!("key{at}");
            plan.keys.push(self.key(key)?.alias(&name));
            plan.answer.push(named(&name).alias(&key.name));
        }
        // Percentiles of one column share what they are reckoned from.
        let mut sketched: Vec<(Sketched<'_>, String)> = Vec::new();
        for (at, measure) in question.measures.iter().enumerate() {
            let name = format!("measure{at}");
            let MeasureOf::Quantile { column, at: share } = &measure.of else {
                let answer = match (self.weighed(measure)?, &measure.of) {
                    (Some(beside), MeasureOf::Mean(column)) => {
                        self.weighed_mean(&mut plan, measure, (column.as_str(), &beside), &name)?
                    }
                    (Some(beside), _) => self.weighed_sum(&mut plan, measure, &beside, &name)?,
                    (None, _) => {
                        plan.measures.push(self.measure(measure)?.alias(&name));
                        self.answer(measure, &name)?
                    }
                };
                plan.answer.push(answer.alias(&measure.name));
                continue;
            };
            if !(0.0..=1.0).contains(share) {
                return Err(self.core.query_fault("a quantile lies between 0 and 1"));
            }
            let of: Sketched<'_> = (column.as_str(), &measure.only, measure.weight.as_deref());
            let sketch = match sketched.iter().find(|(shared, _)| *shared == of) {
                Some((_, sketch)) => sketch.clone(),
                None => {
                    plan.measures.push(self.measure(measure)?.alias(&name));
                    sketched.push((of, name.clone()));
                    name
                }
            };
            plan.answer.push(functions::quantile().call(vec![named(&sketch), lit(*share)]).alias(&measure.name));
        }
        if plan.keys.is_empty() {
            plan.order.clear();
        }
        Ok(plan)
    }

    fn first(self, First { name, by, at, above }: &First) -> Result<Firsts, LakeFault> {
        if self.columns.column_with_name(name).is_some() || name == SHARED {
            return Err(self.core.query_fault(format!("there is a column `{}` already", elide(name, 80))));
        }
        if by.is_empty() {
            return Err(self.core.query_fault("rows come first of those that share a column"));
        }
        let text = |name: &String| {
            let field = self.column(name)?;
            if schema::is_text(field.data_type()) { Ok(field) } else { Err(self.wrong(field, "holds no text")) }
        };
        let shared = by.iter().map(|name| Ok(cast(reference(text(name)?), DataType::Utf8))).collect::<Result<_, LakeFault>>()?;
        let below = cast(reference(self.column(above)?).is_not_null(), DataType::Int64);
        Ok(Firsts {
            name: name.clone(),
            by: functions::short().call(shared),
            at: cast(reference(self.whole(at)?), DataType::Int64) * lit(2_i64) + below,
        })
    }

    fn key(self, key: &Key) -> Result<Expr, LakeFault> {
        match &key.of {
            KeyOf::Column(name) => Ok(reference(self.plain(name)?)),
            KeyOf::Bucket { column, width, origin } => {
                let field = self.whole(column)?;
                if *width <= 0 {
                    return Err(self.core.query_fault("a bucket is wider than nought"));
                }
                let number = cast(reference(field), DataType::Int64);
                Ok(functions::bucket().call(vec![number, lit(*width), lit(*origin)]))
            }
            KeyOf::Json { column, path } => {
                let [text, _] = json_functions::sql_udfs();
                self.inside(&text, (column.as_str(), path.as_slice()))
            }
            KeyOf::Share { column, width, origin } => {
                let field = self.number(column)?;
                if !(*width > 0.0 && width.is_finite() && origin.is_finite()) {
                    return Err(self.core.query_fault("a bucket is wider than nought and has an end"));
                }
                let number = cast(reference(field), DataType::Float64);
                Ok(functions::share().call(vec![number, lit(*width), lit(*origin)]))
            }
        }
    }

    fn measure(self, measure: &Measure) -> Result<Expr, LakeFault> {
        let reckoned = match &measure.of {
            MeasureOf::Rows => expr_fn::count(lit(1_i64)),
            MeasureOf::Present(name) => expr_fn::count(reference(self.column(name)?)),
            MeasureOf::Sum(name) => expr_fn::sum(reference(self.number(name)?)),
            MeasureOf::Min(name) => expr_fn::min(reference(self.plain(name)?)),
            MeasureOf::Max(name) => expr_fn::max(reference(self.plain(name)?)),
            MeasureOf::Mean(name) => expr_fn::avg(cast(reference(self.number(name)?), DataType::Float64)),
            MeasureOf::Quantile { column, .. } => {
                let number = cast(reference(self.number(column)?), DataType::Float64);
                summaries::sketch().call(std::iter::once(number).chain(self.weight(measure)?).collect())
            }
            MeasureOf::Moments(numbers) => summaries::moments().call(vec![self.in_units(numbers)?]),
            MeasureOf::Spread(numbers) => summaries::spread().call(vec![self.in_units(numbers)?]),
            MeasureOf::MaxSum(one, other) => {
                let whole = |name: &str| Ok::<_, LakeFault>(cast(reference(self.whole(name)?), DataType::Int64));
                expr_fn::max(whole(one)? + whole(other)?)
            }
            MeasureOf::Distinct(name) => {
                let field = self.plain(name)?;
                let value = reference(field);
                // What it has no way to count, it counts as text.
                let counted = schema::is_text(field.data_type()) || field.data_type().is_integer();
                expr_fn::approx_distinct(if counted { value } else { cast(value, DataType::Utf8) })
            }
        };
        self.only(reckoned, &measure.only)
    }

    /// Over these rows of the group only.
    fn only(self, reckoned: Expr, only: &Filter) -> Result<Expr, LakeFault> {
        let only = match filter::compile(only, self.asked, self.core.name.as_str())? {
            Condition::Always => return Ok(reckoned),
            Condition::Never => Expr::Literal(ScalarValue::Boolean(Some(false)), None),
            Condition::When(expr) => expr,
        };
        reckoned.filter(only).build().map_err(|error| self.core.query_fault(elide(&error.strip_backtrace(), 300)))
    }

    /// What each row stands for, of what is weighed.
    fn weight(self, measure: &Measure) -> Result<Option<Expr>, LakeFault> {
        let column = measure.weight.as_ref().map(|name| self.number(name)).transpose()?;
        Ok(column.map(|field| cast(reference(field), DataType::Float64)))
    }

    /// For how many more than itself each row stands, of counts, sums and means that are weighed.
    fn weighed(self, measure: &Measure) -> Result<Option<Expr>, LakeFault> {
        let reckons = matches!(measure.of, MeasureOf::Rows | MeasureOf::Present(_) | MeasureOf::Sum(_) | MeasureOf::Mean(_));
        let weight = self.weight(measure)?.filter(|_| reckons);
        Ok(weight.map(|weight| weight - lit(1.0_f64)))
    }

    /// A count or a sum, and on top of it what the rows stand for beside themselves: nothing, and the exact number, where none
    /// of them says anything.
    fn weighed_sum(self, plan: &mut Plan, measure: &Measure, beside: &Expr, name: &str) -> Result<Expr, LakeFault> {
        let (on_top, only) = match &measure.of {
            MeasureOf::Present(column) => (beside.clone(), measure.only.clone().and(Filter::present(column))),
            MeasureOf::Sum(column) => {
                (beside.clone() * cast(reference(self.number(column)?), DataType::Float64), measure.only.clone())
            }
            _ => (beside.clone(), measure.only.clone()),
        };
        let above = format!("{name}_more");
        plan.measures.push(self.measure(measure)?.alias(name));
        plan.measures.push(self.only(expr_fn::sum(on_top), &only)?.alias(&above));
        let whole = match &measure.of {
            MeasureOf::Sum(column) => self.number(column)?.data_type().is_integer(),
            _ => true,
        };
        let (more, kind) = if whole { (functions::more(), DataType::Int64) } else { (functions::more_of(), DataType::Float64) };
        Ok(more.call(vec![cast(named(name), kind), named(&above)]))
    }

    /// The mean of what the rows stand for.
    fn weighed_mean(
        self,
        plan: &mut Plan,
        measure: &Measure,
        (column, beside): (&str, &Expr),
        name: &str,
    ) -> Result<Expr, LakeFault> {
        let number = cast(reference(self.number(column)?), DataType::Float64);
        let there = measure.only.clone().and(Filter::present(column));
        let mut part = |of: &str, reckoned: Expr, only: &Filter| {
            let part = format!("{name}_{of}");
            plan.measures.push(self.only(reckoned, only)?.alias(&part));
            Ok::<_, LakeFault>(named(&part))
        };
        let sums = vec![
            part("sum", expr_fn::sum(number.clone()), &measure.only)?,
            part("sum_more", expr_fn::sum(beside.clone() * number.clone()), &measure.only)?,
        ];
        let counts = vec![
            cast(part("count", expr_fn::count(number), &measure.only)?, DataType::Float64),
            part("count_more", expr_fn::sum(beside.clone()), &there)?,
        ];
        Ok(functions::more_of().call(sums) / functions::more_of().call(counts))
    }

    /// The measure in the type it is promised in.
    fn answer(self, measure: &Measure, name: &str) -> Result<Expr, LakeFault> {
        let found = named(name);
        Ok(match &measure.of {
            MeasureOf::Distinct(_) => cast(found, DataType::Int64),
            MeasureOf::Sum(column) if self.number(column)?.data_type().is_integer() => cast(found, DataType::Int64),
            MeasureOf::Sum(_) => cast(found, DataType::Float64),
            _ => found,
        })
    }

    fn column(self, name: &str) -> Result<&'a Field, LakeFault> {
        schema::column(self.columns, self.core.name.as_str(), name)
    }

    /// A column with one value in each row.
    fn plain(self, name: &str) -> Result<&'a Field, LakeFault> {
        let field = self.column(name)?;
        if field.data_type().is_nested() { Err(self.wrong(field, "holds several values in a row")) } else { Ok(field) }
    }

    /// A column of whole numbers.
    fn whole(self, name: &str) -> Result<&'a Field, LakeFault> {
        let field = self.column(name)?;
        if field.data_type().is_integer() { Ok(field) } else { Err(self.wrong(field, "holds no whole numbers")) }
    }

    fn number(self, name: &str) -> Result<&'a Field, LakeFault> {
        let field = self.column(name)?;
        if field.data_type().is_numeric() { Ok(field) } else { Err(self.wrong(field, "holds no numbers")) }
    }

    /// Numbers, as many as make one of them.
    fn in_units(self, Numbers { column, path, unit }: &Numbers) -> Result<Expr, LakeFault> {
        if !(*unit > 0.0 && unit.is_finite()) {
            return Err(self.core.query_fault("a unit is more than nought and has an end"));
        }
        let [_, number] = json_functions::sql_udfs();
        let numbers = if path.is_empty() {
            cast(reference(self.number(column)?), DataType::Float64)
        } else {
            self.inside(&number, (column.as_str(), path.as_slice()))?
        };
        Ok(numbers / lit(*unit))
    }

    /// A value inside of JSON text, as a function tells it.
    fn inside(self, tell: &ScalarUDF, (name, path): (&str, &[String])) -> Result<Expr, LakeFault> {
        let field = self.column(name)?;
        if !schema::is_text(field.data_type()) {
            return Err(self.wrong(field, "holds no text"));
        }
        if path.is_empty() || path.len() >= json_functions::KEYS_MAX {
            let most = json_functions::KEYS_MAX - 1;
            return Err(self.core.query_fault(format!("a value inside of JSON is named by one key and up to {most}")));
        }
        Ok(tell.call(std::iter::once(reference(field)).chain(path.iter().map(|key| lit(key.as_str()))).collect()))
    }

    fn wrong(self, field: &Field, what: &str) -> LakeFault {
        self.core.query_fault(format!("column `{}` of type {} {what}", field.name(), field.data_type()))
    }
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn order_of(question: &Aggregate) -> Vec<SortExpr> {
    let asked = question.order.iter().map(|(name, order)| (name, *order == Order::Ascending));
    let keys = question.keys.iter().map(|key| (&key.name, true));
    asked.chain(keys).map(|(name, ascending)| named(name).sort(ascending, false)).collect()
}
