use std::{path::Path as FilePath, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use mainspring_kernel::Digest;
use object_store::{ObjectStore, ObjectStoreExt, aws::AmazonS3Builder, local::LocalFileSystem, path::Path};
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

#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Blobs {
    /// Under a folder, which is made where it is not there. Writes are synced before they are acknowledged.
    pub fn local(dir: &FilePath) -> Result<Self, BlobFault> {
        let open = |source| BlobFault::Open { place: dir.display().to_string(), source };
        std::fs::create_dir_all(dir)
            .map_err(|source| open(object_store::Error::Generic { store: "local", source: Box::new(source) }))?;
        let store = LocalFileSystem::new_with_prefix(dir).map_err(open)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), prefix: Path::default() })
    }

    pub fn s3(location: &S3Location) -> Result<Self, BlobFault> {
        // A process has one TLS provider; whoever came first has chosen it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&location.bucket)
            .with_region(&location.region)
            .with_allow_http(location.allow_http);
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
        Ok(Self { store: Arc::new(store), prefix })
    }

    /// Stores bytes and answers their name. Storing the same again is fine and cheap.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, BlobFault> {
        let digest = Digest::of(&bytes);
        if self.has(&digest).await? {
            return Ok(digest);
        }
        self.store.put(&self.key(&digest), bytes.into()).await.map_err(|error| BlobFault::of(error, digest))?;
        Ok(digest)
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
        let mut found = Vec::new();
        let mut objects = self.store.list(Some(&self.prefix.clone().join("sha256")));
        while let Some(object) = objects.try_next().await.map_err(BlobFault::Unavailable)? {
            let digest = object.location.filename().and_then(|name| name.parse::<Digest>().ok());
            found.extend(digest.map(|digest| (digest, object.size)));
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
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
