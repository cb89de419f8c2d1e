//! `s3:` places, on a real S3 server.

use std::collections::BTreeMap;

use mainspring_testservers::s3::S3Server;
use object_store::{ObjectStoreExt as _, aws::AmazonS3Builder, path::Path};

use super::pulling::{content, list};
use crate::{Hosts, Role, S3Access, Weights, WeightsFault};

fn access(server: &S3Server, secret: &str) -> S3Access {
    let variables = [
        ("AWS_ENDPOINT_URL", server.endpoint()),
        ("AWS_ACCESS_KEY_ID", S3Server::ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ("AWS_REGION", S3Server::REGION.to_owned()),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
    ];
    S3Access::of(BTreeMap::from(variables).into_iter().map(|(name, value)| (name.to_owned(), value)))
}

#[tokio::test]
async fn a_file_of_a_bucket_is_fetched_with_the_keys_and_not_without() {
    let server = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let body = content(300_000);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bucket = AmazonS3Builder::new()
        .with_bucket_name(S3Server::BUCKET)
        .with_endpoint(server.endpoint())
        .with_region(S3Server::REGION)
        .with_access_key_id(S3Server::ACCESS_KEY)
        .with_secret_access_key(S3Server::SECRET_KEY)
        .with_allow_http(true)
        .build()
        .unwrap();
    bucket.put(&Path::from("models/m.gguf"), body.clone().into()).await.unwrap();

    let place = format!("s3://{}/models/m.gguf", S3Server::BUCKET);
    let dir = tempfile::tempdir().unwrap();
    let open = |secret: &str| {
        let hosts = Hosts { s3: access(&server, secret), ..Hosts::public().unwrap() };
        Weights::open_with(dir.path(), list("m", &body, std::slice::from_ref(&place)), hosts).unwrap()
    };
    let fault = open("another secret").pull("m", |_| ()).await.unwrap_err();
    assert!(matches!(&fault, WeightsFault::Unreachable { tried, .. } if tried[0].place == place), "{fault}");
    let said = format!("{fault} {:?}", access(&server, "another secret"));
    assert!(!said.contains("Signature") && !said.contains("another secret"), "{said}");
    let installed = open(S3Server::SECRET_KEY).pull("m", |_| ()).await.unwrap();
    assert_eq!(std::fs::read(installed.path(Role::Model).unwrap()).unwrap(), body);
}

#[tokio::test]
async fn without_keys_a_bucket_is_asked_as_everybody_may() {
    let address = async |variables: &[(&str, &str)]| {
        let access = S3Access::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        access.address("team", "models/m.gguf").await.unwrap()
    };
    assert_eq!(address(&[]).await, "https://s3.us-east-1.amazonaws.com/team/models/m.gguf");
    assert_eq!(address(&[("AWS_ENDPOINT_URL", "http://store:9000/")]).await, "http://store:9000/team/models/m.gguf");
}
