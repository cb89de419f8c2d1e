//! Known answers: AWS's documentation and its published test suite, whose requests are all signed with one key on
//! 30 August 2015 for the service `service` in us-east-1.

use http::{HeaderMap, Method};
use mainspring_kernel::Timestamp;
use secrecy::SecretString;

use super::{ACCESS_KEY, CLAUDE, SECRET_KEY, encoded, endpoint, hello};
use crate::{
    bedrock::{
        Bedrock,
        sigv4::{Request, Scope, authorization, canonical, canonical_path, signing_key},
    },
    fault::FaultClass,
    seam::{Adapter, Endpoint, Outgoing},
};

const STAMP: &str = "20150830T123600Z";
const HOST: (&str, &str) = ("Host", "example.amazonaws.com");
const DATE: (&str, &str) = ("X-Amz-Date", STAMP);

fn suite() -> Scope<'static> {
    Scope { stamp: STAMP, region: "us-east-1", service: "service" }
}

#[test]
fn the_signing_key_is_the_documented_one() {
    let iam = |stamp: &'static str| Scope { stamp, region: "us-east-1", service: "iam" };
    for (stamp, want) in [
        ("20120215T000000Z", "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"),
        (STAMP, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"),
    ] {
        assert_eq!(hex::encode(signing_key(iam(stamp), SECRET_KEY)), want);
    }
}

#[test]
fn the_documented_request_has_its_documented_signature() {
    let request = Request {
        method: "GET",
        path: "/",
        query: "Action=ListUsers&Version=2010-05-08",
        headers: vec![
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("Host", "iam.amazonaws.com"),
            ("X-Amz-Date", STAMP),
        ],
        body: b"",
    };
    let scope = Scope { stamp: STAMP, region: "us-east-1", service: "iam" };
    assert_eq!(
        authorization(&request, scope, ACCESS_KEY, SECRET_KEY),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
}

#[track_caller]
fn signed(name: &str, target: &str, more: &[(&'static str, &'static str)], body: &[u8], want: &str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method = if name.starts_with("post") { "POST" } else { "GET" };
    let headers = [&[HOST, DATE][..], more].concat();
    let request = Request { method, path, query, headers, body };
    let got = authorization(&request, suite(), ACCESS_KEY, SECRET_KEY);
    assert_eq!(got.rsplit('=').next(), Some(want), "{name}: {}", canonical(&request).0);
}

#[test]
fn the_published_suite_is_signed_alike() {
    let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    signed("get-vanilla", "/", &[], b"", vanilla);
    signed("get-slash-dot-slash-normalized", "/./", &[], b"", vanilla);
    signed("get-relative-normalized", "/example/..", &[], b"", vanilla);
    signed("get-relative-relative-normalized", "/example1/example2/../..", &[], b"", vanilla);
    signed("get-slashes-normalized", "//example//", &[], b"", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84");
    signed(
        "get-space-normalized",
        "/example space/",
        &[],
        b"",
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    );
    signed("get-utf8", "/ሴ", &[], b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
    let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let path = format!("/{unreserved}");
    signed("get-unreserved", &path, &[], b"", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f");
    let query = format!("/?{unreserved}={unreserved}");
    signed("get-vanilla-query-unreserved", &query, &[], b"", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197");
    signed("get-vanilla-utf8-query", "/?ሴ=bar", &[], b"", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04");
    let one = "/?Param1=value1";
    signed("get-vanilla-empty-query-key", one, &[], b"", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb");
    let two = "/?Param2=value2&Param1=value1";
    signed("get-vanilla-query-order-key-case", two, &[], b"", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    let coded = "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1";
    signed(
        "get-vanilla-query-order-encoded",
        coded,
        &[],
        b"",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    );
    signed("post-vanilla", "/", &[], b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    signed("post-vanilla-query", one, &[], b"", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11");
}

#[test]
fn headers_of_the_published_suite_are_signed_alike() {
    let value = |value| ("My-Header1", value);
    let duplicate = [value("value2"), value("value2"), value("value1")];
    signed("get-header-key-duplicate", "/", &duplicate, b"", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
    let order = [value("value4"), value("value1"), value("value3"), value("value2")];
    signed("get-header-value-order", "/", &order, b"", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01");
    let trim = [value(" value1"), ("My-Header2", " \"a   b   c\"")];
    signed("get-header-value-trim", "/", &trim, b"", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
    signed(
        "post-header-key-sort",
        "/",
        &[value("value1")],
        b"",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    );
    let token = [("X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")];
    signed(
        "get-vanilla-with-session-token",
        "/",
        &token,
        b"",
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    );
    let form = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", "13"),
        ("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
    ];
    let want = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b";
    signed("post-x-www-form-urlencoded", "/", &form, b"Param1=value1", want);
}

#[test]
fn the_path_is_encoded_once_more_than_it_is_sent() {
    let outgoing = encoded(CLAUDE, &hello()).unwrap().outgoing;
    assert_eq!(outgoing.uri.path(), "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    assert_eq!(canonical_path(outgoing.uri.path()), "/model/anthropic.claude-sonnet-4-5-20250929-v1%253A0/converse");
    let profile = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0";
    let outgoing = encoded(profile, &hello()).unwrap().outgoing;
    let want =
        "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0/converse";
    assert_eq!(outgoing.uri.path(), want);
}

fn authorized(endpoint: &Endpoint) -> Outgoing {
    let mut outgoing = Bedrock.encode(endpoint, &hello()).unwrap().outgoing;
    Bedrock.authorize(endpoint, &mut outgoing, Timestamp::parse("2015-08-30T12:36:00.900Z").unwrap()).unwrap();
    outgoing
}

fn signature(headers: &HeaderMap) -> String {
    headers["authorization"].to_str().unwrap().to_owned()
}

#[test]
fn a_request_is_signed_as_it_is_sent() {
    let mut endpoint = endpoint(CLAUDE);
    endpoint.headers.insert("x-trace".into(), "not signed".into());
    let outgoing = authorized(&endpoint);
    let request = Request {
        method: "POST",
        path: outgoing.uri.path(),
        query: "",
        headers: vec![
            ("content-type", "application/json"),
            ("host", "bedrock-runtime.eu-central-1.amazonaws.com"),
            ("x-amz-date", STAMP),
        ],
        body: &outgoing.body,
    };
    let scope = Scope { stamp: STAMP, region: "eu-central-1", service: "bedrock" };
    assert_eq!(signature(&outgoing.headers), authorization(&request, scope, ACCESS_KEY, SECRET_KEY));
    assert_eq!((outgoing.method.clone(), &outgoing.headers["x-amz-date"]), (Method::POST, &STAMP.parse().unwrap()));
    assert!(!format!("{outgoing:?}").contains(ACCESS_KEY));
    // Another body, another signature.
    let mut other = Outgoing { body: "{}".into(), ..outgoing.clone() };
    Bedrock.authorize(&endpoint, &mut other, Timestamp::parse("2015-08-30T12:36:00Z").unwrap()).unwrap();
    assert_ne!(signature(&other.headers), signature(&outgoing.headers));
}

#[test]
fn a_session_is_signed_and_sent() {
    let mut endpoint = endpoint(CLAUDE);
    endpoint.session_token = Some(SecretString::from("FwoGZXIvYXdzEXAMPLE"));
    let outgoing = authorized(&endpoint);
    assert_eq!(outgoing.headers["x-amz-security-token"], "FwoGZXIvYXdzEXAMPLE");
    assert!(signature(&outgoing.headers).contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"));
    assert!(!format!("{outgoing:?}").contains("FwoGZ"));
}

#[test]
fn the_region_may_stand_in_the_address_and_must_stand_somewhere() {
    let mut endpoint = endpoint(CLAUDE);
    endpoint.region = None;
    assert!(signature(&authorized(&endpoint).headers).contains("/eu-central-1/bedrock/aws4_request"));
    endpoint.base_url = "http://127.0.0.1:8900".into();
    let mut outgoing = Bedrock.encode(&endpoint, &hello()).unwrap().outgoing;
    let fault = Bedrock.authorize(&endpoint, &mut outgoing, Timestamp::default()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Auth);
    assert!(!fault.to_string().contains(SECRET_KEY));
}

#[test]
fn a_key_alone_is_a_bearer() {
    let mut endpoint = endpoint(CLAUDE);
    endpoint.secret_key = None;
    endpoint.credential = Some(SecretString::from("bedrock-api-key-YWJj\n"));
    let outgoing = authorized(&endpoint);
    assert_eq!(outgoing.headers["authorization"], "Bearer bedrock-api-key-YWJj");
    assert!(!outgoing.headers.contains_key("x-amz-date"));
    assert!(!format!("{outgoing:?}").contains("YWJj"));
    endpoint.credential = None;
    assert!(!authorized(&endpoint).headers.contains_key("authorization"));
    endpoint.secret_key = Some(SecretString::from(SECRET_KEY));
    let mut outgoing = Bedrock.encode(&endpoint, &hello()).unwrap().outgoing;
    assert_eq!(Bedrock.authorize(&endpoint, &mut outgoing, Timestamp::default()).unwrap_err().class, FaultClass::Auth);
}
