//! PPTX: slides as pages in the order they are shown, titles as headings, notes after the slide.

use crate::{
    archive::{Archive, Node, walk},
    build::{Builder, carried, one_line},
    docx::core_title,
    fault::ParseFault,
    limits::Limits,
    model::{BlockKind, ParsedDocument},
    relations,
    warning::WarningKind,
};

const FORMAT: &str = "PPTX";
const PRESENTATION: &str = "ppt/presentation.xml";

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    let slides = slides(&mut archive, limits)?;
    if slides.is_empty() {
        return Err(ParseFault::malformed(FORMAT, "it has no slides"));
    }
    let mut builder = Builder::new(limits);
    if let Some(core) = archive.read("docProps/core.xml", FORMAT)? {
        // What PowerPoint calls a deck that nobody named.
        builder.title = core_title(&core, limits)?.filter(|title| !title.starts_with("PowerPoint"));
    }
    let (mut hidden, mut missing) = (Vec::new(), Vec::new());
    for (number, part) in (1_u32..).zip(&slides) {
        builder.page = Some(number);
        // A slide without a title is not below the title of the one before.
        builder.leave(2);
        match archive.read(part, FORMAT)? {
            Some(xml) => {
                if slide(&xml, &mut builder, limits)? {
                    hidden.push(number.to_string());
                }
            }
            None => missing.push(number.to_string()),
        }
        if let Some(notes) = notes(&mut archive, part, limits)? {
            builder.block(BlockKind::Quote, &format!("> Notes: {notes}"))?;
        }
    }
    let unseen = [
        (WarningKind::SlideHidden, "hidden slides", hidden),
        (WarningKind::SlideMissing, "slides that are not in the file", missing),
    ];
    for (kind, what, numbers) in unseen {
        if !numbers.is_empty() {
            builder.warn(kind, format!("{what}: {}", numbers.join(", ")));
        }
    }
    let pages = u32::try_from(slides.len()).ok();
    Ok(builder.finish("application/vnd.openxmlformats-officedocument.presentationml.presentation", file_name, pages))
}

/// The members that hold the slides. The numbers in their names say nothing about the order once a slide was moved.
fn slides(archive: &mut Archive<'_>, limits: &Limits) -> Result<Vec<String>, ParseFault> {
    let relations = relations::of(archive, PRESENTATION, FORMAT, limits)?;
    let mut slides = Vec::new();
    if let Some(xml) = archive.read(PRESENTATION, FORMAT)? {
        walk(&xml, FORMAT, limits, |node| {
            if let Node::Open("sldId", attributes) = node {
                let relation = attributes.prefixed("id").and_then(|id| relations.get(&id));
                // One that leads nowhere still counts, or the slides after it would have other numbers.
                slides.push(relation.map(|relation| relation.target.clone()).unwrap_or_default());
            }
            Ok(())
        })?;
    }
    if slides.iter().all(String::is_empty) {
        let number = |name: &String| name.strip_prefix("ppt/slides/slide")?.strip_suffix(".xml")?.parse::<u32>().ok();
        slides = archive.names().into_iter().filter(|name| number(name).is_some()).collect();
        slides.sort_by_key(number);
    }
    slides.truncate(limits.entries as usize);
    Ok(slides)
}

#[derive(Default)]
struct Shape {
    title: bool,
    /// The number or date that the layout puts on every slide.
    furniture: bool,
    paragraphs: Vec<String>,
    open: String,
    rows: Vec<Vec<String>>,
    cell: String,
    /// The cell is the one over it.
    same: bool,
    in_table: bool,
}

