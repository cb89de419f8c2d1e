//! Against a real S3 server.

use mainspring_testservers::s3::S3Server;
use object_store::{
    ObjectStoreExt as _,
    aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential},
    client::HttpRequest,
    path::Path,
};
use serde_json::json;

use super::*;
use crate::source::s3_listing;

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

/// Puts under a key as it is written, which the store's own client cannot.
async fn put_as_written(server: &S3Server, key: &str, text: &'static str) {
    let credential =
        AwsCredential { key_id: S3Server::ACCESS_KEY.to_owned(), secret_key: S3Server::SECRET_KEY.to_owned(), token: None };
    let address = format!("{}/{}/{key}", server.endpoint(), S3Server::BUCKET);
    let mut request = HttpRequest::new(text.to_owned().into());
    *request.method_mut() = reqwest::Method::PUT;
    *request.uri_mut() = address.parse().unwrap();
    AwsAuthorizer::new(&credential, "s3", S3Server::REGION).try_authorize(&mut request, None).unwrap();
    let sent = reqwest::Client::new().put(&address).headers(request.headers().clone()).body(text).send().await.unwrap();
    assert!(sent.status().is_success(), "{key}: {}", sent.status());
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_keys_neither_hide_others_nor_come_back_as_failures() {
    let server = S3Server::start().unwrap();
    Egress::new(EgressPolicy::default()).unwrap();
    for key in ["docs/2024-a.md", "docs/2024-deep/b.md", "docs/2023-c.md", "docs/sub/d.md", "docs/a b+c&d.md"] {
        put(&server, key, key).await;
    }
    put_as_written(&server, "docs/sub/", "").await;
    put_as_written(&server, "docs/empty/", "").await;
    put_as_written(&server, "docs//twice.md", "two slashes").await;
    let (mut policy, _work) = policy();
    (policy.variable, policy.egress) = (variables, inside());
    let of = |prefix: &str, policy: &SourcePolicy| open(spec(&server, json!({ "prefix": prefix })), policy).unwrap();

    let year = of("docs/2024-", &policy).list(later()).await.unwrap();
    assert_eq!(paths(&year), ["2024-a.md", "2024-deep/b.md"]);
    assert_eq!(
        paths(&of("docs", &policy).list(later()).await.unwrap()),
        paths(&of("docs/", &policy).list(later()).await.unwrap())
    );
    let all = of("docs/", &policy).list(later()).await.unwrap();
    // This server folds two slashes into one; others keep them, and the key cannot be fetched then.
    let plain: Vec<&str> = paths(&all).into_iter().filter(|path| !path.contains("twice")).collect();
    assert_eq!(plain, ["2023-c.md", "2024-a.md", "2024-deep/b.md", "a b+c&d.md", "sub/d.md"]);
    let source = of("docs/", &policy);
    for listed in all.documents.iter().filter(|listed| !listed.path.contains("twice")) {
        assert_eq!(bytes(&source, listed).await, format!("docs/{}", listed.path).into_bytes());
    }
    policy.max_documents = 3;
    let many = of("docs/", &policy).list(later()).await.unwrap_err();
    assert!(matches!(&many, SourceFault::Unusable { reason, .. } if reason.contains("more than 3 documents")), "{many}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_of_several_pages_is_read_to_its_end() {
    let server = S3Server::start().unwrap();
    Egress::new(EgressPolicy::default()).unwrap();
    let puts = (0..1005).map(|number| {
        let server = &server;
        async move { put(server, &format!("many/{number:04}.md"), "x").await }
    });
    futures::StreamExt::for_each_concurrent(futures::stream::iter(puts), 32, |put| put).await;
    let (mut policy, _work) = policy();
    (policy.variable, policy.egress) = (variables, inside());
    let listing = open(spec(&server, json!({ "prefix": "many/" })), &policy).unwrap().list(later()).await.unwrap();
    assert_eq!((listing.documents.len(), paths(&listing)[1004]), (1005, "1004.md"));
}

#[test]
fn a_page_of_a_listing_keeps_keys_as_they_are_written() {
    let page = br#"<?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>a//</Prefix>
        <Contents><Key>a//b &amp; c&#33;.md</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <ETag>&quot;e1&quot;</ETag><Size>7</Size><Owner><ID>me</ID></Owner></Contents>
        <Contents><Key>a/sub/</Key><Size>0</Size></Contents><Contents><Key> a </Key><Size>1</Size></Contents>
        <IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken></ListBucketResult>"#;
    let read = s3_listing::parse(page).unwrap();
    let keys: Vec<&str> = read.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!((keys, read.next.as_deref()), (vec!["a//b & c!.md", "a/sub/", " a "], Some("t+/=")));
    assert_eq!((read.objects[0].etag.as_deref(), read.objects[0].size), (Some("\"e1\""), 7));
    // What a server that knows only the first version of listings says of the next page.
    let first = b"<ListBucketResult><IsTruncated>true</IsTruncated><NextMarker>a</NextMarker></ListBucketResult>";
    assert_eq!(
        s3_listing::parse(b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
        Ok(Default::default())
    );
    for odd in [&page[..page.len() - 40], b"<html><body>hello</body></html>", b"", b"<ListBucketResult>", first] {
        assert!(s3_listing::parse(odd).is_err(), "{}", String::from_utf8_lossy(odd));
    }
}
