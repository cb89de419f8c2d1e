//! PPTX: slides as pages, titles as headings, notes after the slide.

use crate::{
    archive::{Archive, Node, walk},
    build::{Builder, one_line},
    docx::core_title,
    fault::ParseFault,
    limits::Limits,
    model::{BlockKind, ParsedDocument},
};

const FORMAT: &str = "PPTX";

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    let mut slides: Vec<u32> = archive.names().iter().filter_map(|name| number(name, "ppt/slides/slide")).collect();
    slides.sort_unstable();
    if slides.is_empty() {
        return Err(ParseFault::malformed(FORMAT, "it has no slides"));
    }
    let mut builder = Builder::new(limits);
    if let Some(core) = archive.read("docProps/core.xml", FORMAT)? {
        builder.title = core_title(&core, limits)?;
    }
    for (index, slide) in slides.iter().enumerate() {
        builder.page = u32::try_from(index + 1).ok();
        if let Some(xml) = archive.read(&format!("ppt/slides/slide{slide}.xml"), FORMAT)? {
            shapes(&xml, &mut builder, limits)?;
        }
        if let Some(xml) = archive.read(&format!("ppt/notesSlides/notesSlide{slide}.xml"), FORMAT)? {
            let notes = notes(&xml, limits)?;
            if !notes.is_empty() {
                builder.block(BlockKind::Quote, &format!("> Notes: {notes}"))?;
            }
        }
    }
    let pages = u32::try_from(slides.len()).ok();
    Ok(builder.finish("application/vnd.openxmlformats-officedocument.presentationml.presentation", file_name, pages))
}

fn number(name: &str, prefix: &str) -> Option<u32> {
    name.strip_prefix(prefix)?.strip_suffix(".xml")?.parse().ok()
}

#[derive(Default)]
struct Shape {
    title: bool,
    paragraphs: Vec<String>,
    open: String,
    rows: Vec<Vec<String>>,
    cell: String,
    in_table: bool,
}

fn shapes(xml: &[u8], builder: &mut Builder, limits: &Limits) -> Result<(), ParseFault> {
    let mut shape = Shape::default();
    let mut in_text = false;
    walk(xml, FORMAT, limits, |node| {
        match node {
            Node::Open("sp" | "graphicFrame", _) => shape = Shape::default(),
            Node::Open("ph", attributes) => shape.title = matches!(attributes.get("type").as_deref(), Some("title" | "ctrTitle")),
            Node::Open("tbl", _) => shape.in_table = true,
            Node::Open("tr", _) => shape.rows.push(Vec::new()),
            Node::Open("t", _) => in_text = true,
            Node::Close("t") => in_text = false,
            Node::Text(text) if in_text => shape.open.push_str(text),
            Node::Close("p") => {
                let text = std::mem::take(&mut shape.open);
                if shape.in_table {
                    shape.cell.push_str(&text);
                    shape.cell.push(' ');
                } else if !text.trim().is_empty() {
                    shape.paragraphs.push(text);
                }
            }
            Node::Close("tc") => {
                let cell = std::mem::take(&mut shape.cell);
                if let Some(row) = shape.rows.last_mut() {
                    row.push(cell);
                }
            }
            Node::Close("sp" | "graphicFrame") => end(&std::mem::take(&mut shape), builder)?,
            _ => {}
        }
        Ok(())
    })
}

fn end(shape: &Shape, builder: &mut Builder) -> Result<(), ParseFault> {
    if shape.title {
        return builder.heading(2, &shape.paragraphs.join(" "));
    }
    for paragraph in &shape.paragraphs {
        let kind = if shape.paragraphs.len() > 1 { BlockKind::ListItem } else { BlockKind::Paragraph };
        let mark = if shape.paragraphs.len() > 1 { "- " } else { "" };
        builder.block(kind, &format!("{mark}{}", one_line(paragraph)))?;
    }
    builder.table(&shape.rows)
}

fn notes(xml: &[u8], limits: &Limits) -> Result<String, ParseFault> {
    let mut text = String::new();
    let (mut in_text, mut body) = (false, false);
    walk(xml, FORMAT, limits, |node| {
        match node {
            Node::Open("sp", _) => body = false,
            Node::Open("ph", attributes) => body = attributes.get("type").as_deref() == Some("body"),
            Node::Open("t", _) => in_text = true,
            Node::Close("t") => in_text = false,
            Node::Close("p") if body => text.push(' '),
            Node::Text(part) if in_text && body => text.push_str(part),
            _ => {}
        }
        Ok(())
    })?;
    Ok(one_line(&text))
}
