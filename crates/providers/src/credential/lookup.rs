//! Keys are looked up when they are used.

use std::{
    collections::HashMap,
    ffi::OsString,
    fmt,
    fs::{self, File},
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;
use mainspring_kernel::{Fault, Name, id::ProjectId};
use secrecy::{ExposeSecret as _, SecretString};

use super::{CredentialFault, CredentialRef};

/// Keys are short; a file beyond this is not one.
const LIMIT: u64 = 64 * 1024;

/// A store of secrets by project. Its faults must not repeat what it holds.
#[async_trait]
pub trait SecretSource: Send + Sync + fmt::Debug {
    /// `None` where the project has no secret of that name.
    async fn get(&self, project: ProjectId, name: &Name) -> Result<Option<SecretString>, Box<dyn Fault>>;
}

/// How variables are looked up.
type Environment = fn(&str) -> Option<OsString>;

/// What of the server's own specs may refer to. Whoever may write a spec may send what it refers to wherever they like.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Names of variables; one may end in `*`. Absent: any but this server's own, which begin with `MAINSPRING`.
    pub variables: Option<Vec<String>>,
    /// Folders that files with keys lie in. Absent: anywhere.
    pub folders: Option<Vec<PathBuf>>,
}

impl Allowed {
    fn allows(&self, reference: &CredentialRef) -> bool {
        match reference {
            CredentialRef::Env(name) => match &self.variables {
                Some(names) => names.iter().any(|allowed| match allowed.strip_suffix('*') {
                    Some(start) => name.starts_with(start),
                    None => name == allowed,
                }),
                None => !name.starts_with("MAINSPRING"),
            },
            CredentialRef::File(path) => match &self.folders {
                // A link inside a folder may lead out of it on purpose; dots in the reference itself may not.
                Some(folders) => {
                    folders.iter().any(|folder| path.starts_with(folder))
                        && !path.components().any(|part| matches!(part, Component::ParentDir))
                }
                None => true,
            },
            CredentialRef::Secret(_) => true,
        }
    }
}

/// Looks keys up when they are used, so that a changed one needs no restart. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    allowed: Arc<Allowed>,
    environment: Environment,
    store: Option<Arc<dyn SecretSource>>,
    files: Arc<Mutex<HashMap<PathBuf, Kept>>>,
}

/// A file's key, and what the file looked like when it was read.
struct Kept {
    stamp: Stamp,
    key: SecretString,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
}

impl Default for Credentials {
    fn default() -> Self {
        Self { allowed: Arc::default(), environment: |name| std::env::var_os(name), store: None, files: Arc::default() }
    }
}

impl Credentials {
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn SecretSource>) -> Self {
        self.store = Some(store);
        self
    }

    #[must_use]
    pub fn with_allowed(mut self, allowed: Allowed) -> Self {
        self.allowed = Arc::new(allowed);
        self
    }

    /// With another environment than the process's.
    #[must_use]
    pub fn with_environment(mut self, environment: fn(&str) -> Option<OsString>) -> Self {
        self.environment = environment;
        self
    }

    /// The key itself. A project sees its own secrets only; variables and files are the server's.
    pub async fn resolve(&self, project: ProjectId, reference: &CredentialRef) -> Result<SecretString, CredentialFault> {
        if !self.allowed.allows(reference) {
            return Err(CredentialFault::NotAllowed { reference: reference.clone() });
        }
        match reference {
            CredentialRef::Env(name) => {
                let Some(value) = (self.environment)(name) else {
                    return Err(CredentialFault::NoVariable { name: name.clone() });
                };
                key_of(value.into_encoded_bytes(), reference)
            }
            CredentialRef::File(path) => self.file(path, reference),
            CredentialRef::Secret(name) => self.secret(project, name, reference).await,
        }
    }

    /// Files with keys are small and local, so they are looked at without leaving the thread.
    fn file(&self, path: &Path, reference: &CredentialRef) -> Result<SecretString, CredentialFault> {
        let unreadable =
            |reason: io::Error| CredentialFault::Unreadable { reference: reference.clone(), reason: reason.to_string() };
        let found = fs::metadata(path).map_err(unreadable)?;
        if !found.is_file() {
            // A pipe or a device could be read for ever.
            return Err(CredentialFault::Unreadable { reference: reference.clone(), reason: "it is not a file".into() });
        }
        let stamp = Stamp { modified: found.modified().map_err(unreadable)?, length: found.len() };
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = files.get(path)
            && kept.stamp == stamp
        {
            return Ok(kept.key.clone());
        }
        files.remove(path);
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
        if bytes.len() as u64 > LIMIT {
            return Err(CredentialFault::TooLarge { reference: reference.clone(), limit: LIMIT });
        }
        let key = key_of(bytes, reference)?;
        files.insert(path.to_owned(), Kept { stamp, key: key.clone() });
        Ok(key)
    }

    async fn secret(&self, project: ProjectId, name: &Name, reference: &CredentialRef) -> Result<SecretString, CredentialFault> {
        let Some(store) = &self.store else {
            return Err(CredentialFault::NoStore { name: name.clone() });
        };
        match store.get(project, name).await {
            Ok(Some(key)) => check(key, reference),
            Ok(None) => Err(CredentialFault::NoSecret { name: name.clone() }),
            Err(fault) => Err(CredentialFault::Store { name: name.clone(), reason: fault.to_string() }),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("allowed", &self.allowed).field("store", &self.store).finish_non_exhaustive()
    }
}

/// Editors and `echo` leave a line break at the end.
fn key_of(mut bytes: Vec<u8>, reference: &CredentialRef) -> Result<SecretString, CredentialFault> {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    bytes.truncate(end);
    match String::from_utf8(bytes) {
        Ok(text) => check(text.into(), reference),
        Err(_) => Err(CredentialFault::NotText { reference: reference.clone() }),
    }
}

/// Keys travel in headers, which take nothing but visible characters.
fn check(key: SecretString, reference: &CredentialRef) -> Result<SecretString, CredentialFault> {
    let text = key.expose_secret();
    if text.trim().is_empty() {
        Err(CredentialFault::Empty { reference: reference.clone() })
    } else if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(key)
    } else {
        Err(CredentialFault::NotText { reference: reference.clone() })
    }
}
