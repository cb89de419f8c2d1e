//! Functions over rows that the engine does not bring: buckets, what a sample stands for, and percentiles of sketches.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, StringArray,
    cast::AsArray,
    types::{Float64Type, Int64Type},
};
use arrow_schema::DataType;
use lance::deps::datafusion::{
    common::{ScalarValue, exec_err},
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

use crate::{sketch::Sketch, summaries::read};

/// `bucket(number, width, origin)`: where the bucket of a whole number begins.
pub(crate) fn bucket() -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Int64; 3], Volatility::Immutable);
    ScalarUDF::new_from_impl(Bucket { name: "bucket", kind: DataType::Int64, signature })
}

/// `share(number, width, origin)`: the same over any numbers.
pub(crate) fn share() -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Float64; 3], Volatility::Immutable);
    ScalarUDF::new_from_impl(Bucket { name: "share", kind: DataType::Float64, signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bucket {
    name: &'static str,
    kind: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Bucket {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.kind.clone())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [numbers, width, origin] = call.args.as_slice() else { return exec_err!("{} takes three arguments", self.name) };
        let numbers = numbers.to_array_of_size(call.number_rows)?;
        let buckets: ArrayRef = match (width, origin) {
            (ColumnarValue::Scalar(ScalarValue::Int64(Some(width))), ColumnarValue::Scalar(ScalarValue::Int64(Some(origin))))
                if *width > 0 =>
            {
                let numbers = numbers.as_primitive::<Int64Type>();
                Arc::new(numbers.iter().map(|number| whole_bucket(number?, *width, *origin)).collect::<Int64Array>())
            }
            (
                ColumnarValue::Scalar(ScalarValue::Float64(Some(width))),
                ColumnarValue::Scalar(ScalarValue::Float64(Some(origin))),
            ) if *width > 0.0 => {
                let numbers = numbers.as_primitive::<Float64Type>();
                let bucket = |number: f64| ((number - origin) / width).floor() * width + origin;
                Arc::new(numbers.iter().map(|number| number.map(bucket)).collect::<Float64Array>())
            }
            _ => return exec_err!("{} takes a width above nought and an origin that stand in the question", self.name),
        };
        Ok(ColumnarValue::Array(buckets))
    }
}

/// Nothing where a bucket would begin below every number there is.
fn whole_bucket(number: i64, width: i64, origin: i64) -> Option<i64> {
    match number.checked_sub(origin) {
        Some(distance) => number.checked_sub(distance.rem_euclid(width)),
        // Wider numbers take many times as long to divide.
        None => {
            let into = (i128::from(number) - i128::from(origin)).rem_euclid(i128::from(width));
            i64::try_from(i128::from(number) - into).ok()
        }
    }
}

/// `short(text, …)`: a number in the place of texts. Of millions of texts two have the same one in a case out of millions: enough
/// to tell traces apart in a third of the room.
pub(crate) fn short() -> ScalarUDF {
    ScalarUDF::new_from_impl(Short { signature: Signature::variadic(vec![DataType::Utf8], Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Short {
    signature: Signature,
}

impl ScalarUDFImpl for Short {
    fn name(&self) -> &'static str {
        "short"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = call.args.iter().map(|texts| texts.to_array_of_size(call.number_rows)).collect::<Result<Vec<_>>>()?;
        let texts: Vec<&StringArray> = texts.iter().map(|texts| texts.as_string::<i32>()).collect();
        let number = |row: usize| {
            let mut hasher = DefaultHasher::new();
            texts.iter().for_each(|texts| texts.is_valid(row).then(|| texts.value(row)).hash(&mut hasher));
            hasher.finish().cast_signed()
        };
        let numbers = (0..call.number_rows).map(|row| Some(number(row)));
        Ok(ColumnarValue::Array(Arc::new(numbers.collect::<Int64Array>())))
    }
}

/// `more(number, on_top)`: a whole number, and on top what is nearest to whole; itself where there is nothing on top.
pub(crate) fn more() -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Int64, DataType::Float64], Volatility::Immutable);
    ScalarUDF::new_from_impl(More { name: "more", kind: DataType::Int64, signature })
}

/// `more_of(number, on_top)`: the same over any numbers.
pub(crate) fn more_of() -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Float64; 2], Volatility::Immutable);
    ScalarUDF::new_from_impl(More { name: "more_of", kind: DataType::Float64, signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct More {
    name: &'static str,
    kind: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for More {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.kind.clone())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [numbers, on_top] = call.args.as_slice() else { return exec_err!("{} takes two arguments", self.name) };
        let (numbers, on_top) = (numbers.to_array_of_size(call.number_rows)?, on_top.to_array_of_size(call.number_rows)?);
        let on_top = on_top.as_primitive::<Float64Type>().iter().map(Option::unwrap_or_default);
        let sums: ArrayRef = if self.kind == DataType::Int64 {
            let numbers = numbers.as_primitive::<Int64Type>().iter().zip(on_top);
            #[expect(clippy::cast_possible_truncation, reason = "what does not fit stays at the end of what does")]
            let whole = |on_top: f64| on_top.round() as i64;
            Arc::new(numbers.map(|(number, on_top)| Some(number?.saturating_add(whole(on_top)))).collect::<Int64Array>())
        } else {
            let numbers = numbers.as_primitive::<Float64Type>().iter().zip(on_top);
            Arc::new(numbers.map(|(number, on_top)| Some(number? + on_top)).collect::<Float64Array>())
        };
        Ok(ColumnarValue::Array(sums))
    }
}

/// `quantile(sketch, at)`.
pub(crate) fn quantile() -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Binary, DataType::Float64], Volatility::Immutable);
    ScalarUDF::new_from_impl(Quantile { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantile {
    signature: Signature,
}

impl ScalarUDFImpl for Quantile {
    fn name(&self) -> &'static str {
        "quantile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [sketches, ColumnarValue::Scalar(ScalarValue::Float64(Some(at)))] = call.args.as_slice() else {
            return exec_err!("quantile takes a sketch and a share between 0 and 1 that stands in the question");
        };
        let sketches = sketches.to_array_of_size(call.number_rows)?;
        let found = sketches.as_binary::<i32>().iter().map(|bytes| match bytes {
            Some(bytes) => Ok(read::<Sketch>(bytes)?.quantile(*at)),
            None => Ok(None),
        });
        Ok(ColumnarValue::Array(Arc::new(found.collect::<Result<Float64Array>>()?)))
    }
}
