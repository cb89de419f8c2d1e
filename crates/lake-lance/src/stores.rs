//! The object stores under Lance. Two are ours: the local disk with syncing, and S3.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use lance::session::Session;
use lance_io::object_store::{
    ObjectStore, ObjectStoreParams, ObjectStoreProvider, ObjectStoreRegistry, providers::local::FileStoreProvider,
};
use mainspring_lake::LakeFault;
use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use secrecy::ExposeSecret;
use url::Url;

use crate::{
    disk::Disk,
    fault,
    lake::{Durability, Footprint, LanceConfig},
    location::LakeLocation,
};

/// Lance maps this scheme to a commit handler that puts a manifest only where none is; any scheme
/// we invented would silently get one that overwrites. It also keeps Lance from its own local
/// writer, which never syncs.
const DISK_SCHEME: &str = "file-object-store";
const LOCAL_BLOCK: usize = 4 * 1024;
const LOCAL_PARALLELISM: usize = 8;
const S3_BLOCK: usize = 64 * 1024;
const S3_PARALLELISM: usize = 64;
const DOWNLOAD_RETRIES: usize = 3;

/// A store that is away should be noticed in seconds: whoever asked can come back.
const S3_RETRIES: usize = 3;
const S3_RETRY_FOR: Duration = Duration::from_secs(5);
const S3_CONNECT_WITHIN: Duration = Duration::from_secs(2);
const S3_ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The root of a lake, and what is needed to open tables under it.
#[derive(Debug)]
pub(crate) struct Stores {
    pub(crate) registry: Arc<ObjectStoreRegistry>,
    pub(crate) store: Arc<ObjectStore>,
    pub(crate) root: Path,
    pub(crate) location: LakeLocation,
    pub(crate) label: String,
    base_uri: String,
}

impl Stores {
    pub(crate) async fn open(config: &LanceConfig) -> Result<Self, LakeFault> {
        let registry = Arc::new(ObjectStoreRegistry::default());
        let (location, base_uri) = match &config.location {
            LakeLocation::Local(dir) => {
                let dir = local_root(dir)?;
                registry.insert(DISK_SCHEME, Arc::new(DiskProvider::new(config)));
                let uri = local_uri(&dir, config.durability)?;
                (LakeLocation::Local(dir), uri)
            }
            s3 @ LakeLocation::S3 { bucket, prefix, .. } => {
                registry.insert("s3", Arc::new(S3Provider { client: Arc::new(s3_client(s3)?) }));
                (s3.clone(), format!("s3://{bucket}/{prefix}").trim_end_matches('/').to_owned())
            }
        };
        let label = location.label();
        let (store, root) = ObjectStore::from_uri_and_params(registry.clone(), &base_uri, &ObjectStoreParams::default())
            .await
            .map_err(|error| fault::of_lake(&label, &error))?;
        Ok(Self { registry, store, root, location, label, base_uri })
    }

    pub(crate) fn table_uri(&self, directory: &str) -> String {
        format!("{}/{directory}", self.base_uri)
    }

    pub(crate) fn is_local(&self) -> bool {
        self.location.local_dir().is_some()
    }

    /// Caches shared by the tables of a lake. Cached entries go by path and version, so a new
    /// session is taken whenever a path or a version number may come to name other data.
    pub(crate) fn session(&self, footprint: Footprint) -> Arc<Session> {
        Arc::new(Session::new(footprint.index_cache_bytes, footprint.metadata_cache_bytes, self.registry.clone()))
    }
}

fn local_root(dir: &std::path::Path) -> Result<PathBuf, LakeFault> {
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::canonicalize(dir))
        .map_err(|error| fault::of_io(&dir.display().to_string(), &error))
}

