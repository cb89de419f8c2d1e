//! Where the secrets of new keys go. Each leaves this process as soon as its key is made: what fails later loses none.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use mainspring_wire as wire;

use crate::output::{line, say};

pub(super) enum Handed {
    /// A line for each: the name, a space, the secret.
    File(KeyFile),
    Printed,
    /// For one JSON value at the end.
    Gathered(Vec<(String, String)>),
}

/// A file of keys that nobody else may read; without any it is not left behind.
pub(super) struct KeyFile {
    path: PathBuf,
    file: File,
    used: bool,
}

impl Handed {
    /// What is asked for is made sure of before anything is changed.
    pub(super) fn to(file: Option<&Path>, as_json: bool, needed: bool) -> anyhow::Result<Self> {
        match file.filter(|_| needed) {
            Some(path) => Ok(Self::File(KeyFile::new(path)?)),
            None if as_json => Ok(Self::Gathered(Vec::new())),
            None => Ok(Self::Printed),
        }
    }

    pub(super) fn give(&mut self, created: &wire::CreatedKey) -> anyhow::Result<()> {
        let wire::CreatedKey { key, secret } = created;
        match self {
            Self::File(file) => file.write(&key.name, secret)?,
            Self::Printed => line(&format!("    {secret}")),
            Self::Gathered(gathered) => gathered.push((key.name.clone(), secret.clone())),
        }
        Ok(())
    }

    /// The secret of a key, for whoever reads the value at the end.
    pub(super) fn gathered(&self, name: &str) -> Option<&str> {
        match self {
            Self::Gathered(all) => all.iter().find(|(known, _)| known == name).map(|(_, secret)| secret.as_str()),
            Self::File(_) | Self::Printed => None,
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(&file.path),
            Self::Printed | Self::Gathered(_) => None,
        }
    }

    /// Something failed, so that there is no value at the end: what was gathered is told at once.
    pub(super) fn rescue(&self) {
        let Self::Gathered(gathered) = self else { return };
        if !gathered.is_empty() {
            say("these keys were made before it failed; they are shown once:");
        }
        gathered.iter().for_each(|(name, secret)| say(&format!("{name} {secret}")));
    }
}

impl KeyFile {
    fn new(path: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            bail!("{} is there already, and nothing was changed: name a file that is not", path.display());
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file, used: false })
    }

    fn write(&mut self, name: &str, secret: &str) -> anyhow::Result<()> {
        self.used = true;
        let written = writeln!(self.file, "{name} {secret}").and_then(|()| self.file.sync_data());
        if written.is_err() {
            say(&format!("{name} {secret}"));
        }
        written.with_context(|| format!("cannot write {}; the key above is shown once", self.path.display()))
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if !self.used {
            let _ = fs::remove_file(&self.path);
        }
    }
}
