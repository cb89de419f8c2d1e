//! How much memory an export will take, before it takes it.
//!
//! Two bytes of protobuf are an empty span, and an empty span is hundreds of bytes of memory: a body within its limit could
//! become gigabytes. So its parts are counted first. On the way goes what its readers would refuse the whole of it for: values
//! that lie too deep in others.

mod trim;

use std::mem::size_of;

use mainspring_kernel::text::elide;
use mainspring_web_kit::Problem;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
        NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
        exponential_histogram_data_point::Buckets, summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span},
};

pub(crate) use self::trim::trim;
use crate::{
    mend::{Mended, mend},
    request::{Encoding, malformed, too_large},
    signal::Signal,
};

/// A message of the protocol: what it takes by itself, and which of its fields are messages.
pub(crate) struct Shape {
    size: usize,
    fields: &'static [(u64, &'static Shape)],
}

macro_rules! shapes {
    ($($name:ident = $size:expr, [$($tag:literal: $field:ident),*];)*) => {
        $(static $name: Shape = Shape { size: $size, fields: &[$(($tag, &$field)),*] };)*
    };
}

shapes! {
    ANY = size_of::<AnyValue>(), [5: ARRAY, 6: LIST];
    ARRAY = size_of::<ArrayValue>(), [1: ANY];
    LIST = size_of::<KeyValueList>(), [1: PAIR];
    PAIR = size_of::<KeyValue>(), [2: ANY];
    RESOURCE = size_of::<Resource>(), [1: PAIR, 3: ENTITY];
    ENTITY = 128, [];
    SCOPE = size_of::<InstrumentationScope>(), [3: PAIR];
    STATUS = size_of::<Status>(), [];
    EVENT = size_of::<span::Event>(), [3: PAIR];
    LINK = size_of::<span::Link>(), [4: PAIR];
    SPAN = size_of::<Span>(), [9: PAIR, 11: EVENT, 13: LINK, 15: STATUS];
    SCOPE_SPANS = size_of::<ScopeSpans>(), [1: SCOPE, 2: SPAN];
    RESOURCE_SPANS = size_of::<ResourceSpans>(), [1: RESOURCE, 2: SCOPE_SPANS];
    LOG = size_of::<LogRecord>(), [5: ANY, 6: PAIR];
    SCOPE_LOGS = size_of::<ScopeLogs>(), [1: SCOPE, 2: LOG];
    RESOURCE_LOGS = size_of::<ResourceLogs>(), [1: RESOURCE, 2: SCOPE_LOGS];
    EXEMPLAR = size_of::<Exemplar>(), [7: PAIR];
    NUMBER = size_of::<NumberDataPoint>(), [5: EXEMPLAR, 7: PAIR];
    HISTOGRAM_POINT = size_of::<HistogramDataPoint>(), [8: EXEMPLAR, 9: PAIR];
    BUCKETS = size_of::<Buckets>(), [];
    EXPONENTIAL_POINT = size_of::<ExponentialHistogramDataPoint>(), [1: PAIR, 8: BUCKETS, 9: BUCKETS, 11: EXEMPLAR];
    QUANTILE = size_of::<ValueAtQuantile>(), [];
    SUMMARY_POINT = size_of::<SummaryDataPoint>(), [6: QUANTILE, 7: PAIR];
    GAUGE = size_of::<Gauge>(), [1: NUMBER];
    SUM = size_of::<Sum>(), [1: NUMBER];
    HISTOGRAM = size_of::<Histogram>(), [1: HISTOGRAM_POINT];
    EXPONENTIAL = size_of::<ExponentialHistogram>(), [1: EXPONENTIAL_POINT];
    SUMMARY = size_of::<Summary>(), [1: SUMMARY_POINT];
    METRIC = size_of::<Metric>(), [5: GAUGE, 7: SUM, 9: HISTOGRAM, 10: EXPONENTIAL, 11: SUMMARY, 12: PAIR];
    SCOPE_METRICS = size_of::<ScopeMetrics>(), [1: SCOPE, 2: METRIC];
    RESOURCE_METRICS = size_of::<ResourceMetrics>(), [1: RESOURCE, 2: SCOPE_METRICS];
    TRACES = 0, [1: RESOURCE_SPANS];
    LOGS = 0, [1: RESOURCE_LOGS];
    METRICS = 0, [1: RESOURCE_METRICS];
}

pub(crate) static EXPORTS: [&Shape; 3] = [&TRACES, &LOGS, &METRICS];

/// Lists in lists that a value may lie in. A reader of JSON goes 127 levels deep, of which a value takes four for each list that
/// it lies in and the protocol up to fifteen; one of protobuf goes 100 deep, of which a value takes three.
pub(crate) const DEPTH_MAX: usize = 28;
/// No field of a value has this number, which has every bit that the number of a field has there: whoever reads one passes over it.
const NO_FIELD: u8 = 15;
/// A number that stands alone; eight of one byte each lie packed in a list of buckets.
const NUMBER_SIZE: usize = 8;
/// Of an object of JSON, about: a span without any field is three bytes of text.
const OBJECT: usize = 160;
const EMPTY_OBJECT: usize = 320;
const ITEM: usize = 8;

