//! Pages that cannot be read. pdf_oxide gives no text for a page whose content it cannot find or unpack, as for one that is
//! a picture; the two are told apart here.

use mainspring_kernel::text::elide;
use pdf_oxide::{PdfDocument, object::Object};

use crate::{build::Builder, fault::ParseFault, limits::Limits, warning::WarningKind};

/// Pages that are named with what is wrong with them; of more it is said how many.
const SHOWN: usize = 20;
/// What pdf_oxide unpacks of one stream at most, and its words for one that is larger.
const STREAM_MAX: u64 = 256 << 20;
const TOO_LARGE: &str = "safety limit";

#[derive(Default)]
pub(super) struct Broken {
    pages: usize,
    /// What the first of them said.
    first: String,
    /// One of them unpacks to more than is allowed.
    expands: bool,
}

impl Broken {
    pub(super) fn note(&mut self, number: u32, why: &str, builder: &mut Builder) {
        let said = format!("page {number} cannot be read: {}", elide(why, 120));
        self.pages += 1;
        self.expands |= why.contains(TOO_LARGE);
        if self.first.is_empty() {
            self.first.clone_from(&said);
        }
        if self.pages <= SHOWN {
            builder.warn(WarningKind::PageUnread, said);
        }
    }

    pub(super) fn tell(&self, pages: usize, builder: &mut Builder) {
        if self.pages > SHOWN {
            builder.warn(WarningKind::PageUnread, format!("{} of {pages} pages cannot be read", self.pages));
        }
    }

    /// Where there is no other page.
    pub(super) fn fault(&self, limits: &Limits) -> ParseFault {
        match self {
            Self { expands: true, .. } => ParseFault::Expansion { limit: STREAM_MAX, entries: limits.entries },
            Self { pages: 0, .. } => ParseFault::malformed("PDF", "it has no pages"),
            Self { first, .. } => ParseFault::malformed("PDF", format!("no page of it can be read; {first}")),
        }
    }
}

/// Whether all that makes up a page is in the file. What cannot be unpacked is an error.
pub(super) fn is_whole(document: &PdfDocument, page: usize) -> pdf_oxide::Result<bool> {
    let about = document.get_page(page)?;
    let contents = match about.as_dict().and_then(|about| about.get("Contents")) {
        // A page with nothing on it.
        None | Some(Object::Null) => return Ok(true),
        Some(contents) => follow(document, contents)?,
    };
    let parts = match contents {
        Object::Array(parts) => parts,
        // It names an object that is not in the file.
        Object::Null => return Ok(false),
        part => vec![part],
    };
    let mut streams = Vec::with_capacity(parts.len());
    for part in parts.iter().filter(|part| !matches!(part, Object::Null)) {
        streams.push(follow(document, part)?);
    }
    if !streams.iter().all(|part| matches!(part, Object::Stream { .. })) {
        return Ok(false);
    }
    if document.is_encrypted() {
        // Only the document knows how these are read.
        document.get_page_content_data(page)?;
    } else {
        // One by one: of several the document passes over those that cannot be unpacked.
        for stream in &streams {
            stream.decode_stream_data()?;
        }
    }
    Ok(true)
}

fn follow(document: &PdfDocument, object: &Object) -> pdf_oxide::Result<Object> {
    match object {
        Object::Reference(reference) => document.load_object(*reference),
        object => Ok(object.clone()),
    }
}
