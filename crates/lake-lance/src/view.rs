//! A table as the engine sees it: only these columns, and only rows that pass a condition, whatever else is asked.
//!
//! Where columns are echoes of others, the view that is asked lies over one of what is kept, and puts them together.

use std::{fmt, sync::Arc};

use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use futures::FutureExt as _;
use lance::{
    Dataset,
    deps::datafusion::{
        catalog::{Session, TableProvider},
        common::{
            Column,
            tree_node::{Transformed, TreeNode},
        },
        datasource::{ViewTable, provider_as_source},
        error::{DataFusionError, Result},
        logical_expr::{Expr, LogicalPlanBuilder, Operator, TableProviderFilterPushDown, TableType},
        physical_plan::{ExecutionPlan, empty::EmptyExec},
    },
};
use mainspring_lake::LakeFault;

use crate::{
    echoes::{self, said},
    filter::{Condition, Ready, joined},
    search,
    table::Core,
    widths, zones,
};

pub(crate) struct View {
    core: Arc<Core>,
    dataset: Arc<Dataset>,
    ready: Ready,
    schema: SchemaRef,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("table", &self.core.name).finish_non_exhaustive()
    }
}

/// The view of these columns, which must be of the dataset.
pub(crate) fn of(core: Arc<Core>, dataset: Arc<Dataset>, ready: Ready, columns: &Schema) -> Result<Arc<dyn TableProvider>> {
    if !echoes::any(columns) {
        return Ok(Arc::new(View::new(core, dataset, ready, Arc::new(columns.clone()))));
    }
    let all = core.schema_at(&dataset);
    let read = echoes::with_others(&all, columns.fields().iter().map(|field| field.name().as_str()));
    let read = read.iter().map(|name| all.index_of(name)).collect::<std::result::Result<Vec<_>, _>>()?;
    let kept = View::new(core, dataset, ready, Arc::new(all.project(&read)?));
    let whole = columns.fields().iter().map(|field| match said::of(field) {
        column @ Expr::Column(_) => column,
        said => said.alias(field.name()),
    });
    let kept = LogicalPlanBuilder::scan("kept", provider_as_source(Arc::new(kept)), None)?;
    Ok(Arc::new(ViewTable::new(kept.project(whole)?.build()?, None)))
}

impl View {
    const fn new(core: Arc<Core>, dataset: Arc<Dataset>, ready: Ready, schema: SchemaRef) -> Self {
        Self { core, dataset, ready, schema }
    }

    /// The view's own condition, and what the engine hands down on top.
    fn condition(&self, handed: &[Expr]) -> Condition {
        let own = match &self.ready.condition {
            Condition::Never => return Condition::Never,
            Condition::Always => None,
            Condition::When(expr) => Some(expr.clone()),
        };
        let parts: Vec<Expr> = own.into_iter().chain(handed.iter().map(|expr| unqualified(expr.clone()))).collect();
        joined(parts, Operator::And).map_or(Condition::Always, Condition::When)
    }
}

#[async_trait]
impl TableProvider for View {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match never_fails(filter) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let condition = self.condition(filters);
        if condition == Condition::Never {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut scanner = self.dataset.scan();
        scanner.scan_in_order(false).project(&names)?;
        if self.ready.words.is_empty() {
            scanner.limit(limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)), None)?;
        } else {
            search::with_words(&self.core, &self.dataset, &mut scanner, &self.ready.words).await.map_err(external)?;
        }
        if let Condition::When(expr) = condition {
            let fragments = match self.ready.words.is_empty() {
                true => zones::relevant(&self.core, &self.dataset, &expr).await.map_err(external)?,
                false => None,
            };
            match fragments {
                Some(none) if none.is_empty() => return Ok(Arc::new(EmptyExec::new(schema))),
                Some(some) => {
                    scanner.with_fragments(some);
                }
                None => {}
            }
            let pointed = zones::is_pointed(&self.core, &self.dataset, &expr).await.map_err(external)?;
            if !pointed && self.ready.words.is_empty() {
                scanner.materialization_style(widths::style(&self.core, &self.dataset, &names).await.map_err(external)?);
            }
            widths::fit(&self.core, &self.dataset, &mut scanner, &expr).await.map_err(external)?;
            scanner.use_scalar_index(pointed).filter_expr(expr);
        }
        Ok(scanner.create_plan().boxed().await?)
    }
}

fn external(fault: LakeFault) -> DataFusionError {
    DataFusionError::External(Box::new(fault))
}

/// Whether a condition has an answer for every row there is. What the engine hands down is asked of rows that the view hides
/// as well, and whether it failed on one of them would tell of it.
fn never_fails(condition: &Expr) -> bool {
    let column = |expr: &Expr| matches!(expr, Expr::Column(_)) || said::is_said(expr);
    let literal = |expr: &Expr| matches!(expr, Expr::Literal(_, _));
    match condition {
        Expr::Column(_) | Expr::Literal(_, _) => true,
        Expr::ScalarFunction(_) => said::is_said(condition),
        Expr::Not(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) => never_fails(inner),
        Expr::BinaryExpr(both) => match both.op {
            Operator::And | Operator::Or => never_fails(&both.left) && never_fails(&both.right),
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                (column(&both.left) && literal(&both.right)) || (literal(&both.left) && column(&both.right))
            }
            _ => false,
        },
        Expr::InList(list) => column(&list.expr) && list.list.iter().all(literal),
        Expr::Between(between) => column(&between.expr) && literal(&between.low) && literal(&between.high),
        Expr::Like(like) => column(&like.expr) && literal(&like.pattern),
        _ => false,
    }
}

/// Columns by their name alone: the engine calls them after the view, Lance does not.
fn unqualified(expr: Expr) -> Expr {
    let kept = expr.clone();
    expr.transform(|part| {
        Ok(match part {
            Expr::Column(column) if column.relation.is_some() => {
                Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    })
    .map_or(kept, |changed| changed.data)
}
