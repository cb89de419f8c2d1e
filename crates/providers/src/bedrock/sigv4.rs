//! AWS Signature Version 4, as the public specification has it.

use ring::{digest, hmac};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed of a request. Only headers that nobody on the way may change belong here.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// As it stands on the wire, percent-encoded.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) body: &'a [u8],
}

/// Where and when a signature holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// `20150830T123600Z`.
    pub(super) stamp: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Scope<'_> {
    fn date(&self) -> &str {
        self.stamp.split('T').next().unwrap_or(self.stamp)
    }

    fn name(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date(), self.region, self.service)
    }
}

/// The value of the `authorization` header.
pub(super) fn authorization(request: &Request<'_>, scope: Scope<'_>, access_key: &str, secret_key: &str) -> String {
    let (canonical, signed) = canonical(request);
    let to_sign = format!("{ALGORITHM}\n{}\n{}\n{}", scope.stamp, scope.name(), sha256(canonical.as_bytes()));
    let signature = hex::encode(mac(&signing_key(scope, secret_key), to_sign.as_bytes()));
    format!("{ALGORITHM} Credential={access_key}/{}, SignedHeaders={signed}, Signature={signature}", scope.name())
}

pub(super) fn signing_key(scope: Scope<'_>, secret_key: &str) -> hmac::Tag {
    let date = mac_of(format!("AWS4{secret_key}").as_bytes(), scope.date());
    let region = mac_of(date.as_ref(), scope.region);
    let service = mac_of(region.as_ref(), scope.service);
    mac_of(service.as_ref(), "aws4_request")
}

fn mac_of(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn mac(key: &hmac::Tag, bytes: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), bytes)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// The request in the one form both sides agree on, and the names of the headers in it.
pub(super) fn canonical(request: &Request<'_>) -> (String, String) {
    let headers = canonical_headers(&request.headers);
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let signed = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!(
        "{}\n{}\n{}\n{lines}\n{signed}\n{}",
        request.method,
        canonical_path(request.path),
        canonical_query(request.query),
        sha256(request.body)
    );
    (canonical, signed)
}

/// Lower case, in order, with one space where there were several; values of one name in one line.
fn canonical_headers(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut canonical: Vec<(String, String)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        match canonical.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => canonical.push((name, value)),
        }
    }
    canonical.sort();
    canonical
}

/// Every service but S3 signs the path encoded once more than it is sent, without empty, `.` and `..` segments.
pub(super) fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut canonical: String = segments.iter().map(|segment| format!("/{}", encode(segment.as_bytes()))).collect();
    if canonical.is_empty() || path.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

fn canonical_query(query: &str) -> String {
    let fields = query.split('&').filter(|field| !field.is_empty());
    let mut pairs: Vec<(String, String)> = fields
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            (encode(&decode(name)), encode(&decode(value)))
        })
        .collect();
    pairs.sort();
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// Everything but letters, digits and `-._~` as `%XX`.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = (*byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let coded = pair.and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        decoded.push(coded.unwrap_or(*byte));
        at += if coded.is_some() { 3 } else { 1 };
    }
    decoded
}
