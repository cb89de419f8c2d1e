//! Where a lake lives, and how people write that down.

use std::path::{Path, PathBuf};

use mainspring_kernel::{Fault, FaultKind, text::elide};
use secrecy::SecretString;
use url::Url;

#[derive(Debug, Clone)]
pub enum LakeLocation {
    Local(PathBuf),
    S3 {
        bucket: String,
        /// Without slashes at the ends; empty for the whole bucket.
        prefix: String,
        /// None for Amazon's own.
        endpoint: Option<String>,
        region: String,
        /// None: the credentials of the machine's role.
        access_key: Option<String>,
        secret_key: Option<SecretString>,
        session_token: Option<SecretString>,
        allow_http: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationFault {
    #[error("`{given}` is not a place for a lake: {reason}")]
    Invalid { given: String, reason: String },
    #[error("this build has no lake on `{scheme}`")]
    Scheme { scheme: String },
}

impl Fault for LocationFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Invalid { .. } => FaultKind::Invalid,
            Self::Scheme { .. } => FaultKind::Unsupported,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "lake-bad-location",
            Self::Scheme { .. } => "lake-unknown-scheme",
        }
    }
    fn hint(&self) -> Option<String> {
        Some("write a directory (`./lake`, `/var/lib/lake`) or `s3://bucket/prefix`".to_owned())
    }
}

impl LakeLocation {
    /// `./dir`, `/dir`, `file:///dir` or `s3://bucket/prefix`; keys, region and endpoint from the
    /// usual `AWS_*` variables of this process.
    pub fn parse(text: &str) -> Result<Self, LocationFault> {
        Self::parse_with(text, |name| std::env::var(name).ok())
    }

    /// The same with variables from elsewhere.
    pub fn parse_with(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, LocationFault> {
        let invalid = |reason: &str| LocationFault::Invalid { given: elide(text, 200), reason: reason.to_owned() };
        if text.trim().is_empty() || text.contains('\0') {
            return Err(invalid("it is empty"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Local(PathBuf::from(text)));
        };
        match scheme {
            "file" => {
                let url = Url::parse(text).map_err(|fault| invalid(&fault.to_string()))?;
                url.to_file_path().map(Self::Local).map_err(|()| invalid("a file URL names a whole path"))
            }
            "s3" => s3(rest, &variable, &invalid),
            _ => Err(LocationFault::Scheme { scheme: elide(scheme, 20) }),
        }
    }

    /// As a person would write it, without secrets.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Local(dir) => dir.display().to_string(),
            Self::S3 { bucket, prefix, .. } if prefix.is_empty() => format!("s3://{bucket}"),
            Self::S3 { bucket, prefix, .. } => format!("s3://{bucket}/{prefix}"),
        }
    }

    pub(crate) fn local_dir(&self) -> Option<&Path> {
        match self {
            Self::Local(dir) => Some(dir),
            Self::S3 { .. } => None,
        }
    }
}

fn s3(
    rest: &str,
    variable: &impl Fn(&str) -> Option<String>,
    invalid: &impl Fn(&str) -> LocationFault,
) -> Result<LakeLocation, LocationFault> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let bucket_is_plain = bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'));
    if bucket.is_empty() || !bucket_is_plain {
        return Err(invalid("the bucket is missing or has characters no bucket has"));
    }
    let prefix = prefix.trim_matches('/');
    let part_is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !prefix.is_empty() && !prefix.split('/').all(part_is_plain) {
        return Err(invalid("the prefix has an empty or a dotted part"));
    }
    if prefix.bytes().any(|b| matches!(b, b'?' | b'#' | b'%') || b.is_ascii_control()) {
        return Err(invalid("the prefix has characters that mean something else in a URL"));
    }
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let endpoint = set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL")).or_else(|| set("AWS_ENDPOINT"));
    let allow_http = set("AWS_ALLOW_HTTP").is_some_and(|value| matches!(value.as_str(), "1" | "true" | "yes" | "on"))
        || endpoint.as_deref().is_some_and(is_loopback);
    Ok(LakeLocation::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint,
        region: set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).unwrap_or_else(|| "us-east-1".to_owned()),
        access_key: set("AWS_ACCESS_KEY_ID"),
        secret_key: set("AWS_SECRET_ACCESS_KEY").map(SecretString::from),
        session_token: set("AWS_SESSION_TOKEN").map(SecretString::from),
        allow_http,
    })
}

/// Unencrypted traffic that never leaves the machine needs no permission.
fn is_loopback(endpoint: &str) -> bool {
    let Ok(url) = Url::parse(endpoint) else { return false };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
