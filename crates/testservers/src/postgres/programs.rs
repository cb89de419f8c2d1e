//! The server's programs, and whom to run them as.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::PostgresFault;

#[derive(Debug)]
pub(super) struct Programs {
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
    pub(super) fn find() -> Result<Self, PostgresFault> {
        let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
            .unwrap_or_default();
        folders.sort();
        folders.reverse();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend(on_path.iter().cloned());
        let folder = folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
        let setpriv = on_path.iter().map(|folder| folder.join("setpriv")).find(|program| program.is_file());
        Ok(Self { folder: folder.ok_or(PostgresFault::NotInstalled)?, setpriv, user: User::to_become()? })
    }

    /// A program of the server's, run as a user the server accepts and bound to our life.
    pub(super) fn command(&self, program: &str) -> Command {
        let program = self.folder.join(program);
        let mut command = match &self.setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                if let Some(User { uid, gid }) = self.user {
                    command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string(), "--clear-groups"]);
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
        command.current_dir("/").env_remove("PGDATA").env("LC_ALL", "C");
        command
    }

    pub(super) fn run(&self, program: &str, arguments: impl FnOnce(&mut Command)) -> Result<String, PostgresFault> {
        let mut command = self.command(program);
        arguments(&mut command);
        let output = command.stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(PostgresFault::Failed { program: program.to_owned(), output })
    }

    pub(super) fn give(&self, folder: &Path) -> Result<(), PostgresFault> {
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
        find("postgres").or_else(|| find("nobody")).map(Some).ok_or(PostgresFault::NoUser)
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
