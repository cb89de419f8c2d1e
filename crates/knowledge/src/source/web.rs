//! Pages of the web: named ones, those of a sitemap, and those that are linked.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::Write as _,
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use mainspring_kernel::{Digest, Fault as _};
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::{
    Content, Fetched, Listed, Listing, Place, Source, SourceFault, SourcePolicy,
    egress::{Answer, Egress, Validators, place},
    leftovers::PAGES,
    links,
    robots::Robots,
    sitemap,
};
use crate::{
    model::{Origin, Warning},
    spec::{Follow, WebSource},
};

/// How many requests a source has under way at once: a site is somebody's.
const AT_ONCE: usize = 4;
const SITEMAP_LIMIT: u64 = 50 << 20;
const ROBOTS_LIMIT: u64 = 1 << 20;
/// Lists of lists of sitemaps stop here.
const SITEMAPS: usize = 200;
/// Addresses of one sitemap: its protocol allows no more.
const ADDRESSES: usize = 50_000;

#[derive(Debug)]
pub(super) struct Web {
    spec: WebSource,
    egress: Egress,
    permits: Semaphore,
    spool: PathBuf,
    max_bytes: u64,
    robots: Mutex<BTreeMap<String, Arc<Robots>>>,
}

/// A page that was fetched while looking for links.
#[derive(Debug)]
pub(super) struct Page {
    file: tempfile::TempPath,
    media_type: Option<String>,
    last_modified: Option<String>,
    fingerprint: String,
}

impl Page {
    pub(super) fn read(&self) -> Result<Content, SourceFault> {
        let bytes = std::fs::read(&self.file).map_err(|fault| SourceFault::of_io("crawled page", &fault))?;
        let origin = Origin { last_modified: self.last_modified.clone(), ..Origin::default() };
        let (media_type, fingerprint) = (self.media_type.clone(), Some(self.fingerprint.clone()));
        Ok(Content { bytes: bytes.into(), media_type, fingerprint, origin })
    }
}

impl Web {
    pub(super) fn open(spec: &WebSource, policy: &SourcePolicy, egress: Egress) -> Self {
        Self {
            spec: spec.clone(),
            egress,
            permits: Semaphore::new(AT_ONCE),
            spool: policy.work_dir.join(PAGES),
            max_bytes: policy.max_document_bytes,
            robots: Mutex::default(),
        }
    }

    pub(super) async fn list(&self, source: &Source) -> Result<Listing, SourceFault> {
        let mut listing = Listing::default();
        let mut seen = BTreeSet::new();
        let mut starts = Vec::new();
        for given in &self.spec.urls {
            let url =
                Url::parse(given).map_err(|fault| SourceFault::Unusable { place: given.clone(), reason: fault.to_string() })?;
            self.egress.judge(&url)?;
            let url = without_fragment(url);
            if seen.insert(url.clone()) {
                starts.push(url);
            }
        }
        if self.spec.follow == Follow::None {
            for url in &starts {
                listing.documents.push(self.entry(source, url));
            }
        } else {
            self.crawl(source, starts, &mut seen, &mut listing).await?;
        }
        if let Some(address) = &self.spec.sitemap {
            self.sitemap(source, address, &mut seen, &mut listing).await?;
        }
        Ok(listing)
    }

    fn entry(&self, source: &Source, url: &Url) -> Listed {
        // Globs and label rules see the path without the host, as they do for every other kind of source.
        let names = (shown(url), url.path().trim_start_matches('/'));
        source.entry(url.as_str().as_bytes(), names, url.to_string(), Place::Url(url.clone()))
    }

    fn is_full(&self, listing: &Listing) -> bool {
        listing.documents.len() >= self.spec.max_pages as usize
    }

