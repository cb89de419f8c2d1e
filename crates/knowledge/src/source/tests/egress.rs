use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use url::Url;

use super::{EgressPolicy, SourceFault, inside};
use crate::source::{
    Egress,
    egress::{Answer, Validators},
};

/// What servers were asked for.
#[derive(Debug, Default)]
pub(super) struct Load {
    now: AtomicUsize,
    most: AtomicUsize,
    asked: AtomicUsize,
}

impl Load {
    fn comes(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    }

    fn goes(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    /// The most requests that waited for their answers at the same time.
    pub(super) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// How many requests came in all.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Answers every request with what `answer` makes of its path.
pub(super) async fn serve(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> u16 {
    serve_slowly(&Arc::default(), |_| Duration::ZERO, answer).await
}

/// The same after a pause, which may be another one for each path.
#[expect(clippy::disallowed_methods, reason = "a server of a test ends with its runtime")]
pub(super) async fn serve_slowly(
    load: &Arc<Load>,
    pause: impl Fn(&str) -> Duration + Send + Sync + 'static,
    answer: impl Fn(&str, &str) -> String + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (load, does) = (load.clone(), Arc::new((pause, answer)));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (load, does) = (load.clone(), does.clone());
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
                let (pause, answer) = &*does;
                load.comes();
                tokio::time::sleep(pause(&path)).await;
                load.goes();
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
async fn where_a_cloud_hands_out_credentials_nothing_is_fetched_whatever_is_allowed() {
    let named = EgressPolicy { allow_hosts: vec!["169.254.169.254".into()], ..EgressPolicy::default() };
    for policy in [inside(), named] {
        let egress = Egress::new(policy).unwrap();
        for host in ["169.254.169.254", "0xa9fea9fe", "[::ffff:169.254.169.254]", "168.63.129.16", "[fd00:ec2::254]"] {
            let url = format!("http://{host}/latest/meta-data/iam/");
            let fault = get(&egress, &url).await.unwrap_err();
            assert!(matches!(fault, SourceFault::Denied { .. }), "{host}: {fault}");
            let fault = egress.resolve(&Url::parse(&url).unwrap()).await.unwrap_err();
            assert!(matches!(fault, SourceFault::Denied { .. }), "{host}: {fault}");
        }
    }
    let port = serve(|_, _| redirect("http://169.254.169.254/latest/")).await;
    let fault = get(&Egress::new(inside()).unwrap(), &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(fault, SourceFault::Denied { .. }), "{fault}");
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
    assert_eq!(code("429").await, Err("source-busy"));
    assert_eq!(code("503").await, Err("source-unreachable"), "nobody said that it will be back");
    assert_eq!(code("304").await, Err("source-unreachable"), "nobody asked whether it had changed");
    let url = Url::parse(&format!("http://127.0.0.1:{port}/304")).unwrap();
    let known = Validators { etag: Some("\"e\"".into()), last_modified: None };
    assert!(matches!(egress.get(&url, &known, 1000).await.unwrap(), Answer::NotModified));
}
