use serde_json::json;

use super::{
    egress::{ok, serve},
    *,
};

fn web_policy() -> (SourcePolicy, tempfile::TempDir) {
    let (mut policy, work) = policy();
    policy.egress = inside();
    (policy, work)
}

#[tokio::test]
async fn a_page_is_fetched_again_only_when_it_changed() {
    let port = serve(|_, request| {
        if request.to_lowercase().contains("if-none-match: \"v1\"") {
            "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n".to_owned()
        } else {
            "HTTP/1.1 200 OK\r\netag: \"v1\"\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi".to_owned()
        }
    })
    .await;
    let (policy, _work) = web_policy();
    let source = open(json!({ "type": "web", "urls": [format!("http://127.0.0.1:{port}/a#part")] }), &policy).unwrap();
    let listing = source.list(later()).await.unwrap();
    assert_eq!(paths(&listing), ["127.0.0.1/a"]);
    let Fetched::Content(content) = source.fetch(&listing.documents[0], None, later()).await.unwrap() else { panic!() };
    assert_eq!((&content.bytes[..], content.media_type.as_deref()), (&b"hi"[..], Some("text/html; charset=utf-8")));
    let again = source.fetch(&listing.documents[0], content.fingerprint.as_deref(), later()).await.unwrap();
    assert!(matches!(again, Fetched::Same));
}

#[tokio::test]
async fn a_sitemap_names_pages_of_its_host_that_robots_allow() {
    let port = serve(|path, request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
        match path {
            "/robots.txt" => ok("User-agent: *\nDisallow: /private"),
            "/index.xml" => ok(&format!("<sitemapindex><sitemap><loc>http://{host}/pages.xml</loc></sitemap><sitemap><loc>http://{host}/index.xml</loc></sitemap></sitemapindex>")),
            "/pages.xml" => ok(&format!(
                "<urlset><url><loc>http://{host}/a</loc></url><url><loc>http://{host}/private/b</loc></url>\
                 <url><loc>http://elsewhere.example/c</loc></url><url><loc>http://{host}/skip/d</loc></url><url><loc>file:///etc/passwd</loc></url></urlset>"
            )),
            _ => ok("page"),
        }
    })
    .await;
    let (policy, _work) = web_policy();
    let spec = json!({ "type": "web", "sitemap": format!("http://127.0.0.1:{port}/index.xml"), "exclude": ["skip/"] });
    let listing = open(spec, &policy).unwrap().list(later()).await.unwrap();
    assert_eq!(paths(&listing), ["127.0.0.1/a"]);
}

/// A site whose sitemap is what `sitemaps` makes of its own address.
async fn mapped(sitemaps: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> u16 {
    serve(move |path, request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        match sitemaps(path, host) {
            Some(body) => ok(&body),
            None => "HTTP/1.1 404 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
        }
    })
    .await
}

fn urls(host: &str, pages: impl IntoIterator<Item = String>) -> String {
    pages.into_iter().map(|page| format!("<url><loc>http://{host}/{page}</loc></url>")).collect()
}

async fn of_sitemap(port: u16, extra: Value) -> Result<Listing, SourceFault> {
    let (policy, _work) = web_policy();
    let mut spec = json!({ "type": "web", "sitemap": format!("http://127.0.0.1:{port}/sitemap.xml") });
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    open(spec, &policy).unwrap().list(later()).await
}

#[tokio::test]
async fn a_sitemap_that_breaks_off_makes_no_page_count_as_gone() {
    let port = mapped(|path, host| match path {
        "/sitemap.xml" => Some(format!("<urlset>{}<url><loc>http://{host}/c", urls(host, ["a".into(), "b".into()]))),
        _ => None,
    })
    .await;
    let listing = of_sitemap(port, json!({})).await.unwrap();
    assert_eq!(paths(&listing), ["127.0.0.1/a", "127.0.0.1/b"]);
    assert_eq!(listing.unread, [""], "every page there was before may still be there");
    assert_eq!(codes(&listing), [("127.0.0.1/sitemap.xml", "source-sitemap-unfinished")]);
}