    /// Every page of a sitemap, or of the sitemaps it lists. What one of those would name is unknown when it cannot be
    /// read, and stops no other; without the first nothing is known.
    async fn sitemap(
        &self,
        source: &Source,
        address: &str,
        seen: &mut BTreeSet<Url>,
        listing: &mut Listing,
    ) -> Result<(), SourceFault> {
        let first = Url::parse(address)
            .map_err(|fault| SourceFault::Unusable { place: address.to_owned(), reason: fault.to_string() })?;
        let host = first.host_str().map(str::to_owned);
        let mut known = BTreeSet::from([first.clone()]);
        let mut waiting = VecDeque::from([first.clone()]);
        while let Some(url) = waiting.pop_front() {
            let found = match self.read_sitemap(&url).await {
                Ok(found) => found,
                Err(fault) if url == first => return Err(fault),
                Err(fault) => {
                    unfinished(source, listing, &url, (fault.code(), fault.to_string()));
                    continue;
                }
            };
            if !found.whole {
                let detail = format!("it breaks off, or names more than {ADDRESSES} addresses; what it named is taken");
                unfinished(source, listing, &url, (UNFINISHED, detail));
            }
            let listed = found.sitemaps.iter().filter_map(|address| Url::parse(address).ok());
            let mut left_out = false;
            for next in listed.filter(|next| next.host_str() == host.as_deref()) {
                if known.len() >= SITEMAPS {
                    left_out |= !known.contains(&next);
                } else if known.insert(next.clone()) {
                    waiting.push_back(next);
                }
            }
            if left_out {
                unfinished(source, listing, &url, (UNFINISHED, format!("only {SITEMAPS} sitemaps are read")));
            }
            if self.pages_of(source, (found.pages.as_slice(), host.as_deref()), seen, listing).await {
                listing.warnings.push(self.full(source));
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes the pages that are wanted; answers whether there were more than there is room for.
    async fn pages_of(
        &self,
        source: &Source,
        (addresses, host): (&[String], Option<&str>),
        seen: &mut BTreeSet<Url>,
        listing: &mut Listing,
    ) -> bool {
        for page in addresses.iter().filter_map(|address| Url::parse(address).ok()).map(without_fragment) {
            let ours = page.host_str() == host && matches!(page.scheme(), "http" | "https");
            if !ours || !source.takes(page.path().trim_start_matches('/')) || !seen.insert(page.clone()) {
                continue;
            }
            if self.is_full(listing) {
                return true;
            }
            if self.may_crawl(&page).await {
                listing.documents.push(self.entry(source, &page));
            }
        }
        false
    }

    fn full(&self, source: &Source) -> Warning {
        let detail = format!("there are more than {} pages; raise `max_pages` to take them", self.spec.max_pages);
        source.warn_of_many("", "source-page-limit", detail)
    }

    async fn read_sitemap(&self, url: &Url) -> Result<sitemap::Sitemap, SourceFault> {
        let unusable = |reason: String| SourceFault::Unusable { place: place(url), reason };
        match self.egress.get(url, &Validators::default(), SITEMAP_LIMIT).await? {
            Answer::Body { bytes, .. } => {
                let read = tokio::task::spawn_blocking(move || sitemap::read(&bytes, SITEMAP_LIMIT, ADDRESSES + 1));
                read.await.map_err(|_| unusable("the reading thread stopped".into()))?.map_err(unusable)
            }
            Answer::NotModified => Err(unusable("it was asked for the first time and said to be unchanged".into())),
        }
    }

    /// Breadth first from the pages that were named. A page that fails is noted and ends its branch; of a site none of
    /// whose named pages is there nothing is known.
    async fn crawl(
        &self,
        source: &Source,
        starts: Vec<Url>,
        seen: &mut BTreeSet<Url>,
        listing: &mut Listing,
    ) -> Result<(), SourceFault> {
        let spool = |fault: std::io::Error| SourceFault::of_io("the folder for crawled pages", &fault);
        std::fs::create_dir_all(&self.spool).map_err(spool)?;
        let mut waiting: VecDeque<(Url, Arc<Url>, u32)> = starts.into_iter().map(|url| (url.clone(), Arc::new(url), 0)).collect();
        let mut missing = None;
        while let Some((url, start, depth)) = waiting.pop_front() {
            if self.is_full(listing) {
                listing.warnings.push(self.full(source));
                return Ok(());
            }
            let entry = self.entry(source, &url);
            let answer = self.egress.get(&url, &Validators::default(), self.max_bytes).await;
            let (bytes, media_type, reached, last_modified) = match answer {
                Ok(Answer::Body { bytes, media_type, url, validators }) => (bytes, media_type, url, validators.last_modified),
                Ok(Answer::NotModified) => continue,
                Err(fault) => {
                    let is_missing = matches!(fault, SourceFault::Missing { .. });
                    // What this page links to is unknown now, so no page of the crawl counts as gone. One that was linked
                    // and is not there links to nothing; one that was named is where the others were found.
                    if !is_missing || depth == 0 {
                        listing.unread.push(String::new());
                    }
                    let labels = Some(entry.attributes.labels.to_vec());
                    let warning = source.warn_of_many(entry.path, fault.code(), fault.to_string());
                    listing.warnings.push(Warning { labels, ..warning });
                    if is_missing && depth == 0 {
                        missing = missing.or(Some(fault));
                    }
                    continue;
                }
            };
            if depth < self.spec.depth && is_html(media_type.as_deref()) {
                for link in links::links(&String::from_utf8_lossy(&bytes), &reached) {
                    if self.follows(source, &start, &link) && !seen.contains(&link) && self.may_crawl(&link).await {
                        seen.insert(link.clone());
                        waiting.push_back((link, start.clone(), depth + 1));
                    }
                }
            }
            let page = self.spool(&bytes, (media_type, last_modified)).map_err(spool)?;
            let fingerprint = Some(page.fingerprint.clone());
            listing.documents.push(Listed { fingerprint, place: Place::Spooled(Arc::new(page)), ..entry });
        }
        match missing {
            Some(fault) if listing.documents.is_empty() => Err(fault),
            _ => Ok(()),
        }
    }

    fn spool(&self, bytes: &Bytes, (media_type, last_modified): (Option<String>, Option<String>)) -> std::io::Result<Page> {
        let mut file = tempfile::NamedTempFile::new_in(&self.spool)?;
        file.write_all(bytes)?;
        Ok(Page { file: file.into_temp_path(), media_type, last_modified, fingerprint: Digest::of(bytes).to_string() })
    }

    fn follows(&self, source: &Source, start: &Url, link: &Url) -> bool {
        let same_host = link.host_str() == start.host_str() && link.port_or_known_default() == start.port_or_known_default();
        let below = match self.spec.follow {
            Follow::None => false,
            Follow::Host => true,
            Follow::Path => {
                let folder = start.path().rfind('/').map_or("/", |at| &start.path()[..=at]);
                link.path().starts_with(folder)
            }
        };
        same_host && below && source.takes(link.path().trim_start_matches('/'))
    }

    /// Asks the site's robots.txt, once per site and run. A site that has none allows everything.
    async fn may_crawl(&self, url: &Url) -> bool {
        let Ok(at) = url.join("/robots.txt") else { return false };
        let mut known = self.robots.lock().await;
        let robots = match known.get(at.as_str()) {
            Some(robots) => robots.clone(),
            None => {
                let robots = match self.egress.get(&at, &Validators::default(), ROBOTS_LIMIT).await {
                    Ok(Answer::Body { bytes, .. }) => Robots::parse(&String::from_utf8_lossy(&bytes)),
                    _ => Robots::default(),
                };
                let robots = Arc::new(robots);
                known.insert(at.to_string(), robots.clone());
                robots
            }
        };
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        robots.allows(&format!("{}{query}", url.path()))
    }

    pub(super) async fn fetch(&self, url: &Url, known: Option<&str>, limit: u64) -> Result<Fetched, SourceFault> {
        let closed = |_| SourceFault::Unreachable { place: place(url), reason: "the source was closed".into() };
        let _permit = self.permits.acquire().await.map_err(closed)?;
        let validators = known.and_then(|known| serde_json::from_str(known).ok()).map(validators).unwrap_or_default();
        match self.egress.get(url, &validators, limit).await? {
            Answer::NotModified => Ok(Fetched::Same),
            Answer::Body { bytes, media_type, validators, .. } => {
                let fingerprint = fingerprint(&validators);
                let origin = Origin { last_modified: validators.last_modified, ..Origin::default() };
                Ok(Fetched::Content(Content { bytes, media_type, fingerprint, origin }))
            }
        }
    }
}

const UNFINISHED: &str = "source-sitemap-unfinished";

/// Notes that a sitemap names more pages than are known: those that were known before are not gone for that.
fn unfinished(source: &Source, listing: &mut Listing, url: &Url, (code, detail): (&str, String)) {
    listing.unread.push(String::new());
    listing.warnings.push(source.warn_of_many(shown(url), code, detail));
}

fn validators((etag, last_modified): (Option<String>, Option<String>)) -> Validators {
    Validators { etag, last_modified }
}

fn fingerprint(validators: &Validators) -> Option<String> {
    let Validators { etag, last_modified } = validators;
    (etag.is_some() || last_modified.is_some()).then(|| serde_json::json!([etag, last_modified]).to_string())
}

fn is_html(media_type: Option<&str>) -> bool {
    media_type.is_none_or(|media_type| {
        let media_type = media_type.to_ascii_lowercase();
        media_type.starts_with("text/html") || media_type.starts_with("application/xhtml")
    })
}

fn without_fragment(mut url: Url) -> Url {
    url.set_fragment(None);
    url
}

/// Host, path and query, as people see it.
fn shown(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{}{query}", url.host_str().unwrap_or_default(), url.path())
}
