//! JSON that is OTLP to whoever wrote it: enums by their names, nothing as `null`, empty lists left out, numbers as text. An id
//! that is none is its own record's fault, and not that of all the others.
//!
//! The text is written anew as it is read: a tree of values would take many times its memory, so that large exports could not be
//! read like small ones.

use std::fmt;

use opentelemetry_proto::tonic::{
    logs::v1::SeverityNumber,
    metrics::v1::AggregationTemporality,
    trace::v1::{span::SpanKind, status::StatusCode},
};
use serde::{
    Deserializer, Serialize,
    de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

/// In hex.
const IDS: [&str; 3] = ["traceId", "spanId", "parentSpanId"];
/// One byte: as many as no id has, so that whoever reads the record finds that it has none.
const NO_ID: &str = "ff";
const BOUNDS: &str = "explicitBounds";
/// Of a bound that is infinite: nothing that is measured lies beyond this one.
const BEYOND: f64 = 1e308;
/// Floats, which may come as text.
const FLOATS: [&str; 7] = [DOUBLE, MEASURED, "sum", "min", "max", "zeroThreshold", BOUNDS];
const DOUBLE: &str = "doubleValue";
const MEASURED: &str = "asDouble";
/// Of a point: the first bit says that it has no value.
const FLAGS: &str = "flags";

pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Straight { out: &mut out, field: "" }.deserialize(&mut reader)?;
    reader.end()?;
    serde_json::from_slice(&out)
}

/// Writes what is read as the protocol spells it. `serde_json` reads no deeper than 128 values, so this goes no deeper either.
struct Straight<'a> {
    out: &'a mut Vec<u8>,
    /// The field whose value is read.
    field: &'a str,
}

/// What a value was.
enum Said {
    Nothing,
    Value,
    /// A float that no number of JSON is: it is said as text.
    Text(String),
    /// What a point measured is no number: it says that it has none.
    NoNumber,
}

impl Straight<'_> {
    fn write<E: Error>(self, value: &(impl Serialize + ?Sized)) -> Result<Said, E> {
        serde_json::to_writer(self.out, value).map_err(E::custom)?;
        Ok(Said::Value)
    }

    fn plain<E: Error>(self, value: &impl Serialize) -> Result<Said, E> {
        if IDS.contains(&self.field) { self.write(NO_ID) } else { self.write(value) }
    }

    fn float<E: Error>(self, text: &str) -> Result<Said, E> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => self.write(&number),
            Ok(number) if self.field == DOUBLE => Ok(Said::Text(number.to_string())),
            Ok(number) if self.field == BOUNDS && !number.is_nan() => self.write(&number.clamp(-BEYOND, BEYOND)),
            Ok(number) if self.field == MEASURED && number.is_nan() => Ok(Said::NoNumber),
            Ok(_) => Ok(Said::Nothing),
            Err(_) => self.write(text),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Straight<'_> {
    type Value = Said;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Said, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Straight<'_> {
    type Value = Said;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Said, E> {
        // JavaScript writes so what is no number.
        Ok(if self.field == MEASURED { Said::NoNumber } else { Said::Nothing })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Said, E> {
        self.plain(&value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Said, E> {
        self.plain(&value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Said, E> {
        self.plain(&value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Said, E> {
        self.plain(&value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Said, E> {
        if IDS.contains(&self.field) {
            return self.write(if is_hex(text) { text } else { NO_ID });
        }
        if FLOATS.contains(&self.field) {
            return self.float(text);
        }
        match number(self.field, text) {
            Some(number) => self.write(&number),
            None => self.write(text),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Said, A::Error> {
        let Self { out, field } = self;
        let field = if field == BOUNDS { field } else { "" };
        out.push(b'[');
        let mut first = true;
        loop {
            let before = out.len();
            if !first {
                out.push(b',');
            }
            match items.next_element_seed(Straight { out: &mut *out, field })? {
                None => {
                    out.truncate(before);
                    break;
                }
                Some(Said::Value) => {}
                // An item that is left out would move the others.
                Some(Said::Nothing | Said::Text(_) | Said::NoNumber) => out.extend_from_slice(b"null"),
            }
            first = false;
        }
        out.push(b']');
        Ok(Said::Value)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Said, A::Error> {
        let Self { out, field } = self;
        out.push(b'{');
        let (mut first, mut has_values) = (true, false);
        let (mut has_number_or_flags, mut no_number) = (false, false);
        while let Some(name) = fields.next_key::<String>()? {
            let before = out.len();
            begin::<A::Error>(out, first, &name)?;
            match fields.next_value_seed(Straight { out: &mut *out, field: &name })? {
                Said::Value => {}
                said @ (Said::Nothing | Said::NoNumber) => {
                    out.truncate(before);
                    no_number |= matches!(said, Said::NoNumber);
                    continue;
                }
                Said::Text(text) => {
                    out.truncate(before);
                    begin::<A::Error>(out, first, "stringValue")?;
                    serde_json::to_writer(&mut *out, &text).map_err(A::Error::custom)?;
                }
            }
            has_values |= name == "values";
            has_number_or_flags |= [MEASURED, "asInt", FLAGS].contains(&name.as_str());
            first = false;
        }
        if no_number && !has_number_or_flags {
            begin::<A::Error>(out, first, FLAGS)?;
            out.push(b'1');
            first = false;
        }
        if matches!(field, "arrayValue" | "kvlistValue") && !has_values {
            begin::<A::Error>(out, first, "values")?;
            out.extend_from_slice(b"[]");
        }
        out.push(b'}');
        Ok(Said::Value)
    }
}

/// All of a field that stands before its value.
fn begin<E: Error>(out: &mut Vec<u8>, first: bool, name: &str) -> Result<(), E> {
    if !first {
        out.push(b',');
    }
    serde_json::to_writer(&mut *out, name).map_err(E::custom)?;
    out.push(b':');
    Ok(())
}

/// What the protocol's reader takes for hex.
fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// What a field of 32 bits means that came as text.
fn number(key: &str, text: &str) -> Option<i64> {
    let named = match key {
        "kind" => SpanKind::from_str_name(text).map(i32::from),
        "code" => StatusCode::from_str_name(text).map(i32::from),
        "severityNumber" => SeverityNumber::from_str_name(text).map(i32::from),
        "aggregationTemporality" => AggregationTemporality::from_str_name(text).map(i32::from),
        "flags" | "scale" | "offset" | "droppedAttributesCount" | "droppedEventsCount" | "droppedLinksCount" => None,
        _ => return None,
    };
    named.map(i64::from).or_else(|| text.parse::<i32>().ok().map(i64::from)).or_else(|| text.parse::<u32>().ok().map(i64::from))
}
