//! Reading the pages in which a bucket lists its objects. Keys are kept as they are written: the store's own
//! client would drop a slash at the end and refuse a whole page for one key with two in a row.

use quick_xml::{Reader, escape::resolve_xml_entity, events::Event};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Object {
    pub key: String,
    pub size: u64,
    pub etag: Option<String>,
    pub last_modified: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ListingPage {
    pub objects: Vec<Object>,
    /// Asks for the next page; absent on the last.
    pub next: Option<String>,
}

/// Half a page would look like objects that are gone, so anything odd is refused.
pub(super) fn parse(bytes: &[u8]) -> Result<ListingPage, String> {
    let mut reader = Reader::from_reader(bytes);
    let mut page = ListingPage::default();
    let mut open: Vec<Vec<u8>> = Vec::new();
    let (mut object, mut text) = (Object::default(), String::new());
    let (mut seen, mut more) = (false, false);
    loop {
        match reader.read_event().map_err(|fault| fault.to_string())? {
            Event::Start(tag) => {
                let name = tag.local_name().as_ref().to_vec();
                seen |= open.is_empty() && name == b"ListBucketResult";
                if name == b"Contents" {
                    object = Object::default();
                }
                open.push(name);
                text.clear();
            }
            Event::Text(part) => text.push_str(&String::from_utf8_lossy(&part)),
            Event::CData(part) => text.push_str(&String::from_utf8_lossy(&part)),
            Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|fault| fault.to_string())? {
                Some(character) => text.push(character),
                None => text.push_str(resolve_xml_entity(&String::from_utf8_lossy(&name)).ok_or("an unknown entity")?),
            },
            Event::End(_) => {
                let name = open.pop().unwrap_or_default();
                let within = open.last().map(Vec::as_slice);
                more |= open.len() == 1 && name == b"IsTruncated" && text.trim() == "true";
                take(&mut page, &mut object, (within, &name), std::mem::take(&mut text))?;
            }
            Event::Eof if more && page.next.is_none() => return Err("it goes on, and does not say how".to_owned()),
            Event::Eof if seen && open.is_empty() => return Ok(page),
            Event::Eof => return Err("it is no listing, or one cut short".to_owned()),
            _ => {}
        }
    }
}

fn take(page: &mut ListingPage, object: &mut Object, at: (Option<&[u8]>, &[u8]), text: String) -> Result<(), String> {
    match at {
        (Some(b"Contents"), b"Key") => object.key = text,
        (Some(b"Contents"), b"Size") => object.size = text.trim().parse().map_err(|_| "a size that is no number")?,
        (Some(b"Contents"), b"ETag") => object.etag = Some(text),
        (Some(b"Contents"), b"LastModified") => object.last_modified = text,
        (Some(b"ListBucketResult"), b"Contents") => page.objects.push(std::mem::take(object)),
        (Some(b"ListBucketResult"), b"NextContinuationToken") => page.next = Some(text).filter(|token| !token.is_empty()),
        _ => {}
    }
    Ok(())
}
