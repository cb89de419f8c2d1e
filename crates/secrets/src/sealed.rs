//! Sealing and opening: pure, over bytes.

use std::fmt;

use mainspring_kernel::{Name, id::ProjectId};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac::{self, HMAC_SHA256},
    rand::{SecureRandom as _, SystemRandom},
};
use secrecy::{
    ExposeSecret as _, SecretString,
    zeroize::{Zeroize as _, Zeroizing},
};

/// Of the form below: one byte, the nonce, the ciphertext with its tag.
const VERSION: u8 = 1;
pub(crate) const KEY_LEN: usize = 32;
/// So much of a mark is enough to tell values and keys apart, and too little to stand for them.
const MARK_BYTES: usize = 6;

/// A master key, ready to be used. Its own bytes are gone.
pub(crate) struct MasterKey {
    /// How rows name it. Nobody can tell the key from it: it is 256 bits long and random.
    pub(crate) id: String,
    seal: LessSafeKey,
    print: hmac::Key,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The machine has no random numbers.
#[derive(Debug)]
pub(crate) struct NoRandomness;

/// It was changed, or is for another project or name, or is no sealed value at all.
#[derive(Debug)]
pub(crate) struct NotOurs;

pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

impl MasterKey {
    pub(crate) fn of(bytes: &[u8; KEY_LEN]) -> Option<Self> {
        let master = hmac::Key::new(HMAC_SHA256, bytes);
        let derived = |purpose: &str| hmac::sign(&master, purpose.as_bytes());
        let seal = UnboundKey::new(&AES_256_GCM, derived("mainspring secrets v1: seal").as_ref()).ok()?;
        let print = hmac::Key::new(HMAC_SHA256, derived("mainspring secrets v1: fingerprint").as_ref());
        let id = mark(&derived("mainspring secrets v1: name of the master key"));
        Some(Self { id, seal: LessSafeKey::new(seal), print })
    }

    pub(crate) fn seal(&self, place: (ProjectId, &Name), value: &SecretString) -> Result<Vec<u8>, NoRandomness> {
        let nonce: Zeroizing<[u8; NONCE_LEN]> = random()?;
        let value = value.expose_secret().as_bytes();
        // With room for all that follows, or a copy of the value would stay where the bytes lay before they grew.
        let mut text = Vec::with_capacity(value.len() + AES_256_GCM.tag_len());
        text.extend_from_slice(value);
        let sealed = self.seal.seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), bound_to(place), &mut text);
        if sealed.is_err() {
            // Only a value of many gigabytes is too long.
            text.zeroize();
            return Err(NoRandomness);
        }
        let mut whole = Vec::with_capacity(1 + NONCE_LEN + text.len());
        whole.push(VERSION);
        whole.extend_from_slice(nonce.as_slice());
        whole.append(&mut text);
        Ok(whole)
    }

    pub(crate) fn open(&self, place: (ProjectId, &Name), sealed: &[u8]) -> Result<SecretString, NotOurs> {
        let (version, rest) = sealed.split_first().ok_or(NotOurs)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(NotOurs)?;
        if *version != VERSION {
            return Err(NotOurs);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOurs)?;
        let mut text = Zeroizing::new(text.to_vec());
        let value = self.seal.open_in_place(nonce, bound_to(place), text.as_mut_slice()).map_err(|_| NotOurs)?;
        Ok(std::str::from_utf8(value).map_err(|_| NotOurs)?.into())
    }

    /// Tells values of one project apart.
    pub(crate) fn fingerprint(&self, project: ProjectId, value: &SecretString) -> String {
        let mut context = hmac::Context::with_key(&self.print);
        context.update(&project.as_raw().to_be_bytes());
        context.update(value.expose_secret().as_bytes());
        mark(&context.sign())
    }
}

fn mark(tag: &hmac::Tag) -> String {
    hex::encode(&tag.as_ref()[..MARK_BYTES])
}

/// What is sealed for one project and name does not open for another.
fn bound_to((project, name): (ProjectId, &Name)) -> Aad<Vec<u8>> {
    let mut bytes = b"mainspring secret v1\0".to_vec();
    bytes.extend_from_slice(&project.as_raw().to_be_bytes());
    bytes.extend_from_slice(name.as_str().as_bytes());
    Aad::from(bytes)
}
