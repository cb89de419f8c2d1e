//! Log records.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A log record. It is a span that takes no time, which `GET /api/v1/traces/{id}/spans/{span}` shows as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogRecord {
    /// One by itself where it was written in no trace.
    pub trace_id: String,
    /// Its own id.
    pub span: String,
    /// The span it was written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub time: String,
    /// Which event it is; `log` where its sender does not say.
    pub name: String,
    /// `trace`, `debug`, `info`, `warn`, `error` or `fatal`; absent where its sender does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The severity in its sender's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What it says; of a large value how it begins, and where the whole of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub body: Option<Value>,
    #[schema(value_type = BTreeMap<String, Value>)]
    pub attributes: Value,
}
