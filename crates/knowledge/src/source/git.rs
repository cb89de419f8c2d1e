//! Files of a git repository, through the `git` program with everything switched off that runs code,
//! asks questions or goes elsewhere. There is never a work tree: paths in a repository become no paths here.

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use base64::Engine as _;
use mainspring_kernel::{Digest, Fault as _};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};
use url::Url;

use super::{Content, Fetched, Listing, Place, Source, SourceFault, SourcePolicy, egress::Egress, leftovers::CLONES, names};
use crate::{model::Origin, spec::GitSource};

/// Everything `git` says on one line of trouble is enough.
const TROUBLE: usize = 400;
const READ_DEADLINE: Duration = Duration::from_secs(60);
/// What the commit is called in the clone.
const CURRENT: &str = "refs/mainspring/current";

#[derive(Debug)]
pub(super) struct Git {
    spec: GitSource,
    url: Url,
    egress: Egress,
    /// The bare clone, kept between runs so that only what is new is transferred. It holds one commit.
    clone: PathBuf,
    deadline: Duration,
    max_documents: usize,
    token: Option<SecretString>,
    reader: Mutex<Option<Reader>>,
}

/// A running `git cat-file --batch`: one process hands out every blob.
#[derive(Debug)]
struct Reader {
    _child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Git {
    /// `owner` names knowledge and source: a clone is never shared, so two runs cannot get in each other's way.
    pub(super) fn open(owner: &str, spec: &GitSource, policy: &SourcePolicy, egress: Egress) -> Result<Self, SourceFault> {
        let url = Url::parse(&spec.url)
            .map_err(|fault| SourceFault::Unusable { place: spec.url.clone(), reason: fault.to_string() })?;
        if url.scheme() == "file" && !policy.local_git {
            let reason = "`file:` repositories are read where local files may be read anywhere, and nowhere else".into();
            return Err(SourceFault::Denied { place: spec.url.clone(), reason });
        }
        let token = spec.token_env.as_deref().map(|name| policy.secret(name)).transpose()?;
        let identity = Digest::of_parts([owner.as_bytes(), url.as_str().as_bytes()]);
        Ok(Self {
            spec: spec.clone(),
            url,
            egress,
            clone: policy.work_dir.join(CLONES).join(identity.hex()),
            deadline: policy.git_deadline,
            max_documents: policy.max_documents,
            token,
            reader: Mutex::new(None),
        })
    }

    pub(super) async fn list(&self, source: &Source) -> Result<Listing, SourceFault> {
        // A reader of an earlier listing would go on with the objects it has opened.
        *self.reader.lock().await = None;
        let commit: Arc<str> = self.fetch_commit().await?.into();
        let tree = match &self.spec.subdir {
            Some(subdir) => format!("{commit}:{}", subdir.trim_matches('/')),
            None => commit.to_string(),
        };
        let list = ["ls-tree", "-r", "-z", "-l", "--full-tree", tree.as_str()];
        let out = self.git(&list, &[]).await?;
        let mut listing = Listing::default();
        for record in out.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
            let Some(file) = TreeEntry::parse(record) else { continue };
            let shown = names::shown_bytes(file.path);
            match file.mode {
                b"100644" | b"100755" => {}
                b"120000" => {
                    listing.warnings.push(source.warn(shown, "source-link-skipped", "links in a repository are not followed"));
                    continue;
                }
                _ => continue,
            }
            if !source.takes(&shown) {
                continue;
            }
            if listing.documents.len() >= self.max_documents {
                let reason = format!("it holds more than {} documents: narrow it with `include`", self.max_documents);
                return Err(SourceFault::Unusable { place: self.spec.url.clone(), reason });
            }
            let uri = format!("{}#{}", self.spec.url.trim_end_matches('/'), self.in_repository(&shown));
            let place = Place::Blob { sha: file.sha.to_owned(), commit: commit.clone() };
            let mut entry = source.entry(file.path, (shown.clone(), &shown), uri, place);
            entry.fingerprint = Some(format!("git:{}", file.sha));
            entry.size = file.size;
            listing.documents.push(entry);
        }
        Ok(listing)
    }

    fn in_repository(&self, shown: &str) -> String {
        match &self.spec.subdir {
            Some(subdir) => format!("{}/{shown}", subdir.trim_matches('/')),
            None => shown.to_owned(),
        }
    }

