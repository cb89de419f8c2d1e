use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;
use reqwest::header::{self, HeaderMap, HeaderValue};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
    time::sleep,
};
use url::Url;

use super::{EgressPolicy, SourceFault, inside};
use crate::source::{
    Egress,
    egress::{Answer, Validators, retry_after},
};

/// What servers were asked for, and a gate that answers wait at.
#[derive(Debug, Default)]
pub(super) struct Load {
    now: AtomicUsize,
    most: AtomicUsize,
    asked: AtomicUsize,
    open: watch::Sender<bool>,
}

/// Longer than any request of a test is on its way.
const PATIENCE: Duration = Duration::from_secs(60);

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

    /// Lets out what waits at the gate, and all that comes after it.
    pub(super) fn open(&self) {
        self.open.send_replace(true);
    }

    async fn pass(&self) {
        // The sender is this very one, and stays.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }

    /// Waits until so many requests wait for their answers, and long enough for more to come where they may.
    pub(super) async fn holds(&self, count: usize) {
        until(|| self.now.load(Ordering::SeqCst) >= count).await;
        sleep(Duration::from_millis(50)).await;
    }

    /// Waits until so many requests came.
    pub(super) async fn has_come(&self, count: usize) {
        until(|| self.asked() >= count).await;
    }
}

async fn until(holds: impl Fn() -> bool) {
    let looking = async {
        while !holds() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("what was waited for did not come");
}

/// When an answer goes out.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    AtOnce,
    /// When the gate is open.
    Let,
}

/// Answers every request with what `answer` makes of its path.
pub(super) async fn serve(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> u16 {
    serve_under(&Arc::default(), |_| When::AtOnce, answer).await
}

/// The same, counted, and of each path when `when` says.
#[expect(clippy::disallowed_methods, reason = "a server of a test ends with its runtime")]
pub(super) async fn serve_under(
    load: &Arc<Load>,
    when: impl Fn(&str) -> When + Send + Sync + 'static,
    answer: impl Fn(&str, &str) -> String + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (load, does) = (load.clone(), Arc::new((when, answer)));
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
                let (when, answer) = &*does;
                load.comes();
                if matches!(when(&path), When::Let) {
                    load.pass().await;
                }
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

fn headers(retry_after: &str, date: Option<&str>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(retry_after).ok()?)]);
    headers.extend(date.map(|date| (header::DATE, HeaderValue::from_str(date).unwrap())));
    Some(headers)
}

#[test]
fn a_wait_is_told_in_seconds_or_as_a_date_by_the_clock_of_the_server() {
    let asked = |said: &str, date: Option<&str>| retry_after(&headers(said, date).unwrap()).map(|wait| wait.as_secs());
    let now = Some("Fri, 02 Jan 2026 03:04:05 GMT");
    assert_eq!(asked("7", None), Some(7));
    assert_eq!(asked(" 7 ", now), Some(7));
    assert_eq!(asked("Fri, 02 Jan 2026 03:04:15 GMT", now), Some(10));
    assert_eq!(asked("Fri, 02 Jan 2026 03:00:00 GMT", now), Some(0), "it is over");
    assert_eq!(asked("Fri, 02 Jan 2026 03:04:15 GMT", None), None, "by nobody's clock");
    assert_eq!(asked("soon", now), None);
    assert_eq!(asked("-1", now), None);
    assert_eq!(retry_after(&HeaderMap::new()), None);
}

proptest! {
    #[test]
    fn any_wait_is_read_or_passed_over(said in "[ -~]{0,40}") {
        let date = Some("Fri, 02 Jan 2026 03:04:05 GMT");
        let _ = headers(&said, date).map(|headers| retry_after(&headers));
    }
}
