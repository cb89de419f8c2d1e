//! HTTP downloads that go on where they stopped. Blocking on purpose: the whole of `pull` runs on
//! one blocking thread, which keeps hashing, unpacking and locking plain.

use std::{
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use reqwest::{Response, StatusCode, header};
use tokio::runtime::Handle;

use crate::fault::WeightsFault;

/// A place that goes away in the middle is asked again this often; what arrived is kept.
const ATTEMPTS: u32 = 4;
/// Index pages are a few kilobytes; the largest projects have a few megabytes.
const PAGE_LIMIT: u64 = 32 << 20;

#[derive(Debug)]
pub(crate) enum FetchFault {
    /// This place cannot give the file; another one may.
    Place(String),
    /// Our side failed; another place would not help.
    Ours(WeightsFault),
    /// Nobody waits for the answer any more.
    Cancelled,
}

/// Downloads with one client, on one runtime, until told to stop.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    pub(crate) client: reqwest::Client,
    pub(crate) runtime: Handle,
    pub(crate) cancelled: Arc<AtomicBool>,
}

/// How one attempt ended.
enum Attempt {
    Whole,
    /// Worth another attempt.
    CutShort(String),
    Refused(String),
}

impl Fetcher {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Brings `url` into the file `partial`, going on after the bytes that are there already.
    /// Answers whether some were. `limit` is the most the file may have.
    pub(crate) fn download(
        &self,
        url: &str,
        partial: &Path,
        limit: u64,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<bool, FetchFault> {
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(partial);
        let mut file = open.map_err(|source| FetchFault::Ours(WeightsFault::io(partial, source)))?;
        let start = file.metadata().map(|meta| meta.len()).unwrap_or(0);
        let mut reason = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(200 << attempt));
            }
            if self.is_cancelled() {
                return Err(FetchFault::Cancelled);
            }
            match self.attempt(url, &mut file, partial, limit, progress)? {
                Attempt::Whole => {
                    file.sync_all().map_err(|source| FetchFault::Ours(WeightsFault::io(partial, source)))?;
                    return Ok(start > 0);
                }
                Attempt::CutShort(why) => reason = why,
                Attempt::Refused(why) => return Err(FetchFault::Place(why)),
            }
            // A signed address opens the file to whoever reads the log.
            let address = url.split('?').next().unwrap_or_default();
            tracing::debug!(address, attempt, reason, "download interrupted");
        }
        Err(FetchFault::Place(reason))
    }

    fn attempt(
        &self,
        url: &str,
        file: &mut File,
        partial: &Path,
        limit: u64,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<Attempt, FetchFault> {
        let ours = |source| FetchFault::Ours(WeightsFault::io(partial, source));
        let mut have = file.seek(SeekFrom::End(0)).map_err(ours)?;
        let mut request = self.client.get(url).header(header::ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let mut response = match self.runtime.block_on(request.send()) {
            Ok(response) => response,
            Err(fault) => return Ok(Attempt::CutShort(reason_of(&fault))),
        };
        let total = match Start::of(&response, have) {
            Start::AtEnd => return Ok(Attempt::Whole),
            Start::GoOn { total } => total,
            Start::Anew { total } => {
                file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(ours)?;
                have = 0;
                total
            }
            Start::Useless => {
                file.set_len(0).map_err(ours)?;
                return Ok(Attempt::CutShort("what was there before did not fit".to_owned()));
            }
            Start::Failed(status) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Attempt::CutShort(format!("status {status}")));
            }
            Start::Failed(status) => return Ok(Attempt::Refused(format!("status {status}"))),
        };
        loop {
            progress(have, total);
            if self.is_cancelled() {
                return Err(FetchFault::Cancelled);
            }
            match self.runtime.block_on(response.chunk()) {
                Ok(Some(bytes)) => {
                    have += bytes.len() as u64;
                    if have > limit {
                        file.set_len(0).map_err(ours)?;
                        return Ok(Attempt::Refused(format!("it sends more than the {limit} bytes expected")));
                    }
                    file.write_all(&bytes).map_err(ours)?;
                }
                Ok(None) if total.is_none_or(|total| have == total) => return Ok(Attempt::Whole),
                Ok(None) => return Ok(Attempt::CutShort(format!("it stopped after {have} bytes"))),
                Err(fault) => return Ok(Attempt::CutShort(reason_of(&fault))),
            }
        }
    }

    /// A small document, whole.
    pub(crate) fn page(&self, url: &str, accept: &'static str) -> Result<(reqwest::Url, Vec<u8>), FetchFault> {
        let mut reason = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(200 << attempt));
            }
            let request = self.client.get(url).header(header::ACCEPT, accept).header(header::ACCEPT_ENCODING, "identity");
            match self.runtime.block_on(read_page(request)) {
                Ok(page) => return Ok(page),
                Err(PageFault::Final(why)) => return Err(FetchFault::Place(why)),
                Err(PageFault::Passing(why)) => reason = why,
            }
        }
        Err(FetchFault::Place(reason))
    }

    /// The bytes `from..to` of `url`, or `None` where the server does not do ranges.
    pub(crate) fn range(&self, url: &str, from: u64, to: u64) -> Result<Option<Bytes>, String> {
        let request = self
            .client
            .get(url)
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::RANGE, format!("bytes={from}-{}", to.saturating_sub(1)));
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|fault| reason_of(&fault))?;
            if response.status() != StatusCode::PARTIAL_CONTENT || content_range(&response).map(|range| range.0) != Some(from) {
                return Ok(None);
            }
            let bytes = response.bytes().await.map_err(|fault| reason_of(&fault))?;
            Ok((bytes.len() as u64 == to - from).then_some(bytes))
        })
    }
}

enum PageFault {
    Final(String),
    Passing(String),
}

async fn read_page(request: reqwest::RequestBuilder) -> Result<(reqwest::Url, Vec<u8>), PageFault> {
    let passing = |fault: reqwest::Error| PageFault::Passing(reason_of(&fault));
    let mut response = request.send().await.map_err(passing)?;
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(PageFault::Passing(format!("status {status}")));
    }
    if !status.is_success() {
        return Err(PageFault::Final(format!("status {status}")));
    }
    let url = response.url().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(passing)? {
        if (body.len() + chunk.len()) as u64 > PAGE_LIMIT {
            return Err(PageFault::Final(format!("its answer is longer than {PAGE_LIMIT} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((url, body))
}

/// Where an answer's body begins in the file.
enum Start {
    AtEnd,
    GoOn { total: Option<u64> },
    Anew { total: Option<u64> },
    Useless,
    Failed(StatusCode),
}

impl Start {
    fn of(response: &Response, have: u64) -> Self {
        match response.status() {
            StatusCode::OK => Self::Anew { total: response.content_length() },
            StatusCode::PARTIAL_CONTENT => match content_range(response) {
                Some((from, total)) if from == have => Self::GoOn { total },
                _ => Self::Useless,
            },
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                if unsatisfied_total(response) == Some(have) {
                    Self::AtEnd
                } else {
                    Self::Useless
                }
            }
            status => Self::Failed(status),
        }
    }
}

fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    parse_content_range(response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?)
}

fn unsatisfied_total(response: &Response) -> Option<u64> {
    response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes */")?.parse().ok()
}

/// `bytes 5-9/10` is `(5, Some(10))`.
pub(crate) fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse::<u64>().ok()?) };
    (from <= to && total.is_none_or(|total| to < total)).then_some((from, total))
}

/// The innermost cause says what happened; the outer layers say "error sending request".
fn reason_of(fault: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = fault;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if fault.is_timeout() { "it did not answer in time".to_owned() } else { cause.to_string() }
}
