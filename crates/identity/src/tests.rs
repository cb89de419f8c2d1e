//! Identity's specification, on both engines.

mod acting;
mod audit;
mod keys;
mod members;
mod told;

use std::sync::Arc;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, FrozenClock, Labels, ModelScope, Name, Role, Timestamp};
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Identity, NewKey, secret};

fn start() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn labels(held: &[&str]) -> Labels {
    Labels::Some(held.iter().map(|label| (*label).to_owned()).collect())
}

fn models(names: &[&str]) -> ModelScope {
    ModelScope::Some(names.iter().map(|name| (*name).to_owned()).collect())
}

struct Room {
    identity: Identity,
    /// Another process over the same catalog.
    elsewhere: Identity,
    clock: FrozenClock,
    admin: Actor,
    catalog: Catalog,
}

impl Room {
    async fn over(catalog: Catalog) -> Self {
        let clock = FrozenClock::at(start());
        let identity = Identity::open(catalog.clone(), Arc::new(clock.clone()));
        let admin = identity.bootstrap().await.unwrap().unwrap();
        let elsewhere = Identity::open(catalog.clone(), Arc::new(clock.clone()));
        Self { identity, elsewhere, clock, admin, catalog }
    }

    fn with_role(&self, role: Role) -> Actor {
        Actor { role, ..self.admin.clone() }
    }
}

fn new_key(role: Role, labels: Labels) -> NewKey {
    NewKey { name: name("ci"), role, labels, models: ModelScope::All, expires: None, principal: None }
}

#[test]
fn a_key_reads_back_to_the_hash_it_was_made_with() {
    let (text, parts) = secret::generate().unwrap();
    assert_eq!(text.expose_secret().len(), 4 + 12 + 1 + 43);
    assert_eq!(secret::read(&text).unwrap(), parts);
    let (other, _) = secret::generate().unwrap();
    assert_ne!(text.expose_secret(), other.expose_secret());
}

#[test]
fn comparing_says_whether_all_bytes_agree() {
    let mut bytes = [7_u8; 32];
    assert!(secret::same(&bytes.clone(), &bytes));
    let stored = bytes;
    bytes[31] = 8;
    assert!(!secret::same(&stored, &bytes));
    assert!(!secret::same(&stored[..31], &stored));
    assert!(!secret::same(&[], &stored));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader_of_keys(text in ".{0,80}", shaped in "msk_[0-9a-f]{10,14}_[A-Za-z0-9_=-]{40,46}") {
        for text in [text.clone(), format!("msk_{text}"), shaped] {
            if let Ok(parts) = secret::read(&SecretString::from(text)) {
                prop_assert_eq!(parts.lookup.len(), 12);
            }
        }
    }
}
