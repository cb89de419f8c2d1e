use std::{
    fs,
    os::unix::fs::symlink,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use mainspring_kernel::{Fault, Name, Timestamp, id::ProjectId};
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{Allowed, CredentialFault, CredentialRef, Credentials, SecretSource};
use crate::{Endpoint, Outgoing, ProviderKind};

const KEY: &str = "sk-live-4f9a1c77d0e84b6e9b1d";

fn project() -> ProjectId {
    static PROJECT: LazyLock<ProjectId> = LazyLock::new(|| ProjectId::new(Timestamp::from_micros(1_700_000_000_000_000)));
    *PROJECT
}

fn reference(text: &str) -> CredentialRef {
    text.parse().unwrap()
}

async fn resolve(credentials: &Credentials, text: &str) -> Result<String, &'static str> {
    let found = credentials.resolve(project(), &reference(text)).await;
    found.map(|key| key.expose_secret().to_owned()).map_err(|fault| fault.code())
}

#[test]
fn a_reference_is_read_and_written_as_text() {
    for text in ["env:OPENAI_API_KEY", "env:_x1", "file:/run/secrets/openai", "file:/a b/c", "secret:openai", "secret:a.b-c_1"] {
        let read = reference(text);
        assert_eq!(read.to_string(), text);
        assert_eq!(serde_json::to_value(&read).unwrap(), json!(text));
        assert_eq!(serde_json::from_value::<CredentialRef>(json!(text)).unwrap(), read);
    }
}

#[track_caller]
fn refused(text: &str, code: &str) {
    let fault = text.parse::<CredentialRef>().unwrap_err();
    assert_eq!(fault.code(), code, "{text}");
    assert!(fault.hint().is_some(), "{text}");
}

#[test]
fn what_is_no_reference_is_refused_with_a_hint() {
    for text in
        ["", ":", "env:", "env:A B", "env:1A", "file:", "file:run/secret", "secret:", "secret:No", "vault:x", "https://a.b/c"]
    {
        refused(text, "credential-not-a-reference");
    }
    let fault = "OPENAI_API_KEY".parse::<CredentialRef>().unwrap_err();
    assert_eq!(fault.hint().unwrap(), "write `env:OPENAI_API_KEY` for the variable of that name");
    let password = "hunter2".parse::<CredentialRef>().unwrap_err();
    assert!(!format!("{password:?} {password} {:?}", password.hint()).contains("hunter2"));
}

#[test]
fn a_key_written_where_its_place_belongs_is_refused_and_not_repeated() {
    for key in [
        KEY,
        "sk-ant-api03-aaaaaaaaaaaaaaaaaaaa",
        "gsk_0123456789abcdefghij",
        "AIzaSyA-0123456789abcdefghijklmnopqrstu",
        "AKIAIOSFODNN7EXAMPLE",
        "0123456789abcdef0123456789abcdef",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
        "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
    ] {
        for text in [key.to_owned(), format!("env:{key}"), format!("secret:{key}"), format!("openai:{key}")] {
            refused(&text, "credential-is-a-key");
            let fault = text.parse::<CredentialRef>().unwrap_err();
            let shown = format!("{fault:?} {fault} {:?}", fault.hint());
            let read = serde_json::from_value::<CredentialRef>(json!(text)).unwrap_err();
            assert!(!shown.contains(key) && !read.to_string().contains(key), "{shown} {read}");
        }
    }
}

#[test]
fn names_that_only_resemble_keys_are_taken() {
    for text in
        ["env:ASIA_REGION_OPENAI_API_KEY", "env:HF_TOKEN", "env:SK", "secret:sk-team", "secret:the-key-of-our-openai-account-2"]
    {
        reference(text);
    }
}

#[tokio::test]
async fn a_variable_is_read_when_it_is_used() {
    let credentials = Credentials::default().with_environment(|name| match name {
        "SET" => Some("key\n".into()),
        "EMPTY" => Some("\r\n".into()),
        "BROKEN" => Some("two\nlines".into()),
        _ => None,
    });
    assert_eq!(resolve(&credentials, "env:SET").await, Ok("key".to_owned()));
    assert_eq!(resolve(&credentials, "env:EMPTY").await, Err("credential-empty"));
    assert_eq!(resolve(&credentials, "env:BROKEN").await, Err("credential-not-text"));
    assert_eq!(resolve(&credentials, "env:UNSET").await, Err("credential-no-variable"));
    let of_the_process = std::env::var("PATH").unwrap();
    assert_eq!(resolve(&Credentials::default(), "env:PATH").await, Ok(of_the_process));
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("key"), dir.path().join("other"));
    let text = format!("file:{}", path.display());
    let credentials = Credentials::default();
    assert_eq!(resolve(&credentials, &text).await, Err("credential-unreadable"));
    fs::write(&path, "first\r\n\n").unwrap();
    assert_eq!(resolve(&credentials, &text).await, Ok("first".to_owned()));
    fs::write(&path, "the second").unwrap();
    assert_eq!(resolve(&credentials, &text).await, Ok("the second".to_owned()));
    fs::remove_file(&path).unwrap();
    assert_eq!(resolve(&credentials, &text).await, Err("credential-unreadable"));
    // Mounted secrets change by a link that comes to lead elsewhere.
    fs::write(&other, "the third one").unwrap();
    symlink(&other, &path).unwrap();
    assert_eq!(resolve(&credentials, &text).await, Ok("the third one".to_owned()));
}

#[tokio::test]
async fn a_file_that_has_not_changed_is_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, "kept").unwrap();
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    let text = format!("file:{}", path.display());
    let credentials = Credentials::default();
    assert_eq!(resolve(&credentials, &text).await, Ok("kept".to_owned()));
    fs::write(&path, "lost").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    assert_eq!(resolve(&credentials, &text).await, Ok("kept".to_owned()));
}