/// So much is shown of a name that somebody sent.
const NAME_SHOWN: usize = 40;

/// What the weighing found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weighed {
    /// What the export will take.
    pub(crate) weight: usize,
    /// How many values were cut from it.
    pub(crate) cut: usize,
}

/// What the export will take, if that is no more than `limit`. What it must be rid of before it is decoded goes from it.
pub(crate) fn weigh(bytes: &mut [u8], encoding: Encoding, signal: Signal, limit: usize) -> Result<Weighed, Problem> {
    let weighed = match encoding {
        Encoding::Protobuf => {
            let mut scale = Scale { weight: 0, limit, cut: 0 };
            scale.message(bytes, signal.shape(), 0).map_err(|reason| match reason {
                Reason::TooHeavy => too_large(),
                Reason::Malformed(what) => malformed(&what),
            })?;
            Weighed { weight: scale.weight, cut: scale.cut }
        }
        Encoding::Json => {
            // Its reader would take a list for the values of an object, in their order.
            if bytes.trim_ascii_start().starts_with(b"[") {
                return Err(malformed(&format!("it is a list, and not an object with `{}`", signal.records())));
            }
            let Mended { cut, other } = mend(bytes, signal.records());
            if let Some(other) = other {
                let other = elide(&other, NAME_SHOWN);
                return Err(malformed(&format!("it has `{other}`; here `{}` is taken, and no other records", signal.records())));
            }
            Weighed { weight: weigh_json(bytes), cut }
        }
    };
    if weighed.weight > limit { Err(too_large()) } else { Ok(weighed) }
}

enum Reason {
    TooHeavy,
    /// Whatever the scale does not know how to read is refused, so that nothing hides behind it.
    Malformed(&'static str),
}

struct Scale {
    weight: usize,
    limit: usize,
    cut: usize,
}

impl Scale {
    fn add(&mut self, weight: usize) -> Result<(), Reason> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > self.limit { Err(Reason::TooHeavy) } else { Ok(()) }
    }

    /// `lists`: how many of them it lies in. Only values lie in one another, so this goes no deeper than they may.
    fn message(&mut self, bytes: &mut [u8], shape: &'static Shape, lists: usize) -> Result<(), Reason> {
        self.add(shape.size)?;
        let is = |other: &'static Shape| std::ptr::eq(shape, other);
        let (packs, is_value) = (is(&BUCKETS), is(&ANY));
        let mut at = 0;
        while at < bytes.len() {
            let begin = at;
            let key = varint(bytes, &mut at)?;
            match key & 7 {
                0 => {
                    varint(bytes, &mut at)?;
                    self.add(NUMBER_SIZE)?;
                }
                1 => self.skip(bytes, &mut at, 8)?,
                5 => self.skip(bytes, &mut at, 4)?,
                2 => {
                    let length = usize::try_from(varint(bytes, &mut at)?).map_err(|_| TOO_SHORT)?;
                    let end = at.checked_add(length).filter(|end| *end <= bytes.len()).ok_or(TOO_SHORT)?;
                    match shape.fields.iter().find(|(tag, _)| *tag == key >> 3) {
                        // What lies in it is passed over by its number: nothing behind it moves.
                        Some(_) if is_value && lists == DEPTH_MAX => {
                            bytes[begin] |= NO_FIELD << 3;
                            self.cut += 1;
                            self.add(length)?;
                        }
                        Some((_, field)) => self.message(&mut bytes[at..end], field, lists + usize::from(is_value))?,
                        None => self.add(if packs { length.saturating_mul(NUMBER_SIZE) } else { length })?,
                    }
                    at = end;
                }
                _ => return Err(Reason::Malformed("a field is of a kind that the protocol does not have")),
            }
        }
        Ok(())
    }

    fn skip(&mut self, bytes: &[u8], at: &mut usize, length: usize) -> Result<(), Reason> {
        *at += length;
        if *at > bytes.len() { Err(TOO_SHORT) } else { self.add(NUMBER_SIZE) }
    }
}

const TOO_SHORT: Reason = Reason::Malformed("it ends within a field");

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Reason> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.get(*at).ok_or(TOO_SHORT)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return if shift == 63 && *byte > 1 { Err(TOO_LONG) } else { Ok(value) };
        }
    }
    Err(TOO_LONG)
}

const TOO_LONG: Reason = Reason::Malformed("a number is too long");

/// The text itself, and about what its objects and lists take beside it.
fn weigh_json(bytes: &[u8]) -> usize {
    let mut weight = bytes.len();
    let mut bytes = bytes.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
            }
            b'{' if bytes.peek() == Some(&b'}') => weight = weight.saturating_add(EMPTY_OBJECT),
            b'{' => weight = weight.saturating_add(OBJECT),
            b',' | b'[' => weight = weight.saturating_add(ITEM),
            _ => {}
        }
    }
    weight
}
