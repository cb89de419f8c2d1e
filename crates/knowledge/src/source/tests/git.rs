use std::{path::Path, process::Command};

use serde_json::json;

use super::*;

fn git(at: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(at)
        .output()
        .unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn repository() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    git(home.path(), &["init", "-q", "."]);
    for (name, text) in
        [("README.md", "read me"), ("docs/a.md", "alpha"), ("docs/b.txt", "beta"), ("src/main.rs", "fn main() {}")]
    {
        std::fs::create_dir_all(home.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(home.path().join(name), text).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", home.path().join("docs/link.md")).unwrap();
    // Would run on a checkout.
    std::fs::write(home.path().join(".gitattributes"), "*.md filter=evil\n").unwrap();
    git(home.path(), &["add", "-A"]);
    git(home.path(), &["commit", "-q", "-m", "one"]);
    home
}

fn spec(home: &Path, extra: Value) -> Value {
    let mut spec = json!({ "type": "git", "url": url::Url::from_file_path(home).unwrap().as_str() });
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

fn local() -> (SourcePolicy, tempfile::TempDir) {
    let (mut policy, work) = policy();
    policy.local_git = true;
    (policy, work)
}

#[tokio::test]
async fn files_of_a_commit_are_listed_without_a_checkout() {
    let home = repository();
    let (policy, work) = local();
    let source = open(spec(home.path(), json!({})), &policy).unwrap();
    let listing = source.list(later()).await.unwrap();
    assert_eq!(paths(&listing), [".gitattributes", "README.md", "docs/a.md", "docs/b.txt", "src/main.rs"]);
    assert_eq!(codes(&listing), [("docs/link.md", "source-link-skipped")]);
    for listed in &listing.documents {
        let want = std::fs::read(home.path().join(&listed.path)).unwrap();
        assert_eq!(bytes(&source, listed).await, want);
    }
    let clone = std::fs::read_dir(work.path().join("git")).unwrap().next().unwrap().unwrap().path();
    assert!(!clone.join("README.md").exists(), "there is no work tree");
}

#[tokio::test]
async fn a_new_commit_changes_just_the_fingerprints_of_what_it_changed() {
    let home = repository();
    let (policy, _work) = local();
    let source = open(spec(home.path(), json!({ "subdir": "docs", "include": ["*.md", "*.txt"] })), &policy).unwrap();
    let prints = |listing: &Listing| -> Vec<_> {
        listing.documents.iter().map(|listed| (listed.path.clone(), listed.fingerprint.clone())).collect()
    };
    let first = prints(&source.list(later()).await.unwrap());
    assert_eq!(first.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["a.md", "b.txt"]);
    assert_eq!(prints(&source.list(later()).await.unwrap()), first);
    std::fs::write(home.path().join("docs/a.md"), "changed").unwrap();
    git(home.path(), &["commit", "-q", "-am", "two"]);
    let listing = source.list(later()).await.unwrap();
    let second = prints(&listing);
    assert!(first[0] != second[0] && first[1] == second[1]);
    assert_eq!(bytes(&source, &listing.documents[0]).await, b"changed");
}

#[tokio::test]
async fn a_branch_a_tag_and_a_commit_can_be_named() {
    let home = repository();
    git(home.path(), &["tag", "v1"]);
    git(home.path(), &["checkout", "-q", "-b", "side"]);
    std::fs::write(home.path().join("docs/side.md"), "side").unwrap();
    git(home.path(), &["add", "-A"]);
    git(home.path(), &["commit", "-q", "-m", "side"]);
    let (policy, _work) = local();
    let count = async |reference: &str| {
        let spec = spec(home.path(), json!({ "ref": reference, "subdir": "docs" }));
        open(spec, &policy).unwrap().list(later()).await.map(|listing| listing.documents.len())
    };
    assert_eq!(count("side").await.unwrap(), 3);
    assert_eq!(count("v1").await.unwrap(), 2);
    assert!(matches!(count("nowhere").await, Err(SourceFault::Unusable { .. })));
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_said() {
    let home = repository();
    let (policy_closed, _work) = policy();
    let fault = open(spec(home.path(), json!({})), &policy_closed).unwrap_err();
    assert!(matches!(fault, SourceFault::Denied { .. }));
    let (policy, _work) = local();
    let gone = open(json!({ "type": "git", "url": "file:///nowhere/at/all" }), &policy).unwrap().list(later()).await;
    assert!(matches!(gone, Err(SourceFault::Missing { .. })), "{gone:?}");
    let inside = open(json!({ "type": "git", "url": "http://127.0.0.1:9/x.git" }), &policy).unwrap().list(later()).await;
    assert!(matches!(inside, Err(SourceFault::Denied { .. })), "{inside:?}");
    let named = |variable: &str| open(json!({ "type": "git", "url": "file:///x", "token_env": variable }), &policy).unwrap_err();
    assert!(matches!(named("MAINSPRING_SOURCE_NOT_SET"), SourceFault::NoVariable { .. }));
    assert!(matches!(named("PATH"), SourceFault::Denied { .. }), "a spec must not read the server's other variables");
}

#[tokio::test]
async fn a_file_of_a_repository_has_a_size_limit_and_the_reader_survives_it() {
    let home = repository();
    let (mut policy, _work) = local();
    policy.max_document_bytes = 6;
    let source = open(spec(home.path(), json!({ "subdir": "docs" })), &policy).unwrap();
    std::fs::write(home.path().join("docs/c.md"), "seven bytes or more").unwrap();
    git(home.path(), &["add", "-A"]);
    git(home.path(), &["commit", "-q", "-m", "large"]);
    let listing = source.list(later()).await.unwrap();
    let of = |path: &str| listing.documents.iter().find(|listed| listed.path == path).unwrap();
    assert_eq!(bytes(&source, of("a.md")).await, b"alpha");
    assert!(matches!(source.fetch(of("c.md"), None, later()).await, Err(SourceFault::TooLarge { .. })));
    assert_eq!(bytes(&source, of("b.txt")).await, b"beta");
}
