//! Reading sitemaps: lists of pages, and lists of lists.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use quick_xml::{Reader, events::Event};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sitemap {
    pub pages: Vec<String>,
    pub sitemaps: Vec<String>,
    /// It was read from its first tag to its last. Otherwise there are addresses it does not name here.
    pub whole: bool,
}

/// A sitemap as it is sent. Many are packed, and their servers call that a file of its own kind, so that the HTTP client
/// leaves it as it is. What one unpacks to is bounded by `most` bytes.
pub(super) fn read(bytes: &[u8], most: u64, limit: usize) -> Result<Sitemap, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return parse(bytes, limit);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes).take(most + 1).read_to_end(&mut unpacked).map_err(|fault| fault.to_string())?;
    if unpacked.len() as u64 > most {
        return Err(format!("it unpacks to more than {most} bytes"));
    }
    parse(&unpacked, limit)
}

/// Collects what stands in `<loc>`; stops at `limit` addresses. Broken XML gives what was read before the break, and what
/// is no sitemap at all is refused: an empty one would say that every page is gone.
pub(super) fn parse(bytes: &[u8], limit: usize) -> Result<Sitemap, String> {
    let mut reader = Reader::from_reader(bytes);
    reader.config_mut().check_end_names = false;
    let mut found = Sitemap::default();
    // How many of the tags that hold everything are open.
    let (mut open, mut seen) = (0_usize, false);
    let (mut in_index, mut in_loc) = (false, false);
    let mut address = String::new();
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => match tag.local_name().as_ref() {
                name if is_root(name) => {
                    (open, seen) = (open + 1, true);
                    in_index |= name == b"sitemapindex";
                }
                b"loc" => {
                    in_loc = true;
                    address.clear();
                }
                _ => {}
            },
            Ok(Event::Empty(tag)) if is_root(tag.local_name().as_ref()) => seen = true,
            Ok(Event::Text(text)) if in_loc => push_bounded(&mut address, &String::from_utf8_lossy(&text)),
            Ok(Event::CData(text)) if in_loc => push_bounded(&mut address, &String::from_utf8_lossy(&text)),
            Ok(Event::GeneralRef(name)) if in_loc => push_bounded(&mut address, entity(&name)),
            Ok(Event::End(tag)) if is_root(tag.local_name().as_ref()) => open = open.saturating_sub(1),
            Ok(Event::End(tag)) if tag.local_name().as_ref() == b"loc" && in_loc => {
                in_loc = false;
                let list = if in_index { &mut found.sitemaps } else { &mut found.pages };
                let address = address.trim();
                if !address.is_empty() {
                    list.push(address.to_owned());
                }
            }
            Ok(Event::Eof) if !seen => return Err("it is no sitemap".to_owned()),
            Ok(Event::Eof) => return Ok(Sitemap { whole: open == 0, ..found }),
            Ok(_) => {}
            Err(fault) if !seen => return Err(fault.to_string()),
            Err(_) => return Ok(found),
        }
        if found.pages.len() + found.sitemaps.len() >= limit {
            return Ok(found);
        }
        buffer.clear();
    }
}

fn is_root(name: &[u8]) -> bool {
    matches!(name, b"urlset" | b"sitemapindex")
}

/// Longer than any address: the rest of such a text is not kept.
const LONGEST: usize = 8192;

fn push_bounded(address: &mut String, text: &str) {
    if address.len() + text.len() <= LONGEST {
        address.push_str(text);
    }
}

fn entity(name: &[u8]) -> &'static str {
    match name {
        b"amp" | b"#38" => "&",
        b"apos" | b"#39" => "'",
        b"quot" | b"#34" => "\"",
        b"lt" => "<",
        b"gt" => ">",
        _ => "",
    }
}
