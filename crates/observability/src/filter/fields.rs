//! What a span can be asked for by name.

/// How a field is written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// Stands alone: `error`, `entry`.
    Flag,
    Number,
    /// Written with a unit, kept in microseconds.
    Duration,
    /// Written in dollars, kept in billionths of one.
    Money,
    Time,
    /// Several texts.
    List,
    /// Written as a word that stands for several numbers.
    Severity,
}

/// A field of every span.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownField {
    pub name: &'static str,
    pub kind: FieldKind,
    /// The column of the table `spans`.
    pub(crate) column: &'static str,
    /// Whether a span may be without it.
    pub(crate) may_miss: bool,
    /// For the reference page.
    pub says: &'static str,
}

const fn always(name: &'static str, kind: FieldKind, says: &'static str) -> KnownField {
    KnownField { name, kind, column: name, may_miss: false, says }
}

const fn maybe(name: &'static str, kind: FieldKind, says: &'static str) -> KnownField {
    KnownField { name, kind, column: name, may_miss: true, says }
}

use FieldKind::{Duration, Flag, List, Money, Number, Severity, Text, Time};

/// Every field, in the order of the reference page.
pub static FIELDS: &[KnownField] = &[
    always("name", Text, "what the span is called"),
    maybe("type", Text, "`chat`, `embedding`, `tool`, `retriever`, `agent`, `chain`, `guardrail`, `rerank`, …"),
    always("kind", Text, "`internal`, `server`, `client`, `producer` or `consumer`"),
    maybe("operation", Text, "`gen_ai.operation.name`, such as `chat`, `embeddings`, `execute_tool`"),
    maybe("app", Text, "the app that was asked"),
    maybe("model", Text, "the model that was asked"),
    maybe("response_model", Text, "the model that answered, as it says itself"),
    maybe("provider", Text, "who served the model"),
    maybe("service", Text, "`service.name` of the program that sent it"),
    maybe("environment", Text, "where it ran, such as `production`"),
    maybe("release", Text, "the version of the program that sent it"),
    maybe("prompt", Text, "the prompt, as `name@version`"),
    maybe("user", Text, "the end user, as the span or its trace names them"),
    maybe("session", Text, "the session or conversation"),
    maybe("key", Text, "the key by which a model was called"),
    always("status", Text, "`ok`, `error` or `unset`"),
    KnownField { name: "error", kind: Flag, column: "status", may_miss: false, says: "it failed; stands alone" },
    maybe("error_type", Text, "the class of what failed"),
    maybe("message", Text, "what was said of the failure"),
    always(
        "entry",
        Flag,
        "a trace is entered by it: it has no parent, its parent is in another program, it is a request to a server, or it is the first of a trace that has none of these; stands alone",
    ),
    always("start", Time, "when it began"),
    always("duration", Duration, "how long it took"),
    maybe("first_token", Duration, "how long until the first token of the answer"),
    maybe("input_tokens", Number, "tokens that were read, those from a cache among them"),
    maybe("output_tokens", Number, "tokens that were written, those of reasoning among them"),
    maybe("cache_read_tokens", Number, "tokens that came from the provider's cache"),
    maybe("cache_write_tokens", Number, "tokens that were put into the provider's cache"),
    maybe("reasoning_tokens", Number, "tokens that were spent on reasoning"),
    maybe("cost", Money, "what it cost, in dollars"),
    KnownField { name: "tag", kind: List, column: "tags", may_miss: true, says: "one of the tags" },
    always(
        "content",
        Text,
        "questions, prompts and answers, and what a log record says; `contains` and `words` look into 256 KiB of them",
    ),
    KnownField { name: "log", kind: Flag, column: "attributes", may_miss: true, says: "it came as a log record; stands alone" },
    KnownField {
        name: "severity",
        kind: Severity,
        column: "attributes",
        may_miss: true,
        says: "how severe a log record is: `trace`, `debug`, `info`, `warn`, `error` or `fatal`, the least severe first",
    },
    always("trace", Text, "the trace's id"),
    always("span", Text, "the span's id"),
    maybe("parent", Text, "the id of the span above it"),
];

/// How a span may have ended.
pub const STATUSES: [&str; 3] = ["ok", "error", "unset"];
const KINDS: [&str; 5] = ["internal", "server", "client", "producer", "consumer"];

/// How severe a log record may be, the least first.
pub const SEVERITIES: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
/// Of the protocol's numbers each of them has four: 1 to 4 are `trace`, 21 to 24 `fatal`.
const STEPS: i64 = 4;

/// The first and the last number of a severity.
pub(super) fn severity_numbers(word: &str) -> Option<(i64, i64)> {
    let before = SEVERITIES.iter().position(|known| *known == word)?;
    let first = i64::try_from(before).ok()? * STEPS + 1;
    Some((first, first + STEPS - 1))
}

/// The severity that has a number.
pub(crate) fn severity_of(number: i64) -> Option<&'static str> {
    SEVERITIES.into_iter().find(|word| severity_numbers(word).is_some_and(|(first, last)| (first..=last).contains(&number)))
}

/// The texts that a field can have, where there are only so many.
pub(crate) fn among(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "status" => Some(&STATUSES),
        "kind" => Some(&KINDS),
        "severity" => Some(&SEVERITIES),
        _ => None,
    }
}

pub(crate) fn known(name: &str) -> Option<&'static KnownField> {
    FIELDS.iter().find(|field| field.name == name)
}
