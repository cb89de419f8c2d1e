//! Where connections may go, and whom they trust.

use std::sync::Arc;

use mainspring_kernel::Fault as _;
use mainspring_testservers::upstream::{Certificate, Options, Script, Upstream};

use super::{ENOUGH, ask, patient, socket};
use crate::{FaultClass, Socket, SocketConfig, SocketFault, UpstreamFault};

async fn refused(socket: &Socket, url: &str) -> UpstreamFault {
    let fault = ask(socket, url, "m", false, patient()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Connect, "{url}: {}", fault.message);
    fault
}

#[tokio::test]
async fn the_inside_is_refused_however_it_is_named() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let (careful, port) = (Socket::new(SocketConfig::default()).unwrap(), upstream.port());
    for host in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0x7f000001", "10.0.0.1", "192.168.0.1", "0.0.0.0"]
    {
        let fault = refused(&careful, &format!("http://{host}:{port}")).await;
        let bare = host.trim_matches(['[', ']']);
        assert!(fault.message.contains(&format!("`{bare}` is an address of the inside")), "{host}: {}", fault.message);
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn places_with_credentials_of_machines_stay_refused_when_the_inside_is_allowed() {
    let names = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"];
    let trusting = SocketConfig { allow_hosts: names.map(str::to_owned).to_vec(), ..SocketConfig::default() };
    for socket in [socket(), Socket::new(trusting).unwrap()] {
        for host in ["169.254.169.254", "169.254.170.2", "100.100.100.200", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"] {
            let fault = refused(&socket, &format!("http://{host}/latest")).await;
            assert!(fault.message.contains("is an address of the inside"), "{}", fault.message);
        }
    }
}

#[tokio::test]
async fn a_host_that_is_allowed_by_name_is_reached() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let socket = Socket::new(SocketConfig { allow_hosts: vec!["LocalHost".into()], ..SocketConfig::default() }).unwrap();
    let url = format!("http://localhost:{}", upstream.port());
    assert!(ask(&socket, &url, "m", false, patient()).await.unwrap().status.is_success());
    refused(&socket, &upstream.url()).await;
}

fn secure(certificate: Certificate) -> (Upstream, Arc<Certificate>) {
    let certificate = Arc::new(certificate);
    let options = Options { certificate: Some(certificate.clone()), ..Options::default() };
    (Upstream::start_with(Script::default(), &options).unwrap(), certificate)
}

fn trusting(certificate: &Certificate) -> Socket {
    let authorities = Some(certificate.path());
    Socket::new(SocketConfig { allow_private: true, authorities, ..SocketConfig::default() }).unwrap()
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let (upstream, _) = secure(Certificate::for_localhost().unwrap());
    let fault = refused(&socket(), &upstream.url()).await;
    assert!(fault.message.contains("its certificate is signed by nobody this server trusts"), "{}", fault.message);
    assert_eq!((upstream.count(), fault.code()), (0, "upstream-connect"));
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let (upstream, certificate) = secure(Certificate::for_another_name().unwrap());
    let fault = refused(&trusting(&certificate), &upstream.url()).await;
    assert!(fault.message.contains("its certificate is for another name"), "{}", fault.message);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_certificate_of_an_authority_is_no_servers() {
    let (upstream, certificate) = secure(Certificate::for_an_authority().unwrap());
    let fault = refused(&trusting(&certificate), &upstream.url()).await;
    assert!(fault.message.ends_with("its certificate is one of an authority, which no server may show"), "{}", fault.message);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_authority_that_was_named_is_trusted() {
    let (upstream, certificate) = secure(Certificate::for_localhost().unwrap());
    for url in [upstream.url(), format!("https://localhost:{}", upstream.port())] {
        let mut answer = ask(&trusting(&certificate), &url, "m", true, patient()).await.unwrap();
        assert!(answer.whole(ENOUGH).await.unwrap().ends_with(b"[DONE]\n\n"));
    }
}

#[test]
fn a_socket_that_cannot_be_made_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let (missing, empty) = (dir.path().join("missing"), dir.path().join("empty"));
    std::fs::write(&empty, "no certificate").unwrap();
    for path in [missing, empty] {
        let fault = Socket::new(SocketConfig { authorities: Some(path.clone()), ..SocketConfig::default() }).unwrap_err();
        assert!(fault.code() == "socket-authorities" && fault.to_string().contains(&path.display().to_string()), "{fault}");
    }
    let fault = Socket::new(SocketConfig { user_agent: "a\nb".into(), ..SocketConfig::default() }).unwrap_err();
    assert!(matches!(fault, SocketFault::UserAgent { .. }));
}
