//! A condition that a text is one of many ids. As literals of an expression a million of them would be copied again and again
//! while a question is planned; here the set is shared.

use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_schema::DataType;
use lance::deps::datafusion::{
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};
use mainspring_lake::IdSet;

use crate::json_functions::{first_of, texts_of};

/// The condition as a function of the text column. Of no text nothing is known.
pub(crate) fn one_of(ids: &Arc<IdSet>) -> ScalarUDF {
    ScalarUDF::new_from_impl(OneOf { ids: Arc::clone(ids), signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OneOf {
    ids: Arc<IdSet>,
    signature: Signature,
}

impl ScalarUDFImpl for OneOf {
    fn name(&self) -> &'static str {
        "is_one_of_ids"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = first_of(&call)?;
        let answers: BooleanArray = texts_of(&rows)?.map(|text| text.map(|text| self.ids.contains(text))).collect();
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}
