//! Where documents come from: what is there, what changed, and its bytes.

mod attributes;
mod egress;
mod fault;
mod folder;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod git;
pub(crate) mod globs;
mod hosts;
pub(crate) mod leftovers;
mod links;
pub(crate) mod names;
mod robots;
mod s3;
mod s3_listing;
mod sitemap;
#[cfg(test)]
mod tests;
mod web;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use mainspring_kernel::{Digest, Timestamp};
use secrecy::SecretString;

pub use attributes::{Attributes, Rules};
pub use egress::{Egress, EgressPolicy};
pub use fault::SourceFault;

use crate::{
    model::{DocumentId, KnowledgeKey, Origin, Warning},
    spec::SourceSpec,
    store::Known,
};

/// What the server lets specs read. Specs come from editors; the policy comes from whoever runs the server.
#[derive(Debug, Clone)]
pub struct SourcePolicy {
    /// Local folders and files must lie below one of these; `None`: anywhere the server's user may read.
    pub local_roots: Option<Vec<PathBuf>>,
    pub egress: EgressPolicy,
    /// Allows `file:` addresses for git.
    pub local_git: bool,
    pub max_document_bytes: u64,
    /// More documents than this in one source are refused.
    pub max_documents: usize,
    pub git_deadline: Duration,
    /// Where clones are kept between runs.
    pub work_dir: PathBuf,
    /// Specs may name only variables that start with one of these: a spec also names the host its secrets
    /// are sent to, so whoever writes specs could otherwise read every secret of the server.
    pub variable_prefixes: Vec<String>,
    /// How variables are looked up.
    pub variable: fn(&str) -> Option<String>,
}

impl SourcePolicy {
    #[must_use]
    pub fn in_dir(work_dir: PathBuf) -> Self {
        Self {
            local_roots: None,
            egress: EgressPolicy::default(),
            local_git: false,
            max_document_bytes: 256 << 20,
            max_documents: 1_000_000,
            git_deadline: Duration::from_secs(900),
            work_dir,
            variable_prefixes: vec!["MAINSPRING_SOURCE_".to_owned()],
            variable: |name| std::env::var(name).ok(),
        }
    }

    /// The value of a variable that a spec names.
    fn secret(&self, name: &str) -> Result<SecretString, SourceFault> {
        if !self.variable_prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())) {
            let reason = format!("specs may name variables that start with {}", self.variable_prefixes.join(" or "));
            return Err(SourceFault::Denied { place: name.to_owned(), reason });
        }
        let value = (self.variable)(name).ok_or_else(|| SourceFault::NoVariable { variable: name.to_owned() })?;
        Ok(SecretString::from(value))
    }
}

/// A document that is there, before its bytes are fetched.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: DocumentId,
    pub source: Arc<str>,
    /// Within the source, fit to be shown.
    pub path: String,
    pub uri: String,
    /// Stays while the content does, and costs little to ask for; `None`: only fetching tells.
    pub fingerprint: Option<String>,
    pub size: Option<u64>,
    pub media_type: Option<String>,
    pub attributes: Attributes,
    pub attributes_digest: Digest,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    File(Arc<folder::Roots>, PathBuf),
    Url(url::Url),
    /// Fetched already while crawling.
    Spooled(Arc<web::Page>),
    Blob {
        sha: String,
        commit: Arc<str>,
    },
    Object(object_store::path::Path),
    /// Only the catalog knows of it now.
    Nowhere,
}

impl Listed {
    /// A file of this machine.
    pub(crate) const fn is_file(&self) -> bool {
        matches!(self.place, Place::File(..))
    }

