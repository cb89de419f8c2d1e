use mainspring_kernel::Fault;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use crate::LakeLocation;

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<LakeLocation, crate::LocationFault> {
    LakeLocation::parse_with(text, |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

#[track_caller]
fn check(text: &str, label: &str) {
    assert_eq!(parse(text, &[]).unwrap().label(), label);
}

#[test]
fn directories_and_buckets_are_understood() {
    check("./lake", "./lake");
    check("/var/lib/lake", "/var/lib/lake");
    check("file:///var/with%20space", "/var/with space");
    check("s3://bucket", "s3://bucket");
    check("s3://bucket/", "s3://bucket");
    check("s3://bucket/a/b/", "s3://bucket/a/b");
}

#[test]
fn what_is_no_place_is_refused_with_a_code() {
    for (text, code) in [
        ("", "lake-bad-location"),
        ("  ", "lake-bad-location"),
        ("s3://", "lake-bad-location"),
        ("s3:///prefix", "lake-bad-location"),
        ("s3://bucket/../x", "lake-bad-location"),
        ("s3://bucket/a//b", "lake-bad-location"),
        ("s3://bucket/a?b", "lake-bad-location"),
        ("s3://key:secret@bucket/a", "lake-bad-location"),
        ("gs://bucket/a", "lake-unknown-scheme"),
        ("postgres://x", "lake-unknown-scheme"),
    ] {
        let fault = parse(text, &[]).unwrap_err();
        assert_eq!(fault.code(), code, "{text}");
    }
}

#[test]
fn the_usual_variables_are_used() {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://minio:9000"),
    ];
    let location = parse("s3://b/p", &variables).unwrap();
    assert!(!format!("{location:?}").contains("hidden"), "a secret is never printed");
    let LakeLocation::S3 { access_key, secret_key, region, endpoint, allow_http, .. } = location else { panic!("not S3") };
    assert_eq!(
        (access_key.as_deref(), region.as_str(), endpoint.as_deref()),
        (Some("id"), "eu-west-1", Some("http://minio:9000"))
    );
    assert_eq!(secret_key.unwrap().expose_secret(), "hidden");
    assert!(!allow_http, "unencrypted traffic to another machine has to be allowed");
}

#[test]
fn unencrypted_traffic_is_for_this_machine_or_by_permission() {
    for (variables, allowed) in [
        (vec![("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")], true),
        (vec![("AWS_ENDPOINT_URL", "http://localhost:9000")], true),
        (vec![("AWS_ENDPOINT_URL", "http://localhost.evil.example:9000")], false),
        (vec![("AWS_ENDPOINT_URL", "http://10.0.0.1:9000"), ("AWS_ALLOW_HTTP", "true")], true),
        (vec![], false),
    ] {
        let LakeLocation::S3 { allow_http, .. } = parse("s3://b", &variables).unwrap() else { panic!("not S3") };
        assert_eq!(allow_http, allowed, "{variables:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_place_or_a_fault(text in ".{0,60}") {
        if let Ok(LakeLocation::S3 { bucket, prefix, .. }) = parse(&text, &[]) {
            prop_assert!(!bucket.is_empty() && !prefix.split('/').any(|part| part == ".."));
        }
    }

    #[test]
    fn any_bucket_text_is_a_place_or_a_fault(rest in ".{0,60}") {
        if let Ok(LakeLocation::S3 { bucket, prefix, .. }) = parse(&format!("s3://{rest}"), &[]) {
            prop_assert!(!bucket.is_empty() && !prefix.contains(['?', '#', '%']));
        }
    }
}
