//! Objects of an S3 bucket.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use futures::StreamExt as _;
use object_store::{
    ClientOptions, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::{HttpClient, HttpConnector},
    path::Path as Key,
    signer::{SignedUrlOptions, Signer as _},
};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use url::Url;

use super::{
    Content, Egress, Fetched, Listing, Place, Source, SourceFault, SourcePolicy,
    egress::{Answer, Validators},
    names,
    s3_listing::{self, ListingPage, Object},
};
use crate::{model::Origin, spec::S3Source};

/// A page has a thousand keys of a kilobyte at most, each sign of which may be written as six.
const PAGE_LIMIT: u64 = 16 << 20;
const SIGNED_FOR: Duration = Duration::from_secs(600);
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(super) struct Bucket {
    spec: S3Source,
    store: Arc<AmazonS3>,
    egress: Egress,
    max_documents: usize,
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
        Ok(Self { spec: spec.clone(), store: Arc::new(store), egress: egress.clone(), max_documents: policy.max_documents })
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.spec.bucket, self.spec.prefix)
    }

    pub(super) async fn list(&self, source: &Source) -> Result<Listing, SourceFault> {
        let mut listing = Listing::default();
        let mut next = None;
        loop {
            let page = self.page(next.as_deref()).await?;
            for object in page.objects {
                self.sort_in(source, object, &mut listing)?;
            }
            if page.next.is_none() {
                return Ok(listing);
            }
            if page.next == next {
                let reason = "it gives the same page of its listing again and again".to_owned();
                return Err(SourceFault::Unusable { place: self.place(), reason });
            }
            next = page.next;
        }
    }

    fn sort_in(&self, source: &Source, object: Object, listing: &mut Listing) -> Result<(), SourceFault> {
        // A server that does not know prefixes would show what the spec does not ask for.
        if !object.key.starts_with(self.prefix()) {
            return Ok(());
        }
        let shown = self.shown(&object.key);
        // An object whose name ends in a slash stands for a folder.
        if (object.size == 0 && object.key.ends_with('/')) || !source.takes(&shown) {
            return Ok(());
        }
        let Some(key) = Key::parse(&object.key).ok().filter(|key| key.as_ref() == object.key) else {
            let detail = "its key has an empty part, a dot for one, or a control character, and cannot be fetched";
            listing.warnings.push(source.warn(shown, "source-key-unusable", detail));
            return Ok(());
        };
        if listing.documents.len() >= self.max_documents {
            let reason = format!("it holds more than {} documents: narrow it with `include`", self.max_documents);
            return Err(SourceFault::Unusable { place: self.place(), reason });
        }
        let uri = format!("s3://{}/{}", self.spec.bucket, names::shown_bytes(object.key.as_bytes()));
        let mut entry = source.entry(object.key.as_bytes(), (shown.clone(), &shown), uri, Place::Object(key));
        entry.fingerprint = Some(match &object.etag {
            Some(etag) => of_etag(object.size, etag),
            None => format!("s3:{}:{}", object.size, object.last_modified),
        });
        entry.size = Some(object.size);
        listing.documents.push(entry);
        Ok(())
    }

    /// One page of the listing. The store's own client asks only for whole folders, so this asks by itself.
    async fn page(&self, next: Option<&str>) -> Result<ListingPage, SourceFault> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_page(next).await {
                Err(fault) if fault.is_transient() && attempt < ATTEMPTS => tokio::time::sleep(PAUSE * attempt).await,
                other => return other,
            }
        }
    }

    async fn try_page(&self, next: Option<&str>) -> Result<ListingPage, SourceFault> {
        let url = self.page_address(next).await?;
        let bytes = match self.egress.get(&url, &Validators::default(), PAGE_LIMIT).await {
            Ok(Answer::Body { bytes, .. }) => bytes,
            Ok(Answer::NotModified) => return Ok(ListingPage::default()),
            Err(fault) => return Err(of_bucket(self.place(), fault)),
        };
        s3_listing::parse(&bytes).map_err(|reason| SourceFault::Unreachable { place: self.place(), reason })
    }

    async fn page_address(&self, next: Option<&str>) -> Result<Url, SourceFault> {
        let mut query = vec![("list-type", "2")];
        if !self.prefix().is_empty() {
            query.push(("prefix", self.prefix()));
        }
        query.extend(next.map(|token| ("continuation-token", token)));
        if self.spec.credentials.is_some() {
            let options = SignedUrlOptions::new().with_query(query);
            let signed = self.store.signed_url_opts(Method::GET, &Key::ROOT, SIGNED_FOR, &options).await;
            return signed.map_err(|fault| explain(&self.place(), &fault));
        }
        let amazon = || format!("https://s3.{}.amazonaws.com", self.spec.region);
        let endpoint = self.spec.endpoint.as_ref().map_or_else(amazon, |endpoint| endpoint.trim_end_matches('/').to_owned());
        Url::parse_with_params(&format!("{endpoint}/{}/", self.spec.bucket), query)
            .map_err(|fault| SourceFault::Unusable { place: self.place(), reason: fault.to_string() })
    }

    fn prefix(&self) -> &str {
        self.spec.prefix.trim_start_matches('/')
    }

    /// The key below the prefix, where that is a folder, or else below the folder the prefix lies in.
    fn shown(&self, key: &str) -> String {
        let prefix = self.prefix().trim_end_matches('/');
        let folder = prefix.rfind('/').map_or("", |at| &prefix[..=at]);
        let below = key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
        let below = below.filter(|_| !prefix.is_empty()).or_else(|| key.strip_prefix(folder)).unwrap_or(key);
        names::shown_bytes(if below.is_empty() { key } else { below }.as_bytes())
    }

    pub(super) async fn fetch(&self, key: &Key, limit: u64) -> Result<Fetched, SourceFault> {
        let place = format!("s3://{}/{}", self.spec.bucket, names::shown_bytes(key.as_ref().as_bytes()));
        let answer = self.store.get(key).await.map_err(|fault| explain(&place, &fault))?;
        let too_large = || SourceFault::TooLarge { place: place.clone(), limit };
        if answer.meta.size > limit {
            return Err(too_large());
        }
        let fingerprint = answer.meta.e_tag.as_ref().map(|etag| of_etag(answer.meta.size, etag));
        let origin = Origin { last_modified: Some(answer.meta.last_modified.to_rfc3339()), ..Origin::default() };
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
        Ok(Fetched::Content(Content { bytes: bytes.freeze(), media_type, fingerprint, origin }))
    }
}

fn of_etag(size: u64, etag: &str) -> String {
    format!("etag:{size}:{etag}")
}

/// A listing that failed, told by the bucket's own address.
fn of_bucket(place: String, fault: SourceFault) -> SourceFault {
    match fault {
        SourceFault::Missing { .. } => SourceFault::Missing { place },
        SourceFault::Unauthorized { .. } => SourceFault::Unauthorized { place },
        SourceFault::Timeout { limit, .. } => SourceFault::Timeout { place, limit },
        SourceFault::Unreachable { reason, .. } => SourceFault::Unreachable { place, reason },
        SourceFault::Denied { reason, .. } => SourceFault::Denied { place, reason },
        other => other,
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
