use std::{path::Path as FilePath, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{TryStreamExt, stream::BoxStream};
use mainspring_kernel::Digest;
use object_store::{
    BackoffConfig, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder,
    local::LocalFileSystem, path::Path,
};
use secrecy::{ExposeSecret, SecretString};

use crate::fault::BlobFault;

/// A bucket, how to reach it, and where in it blobs go.
#[derive(Debug, Clone)]
pub struct S3Location {
    pub bucket: String,
    pub prefix: String,
    pub endpoint: Option<String>,
    pub region: String,
    pub access_key: Option<String>,
    pub secret_key: Option<SecretString>,
    pub session_token: Option<SecretString>,
    pub allow_http: bool,
}

/// Over a network, reading a larger blob to see whether it is whole costs more than it is worth:
/// there the store itself keeps checksums, and the size has to do.
const READ_BACK_MAX: u64 = 1 << 20;

/// A store that is away should be noticed in seconds: whoever asked can come back.
const S3_RETRIES: usize = 3;
const S3_RETRY_FOR: Duration = Duration::from_secs(5);
const S3_CONNECT_WITHIN: Duration = Duration::from_secs(2);
const S3_ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Blobs up to this size are read when they are stored again.
    read_back: u64,
}

impl Blobs {
    /// Under a folder, which is made where it is not there. Writes are synced before they are acknowledged.
    pub fn local(dir: &FilePath) -> Result<Self, BlobFault> {
        let open = |source| BlobFault::Open { place: dir.display().to_string(), source };
        std::fs::create_dir_all(dir)
            .map_err(|source| open(object_store::Error::Generic { store: "local", source: Box::new(source) }))?;
        let store = LocalFileSystem::new_with_prefix(dir).map_err(open)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), prefix: Path::default(), read_back: u64::MAX })
    }

    pub fn s3(location: &S3Location) -> Result<Self, BlobFault> {
        // A process has one TLS provider; whoever came first has chosen it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&location.bucket)
            .with_region(&location.region)
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(location.allow_http)
                    .with_connect_timeout(S3_CONNECT_WITHIN)
                    .with_timeout(S3_ANSWER_WITHIN),
            )
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(50),
                    max_backoff: Duration::from_secs(1),
                    base: 2.0,
                },
                max_retries: S3_RETRIES,
                retry_timeout: S3_RETRY_FOR,
            });
        if let Some(endpoint) = &location.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let (Some(key), Some(secret)) = (&location.access_key, &location.secret_key) {
            builder = builder.with_access_key_id(key).with_secret_access_key(secret.expose_secret());
        }
        if let Some(token) = &location.session_token {
            builder = builder.with_token(token.expose_secret());
        }
        let place = format!("s3://{}/{}", location.bucket, location.prefix);
        let store = builder.build().map_err(|source| BlobFault::Open { place: place.clone(), source })?;
        let prefix = Path::parse(&location.prefix)
            .map_err(|source| BlobFault::Open { place, source: object_store::Error::InvalidPath { source } })?;
        Ok(Self { store: Arc::new(store), prefix, read_back: READ_BACK_MAX })
    }

    /// Stores bytes and answers their name. Storing the same again is fine and cheap, and mends a
    /// blob that was damaged.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, BlobFault> {
        let digest = Digest::of(&bytes);
        if self.is_whole(&digest, bytes.len() as u64).await? {
            return Ok(digest);
        }
        self.store.put(&self.key(&digest), bytes.into()).await.map_err(|error| BlobFault::of(error, digest))?;
        Ok(digest)
    }

    async fn is_whole(&self, digest: &Digest, size: u64) -> Result<bool, BlobFault> {
        match self.store.head(&self.key(digest)).await {
            Ok(found) if found.size != size => Ok(false),
            Ok(_) if size > self.read_back => Ok(true),
            // One that cannot be read is written again; a store that is away says so then.
            Ok(_) => Ok(self.get(digest).await.is_ok()),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(BlobFault::of(error, *digest)),
        }
    }

    pub async fn get(&self, digest: &Digest) -> Result<Bytes, BlobFault> {
        let fault = |error| BlobFault::of(error, *digest);
        let bytes = self.store.get(&self.key(digest)).await.map_err(fault)?.bytes().await.map_err(fault)?;
        let found = Digest::of(&bytes);
        if found == *digest { Ok(bytes) } else { Err(BlobFault::Damaged { digest: *digest, found }) }
    }

    pub async fn has(&self, digest: &Digest) -> Result<bool, BlobFault> {
        match self.store.head(&self.key(digest)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(BlobFault::of(error, *digest)),
        }
    }

    /// Removes a blob; one that is not there is fine.
    pub async fn delete(&self, digest: &Digest) -> Result<(), BlobFault> {
        match self.store.delete(&self.key(digest)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(BlobFault::of(error, *digest)),
        }
    }

    /// Blobs and their sizes, in no order; files that are not blobs are passed over.
    pub async fn list(&self, limit: usize) -> Result<Vec<(Digest, u64)>, BlobFault> {
        self.listing().next(limit).await
    }

    /// The same, however many there are, some at a time.
    #[must_use]
    pub fn listing(&self) -> Listing {
        Listing { objects: self.store.list(Some(&self.prefix.clone().join("sha256"))) }
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<(), BlobFault> {
        self.has(&Digest::of(b"ping")).await.map(|_| ())
    }

    /// Fanned out by the first two digits: folders with a million entries are slow on some disks.
    fn key(&self, digest: &Digest) -> Path {
        let hex = digest.hex();
        self.prefix.clone().join("sha256").join(&hex[..2]).join(hex.as_str())
    }
}

/// Blobs that are listed. Those that come or go meanwhile may or may not be among them.
pub struct Listing {
    objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listing")
    }
}

impl Listing {
    /// So many more and their sizes, in no order; fewer at the end, and then none.
    pub async fn next(&mut self, most: usize) -> Result<Vec<(Digest, u64)>, BlobFault> {
        let mut found = Vec::new();
        while found.len() < most
            && let Some(object) = self.objects.try_next().await.map_err(BlobFault::Unavailable)?
        {
            let digest = object.location.filename().and_then(|name| name.parse::<Digest>().ok());
            found.extend(digest.map(|digest| (digest, object.size)));
        }
        Ok(found)
    }
}
