//! Globs, robots, sitemaps, links, names: pure functions over foreign text.

use std::io::Write as _;

use proptest::prelude::*;
use url::Url;

use crate::source::{globs::Globs, links::links, names, robots::Robots, sitemap};

#[track_caller]
fn matches(pattern: &str, path: &str, want: bool) {
    assert_eq!(Globs::new(&[pattern.to_owned()]).unwrap().matches(path), want, "{pattern} {path}");
}

#[test]
fn globs_read_as_people_write_them() {
    matches("*.md", "a.md", true);
    matches("*.md", "deep/er/a.md", true);
    matches("*.md", "a.mdx", false);
    matches("docs/*.md", "docs/a.md", true);
    matches("docs/*.md", "docs/x/a.md", false);
    matches("docs/**", "docs/x/a.md", true);
    matches("docs/", "docs/x/a.md", true);
    matches("docs/", "docs", false);
    matches("/docs", "docs/x", true);
    matches("./docs/a.md", "docs/a.md", true);
    matches("drafts", "some/drafts/a.md", true);
    matches("**", "anything/at/all", true);
    matches("a?c.{md,txt}", "abc.txt", true);
}

#[test]
fn robots_are_heard() {
    let robots = Robots::parse(
        "User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /private\nAllow: /private/open\nDisallow: /*.cgi$ # end\nDisallow:\n",
    );
    let check = |path: &str, want: bool| assert_eq!(robots.allows(path), want, "{path}");
    check("/", true);
    check("/private/x", false);
    check("/private/open/x", true);
    check("/run.cgi", false);
    check("/run.cgi?x", true);
    let named = Robots::parse("User-agent: *\nDisallow: /\nUser-Agent: Mainspring\nDisallow: /secret\n");
    assert!(named.allows("/page") && !named.allows("/secret/a"));
    assert!(Robots::parse("<html>no robots here</html>").allows("/x"));
}

#[test]
fn sitemaps_give_pages_and_further_sitemaps() {
    let pages = "<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>\
        <url><loc> https://e.org/a?x=1&amp;y=2 </loc><lastmod>2020</lastmod></url><url><loc>https://e.org/b</loc></url></urlset>";
    let found = sitemap::parse(pages.as_bytes(), 100).unwrap();
    assert_eq!(found.pages, ["https://e.org/a?x=1&y=2", "https://e.org/b"]);
    let index = "<sitemapindex><sitemap><loc>https://e.org/s1.xml</loc></sitemap></sitemapindex>";
    assert_eq!(sitemap::parse(index.as_bytes(), 100).unwrap().sitemaps, ["https://e.org/s1.xml"]);
    let some = sitemap::parse(pages.as_bytes(), 1).unwrap();
    assert_eq!((some.pages.len(), some.whole), (1, false));
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><urlset><url><loc>https://e.org/&b;</loc></url></urlset>";
    let found = sitemap::parse(bomb.as_bytes(), 100).unwrap();
    assert!(found.pages.iter().all(|page| page.len() < 40), "{found:?}");
}

