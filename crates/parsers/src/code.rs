//! Source code: one block per top-level item, under the item's name.

use std::ops::Range;

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
        Language::Cpp => tree_sitter_cpp::LANGUAGE.into(),
        Language::Shell => tree_sitter_bash::LANGUAGE.into(),
    };
    parser.set_language(&grammar).map_err(|error| ParseFault::malformed(language.name(), error))?;
    let tree = parser.parse(&source, None).ok_or_else(|| ParseFault::malformed(language.name(), "the parser gave up"))?;
    builder.blocks = items(&source, tree.root_node(), language);
    builder.title =
        Some(file_name.rsplit('/').next().filter(|name| !name.trim().is_empty()).map_or_else(|| stem(file_name), str::to_owned));
    builder.metadata.insert("language".to_owned(), language.name().to_owned());
    builder.text = source;
    Ok(builder.finish("text/x-source-code", file_name, None))
}

/// A stretch of source with the names it stands under.
struct Item {
    range: Range<usize>,
    path: Vec<String>,
    /// The last of these names is its own.
    named: bool,
    /// A comment, attribute or decorator, which belongs to what is under it.
    loose: bool,
}

/// Namespaces and conditions in each other; what is deeper stays whole.
const NESTED: u8 = 8;

struct Collector<'a> {
    source: &'a str,
    language: Language,
    items: Vec<Item>,
}

impl Collector<'_> {
    fn collect(&mut self, node: Node<'_>, path: &[String], depth: u8) {
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            if let Some(body) = container(child).filter(|_| depth < NESTED) {
                let inner: Vec<String> = path.iter().cloned().chain(own_name(self.source, child)).collect();
                let before = self.items.len();
                self.collect(body, &inner, depth + 1);
                // How it opens and closes belongs to the first and the last thing in it.
                if self.items.len() > before {
                    self.items[before].range.start = child.start_byte();
                    self.items.last_mut().iter_mut().for_each(|last| last.range.end = child.end_byte());
                    continue;
                }
            }
            let name = name(self.source, child, self.language);
            let kind = child.kind();
            let loose = name.is_none() && ["comment", "attribute", "decorator"].iter().any(|part| kind.contains(part));
            let named = name.is_some();
            self.items.push(Item { range: child.byte_range(), path: path.iter().cloned().chain(name).collect(), named, loose });
        }
    }
}

/// The part of a namespace or of a condition around a header that holds items.
fn container(node: Node<'_>) -> Option<Node<'_>> {
    match node.kind() {
        "namespace_definition" | "linkage_specification" => node.child_by_field_name("body"),
        "preproc_ifdef" | "preproc_if" | "preproc_else" | "preproc_elif" => Some(node),
        _ => None,
    }
}

fn own_name(source: &str, node: Node<'_>) -> Option<String> {
    let name = node.child_by_field_name("name").filter(|_| node.kind() == "namespace_definition")?;
    shown(source, name)
}

fn items(source: &str, root: Node<'_>, language: Language) -> Vec<Block> {
    let mut collector = Collector { source, language, items: Vec::new() };
    collector.collect(root, &[], 0);
    let kind = BlockKind::Code { language: Some(language.name().to_owned()) };
    let mut blocks: Vec<Block> = Vec::new();
    // Where the comments over the next item begin, and whether the last block has no name of its own.
    let (mut above, mut unnamed) = (None, false);
    let end = Item { range: source.len()..source.len(), path: Vec::new(), named: false, loose: false };
    for item in collector.items.into_iter().chain([end]) {
        let after = blocks.last().map_or(0, |last| last.end);
        let start = above.unwrap_or(item.range.start).max(after);
        if item.loose {
            above = Some(start);
            continue;
        }
        above = None;
        // Signs between items that are none themselves.
        let gap = source[after..start].trim_end().len();
        if let Some(last) = blocks.last_mut().filter(|_| gap > 0) {
            last.end = after + gap;
        }
        if item.range.end <= start || source[start..item.range.end].trim().is_empty() {
            continue;
        }
        // Imports and small statements without a name stay together.
        match blocks.last_mut() {
            Some(last) if unnamed && !item.named && last.heading_path == item.path => last.end = item.range.end,
            _ => blocks.push(Block {
                kind: kind.clone(),
                start,
                end: item.range.end,
                heading_path: item.path,
                page: None,
                heading: None,
            }),
        }
        unnamed = !item.named;
    }
    blocks
}

/// The name of an item, looked for in the item and in what wraps it (`export`, a decorator, a declarator).
fn name(source: &str, node: Node<'_>, language: Language) -> Option<String> {
    let unnamed = ["import", "use_declaration", "package", "preproc", "using"];
    // In a shell every command has a name.
    let command = language == Language::Shell && node.kind() != "function_definition";
    if command || unnamed.iter().any(|kind| node.kind().contains(kind)) {
        return None;
    }
    let mut at = node;
    for step in 0..8 {
        let field = if at.kind() == "impl_item" { "type" } else { "name" };
        if at.kind() == "qualified_identifier" || (step > 0 && at.child_count() == 0 && at.kind().ends_with("identifier")) {
            return shown(source, at);
        }
        if let Some(name) = at.child_by_field_name(field) {
            return shown(source, name);
        }
        let inner = ["declaration", "definition", "declarator"].iter().find_map(|field| at.child_by_field_name(field));
        at = match at.kind() {
            "template_declaration" | "reference_declarator" => last_child(at)?,
            "type_declaration" => at.named_child(0)?,
            // A constant that holds a function is one; others stay together.
            "lexical_declaration" => at.named_child(0).filter(holds_function)?,
            "destructor_name" | "operator_name" => return shown(source, at),
            _ => inner?,
        };
    }
    None
}

fn holds_function(declarator: &Node<'_>) -> bool {
    let value = declarator.child_by_field_name("value");
    value.is_some_and(|value| matches!(value.kind(), "arrow_function" | "function_expression" | "function" | "class"))
}

fn last_child(node: Node<'_>) -> Option<Node<'_>> {
    node.named_child(u32::try_from(node.named_child_count()).ok()?.checked_sub(1)?)
}

fn shown(source: &str, name: Node<'_>) -> Option<String> {
    let text = source.get(name.byte_range())?.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(mainspring_kernel::text::elide(&text, 100)).filter(|text| !text.is_empty())
}
