//! Putting a document together from parts that come in order.

use std::collections::BTreeMap;

use crate::{
    fault::ParseFault,
    limits::Limits,
    marks,
    model::{Block, BlockKind, Link, MadeBy, ParsedDocument},
    warning::{ParseWarning, WarningKind},
};

#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) title: Option<String>,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) links: Vec<Link>,
    pub(crate) unspoken: Vec<(usize, usize)>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) warnings: Vec<ParseWarning>,
    pub(crate) page: Option<u32>,
    headings: Vec<(u8, String)>,
    limit: usize,
}

/// A document with more links than this is a list of links.
const LINKS_MAX: usize = 2_000;
/// A longer cell over several rows is read in the first only.
const CARRIED: usize = 100;
/// Longer headings are cut where they stand as a title or in a path.
pub(crate) const HEADING_MAX: usize = 300;

impl Builder {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            title: None,
            text: String::new(),
            blocks: Vec::new(),
            links: Vec::new(),
            unspoken: Vec::new(),
            metadata: BTreeMap::new(),
            warnings: Vec::new(),
            page: None,
            headings: Vec::new(),
            limit: usize::try_from(limits.output).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn heading(&mut self, level: u8, text: &str) -> Result<(), ParseFault> {
        let level = level.clamp(1, 6);
        let text = one_line(text);
        if text.is_empty() {
            return Ok(());
        }
        self.leave(level);
        let written = format!("{} {text}", "#".repeat(usize::from(level)));
        let text = mainspring_kernel::text::elide(&marks::without(&text), HEADING_MAX);
        self.block(BlockKind::Heading { level }, &written)?;
        if let Some(block) = self.blocks.last_mut() {
            block.heading = Some(text.clone());
        }
        self.headings.push((level, text));
        Ok(())
    }

    /// Leaves the headings of this level and those below them.
    pub(crate) fn leave(&mut self, level: u8) {
        self.headings.retain(|(other, _)| *other < level);
    }

    /// Adds another document behind what is here, under the headings that are open.
    pub(crate) fn append(&mut self, part: ParsedDocument) -> Result<(), ParseFault> {
        if part.blocks.is_empty() {
            return Ok(());
        }
        if self.text.len() + part.text.len() + 2 > self.limit {
            return Err(ParseFault::TextTooLarge { limit: self.limit as u64 });
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let base = self.text.len();
        self.text.push_str(&part.text);
        let above: Vec<String> = self.headings.iter().map(|(_, text)| text.clone()).collect();
        self.blocks.extend(part.blocks.into_iter().map(|block| Block {
            start: base + block.start,
            end: base + block.end,
            heading_path: above.iter().cloned().chain(block.heading_path).collect(),
            page: self.page,
            ..block
        }));
        self.unspoken.extend(part.unspoken.iter().map(|(start, end)| (base + start, base + end)));
        for link in part.links {
            let place = link.place.map(|(start, end)| (base + start, base + end));
            self.link(&link.text, &link.target, place);
        }
        Ok(())
    }

    /// Adds a block of text; one that is only white space is left out.
    pub(crate) fn block(&mut self, kind: BlockKind, text: &str) -> Result<(), ParseFault> {
        let text = text.trim_matches(|c: char| c == '\n' || c == '\r').trim_end();
        if text.trim().is_empty() {
            return Ok(());
        }
        if self.text.len() + text.len() + 2 > self.limit {
            return Err(ParseFault::TextTooLarge { limit: self.limit as u64 });
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let start = self.text.len();
        let (text, places) = marks::taken(text);
        self.text.push_str(&text);
        for (link, (from, to)) in places {
            if let Some(link) = self.links.get_mut(link) {
                link.place.get_or_insert((start + from, start + to));
            }
        }
        let heading_path = self.headings.iter().map(|(_, text)| text.clone()).collect();
        self.blocks.push(Block { kind, start, end: self.text.len(), heading_path, page: self.page, heading: None });
        Ok(())
    }

    pub(crate) fn paragraph(&mut self, text: &str) -> Result<(), ParseFault> {
        self.block(BlockKind::Paragraph, text)
    }

    /// Tells of something that stops nothing.
    pub(crate) fn warn(&mut self, kind: WarningKind, detail: impl Into<String>) {
        self.warnings.push(ParseWarning::new(kind, detail));
    }

    /// Keeps where a link leads, under the number that comes back.
    pub(crate) fn link(&mut self, text: &str, target: &str, place: Option<(usize, usize)>) -> Option<usize> {
        if self.links.len() >= LINKS_MAX || target.is_empty() {
            return None;
        }
        // A link around a whole card of text is named by how it begins.
        let text = mainspring_kernel::text::elide(&one_line(&marks::without(text)), HEADING_MAX);
        self.links.push(Link { text, target: mainspring_kernel::text::elide(target, 2_000), place });
        Some(self.links.len() - 1)
    }

    /// Rows as a Markdown table, the first as its header.
    pub(crate) fn table(&mut self, rows: &[Vec<String>]) -> Result<(), ParseFault> {
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        if width == 0 {
            return Ok(());
        }
        let mut text = String::new();
        for (index, row) in rows.iter().enumerate() {
            text.push('|');
            for column in 0..width {
                let cell = row.get(column).map(|cell| one_line(cell).replace('|', "\\|")).unwrap_or_default();
                text.push(' ');
                text.push_str(&cell);
                text.push_str(" |");
            }
            text.push('\n');
            if index == 0 {
                text.push_str(&format!("|{}\n", " --- |".repeat(width)));
            }
        }
        self.block(BlockKind::Table, &text)
    }

    pub(crate) fn finish(self, media_type: &str, file_name: &str, pages: Option<u32>) -> ParsedDocument {
        let first_heading = || self.blocks.iter().find_map(|block| block.heading.clone());
        let title = self
            .title
            .as_deref()
            .map(one_line)
            .filter(|title| !title.is_empty())
            .or_else(first_heading)
            .unwrap_or_else(|| stem(file_name));
        ParsedDocument {
            made_by: MadeBy::default(),
            title: mainspring_kernel::text::elide(&title, HEADING_MAX),
            media_type: media_type.to_owned(),
            text: self.text,
            blocks: self.blocks,
            pages,
            links: self.links,
            unspoken: self.unspoken,
            metadata: self.metadata,
            warnings: self.warnings,
        }
    }
}

/// A cell over several rows, as it is read in the rows after the first: long ones are not read again.
pub(crate) fn carried(cell: &str) -> String {
    let cell = marks::without(cell);
    if cell.len() > CARRIED { String::new() } else { cell.into_owned() }
}

/// Text on one line, white space folded.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The file's name without its folder and ending, for documents that do not say what they are called. Folders are told by `/`
/// on every system; a `\` is part of a name, where it may also stand for a byte that is no text (`\xFF`).
pub(crate) fn stem(file_name: &str) -> String {
    let name = file_name.rsplit('/').next().unwrap_or(file_name);
    let name = match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    };
    let clean: String = name.chars().filter(|c| !c.is_control()).collect();
    if clean.trim().is_empty() { "untitled".to_owned() } else { clean }
}
