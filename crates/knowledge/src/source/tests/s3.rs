//! Against a real S3 server.

use mainspring_testservers::s3::S3Server;
use object_store::{ObjectStoreExt as _, aws::AmazonS3Builder, path::Path};
use serde_json::json;

use super::*;

fn variables(name: &str) -> Option<String> {
    match name {
        "MAINSPRING_SOURCE_KEY" => Some(S3Server::ACCESS_KEY.to_owned()),
        "MAINSPRING_SOURCE_SECRET" => Some(S3Server::SECRET_KEY.to_owned()),
        "MAINSPRING_SOURCE_WRONG" => Some("not-the-secret".to_owned()),
        _ => None,
    }
}

fn spec(server: &S3Server, extra: Value) -> Value {
    let mut spec = json!({ "type": "s3", "bucket": S3Server::BUCKET, "prefix": "handbook/", "endpoint": server.endpoint(),
        "credentials": { "access_key_env": "MAINSPRING_SOURCE_KEY", "secret_key_env": "MAINSPRING_SOURCE_SECRET" } });
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

async fn put(server: &S3Server, key: &str, text: &str) {
    let store = AmazonS3Builder::new()
        .with_bucket_name(S3Server::BUCKET)
        .with_region(S3Server::REGION)
        .with_endpoint(server.endpoint())
        .with_allow_http(true)
        .with_access_key_id(S3Server::ACCESS_KEY)
        .with_secret_access_key(S3Server::SECRET_KEY)
        .build()
        .unwrap();
    store.put(&Path::from(key), text.to_owned().into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_below_a_prefix_are_listed_and_fetched() {
    let mut server = S3Server::start().unwrap();
    // Chooses the process's TLS provider, which the store that fills the bucket needs too.
    Egress::new(EgressPolicy::default()).unwrap();
    for (key, text) in
        [("handbook/a.md", "alpha"), ("handbook/deep/b.md", "beta"), ("handbook/c.bin", "gamma"), ("other/d.md", "delta")]
    {
        put(&server, key, text).await;
    }
    let (mut policy, _work) = policy();
    policy.variable = variables;
    let inside_refused = open(spec(&server, json!({})), &policy).unwrap_err();
    assert!(matches!(inside_refused, SourceFault::Denied { .. }), "{inside_refused}");
    policy.egress = inside();
    let source = open(spec(&server, json!({ "include": ["*.md"] })), &policy).unwrap();
    let first = source.list(later()).await.unwrap();
    assert_eq!(paths(&first), ["a.md", "deep/b.md"]);
    let a = first.documents.iter().find(|listed| listed.path == "a.md").unwrap();
    assert_eq!(bytes(&source, a).await, b"alpha");
    assert_eq!(a.uri, format!("s3://{}/handbook/a.md", S3Server::BUCKET));

    put(&server, "handbook/a.md", "changed").await;
    let second = source.list(later()).await.unwrap();
    let prints = |listing: &Listing, path: &str| {
        listing.documents.iter().find(|listed| listed.path == path).and_then(|listed| listed.fingerprint.clone()).unwrap()
    };
    assert_ne!(prints(&first, "a.md"), prints(&second, "a.md"));
    assert_eq!(prints(&first, "deep/b.md"), prints(&second, "deep/b.md"));

    let wrong =
        json!({ "credentials": { "access_key_env": "MAINSPRING_SOURCE_KEY", "secret_key_env": "MAINSPRING_SOURCE_WRONG" } });
    let fault = open(spec(&server, wrong), &policy).unwrap().list(later()).await.unwrap_err();
    assert!(matches!(fault, SourceFault::Unauthorized { .. }), "{fault}");

    server.stop();
    let impatient = tokio::time::timeout(std::time::Duration::from_secs(60), source.list(later())).await;
    assert!(impatient.is_err() || impatient.unwrap().is_err(), "a server that is away is no empty bucket");
}
