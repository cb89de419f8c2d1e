use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use serde_json::json;

use super::*;

struct Folder {
    home: tempfile::TempDir,
    policy: SourcePolicy,
    _work: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("docs")).unwrap();
        let (policy, work) = policy();
        Self { home, policy, _work: work }
    }
    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join("docs").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    fn source(&self, extra: Value) -> Arc<Source> {
        let mut spec = json!({ "type": "folder", "path": self.home.path().join("docs") });
        for (key, value) in extra.as_object().unwrap() {
            spec[key] = value.clone();
        }
        open(spec, &self.policy).unwrap()
    }
}

#[tokio::test]
async fn globs_choose_and_hidden_files_stay_out() {
    let folder = Folder::new();
    for name in ["a.md", "b.txt", "deep/er/c.md", "drafts/d.md", ".git/config", ".hidden.md"] {
        folder.write(name, "x");
    }
    let all = folder.source(json!({})).list(later()).await.unwrap();
    assert_eq!(paths(&all), ["a.md", "b.txt", "deep/er/c.md", "drafts/d.md"]);
    let some = folder.source(json!({ "include": ["*.md"], "exclude": ["drafts/"] })).list(later()).await.unwrap();
    assert_eq!(paths(&some), ["a.md", "deep/er/c.md"]);
    let hidden = folder.source(json!({ "include": ["*.md"], "hidden": true, "exclude": ["d*"] })).list(later()).await.unwrap();
    assert_eq!(paths(&hidden), [".hidden.md", "a.md"]);
}