/// Adds a slide, its title first wherever it stands among the shapes. True when the slide is not shown.
fn slide(xml: &[u8], builder: &mut Builder, limits: &Limits) -> Result<bool, ParseFault> {
    let mut shapes: Vec<Shape> = Vec::new();
    let mut shape = Shape::default();
    let (mut in_text, mut hidden) = (false, false);
    walk(xml, FORMAT, limits, |node| {
        match node {
            Node::Open("sld", attributes) => {
                hidden = attributes.get("show").is_some_and(|show| matches!(show.as_str(), "0" | "false"));
            }
            Node::Open("sp" | "graphicFrame", _) => shape = Shape::default(),
            Node::Open("ph", attributes) => {
                let kind = attributes.get("type").unwrap_or_default();
                shape.title = matches!(kind.as_str(), "title" | "ctrTitle");
                shape.furniture = matches!(kind.as_str(), "sldNum" | "dt");
            }
            Node::Open("tbl", _) => shape.in_table = true,
            Node::Open("tr", _) => shape.rows.push(Vec::new()),
            Node::Open("br", _) => shape.open.push(' '),
            Node::Open("t", _) => in_text = true,
            Node::Close("t") => in_text = false,
            Node::Text(text) if in_text => shape.open.push_str(text),
            Node::Close("p") => shape.end_paragraph(),
            Node::Open("tc", attributes) => {
                shape.same = attributes.get("vMerge").is_some_and(|same| matches!(same.as_str(), "1" | "true"));
            }
            Node::Close("tc") => shape.end_cell(),
            Node::Close("sp" | "graphicFrame") => shapes.push(std::mem::take(&mut shape)),
            _ => {}
        }
        Ok(())
    })?;
    let (titles, others): (Vec<Shape>, Vec<Shape>) = shapes.into_iter().partition(|shape| shape.title);
    for title in &titles {
        builder.heading(2, &title.paragraphs.join(" "))?;
    }
    others.iter().filter(|shape| !shape.furniture).try_for_each(|shape| shape.write(builder))?;
    Ok(hidden)
}

impl Shape {
    fn end_paragraph(&mut self) {
        let text = std::mem::take(&mut self.open);
        if self.in_table {
            self.cell.push_str(&text);
            self.cell.push(' ');
        } else if !text.trim().is_empty() {
            self.paragraphs.push(text);
        }
    }

    fn end_cell(&mut self) {
        let mut cell = std::mem::take(&mut self.cell);
        let Some((row, above)) = self.rows.split_last_mut() else { return };
        if self.same && cell.trim().is_empty() {
            cell = above.last().and_then(|above| above.get(row.len())).map(|above| carried(above)).unwrap_or_default();
        }
        row.push(cell);
    }

    fn write(&self, builder: &mut Builder) -> Result<(), ParseFault> {
        for paragraph in &self.paragraphs {
            let kind = if self.paragraphs.len() > 1 { BlockKind::ListItem } else { BlockKind::Paragraph };
            let mark = if self.paragraphs.len() > 1 { "- " } else { "" };
            builder.block(kind, &format!("{mark}{}", one_line(paragraph)))?;
        }
        builder.table(&self.rows)
    }
}

/// What the speaker wrote for this slide.
fn notes(archive: &mut Archive<'_>, slide: &str, limits: &Limits) -> Result<Option<String>, ParseFault> {
    let relations = relations::of(archive, slide, FORMAT, limits)?;
    let Some(part) = relations.into_values().find(|relation| relation.kind == "notesSlide") else { return Ok(None) };
    let Some(xml) = archive.read(&part.target, FORMAT)? else { return Ok(None) };
    let mut text = String::new();
    let (mut in_text, mut body) = (false, false);
    walk(&xml, FORMAT, limits, |node| {
        match node {
            Node::Open("sp", _) => body = false,
            Node::Open("ph", attributes) => body = attributes.get("type").as_deref() == Some("body"),
            Node::Open("t", _) => in_text = true,
            Node::Close("t") => in_text = false,
            Node::Open("br", _) | Node::Close("p") if body => text.push(' '),
            Node::Text(part) if in_text && body => text.push_str(part),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Some(one_line(&text)).filter(|text| !text.is_empty()))
}