#[tokio::test]
async fn a_file_that_is_no_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = Credentials::default();
    for (content, code) in [
        (vec![b'x'; 70_000], "credential-too-large"),
        (Vec::new(), "credential-empty"),
        (b"\n\n".to_vec(), "credential-empty"),
        (b"a\xffb".to_vec(), "credential-not-text"),
        ("schlüssel".into(), "credential-not-text"),
        (b"-----BEGIN KEY-----\nabc\n-----END KEY-----\n".to_vec(), "credential-not-text"),
    ] {
        let path = dir.path().join("key");
        fs::write(&path, content).unwrap();
        assert_eq!(resolve(&credentials, &format!("file:{}", path.display())).await, Err(code));
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(resolve(&credentials, "file:/dev/zero").await, Err("credential-unreadable"));
    assert_eq!(resolve(&credentials, &format!("file:{}", dir.path().display())).await, Err("credential-unreadable"));
}

#[tokio::test]
async fn a_server_says_what_specs_may_refer_to() {
    let environment = |_: &str| Some(std::ffi::OsString::from("key"));
    let anything = Credentials::default().with_environment(environment);
    assert_eq!(resolve(&anything, "env:OPENAI_API_KEY").await, Ok("key".to_owned()));
    assert_eq!(resolve(&anything, "env:MAINSPRING_CATALOG").await, Err("credential-not-allowed"));

    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("a"), "a key").unwrap();
    fs::write(dir.path().join("b"), "no key").unwrap();
    let allowed = Allowed { variables: Some(vec!["OPENAI_*".into(), "ONE".into()]), folders: Some(vec![keys.clone()]) };
    let some = Credentials::default().with_environment(environment).with_allowed(allowed);
    for (text, want) in [
        ("env:OPENAI_API_KEY".to_owned(), Ok("key".to_owned())),
        ("env:ONE".to_owned(), Ok("key".to_owned())),
        ("env:ONE_MORE".to_owned(), Err("credential-not-allowed")),
        ("env:PATH".to_owned(), Err("credential-not-allowed")),
        (format!("file:{}/a", keys.display()), Ok("a key".to_owned())),
        (format!("file:{}/b", dir.path().display()), Err("credential-not-allowed")),
        (format!("file:{}/../b", keys.display()), Err("credential-not-allowed")),
        ("file:/etc/hostname".to_owned(), Err("credential-not-allowed")),
    ] {
        assert_eq!(resolve(&some, &text).await, want, "{text}");
    }
}

#[derive(Debug)]
struct Store;

#[async_trait]
impl SecretSource for Store {
    async fn get(&self, asked: ProjectId, name: &Name) -> Result<Option<SecretString>, Box<dyn Fault>> {
        match name.as_str() {
            "mine" if asked == project() => Ok(Some("of the project".into())),
            "broken" => Err(Box::new(CredentialFault::IsAKey)),
            _ => Ok(None),
        }
    }
}

#[tokio::test]
async fn secrets_come_from_the_store_of_the_project() {
    let without = Credentials::default();
    let fault = without.resolve(project(), &reference("secret:mine")).await.unwrap_err();
    assert_eq!(fault.code(), "credential-no-store");
    assert_eq!(fault.to_string(), "`secret:mine` cannot be looked up: this server has no secret store");

    let with = Credentials::default().with_store(Arc::new(Store));
    assert_eq!(resolve(&with, "secret:mine").await, Ok("of the project".to_owned()));
    assert_eq!(resolve(&with, "secret:other").await, Err("credential-no-secret"));
    assert_eq!(resolve(&with, "secret:broken").await, Err("credential-store-failed"));
    let other = ProjectId::new(Timestamp::from_micros(1_800_000_000_000_000));
    let fault = with.resolve(other, &reference("secret:mine")).await.unwrap_err();
    assert_eq!(fault.code(), "credential-no-secret");
}

#[tokio::test]
async fn nothing_that_can_be_printed_shows_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, KEY).unwrap();
    let credentials = Credentials::default().with_environment(|_| Some(KEY.into()));
    let file = CredentialRef::File(path);
    let key = credentials.resolve(project(), &file).await.unwrap();
    assert_eq!(key.expose_secret(), KEY);
    let endpoint = Endpoint {
        credential: Some(key.clone()),
        secret_key: Some(key.clone()),
        session_token: Some(key.clone()),
        ..Endpoint::new("openai".parse().unwrap(), ProviderKind::OpenAi, "https://api.openai.com/v1", "gpt-5")
    };
    let mut headers = http::HeaderMap::new();
    let mut value = http::HeaderValue::from_str(&format!("Bearer {KEY}")).unwrap();
    value.set_sensitive(true);
    headers.insert(http::header::AUTHORIZATION, value);
    let outgoing = Outgoing { method: http::Method::POST, uri: http::Uri::from_static("http://a/b"), headers, body: "{}".into() };
    let shown = format!("{credentials:?} {endpoint:?} {endpoint:#?} {outgoing:?} {file:?} {file} {key:?}");
    assert!(!shown.contains(KEY) && !shown.contains("4f9a1c77"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|(env|file|secret):\\PC{0,40}") {
        if let Ok(read) = text.parse::<CredentialRef>() {
            prop_assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn bytes_of_any_kind_are_a_key_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, &bytes).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Ok(key) = runtime.block_on(Credentials::default().resolve(project(), &CredentialRef::File(path))) {
            let text = key.expose_secret();
            prop_assert!(!text.is_empty() && http::HeaderValue::from_str(text).is_ok());
        }
    }
}