#[tokio::test]
async fn links_that_leave_the_root_are_named_and_not_followed() {
    let folder = Folder::new();
    std::fs::write(folder.home.path().join("outside.md"), "secret").unwrap();
    folder.write("inside.md", "fine");
    let docs = folder.home.path().join("docs");
    std::os::unix::fs::symlink(folder.home.path().join("outside.md"), docs.join("out.md")).unwrap();
    std::os::unix::fs::symlink("/etc", docs.join("etc")).unwrap();
    std::os::unix::fs::symlink(docs.join("inside.md"), docs.join("alias.md")).unwrap();
    std::os::unix::fs::symlink(&docs, docs.join("loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", docs.join("dangling.md")).unwrap();
    let source = folder.source(json!({}));
    let listing = source.list(later()).await.unwrap();
    assert_eq!(paths(&listing), ["alias.md", "inside.md"]);
    let skipped = "source-link-skipped";
    assert_eq!(codes(&listing), [("dangling.md", skipped), ("etc", skipped), ("out.md", skipped)]);
    let inside = listing.documents.iter().find(|listed| listed.path == "inside.md").unwrap();
    assert_eq!(bytes(&source, inside).await, b"fine");
    // The file becomes a link out between the look and the fetch.
    std::fs::remove_file(docs.join("inside.md")).unwrap();
    std::os::unix::fs::symlink(folder.home.path().join("outside.md"), docs.join("inside.md")).unwrap();
    let fault = source.fetch(inside, None, later()).await.unwrap_err();
    assert!(matches!(fault, SourceFault::Moved { .. }), "{fault}");
}

#[tokio::test]
async fn odd_names_are_taken_and_shown_harmlessly() {
    let folder = Folder::new();
    let docs = folder.home.path().join("docs");
    let odd: [&[u8]; 4] = [b"new\nline.md", b"not\xffutf8.md", b"do..uble.md", "right\u{202e}left.md".as_bytes()];
    for name in odd {
        std::fs::write(docs.join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let source = folder.source(json!({}));
    let listing = source.list(later()).await.unwrap();
    assert_eq!(paths(&listing), ["do..uble.md", "new\\x0Aline.md", "not\\xFFutf8.md", "right\\xE2\\x80\\xAEleft.md"]);
    for listed in &listing.documents {
        assert_eq!(bytes(&source, listed).await, b"x");
        assert!(listed.uri.starts_with("file:///") && listed.uri.is_ascii());
    }
    let ids: std::collections::BTreeSet<_> = listing.documents.iter().map(|listed| listed.id.clone()).collect();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn a_fingerprint_changes_with_the_content_and_with_nothing_else() {
    let folder = Folder::new();
    folder.write("a.md", "one");
    let source = folder.source(json!({}));
    let print = async || source.list(later()).await.unwrap().documents[0].fingerprint.clone();
    let first = print().await;
    assert!(first.is_some() && first == print().await);
    std::fs::write(folder.home.path().join("docs/a.md"), "two").unwrap();
    let second = print().await;
    assert_ne!(first, second);
    // Setting the time back does not hide an edit.
    let path = folder.home.path().join("docs/a.md");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    std::fs::write(&path, "six").unwrap();
    file.set_modified(before).unwrap();
    assert_ne!(second, print().await);
    let fresh = source.list(SystemClock.now()).await.unwrap();
    assert_eq!(fresh.documents[0].fingerprint, None, "a file changed this moment may change again unnoticed");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused() {
    let mut folder = Folder::new();
    folder.policy.max_document_bytes = 10;
    folder.write("big.md", "eleven bytes");
    let source = folder.source(json!({}));
    let listing = source.list(later()).await.unwrap();
    let fault = source.fetch(&listing.documents[0], None, later()).await.unwrap_err();
    assert!(matches!(fault, SourceFault::TooLarge { limit: 10, .. }), "{fault}");
}

#[tokio::test]
async fn the_server_decides_which_folders_may_be_read() {
    let mut folder = Folder::new();
    folder.write("a.md", "x");
    folder.policy.local_roots = Some(vec![folder.home.path().join("elsewhere")]);
    let fault = folder.source(json!({})).list(later()).await.unwrap_err();
    assert!(matches!(fault, SourceFault::Denied { .. }), "{fault}");
    folder.policy.local_roots = Some(vec![folder.home.path().to_owned()]);
    assert_eq!(folder.source(json!({})).list(later()).await.unwrap().documents.len(), 1);
    folder.policy.max_documents = 0;
    assert!(matches!(folder.source(json!({})).list(later()).await, Err(SourceFault::Unusable { .. })));
}

#[tokio::test]
async fn rules_replace_labels_and_add_metadata() {
    let folder = Folder::new();
    for name in ["open.md", "hr/pay.md", "hr/public/tea.md"] {
        folder.write(name, "x");
    }
    let rules = json!([
        { "match": "hr/", "labels": ["hr"], "metadata": { "team": "people" } },
        { "match": "hr/public/**", "labels": [], "metadata": { "kind_of": "notice" } },
    ]);
    let source = folder.source(json!({ "labels": ["staff"], "metadata": { "lang": "en" }, "rules": rules }));
    let listing = source.list(later()).await.unwrap();
    let of = |path: &str| listing.documents.iter().find(|listed| listed.path == path).unwrap().attributes.clone();
    assert_eq!(*of("open.md").labels, ["staff"]);
    assert_eq!(*of("hr/pay.md").labels, ["hr"], "a rule replaces: adding would widen who may see it");
    assert!(of("hr/public/tea.md").labels.is_empty());
    let keys: Vec<_> = of("hr/public/tea.md").metadata.keys().cloned().collect();
    assert_eq!(keys, ["kind_of", "lang", "team"]);
}

#[tokio::test]
async fn a_link_is_for_those_who_may_see_it_and_what_it_leads_to() {
    let folder = Folder::new();
    let docs = folder.home.path().join("docs");
    for name in ["salaries/x.md", "notes/y.md", "public/own.md", "board/own.md"] {
        folder.write(name, "x");
    }
    let links = [
        ("public/x.md", "../salaries/x.md"),
        ("public/y.md", "../notes/y.md"),
        ("board/x.md", "../salaries/x.md"),
        ("board/y.md", "../notes/y.md"),
        ("notes/x.md", "../salaries/x.md"),
    ];
    for (link, target) in links {
        std::os::unix::fs::symlink(target, docs.join(link)).unwrap();
    }
    let rules = json!([
        { "match": "public/**", "labels": [] },
        { "match": "salaries/**", "labels": ["hr", "head"] },
        { "match": "board/**", "labels": ["board", "head"] },
    ]);
    let listing = folder.source(json!({ "labels": ["staff"], "rules": rules })).list(later()).await.unwrap();
    let of =
        |path: &str| listing.documents.iter().find(|listed| listed.path == path).map(|listed| listed.attributes.labels.to_vec());
    let labels = |labels: &[&str]| Some(labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>());
    assert_eq!(of("public/own.md"), labels(&[]));
    assert_eq!(of("public/x.md"), labels(&["head", "hr"]), "not everybody's, though the link is");
    assert_eq!(of("public/y.md"), labels(&["staff"]));
    assert_eq!(of("board/own.md"), labels(&["board", "head"]));
    assert_eq!(of("board/x.md"), labels(&["head"]), "whoever holds it may see both");
    // No label opens both sides.
    assert_eq!((of("board/y.md"), of("notes/x.md")), (None, None));
    let skipped = "source-link-skipped";
    assert_eq!(codes(&listing), [("board/y.md", skipped), ("notes/x.md", skipped)]);
    // What is as it was has the digest it had, and what has other labels another one.
    let digest = |path: &str| listing.documents.iter().find(|listed| listed.path == path).unwrap().attributes_digest;
    assert_ne!(digest("public/x.md"), digest("board/x.md"));
}

#[tokio::test]
async fn single_files_are_listed_and_missing_ones_named() {
    let folder = Folder::new();
    folder.write("a.md", "x");
    let docs = folder.home.path().join("docs");
    let spec = json!({ "type": "files", "paths": [docs.join("a.md"), docs.join("gone.md"), docs] });
    let source = open(spec, &folder.policy).unwrap();
    let listing = source.list(later()).await.unwrap();
    assert_eq!(listing.documents.len(), 1);
    assert_eq!(bytes(&source, &listing.documents[0]).await, b"x");
    assert_eq!(
        listing.warnings.iter().map(|warning| warning.code.as_str()).collect::<Vec<_>>(),
        ["source-missing", "source-unusable"]
    );
}
