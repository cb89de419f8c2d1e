//! What a table's schema says of some of its columns, so that everybody who opens it does the same.

use std::{collections::BTreeMap, sync::Arc};

use arrow_schema::{Schema, SchemaRef};
use futures::FutureExt as _;
use lance::{Dataset, Error};
use mainspring_lake::{LakeFault, TableSpec};

use crate::{echoes, packing, table::Core, writer};

/// Writers commit between our look and our commit; each try takes a few milliseconds.
const ATTEMPTS: u32 = 20;

/// A column, and what is to be said of it.
type Lacking<'a> = (&'a String, &'a BTreeMap<String, String>);

/// Keys and values for the metadata of columns, by their names.
#[derive(Debug, Default)]
pub(crate) struct Marks(BTreeMap<String, BTreeMap<String, String>>);

impl Marks {
    pub(crate) fn of(spec: &TableSpec) -> Self {
        let mut marks = Self::default();
        for (column, said) in packing::marks(spec) {
            marks.column(column).extend(said.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        for echo in &spec.echoes {
            marks.column(&echo.column).extend([echoes::mark(echo)]);
        }
        marks
    }

    fn column(&mut self, name: &str) -> &mut BTreeMap<String, String> {
        self.0.entry(name.to_owned()).or_default()
    }

    /// The schema of a new table.
    pub(crate) fn on(&self, schema: &SchemaRef) -> SchemaRef {
        if self.0.is_empty() {
            return Arc::clone(schema);
        }
        let fields = schema.fields().iter().map(|field| {
            let mut field = field.as_ref().clone();
            if let Some(marks) = self.0.get(field.name()) {
                field.metadata_mut().extend(marks.clone());
            }
            field
        });
        Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
    }

    /// Has a table say this from now on. Any number of processes may do so at once: who loses looks again.
    pub(crate) async fn add_lacking(&self, core: &Core) -> Result<(), LakeFault> {
        if self.lacking(&*core.newest_known()?, core)?.is_empty() {
            return Ok(());
        }
        for attempt in 1..=ATTEMPTS {
            let mut dataset = Dataset::clone(&*core.refresh().await?);
            let lacking = self.lacking(&dataset, core)?;
            if lacking.is_empty() {
                return Ok(());
            }
            let mut update = dataset.update_field_metadata();
            for (column, marks) in lacking {
                update = update.update(column.as_str(), marks.clone()).map_err(|error| core.fault(&error))?;
            }
            let updated = update.into_future().boxed().await.map(drop);
            match updated {
                Ok(()) => {
                    core.advance(dataset);
                    return Ok(());
                }
                // Whoever does the same at the same time is no conflict to Lance but a contradiction.
                Err(error) if writer::is_conflict(&error) || matches!(error, Error::IncompatibleTransaction { .. }) => {
                    core.try_again(attempt).await?;
                }
                Err(error) => return Err(core.fault(&error)),
            }
        }
        Err(LakeFault::Contended { table: core.name.to_string() })
    }

    /// Columns of which the table does not say it yet.
    fn lacking(&self, dataset: &Dataset, core: &Core) -> Result<Vec<Lacking<'_>>, LakeFault> {
        let mut lacking = Vec::new();
        for (column, marks) in &self.0 {
            let field = dataset.schema().field(column);
            let is = |key: &String| field.and_then(|field| field.metadata.get(key));
            // Rows lie there that only the others can put together.
            if marks.iter().any(|(key, value)| key == echoes::ECHO_OF && is(key).is_some_and(|is| is != value)) {
                let reason = format!("column `{column}` is an echo of other columns in it");
                return Err(LakeFault::Schema { table: core.name.to_string(), reason });
            }
            if marks.iter().any(|(key, value)| is(key) != Some(value)) {
                lacking.push((column, marks));
            }
        }
        Ok(lacking)
    }
}
