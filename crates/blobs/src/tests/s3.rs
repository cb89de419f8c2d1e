//! Blobs on a real S3 server. One test, so that the server starts once.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mainspring_kernel::Digest;
use mainspring_testservers::s3::S3Server;
use object_store::{ObjectStoreExt as _, aws::AmazonS3Builder, path::Path};
use secrecy::SecretString;

use crate::{BlobFault, Blobs, S3Location};

const PREFIX: &str = "some/prefix";

fn location(server: &S3Server) -> S3Location {
    S3Location {
        bucket: S3Server::BUCKET.to_owned(),
        prefix: PREFIX.to_owned(),
        endpoint: Some(server.endpoint()),
        region: S3Server::REGION.to_owned(),
        access_key: Some(S3Server::ACCESS_KEY.to_owned()),
        secret_key: Some(SecretString::from(S3Server::SECRET_KEY)),
        session_token: None,
        allow_http: true,
    }
}

/// Writes past the door of `Blobs`, as a person with a console might.
async fn overwrite(server: &S3Server, digest: &Digest, bytes: &'static [u8]) {
    let store = AmazonS3Builder::new()
        .with_bucket_name(S3Server::BUCKET)
        .with_region(S3Server::REGION)
        .with_endpoint(server.endpoint())
        .with_access_key_id(S3Server::ACCESS_KEY)
        .with_secret_access_key(S3Server::SECRET_KEY)
        .with_allow_http(true)
        .build()
        .unwrap();
    let hex = digest.hex();
    let key = Path::from(format!("{PREFIX}/sha256/{}/{hex}", &hex[..2]));
    store.head(&key).await.unwrap();
    store.put(&key, bytes.into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_on_s3_come_back_and_survive_the_server() {
    let mut server = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let blobs = Blobs::s3(&location(&server)).unwrap();
    blobs.ping().await.unwrap();
    let hello = blobs.put(Bytes::from_static(b"hello")).await.unwrap();
    let large = Bytes::from(vec![3; 3 << 20]);
    let large_one = blobs.put(large.clone()).await.unwrap();
    assert_eq!(blobs.put(large.clone()).await.unwrap(), large_one);
    assert_eq!(blobs.get(&hello).await.unwrap(), "hello");
    let mut sizes: Vec<u64> = blobs.list(10).await.unwrap().iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 3 << 20]);

    // A damaged one is not handed out, and is mended when it is stored again.
    for damage in [&b"hellO"[..], b"hell"] {
        overwrite(&server, &hello, damage).await;
        assert!(matches!(blobs.get(&hello).await, Err(BlobFault::Damaged { .. })), "{damage:?}");
        blobs.put(Bytes::from_static(b"hello")).await.unwrap();
        assert_eq!(blobs.get(&hello).await.unwrap(), "hello");
    }
    overwrite(&server, &large_one, b"short").await;
    blobs.put(large.clone()).await.unwrap();
    assert_eq!(blobs.get(&large_one).await.unwrap(), large);

    server.stop();
    let began = Instant::now();
    let other = Bytes::from_static(b"other");
    for outcome in [
        blobs.put(other.clone()).await.map(drop),
        blobs.get(&hello).await.map(drop),
        blobs.has(&hello).await.map(drop),
        blobs.delete(&hello).await,
        blobs.list(10).await.map(drop),
        blobs.ping().await,
    ] {
        assert!(matches!(outcome, Err(BlobFault::Unavailable(_))), "{outcome:?}");
    }
    // Six questions, each of which may try for some seconds; nobody waits for minutes.
    assert!(began.elapsed() < Duration::from_secs(180), "{:?}", began.elapsed());
    server.restart().unwrap();
    once_back(&blobs).await;
    assert_eq!(blobs.get(&hello).await.unwrap(), "hello");
    let stored = blobs.put(other).await.unwrap();
    assert_eq!(blobs.get(&stored).await.unwrap(), "other");
    blobs.delete(&hello).await.unwrap();
    blobs.delete(&hello).await.unwrap();
    assert!(matches!(blobs.get(&hello).await, Err(BlobFault::Missing { .. })));

    let denied = Blobs::s3(&S3Location { secret_key: Some(SecretString::from("wrong")), ..location(&server) }).unwrap();
    assert!(matches!(denied.ping().await, Err(BlobFault::Unavailable(_))));
}

/// The server takes requests before its volumes are back, and answers 500 until then.
async fn once_back(blobs: &Blobs) {
    for _ in 0..60 {
        if blobs.list(10).await.is_ok() && blobs.put(Bytes::from_static(b"back")).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the store does not work again");
}
