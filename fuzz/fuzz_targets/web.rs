//! What sites and buckets say of themselves: links, rules for crawlers, sitemaps, listings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_knowledge::source::fuzzing::{allows, links, listing, sitemap};

const MOST: usize = 100;

fuzz_target!(|data: &[u8]| {
    let Some((what, bytes)) = data.split_first() else { return };
    match what % 4 {
        0 => {
            let text = String::from_utf8_lossy(bytes);
            for link in links(&text, "https://example.org/docs/") {
                assert!((link.starts_with("https://") || link.starts_with("http://")) && !link.contains('#'), "{link}");
            }
        }
        1 => {
            let text = String::from_utf8_lossy(bytes);
            let (rules, path) = text.split_once('\0').unwrap_or((&*text, "/docs/a?b=c"));
            let _ = allows(rules, path);
            assert!(allows("", path), "nobody asked to be left alone");
        }
        2 => {
            let Some((pages, sitemaps)) = sitemap(bytes, 1 << 20, MOST) else { return };
            assert!(pages.len() + sitemaps.len() <= MOST);
            assert!(pages.iter().chain(&sitemaps).all(|address| !address.is_empty() && address.trim() == address));
        }
        _ => {
            let _ = listing(bytes);
        }
    }
});
