use serde::Deserialize;

/// What the server refused, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Refusal {
    #[serde(default)]
    pub status: u16,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    pub hint: Option<String>,
    #[serde(default)]
    pub request_id: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    #[error("{}", .0.detail)]
    Refused(Refusal),
    #[error("cannot reach {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("the connection broke: {reason}")]
    Broken { reason: String },
    /// What was to be sent could not be read.
    #[error("{reason}")]
    Unsendable { reason: String },
    #[error("the answer is not what this version understands: {reason}")]
    Unreadable { reason: String },
}
