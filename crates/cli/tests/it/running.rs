//! A server process on a free port, killed when dropped.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_mainspring"))
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .env("MAINSPRING_DATA", data)
        .env_remove("MAINSPRING_URL")
        .env_remove("MAINSPRING_LISTEN")
        .env("MAINSPRING__MODELS__PULL", "false")
        .current_dir(data);
    command
}

/// Runs a command to its end and reads its JSON.
pub(crate) fn run(data: &Path, args: &[&str]) -> Value {
    let output: Output = command(data).args(args).arg("--json").output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Server {
    pub(crate) fn start(data: &Path, host: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = command(data)
            .args(["serve", "--listen", &format!("{host}:{port}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, url: format!("http://127.0.0.1:{port}") };
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the server did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
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
