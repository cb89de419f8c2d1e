//! DOCX: paragraphs with their styles, lists, tables.

use std::collections::HashMap;

use crate::{
    archive::{Archive, Node, walk},
    build::{Builder, carried, one_line},
    fault::ParseFault,
    limits::Limits,
    marks,
    model::{BlockKind, ParsedDocument},
    relations::{self, Relation},
};

const FORMAT: &str = "DOCX";
/// Styles that are made from one another; more of them lead back to the first.
const STYLES: usize = 20;
/// The style of a document's title.
const TITLE: &str = "title";
/// The number of a list that takes its paragraphs out of any.
const NO_LIST: &str = "0";
/// A row with more columns is no row that a person reads.
const COLUMNS: usize = 500;

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    let body = archive.read("word/document.xml", FORMAT)?.ok_or_else(|| ParseFault::malformed(FORMAT, "it has no body"))?;
    let styles = match archive.read("word/styles.xml", FORMAT)? {
        Some(xml) => styles(&xml, limits)?,
        None => Styles::default(),
    };
    let mut builder = Builder::new(limits);
    if let Some(core) = archive.read("docProps/core.xml", FORMAT)? {
        builder.title = core_title(&core, limits)?;
    }
    let links = relations::of(&mut archive, "word/document.xml", FORMAT, limits)?;
    let mut reader = Reader::new(&mut builder, &styles, &links);
    walk(&body, FORMAT, limits, |node| reader.node(node))?;
    for (member, each) in [("word/footnotes.xml", "footnote"), ("word/endnotes.xml", "endnote")] {
        if let Some(xml) = archive.read(member, FORMAT)? {
            builder.leave(1);
            notes(&xml, each, &mut builder, limits)?;
        }
    }
    Ok(builder.finish("application/vnd.openxmlformats-officedocument.wordprocessingml.document", file_name, None))
}

pub(crate) fn core_title(xml: &[u8], limits: &Limits) -> Result<Option<String>, ParseFault> {
    let mut title = String::new();
    let mut inside = false;
    walk(xml, FORMAT, limits, |node| {
        match node {
            Node::Open("title", _) => inside = true,
            Node::Close("title") => inside = false,
            Node::Text(text) if inside => title.push_str(text),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Some(title).filter(|title| !title.trim().is_empty()))
}

/// What a style says about its paragraphs, where it does.
#[derive(Default)]
struct Style {
    /// Of a heading, by the style's name or its outline level; 0 is none.
    level: Option<u8>,
    /// The document's, which styles made from it (subtitles) are not.
    title: bool,
    list: Option<bool>,
    /// What it leaves open is as it is there.
    based_on: Option<String>,
}

/// By the style's id.
#[derive(Default)]
struct Styles(HashMap<String, Style>);

impl Styles {
    fn find<T>(&self, id: &str, says: impl Fn(&Style) -> Option<T>) -> Option<T> {
        let mut style = self.0.get(id);
        for _ in 0..STYLES {
            let found = says(style?);
            if found.is_some() {
                return found;
            }
            style = style?.based_on.as_ref().and_then(|id| self.0.get(id));
        }
        None
    }

    fn level(&self, id: &str) -> Option<u8> {
        if self.0.get(id).is_some_and(|style| style.title) {
            return Some(1);
        }
        self.find(id, |style| style.level).or_else(|| named_level(id)).filter(|level| *level > 0)
    }

    fn list(&self, id: &str) -> bool {
        self.find(id, |style| style.list).unwrap_or_default()
    }
}

fn styles(xml: &[u8], limits: &Limits) -> Result<Styles, ParseFault> {
    let mut styles = Styles::default();
    let mut id = String::new();
    walk(xml, FORMAT, limits, |node| {
        let Node::Open(name, attributes) = node else { return Ok(()) };
        if name == "style" {
            id = attributes.get("styleId").unwrap_or_default();
        }
        if !matches!(name, "name" | "basedOn" | "numPr" | "numId" | "outlineLvl") {
            return Ok(());
        }
        let style = styles.0.entry(id.clone()).or_default();
        let value = attributes.get("val");
        match name {
            "name" if value.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(TITLE)) => style.title = true,
            "name" => style.level = value.as_deref().and_then(named_level).or(style.level),
            "basedOn" => style.based_on = value,
            "numPr" => style.list = Some(true),
            "numId" => style.list = Some(value.as_deref() != Some(NO_LIST)),
            _ => {
                style.level = style.level.or(outlined(value.as_deref()));
            }
        }
        Ok(())
    })?;
    Ok(styles)
}

/// An outline level as heading level; 0 is none.
fn outlined(level: Option<&str>) -> Option<u8> {
    let level = level?.parse::<u8>().ok()?;
    Some(if level < 6 { level + 1 } else { 0 })
}

fn named_level(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    if name == TITLE {
        return Some(1);
    }
    let digits = name.strip_prefix("heading").map(str::trim)?;
    digits.parse().ok().filter(|level| (1..=6).contains(level))
}

/// What stands at the foot of pages, behind the text.
fn notes(xml: &[u8], each: &str, builder: &mut Builder, limits: &Limits) -> Result<(), ParseFault> {
    let mut text = String::new();
    let (mut in_text, mut number) = (false, 0);
    walk(xml, FORMAT, limits, |node| {
        match node {
            Node::Open("t", _) => in_text = true,
            Node::Close("t") => in_text = false,
            Node::Text(part) if in_text => text.push_str(part),
            Node::Open("noBreakHyphen", _) => text.push('-'),
            Node::Open("tab" | "br" | "cr", _) | Node::Close("p") => text.push(' '),
            // The lines between text and notes are notes without words.
            Node::Close(name) if name == each && !text.trim().is_empty() => {
                number += 1;
                builder.paragraph(&format!("{} {number}: {}", each[..1].to_uppercase() + &each[1..], one_line(&text)))?;
                text.clear();
            }
            _ => {}
        }
        Ok(())
    })
}

#[derive(Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    /// Of a heading, where it does not leave that to its style; 0 is none.
    level: Option<u8>,
    /// Whether it is in one, where it does not leave that to its style.
    list: Option<bool>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    cell: String,
    /// Columns that the cell stands in.
    columns: usize,
    /// The cell is the one over it.
    same: bool,
}

