//! Which conventions senders of spans speak.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConventionReport {
    /// Most spans first.
    pub services: Vec<ServiceConventions>,
    /// Names under `gen_ai.` that are not understood, the most frequent first.
    pub unknown: Vec<UnknownAttribute>,
    /// Names of attributes that no convention here knows and that groups can be made of, the most frequent first.
    pub attributes: Vec<String>,
    /// So many spans were looked at: the newest of each service.
    pub spans: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceConventions {
    pub service: String,
    /// Of those that were looked at.
    pub spans: u64,
    pub last: String,
    /// In how many spans each convention is spoken.
    pub conventions: BTreeMap<String, u64>,
    /// Versions of OpenTelemetry's conventions that its spans name.
    pub versions: Vec<String>,
    /// What made its spans: name and version.
    pub instrumentations: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnknownAttribute {
    pub name: String,
    pub spans: u64,
    pub services: Vec<String>,
    /// A name that is understood and written almost so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
}
