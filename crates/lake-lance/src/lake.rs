//! Tables by name.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use lance::{
    Dataset, Error,
    dataset::{WriteMode, WriteParams, builder::DatasetBuilder},
    deps::arrow_array::RecordBatchIterator,
    session::Session,
};
use mainspring_kernel::{Clock, Name, SystemClock, Tasks};
use mainspring_lake::{Answer, IndexKind, IndexSpec, Lake, LakeFault, Repair, SqlAnswer, SqlQuery, Table, TableSpec};
use object_store::ObjectStoreExt as _;

use crate::{
    columns, echoes, fault, indexes,
    location::LakeLocation,
    marks::Marks,
    packing, repair, schema, sql,
    sql_threads::SqlThreads,
    stores::Stores,
    table::{Core, LanceTable},
    versions,
};

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The machine losing power: files and directories are synced. Has no meaning on S3, which does so itself.
    #[default]
    Disk,
    /// The death of the process only.
    Process,
}

/// How a lake is opened.
#[derive(Debug, Clone)]
pub struct LanceConfig {
    pub location: LakeLocation,
    pub durability: Durability,
    /// What tables take whose rows are searched by words or by what they mean.
    pub searched: Footprint,
    /// What tables take that have no such index: rows come all the time, and who asks for some finds them in a few places.
    pub logged: Footprint,
    /// How old the newest known version may be before a read looks for a newer one. `None`: never,
    /// because nobody else writes. This process's own commits are always seen at once.
    pub look_for_newer_after: Option<Duration>,
    /// Below this many rows an exact search is quick, and an index would have little to learn from.
    pub vector_index_from: u64,
    pub tasks: Tasks,
    pub clock: Arc<dyn Clock>,
    #[cfg(test)]
    pub(crate) wrap: Option<Wrap>,
}

/// What tables may take of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// What the caches of indexes and of file metadata may hold, over all such tables.
    pub index_cache_bytes: usize,
    pub metadata_cache_bytes: usize,
    /// What a fragment should weigh on disk. Upkeep rewrites a fragment whole, in several times this much memory.
    pub fragment_bytes: u64,
    /// Where fragments grow in two steps: what is written anew weighs this, and of that larger fragments are joined page by page,
    /// in next to no memory. Many small pages take longer to read than few large ones, so the first step cannot be left out.
    pub step_bytes: Option<u64>,
}

impl Footprint {
    /// Every commit leaves a manifest in the cache, and nobody comes back for it.
    const ADDED: Self =
        Self { index_cache_bytes: 16 << 20, metadata_cache_bytes: 4 << 20, fragment_bytes: 16 << 20, step_bytes: Some(5 << 19) };
    const LOGGED: Self =
        Self { index_cache_bytes: 32 << 20, metadata_cache_bytes: 16 << 20, fragment_bytes: 64 << 20, step_bytes: Some(5 << 19) };
    const SEARCHED: Self =
        Self { index_cache_bytes: 768 << 20, metadata_cache_bytes: 128 << 20, fragment_bytes: 256 << 20, step_bytes: None };
}

/// Puts something between Lance and the disk, so that a test can make the disk fail.
#[cfg(test)]
#[derive(Clone)]
#[expect(clippy::type_complexity, reason = "it is a function from store to store")]
pub(crate) struct Wrap(
    pub(crate) Arc<dyn Fn(Arc<dyn object_store::ObjectStore>) -> Arc<dyn object_store::ObjectStore> + Send + Sync>,
);

#[cfg(test)]
impl fmt::Debug for Wrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrap")
    }
}

impl LanceConfig {
    #[must_use]
    pub fn new(location: LakeLocation) -> Self {
        // A directory has one owner, a bucket may have several.
        let shared = matches!(location, LakeLocation::S3 { .. });
        Self {
            location,
            durability: Durability::Disk,
            searched: Footprint::SEARCHED,
            logged: Footprint::LOGGED,
            look_for_newer_after: shared.then_some(Duration::from_secs(1)),
            vector_index_from: 10_000,
            tasks: Tasks::default(),
            clock: Arc::new(SystemClock),
            #[cfg(test)]
            wrap: None,
        }
    }

    /// For a process that adds rows and hardly ever reads them.
    #[must_use]
    pub fn for_adding(self) -> Self {
        Self { searched: Footprint::ADDED, logged: Footprint::ADDED, ..self }
    }
}

/// How the rows of a table are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Searched,
    Logged,
}

impl Use {
    /// Who opens a table without saying what it has means to search it.
    pub(crate) fn of(indexes: &[IndexSpec]) -> Self {
        let searched = |index: &IndexSpec| matches!(index.kind, IndexKind::Vector | IndexKind::Text);
        if indexes.is_empty() || indexes.iter().any(searched) { Self::Searched } else { Self::Logged }
    }
}