impl Table {
    fn node(&mut self, node: &Node<'_>) {
        match node {
            Node::Open("tr", _) => self.rows.push(Vec::new()),
            Node::Open("tc", _) => (self.columns, self.same) = (1, false),
            Node::Open("gridSpan", attributes) => {
                self.columns = attributes.get("val").and_then(|columns| columns.parse().ok()).unwrap_or(1);
            }
            Node::Open("vMerge", attributes) => self.same = attributes.get("val").as_deref() != Some("restart"),
            Node::Close("tc") => self.end_cell(),
            _ => {}
        }
    }

    fn add(&mut self, text: &str) {
        if !self.cell.is_empty() {
            self.cell.push(' ');
        }
        self.cell.push_str(text);
    }

    fn end_cell(&mut self) {
        let mut cell = std::mem::take(&mut self.cell);
        let Some((row, above)) = self.rows.split_last_mut() else { return };
        if self.same && cell.trim().is_empty() {
            cell = above.last().and_then(|above| above.get(row.len())).map(|above| carried(above)).unwrap_or_default();
        }
        row.push(cell);
        let more = (self.columns.max(1) - 1).min(COLUMNS.saturating_sub(row.len()));
        row.extend(std::iter::repeat_n(String::new(), more));
    }
}

/// What older programs are shown instead, which is the same once more; what somebody took out or moved away while
/// changes were tracked, and what paragraphs and cells were before; where a tab leads to.
fn is_unread(name: &str) -> bool {
    matches!(name, "Fallback" | "del" | "moveFrom" | "pPrChange" | "tcPrChange" | "tabs")
}

struct Reader<'a> {
    builder: &'a mut Builder,
    styles: &'a Styles,
    paragraph: Paragraph,
    /// Tables in tables: the inner one's text goes into the outer one's cell.
    tables: Vec<Table>,
    in_text: bool,
    links: &'a HashMap<String, Relation>,
    /// Where the link that is open leads, and where in the paragraph it begins.
    link: Option<(String, usize)>,
    /// Paragraphs around the text box that is read.
    around: Vec<Paragraph>,
    /// Inside what is not read.
    unread: u32,
}