#[tokio::test]
async fn what_is_no_sitemap_says_nothing_of_the_pages() {
    let port = mapped(|_, _| Some("<html><body>Please sign in</body></html>".to_owned())).await;
    let fault = of_sitemap(port, json!({})).await.unwrap_err();
    assert!(matches!(&fault, SourceFault::Unusable { reason, .. } if reason.contains("no sitemap")), "{fault}");
    let port = mapped(|_, _| None).await;
    assert!(matches!(of_sitemap(port, json!({})).await, Err(SourceFault::Missing { .. })));
}

#[tokio::test]
async fn a_sitemap_of_a_list_that_cannot_be_read_stops_no_other() {
    let port = mapped(|path, host| {
        let listed = |name: &str| format!("<sitemap><loc>http://{host}/{name}.xml</loc></sitemap>");
        match path {
            "/sitemap.xml" => Some(format!("<sitemapindex>{}{}{}</sitemapindex>", listed("gone"), listed("here"), listed("odd"))),
            "/here.xml" => Some(format!("<urlset>{}</urlset>", urls(host, ["a".into()]))),
            "/odd.xml" => Some("{}".to_owned()),
            _ => None,
        }
    })
    .await;
    let listing = of_sitemap(port, json!({})).await.unwrap();
    assert_eq!(paths(&listing), ["127.0.0.1/a"]);
    assert_eq!(listing.unread, ["", ""]);
    assert_eq!(codes(&listing), [("127.0.0.1/gone.xml", "source-missing"), ("127.0.0.1/odd.xml", "source-unusable")]);
}

#[tokio::test]
async fn pages_that_are_wanted_are_found_behind_many_that_are_not() {
    let port = mapped(|path, host| match path {
        "/sitemap.xml" => {
            let skipped = (0..2_000).map(|number| format!("blog/{number}"));
            Some(format!("<urlset>{}</urlset>", urls(host, skipped.chain((0..3).map(|number| format!("docs/{number}"))))))
        }
        _ => None,
    })
    .await;
    let listing = of_sitemap(port, json!({ "include": ["docs/**"], "max_pages": 10 })).await.unwrap();
    assert_eq!(paths(&listing), ["127.0.0.1/docs/0", "127.0.0.1/docs/1", "127.0.0.1/docs/2"]);
    assert!(listing.warnings.is_empty() && listing.unread.is_empty(), "{:?}", listing.warnings);
    let few = of_sitemap(port, json!({ "include": ["docs/**"], "max_pages": 2 })).await.unwrap();
    assert_eq!((few.documents.len(), few.warnings[0].code.as_str()), (2, "source-page-limit"));
}

#[tokio::test]
async fn a_list_of_more_sitemaps_than_are_read_says_so() {
    let port = mapped(|path, host| match path {
        "/sitemap.xml" => {
            let listed = |number: u32| format!("<sitemap><loc>http://{host}/{number}.xml</loc></sitemap>");
            Some(format!("<sitemapindex>{}</sitemapindex>", (0..201).map(listed).collect::<String>()))
        }
        "/robots.txt" => None,
        path => Some(format!("<urlset>{}</urlset>", urls(host, [format!("page{path}")]))),
    })
    .await;
    let listing = of_sitemap(port, json!({})).await.unwrap();
    // The list itself is one of those that are read.
    assert_eq!((listing.documents.len(), listing.unread.len()), (199, 1));
    assert!(listing.warnings[0].detail.contains("200 sitemaps"), "{:?}", listing.warnings);
}

fn site(path: &str) -> String {
    match path {
        "/docs/" => {
            ok("<a href=a>a</a> <a href='/docs/deep/b'>b</a> <a href=/other>o</a> <a href=http://elsewhere.example/>e</a>")
        }
        "/docs/a" => ok("<a href='/docs/deep/c#x'>c</a>"),
        "/docs/deep/b" | "/docs/deep/c" | "/other" => ok("<a href=/docs/>home</a>"),
        "/broken" => "HTTP/1.1 500 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 404 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
    }
}

