use std::collections::{BTreeMap, HashMap, HashSet};

use mainspring_kernel::{Digest, id::ProjectId};
use proptest::prelude::*;

use super::plan::{IngestOptions, Work, plan, row_key};
use super::reconcile::compare;
use crate::{
    model::{DocumentId, DocumentStatus, KnowledgeKey, Reason},
    source::{Listed, Listing},
    store::Known,
};

fn key() -> KnowledgeKey {
    KnowledgeKey::new(ProjectId::from_raw(1), "k".parse().unwrap())
}

fn known(source: &str, path: &str) -> Known {
    let (attributes, parsed) = (Digest::of(b"attributes"), Digest::of(path.as_bytes()));
    Known {
        id: DocumentId::of(&key(), source, path.as_bytes()),
        source: source.into(),
        path: path.into(),
        attributes,
        fingerprint: Some("same".into()),
        digest: Some(Digest::of(b"bytes")),
        parsed: Some(parsed),
        status: DocumentStatus::Ready,
        reason: None,
        labels: Vec::new(),
        metadata: BTreeMap::new(),
        uri: path.into(),
        bytes: 1,
        row_key: Some(row_key(&parsed, &attributes)),
    }
}

fn listed(known: &Known) -> Listed {
    Listed::of_known(known)
}

struct Case {
    known: Vec<Known>,
    listings: BTreeMap<std::sync::Arc<str>, Listing>,
    configured: HashSet<std::sync::Arc<str>>,
}

impl Case {
    fn of(known: Vec<Known>, listed: Vec<Listed>) -> Self {
        let listing = Listing { documents: listed, ..Listing::default() };
        Self { known, listings: [("s".into(), listing)].into(), configured: ["s".into()].into() }
    }

    fn plan(self, options: IngestOptions) -> super::plan::Plan {
        let known: HashMap<DocumentId, Known> = self.known.into_iter().map(|known| (known.id.clone(), known)).collect();
        plan(&self.configured, self.listings, known, options)
    }
}

#[test]
fn what_did_not_change_is_left_alone_unless_all_is_asked_for() {
    let document = known("s", "a");
    let same = Case::of(vec![document.clone()], vec![listed(&document)]).plan(IngestOptions::default());
    assert_eq!((same.unchanged, same.work.len(), same.gone.len()), (1, 0, 0));
    let full = Case::of(vec![document.clone()], vec![listed(&document)]).plan(IngestOptions { full: true, ..Default::default() });
    assert!(matches!(full.work[..], [Work::Fetch { .. }]));
    let mut unsure = listed(&document);
    unsure.fingerprint = None;
    assert!(matches!(Case::of(vec![document], vec![unsure]).plan(IngestOptions::default()).work[..], [Work::Fetch { .. }]));
}

#[test]
fn rows_made_from_other_labels_or_missing_are_written_again_from_the_kept_text() {
    let mut relabelled = known("s", "a");
    let entry = listed(&relabelled);
    relabelled.row_key = Some(Digest::of(b"older"));
    let plan = Case::of(vec![relabelled], vec![entry]).plan(IngestOptions::default());
    assert!(matches!(plan.work[..], [Work::Rewrite { .. }]));
    let mut missing = known("s", "a");
    missing.row_key = None;
    let plan = Case::of(vec![missing.clone()], vec![listed(&missing)]).plan(IngestOptions::default());
    assert!(matches!(plan.work[..], [Work::Rewrite { .. }]));
}

#[test]
fn only_what_a_source_positively_lacks_is_gone() {
    let (a, b) = (known("s", "a"), known("s", "dir/b"));
    let gone = |case: Case| case.plan(IngestOptions::default()).gone.into_iter().map(|known| known.path).collect::<Vec<_>>();
    let all = vec![a.clone(), b.clone()];
    assert_eq!(gone(Case::of(all.clone(), vec![listed(&a)])), ["dir/b"]);
    let mut unread = Case::of(all.clone(), vec![listed(&a)]);
    unread.listings.get_mut("s").unwrap().unread.push("dir".into());
    assert!(gone(unread).is_empty(), "its folder could not be read");
    let mut failed = Case::of(all.clone(), Vec::new());
    failed.listings.clear();
    assert!(gone(failed).is_empty(), "its source could not be listed");
    let mut removed = Case::of(all, Vec::new());
    removed.listings.clear();
    removed.configured.clear();
    assert_eq!(gone(removed).len(), 2, "the spec no longer names its source");
}

#[test]
fn the_forgotten_stay_forgotten_and_known_failures_are_not_tried_again() {
    let mut tombstone = known("s", "a");
    let entry = listed(&tombstone);
    tombstone.status = DocumentStatus::Forgotten;
    let plan =
        Case::of(vec![tombstone.clone()], vec![entry]).plan(IngestOptions { full: true, retry_failed: true, local: false });
    assert_eq!((plan.forgotten, plan.work.len()), (1, 0));
    assert!(Case::of(vec![tombstone], Vec::new()).plan(IngestOptions::default()).gone.is_empty());

    let mut failed = known("s", "b");
    failed.status = DocumentStatus::Failed;
    let plan = Case::of(vec![failed.clone()], vec![listed(&failed)]).plan(IngestOptions::default());
    assert_eq!((plan.failures.len(), plan.work.len()), (1, 0));
    let plan =
        Case::of(vec![failed.clone()], vec![listed(&failed)]).plan(IngestOptions { retry_failed: true, ..Default::default() });
    assert_eq!(plan.work.len(), 1);
}

#[test]
fn only_what_a_source_shows_to_be_new_is_news() {
    #[track_caller]
    fn check(listed_as: Option<&str>, known_as: Option<&str>, reason: Option<&str>, news: bool) {
        let mut known = known("s", "a");
        let mut entry = listed(&known);
        entry.fingerprint = listed_as.map(str::to_owned);
        known.fingerprint = known_as.map(str::to_owned);
        known.reason = reason.map(|code| Reason { code: code.into(), detail: String::new() });
        if reason.is_some() {
            known.status = DocumentStatus::Failed;
        }
        let plan = Case::of(vec![known], vec![entry]).plan(IngestOptions::default());
        assert_eq!(plan.work.iter().map(Work::is_news).collect::<Vec<_>>(), [news]);
    }
    check(Some("new"), Some("old"), None, true);
    check(Some("new"), Some("old"), Some("parse-broken"), true);
    check(Some("first"), None, None, true);
    check(Some("now"), None, Some("source-moved"), true);
    check(Some("now"), None, Some("source-unreachable"), false);
    check(Some("now"), None, Some("source-timeout"), false);
    check(Some("now"), None, Some("source-busy"), false);
    check(None, None, None, false);
    check(None, Some("etag"), None, false);
    let unknown = Case::of(Vec::new(), vec![listed(&known("s", "a"))]).plan(IngestOptions::default());
    assert!(unknown.work[0].is_news());
}

proptest! {
    #[test]
    fn reconciling_leaves_nothing_wrong(
        held in prop::collection::btree_map("[a-f]", 1..4_u64, 0..6),
        expected in prop::collection::btree_map("[a-f]", 0..4_u64, 0..6),
    ) {
        let (strays, lost) = compare(&held, &expected);
        // Take out the strays and forget what the catalog says of both: what remains must agree.
        let held: BTreeMap<_, _> = held.into_iter().filter(|(id, _)| !strays.contains(id)).collect();
        let expected: BTreeMap<_, _> =
            expected.into_iter().filter(|(id, _)| !strays.contains(id) && !lost.contains(id)).filter(|(_, count)| *count > 0).collect();
        prop_assert_eq!(held, expected);
    }
}
