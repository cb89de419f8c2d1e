//! Markdown: the text is the source itself, and blocks are places in it.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use crate::{
    build::{Builder, HEADING_MAX, one_line},
    fault::ParseFault,
    limits::Limits,
    model::{Block, BlockKind, ParsedDocument},
    unspoken::Unspoken,
};

pub(crate) fn parse(source: String, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut builder = Builder::new(limits);
    read(source, &mut builder, limits)?;
    Ok(builder.finish("text/markdown", file_name, None))
}

/// Reads Markdown into a builder that holds no text yet.
pub(crate) fn read(source: String, builder: &mut Builder, limits: &Limits) -> Result<(), ParseFault> {
    if source.len() as u64 > limits.output {
        return Err(ParseFault::TextTooLarge { limit: limits.output });
    }
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let parser = Parser::new_ext(&source, options);
    let mut unspoken = Unspoken::of(&source);
    parser.reference_definitions().iter().for_each(|(_, definition)| unspoken.cut(definition.span.clone()));
    let mut walk =
        Walk { source: &source, builder, depth: 0, lists: 0, headings: Vec::new(), heading: None, link: None, metadata: None };
    for (event, range) in parser.into_offset_iter() {
        unspoken.see(&event, &range);
        walk.event(event, range, limits)?;
    }
    builder.unspoken = unspoken.places();
    builder.text = source;
    Ok(())
}

/// The words of a stretch of Markdown.
pub(crate) fn words(source: &str) -> String {
    let mut words = String::new();
    for event in Parser::new(source) {
        match event {
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Heading(_)) => words.push(' '),
            _ => {}
        }
    }
    one_line(&words)
}

struct Walk<'a> {
    source: &'a str,
    builder: &'a mut Builder,
    /// Containers around the event that are not lists.
    depth: u32,
    lists: u32,
    headings: Vec<(u8, String)>,
    heading: Option<(u8, Range<usize>, String)>,
    /// The words of the link that is open, where it leads, and where all of it stands.
    link: Option<(String, String, Range<usize>)>,
    metadata: Option<String>,
}

impl Walk<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>, limits: &Limits) -> Result<(), ParseFault> {
        match event {
            Event::Start(tag) => self.start(tag, range, limits)?,
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, _, heading)) = &mut self.heading {
                    heading.push_str(&text);
                }
                if let Some((link, ..)) = &mut self.link {
                    link.push_str(&text);
                }
                if let Some(metadata) = &mut self.metadata {
                    metadata.push_str(&text);
                }
            }
            Event::Html(_) | Event::Rule if self.depth == 0 => {
                self.block(BlockKind::Paragraph, range);
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>, limits: &Limits) -> Result<(), ParseFault> {
        if self.depth + self.lists > limits.depth {
            return Err(ParseFault::TooDeep { limit: limits.depth });
        }
        let outermost = self.depth == 0;
        match tag {
            Tag::List(_) if outermost => self.lists += 1,
            Tag::Item if outermost && self.lists == 1 => {
                self.block(BlockKind::ListItem, range);
                self.depth += 1;
            }
            Tag::Heading { level, .. } => {
                if outermost {
                    self.heading = Some((level_number(level), range, String::new()));
                }
                self.depth += 1;
            }
            Tag::Link { dest_url, .. } => self.link = Some((String::new(), dest_url.to_string(), range)),
            Tag::MetadataBlock(MetadataBlockKind::YamlStyle) => {
                self.metadata = Some(String::new());
                self.depth += 1;
            }
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Image { .. } => {}
            other => {
                if outermost {
                    self.block(kind(&other), range);
                }
                self.depth += 1;
            }
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::List(_) if self.depth == 0 => self.lists = self.lists.saturating_sub(1),
            TagEnd::Heading(_) => {
                self.depth = self.depth.saturating_sub(1);
                if let Some((level, range, text)) = self.heading.take() {
                    self.end_heading(level, range, &text);
                }
            }
            TagEnd::Link => {
                if let Some((text, target, range)) = self.link.take() {
                    self.builder.link(&text, &target, Some((range.start, range.end)));
                }
            }
            TagEnd::MetadataBlock(_) => {
                self.depth = self.depth.saturating_sub(1);
                if let Some(metadata) = self.metadata.take() {
                    self.front_matter(&metadata);
                }
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Image => {}
            _ => self.depth = self.depth.saturating_sub(1),
        }
    }

    fn end_heading(&mut self, level: u8, range: Range<usize>, text: &str) {
        self.headings.retain(|(other, _)| *other < level);
        let text = mainspring_kernel::text::elide(&one_line(text), HEADING_MAX);
        if self.block(BlockKind::Heading { level }, range)
            && let Some(block) = self.builder.blocks.last_mut()
        {
            block.heading = Some(text.clone());
        }
        if level == 1 && self.builder.title.is_none() {
            self.builder.title = Some(text.clone());
        }
        self.headings.push((level, text));
    }

    /// False when nothing is left of it.
    fn block(&mut self, kind: BlockKind, range: Range<usize>) -> bool {
        let text = &self.source[range.clone()];
        let start = range.start + (text.len() - text.trim_start_matches('\n').len());
        let end = range.start + text.trim_end().len();
        let after = self.builder.blocks.last().map_or(0, |block| block.end);
        let start = start.max(after);
        if start >= end {
            return false;
        }
        let heading_path = self.headings.iter().map(|(_, text)| text.clone()).collect();
        self.builder.blocks.push(Block { kind, start, end, heading_path, page: None, heading: None });
        true
    }

    /// `key: value` lines; anything deeper is the author's business.
    fn front_matter(&mut self, yaml: &str) {
        for line in yaml.lines().take(200) {
            let Some((key, value)) = line.split_once(':') else { continue };
            let plain = !key.starts_with([' ', '-', '#'])
                && key.len() <= 60
                && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            let value = value.trim().trim_matches(['"', '\'']).trim();
            if !plain || value.is_empty() || value.starts_with(['[', '{', '|', '>', '&', '*']) || value.len() > 500 {
                continue;
            }
            if key.eq_ignore_ascii_case("title") {
                self.builder.title = Some(value.to_owned());
            } else {
                self.builder.metadata.insert(key.to_ascii_lowercase(), value.to_owned());
            }
        }
    }
}

fn kind(tag: &Tag<'_>) -> BlockKind {
    match tag {
        Tag::BlockQuote(_) => BlockKind::Quote,
        Tag::Table(_) => BlockKind::Table,
        Tag::Item => BlockKind::ListItem,
        Tag::CodeBlock(CodeBlockKind::Fenced(language)) => {
            let language = language.split([' ', ',']).next().unwrap_or_default();
            BlockKind::Code { language: (!language.is_empty()).then(|| language.to_owned()) }
        }
        Tag::CodeBlock(CodeBlockKind::Indented) => BlockKind::Code { language: None },
        _ => BlockKind::Paragraph,
    }
}

const fn level_number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
