use mainspring_kernel::id::ProjectId;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::{VALUE, name, secret};
use crate::sealed::MasterKey;

fn key(byte: u8) -> MasterKey {
    MasterKey::of(&[byte; 32]).unwrap()
}

#[test]
fn what_is_sealed_opens_for_its_place_only() {
    let (one, project, of) = (key(1), ProjectId::from_raw(1), name("openai"));
    let sealed = one.seal((project, &of), &secret(VALUE)).unwrap();
    assert_eq!(one.open((project, &of), &sealed).unwrap().expose_secret(), VALUE);
    assert!(one.open((ProjectId::from_raw(2), &of), &sealed).is_err());
    assert!(one.open((project, &name("openai2")), &sealed).is_err());
    assert!(key(2).open((project, &of), &sealed).is_err());
    // The same value twice is not the same twice.
    assert_ne!(one.seal((project, &of), &secret(VALUE)).unwrap(), sealed);
    assert_eq!(sealed.len(), 1 + 12 + VALUE.len() + 16);
}

#[test]
fn every_change_of_a_byte_is_noticed() {
    let (one, project, of) = (key(1), ProjectId::from_raw(1), name("openai"));
    let sealed = one.seal((project, &of), &secret(VALUE)).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(one.open((project, &of), &changed).is_err(), "byte {at}");
        assert!(one.open((project, &of), &sealed[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn marks_tell_keys_and_values_apart_and_are_no_key() {
    let (one, project) = (key(1), ProjectId::from_raw(1));
    assert_ne!(one.id, key(2).id);
    assert_eq!(one.id.len(), 12);
    let print = one.fingerprint(project, &secret(VALUE));
    assert_eq!(print, one.fingerprint(project, &secret(VALUE)));
    assert_ne!(print, one.fingerprint(project, &secret("another")));
    assert_ne!(print, key(2).fingerprint(project, &secret(VALUE)));
    assert_eq!(format!("{one:?}"), format!("MasterKey {{ id: \"{}\", .. }}", one.id));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(key(1).open((ProjectId::from_raw(1), &name("a")), &bytes).is_err());
    }

    #[test]
    fn any_value_comes_back_unless_it_was_changed(value in "[ -~]{1,80}", at in any::<prop::sample::Index>(), by in 1_u8..) {
        let (one, place) = (key(1), (ProjectId::from_raw(1), name("a")));
        let mut sealed = one.seal((place.0, &place.1), &secret(&value)).unwrap();
        let opened = one.open((place.0, &place.1), &sealed).unwrap();
        prop_assert_eq!(opened.expose_secret(), value.as_str());
        let at = at.index(sealed.len());
        sealed[at] ^= by;
        prop_assert!(one.open((place.0, &place.1), &sealed).is_err());
    }
}
