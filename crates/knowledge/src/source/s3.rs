//! Objects of an S3 bucket.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{
    ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::{HttpClient, HttpConnector},
    path::Path as Key,
};
use secrecy::ExposeSecret as _;
use url::Url;

use super::{Content, Egress, Fetched, Listing, Place, Source, SourceFault, SourcePolicy, names};
use crate::spec::S3Source;

#[derive(Debug)]
pub(super) struct Bucket {
    spec: S3Source,
    store: Arc<AmazonS3>,
}

/// Hands the store our own client, so that its connections obey the egress policy too.
#[derive(Debug)]
struct Guarded(Egress);

impl HttpConnector for Guarded {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.client().clone()))
    }
}

impl Bucket {
    pub(super) fn open(spec: &S3Source, policy: &SourcePolicy, egress: &Egress) -> Result<Self, SourceFault> {
        let place = format!("s3://{}/{}", spec.bucket, spec.prefix);
        let variable = |name: &String| policy.secret(name).map(|secret| secret.expose_secret().to_owned());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&spec.bucket)
            .with_region(&spec.region)
            .with_http_connector(Guarded(egress.clone()))
            // The run goes on without a store that stays away, and the next one asks again.
            .with_retry(RetryConfig { max_retries: 4, retry_timeout: Duration::from_secs(30), ..RetryConfig::default() });
        if let Some(endpoint) = &spec.endpoint {
            let url = Url::parse(endpoint)
                .map_err(|fault| SourceFault::Unusable { place: endpoint.clone(), reason: fault.to_string() })?;
            egress.judge(&url)?;
            builder = builder.with_endpoint(endpoint.trim_end_matches('/')).with_allow_http(url.scheme() == "http");
        }
        builder = match &spec.credentials {
            Some(credentials) => {
                let builder = builder
                    .with_access_key_id(variable(&credentials.access_key_env)?)
                    .with_secret_access_key(variable(&credentials.secret_key_env)?);
                match &credentials.session_token_env {
                    Some(name) => builder.with_token(variable(name)?),
                    None => builder,
                }
            }
            None => builder.with_skip_signature(true),
        };
        let store = builder.build().map_err(|fault| SourceFault::Unusable { place, reason: fault.to_string() })?;
        Ok(Self { spec: spec.clone(), store: Arc::new(store) })
    }

    pub(super) async fn list(&self, source: &Source) -> Result<Listing, SourceFault> {
        let place = format!("s3://{}/{}", self.spec.bucket, self.spec.prefix);
        let prefix = (!self.spec.prefix.is_empty()).then(|| Key::from(self.spec.prefix.as_str()));
        let mut listing = Listing::default();
        let mut objects = self.store.list(prefix.as_ref());
        while let Some(object) = objects.try_next().await.map_err(|fault| explain(&place, &fault))? {
            // An object whose name ends in a slash stands for a folder.
            if object.size == 0 && object.location.as_ref().ends_with('/') {
                continue;
            }
            let shown = self.shown(&object);
            if !source.takes(&shown) {
                continue;
            }
            let uri = format!("s3://{}/{}", self.spec.bucket, names::shown_bytes(object.location.as_ref().as_bytes()));
            let identity = object.location.as_ref().as_bytes();
            let mut entry = source.entry(identity, (shown.clone(), &shown), uri, Place::Object(object.location.clone()));
            entry.fingerprint = Some(fingerprint(&object));
            entry.size = Some(object.size);
            listing.documents.push(entry);
        }
        Ok(listing)
    }

    fn shown(&self, object: &ObjectMeta) -> String {
        let key = object.location.as_ref();
        let prefix = self.spec.prefix.trim_matches('/');
        let below = key.strip_prefix(prefix).map_or(key, |rest| rest.trim_start_matches('/'));
        names::shown_bytes(if below.is_empty() { key } else { below }.as_bytes())
    }

    pub(super) async fn fetch(&self, key: &Key, limit: u64) -> Result<Fetched, SourceFault> {
        let place = format!("s3://{}/{}", self.spec.bucket, names::shown_bytes(key.as_ref().as_bytes()));
        let answer = self.store.get(key).await.map_err(|fault| explain(&place, &fault))?;
        let too_large = || SourceFault::TooLarge { place: place.clone(), limit };
        if answer.meta.size > limit {
            return Err(too_large());
        }
        let fingerprint = Some(fingerprint(&answer.meta));
        let media_type = answer.attributes.get(&object_store::Attribute::ContentType).map(|kind| kind.as_ref().to_owned());
        let mut bytes = BytesMut::new();
        let mut body = answer.into_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|fault| explain(&place, &fault))?;
            if bytes.len() as u64 + chunk.len() as u64 > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        // Stores call every object that was put without a type a stream of octets: that says nothing.
        let media_type = media_type
            .filter(|media_type| !media_type.starts_with("application/octet-stream") && !media_type.starts_with("binary/"));
        Ok(Fetched::Content(Content { bytes: bytes.freeze(), media_type, fingerprint }))
    }
}

fn fingerprint(object: &ObjectMeta) -> String {
    match &object.e_tag {
        Some(etag) => format!("etag:{}:{etag}", object.size),
        None => format!("s3:{}:{}", object.size, object.last_modified.timestamp_micros()),
    }
}

fn explain(place: &str, fault: &object_store::Error) -> SourceFault {
    let place = place.to_owned();
    match fault {
        object_store::Error::NotFound { .. } => SourceFault::Missing { place },
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. } => {
            SourceFault::Unauthorized { place }
        }
        object_store::Error::Precondition { .. } => SourceFault::Moved { place },
        other => {
            let reason = mainspring_kernel::fault::chain(other);
            // Refused listings come without a kind of their own.
            if reason.contains("403 Forbidden") || reason.contains("401 Unauthorized") {
                return SourceFault::Unauthorized { place };
            }
            SourceFault::Unreachable { place, reason: mainspring_kernel::text::elide(&reason, 400) }
        }
    }
}