/// A directory or bucket prefix of Lance tables.
pub struct LanceLake {
    shared: Arc<Shared>,
    sessions: Mutex<Sessions>,
    tables: Mutex<HashMap<Name, Arc<Core>>>,
    /// Opening and dropping take turns, so that a table is never made twice or opened half-gone.
    opening: tokio::sync::Mutex<()>,
}

/// Caches shared by tables that are used alike: where a few places of many rows are read, nothing should displace what
/// every search reads, nor take as much.
struct Sessions {
    searched: Arc<Session>,
    logged: Arc<Session>,
}

impl Sessions {
    fn of(stores: &Stores, config: &LanceConfig) -> Self {
        Self { searched: stores.session(config.searched), logged: stores.session(config.logged) }
    }
}

/// What every table of a lake uses.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: LanceConfig,
    pub(crate) stores: Stores,
    pub(crate) sql_threads: SqlThreads,
}

impl fmt::Debug for LanceLake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanceLake").field("location", &self.shared.stores.label).finish_non_exhaustive()
    }
}

const TABLE_SUFFIX: &str = ".lance";
const PING_WITHIN: Duration = Duration::from_secs(5);

pub(crate) fn directory_of(table: &Name) -> String {
    format!("{table}{TABLE_SUFFIX}")
}

impl LanceLake {
    pub async fn open(config: LanceConfig) -> Result<Self, LakeFault> {
        let stores = Stores::open(&config).await?;
        let sessions = Mutex::new(Sessions::of(&stores, &config));
        Ok(Self {
            shared: Arc::new(Shared { config, stores, sql_threads: SqlThreads::default() }),
            sessions,
            tables: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        })
    }

