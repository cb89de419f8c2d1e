use std::{fs, os::unix::fs::PermissionsExt as _};

use mainspring_kernel::Fault;
use proptest::prelude::*;

use crate::{MasterKeys, MasterSettings, master::parse};

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn settings(data: &std::path::Path) -> MasterSettings {
    MasterSettings { key: None, file: None, data: data.to_owned() }
}

#[test]
fn a_key_is_made_once_when_it_is_needed_and_only_its_owner_may_read_it() {
    let data = tempfile::tempdir().unwrap();
    let keys = MasterKeys::open(settings(data.path())).unwrap();
    assert!(keys.keys().is_none() && fs::read_dir(data.path()).unwrap().count() == 0);
    let made = keys.keys_or_new().unwrap();
    assert_eq!((made.len(), keys.keys_or_new().unwrap()[0].id.as_str()), (1, made[0].id.as_str()));
    let path = data.path().join("master.key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
    let again = MasterKeys::open(settings(data.path())).unwrap();
    assert_eq!(again.keys().unwrap()[0].id, made[0].id);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!format!("{keys:?} {made:?}").contains(text.trim()));
}

#[test]
fn a_rotation_that_was_broken_off_leaves_both_keys() {
    let data = tempfile::tempdir().unwrap();
    let keys = MasterKeys::open(settings(data.path())).unwrap();
    let old = keys.keys_or_new().unwrap();
    let both = keys.begin_rotation().unwrap();
    assert_eq!((both.len(), both[1].id.as_str()), (2, old[0].id.as_str()));
    let after_a_crash = MasterKeys::open(settings(data.path())).unwrap();
    let names = |keys: &MasterKeys| keys.keys().unwrap().iter().map(|key| key.id.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after_a_crash), names(&keys));
    after_a_crash.end_rotation().unwrap();
    assert_eq!(names(&after_a_crash), [both[0].id.clone()]);
    let third = after_a_crash.begin_rotation().unwrap();
    assert_eq!(third.len(), 2);
    after_a_crash.undo_rotation().unwrap();
    assert_eq!(names(&after_a_crash), [both[0].id.clone()]);
    after_a_crash.undo_rotation().unwrap();
    assert_eq!(
        names(&MasterKeys::open(settings(data.path())).unwrap()),
        [both[0].id.clone()],
        "the last key is never taken away"
    );
}

#[test]
fn one_key_may_be_written_in_several_ways() {
    let bytes = hex::decode(HEX).unwrap();
    use base64::{Engine as _, engine::general_purpose as encodings};
    let written = [
        HEX.to_owned(),
        HEX.to_uppercase(),
        encodings::STANDARD.encode(&bytes),
        encodings::URL_SAFE_NO_PAD.encode(&bytes),
        format!("\n {HEX}\n"),
    ];
    let ids: Vec<String> = written.iter().map(|text| parse(text, "a test").unwrap()[0].id.clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    for bad in ["", " \n", "hunter2", &HEX[..62], &format!("{HEX}00"), "correct horse battery staple", &[HEX; 17].join(",")] {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("key");
        fs::write(&file, bad).unwrap();
        let by_setting = MasterSettings { key: Some(bad.into()), ..settings(data.path()) };
        let by_file = MasterSettings { file: Some(file), ..settings(data.path()) };
        for given in [by_setting, by_file] {
            let fault = MasterKeys::open(given).unwrap_err();
            assert_eq!(fault.code(), "secret-bad-master-key", "{bad:?}");
            let shown = format!("{fault} {fault:?} {:?}", fault.hint());
            assert!(bad.trim().is_empty() || !shown.contains(bad), "{shown}");
        }
    }
    let missing = MasterSettings { file: Some("/nowhere/at/all".into()), ..settings("/tmp".as_ref()) };
    assert_eq!(MasterKeys::open(missing).unwrap_err().code(), "secret-master-key-unusable");
    let device = MasterSettings { file: Some("/dev/zero".into()), ..settings("/tmp".as_ref()) };
    assert_eq!(MasterKeys::open(device).unwrap_err().code(), "secret-master-key-unusable");
    // A key of this process's own that was damaged is told at the start, and not replaced.
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("master.key"), "damaged").unwrap();
    assert_eq!(MasterKeys::open(settings(data.path())).unwrap_err().code(), "secret-bad-master-key");
}

proptest! {
    #[test]
    fn any_text_is_keys_or_a_fault(text in "\\PC{0,90}|[0-9a-f, \\n]{0,140}|[A-Za-z0-9+/_=-]{40,48}") {
        if let Ok(keys) = parse(&text, "a test") {
            prop_assert!(!keys.is_empty());
        }
    }
}
