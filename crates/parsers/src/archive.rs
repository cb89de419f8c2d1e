//! Office files are archives; what they unpack to is bounded before it is read.

use std::{
    borrow::Cow,
    io::{Cursor, ErrorKind, Read},
};

use quick_xml::{Reader, events::Event, name::QName};
use zip::ZipArchive;

use crate::{fault::ParseFault, limits::Limits};

pub(crate) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
    limits: Limits,
}

impl<'a> Archive<'a> {
    pub(crate) fn open(bytes: &'a [u8], format: &str, limits: &Limits) -> Result<Self, ParseFault> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| ParseFault::malformed(format, error))?;
        if zip.len() > limits.entries as usize {
            return Err(ParseFault::Expansion { limit: limits.expansion, entries: limits.entries });
        }
        Ok(Self { zip, left: limits.expansion, limits: *limits })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.zip.file_names().filter_map(|name| name.ok().map(Cow::into_owned)).collect()
    }

    /// A member's bytes; `None` when it is not there. What its header claims is believed only where it is too much: then
    /// nothing of it needs to be unpacked.
    pub(crate) fn read(&mut self, name: &str, format: &str) -> Result<Option<Vec<u8>>, ParseFault> {
        let member = match self.zip.by_name(name) {
            Ok(member) => member,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(ParseFault::malformed(format, error)),
        };
        if member.encrypted() {
            return Err(ParseFault::Encrypted);
        }
        let too_much = ParseFault::Expansion { limit: self.limits.expansion, entries: self.limits.entries };
        if member.size() > self.left {
            return Err(too_much);
        }
        let mut bytes = Vec::new();
        match member.take(self.left + 1).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 <= self.left => {}
            Ok(_) => return Err(too_much),
            // More than the process may have at all.
            Err(error) if error.kind() == ErrorKind::OutOfMemory => return Err(too_much),
            Err(error) => return Err(ParseFault::malformed(format, error)),
        }
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }
}

/// Walks an XML member. Entities other than the five of XML are dropped, so nothing expands.
pub(crate) fn walk(
    xml: &[u8],
    format: &str,
    limits: &Limits,
    mut each: impl FnMut(Node<'_>) -> Result<(), ParseFault>,
) -> Result<(), ParseFault> {
    let mut reader = Reader::from_reader(xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    let mut depth = 0_u32;
    let malformed = |error: quick_xml::Error| ParseFault::malformed(format, error);
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(malformed)? {
            Event::Start(element) => {
                depth += 1;
                if depth > limits.depth {
                    return Err(ParseFault::TooDeep { limit: limits.depth });
                }
                let name = element.local_name();
                each(Node::Open(&String::from_utf8_lossy(name.as_ref()), &Attributes(&element)))?;
            }
            Event::Empty(element) => {
                let name = String::from_utf8_lossy(element.local_name().as_ref()).into_owned();
                each(Node::Open(&name, &Attributes(&element)))?;
                each(Node::Close(&name))?;
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                each(Node::Close(&String::from_utf8_lossy(element.local_name().as_ref())))?;
            }
            Event::Text(text) => each(Node::Text(&String::from_utf8_lossy(&text)))?,
            Event::CData(text) => each(Node::Text(&String::from_utf8_lossy(&text)))?,
            Event::GeneralRef(reference) => {
                let text = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    _ => match reference.as_ref() as &[u8] {
                        b"amp" => "&".to_owned(),
                        b"lt" => "<".to_owned(),
                        b"gt" => ">".to_owned(),
                        b"quot" => "\"".to_owned(),
                        b"apos" => "'".to_owned(),
                        _ => String::new(),
                    },
                };
                each(Node::Text(&text))?;
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

pub(crate) enum Node<'a> {
    Open(&'a str, &'a Attributes<'a>),
    Close(&'a str),
    Text(&'a str),
}

pub(crate) struct Attributes<'a>(&'a quick_xml::events::BytesStart<'a>);

impl Attributes<'_> {
    /// By local name, the prefix aside.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.find(|key| key.local_name().as_ref() == name.as_bytes())
    }

    /// What points to another part (`r:id`), not the element's own (`id`).
    pub(crate) fn prefixed(&self, name: &str) -> Option<String> {
        self.find(|key| key.prefix().is_some() && key.local_name().as_ref() == name.as_bytes())
    }

    fn find(&self, is_it: impl Fn(QName<'_>) -> bool) -> Option<String> {
        let found = self.0.attributes().flatten().find(|attribute| is_it(attribute.key))?;
        let raw = String::from_utf8_lossy(&found.value);
        Some(quick_xml::escape::unescape(&raw).map_or_else(|_| raw.to_string(), Cow::into_owned))
    }
}