#[test]
fn a_sitemap_knows_whether_it_was_read_to_its_end() {
    let pages = "<urlset><url><loc>https://e.org/a</loc></url><url><loc>https://e.org/b</loc></url></urlset>";
    let whole = |text: &str| sitemap::parse(text.as_bytes(), 100).map(|found| (found.pages.len(), found.whole));
    assert_eq!(whole(pages), Ok((2, true)));
    assert_eq!(whole("<?xml version='1.0'?><urlset/>"), Ok((0, true)), "a site may have no pages");
    let second = pages.rfind("<url>").unwrap();
    for end in [second, pages.len() - 1, pages.len() - "</urlset>".len()] {
        let (count, whole) = whole(&pages[..end]).unwrap();
        assert!(count >= 1 && !whole, "{}", &pages[..end]);
    }
    // What a site shows in place of a sitemap names no pages, and says nothing of those there are.
    for other in ["", "<!DOCTYPE html><html><body>Please sign in</body></html>", "Not found", "<rss><channel/></rss>", "{}"] {
        assert!(whole(other).is_err(), "{other}");
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_packed_sitemap_is_read_as_the_plain_one_and_no_further_than_its_limit() {
    let pages = format!("<urlset><url><loc>https://e.org/a</loc></url>{}</urlset>", " ".repeat(100_000));
    let bytes = packed(&pages);
    assert!(bytes.len() < 2_000);
    assert_eq!(sitemap::read(&bytes, 200_000, 100), sitemap::read(pages.as_bytes(), 200_000, 100));
    assert_eq!(sitemap::read(&bytes, 200_000, 100).unwrap().pages, ["https://e.org/a"]);
    assert!(sitemap::read(&bytes, 100_000, 100).unwrap_err().contains("100000 bytes"));
    assert!(sitemap::read(&bytes[..bytes.len() / 2], 200_000, 100).is_err());
}

#[test]
fn links_are_found_and_made_absolute() {
    let html = r##"<A class=x HREF="/a">a</A> <a data-href="no" href='b?x=1&amp;y=2#f'>b</a> <a href=c>c</a> <abbr href="no">
        <a href="mailto:x@y">m</a> <a name="z"> <a href="https://other.org/">o</a> <a
        href="d">d</a> <a href="unfinished"##;
    let base = Url::parse("https://e.org/dir/page.html").unwrap();
    let found: Vec<String> = links(html, &base).into_iter().map(String::from).collect();
    let want = [
        "https://e.org/a",
        "https://e.org/dir/b?x=1&y=2",
        "https://e.org/dir/c",
        "https://other.org/",
        "https://e.org/dir/d",
        "https://e.org/dir/unfinished",
    ];
    assert_eq!(found, want);
}

#[test]
fn a_tag_as_long_as_its_page_is_read_once() {
    let base = Url::parse("https://e.org/").unwrap();
    for part in ["href", " href ", "href='", "<a href", " HREF\t"] {
        let page = format!("<a {} href=/end>x</a>", part.repeat(300_000));
        let found = links(&page, &base);
        assert!(found.len() <= 1, "{part}: {}", found.len());
    }
    assert_eq!(links(&format!("<a {} href=/end>x</a>", "href".repeat(300_000)), &base)[0].path(), "/end");
}

#[test]
fn a_title_is_made_of_a_name() {
    let check = |path: &str, want: &str| assert_eq!(names::stem(path), want);
    check("docs/guide.md", "guide");
    check("e.org/a/b.html?x=/y", "b");
    check("e.org/", "e");
    check(".env", ".env");
    check("a.tar.gz", "a.tar");
    check("", "");
}

proptest! {
    #[test]
    fn foreign_text_never_breaks_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,200}") {
        let lossy = String::from_utf8_lossy(&bytes);
        let base = Url::parse("https://e.org/x").unwrap();
        for text in [lossy.as_ref(), text.as_str()] {
            links(text, &base);
            links(&format!("<a {text}"), &base);
            Robots::parse(text).allows(text);
            Robots::parse(&format!("User-agent: *\nDisallow: {text}")).allows(text);
            let _ = names::stem(text);
            let _ = Globs::new(&[text.to_owned()]).map(|globs| globs.matches(text));
        }
        let _ = sitemap::parse(&bytes, 10);
    }

    #[test]
    fn a_damaged_sitemap_gives_no_more_than_was_asked_for(
        text in "(<urlset>|</urlset>|<sitemapindex>|<url>|</url>|<loc>|</loc>|https://e\\.org/|&amp;|&#38;|&x;|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<\\?xml\\?>|\\PC){0,60}",
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        limit in 1usize..5,
    ) {
        let mut bytes = text.into_bytes();
        if !bytes.is_empty() {
            flips.iter().for_each(|(at, flip)| {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            });
        }
        let mut damaged = packed(&String::from_utf8_lossy(&bytes));
        flips.iter().for_each(|(at, flip)| {
            let at = at.index(damaged.len());
            damaged[at] ^= flip;
        });
        let _ = sitemap::read(&damaged, 1_000, limit);
        if let Ok(found) = sitemap::parse(&bytes, limit) {
            prop_assert!(found.pages.len() + found.sitemaps.len() <= limit);
            prop_assert!(found.pages.iter().chain(&found.sitemaps).all(|address| !address.trim().is_empty()));
        }
    }

    #[test]
    fn rules_of_robots_are_matched_whatever_they_say(
        lines in "((User-agent|Disallow|Allow|disallow|Sitemap| #)(:|: )(\\*|mainspring|/|/a\\*b\\$|\\*\\*\\*|\\$|\\PC{0,6})(\n|\r\n|\r)){0,12}",
        path in "/(a|b|\\*|\\$|\\?|\\PC){0,12}",
    ) {
        let robots = Robots::parse(&lines);
        let allowed = robots.allows(&path);
        // Without a line that forbids, nothing is forbidden.
        prop_assert!(allowed || lines.to_ascii_lowercase().contains("disallow"));
    }

    #[test]
    fn a_shown_name_holds_nothing_that_could_deceive(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let shown = names::shown_bytes(&bytes);
        let clean = shown.chars().all(|c| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c));
        prop_assert!(clean);
    }
}
