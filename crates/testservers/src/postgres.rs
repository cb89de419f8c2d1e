//! A real PostgreSQL server in a temporary directory, for as long as the value lives.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(20);
const PORT_ATTEMPTS: u32 = 4;

/// Why there is no server. Tests unwrap this: they fail with what to install, and never skip.
#[derive(Debug, thiserror::Error)]
pub enum PostgresFault {
    #[error(
        "no PostgreSQL server in /usr/lib/postgresql/*/bin or on PATH: run `apt-get install postgresql`"
    )]
    NotInstalled,
    #[error(
        "PostgreSQL refuses to run as root, and there is no `postgres` or `nobody` user to run it as"
    )]
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
        let directory = tempfile::Builder::new()
            .prefix("mainspring-postgres-")
            .tempdir()?;
        programs.give(directory.path())?;
        let mut server = Self {
            programs,
            directory,
            port: 0,
            keeper: None,
            databases: AtomicU32::new(0),
        };
        server.programs.run("initdb", |command| {
            command.arg("--pgdata").arg(server.data());
            command.args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ]);
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

    /// Runs statements through `psql` and answers its unaligned output.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String, PostgresFault> {
        self.programs.run("psql", |command| {
            command.args([
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
            ]);
            command.args(["--dbname", &self.url(database), "--command", statements]);
        })
    }

    /// Takes the server away at once, as a crash would.
    pub fn stop(&mut self) {
        let Some(keeper) = self.keeper.take() else {
            return;
        };
        let _ = self.programs.run("pg_ctl", |command| {
            command
                .args(["stop", "--mode=immediate", "--no-wait", "--pgdata"])
                .arg(self.data());
        });
        drop(keeper.stop);
        let _ = keeper.thread.join();
    }

    /// Starts the server again on the same files and the same port.
    pub fn resume(&mut self) -> Result<(), PostgresFault> {
        let mut command = self.programs.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.directory.path());
        command.args([
            "-p",
            &self.port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
        ]);
        // Nobody mourns these files: without fsync a commit costs what it costs in memory.
        for setting in ["fsync=off", "full_page_writes=off", "max_connections=200"] {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(self.log())?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.keeper = Some(Keeper::start(command)?);
        self.wait_until_ready()
    }

    fn wait_until_ready(&self) -> Result<(), PostgresFault> {
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline
            && self
                .keeper
                .as_ref()
                .is_some_and(|keeper| !keeper.thread.is_finished())
        {
            // `pg_isready` counts a refusal such as "too many clients" as an answer; a statement does not.
            if self.sql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Err(PostgresFault::Silent {
            log: fs::read_to_string(self.log()).unwrap_or_default(),
        })
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
        let thread = std::thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || match command.spawn() {
                Ok(child) => {
                    let _ = report.send(Ok(()));
                    keep(child, &stopped);
                }
                Err(source) => drop(report.send(Err(source))),
            })?;
        started
            .recv()
            .unwrap_or_else(|_| Err(std::io::Error::other("the keeper thread died")))?;
        Ok(Self { stop, thread })
    }
}

/// Waits until the server ends or its owner goes away; in the second case it had its chance to end.
fn keep(mut child: Child, stopped: &mpsc::Receiver<()>) {
    let pause = Duration::from_millis(20);
    while matches!(
        stopped.recv_timeout(pause),
        Err(mpsc::RecvTimeoutError::Timeout)
    ) {
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

#[derive(Debug)]
struct Programs {
    folder: PathBuf,
    /// `setpriv`, which can tie a process to the thread that started it.
    setpriv: Option<PathBuf>,
    /// Whom to become when we are root.
    user: Option<User>,
}

#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Programs {
    fn find() -> Result<Self, PostgresFault> {
        let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .map(|versions| {
                versions
                    .flatten()
                    .map(|version| version.path().join("bin"))
                    .collect()
            })
            .unwrap_or_default();
        folders.sort();
        folders.reverse();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend(on_path.iter().cloned());
        let folder = folders
            .into_iter()
            .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
        let setpriv = on_path
            .iter()
            .map(|folder| folder.join("setpriv"))
            .find(|program| program.is_file());
        Ok(Self {
            folder: folder.ok_or(PostgresFault::NotInstalled)?,
            setpriv,
            user: User::to_become()?,
        })
    }

    /// A program of the server's, run as a user the server accepts and bound to our life.
    fn command(&self, program: &str) -> Command {
        let program = self.folder.join(program);
        let mut command = match &self.setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                if let Some(User { uid, gid }) = self.user {
                    command.args([
                        "--reuid",
                        &uid.to_string(),
                        "--regid",
                        &gid.to_string(),
                        "--clear-groups",
                    ]);
                }
                command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
                command
            }
            None => {
                let mut command = Command::new(program);
                #[cfg(unix)]
                if let Some(User { uid, gid }) = self.user {
                    use std::os::unix::process::CommandExt as _;
                    command.uid(uid).gid(gid);
                }
                command
            }
        };
        // The server's user may not enter the folder the tests run in.
        command
            .current_dir("/")
            .env_remove("PGDATA")
            .env("LC_ALL", "C");
        command
    }

    fn run(
        &self,
        program: &str,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<String, PostgresFault> {
        let mut command = self.command(program);
        arguments(&mut command);
        let output = command.stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(PostgresFault::Failed {
            program: program.to_owned(),
            output,
        })
    }

    fn give(&self, folder: &Path) -> Result<(), PostgresFault> {
        #[cfg(unix)]
        if let Some(User { uid, gid }) = self.user {
            std::os::unix::fs::chown(folder, Some(uid), Some(gid))?;
        }
        Ok(())
    }
}

impl User {
    fn to_become() -> Result<Option<Self>, PostgresFault> {
        if !we_are_root()? {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let find = |wanted: &str| users.lines().find_map(|line| Self::read(line, wanted));
        find("postgres")
            .or_else(|| find("nobody"))
            .map(Some)
            .ok_or(PostgresFault::NoUser)
    }

    /// `name:password:uid:gid:…`
    fn read(line: &str, wanted: &str) -> Option<Self> {
        let mut fields = line.split(':');
        if fields.next() != Some(wanted) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { uid, gid })
    }
}

/// The owner of a file we have just made is who we are.
fn we_are_root() -> Result<bool, PostgresFault> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let file = tempfile::NamedTempFile::new()?;
        Ok(file.as_file().metadata()?.uid() == 0)
    }
    #[cfg(not(unix))]
    Ok(false)
}
