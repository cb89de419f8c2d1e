use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use base64::Engine as _;
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
async fn a_clone_holds_nothing_of_commits_before() {
    let home = repository();
    let (policy, work) = local();
    let source = open(spec(home.path(), json!({})), &policy).unwrap();
    source.list(later()).await.unwrap();
    let clone = std::fs::read_dir(work.path().join("git")).unwrap().next().unwrap().unwrap().path();
    let blob = |name: &str| {
        let out = Command::new("git").args(["rev-parse", name]).current_dir(home.path()).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let holds = |sha: &str| {
        let found = Command::new("git").arg("--git-dir").arg(&clone).args(["cat-file", "-e", sha]).output().unwrap();
        found.status.success()
    };
    let (secret, stays) = (blob("HEAD:docs/a.md"), blob("HEAD:README.md"));
    assert!(holds(&secret) && holds(&stays));
    std::fs::remove_file(home.path().join("docs/a.md")).unwrap();
    git(home.path(), &["commit", "-q", "-am", "two"]);
    let listing = source.list(later()).await.unwrap();
    assert!(!holds(&secret) && holds(&stays));
    // Twice the same commit, and one more after what was there was packed.
    source.list(later()).await.unwrap();
    assert_eq!(bytes(&source, &listing.documents[1]).await, b"read me");
    std::fs::write(home.path().join("docs/c.md"), "gamma").unwrap();
    git(home.path(), &["add", "-A"]);
    git(home.path(), &["commit", "-q", "-m", "three"]);
    let listing = source.list(later()).await.unwrap();
    assert_eq!(paths(&listing), [".gitattributes", "README.md", "docs/b.txt", "docs/c.md", "src/main.rs"]);
    for listed in &listing.documents {
        assert_eq!(bytes(&source, listed).await, std::fs::read(home.path().join(&listed.path)).unwrap());
    }
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

const TOKEN: &str = "a-token-of-the-test";

fn variables(name: &str) -> Option<String> {
    match name {
        "MAINSPRING_SOURCE_TOKEN" => Some(TOKEN.to_owned()),
        "MAINSPRING_SOURCE_WRONG" => Some("another".to_owned()),
        _ => None,
    }
}

/// Git's own server behind as much of HTTP as its clients speak, for who has the token. What was asked for is noted.
struct Served {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Served {
    fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let served = Self { port: listener.local_addr().unwrap().port(), asked: Arc::default() };
        let (root, asked) = (root.to_owned(), served.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (root, asked) = (root.clone(), asked.clone());
                // A client that goes away in the middle is no fault of this server.
                std::thread::spawn(move || drop(answer(stream, root, &asked)));
            }
        });
        served
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, root: PathBuf, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut lines) = (String::new(), Vec::new());
    while reader.read_line(&mut line)? > 2 {
        lines.push(std::mem::take(&mut line).trim_end().to_owned());
    }
    let header = |name: &str| {
        let all = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
        all.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let Some(first) = lines.first() else { return Ok(()) };
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    asked.lock().unwrap().push(path.to_owned());
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{TOKEN}"));
    let (status, rest) = if header("authorization") != format!("Basic {expected}") {
        ("401 Unauthorized".to_owned(), b"www-authenticate: Basic realm=git\r\n\r\n".to_vec())
    } else if path.starts_with("/moved.git/") {
        ("302 Found".to_owned(), format!("location: /docs.git{}\r\n\r\n", target.trim_start_matches("/moved.git")).into_bytes())
    } else {
        let mut backend = Command::new("git")
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("REQUEST_METHOD", method)
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        backend.stdin.take().unwrap().write_all(&body)?;
        ("200 OK".to_owned(), backend.wait_with_output()?.stdout)
    };
    // A program of this kind writes a head of its own, with the status in it where that is not 200.
    let end = rest.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(0);
    let head = String::from_utf8_lossy(&rest[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).map_or(status, str::to_owned);
    let content = &rest[(end + 4).min(rest.len())..];
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{head}\r\n\r\n", content.len())?;
    stream.write_all(content)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_read_over_http_with_its_token_and_only_where_the_policy_leads() {
    let (home, root) = (repository(), tempfile::tempdir().unwrap());
    git(home.path(), &["clone", "-q", "--bare", ".", root.path().join("docs.git").to_str().unwrap()]);
    let served = Served::start(root.path());
    let spec = |name: &str, token: &str| {
        let url = format!("http://localhost:{}/{name}.git", served.port);
        json!({ "type": "git", "url": url, "subdir": "docs", "token_env": token })
    };
    let (mut policy, _work) = policy();
    policy.variable = variables;
    let inside_refused = open(spec("docs", "MAINSPRING_SOURCE_TOKEN"), &policy).unwrap().list(later()).await;
    assert!(matches!(inside_refused, Err(SourceFault::Denied { .. })), "{inside_refused:?}");
    assert_eq!(served.asked(), [""; 0], "nobody was asked");
    policy.egress = inside();

    let source = open(spec("docs", "MAINSPRING_SOURCE_TOKEN"), &policy).unwrap();
    let listing = source.list(later()).await.unwrap();
    assert_eq!(paths(&listing), ["a.md", "b.txt"]);
    let of = |path: &str| listing.documents.iter().find(|listed| listed.path == path).unwrap();
    assert_eq!(bytes(&source, of("b.txt")).await, b"beta");
    assert!(of("a.md").uri.ends_with("/docs.git#docs/a.md"), "{}", of("a.md").uri);

    let wrong = open(spec("docs", "MAINSPRING_SOURCE_WRONG"), &policy).unwrap().list(later()).await;
    assert!(matches!(wrong, Err(SourceFault::Unauthorized { .. })), "{wrong:?}");
    let missing = open(spec("nothing", "MAINSPRING_SOURCE_TOKEN"), &policy).unwrap().list(later()).await;
    assert!(matches!(missing, Err(SourceFault::Missing { .. })), "{missing:?}");
    let before = served.asked().len();
    let moved = open(spec("moved", "MAINSPRING_SOURCE_TOKEN"), &policy).unwrap().list(later()).await;
    assert!(moved.is_err(), "where it leads was judged by nobody");
    assert!(served.asked()[before..].iter().all(|path| path.starts_with("/moved.git/")), "{:?}", served.asked());
}
