//! Questions in SQL. The engine is given views and functions, and nothing else: no files, no other tables, no settings.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use futures::StreamExt;
use lance::deps::datafusion::{
    catalog::TableProvider,
    common::{TableReference, config::Dialect},
    dataframe::DataFrame,
    error::DataFusionError,
    execution::{
        SessionState, SessionStateDefaults,
        context::{SQLOptions, SessionContext},
    },
    physical_plan::{SendableRecordBatchStream, execute_stream},
};
use mainspring_lake::{LakeFault, SqlAnswer, SqlLimits, SqlQuery, TableView};

use crate::{
    filter, functions, json_functions,
    lake::LanceLake,
    schema, session,
    sql_plan::stoppable,
    sql_text::{check_size, check_statement, fault},
    summaries,
    table::Core,
    view,
};

/// Functions whose answer may be far larger than what they are asked about, or that tell about the engine.
const LEFT_OUT: [&str; 12] = [
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "generate_series",
    "range",
    "version",
    "arrow_cast",
    "arrow_metadata",
];

/// Everything that a question needs, ready to be moved to another thread.
#[derive(Debug)]
struct Asked {
    text: String,
    limits: SqlLimits,
    views: Vec<(String, Arc<dyn TableProvider>)>,
    core: Option<Arc<Core>>,
    tables: String,
}

pub(crate) async fn answer(lake: &LanceLake, query: SqlQuery) -> Result<SqlAnswer, LakeFault> {
    check_size(&query.text)?;
    let mut views = Vec::with_capacity(query.views.len());
    let mut first = None;
    for view in &query.views {
        let core = lake.found(&view.table).await?;
        views.push((view.name.clone(), seen(&core, view).await?));
        first.get_or_insert(core);
    }
    let names: Vec<&str> = query.views.iter().map(|view| view.name.as_str()).collect();
    let tables =
        if names.is_empty() { "there are no tables".to_owned() } else { format!("the tables are: {}", names.join(", ")) };
    let asked = Asked { text: query.text, limits: query.limits, views, core: first, tables };
    let within = asked.limits.allowance.within;
    lake.shared().sql_threads.run(within, Box::pin(async move { asked.answer().await })).await
}

/// The table as this reader sees it.
async fn seen(core: &Arc<Core>, view: &TableView) -> Result<Arc<dyn TableProvider>, LakeFault> {
    let dataset = core.newest().await?;
    let all = core.schema_at(&dataset);
    let ready = filter::ready(&view.filter, &all, core.name.as_str())?;
    let visible: SchemaRef = if view.columns.is_empty() {
        all
    } else {
        let fields = view.columns.iter().map(|name| schema::column(&all, core.name.as_str(), name).cloned());
        Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?))
    };
    view::of(core.clone(), dataset, ready, &visible).map_err(|error| {
        let reason = error.strip_backtrace();
        LakeFault::Engine { table: core.name.to_string(), reason }
    })
}

impl Asked {
    async fn answer(&self) -> Result<SqlAnswer, LakeFault> {
        let stream = async {
            let frame = self.planned().await?;
            let rows = self.limits.rows.saturating_add(1);
            let frame = frame.limit(0, Some(rows)).map_err(|error| self.fault(&error))?;
            let plan = frame.create_physical_plan().await.and_then(stoppable).map_err(|error| self.fault(&error))?;
            let stream = execute_stream(plan, Arc::new(frame.task_ctx())).map_err(|error| self.fault(&error))?;
            self.collect(stream).await
        };
        session::within(self.limits.allowance.within, Box::pin(stream)).await
    }

    async fn planned(&self) -> Result<DataFrame, LakeFault> {
        let fault = |error: DataFusionError| self.fault(&error);
        let context = SessionContext::new_with_state(self.state().map_err(fault)?);
        for (name, view) in &self.views {
            context.register_table(TableReference::bare(name.as_str()), view.clone()).map_err(fault)?;
        }
        let state = context.state();
        let statement = state.sql_to_statement(&self.text, &Dialect::PostgreSQL).map_err(fault)?;
        check_statement(&statement)?;
        let plan = state.statement_to_plan(statement).await.map_err(fault)?;
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reading.verify_plan(&plan).map_err(fault)?;
        Ok(DataFrame::new(state, plan))
    }

    fn state(&self) -> Result<SessionState, DataFusionError> {
        let mut scalars = SessionStateDefaults::default_scalar_functions();
        let left_out = |name: &str| LEFT_OUT.contains(&name);
        scalars.retain(|function| !left_out(function.name()) && !function.aliases().iter().any(|name| left_out(name)));
        let [text, number] = json_functions::sql_udfs();
        let own = [text, number, functions::bucket(), functions::share(), functions::quantile()];
        scalars.extend(own.map(Arc::new));
        let mut aggregates = SessionStateDefaults::default_aggregate_functions();
        aggregates.push(Arc::new(summaries::sketch()));
        Ok(session::builder(&self.limits.allowance)?
            .with_expr_planners(SessionStateDefaults::default_expr_planners())
            .with_scalar_functions(scalars)
            .with_aggregate_functions(aggregates)
            .with_window_functions(SessionStateDefaults::default_window_functions())
            .build())
    }

    async fn collect(&self, mut stream: SendableRecordBatchStream) -> Result<SqlAnswer, LakeFault> {
        let mut answer = SqlAnswer { schema: stream.schema(), batches: Vec::new(), more: false };
        let (mut rows, mut bytes) = (self.limits.rows, self.limits.bytes);
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.fault(&error))?;
            let size = batch.get_array_memory_size().max(1);
            // As many rows as fit, if they are about equally large.
            let fitting = if size <= bytes { batch.num_rows() } else { share_of(batch.num_rows(), bytes, size) };
            let kept = fitting.min(rows);
            rows -= kept;
            bytes = bytes.saturating_sub(size);
            if kept > 0 {
                answer.batches.push(batch.slice(0, kept));
            }
            if kept < batch.num_rows() {
                answer.more = true;
                break;
            }
        }
        Ok(answer)
    }

    fn fault(&self, error: &DataFusionError) -> LakeFault {
        session::fault_of(error, &self.limits.allowance, self.core.as_deref(), |reason| {
            let reason = reason.replace("datafusion.public.", "");
            let reason = ["Error during planning: ", "Schema error: ", "Execution error: ", "SQL error: "]
                .iter()
                .fold(reason.as_str(), |reason, prefix| reason.strip_prefix(prefix).unwrap_or(reason));
            fault(reason, self.tables.clone())
        })
    }
}

fn share_of(rows: usize, bytes: usize, size: usize) -> usize {
    let share = rows as u128 * bytes as u128 / size as u128;
    usize::try_from(share).unwrap_or(rows)
}
