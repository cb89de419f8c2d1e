//! Pages that are found by following links.

use std::{
    collections::{BTreeSet, VecDeque},
    io::Write as _,
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesOrdered};
use mainspring_kernel::{Digest, Fault as _};
use url::Url;

use super::{Web, is_html};
use crate::{
    model::{Origin, Warning},
    source::{
        Content, Listed, Listing, Place, Source, SourceFault,
        egress::{Answer, Validators},
        links,
    },
    spec::Follow,
};

/// Pages in hand: asked for, waiting for their turn, or come before those that were linked earlier. More than are asked for
/// at once, so that the pages of a host that is slow or busy keep those of another waiting as little as may be.
const AHEAD: usize = 128;

/// A page that was fetched while looking for links.
#[derive(Debug)]
pub(in crate::source) struct Page {
    file: tempfile::TempPath,
    media_type: Option<String>,
    last_modified: Option<String>,
    fingerprint: String,
}

impl Page {
    pub(in crate::source) fn read(&self) -> Result<Content, SourceFault> {
        let bytes = std::fs::read(&self.file).map_err(|fault| SourceFault::of_io("crawled page", &fault))?;
        let origin = Origin { last_modified: self.last_modified.clone(), ..Origin::default() };
        let (media_type, fingerprint) = (self.media_type.clone(), Some(self.fingerprint.clone()));
        Ok(Content { bytes: bytes.into(), media_type, fingerprint, origin })
    }
}

/// A page to be asked for: the named one that led to it, and by how many links.
struct Step {
    url: Url,
    start: Arc<Url>,
    depth: u32,
}

enum Came {
    /// With the links of it that are to be followed.
    Page(Page, Vec<Url>),
    Nothing,
    Failed(SourceFault),
}

fn spooling(fault: std::io::Error) -> SourceFault {
    SourceFault::of_io("the folder for crawled pages", &fault)
}

impl Web {
    /// Breadth first from the pages that were named. A page that fails is noted and ends its branch; of a site none of
    /// whose named pages can be read nothing is known.
    pub(super) async fn crawl(
        &self,
        source: &Source,
        starts: Vec<Url>,
        seen: &mut BTreeSet<Url>,
        listing: &mut Listing,
    ) -> Result<(), SourceFault> {
        std::fs::create_dir_all(&self.spool).map_err(spooling)?;
        let step = |url: Url| Step { start: Arc::new(url.clone()), url, depth: 0 };
        let mut waiting: VecDeque<Step> = starts.into_iter().map(step).collect();
        let mut under_way = FuturesOrdered::new();
        let mut unread = None;
        loop {
            // No more than there is room for, so that nothing is fetched in vain.
            let room = (self.spec.max_pages as usize).saturating_sub(listing.documents.len());
            while under_way.len() < AHEAD.min(room)
                && let Some(step) = waiting.pop_front()
            {
                under_way.push_back(self.visit(source, step));
            }
            let Some(visited) = under_way.next().await else { break };
            let (Step { url, start, depth }, came) = visited?;
            let entry = self.entry(source, &url);
            match came {
                Came::Nothing => {}
                Came::Failed(fault) => {
                    let is_missing = matches!(fault, SourceFault::Missing { .. });
                    // What this page links to is unknown now, so no page of the crawl counts as gone. One that was linked
                    // and is not there links to nothing; one that was named is where the others were found.
                    if !is_missing || depth == 0 {
                        listing.unread.push(String::new());
                    }
                    let labels = Some(entry.attributes.labels.to_vec());
                    let warning = source.warn_of_many(entry.path, fault.code(), fault.to_string());
                    listing.warnings.push(Warning { labels, ..warning });
                    if depth == 0 {
                        unread = unread.or(Some(fault));
                    }
                }
                Came::Page(page, links) => {
                    for link in links.into_iter().filter(|link| seen.insert(link.clone())) {
                        waiting.push_back(Step { url: link, start: start.clone(), depth: depth + 1 });
                    }
                    let fingerprint = Some(page.fingerprint.clone());
                    listing.documents.push(Listed { fingerprint, place: Place::Spooled(Arc::new(page)), ..entry });
                }
            }
        }
        if !waiting.is_empty() {
            listing.warnings.push(self.full(source));
        }
        match unread {
            Some(fault) if listing.documents.is_empty() => Err(fault),
            _ => Ok(()),
        }
    }

    async fn visit(&self, source: &Source, step: Step) -> Result<(Step, Came), SourceFault> {
        let (bytes, media_type, reached, last_modified) =
            match self.hosts.get(&step.url, &Validators::default(), self.max_bytes).await {
                Ok(Answer::Body { bytes, media_type, url, validators }) => (bytes, media_type, url, validators.last_modified),
                Ok(Answer::NotModified) => return Ok((step, Came::Nothing)),
                Err(fault) => return Ok((step, Came::Failed(fault))),
            };
        let leads_on = step.depth < self.spec.depth && is_html(media_type.as_deref());
        let links = if leads_on { self.links_of(source, &step.start, (&bytes, &reached)) } else { Vec::new() };
        let page = self.spool(&bytes, (media_type, last_modified)).map_err(spooling)?;
        // A page may be large, and many may wait for what the site asks of crawlers.
        drop(bytes);
        let mut followed = Vec::new();
        for link in links {
            if self.may_crawl(&link).await {
                followed.push(link);
            }
        }
        Ok((step, Came::Page(page, followed)))
    }

    /// The links of a page that are wanted, each once.
    fn links_of(&self, source: &Source, start: &Url, (bytes, reached): (&Bytes, &Url)) -> Vec<Url> {
        let mut once = BTreeSet::new();
        let mut links = links::links(&String::from_utf8_lossy(bytes), reached);
        links.retain(|link| self.follows(source, start, link) && once.insert(link.clone()));
        links
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
}
