//! Pages that are fetched several at a time: how many at once, in which order they come, and what a busy host is spared.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mainspring_kernel::Fault as _;
use serde_json::json;

use super::{
    egress::{Load, When, ok, serve, serve_under},
    *,
};

const LINKS: usize = 40;

fn page_of(path: &str) -> Option<usize> {
    path.strip_prefix("/docs/").and_then(|page| page.parse().ok())
}

/// Of the pages that the first one links to.
const fn at_the_gate(page: Option<usize>) -> When {
    if page.is_some() { When::Let } else { When::AtOnce }
}

/// A page that links to many others.
async fn star(load: &Arc<Load>, when: impl Fn(&str) -> When + Send + Sync + 'static) -> u16 {
    serve_under(load, when, |path, _| match path {
        "/docs/" => ok(&(0..LINKS).map(|page| format!("<a href=/docs/{page}>{page}</a>")).collect::<String>()),
        "/robots.txt" => ok("User-agent: *\nDisallow: /docs/7"),
        page => ok(&format!("<a href=/docs/>home</a> <a href='{page}/more'>more</a>")),
    })
    .await
}

/// The paths of its pages, as a crawl lists them that goes one by one.
fn whole_star() -> Vec<String> {
    let pages = (0..LINKS).filter(|page| *page != 7).map(|page| format!("127.0.0.1/docs/{page}"));
    std::iter::once("127.0.0.1/docs/".to_owned()).chain(pages).collect()
}

async fn crawled(ports: &[u16], extra: Value) -> Listing {
    let (mut policy, _work) = policy();
    policy.egress = inside();
    let urls: Vec<String> = ports.iter().map(|port| format!("http://127.0.0.1:{port}/docs/")).collect();
    let mut spec = json!({ "type": "web", "urls": urls, "follow": "path", "depth": 1 });
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    open(spec, &policy).unwrap().list(later()).await.unwrap()
}

/// As they were listed.
fn in_order(listing: &Listing) -> Vec<&str> {
    listing.documents.iter().map(|listed| listed.path.as_str()).collect()
}

#[tokio::test]
async fn pages_of_a_host_are_fetched_side_by_side() {
    for (extra, at_once) in [(json!({}), 4), (json!({ "per_host": 1 }), 1), (json!({ "per_host": 9 }), 9)] {
        let load = Arc::<Load>::default();
        let ports = [star(&load, |path| at_the_gate(page_of(path))).await];
        let held = async {
            load.holds(at_once).await;
            load.open();
        };
        let (listing, ()) = tokio::join!(crawled(&ports, extra), held);
        assert_eq!(load.most(), at_once);
        assert_eq!(in_order(&listing), whole_star());
        // The pages, and once what the site asks crawlers to leave alone.
        assert_eq!(load.asked(), whole_star().len() + 1);
    }
}

#[tokio::test]
async fn pages_stand_in_the_order_of_their_links_whoever_answers_first() {
    let load = Arc::<Load>::default();
    let first = |path: &str| at_the_gate(page_of(path).filter(|page| *page == 0));
    let ports = [star(&load, first).await];
    let held = async {
        // All the others.
        load.has_come(whole_star().len() + 1).await;
        load.open();
    };
    let (listing, ()) = tokio::join!(crawled(&ports, json!({})), held);
    assert_eq!(in_order(&listing), whole_star());
}

#[tokio::test]
async fn every_host_gets_as_many_and_all_together_no_more_than_a_source_may() {
    for (per_host, at_once) in [(5, 15), (8, 16)] {
        let load = Arc::<Load>::default();
        let gate = |path: &str| at_the_gate(page_of(path));
        let ports = [star(&load, gate).await, star(&load, gate).await, star(&load, gate).await];
        let held = async {
            load.holds(at_once).await;
            load.open();
        };
        let (listing, ()) = tokio::join!(crawled(&ports, json!({ "per_host": per_host })), held);
        assert_eq!(load.most(), at_once, "{per_host} of each");
        assert_eq!(listing.documents.len(), 3 * LINKS, "of each the start page and all links but one");
    }
}

#[tokio::test]
async fn a_crawl_that_is_full_asks_for_nothing_more() {
    let load = Arc::<Load>::default();
    let ports = [star(&load, |_| When::AtOnce).await];
    let listing = crawled(&ports, json!({ "max_pages": 6 })).await;
    assert_eq!(in_order(&listing), whole_star()[..6]);
    assert_eq!(listing.warnings[0].code, "source-page-limit");
    assert_eq!(load.asked(), 7);
}

#[tokio::test]
async fn a_crawl_that_nobody_waits_for_any_more_asks_for_nothing_more() {
    let load = Arc::<Load>::default();
    let ports = [star(&load, |path| at_the_gate(page_of(path))).await];
    tokio::select! {
        _ = crawled(&ports, json!({})) => panic!("it came to its end"),
        () = load.holds(4) => {}
    }
    load.open();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(load.asked(), 6, "the start page, robots.txt, and those that were on their way");
}

#[tokio::test]
async fn a_page_that_fails_is_named_whenever_it_answers() {
    let load = Arc::<Load>::default();
    let when = |path: &str| if path == "/docs/b" { When::Let } else { When::AtOnce };
    let port = serve_under(&load, when, |path, _| match path {
        "/docs/" => ok("<a href=a>a</a> <a href=b>b</a> <a href=c>c</a> <a href=d>d</a>"),
        "/docs/b" => refusing("500", ""),
        "/docs/d" => refusing("404", ""),
        _ => ok("page"),
    })
    .await;
    let ports = [port];
    let held = async {
        load.has_come(6).await;
        load.open();
    };
    let (listing, ()) = tokio::join!(crawled(&ports, json!({})), held);
    assert_eq!(in_order(&listing), ["127.0.0.1/docs/", "127.0.0.1/docs/a", "127.0.0.1/docs/c"]);
    let told: Vec<(&str, &str)> = listing.warnings.iter().map(|told| (told.path.as_str(), told.code.as_str())).collect();
    assert_eq!(told, [("127.0.0.1/docs/b", "source-unreachable"), ("127.0.0.1/docs/d", "source-missing")]);
}

