//! A disk so small that it can be filled: memory, mounted where only this test sees it.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// Says to a test that it was started again in a mount namespace of its own.
const INSIDE: &str = "MAINSPRING_TEST_SMALL_DISK";

/// Goes with the process: the mount lies in its namespace.
#[derive(Debug)]
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// A disk of this many bytes. `None` when the test was run to its end elsewhere: mounting needs a
    /// namespace, so the first call starts this very test again inside one, and fails if it fails.
    ///
    /// # Panics
    /// Where neither root nor unprivileged namespaces are to be had, and where the test fails inside.
    #[must_use]
    pub fn mount(bytes: u64) -> Option<Self> {
        if std::env::var_os(INSIDE).is_some() {
            let dir = tempfile::tempdir().expect("the temporary directory can be written");
            let options = format!("size={bytes},mode=0777");
            let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).status();
            assert!(mounted.is_ok_and(|status| status.success()), "a file system in memory can be mounted");
            return Some(Self { dir });
        }
        let program = std::env::current_exe().expect("a test knows its program");
        let inside = Command::new("unshare")
            .args(namespaces())
            .arg(program)
            .args(std::env::args_os().skip(1))
            .env(INSIDE, "1")
            .status()
            .expect("`unshare` of util-linux is there");
        assert!(inside.success(), "the test failed on its small disk");
        None
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Leaves no byte free.
    ///
    /// # Panics
    /// When the disk cannot be written for another reason than being full.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).expect("the disk can be written");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives back what `fill` took.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("the disk was filled");
    }

    fn filler(&self) -> PathBuf {
        self.dir.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Busy until the processes on it have gone; the folder below it goes with the value.
        let _ = Command::new("umount").arg("--lazy").arg(self.dir.path()).stderr(Stdio::null()).status();
    }
}

/// What to leave: root leaves the mounts only, anybody else the users as well.
fn namespaces() -> &'static [&'static str] {
    static CHOICES: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let works = |choice: &&&[&str]| {
        let tried = Command::new("unshare").args(**choice).arg("true").stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let choice = CHOICES.iter().find(works);
    choice.expect("a small disk needs root, or namespaces for users (`sysctl kernel.unprivileged_userns_clone=1`)")
}
