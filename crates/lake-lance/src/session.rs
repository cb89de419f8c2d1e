//! Where questions that are more than a scan are planned and run: with a limit on memory, no files to spill to, and nothing
//! registered but what is handed in.

use std::{future::Future, sync::Arc, time::Duration};

use lance::{
    Error,
    deps::datafusion::{
        error::DataFusionError,
        execution::{
            SessionState, SessionStateBuilder,
            disk_manager::{DiskManagerBuilder, DiskManagerMode},
            memory_pool::GreedyMemoryPool,
            runtime_env::RuntimeEnvBuilder,
        },
        prelude::SessionConfig,
    },
};
use mainspring_kernel::text::elide;
use mainspring_lake::{Allowance, LakeFault};

use crate::{fault, table::Core};

/// More do not help one question, and take the processor from everybody else.
const PARTITIONS_MAX: usize = 8;
const REASON_MAX: usize = 600;

/// A builder with nothing in it; errors are the engine's own.
pub(crate) fn builder(allowance: &Allowance) -> Result<SessionStateBuilder, DataFusionError> {
    let partitions = std::thread::available_parallelism().map_or(1, usize::from).min(PARTITIONS_MAX);
    let mut config = SessionConfig::new().with_target_partitions(partitions).with_information_schema(false);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    config.options_mut().execution.enable_recursive_ctes = false;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(allowance.memory)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    Ok(SessionStateBuilder::new().with_config(config).with_runtime_env(runtime))
}

pub(crate) fn plain(allowance: &Allowance) -> Result<SessionState, DataFusionError> {
    Ok(builder(allowance)?.build())
}

/// The answer within the time a question has.
pub(crate) async fn within<T>(limit: Duration, asking: impl Future<Output = Result<T, LakeFault>>) -> Result<T, LakeFault> {
    tokio::time::timeout(limit, asking).await.unwrap_or(Err(LakeFault::QueryTooLong { within: limit }))
}

/// What the engine's error means: too much memory, the store, or something `other` names.
pub(crate) fn fault_of(
    error: &DataFusionError,
    allowance: &Allowance,
    core: Option<&Core>,
    other: impl FnOnce(String) -> LakeFault,
) -> LakeFault {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => LakeFault::QueryTooLarge { limit: allowance.memory },
        DataFusionError::External(inner) => match (inner.downcast_ref::<LakeFault>(), inner.downcast_ref::<Error>(), core) {
            (Some(fault), _, _) => fault.clone(),
            (None, Some(error), Some(core)) => fault::of_table(core.name.as_str(), &core.shared.place(), error),
            _ => other(elide(&inner.to_string(), REASON_MAX)),
        },
        root => other(elide(&root.strip_backtrace(), REASON_MAX)),
    }
}