impl<'a> Reader<'a> {
    fn new(builder: &'a mut Builder, styles: &'a Styles, links: &'a HashMap<String, Relation>) -> Self {
        Self {
            builder,
            styles,
            paragraph: Paragraph::default(),
            tables: Vec::new(),
            in_text: false,
            links,
            link: None,
            around: Vec::new(),
            unread: 0,
        }
    }

    fn node(&mut self, node: Node<'_>) -> Result<(), ParseFault> {
        match node {
            Node::Open(name, _) if is_unread(name) => self.unread += 1,
            Node::Close(name) if is_unread(name) => self.unread = self.unread.saturating_sub(1),
            _ if self.unread > 0 => {}
            Node::Open("txbxContent", _) => self.around.push(std::mem::take(&mut self.paragraph)),
            Node::Close("txbxContent") => self.paragraph = self.around.pop().unwrap_or_default(),
            Node::Open("hyperlink", attributes) => {
                let target = attributes.prefixed("id").and_then(|id| self.links.get(&id)).map(|link| link.target.clone());
                self.link = target.map(|target| (target, self.paragraph.text.len()));
            }
            Node::Close("hyperlink") => {
                if let Some((target, start)) = self.link.take() {
                    let words = self.paragraph.text.get(start..).unwrap_or_default().to_owned();
                    let link = self.builder.link(&words, &target, None);
                    if let Some(link) = link.filter(|_| !words.is_empty()) {
                        self.paragraph.text.truncate(start);
                        self.paragraph.text.push_str(&marks::around(&words, link));
                    }
                }
            }
            Node::Open("t", _) => self.in_text = true,
            Node::Close("t") => self.in_text = false,
            Node::Text(text) if self.in_text => self.paragraph.text.push_str(text),
            Node::Open("tab", _) => self.paragraph.text.push(' '),
            Node::Open("noBreakHyphen", _) => self.paragraph.text.push('-'),
            Node::Open("br" | "cr", _) => self.paragraph.text.push('\n'),
            Node::Open("pStyle", attributes) => self.paragraph.style = attributes.get("val"),
            Node::Open("outlineLvl", attributes) => self.paragraph.level = outlined(attributes.get("val").as_deref()),
            Node::Open("numPr", _) => self.paragraph.list = Some(true),
            Node::Open("numId", attributes) => self.paragraph.list = Some(attributes.get("val").as_deref() != Some(NO_LIST)),
            Node::Open("tbl", _) => self.tables.push(Table::default()),
            Node::Close("tbl") => self.end_table()?,
            Node::Close("p") => self.end_paragraph()?,
            node => self.tables.last_mut().into_iter().for_each(|table| table.node(&node)),
        }
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), ParseFault> {
        let Some(table) = self.tables.pop() else { return Ok(()) };
        match self.tables.last_mut() {
            Some(outer) => {
                let text: Vec<String> = table.rows.iter().map(|row| row.join(" ")).collect();
                outer.add(&text.join("; "));
                Ok(())
            }
            None => self.builder.table(&table.rows),
        }
    }

    fn end_paragraph(&mut self) -> Result<(), ParseFault> {
        let paragraph = std::mem::take(&mut self.paragraph);
        if let Some(table) = self.tables.last_mut() {
            table.add(&paragraph.text);
            return Ok(());
        }
        let style = paragraph.style.as_ref();
        let level = match paragraph.level {
            Some(level) => Some(level).filter(|level| *level > 0),
            None => style.and_then(|style| self.styles.level(style)),
        };
        let list = paragraph.list.unwrap_or_else(|| style.is_some_and(|style| self.styles.list(style)));
        match level {
            Some(level) => self.builder.heading(level, &paragraph.text),
            None if list => self.builder.block(BlockKind::ListItem, &format!("- {}", paragraph.text.trim())),
            None => self.builder.paragraph(&paragraph.text),
        }
    }
}
