//! A real PostgreSQL server in a temporary directory, for as long as the value lives.

mod programs;

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use programs::Programs;
use tempfile::TempDir;

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(20);
const PORT_ATTEMPTS: u32 = 4;

/// Why there is no server. Tests unwrap this: they fail with what to install, and never skip.
#[derive(Debug, thiserror::Error)]
pub enum PostgresFault {
    #[error("no PostgreSQL server in /usr/lib/postgresql/*/bin or on PATH: run `apt-get install postgresql`")]
    NotInstalled,
    #[error("PostgreSQL refuses to run as root, and there is no `postgres` or `nobody` user to run it as")]
    NoUser,
    #[error("`{program}` failed: {output}")]
    Failed { program: String, output: String },
    #[error("PostgreSQL did not answer in time: {log}")]
    Silent { log: String },
    #[error("could not start PostgreSQL")]
    Io(#[from] std::io::Error),
}

/// A running server. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct Postgres {
    programs: Programs,
    directory: TempDir,
    port: u16,
    keeper: Option<Keeper>,
    databases: AtomicU32,
}

impl Postgres {
    /// Makes a cluster and starts it: one or two seconds.
    pub fn start() -> Result<Self, PostgresFault> {
        let programs = Programs::find()?;
        let directory = tempfile::Builder::new().prefix("mainspring-postgres-").tempdir()?;
        programs.give(directory.path())?;
        let mut server = Self { programs, directory, port: 0, keeper: None, databases: AtomicU32::new(0) };
        server.programs.run("initdb", |command| {
            command.arg("--pgdata").arg(server.data());
            command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        })?;
        // A port that was free a moment ago may be taken by now.
        for attempt in 1.. {
            server.port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            match server.resume() {
                Err(_) if attempt < PORT_ATTEMPTS => server.stop(),
                Err(fault) => return Err(fault),
                Ok(()) => break,
            }
        }
        Ok(server)
    }

    /// The address of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and answers its address.
    pub fn new_database(&self) -> Result<String, PostgresFault> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(&name))
    }

    /// Makes an empty schema and answers an address that sees only it: the quickest way to a place
    /// of one's own.
    pub fn new_schema(&self) -> Result<String, PostgresFault> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE SCHEMA {name}"))?;
        Ok(format!("{}?options[search_path]={name}", self.url("postgres")))
    }

    /// Runs statements through `psql` and answers its unaligned output.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String, PostgresFault> {
        self.programs.run("psql", |command| {
            command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
            command.args(["--dbname", &self.url(database), "--command", statements]);
        })
    }

    /// Takes the server away at once, as a crash would.
    pub fn stop(&mut self) {
        let Some(keeper) = self.keeper.take() else {
            return;
        };
        let _ = self.programs.run("pg_ctl", |command| {
            command.args(["stop", "--mode=immediate", "--no-wait", "--pgdata"]).arg(self.data());
        });
        drop(keeper.stop);
        let _ = keeper.thread.join();
    }

    /// Starts the server again on the same files and the same port.
    pub fn resume(&mut self) -> Result<(), PostgresFault> {
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        command.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        // Nobody mourns these files: without fsync a commit costs what it costs in memory.
        for setting in ["fsync=off", "full_page_writes=off", "max_connections=200"] {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(self.log())?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.keeper = Some(Keeper::start(command)?);
        self.wait_until_ready()
    }

    fn wait_until_ready(&self) -> Result<(), PostgresFault> {
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline && self.keeper.as_ref().is_some_and(|keeper| !keeper.thread.is_finished()) {
            // `pg_isready` counts a refusal such as "too many clients" as an answer; a statement does not.
            if self.sql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Err(PostgresFault::Silent { log: fs::read_to_string(self.log()).unwrap_or_default() })
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Owns the server process on a thread of its own: where `setpriv` is there, the server dies with
/// the thread that started it, so that a killed test leaves nothing behind.
#[derive(Debug)]
struct Keeper {
    stop: mpsc::SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    fn start(mut command: Command) -> Result<Self, PostgresFault> {
        let (stop, stopped) = mpsc::sync_channel(1);
        let (report, started) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("postgres-keeper".to_owned()).spawn(move || match command.spawn() {
            Ok(child) => {
                let _ = report.send(Ok(()));
                keep(child, &stopped);
            }
            Err(source) => drop(report.send(Err(source))),
        })?;
        started.recv().unwrap_or_else(|_| Err(std::io::Error::other("the keeper thread died")))?;
        Ok(Self { stop, thread })
    }
}

/// Waits until the server ends or its owner goes away; in the second case it had its chance to end.
fn keep(mut child: Child, stopped: &mpsc::Receiver<()>) {
    let pause = Duration::from_millis(20);
    while matches!(stopped.recv_timeout(pause), Err(mpsc::RecvTimeoutError::Timeout)) {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
    }
    let deadline = Instant::now() + STOP_DEADLINE;
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(pause);
    }
    let _ = child.kill();
    let _ = child.wait();
}
