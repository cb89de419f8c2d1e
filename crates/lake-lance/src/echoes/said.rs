//! An echo as a function of its row, for conditions and questions over rows as they lie.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, cast::AsArray};
use arrow_schema::{DataType, Field, FieldRef};
use lance::deps::datafusion::{
    common::{Column, exec_err},
    error::Result,
    logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

use crate::filter::reference;

/// Nobody can call it in SQL: there it is not known.
const NAME: &str = "said_again";

/// The column as it was written.
pub(crate) fn of(field: &Field) -> Expr {
    let Some(others) = super::others(field) else { return reference(field) };
    let others = others.iter().map(|name| Expr::Column(Column::new_unqualified(name)));
    let function = ScalarUDF::new_from_impl(Said { signature: Signature::variadic_any(Volatility::Immutable) });
    function.call(std::iter::once(reference(field)).chain(others).collect())
}

/// Whether it is such a column, put together.
pub(crate) fn is_said(expr: &Expr) -> bool {
    let column = |argument: &Expr| matches!(argument, Expr::Column(_));
    matches!(expr, Expr::ScalarFunction(call) if call.name() == NAME && call.args.iter().all(column))
}

/// It answers for every row, whatever lies there. Only of so many long texts at once that no array holds them it does not.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Said {
    signature: Signature,
}

impl ScalarUDFImpl for Said {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    /// It may be null where the column may.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.first().is_none_or(|told| told.is_nullable());
        Ok(Arc::new(Field::new(NAME, DataType::Utf8, nullable)))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns =
            call.args.iter().map(|argument| argument.to_array_of_size(call.number_rows)).collect::<Result<Vec<ArrayRef>>>()?;
        let texts: Vec<&StringArray> = columns.iter().filter_map(|column| column.as_string_opt::<i32>()).collect();
        match texts.split_first() {
            Some((told, others)) if texts.len() == columns.len() => match super::together(told, others) {
                Some(whole) => Ok(ColumnarValue::Array(whole)),
                None => exec_err!("the texts are too long to be in memory at once"),
            },
            _ => exec_err!("an echo is put together of texts"),
        }
    }
}
