mod crawl;
mod egress;
mod folder;
mod git;
mod s3;
mod text;
mod web;

use std::sync::Arc;

use mainspring_kernel::{Clock as _, SystemClock, Timestamp, id::ProjectId};
use serde_json::Value;

use super::{Egress, EgressPolicy, Fetched, Listed, Listing, Source, SourceFault, SourcePolicy};
use crate::{model::KnowledgeKey, spec::KnowledgeSpec};

pub(super) fn key() -> KnowledgeKey {
    KnowledgeKey::new(ProjectId::from_raw(1), "k".parse().unwrap())
}

/// Late enough that the times of files written just now are believed.
pub(super) fn later() -> Timestamp {
    SystemClock.now().plus(std::time::Duration::from_secs(3600))
}

pub(super) fn policy() -> (SourcePolicy, tempfile::TempDir) {
    let work = tempfile::tempdir().unwrap();
    (SourcePolicy::in_dir(work.path().to_owned()), work)
}

pub(super) fn open(spec: Value, policy: &SourcePolicy) -> Result<Arc<Source>, SourceFault> {
    let spec = KnowledgeSpec::parse(&serde_json::json!({ "sources": [spec] })).unwrap();
    let egress = Egress::new(policy.egress.clone()).unwrap();
    Source::open(&key(), &spec.sources[0], policy, &egress).map(Arc::new)
}

pub(super) fn inside() -> EgressPolicy {
    EgressPolicy { allow_private: true, ..EgressPolicy::default() }
}

pub(super) fn paths(listing: &Listing) -> Vec<&str> {
    let mut paths: Vec<&str> = listing.documents.iter().map(|listed| listed.path.as_str()).collect();
    paths.sort_unstable();
    paths
}

pub(super) fn codes(listing: &Listing) -> Vec<(&str, &str)> {
    let mut codes: Vec<_> = listing.warnings.iter().map(|warning| (warning.path.as_str(), warning.code.as_str())).collect();
    codes.sort_unstable();
    codes
}

pub(super) async fn bytes(source: &Arc<Source>, listed: &Listed) -> Vec<u8> {
    match source.fetch(listed, None, later()).await.unwrap() {
        Fetched::Content(content) => content.bytes.to_vec(),
        Fetched::Same => panic!("it was never fetched before"),
    }
}