    /// Where this lake is, as a person would write it.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.shared.stores.label
    }

    #[cfg(test)]
    pub(crate) fn stores(&self) -> &Stores {
        &self.shared.stores
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn session(&self, usage: Use) -> Arc<Session> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(match usage {
            Use::Searched => &sessions.searched,
            Use::Logged => &sessions.logged,
        })
    }

    /// Forgets what is cached: a name or a version number may now mean other data.
    fn renew_sessions(&self) {
        let fresh = Sessions::of(&self.shared.stores, &self.shared.config);
        *self.sessions.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    fn known(&self, table: &Name) -> Option<Arc<Core>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    fn remember(&self, core: &Arc<Core>) {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(core.name.clone(), core.clone());
    }

    async fn load(&self, table: &Name, usage: Use) -> Result<Option<Dataset>, LakeFault> {
        let uri = self.shared.stores.table_uri(&directory_of(table));
        match DatasetBuilder::from_uri(uri).with_session(self.session(usage)).load().boxed().await {
            Ok(dataset) if versions::is_whole(&dataset) => Ok(Some(dataset)),
            Ok(_) => Err(versions::torn(table.as_str())),
            Err(Error::DatasetNotFound { .. } | Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.fault(table, &error)),
        }
    }

    /// Makes the table; when another process was quicker, opens theirs.
    async fn make(&self, table: &Name, spec: &TableSpec) -> Result<Dataset, LakeFault> {
        let uri = self.shared.stores.table_uri(&directory_of(table));
        let params = WriteParams {
            mode: WriteMode::Create,
            session: Some(self.session(Use::of(&spec.indexes))),
            ..WriteParams::default()
        };
        let nothing = RecordBatchIterator::new(std::iter::empty(), Marks::of(spec).on(&spec.schema));
        match Dataset::write(nothing, &uri, Some(params)).boxed().await {
            Ok(dataset) => Ok(dataset),
            Err(Error::DatasetAlreadyExists { .. } | Error::CommitConflict { .. }) => {
                self.load(table, Use::of(&spec.indexes)).await?.ok_or_else(|| LakeFault::Contended { table: table.to_string() })
            }
            Err(error) => Err(self.fault(table, &error)),
        }
    }

    /// The table as the spec says, made where it does not exist.
    async fn opened(&self, table: &Name, spec: &TableSpec) -> Result<Arc<Core>, LakeFault> {
        let _turn = self.opening.lock().await;
        let core = match self.known(table) {
            Some(core) => core,
            None => {
                let dataset = match self.load(table, Use::of(&spec.indexes)).await? {
                    Some(dataset) => dataset,
                    None => self.make(table, spec).await?,
                };
                Core::new(self.shared.clone(), table.clone(), dataset)
            }
        };
        columns::add_lacking(&core, &spec.schema).await?;
        indexes::check_echoes(&core, spec).await?;
        Marks::of(spec).add_lacking(&core).await?;
        core.set_wishes(spec);
        indexes::make_text_indexes(&core).await?;
        self.remember(&core);
        Ok(core)
    }

    pub(crate) async fn found(&self, table: &Name) -> Result<Arc<Core>, LakeFault> {
        let _turn = self.opening.lock().await;
        if let Some(core) = self.known(table) {
            return Ok(core);
        }
        let dataset = self.load(table, Use::Searched).await?.ok_or_else(|| LakeFault::NoTable { table: table.to_string() })?;
        let core = Core::new(self.shared.clone(), table.clone(), dataset);
        self.remember(&core);
        Ok(core)
    }

    async fn listed(&self) -> Result<Vec<Name>, LakeFault> {
        let stores = &self.shared.stores;
        let found = stores
            .store
            .inner
            .list_with_delimiter(Some(&stores.root))
            .await
            .map_err(|error| fault::of_store(&stores.label, &error))?;
        let mut names = Vec::new();
        for directory in found.common_prefixes {
            let name = directory.filename().and_then(|name| name.strip_suffix(TABLE_SUFFIX)).and_then(|name| name.parse().ok());
            let Some(name) = name else { continue };
            if repair::has_versions(stores, &directory).await? {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn fault(&self, table: &Name, error: &Error) -> LakeFault {
        fault::of_table(table.as_str(), &self.shared.place(), error)
    }
}

impl Shared {
    pub(crate) fn place(&self) -> fault::Place<'_> {
        fault::Place { label: &self.stores.label, on_s3: !self.stores.is_local() }
    }
}

impl Lake for LanceLake {
    fn open<'a>(&'a self, table: &'a Name, spec: &'a TableSpec) -> Answer<'a, Arc<dyn Table>> {
        Box::pin(async move {
            schema::check_indexes(&spec.schema, &spec.indexes, table.as_str())?;
            packing::check(&spec.schema, &spec.packed, table.as_str())?;
            echoes::check(spec, table.as_str())?;
            let core = self.shared.in_time(Box::pin(self.opened(table, spec))).await?;
            let opened_with = schema::asked(&core.schema(), &spec.schema);
            Ok(Arc::new(LanceTable::live(core, opened_with)) as Arc<dyn Table>)
        })
    }

    fn open_existing<'a>(&'a self, table: &'a Name) -> Answer<'a, Arc<dyn Table>> {
        Box::pin(async move {
            let core = self.shared.in_time(Box::pin(self.found(table))).await?;
            let opened_with = core.schema();
            Ok(Arc::new(LanceTable::live(core, opened_with)) as Arc<dyn Table>)
        })
    }

    fn list(&self) -> Answer<'_, Vec<Name>> {
        Box::pin(async move { self.shared.in_time(Box::pin(self.listed())).await })
    }

    fn drop_table<'a>(&'a self, table: &'a Name) -> Answer<'a, ()> {
        Box::pin(async move {
            let _turn = self.opening.lock().await;
            let known = self.tables.lock().unwrap_or_else(PoisonError::into_inner).remove(table);
            if let Some(core) = known {
                core.mark_dropped();
            }
            let removed = repair::remove_table(&self.shared.stores, &directory_of(table)).await;
            self.renew_sessions();
            removed
        })
    }

    fn repair(&self) -> Answer<'_, Vec<Repair>> {
        Box::pin(async move {
            let _turn = self.opening.lock().await;
            let repaired = repair::repair_all(&self.shared).await;
            self.tables.lock().unwrap_or_else(PoisonError::into_inner).clear();
            self.renew_sessions();
            repaired
        })
    }

    fn sql(&self, query: SqlQuery) -> Answer<'_, SqlAnswer> {
        Box::pin(async move { self.shared.in_time(Box::pin(sql::answer(self, query))).await })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let stores = &self.shared.stores;
            let probe = stores.root.clone().join("ping");
            let answer = tokio::time::timeout(PING_WITHIN, stores.store.inner.head(&probe)).await;
            let away = |reason: String| LakeFault::Unavailable { location: stores.label.clone(), reason };
            match answer {
                Ok(Ok(_) | Err(object_store::Error::NotFound { .. })) => {
                    // A head of a missing file says nothing about the directory it would be in.
                    match stores.location.local_dir() {
                        Some(dir) => std::fs::metadata(dir).map(|_| ()).map_err(|error| away(error.to_string())),
                        None => Ok(()),
                    }
                }
                Ok(Err(error)) => Err(fault::of_store(&stores.label, &error)),
                Err(_) => Err(away(format!("no answer within {} s", PING_WITHIN.as_secs()))),
            }
        })
    }
}