#[tokio::test]
async fn sitemaps_of_a_list_are_read_side_by_side_and_their_pages_stand_in_its_order() {
    let load = Arc::<Load>::default();
    let number = |path: &str| path.strip_prefix('/')?.strip_suffix(".xml")?.parse::<usize>().ok();
    let gate = move |path: &str| at_the_gate(number(path));
    let port = serve_under(&load, gate, |path, request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let listed = |number: u32| format!("<sitemap><loc>http://{host}/{number}.xml</loc></sitemap>");
        let pages = |of: &str| ["a", "b"].map(|page| format!("<url><loc>http://{host}/{of}/{page}</loc></url>")).concat();
        match path.strip_prefix('/').and_then(|path| path.strip_suffix(".xml")) {
            Some("sitemap") => ok(&format!("<sitemapindex>{}</sitemapindex>", (0..8).map(listed).collect::<String>())),
            Some(number) => ok(&format!("<urlset>{}</urlset>", pages(number))),
            None => ok(""),
        }
    })
    .await;
    let (mut policy, _work) = policy();
    policy.egress = inside();
    let spec = json!({ "type": "web", "sitemap": format!("http://127.0.0.1:{port}/sitemap.xml"), "per_host": 16 });
    let source = open(spec, &policy).unwrap();
    let held = async {
        load.holds(4).await;
        load.open();
    };
    let (listing, ()) = tokio::join!(source.list(later()), held);
    let expected: Vec<String> = (0..8).flat_map(|of| ["a", "b"].map(|page| format!("127.0.0.1/{of}/{page}"))).collect();
    assert_eq!(in_order(&listing.unwrap()), expected);
    assert_eq!(load.most(), 4);
    // The list, the sitemaps of it, and one robots.txt for all.
    assert_eq!(load.asked(), 10);
}

fn refusing(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: 0\r\n\r\n")
}

/// When each path was asked for.
type Asked = Arc<Mutex<BTreeMap<String, Vec<Instant>>>>;

/// A site whose `/docs/a` is refused as often as `refusals` says, with what that answers.
async fn busy(refusals: usize, refusal: &'static str, headers: &'static str) -> (u16, Asked) {
    let asked = Asked::default();
    let log = asked.clone();
    let port = serve(move |path, _| {
        let mut log = log.lock().unwrap();
        let times = log.entry(path.to_owned()).or_default();
        times.push(Instant::now());
        match path {
            "/docs/a" if times.len() <= refusals => refusing(refusal, headers),
            "/docs/" => ok("<a href=a>a</a> <a href=b>b</a>"),
            _ => ok("page"),
        }
    })
    .await;
    (port, asked)
}

#[tokio::test]
async fn a_busy_host_is_asked_again_when_it_said() {
    for (status, headers) in [("429", "retry-after: 1\r\n"), ("503", "Retry-After: 1\r\n"), ("429", "")] {
        let (port, asked) = busy(1, status, headers).await;
        let listing = crawled(&[port], json!({})).await;
        assert_eq!(in_order(&listing), ["127.0.0.1/docs/", "127.0.0.1/docs/a", "127.0.0.1/docs/b"], "{status} {headers}");
        assert!(listing.warnings.is_empty() && listing.unread.is_empty(), "{:?}", listing.warnings);
        let times = asked.lock().unwrap().remove("/docs/a").unwrap();
        assert!(times.len() == 2 && times[1] - times[0] >= Duration::from_millis(990), "{status} {headers}: {times:?}");
    }
}

#[tokio::test]
async fn a_host_that_goes_on_refusing_is_given_up_for_the_page() {
    let (port, asked) = busy(usize::MAX, "429", "retry-after: 0\r\n").await;
    let listing = crawled(&[port], json!({})).await;
    assert_eq!(in_order(&listing), ["127.0.0.1/docs/", "127.0.0.1/docs/b"]);
    assert_eq!((codes(&listing), listing.unread.len()), (vec![("127.0.0.1/docs/a", "source-busy")], 1));
    assert_eq!(asked.lock().unwrap()["/docs/a"].len(), 3);
}

#[tokio::test]
async fn a_host_that_wants_to_be_left_alone_for_long_is_asked_nothing_more() {
    let load = Arc::<Load>::default();
    let port = serve_under(&load, |_| When::AtOnce, |_, _| refusing("503", "retry-after: 3600\r\n")).await;
    let (mut policy, _work) = policy();
    policy.egress = inside();
    let urls: Vec<String> = (0..20).map(|page| format!("http://127.0.0.1:{port}/{page}")).collect();
    let source = open(json!({ "type": "web", "urls": urls, "per_host": 1 }), &policy).unwrap();
    let begun = Instant::now();
    for listed in &source.list(later()).await.unwrap().documents {
        let fault = source.fetch(listed, None, later()).await.unwrap_err();
        assert_eq!((fault.code(), fault.is_transient()), ("source-busy", true), "{fault}");
        assert!(fault.retry_after().is_some_and(|after| after > Duration::from_secs(3500)), "{fault}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "nobody waits for an hour");
    assert_eq!(load.asked(), 1);
}
