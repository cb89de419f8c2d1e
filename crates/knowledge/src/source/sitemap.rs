//! Reading sitemaps: lists of pages, and lists of lists.

use quick_xml::{Reader, events::Event};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sitemap {
    pub pages: Vec<String>,
    pub sitemaps: Vec<String>,
}

/// Collects what stands in `<loc>`; stops at `limit` addresses. Broken XML gives what was read before the break.
pub(super) fn parse(bytes: &[u8], limit: usize) -> Result<Sitemap, String> {
    let mut reader = Reader::from_reader(bytes);
    reader.config_mut().check_end_names = false;
    let mut found = Sitemap::default();
    let (mut in_index, mut in_loc) = (false, false);
    let mut address = String::new();
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => match tag.local_name().as_ref() {
                b"sitemapindex" => in_index = true,
                b"loc" => {
                    in_loc = true;
                    address.clear();
                }
                _ => {}
            },
            Ok(Event::Text(text)) if in_loc => push_bounded(&mut address, &String::from_utf8_lossy(&text)),
            Ok(Event::CData(text)) if in_loc => push_bounded(&mut address, &String::from_utf8_lossy(&text)),
            Ok(Event::GeneralRef(name)) if in_loc => push_bounded(&mut address, entity(&name)),
            Ok(Event::End(tag)) if tag.local_name().as_ref() == b"loc" && in_loc => {
                in_loc = false;
                let list = if in_index { &mut found.sitemaps } else { &mut found.pages };
                let address = address.trim();
                if !address.is_empty() {
                    list.push(address.to_owned());
                }
            }
            Ok(Event::Eof) => return Ok(found),
            Ok(_) => {}
            Err(fault) if found == Sitemap::default() => return Err(fault.to_string()),
            Err(_) => return Ok(found),
        }
        if found.pages.len() + found.sitemaps.len() >= limit {
            return Ok(found);
        }
        buffer.clear();
    }
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
