//! What people write to describe a knowledge. Every field has a default or is asked for; none is ignored.

mod check;
mod duration;
mod retrieval;
mod source;
#[cfg(test)]
mod tests;

use mainspring_kernel::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chunk::ChunkSpec;

pub use check::SpecProblem;
pub(crate) use check::{RESERVED_KEYS, VALUE_BYTES, distinct, key_is_sound};
pub use duration::Every;
pub use retrieval::{Mode, Parents, RetrievalSpec};
pub use source::{EnvCredentials, FilesSource, FolderSource, Follow, GitSource, LabelRule, S3Source, SourceSpec, WebSource};

pub const DEFAULT_EMBEDDING: &str = "all-minilm-l6-v2";

/// Documents from somewhere, cut into chunks, embedded, and searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeSpec {
    /// Where documents come from.
    pub sources: Vec<SourceSpec>,
    /// How documents are cut. A change builds a new table beside the old one.
    #[serde(default)]
    pub chunking: ChunkSpec,
    /// The embedding model. A change builds a new table beside the old one.
    #[serde(default = "default_embedding")]
    pub embedding: String,
    /// How questions are answered. A change takes effect at once.
    #[serde(default)]
    pub retrieval: RetrievalSpec,
    /// Ingest again this often, for example `every: 1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleSpec>,
    /// Ingest when a file of a local folder changes.
    #[serde(default)]
    pub watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    /// `30s`, `15m`, `6h` or `1d`.
    pub every: Every,
}

fn default_embedding() -> String {
    DEFAULT_EMBEDDING.to_owned()
}

impl KnowledgeSpec {
    /// Reads a spec and checks what types cannot say.
    pub fn parse(value: &serde_json::Value) -> Result<Self, SpecProblem> {
        let spec: Self = serde_json::from_value(value.clone())
            .map_err(|fault| SpecProblem { path: String::new(), reason: fault.to_string() })?;
        spec.check()?;
        Ok(spec)
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), SpecProblem> {
        check::check(self)
    }

    /// Makes relative folder and file paths absolute: in a spec they are relative to the file it was read from.
    pub fn rebase(&mut self, directory: &std::path::Path) {
        let absolute = |path: &mut String| {
            if std::path::Path::new(path.as_str()).is_relative() {
                *path = directory.join(path.as_str()).to_string_lossy().into_owned();
            }
        };
        for source in &mut self.sources {
            match source {
                SourceSpec::Folder(folder) => absolute(&mut folder.path),
                SourceSpec::Files(files) => files.paths.iter_mut().for_each(absolute),
                SourceSpec::Web(_) | SourceSpec::Git(_) | SourceSpec::S3(_) => {}
            }
        }
    }

    /// Digest of what shapes the rows of a table: with the same one, rows can stay.
    #[must_use]
    pub fn table_config(&self, embedder_identity: &str) -> Digest {
        let chunking = self.chunking.digest();
        let (rows, parsers) = (crate::table::ROW_FORMAT.to_le_bytes(), mainspring_parsers::VERSION.to_le_bytes());
        let parts: [&[u8]; 5] = [b"knowledge rows", &rows, &parsers, chunking.as_bytes(), embedder_identity.as_bytes()];
        Digest::of_parts(parts)
    }
}
