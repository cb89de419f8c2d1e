use lance::Error;

use crate::fault::{Meaning, meaning};

#[track_caller]
fn check(error: &Error, on_s3: bool, wanted: Meaning) {
    assert_eq!(meaning(error, on_s3), wanted, "{error}");
}

#[test]
fn a_store_that_is_away_is_known_by_what_lies_below() {
    let generic = || object_store::Error::Generic { store: "S3", source: "connection refused".into() };
    let denied = || object_store::Error::PermissionDenied { path: "t".to_owned(), source: "403".into() };
    check(&generic().into(), true, Meaning::Away);
    check(&denied().into(), true, Meaning::Away);
    check(&generic().into(), false, Meaning::Other);
    // Who waits with others for an answer gets the text of why there was none.
    check(&Error::cloned(generic().to_string()), true, Meaning::Away);
    check(&Error::cloned("a page does not decode"), true, Meaning::Other);
    // The store went away between a commit and its answer.
    check(&Error::commit_status_unknown_source(3, "no answer".into()), true, Meaning::Away);
}
