use std::collections::BTreeMap;

use mainspring_kernel::{Digest, Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where documents come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum SourceSpec {
    Folder(FolderSource),
    Files(FilesSource),
    Web(WebSource),
    Git(GitSource),
    S3(S3Source),
}

/// Labels and metadata for the documents whose path matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// A glob over the path within the source; `*.md` means in every folder.
    #[serde(rename = "match")]
    pub pattern: String,
    /// Replaces the labels of the source and of earlier rules. Empty: everyone in the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Added to the metadata of the source; the last rule wins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A folder of this machine with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderSource {
    /// Stays part of every document's identity; without it the path is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Name>,
    /// Relative to the file this spec is read from.
    pub path: String,
    /// Only files that match one of these globs.
    #[serde(default)]
    pub include: Vec<String>,
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Take files and folders whose name starts with a dot.
    #[serde(default)]
    pub hidden: bool,
    /// Who may see the documents: holders of any of these. Empty: everyone in the project.
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub rules: Vec<LabelRule>,
}

/// Single files of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Name>,
    /// Relative to the file this spec is read from. Whatever labels the documents have, every reader of the project may read
    /// the spec.
    pub paths: Vec<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub rules: Vec<LabelRule>,
}

/// Which links of a page are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Follow {
    /// None: only the pages that are named.
    #[default]
    None,
    /// Links to pages below the folder of the page the crawl started from.
    Path,
    /// Links to pages of the same host.
    Host,
}

/// Pages of the web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Name>,
    #[serde(default)]
    pub urls: Vec<String>,
    /// Address of a sitemap; the pages it names on its own host are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sitemap: Option<String>,
    #[serde(default)]
    pub follow: Follow,
    /// How many links deep.
    #[serde(default = "default_depth")]
    #[schemars(range(min = 1, max = 20))]
    pub depth: u32,
    #[serde(default = "default_pages")]
    #[schemars(range(min = 1, max = 100000))]
    pub max_pages: u32,
    /// How many requests one host gets at once.
    #[serde(default = "default_per_host")]
    #[schemars(range(min = 1, max = 16))]
    pub per_host: u32,
    /// Globs over the path of the address.
    #[serde(default)]
    pub include: Vec<String>,
    #[serde(default)]
    pub exclude: Vec<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub rules: Vec<LabelRule>,
}

const fn default_depth() -> u32 {
    3
}
const fn default_pages() -> u32 {
    500
}
/// A site is somebody's.
const fn default_per_host() -> u32 {
    4
}

/// Files of a git repository at one branch, tag or commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Name>,
    /// `https://…`, without a password in it; or `file:///…`, where specs may read local files anywhere.
    pub url: String,
    /// Branch, tag or commit; without it the repository's default branch.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Only files below this folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdir: Option<String>,
    /// The environment variable of the server that holds an access token. Its name begins with `MAINSPRING_SOURCE_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    #[serde(default)]
    pub include: Vec<String>,
    #[serde(default)]
    pub exclude: Vec<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub rules: Vec<LabelRule>,
}

/// Where the server finds the secrets of a bucket: names of environment variables, never the values. The names begin with
/// `MAINSPRING_SOURCE_`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvCredentials {
    pub access_key_env: String,
    pub secret_key_env: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token_env: Option<String>,
}

/// Objects of an S3 bucket below a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Source {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Name>,
    pub bucket: String,
    #[serde(default)]
    pub prefix: String,
    /// For servers other than Amazon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default = "default_region")]
    pub region: String,
    /// Without credentials requests are not signed: public buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<EnvCredentials>,
    #[serde(default)]
    pub include: Vec<String>,
    #[serde(default)]
    pub exclude: Vec<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub rules: Vec<LabelRule>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

/// What every kind of source says about its documents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common<'a> {
    pub name: Option<&'a Name>,
    pub include: &'a [String],
    pub exclude: &'a [String],
    pub labels: &'a [String],
    pub metadata: &'a BTreeMap<String, String>,
    pub rules: &'a [LabelRule],
}

impl SourceSpec {
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Folder(_) => "folder",
            Self::Files(_) => "files",
            Self::Web(_) => "web",
            Self::Git(_) => "git",
            Self::S3(_) => "s3",
        }
    }

    /// Whether a look at it costs next to nothing: files of the server's own machine.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Folder(_) | Self::Files(_))
    }

    /// Where it is, for people.
    #[must_use]
    pub fn location(&self) -> String {
        match self {
            Self::Folder(folder) => folder.path.clone(),
            Self::Files(files) => files.paths.join(", "),
            Self::Web(web) => web.sitemap.iter().chain(&web.urls).cloned().collect::<Vec<_>>().join(", "),
            Self::Git(git) => match &git.subdir {
                Some(subdir) => format!("{}#{subdir}", git.url),
                None => git.url.clone(),
            },
            Self::S3(s3) => format!("s3://{}/{}", s3.bucket, s3.prefix),
        }
    }

    /// What tells this source from the others of a knowledge, and stays when the spec is rearranged:
    /// the given name, or kind and place.
    #[must_use]
    pub fn key(&self) -> String {
        if let Some(name) = self.common().name {
            return name.to_string();
        }
        match self {
            Self::Folder(folder) => format!("folder:{}", folder.path.trim_end_matches('/')),
            // Paths are part of each document's identity already, so all lists of files share one key.
            Self::Files(_) => "files".to_owned(),
            Self::Web(_) => "web".to_owned(),
            Self::Git(git) => format!("git:{}", git.url.trim_end_matches('/')),
            Self::S3(s3) => format!("s3:{}/{}", s3.endpoint.as_deref().unwrap_or("aws"), s3.bucket),
        }
    }

    /// Stands for this source at this place: where it is moved to, nothing was read yet.
    pub(crate) fn mark(&self) -> String {
        let (key, location) = (self.key(), self.location());
        Digest::of_parts([key.as_bytes(), location.trim_end_matches('/').as_bytes()]).hex()[..16].to_owned()
    }

    /// Every set of labels a document of this source may get.
    pub fn label_sets(&self) -> impl Iterator<Item = &[String]> {
        let Common { labels, rules, .. } = self.common();
        std::iter::once(labels).chain(rules.iter().filter_map(|rule| rule.labels.as_deref()))
    }

    pub(crate) fn common(&self) -> Common<'_> {
        macro_rules! common {
            ($source:ident, $include:expr, $exclude:expr) => {
                Common {
                    name: $source.name.as_ref(),
                    include: $include,
                    exclude: $exclude,
                    labels: &$source.labels,
                    metadata: &$source.metadata,
                    rules: &$source.rules,
                }
            };
        }
        match self {
            Self::Folder(source) => common!(source, &source.include, &source.exclude),
            Self::Files(source) => common!(source, &[], &[]),
            Self::Web(source) => common!(source, &source.include, &source.exclude),
            Self::Git(source) => common!(source, &source.include, &source.exclude),
            Self::S3(source) => common!(source, &source.include, &source.exclude),
        }
    }
}
