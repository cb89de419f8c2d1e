//! Source code: one block per top-level item, under the item's name.

use tree_sitter::{Node, Parser};

use crate::{
    build::{Builder, stem},
    detect::Language,
    fault::ParseFault,
    limits::Limits,
    model::{Block, BlockKind, ParsedDocument},
};

pub(crate) fn parse(source: String, file_name: &str, language: Language, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    if source.len() as u64 > limits.output {
        return Err(ParseFault::TextTooLarge { limit: limits.output });
    }
    let mut builder = Builder::new(limits);
    let mut parser = Parser::new();
    let grammar = match language {
        Language::Rust => tree_sitter_rust::LANGUAGE.into(),
        Language::Python => tree_sitter_python::LANGUAGE.into(),
        Language::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
        Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
        Language::Go => tree_sitter_go::LANGUAGE.into(),
        Language::Java => tree_sitter_java::LANGUAGE.into(),
        Language::C => tree_sitter_c::LANGUAGE.into(),
    };
    parser.set_language(&grammar).map_err(|error| ParseFault::malformed(language.name(), error))?;
    let tree = parser.parse(&source, None).ok_or_else(|| ParseFault::malformed(language.name(), "the parser gave up"))?;
    builder.blocks = items(&source, tree.root_node(), language);
    builder.title = Some(
        file_name
            .rsplit(['/', '\\'])
            .next()
            .filter(|name| !name.trim().is_empty())
            .map_or_else(|| stem(file_name), str::to_owned),
    );
    builder.metadata.insert("language".to_owned(), language.name().to_owned());
    builder.text = source;
    Ok(builder.finish("text/x-source-code", file_name, None))
}

/// Items with what stands before them: a comment belongs to the item under it.
fn items(source: &str, root: Node<'_>, language: Language) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut start: Option<usize> = None;
    let mut cursor = root.walk();
    for node in root.children(&mut cursor) {
        let from = start.unwrap_or_else(|| node.start_byte());
        let import = ["import", "use_declaration", "package", "preproc"].iter().any(|kind| node.kind().contains(kind));
        let name = if import { None } else { name(source, node) };
        let loose = name.is_none()
            && (node.kind().contains("comment") || node.kind().contains("attribute") || node.kind().contains("decorator"));
        if loose {
            start = Some(from);
            continue;
        }
        push(source, &mut blocks, from..node.end_byte(), name, language);
        start = None;
    }
    if let Some(from) = start {
        push(source, &mut blocks, from..source.len(), None, language);
    }
    blocks
}

fn push(source: &str, blocks: &mut Vec<Block>, range: std::ops::Range<usize>, name: Option<String>, language: Language) {
    if source[range.clone()].trim().is_empty() {
        return;
    }
    let heading_path: Vec<String> = name.into_iter().collect();
    // Imports and small statements without a name stay together.
    if let Some(last) = blocks.last_mut().filter(|last| last.heading_path.is_empty() && heading_path.is_empty()) {
        last.end = range.end;
        return;
    }
    let kind = BlockKind::Code { language: Some(language.name().to_owned()) };
    blocks.push(Block { kind, start: range.start, end: range.end, heading_path, page: None, heading: None });
}

/// The name of an item, looked for in the item and in what wraps it (`export`, a decorator, a declarator).
fn name(source: &str, node: Node<'_>) -> Option<String> {
    let mut node = node;
    for _ in 0..4 {
        for field in ["name", "type"] {
            if let Some(name) = node.child_by_field_name(field) {
                let text = source.get(name.byte_range())?.split_whitespace().collect::<Vec<_>>().join(" ");
                return Some(mainspring_kernel::text::elide(&text, 100));
            }
        }
        node = ["declaration", "definition", "declarator"].iter().find_map(|field| node.child_by_field_name(field))?;
    }
    None
}
