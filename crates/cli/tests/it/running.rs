//! A server process on a free port, killed when dropped.

use std::{
    io::Write as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::StreamExt as _;
use mainspring_client::{Client, HttpTransport, Transport as _};
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(90);

pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// What the process said, on both of its outputs.
    log: tempfile::NamedTempFile,
}

pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_mainspring"))
}

pub(crate) fn command(data: &Path) -> Command {
    command_of(&binary(), data)
}

fn command_of(program: &Path, data: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("MAINSPRING_DATA", data)
        .env_remove("MAINSPRING_URL")
        .env_remove("MAINSPRING_LISTEN")
        .env("MAINSPRING__MODELS__PULL", "false")
        .current_dir(data);
    command
}

fn json_of(data: &Path, args: &[&str]) -> (Output, Value) {
    let output: Output = command(data).args(args).arg("--json").output().unwrap();
    let said = || format!("{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said()));
    (output, value)
}

/// Runs a command to its end and reads its JSON.
pub(crate) fn run(data: &Path, args: &[&str]) -> Value {
    let (output, value) = json_of(data, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    value
}

/// Runs a command that must fail, and reads how.
pub(crate) fn refused(data: &Path, args: &[&str]) -> Value {
    let (output, value) = json_of(data, args);
    assert!(!output.status.success(), "{args:?}: {value}");
    value
}

/// Waits for something that will be so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let end = Instant::now() + WITHIN;
    while !is_so().await {
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Server {
    pub(crate) fn start(data: &Path, host: &str) -> Self {
        Self::spawn(data, &["serve"], &[], host)
    }

    /// A command that serves, with settings of its own.
    pub(crate) fn start_with(data: &Path, args: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::spawn(data, args, settings, "127.0.0.1")
    }

    pub(crate) fn spawn(data: &Path, args: &[&str], settings: &[(&str, &str)], host: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::spawn_on(data, args, settings, (host, port))
    }

    /// Again where one was before.
    pub(crate) fn start_at(data: &Path, url: &str) -> Self {
        Self::start_at_with(data, url, &[])
    }

    pub(crate) fn start_at_with(data: &Path, url: &str, settings: &[(&str, &str)]) -> Self {
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        Self::spawn_on(data, &["serve"], settings, ("127.0.0.1", port))
    }

    fn spawn_on(data: &Path, args: &[&str], settings: &[(&str, &str)], at: (&str, u16)) -> Self {
        Self::run(command(data), args, settings, at)
    }

    /// The same program from another place.
    pub(crate) fn start_from(program: &Path, data: &Path, args: &[&str], settings: &[(&str, &str)]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::run(command_of(program, data), args, settings, ("127.0.0.1", port))
    }

    fn run(mut command: Command, args: &[&str], settings: &[(&str, &str)], (host, port): (&str, u16)) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        // Both append, or one would write over the other.
        let output = || Stdio::from(std::fs::OpenOptions::new().append(true).open(log.path()).unwrap());
        let child = command
            .envs(settings.iter().copied())
            .args(args)
            .args(["--listen", &format!("{host}:{port}")])
            .stdout(output())
            .stderr(output())
            .spawn()
            .unwrap();
        let mut server = Self { child, url: format!("http://127.0.0.1:{port}"), log };
        let end = Instant::now() + WITHIN;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "the server did not start ({ended:?}): {}", server.said());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log.path()).unwrap()).into_owned()
    }

    /// The most memory it ever had resident, in bytes.
    pub(crate) fn most_resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        kib.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(Arc::new(HttpTransport::new(&self.url, None).unwrap()))
    }

    /// How a path is answered that needs no key.
    pub(crate) async fn status(&self, path: &str) -> u16 {
        let transport = HttpTransport::new(&self.url, None).unwrap();
        transport.send(http::Request::get(path).body(Bytes::new()).unwrap()).await.unwrap().status().as_u16()
    }

    /// Asks it to stop, as an operator does, and waits until it has.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let end = Instant::now() + WITHIN;
        loop {
            if let Some(ended) = self.child.try_wait().unwrap() {
                return ended;
            }
            assert!(Instant::now() < end, "the server did not stop: {}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As a power cut ends it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Someone who asks, with a key or without, and reads every byte of the answer.
pub(crate) struct User(HttpTransport);

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl User {
    pub(crate) fn of(server: &Server, key: Option<&str>) -> Self {
        Self(HttpTransport::new(&server.url, key.map(str::to_owned)).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(http::Request::get(path).body(Bytes::new()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = http::Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
        self.send(request.body(Bytes::from(body.to_string())).unwrap()).await
    }

    /// Hears a stream of events until there is no more of it.
    pub(crate) async fn follow(self, path: &'static str, heard: Arc<Mutex<Vec<u8>>>) {
        let request = http::Request::get(path).body(Bytes::new()).unwrap();
        let mut body = self.0.send(request).await.unwrap().into_body();
        while let Some(Ok(part)) = body.next().await {
            heard.lock().unwrap().extend_from_slice(&part);
        }
    }

    pub(crate) async fn send(&self, request: http::Request<Bytes>) -> Reply {
        let (parts, mut body) = self.0.send(request).await.unwrap().into_parts();
        let mut text = Vec::new();
        while let Some(part) = body.next().await {
            text.extend_from_slice(&part.unwrap());
        }
        Reply { status: parts.status.as_u16(), text: String::from_utf8_lossy(&text).into_owned() }
    }
}

/// Where a word is in a long answer.
pub(crate) fn around(text: &str, word: &str) -> String {
    let (before, after) = text.split_once(word).unwrap_or_default();
    let before: Vec<char> = before.chars().rev().take(240).collect();
    format!("…{}>>{word}<<{}…", before.into_iter().rev().collect::<String>(), after.chars().take(60).collect::<String>())
}

/// A connection on which a request was sent, and nothing read: for whoever reads in a way no client does.
pub(crate) fn posted(url: &str, path: &str, body: &Value) -> TcpStream {
    let (host, body) = (url.trim_start_matches("http://"), body.to_string());
    let mut client = TcpStream::connect(host).unwrap();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(body.as_bytes()).unwrap();
    client
}

/// Makes the specs so, as one apply.
pub(crate) fn apply_all(data: &Path, manifests: &[Value]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    for (at, manifest) in manifests.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{at}.json")), manifest.to_string()).unwrap();
    }
    run(data, &["apply", folder.path().to_str().unwrap()])
}