    /// Brings the wanted commit here and answers its name.
    async fn fetch_commit(&self) -> Result<String, SourceFault> {
        let io = |fault: std::io::Error| SourceFault::of_io("the folder for clones", &fault);
        tokio::fs::create_dir_all(&self.clone).await.map_err(io)?;
        let is_new = !self.clone.join("HEAD").is_file();
        if is_new {
            self.git(&["init", "--bare", "--quiet", "."], &[]).await?;
        }
        let mut settings = Vec::new();
        if self.url.scheme() != "file" {
            // The addresses were judged and resolved by our policy; git connects to none but those and follows no redirect.
            let addresses = self.egress.resolve(&self.url).await?;
            let (Some(host), Some(first)) = (self.url.host_str(), addresses.first()) else {
                return Err(SourceFault::Unreachable { place: self.spec.url.clone(), reason: "the host has no address".into() });
            };
            let all: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            settings.push(("http.curloptResolve".to_owned(), format!("{host}:{}:{}", first.port(), all.join(","))));
        }
        if let Some(token) = &self.token {
            let basic = format!("x-access-token:{}", token.expose_secret());
            let basic = base64::engine::general_purpose::STANDARD.encode(basic);
            settings.push(("http.extraHeader".to_owned(), format!("Authorization: Basic {basic}")));
        }
        let reference = self.spec.reference.as_deref().unwrap_or("HEAD");
        let fetch = [
            "fetch",
            "--quiet",
            "--depth",
            "1",
            "--no-tags",
            "--no-recurse-submodules",
            "--force",
            "--",
            self.spec.url.as_str(),
            reference,
        ];
        self.git(&fetch, &settings).await?;
        let out = self.git(&["rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}"], &[]).await?;
        let commit = String::from_utf8_lossy(&out).trim().to_owned();
        if commit.len() < 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(SourceFault::Unusable { place: self.spec.url.clone(), reason: "the reference names no commit".into() });
        }
        self.keep_only(&commit, is_new).await?;
        Ok(commit)
    }

    /// Lets go of what only earlier commits held: what was deleted there, or is to be forgotten, is not to stay here. The
    /// commit gets a name, so that it stays itself, and so that the next fetch says what is here already.
    async fn keep_only(&self, commit: &str, is_new: bool) -> Result<(), SourceFault> {
        let named = self.git(&["for-each-ref", "--format=%(objectname)", CURRENT], &[]).await?;
        if String::from_utf8_lossy(&named).trim() == commit {
            return Ok(());
        }
        self.git(&["update-ref", CURRENT, commit], &[]).await?;
        if !is_new && let Err(fault) = self.git(&["gc", "--quiet", "--prune=now"], &[]).await {
            // The next commit tries it again.
            tracing::warn!(code = fault.code(), cause = %fault, "a clone still holds files of commits before");
        }
        Ok(())
    }

    async fn git(&self, arguments: &[&str], settings: &[(String, String)]) -> Result<Vec<u8>, SourceFault> {
        let mut command = self.command(arguments, settings);
        let running = command.output();
        let timeout = || SourceFault::Timeout { place: self.spec.url.clone(), limit: self.deadline };
        let output = tokio::time::timeout(self.deadline, running).await.map_err(|_| timeout())?.map_err(no_program)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(self.explain(&String::from_utf8_lossy(&output.stderr)))
    }

    fn explain(&self, stderr: &str) -> SourceFault {
        let place = self.spec.url.clone();
        let lower = stderr.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let line = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("git failed").trim();
        let reason = mainspring_kernel::text::elide(&names::shown_bytes(line.as_bytes()), TROUBLE);
        if says(&["authentication failed", "could not read username", "terminal prompts disabled", "error: 403", "error: 401"]) {
            SourceFault::Unauthorized { place }
        } else if says(&["repository not found", "does not exist", "does not appear to be a git", "error: 404", "not found"]) {
            SourceFault::Missing { place }
        } else if says(&[
            "couldn't find remote ref",
            "not our ref",
            "not a tree object",
            "not a valid object name",
            "not a valid ref",
        ]) {
            SourceFault::Unusable { place, reason }
        } else if says(&["transport", "not allowed"]) {
            SourceFault::Denied { place, reason }
        } else {
            SourceFault::Unreachable { place, reason }
        }
    }

    fn command(&self, arguments: &[&str], settings: &[(String, String)]) -> Command {
        let mut command = Command::new("git");
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", &self.clone)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ALLOW_PROTOCOL", self.url.scheme())
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0");
        let fixed = [
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("core.symlinks", "false"),
            ("credential.helper", ""),
            ("http.followRedirects", "false"),
            ("http.proxy", ""),
            ("fetch.recurseSubmodules", "false"),
            ("gc.auto", "0"),
            ("protocol.ext.allow", "never"),
            ("safe.directory", "*"),
        ];
        // By the environment, so that a token never stands on a command line that others can read.
        let all = fixed.iter().map(|(key, value)| (*key, *value));
        let all = all.chain(settings.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let mut count = 0;
        for (key, value) in all {
            command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command.arg("--git-dir").arg(&self.clone).args(arguments);
        command.current_dir(&self.clone).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    pub(super) async fn fetch(&self, (sha, commit): (&str, &str), shown: &str, limit: u64) -> Result<Fetched, SourceFault> {
        let mut held = self.reader.lock().await;
        // Taken out, so that a reader abandoned half-way (a dropped future, a fault) is not used again.
        let mut reader = match held.take() {
            Some(reader) => reader,
            None => self.start_reader()?,
        };
        let reading = tokio::time::timeout(READ_DEADLINE, read_blob(&mut reader, sha, shown, limit));
        let timeout = |_| SourceFault::Timeout { place: shown.to_owned(), limit: READ_DEADLINE };
        let bytes = reading.await.map_err(timeout)??;
        *held = Some(reader);
        let origin = Origin { commit: Some(commit.to_owned()), ..Origin::default() };
        Ok(Fetched::Content(Content { bytes: bytes.into(), media_type: None, fingerprint: None, origin }))
    }

    fn start_reader(&self) -> Result<Reader, SourceFault> {
        let mut command = self.command(&["cat-file", "--batch"], &[]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(no_program)?;
        let (Some(ask), Some(answer)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(SourceFault::NoProgram { program: "git" });
        };
        Ok(Reader { _child: child, ask, answer: BufReader::new(answer) })
    }
}

async fn read_blob(reader: &mut Reader, sha: &str, shown: &str, limit: u64) -> Result<Vec<u8>, SourceFault> {
    let io = |fault: std::io::Error| SourceFault::of_io(shown, &fault);
    let odd = |reason: &str| SourceFault::Unusable { place: shown.to_owned(), reason: reason.to_owned() };
    reader.ask.write_all(format!("{sha}\n").as_bytes()).await.map_err(io)?;
    reader.ask.flush().await.map_err(io)?;
    let mut head = String::new();
    reader.answer.read_line(&mut head).await.map_err(io)?;
    let mut parts = head.split_whitespace();
    let size = match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some("blob"), Some(size)) => size.parse::<u64>().map_err(|_| odd("git answered oddly"))?,
        (Some(_), Some("missing"), _) => return Err(SourceFault::Moved { place: shown.to_owned() }),
        _ => return Err(odd("git answered oddly")),
    };
    if size > limit {
        return Err(SourceFault::TooLarge { place: shown.to_owned(), limit });
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| odd("it is too large"))? + 1];
    reader.answer.read_exact(&mut bytes).await.map_err(io)?;
    bytes.pop();
    Ok(bytes)
}

fn no_program(fault: std::io::Error) -> SourceFault {
    if fault.kind() == std::io::ErrorKind::NotFound {
        SourceFault::NoProgram { program: "git" }
    } else {
        SourceFault::of_io("git", &fault)
    }
}

/// `<mode> <type> <sha> <size>\t<path>`, as `ls-tree -l -z` writes it.
struct TreeEntry<'a> {
    mode: &'a [u8],
    sha: &'a str,
    size: Option<u64>,
    path: &'a [u8],
}

impl<'a> TreeEntry<'a> {
    fn parse(record: &'a [u8]) -> Option<Self> {
        let tab = record.iter().position(|byte| *byte == b'\t')?;
        let head = std::str::from_utf8(&record[..tab]).ok()?;
        let mut parts = head.split_ascii_whitespace();
        let (mode, _, sha) = (parts.next()?, parts.next()?, parts.next()?);
        let size = parts.next().and_then(|size| size.parse().ok());
        Some(Self { mode: mode.as_bytes(), sha, size, path: &record[tab + 1..] })
    }
}
