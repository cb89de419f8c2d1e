//! Files of S3 buckets, by addresses that are signed for a while: the rest is a download like any other.

use std::{collections::HashMap, fmt, time::Duration};

use object_store::{
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
    signer::{Method, Signer},
};

/// Longer than any download should take.
const SIGNED_FOR: Duration = Duration::from_secs(12 * 3600);

/// How `s3:` places are reached: the usual `AWS_*` variables. Without keys a bucket must be public.
#[derive(Clone, Default)]
pub struct S3Access(HashMap<AmazonS3ConfigKey, String>);

impl fmt::Debug for S3Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl S3Access {
    #[must_use]
    pub fn from_env() -> Self {
        Self::of(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))))
    }

    #[must_use]
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let known = variables.into_iter().filter_map(|(name, value)| {
            let key = name.strip_prefix("AWS_").and(name.to_ascii_lowercase().parse().ok())?;
            (!value.is_empty()).then_some((key, value))
        });
        Self(known.collect())
    }

    fn get(&self, keys: &[AmazonS3ConfigKey]) -> Option<&str> {
        keys.iter().find_map(|key| self.0.get(key)).map(String::as_str)
    }

    /// An address that gives the file. Asks nobody, unless the keys themselves must be fetched.
    pub(crate) async fn address(&self, bucket: &str, key: &str) -> Result<String, String> {
        let region = self.get(&[AmazonS3ConfigKey::Region, AmazonS3ConfigKey::DefaultRegion]).unwrap_or("us-east-1");
        if self.get(&[AmazonS3ConfigKey::AccessKeyId]).is_none() {
            return Ok(match self.get(&[AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]) {
                Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
                None => format!("https://s3.{region}.amazonaws.com/{bucket}/{key}"),
            });
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = AmazonS3Builder::new().with_bucket_name(bucket).with_region(region);
        let builder = self.0.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value));
        let store = builder.build().map_err(|fault| fault.to_string())?;
        let signed = store.signed_url(Method::GET, &Path::from(key), SIGNED_FOR).await;
        signed.map(String::from).map_err(|fault| fault.to_string())
    }
}
