//! Assets: versions, aliases, differences, apply.

use mainspring_kernel::Once;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssetSummary {
    pub kind: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub version: u32,
    pub digest: String,
    pub aliases: Vec<AliasView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AliasView {
    pub alias: String,
    pub version: u32,
    pub digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssetVersion {
    pub version: u32,
    pub digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub created_at: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssetView {
    #[serde(flatten)]
    pub summary: AssetSummary,
    pub spec: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    pub references: Vec<AssetReference>,
    pub referenced_by: Vec<AssetReference>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssetReference {
    pub kind: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Where in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// As written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssetDiff {
    pub from: u32,
    pub to: u32,
    pub changes: Vec<Change>,
    /// A unified diff of the two specs as YAML.
    pub text: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    pub path: String,
    /// `added`, `removed` or `changed`.
    pub op: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RemovedAlias {
    /// The alias that is no more.
    pub removed: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveAlias {
    /// `v3`, `latest`, another alias, or a digest.
    pub to: String,
    /// The version the alias points to now; refused when it moved meanwhile. 0: the alias does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u32>,
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApplyRequest {
    /// `{apiVersion, kind, name, description?, aliases?, spec}` each.
    #[serde(deserialize_with = "each_field_once")]
    pub manifests: Vec<Value>,
    /// Where each manifest stands, in their order, such as `specs/app.yaml`: errors name it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Only say what would happen.
    pub dry_run: bool,
    /// The `plan` of a dry run: refused when applying would now do anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Of two fields of one name the last would count, and nobody would hear of the first.
fn each_field_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    let manifests = Vec::<Once>::deserialize(deserializer)?;
    Ok(manifests.into_iter().map(|Once(manifest)| manifest).collect())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApplyReply {
    /// False for a dry run.
    pub applied: bool,
    /// The digest of the plan; give it as `expected` to apply exactly this.
    #[serde(default)]
    pub plan: String,
    pub changes: Vec<PlannedChange>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedChange {
    pub kind: String,
    pub name: String,
    /// `create`, `update` or `unchanged`.
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_version: Option<u32>,
    pub digest: String,
    /// Aliases that come to name this version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<PlannedAlias>,
    /// What changes, as a unified diff of YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// What may be meant otherwise, and keeps nothing from being applied: a monitor that tells a receiver which does not exist,
    /// a provider whose key is not where its spec says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedAlias {
    pub alias: String,
    /// Absent when the alias is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    pub to: u32,
}
