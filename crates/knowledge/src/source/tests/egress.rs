use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use url::Url;

use super::{EgressPolicy, SourceFault, inside};
use crate::source::{
    Egress,
    egress::{Answer, Validators, is_public},
};

/// Answers every request with what `answer` makes of its path.
#[expect(clippy::disallowed_methods, reason = "a server of a test ends with its runtime")]
pub(super) async fn serve(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = std::sync::Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(count) => request.extend_from_slice(&buffer[..count]),
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let _ = stream.write_all(answer(&path, &request).as_bytes()).await;
            });
        }
    });
    port
}

pub(super) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
}

#[test]
fn addresses_of_the_inside_are_told_from_public_ones() {
    let check = |address: &str, want: bool| assert_eq!(is_public(address.parse().unwrap()), want, "{address}");
    for outside in
        ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::101:101"]
    {
        check(outside, true);
    }
    for inside in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.9.9.9",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
        "2001::1",
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "3fff::1",
        "4000::1",
        "100::1",
    ] {
        check(inside, false);
    }
}

proptest! {
    #[test]
    fn an_inner_address_is_inside_however_it_is_wrapped(a in any::<u8>(), b in any::<u8>(), c in any::<u8>()) {
        for inner in [Ipv4Addr::new(127, a, b, c), Ipv4Addr::new(10, a, b, c), Ipv4Addr::new(169, 254, b, c), Ipv4Addr::new(192, 168, b, c)] {
            let [w, x, y, z] = inner.octets();
            let (high, low) = (u16::from_be_bytes([w, x]), u16::from_be_bytes([y, z]));
            prop_assert!(!is_public(IpAddr::V4(inner)));
            for wrapped in [
                inner.to_ipv6_mapped(),
                inner.to_ipv6_compatible(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert!(!is_public(IpAddr::V6(wrapped)), "{wrapped}");
            }
        }
    }
}

async fn get(egress: &Egress, url: &str) -> Result<Answer, SourceFault> {
    egress.get(&Url::parse(url).unwrap(), &Validators::default(), 1000).await
}

#[tokio::test]
async fn the_inside_is_refused_however_it_is_named() {
    let port = serve(|_, _| ok("secret")).await;
    let egress = Egress::new(EgressPolicy::default()).unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0"] {
        let fault = get(&egress, &format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(matches!(fault, SourceFault::Denied { .. }), "{host}: {fault}");
    }
    let allowed = EgressPolicy { allow_hosts: vec!["localhost".into()], ..EgressPolicy::default() };
    let egress = Egress::new(allowed).unwrap();
    assert!(matches!(get(&egress, &format!("http://localhost:{port}/")).await.unwrap(), Answer::Body { .. }));
    assert!(get(&egress, &format!("http://127.0.0.1:{port}/")).await.is_err());
}

#[tokio::test]
async fn a_redirect_leads_no_further_than_the_policy() {
    let port = serve(|path, _| match path {
        "/start" => redirect("/end"),
        "/inside" => redirect("http://127.0.0.1:1/"),
        "/file" => redirect("file:///etc/passwd"),
        "/loop" => redirect("/loop"),
        _ => ok("end"),
    })
    .await;
    let policy = EgressPolicy { allow_hosts: vec!["localhost".into()], ..EgressPolicy::default() };
    let egress = Egress::new(policy).unwrap();
    assert!(matches!(get(&egress, &format!("http://localhost:{port}/start")).await.unwrap(), Answer::Body { .. }));
    for path in ["inside", "file", "loop"] {
        let fault = get(&egress, &format!("http://localhost:{port}/{path}")).await.unwrap_err();
        assert!(matches!(fault, SourceFault::Denied { .. }) || path == "file", "{path}: {fault}");
    }
}

#[tokio::test]
async fn bodies_are_cut_off_at_the_limit_whatever_is_announced() {
    let port = serve(|path, _| match path {
        "/announced" => ok(&"x".repeat(2000)),
        _ => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(2000)),
    })
    .await;
    let egress = Egress::new(inside()).unwrap();
    for path in ["announced", "unannounced"] {
        let fault = get(&egress, &format!("http://127.0.0.1:{port}/{path}")).await.unwrap_err();
        assert!(matches!(fault, SourceFault::TooLarge { limit: 1000, .. }), "{fault}");
    }
}

#[tokio::test]
async fn answers_are_told_apart() {
    let port = serve(|path, _| {
        let status = path.trim_start_matches('/').split('?').next().unwrap_or_default();
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    })
    .await;
    let egress = Egress::new(inside()).unwrap();
    let code = async |status: &str| {
        use mainspring_kernel::Fault as _;
        get(&egress, &format!("http://user:pass@127.0.0.1:{port}/{status}?secret=1")).await.map(drop).map_err(|fault| {
            assert!(!fault.to_string().contains("secret") && !fault.to_string().contains("pass"), "{fault}");
            fault.code()
        })
    };
    assert_eq!(code("404").await, Err("source-missing"));
    assert_eq!(code("410").await, Err("source-missing"));
    assert_eq!(code("401").await, Err("source-unauthorized"));
    assert_eq!(code("403").await, Err("source-unauthorized"));
    assert_eq!(code("500").await, Err("source-unreachable"));
    assert_eq!(code("304").await, Ok(()));
}