fn local_uri(dir: &std::path::Path, durability: Durability) -> Result<String, LakeFault> {
    let url = Url::from_directory_path(dir).map_err(|()| LakeFault::Unavailable {
        location: dir.display().to_string(),
        reason: "the path cannot be written as a URL".to_owned(),
    })?;
    let scheme = match durability {
        Durability::Disk => DISK_SCHEME,
        Durability::Process => "file",
    };
    Ok(format!("{scheme}://{}", url.path().trim_end_matches('/')))
}

/// The local file system, with every file and its directory synced before a write is acknowledged.
#[derive(Debug)]
struct DiskProvider {
    #[cfg(test)]
    wrap: Option<crate::lake::Wrap>,
}

impl DiskProvider {
    #[cfg_attr(not(test), expect(clippy::missing_const_for_fn, unused_variables, reason = "tests wrap the store"))]
    fn new(config: &LanceConfig) -> Self {
        Self {
            #[cfg(test)]
            wrap: config.wrap.clone(),
        }
    }

    fn disk(&self) -> Arc<dyn object_store::ObjectStore> {
        let disk: Arc<dyn object_store::ObjectStore> = Arc::new(Disk::new());
        #[cfg(test)]
        if let Some(wrap) = &self.wrap {
            return (wrap.0)(disk);
        }
        disk
    }
}

#[async_trait]
impl ObjectStoreProvider for DiskProvider {
    async fn new_store(&self, base: Url, params: &ObjectStoreParams) -> lance::Result<ObjectStore> {
        let block = params.block_size.unwrap_or(LOCAL_BLOCK);
        Ok(ObjectStore::new(
            self.disk(),
            base,
            Some(block),
            None,
            false,
            false,
            LOCAL_PARALLELISM,
            DOWNLOAD_RETRIES,
            params.storage_options(),
        ))
    }

    fn extract_path(&self, url: &Url) -> lance::Result<Path> {
        FileStoreProvider.extract_path(url)
    }

    fn calculate_object_store_prefix(
        &self,
        url: &Url,
        _options: Option<&std::collections::HashMap<String, String>>,
    ) -> lance::Result<String> {
        Ok(url.scheme().to_owned())
    }
}

/// S3 without Lance's own `aws` feature, which brings a second S3 client and the AWS SDK.
#[derive(Debug)]
struct S3Provider {
    client: Arc<AmazonS3>,
}

#[async_trait]
impl ObjectStoreProvider for S3Provider {
    async fn new_store(&self, base: Url, params: &ObjectStoreParams) -> lance::Result<ObjectStore> {
        let block = params.block_size.unwrap_or(S3_BLOCK);
        Ok(ObjectStore::new(
            self.client.clone(),
            base,
            Some(block),
            None,
            false,
            true,
            S3_PARALLELISM,
            DOWNLOAD_RETRIES,
            params.storage_options(),
        ))
    }
}

fn s3_client(location: &LakeLocation) -> Result<AmazonS3, LakeFault> {
    let LakeLocation::S3 { bucket, endpoint, region, access_key, secret_key, session_token, allow_http, .. } = location else {
        return Err(LakeFault::Unavailable { location: location.label(), reason: "it is not on S3".to_owned() });
    };
    // A process has one TLS provider; whoever came first has chosen it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_client_options(
            ClientOptions::new()
                .with_allow_http(*allow_http)
                .with_connect_timeout(S3_CONNECT_WITHIN)
                .with_timeout(S3_ANSWER_WITHIN),
        )
        .with_retry(RetryConfig {
            backoff: BackoffConfig { init_backoff: Duration::from_millis(50), max_backoff: Duration::from_secs(1), base: 2.0 },
            max_retries: S3_RETRIES,
            retry_timeout: S3_RETRY_FOR,
        });
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(key) = access_key {
        builder = builder.with_access_key_id(key);
    }
    if let Some(secret) = secret_key {
        builder = builder.with_secret_access_key(secret.expose_secret());
    }
    if let Some(token) = session_token {
        builder = builder.with_token(token.expose_secret());
    }
    builder.build().map_err(|error| LakeFault::Unavailable { location: location.label(), reason: error.to_string() })
}
