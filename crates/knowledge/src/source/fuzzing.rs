//! What `fuzz/` reaches of what sites and buckets say; built for it alone.

use url::Url;

use super::{links, robots::Robots, s3_listing, sitemap};

#[must_use]
pub fn links(html: &str, base: &str) -> Vec<String> {
    Url::parse(base).map(|base| links::links(html, &base).into_iter().map(String::from).collect()).unwrap_or_default()
}

/// Whether a `robots.txt` lets us in.
#[must_use]
pub fn allows(rules: &str, path_and_query: &str) -> bool {
    Robots::parse(rules).allows(path_and_query)
}

/// Pages, and other sitemaps; `most` is how many bytes one that is packed may unpack to.
#[must_use]
pub fn sitemap(bytes: &[u8], most: u64, limit: usize) -> Option<(Vec<String>, Vec<String>)> {
    sitemap::read(bytes, most, limit).ok().map(|found| (found.pages, found.sitemaps))
}

/// How many objects a page of a bucket lists.
#[must_use]
pub fn listing(bytes: &[u8]) -> Option<usize> {
    s3_listing::parse(bytes).ok().map(|page| page.objects.len())
}
