//! DOCX: paragraphs with their styles, lists, tables.

use std::collections::{HashMap, HashSet};

use crate::{
    archive::{Archive, Node, walk},
    build::{Builder, one_line},
    fault::ParseFault,
    limits::Limits,
    model::{BlockKind, ParsedDocument},
    relations::{self, Relation},
};

const FORMAT: &str = "DOCX";

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

/// What the styles of a document say about its paragraphs, by the style's id.
#[derive(Default)]
struct Styles {
    /// Heading level, by the style's name or its outline level.
    levels: HashMap<String, u8>,
    lists: HashSet<String>,
}

fn styles(xml: &[u8], limits: &Limits) -> Result<Styles, ParseFault> {
    let Styles { mut levels, mut lists } = Styles::default();
    let mut style = String::new();
    walk(xml, FORMAT, limits, |node| {
        match node {
            Node::Open("style", attributes) => style = attributes.get("styleId").unwrap_or_default(),
            Node::Open("name", attributes) => {
                if let Some(level) = attributes.get("val").as_deref().and_then(named_level) {
                    levels.insert(style.clone(), level);
                }
            }
            Node::Open("numPr", _) => {
                lists.insert(style.clone());
            }
            Node::Open("outlineLvl", attributes) => {
                if let Some(level) = attributes.get("val").and_then(|value| value.parse::<u8>().ok()).filter(|level| *level < 6) {
                    levels.entry(style.clone()).or_insert(level + 1);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(Styles { levels, lists })
}

fn named_level(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    if name == "title" {
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
            Node::Close("p") => text.push(' '),
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
    list: bool,
}

struct Table {
    rows: Vec<Vec<String>>,
    cell: String,
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
    /// Inside what older programs are shown instead: the same once more.
    fallbacks: u32,
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
            fallbacks: 0,
        }
    }

    fn node(&mut self, node: Node<'_>) -> Result<(), ParseFault> {
        match node {
            Node::Open("Fallback", _) => self.fallbacks += 1,
            Node::Close("Fallback") => self.fallbacks = self.fallbacks.saturating_sub(1),
            _ if self.fallbacks > 0 => {}
            Node::Open("txbxContent", _) => self.around.push(std::mem::take(&mut self.paragraph)),
            Node::Close("txbxContent") => self.paragraph = self.around.pop().unwrap_or_default(),
            Node::Open("hyperlink", attributes) => {
                let target = attributes.prefixed("id").and_then(|id| self.links.get(&id)).map(|link| link.target.clone());
                self.link = target.map(|target| (target, self.paragraph.text.len()));
            }
            Node::Close("hyperlink") => {
                if let Some((target, start)) = self.link.take() {
                    self.builder.link(self.paragraph.text.get(start..).unwrap_or_default(), &target);
                }
            }
            Node::Open("t", _) => self.in_text = true,
            Node::Close("t") => self.in_text = false,
            Node::Text(text) if self.in_text => self.paragraph.text.push_str(text),
            Node::Open("tab", _) => self.paragraph.text.push(' '),
            Node::Open("br" | "cr", _) => self.paragraph.text.push('\n'),
            Node::Open("pStyle", attributes) => self.paragraph.style = attributes.get("val"),
            Node::Open("numPr", _) => self.paragraph.list = true,
            Node::Open("tbl", _) => self.tables.push(Table { rows: Vec::new(), cell: String::new() }),
            Node::Open("tr", _) => {
                if let Some(table) = self.tables.last_mut() {
                    table.rows.push(Vec::new());
                }
            }
            Node::Close("tc") => {
                if let Some(table) = self.tables.last_mut() {
                    let cell = std::mem::take(&mut table.cell);
                    if let Some(row) = table.rows.last_mut() {
                        row.push(cell);
                    }
                }
            }
            Node::Close("tbl") => self.end_table()?,
            Node::Close("p") => self.end_paragraph()?,
            _ => {}
        }
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), ParseFault> {
        let Some(table) = self.tables.pop() else { return Ok(()) };
        match self.tables.last_mut() {
            Some(outer) => {
                let text: Vec<String> = table.rows.iter().map(|row| row.join(" ")).collect();
                outer.cell.push_str(&text.join("; "));
                Ok(())
            }
            None => self.builder.table(&table.rows),
        }
    }

    fn end_paragraph(&mut self) -> Result<(), ParseFault> {
        let paragraph = std::mem::take(&mut self.paragraph);
        if let Some(table) = self.tables.last_mut() {
            if !table.cell.is_empty() {
                table.cell.push(' ');
            }
            table.cell.push_str(&paragraph.text);
            return Ok(());
        }
        let style = paragraph.style.as_ref();
        let level = style.and_then(|style| self.styles.levels.get(style).copied().or_else(|| named_level(style)));
        let list = paragraph.list || style.is_some_and(|style| self.styles.lists.contains(style));
        match level {
            Some(level) => self.builder.heading(level, &paragraph.text),
            None if list => self.builder.block(BlockKind::ListItem, &format!("- {}", paragraph.text.trim())),
            None => self.builder.paragraph(&paragraph.text),
        }
    }
}
