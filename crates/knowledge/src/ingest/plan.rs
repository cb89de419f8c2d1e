//! What is to be done: the listings of the sources against what the catalog knows. Pure.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use mainspring_kernel::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    model::{DocumentId, DocumentStatus, Failure},
    source::{Listed, Listing},
    store::Known,
};

/// Codes of what passes by itself. A file that changed while it was read is not among them: it is news.
const AWAY: [&str; 3] = ["source-unreachable", "source-timeout", "source-busy"];
/// Of parsers that were ended: by the file, or by a machine that was short of memory or time. Tried again at each ingestion.
pub(super) const MAY_PASS: [&str; 2] = ["parse-timed-out", "parse-crashed"];

/// A document whose rows in the table are not what they should be.
#[derive(Debug)]
pub(super) enum Work {
    /// The source may hold something new.
    Fetch { listed: Listed, known: Option<Box<Known>> },
    /// The content is known; its rows are missing, or were made from other labels or metadata.
    Rewrite { listed: Listed, known: Box<Known>, parsed: Digest },
}

impl Work {
    pub(super) const fn listed(&self) -> &Listed {
        match self {
            Self::Fetch { listed, .. } | Self::Rewrite { listed, .. } => listed,
        }
    }

    /// Whether the source shows something new. The rest is another try at what could not be had before, or
    /// cannot be compared: worth it when an ingestion is due, but not every few seconds.
    pub(super) fn is_news(&self) -> bool {
        let Self::Fetch { listed, known: Some(known) } = self else { return true };
        match (&listed.fingerprint, &known.fingerprint) {
            // Written just now, or of a source that never says: later it can be compared, or never.
            (None, _) => false,
            (Some(_), Some(_)) => true,
            (Some(_), None) => !passes(known),
        }
    }
}

/// Whether what is wrong with a document may be over at another try.
pub(super) fn passes(known: &Known) -> bool {
    let code = known.reason.as_ref().map(|reason| reason.code.as_str());
    code.is_some_and(|code| AWAY.contains(&code) || MAY_PASS.contains(&code))
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub work: Vec<Work>,
    pub unchanged: u64,
    /// Of kinds that hold no text for us, and unchanged.
    pub skipped: u64,
    /// Listed, but they were to be forgotten.
    pub forgotten: u64,
    /// Known, and in no source any more.
    pub gone: Vec<Known>,
    /// They failed before and nothing changed since.
    pub failures: Vec<Failure>,
    pub seen: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngestOptions {
    /// Fetch and parse again what did not change.
    pub full: bool,
    /// Try again what failed before and did not change since.
    pub retry_failed: bool,
    /// Only folders and files of this machine; what other sources gave before stays.
    pub local: bool,
}

/// Names what a document's rows are made from, beside the table's own config.
pub(super) fn row_key(parsed: &Digest, attributes: &Digest) -> Digest {
    Digest::of_parts([parsed.as_bytes().as_slice(), attributes.as_bytes().as_slice()])
}

/// `listings` holds the sources that could be listed; `configured` names all that the spec has.
pub(super) fn plan(
    configured: &HashSet<Arc<str>>,
    listings: BTreeMap<Arc<str>, Listing>,
    mut known: HashMap<DocumentId, Known>,
    options: IngestOptions,
) -> Plan {
    let mut plan = Plan::default();
    let mut unread: HashMap<Arc<str>, Vec<String>> = HashMap::new();
    let mut seen = HashSet::new();
    for (source, listing) in listings {
        unread.insert(source, listing.unread);
        for listed in listing.documents {
            if seen.insert(listed.id.clone()) {
                plan.seen += 1;
                let before = known.remove(&listed.id);
                sort_in(&mut plan, listed, before, options);
            }
        }
    }
    let is_gone = |document: &Known| {
        let source = document.source.as_str();
        if document.status == DocumentStatus::Forgotten {
            return false;
        }
        match unread.get(source) {
            // Its source was read: it is gone unless it lies where nothing could be read.
            Some(unread) => !unread.iter().any(|prefix| lies_below(&document.path, prefix)),
            // A source that failed says nothing; one that the spec no longer has takes its documents along.
            None => !configured.contains(source),
        }
    };
    for document in known.into_values() {
        if is_gone(&document) {
            plan.gone.push(document);
        } else if let Some(work) = unlisted(document) {
            plan.work.push(work);
        }
    }
    plan.gone.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    plan
}

/// A document whose source says nothing now, but whose rows a new table still lacks.
fn unlisted(known: Known) -> Option<Work> {
    let parsed = known.parsed.filter(|_| known.status == DocumentStatus::Ready)?;
    let missing = known.row_key != Some(row_key(&parsed, &known.attributes));
    missing.then(|| Work::Rewrite { listed: Listed::of_known(&known), known: Box::new(known), parsed })
}

fn sort_in(plan: &mut Plan, listed: Listed, known: Option<Known>, options: IngestOptions) {
    let Some(known) = known else {
        plan.work.push(Work::Fetch { listed, known: None });
        return;
    };
    let again = options.full || options.retry_failed;
    let same_content = listed.fingerprint.is_some() && listed.fingerprint == known.fingerprint;
    match known.status {
        DocumentStatus::Forgotten => plan.forgotten += 1,
        DocumentStatus::Failed if same_content && !again && known.attributes == listed.attributes_digest => {
            plan.failures.push(failed_before(&listed, known));
        }
        DocumentStatus::Skipped if same_content && !again => plan.skipped += 1,
        DocumentStatus::Ready if same_content && !options.full => match known.parsed {
            Some(parsed) if known.row_key == Some(row_key(&parsed, &listed.attributes_digest)) => plan.unchanged += 1,
            Some(parsed) => plan.work.push(Work::Rewrite { listed, known: Box::new(known), parsed }),
            None => plan.work.push(Work::Fetch { listed, known: Some(Box::new(known)) }),
        },
        DocumentStatus::Failed | DocumentStatus::Skipped | DocumentStatus::Ready => {
            plan.work.push(Work::Fetch { listed, known: Some(Box::new(known)) });
        }
    }
}

fn failed_before(listed: &Listed, known: Known) -> Failure {
    let (code, detail) =
        known.reason.map_or_else(|| ("knowledge-unknown".to_owned(), String::new()), |reason| (reason.code, reason.detail));
    Failure {
        document: Some(known.id),
        source: listed.source.to_string(),
        path: listed.path.clone(),
        code,
        detail,
        labels: Some(listed.attributes.labels.to_vec()),
        known: true,
    }
}

/// Whether a path is the one named or below it; the empty prefix holds everything.
fn lies_below(path: &str, prefix: &str) -> bool {
    prefix.is_empty()
        || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}
