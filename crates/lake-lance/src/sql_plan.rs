//! Keeps a plan from running on when its time is over.
//!
//! What multiplies rows may go on for hours between two looks at the clock. Most of it hands its rows on in batches, and is made
//! to look after each. Only a join by comparing every pair does not, so it is let through where one side is a single row.

use std::{any::Any, sync::Arc};

use lance::deps::datafusion::{
    common::{
        plan_err,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    error::Result,
    physical_plan::{ExecutionPlan, aggregates::AggregateExec, coop::CooperativeExec},
};

pub(crate) fn stoppable(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        if node.name() == "NestedLoopJoinExec" && !node.children().into_iter().any(is_one_row) {
            return plan_err!("two tables are joined without an equality between their columns");
        }
        let multiplies = node.name().ends_with("JoinExec") || node.name() == "UnnestExec";
        Ok(if multiplies { Transformed::yes(Arc::new(CooperativeExec::new(node)) as _) } else { Transformed::no(node) })
    })
    .data()
}

fn is_one_row(plan: &Arc<dyn ExecutionPlan>) -> bool {
    match plan.name() {
        "PlaceholderRowExec" => true,
        "AggregateExec" => {
            let any: &dyn Any = plan.as_ref();
            any.downcast_ref::<AggregateExec>().is_some_and(|groups| groups.group_expr().is_empty())
        }
        "ProjectionExec"
        | "FilterExec"
        | "SortExec"
        | "CoalescePartitionsExec"
        | "CoalesceBatchesExec"
        | "RepartitionExec"
        | "CooperativeExec" => plan.fetch().is_some_and(|rows| rows <= 1) || plan.children().into_iter().all(is_one_row),
        _ => plan.fetch().is_some_and(|rows| rows <= 1),
    }
}
