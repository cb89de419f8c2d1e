//! Pages of the web: named ones, those of a sitemap, and those that are linked. Whatever is fetched several at a time is
//! taken in the order in which it was asked for, so that who answers first decides nothing.

mod crawl;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt as _, stream::FuturesOrdered};
use mainspring_kernel::Fault as _;
use tokio::sync::OnceCell;
use url::Url;

pub(super) use crawl::Page;

use super::{
    Content, Fetched, Listed, Listing, Place, Source, SourceFault, SourcePolicy,
    egress::{Answer, Egress, Validators, place},
    hosts::Hosts,
    leftovers::PAGES,
    robots::Robots,
    sitemap,
};
use crate::{
    model::{Origin, Warning},
    spec::{Follow, WebSource},
};

const SITEMAP_LIMIT: u64 = 50 << 20;
const ROBOTS_LIMIT: u64 = 1 << 20;
/// Lists of lists of sitemaps stop here.
const SITEMAPS: usize = 200;
/// Addresses of one sitemap: its protocol allows no more.
const ADDRESSES: usize = 50_000;
/// Sitemaps read side by side: each may be as large as its limit.
const SITEMAPS_AT_ONCE: usize = 4;

#[derive(Debug)]
pub(super) struct Web {
    spec: WebSource,
    egress: Egress,
    hosts: Hosts,
    spool: PathBuf,
    max_bytes: u64,
    robots: Mutex<BTreeMap<String, Arc<OnceCell<Robots>>>>,
}

/// What a sitemap names: the pages of its host that are wanted and may be fetched, and other sitemaps.
struct Named {
    pages: Vec<Url>,
    sitemaps: Vec<Url>,
    whole: bool,
}

impl Web {
    pub(super) fn open(spec: &WebSource, policy: &SourcePolicy, egress: Egress) -> Self {
        Self {
            spec: spec.clone(),
            hosts: Hosts::new(egress.clone(), spec.per_host as usize),
            egress,
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
        let mut under_way = FuturesOrdered::new();
        loop {
            while under_way.len() < SITEMAPS_AT_ONCE
                && let Some(url) = waiting.pop_front()
            {
                under_way.push_back(self.read_sitemap(source, url, host.as_deref()));
            }
            let Some((url, named)) = under_way.next().await else { return Ok(()) };
            let Named { pages, sitemaps, whole } = match named {
                Ok(named) => named,
                Err(fault) if url == first => return Err(fault),
                Err(fault) => {
                    unfinished(source, listing, &url, (fault.code(), fault.to_string()));
                    continue;
                }
            };
            if !whole {
                let detail = format!("it breaks off, or names more than {ADDRESSES} addresses; what it named is taken");
                unfinished(source, listing, &url, (UNFINISHED, detail));
            }
            let mut left_out = false;
            for next in sitemaps.into_iter().filter(|next| next.host_str() == host.as_deref()) {
                if known.len() >= SITEMAPS {
                    left_out |= !known.contains(&next);
                } else if known.insert(next.clone()) {
                    waiting.push_back(next);
                }
            }
            if left_out {
                unfinished(source, listing, &url, (UNFINISHED, format!("only {SITEMAPS} sitemaps are read")));
            }
            for page in pages.into_iter().filter(|page| seen.insert(page.clone())) {
                if self.is_full(listing) {
                    listing.warnings.push(self.full(source));
                    return Ok(());
                }
                listing.documents.push(self.entry(source, &page));
            }
        }
    }

    fn full(&self, source: &Source) -> Warning {
        let detail = format!("there are more than {} pages; raise `max_pages` to take them", self.spec.max_pages);
        source.warn_of_many("", "source-page-limit", detail)
    }

    /// With its address, since several are read at once.
    async fn read_sitemap(&self, source: &Source, url: Url, host: Option<&str>) -> (Url, Result<Named, SourceFault>) {
        let found = match self.fetch_sitemap(&url).await {
            Ok(found) => found,
            Err(fault) => return (url, Err(fault)),
        };
        let parsed = |addresses: Vec<String>| addresses.into_iter().filter_map(|address| Url::parse(&address).ok());
        let mut pages = Vec::new();
        for page in parsed(found.pages).map(without_fragment) {
            let ours = page.host_str() == host && matches!(page.scheme(), "http" | "https");
            if ours && source.takes(page.path().trim_start_matches('/')) && self.may_crawl(&page).await {
                pages.push(page);
            }
        }
        (url, Ok(Named { pages, sitemaps: parsed(found.sitemaps).collect(), whole: found.whole }))
    }

    async fn fetch_sitemap(&self, url: &Url) -> Result<sitemap::Sitemap, SourceFault> {
        let unusable = |reason: String| SourceFault::Unusable { place: place(url), reason };
        match self.hosts.get(url, &Validators::default(), SITEMAP_LIMIT).await? {
            Answer::Body { bytes, .. } => {
                let read = tokio::task::spawn_blocking(move || sitemap::read(&bytes, SITEMAP_LIMIT, ADDRESSES + 1));
                read.await.map_err(|_| unusable("the reading thread stopped".into()))?.map_err(unusable)
            }
            Answer::NotModified => Err(unusable("it was asked for the first time and said to be unchanged".into())),
        }
    }

    /// Asks the site's robots.txt, once per site and run. A site that has none allows everything.
    async fn may_crawl(&self, url: &Url) -> bool {
        let Ok(at) = url.join("/robots.txt") else { return false };
        let known = self.robots_of(&at);
        let read = || async {
            match self.hosts.get(&at, &Validators::default(), ROBOTS_LIMIT).await {
                Ok(Answer::Body { bytes, .. }) => Robots::parse(&String::from_utf8_lossy(&bytes)),
                _ => Robots::default(),
            }
        };
        let robots = known.get_or_init(read).await;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        robots.allows(&format!("{}{query}", url.path()))
    }

    fn robots_of(&self, at: &Url) -> Arc<OnceCell<Robots>> {
        let mut known = self.robots.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(at.to_string()).or_default().clone()
    }

    pub(super) async fn fetch(&self, url: &Url, known: Option<&str>, limit: u64) -> Result<Fetched, SourceFault> {
        let validators = known.and_then(|known| serde_json::from_str(known).ok()).map(validators).unwrap_or_default();
        match self.hosts.get(url, &validators, limit).await? {
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