    /// A document as it was last listed, when its source cannot be asked.
    pub(crate) fn of_known(known: &Known) -> Self {
        Self {
            id: known.id.clone(),
            source: known.source.as_str().into(),
            path: known.path.clone(),
            uri: known.uri.clone(),
            fingerprint: known.fingerprint.clone(),
            size: Some(known.bytes),
            media_type: None,
            attributes: Attributes { labels: Arc::new(known.labels.clone()), metadata: Arc::new(known.metadata.clone()) },
            attributes_digest: known.attributes,
            place: Place::Nowhere,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Listing {
    pub documents: Vec<Listed>,
    /// What is no document, or could not be looked at.
    pub warnings: Vec<Warning>,
    /// Paths below which nothing is known this time: documents there are not gone.
    pub unread: Vec<String>,
}

#[derive(Debug)]
pub enum Fetched {
    /// The source says nothing changed.
    Same,
    Content(Content),
}

#[derive(Debug)]
pub struct Content {
    pub bytes: Bytes,
    pub media_type: Option<String>,
    /// Replaces the listed one, when fetching told a better one.
    pub fingerprint: Option<String>,
    pub origin: Origin,
}

/// A source made ready to list and fetch.
#[derive(Debug)]
pub struct Source {
    key: Arc<str>,
    knowledge: KnowledgeKey,
    rules: Rules,
    selection: globs::Selection,
    max_bytes: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Local(folder::Local),
    Web(web::Web),
    Git(Box<git::Git>),
    S3(s3::Bucket),
}

impl Source {
    /// Prepares what the spec names; reads nothing yet.
    pub fn open(
        knowledge: &KnowledgeKey,
        spec: &SourceSpec,
        policy: &SourcePolicy,
        egress: &Egress,
    ) -> Result<Self, SourceFault> {
        let unusable = |reason: String| SourceFault::Unusable { place: spec.location(), reason };
        let common = spec.common();
        let kind = match spec {
            SourceSpec::Folder(folder) => Kind::Local(folder::Local::folder(folder, policy)),
            SourceSpec::Files(files) => Kind::Local(folder::Local::files(files, policy)),
            SourceSpec::Web(web) => Kind::Web(web::Web::open(web, policy, egress.clone())),
            SourceSpec::Git(git) => {
                let owner = format!("{} {} {}", knowledge.project, knowledge.name, spec.key());
                Kind::Git(Box::new(git::Git::open(&owner, git, policy, egress.clone())?))
            }
            SourceSpec::S3(s3) => Kind::S3(s3::Bucket::open(s3, policy, egress)?),
        };
        Ok(Self {
            key: spec.key().into(),
            knowledge: knowledge.clone(),
            rules: Rules::of(spec).map_err(unusable)?,
            selection: globs::Selection::new(common.include, common.exclude).map_err(unusable)?,
            max_bytes: policy.max_document_bytes,
            kind,
        })
    }

    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is there now. An error means nothing is known, not that nothing is there.
    pub async fn list(self: &Arc<Self>, now: Timestamp) -> Result<Listing, SourceFault> {
        match &self.kind {
            Kind::Local(_) => {
                self.blocking(move |source| match &source.kind {
                    Kind::Local(local) => local.list(source, now),
                    _ => Ok(Listing::default()),
                })
                .await
            }
            Kind::Web(web) => web.list(self).await,
            Kind::Git(git) => git.list(self).await,
            Kind::S3(bucket) => bucket.list(self).await,
        }
    }

    /// The bytes of a document this source listed. `known` is the fingerprint of the content we have.
    pub async fn fetch(self: &Arc<Self>, document: &Listed, known: Option<&str>, now: Timestamp) -> Result<Fetched, SourceFault> {
        let limit = self.max_bytes;
        let fetched = match (&self.kind, &document.place) {
            (Kind::Local(_), Place::File(roots, path)) => {
                let (roots, path, shown) = (roots.clone(), path.clone(), document.path.clone());
                self.blocking(move |_| folder::read(&roots, &path, &shown, limit, now)).await.map(Fetched::Content)
            }
            (Kind::Web(web), Place::Url(url)) => web.fetch(url, known, limit).await,
            (Kind::Web(_), Place::Spooled(page)) => {
                let page = page.clone();
                self.blocking(move |_| page.read()).await.map(Fetched::Content)
            }
            (Kind::Git(git), Place::Blob { sha, commit }) => git.fetch((sha, commit), &document.path, limit).await,
            (Kind::S3(bucket), Place::Object(key)) => bucket.fetch(key, limit).await,
            _ => {
                Err(SourceFault::Unusable { place: document.path.clone(), reason: "another source listed this document".into() })
            }
        };
        Ok(match fetched? {
            Fetched::Content(mut content) => {
                content.origin.fetched = Some(now);
                Fetched::Content(content)
            }
            Fetched::Same => Fetched::Same,
        })
    }

    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, SourceFault> + Send + 'static,
    ) -> Result<T, SourceFault> {
        let source = self.clone();
        let stopped = |_| SourceFault::Unreachable { place: self.key.to_string(), reason: "the reading thread stopped".into() };
        tokio::task::spawn_blocking(move || work(&source)).await.map_err(stopped)?
    }

    /// Makes the entry of one document. `identity` is its name in the source, exactly; of the names,
    /// the first is shown and the second is what globs and label rules match.
    fn entry(&self, identity: &[u8], (path, matched): (String, &str), uri: String, place: Place) -> Listed {
        let attributes = self.rules.attributes(matched);
        Listed {
            id: DocumentId::of(&self.knowledge, &self.key, identity),
            source: self.key.clone(),
            attributes_digest: attributes.digest(&self.key, &uri),
            path,
            uri,
            fingerprint: None,
            size: None,
            media_type: None,
            attributes,
            place,
        }
    }

    /// An entry whose content is that of another path, for those who may see both; nothing where no labels say who that is.
    fn also_as(&self, entry: Listed, path: &str) -> Option<Listed> {
        let attributes = entry.attributes.also_within(&self.rules.attributes(path).labels)?;
        let attributes_digest = attributes.digest(&self.key, &entry.uri);
        Some(Listed { attributes, attributes_digest, ..entry })
    }

    fn takes(&self, path: &str) -> bool {
        self.selection.takes(path)
    }

    /// Of something that has a path and so the labels a document there would have.
    fn warn(&self, path: impl Into<String>, code: &str, detail: impl Into<String>) -> Warning {
        let path = path.into();
        let labels = self.rules.attributes(path.trim_start_matches('/')).labels.to_vec();
        Warning { labels: Some(labels), ..self.warn_of_many(path, code, detail) }
    }

    /// Of something that may concern documents of any label.
    fn warn_of_many(&self, path: impl Into<String>, code: &str, detail: impl Into<String>) -> Warning {
        let (source, code) = (self.key.to_string(), code.to_owned());
        Warning { document: None, source, path: path.into(), code, detail: detail.into(), labels: None }
    }
}