#[tokio::test]
async fn a_crawl_stays_where_it_was_told_and_keeps_what_it_fetched() {
    let port = serve(|path, _| site(path)).await;
    let (policy, _work) = web_policy();
    let start = format!("http://127.0.0.1:{port}/docs/");
    let source = open(json!({ "type": "web", "urls": [start], "follow": "path" }), &policy).unwrap();
    let listing = source.list(later()).await.unwrap();
    assert_eq!(paths(&listing), ["127.0.0.1/docs/", "127.0.0.1/docs/a", "127.0.0.1/docs/deep/b", "127.0.0.1/docs/deep/c"]);
    assert!(bytes(&source, &listing.documents[0]).await.starts_with(b"<a href=a>"));
    let host = open(json!({ "type": "web", "urls": [start], "follow": "host", "depth": 1 }), &policy).unwrap();
    assert_eq!(host.list(later()).await.unwrap().documents.len(), 4, "one link deep: home, a, b, other");
    let few = open(json!({ "type": "web", "urls": [start], "follow": "host", "max_pages": 2 }), &policy).unwrap();
    let few = few.list(later()).await.unwrap();
    assert_eq!((few.documents.len(), few.warnings[0].code.as_str()), (2, "source-page-limit"));
}

#[tokio::test]
async fn a_page_that_fails_makes_no_other_page_count_as_gone() {
    let port = serve(|path, _| site(path)).await;
    let (policy, _work) = web_policy();
    let urls = [format!("http://127.0.0.1:{port}/broken"), format!("http://127.0.0.1:{port}/docs/deep/b")];
    let source = open(json!({ "type": "web", "urls": urls, "follow": "path" }), &policy).unwrap();
    let listing = source.list(later()).await.unwrap();
    assert_eq!((listing.documents.len(), listing.unread.clone()), (1, vec![String::new()]));
    assert_eq!(listing.warnings[0].code, "source-unreachable");
}

#[tokio::test]
async fn a_start_page_that_is_not_there_makes_no_page_count_as_gone() {
    let port = serve(|path, _| site(path)).await;
    let (policy, _work) = web_policy();
    let list = async |paths: &[&str]| {
        let urls: Vec<String> = paths.iter().map(|path| format!("http://127.0.0.1:{port}{path}")).collect();
        open(json!({ "type": "web", "urls": urls, "follow": "path" }), &policy).unwrap().list(later()).await
    };
    assert!(matches!(list(&["/gone/"]).await, Err(SourceFault::Missing { .. })), "nothing is known of the site");
    let listing = list(&["/gone/", "/docs/deep/b"]).await.unwrap();
    assert_eq!((paths(&listing), listing.unread.clone()), (vec!["127.0.0.1/docs/deep/b"], vec![String::new()]));
    assert_eq!(codes(&listing), [("127.0.0.1/gone/", "source-missing")]);
}

#[tokio::test]
async fn a_site_of_which_no_named_page_can_be_read_is_a_source_that_failed() {
    let port = serve(|path, _| site(path)).await;
    // Nobody listens there any more.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (policy, _work) = web_policy();
    let list = async |urls: &[String]| {
        open(json!({ "type": "web", "urls": urls, "follow": "path" }), &policy).unwrap().list(later()).await
    };
    let (away, broken) = (format!("http://127.0.0.1:{gone}/docs/"), format!("http://127.0.0.1:{port}/broken"));
    for urls in [&[away.clone()][..], &[broken.clone()], &[broken, away.clone()]] {
        let fault = list(urls).await.unwrap_err();
        assert!(matches!(fault, SourceFault::Unreachable { .. }), "{urls:?}: {fault}");
    }
    // What can be read of it is taken all the same, and the rest is told.
    let listing = list(&[away, format!("http://127.0.0.1:{port}/docs/deep/b")]).await.unwrap();
    assert_eq!(
        (paths(&listing), codes(&listing)),
        (vec!["127.0.0.1/docs/deep/b"], vec![("127.0.0.1/docs/", "source-unreachable")])
    );
}

#[tokio::test]
async fn label_rules_match_the_path_of_an_address() {
    let (policy, _work) = web_policy();
    let spec = json!({ "type": "web", "urls": ["http://127.0.0.1/hr/pay", "http://127.0.0.1/open"], "rules": [{ "match": "hr/**", "labels": ["hr"] }] });
    let listing = open(spec, &policy).unwrap().list(later()).await.unwrap();
    let labels: Vec<_> = listing.documents.iter().map(|listed| listed.attributes.labels.to_vec()).collect();
    assert_eq!(labels, [vec!["hr".to_owned()], vec![]]);
}
