//! Signatures of webhooks, as the public libraries of Standard Webhooks check them.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::hmac;

const PREFIX: &str = "whsec_";

/// People copy secrets with and without the padding at their end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `v1,` and the HMAC-SHA256 in base64 of `id.timestamp.body`; nothing where the secret cannot be read.
pub(crate) fn sign(secret: &str, id: &str, seconds: i64, body: &str) -> Option<String> {
    let secret = secret.trim();
    let bytes = BASE64.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).ok().filter(|bytes| !bytes.is_empty())?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", BASE64.encode(tag)))
}
