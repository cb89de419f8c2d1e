//! The text of a key: `msk_<12 hex digits>_<43 base64url characters>`.
//! The first part finds the key, the second proves it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mainspring_kernel::Digest;
use rand::TryRngCore as _;
use secrecy::{ExposeSecret as _, SecretString};

const PREFIX: &str = "msk_";
const LOOKUP_DIGITS: usize = 12;
const SECRET_BYTES: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error("the text is not a key")]
    Shape,
    #[error("the machine has no random numbers")]
    NoRandomness,
}

/// What is left of a key after reading it. The secret itself is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyParts {
    pub(crate) lookup: String,
    pub(crate) hash: [u8; 32],
}

pub(crate) fn generate() -> Result<(SecretString, KeyParts), KeyFault> {
    let mut bytes = [0_u8; LOOKUP_DIGITS / 2 + SECRET_BYTES];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| KeyFault::NoRandomness)?;
    let (lookup, secret) = bytes.split_at(LOOKUP_DIGITS / 2);
    let lookup: String = lookup.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = SecretString::from(format!("{PREFIX}{lookup}_{}", URL_SAFE_NO_PAD.encode(secret)));
    Ok((text, KeyParts { lookup, hash: hash(secret) }))
}

pub(crate) fn read(text: &SecretString) -> Result<KeyParts, KeyFault> {
    let rest = text.expose_secret().strip_prefix(PREFIX).ok_or(KeyFault::Shape)?;
    let (lookup, secret) = rest.split_once('_').ok_or(KeyFault::Shape)?;
    let shaped = lookup.len() == LOOKUP_DIGITS && lookup.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !shaped {
        return Err(KeyFault::Shape);
    }
    let secret = URL_SAFE_NO_PAD.decode(secret).map_err(|_| KeyFault::Shape)?;
    if secret.len() != SECRET_BYTES {
        return Err(KeyFault::Shape);
    }
    Ok(KeyParts { lookup: lookup.to_owned(), hash: hash(&secret) })
}

pub(crate) fn prefix(lookup: &str) -> String {
    format!("{PREFIX}{lookup}")
}

fn hash(secret: &[u8]) -> [u8; 32] {
    *Digest::of_parts([b"mainspring api key v1".as_slice(), secret]).as_bytes()
}

/// Compares all bytes whatever the first ones say. A length that differs is a damaged row.
pub(crate) fn same(stored: &[u8], given: &[u8; 32]) -> bool {
    let differing = stored.iter().zip(given).fold(0_u8, |seen, (a, b)| seen | (a ^ b));
    stored.len() == given.len() && std::hint::black_box(differing) == 0
}
