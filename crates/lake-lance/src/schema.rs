//! Table schemas: whether rows fit one, and whether a column is what an index or a question needs.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use mainspring_kernel::text::elide;
use mainspring_lake::{IndexKind, IndexSpec, LakeFault};

/// The column, or the fault that names it.
pub(crate) fn column<'a>(schema: &'a Schema, table: &str, name: &str) -> Result<&'a Field, LakeFault> {
    schema.field_with_name(name).map_err(|_| LakeFault::NoColumn { table: table.to_owned(), column: elide(name, 80) })
}

/// The rows with the table's own schema, in its order of columns.
pub(crate) fn conform(rows: RecordBatch, schema: &SchemaRef, table: &str) -> Result<RecordBatch, LakeFault> {
    let fault = |reason: String| LakeFault::Schema { table: table.to_owned(), reason };
    if let Some(extra) = rows.schema_ref().fields().iter().find(|field| schema.field_with_name(field.name()).is_err()) {
        return Err(fault(format!("column `{}` is not in the table", extra.name())));
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let column =
                rows.column_by_name(field.name()).ok_or_else(|| fault(format!("column `{}` is missing", field.name())))?;
            retyped(column, field.data_type())
                .ok_or_else(|| fault(format!("column `{}` is {}, not {}", field.name(), column.data_type(), field.data_type())))
        })
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| fault(error.to_string()))
}

/// The array as exactly this type, when it differs only in the names and nullability of list items.
fn retyped(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    if array.data_type() == wanted {
        return Some(array.clone());
    }
    if !same_shape(array.data_type(), wanted) {
        return None;
    }
    let data = array.to_data().into_builder().data_type(wanted.clone()).build().ok()?;
    Some(arrow_array::make_array(data))
}

pub(crate) fn same_shape(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) | (DataType::LargeList(a), DataType::LargeList(b)) => {
            same_shape(a.data_type(), b.data_type())
        }
        (DataType::FixedSizeList(a, n), DataType::FixedSizeList(b, m)) => n == m && same_shape(a.data_type(), b.data_type()),
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.name() == b.name() && same_shape(a.data_type(), b.data_type()))
        }
        _ => a == b,
    }
}

/// The rows with every column of the table, nulls where they have none.
pub(crate) fn widened(rows: RecordBatch, schema: &SchemaRef, table: &str) -> Result<RecordBatch, LakeFault> {
    if rows.schema_ref().fields() == schema.fields() {
        return Ok(rows);
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            rows.column_by_name(field.name()).cloned().unwrap_or_else(|| new_null_array(field.data_type(), rows.num_rows()))
        })
        .collect();
    let fault = |reason: String| LakeFault::Schema { table: table.to_owned(), reason };
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| fault(error.to_string()))
}

/// The columns an existing table lacks of the one that was asked for, if they and columns that a newer version of the program
/// added are all the difference.
pub(crate) fn lacking(existing: &Schema, wanted: &Schema, table: &str) -> Result<Vec<FieldRef>, LakeFault> {
    let fault = |reason: String| Err(LakeFault::Schema { table: table.to_owned(), reason });
    let more = |field: &&FieldRef| !field.is_nullable() && wanted.field_with_name(field.name()).is_err();
    if let Some(other) = existing.fields().iter().find(more) {
        return fault(format!("it has a column `{}` that was not asked for and may not be null", other.name()));
    }
    let mut lacking = Vec::new();
    for field in wanted.fields() {
        let Ok(found) = existing.field_with_name(field.name()) else {
            if !field.is_nullable() {
                return fault(format!("it has no column `{}`, and one that may not be null cannot be added", field.name()));
            }
            lacking.push(field.clone());
            continue;
        };
        if !same_shape(found.data_type(), field.data_type()) {
            return fault(format!("column `{}` is {}, not {}", field.name(), found.data_type(), field.data_type()));
        }
        if found.is_nullable() != field.is_nullable() {
            let is = if found.is_nullable() { "may be null" } else { "may not be null" };
            return fault(format!("column `{}` {is} in it", field.name()));
        }
    }
    Ok(lacking)
}

/// The columns of a table that were asked for, in its order.
pub(crate) fn asked(existing: &SchemaRef, wanted: &Schema) -> SchemaRef {
    if existing.fields().iter().all(|field| wanted.field_with_name(field.name()).is_ok()) {
        return existing.clone();
    }
    let asked = existing.fields().iter().filter(|field| wanted.field_with_name(field.name()).is_ok());
    Arc::new(Schema::new_with_metadata(asked.cloned().collect::<Vec<_>>(), existing.metadata().clone()))
}

/// Whether each index asked for can be built on its column.
pub(crate) fn check_indexes(schema: &Schema, indexes: &[IndexSpec], table: &str) -> Result<(), LakeFault> {
    for spec in indexes {
        let field = column(schema, table, &spec.column)?;
        let fits = match spec.kind {
            IndexKind::Vector => vector_width(field).is_some(),
            IndexKind::Text => is_text(field.data_type()),
            IndexKind::Scalar => !field.data_type().is_nested(),
            IndexKind::Labels => list_of_text(field).is_some(),
        };
        if !fits {
            let reason = format!("column `{}` of type {} cannot carry a {:?} index", field.name(), field.data_type(), spec.kind);
            return Err(LakeFault::Schema { table: table.to_owned(), reason });
        }
    }
    Ok(())
}

/// How many numbers a vector of this column has; none for other columns.
pub(crate) fn vector_width(field: &Field) -> Option<usize> {
    match field.data_type() {
        DataType::FixedSizeList(item, width) if *item.data_type() == DataType::Float32 => usize::try_from(*width).ok(),
        _ => None,
    }
}

pub(crate) const fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The item field of a column that is a list of texts.
pub(crate) fn list_of_text(field: &Field) -> Option<&Arc<Field>> {
    match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) if is_text(item.data_type()) => Some(item),
        _ => None,
    }
}
