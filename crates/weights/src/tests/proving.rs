//! A file is read before it is used, once.

use std::{fs, path::Path};

use mainspring_kernel::{Digest, Fault, FaultKind};

use super::{
    pulling::{content, list, open, page},
    server::Server,
};
use crate::{Damage, Role, WeightsFault, cache::Cache};

/// A byte in the middle, changed in place: neither name nor length tells.
fn flip(path: &Path) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let (mut byte, middle) = ([0], file.metadata().unwrap().len() / 2);
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

#[tokio::test]
async fn a_changed_byte_is_found_before_the_file_is_used() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(60_000);
    server.put("/m", page(&body));
    let reopened = || open(dir.path(), &server, list("m", &body, &[format!("{}/m", server.base)]));
    let path = reopened().pull("m", |_| ()).await.unwrap().path(Role::Model).unwrap().to_owned();
    for read_before in [false, true] {
        if read_before {
            // Old enough for its stamp to be kept.
            let settled = || Cache::open(dir.path()).unwrap().is_proven(&Digest::of(&body));
            while !settled() {
                reopened().locate("m").unwrap();
            }
        }
        flip(&path);
        let fault = reopened().locate("m").unwrap_err();
        assert!(matches!(fault, WeightsFault::Damaged { damage: Damage::Digest { .. }, .. }), "{fault}");
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Unavailable, "weights-damaged"));
        flip(&path);
        reopened().locate("m").unwrap();
    }
}

#[tokio::test]
async fn a_file_that_did_not_change_is_read_once() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(60_000);
    let digest = Digest::of(&body);
    server.put("/m", page(&body));
    let weights = open(dir.path(), &server, list("m", &body, &[format!("{}/m", server.base)]));
    weights.pull("m", |_| ()).await.unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    while !cache.is_proven(&digest) {
        weights.locate("m").unwrap();
    }
    // What is noted belongs to one file: a copy in its place, as sound as it is, is read again.
    let path = cache.path(&digest);
    fs::copy(&path, dir.path().join("copy")).unwrap();
    fs::rename(dir.path().join("copy"), &path).unwrap();
    assert!(!cache.is_proven(&digest));
    weights.locate("m").unwrap();
    // A note that is not one is as good as none.
    fs::write(dir.path().join("verified").join(digest.hex()), b"{}").unwrap();
    open(dir.path(), &server, list("m", &body, &[])).locate("m").unwrap();
}
