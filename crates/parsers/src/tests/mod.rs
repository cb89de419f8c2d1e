mod charsets;
mod hostile;
mod html;
mod made;
mod mail;
mod office;
mod pdf;
mod source;
mod warnings;

#[path = "../../tests/files/mod.rs"]
mod files;

use proptest::prelude::*;

use crate::{BlockKind, Limits, ParseFault, ParsedDocument, parse_in_process};

fn parse(name: &str, bytes: impl AsRef<[u8]>) -> Result<ParsedDocument, ParseFault> {
    let parsed = parse_in_process(bytes.as_ref(), name, None, &Limits::default());
    if let Ok(document) = &parsed {
        sound(document).unwrap();
    }
    parsed
}

/// What must hold of every document.
fn sound(document: &ParsedDocument) -> Result<(), String> {
    let mut after = 0;
    for (start, end) in &document.unspoken {
        let text = &document.text;
        if *start < after || start >= end || !text.is_char_boundary(*start) || !text.is_char_boundary(*end) {
            return Err(format!("unspoken {start}..{end} after {after}"));
        }
        after = *end;
    }
    let mut last = 0;
    for block in &document.blocks {
        let inside = block.start >= last && block.start < block.end && block.end <= document.text.len();
        if !inside || !document.text.is_char_boundary(block.start) || !document.text.is_char_boundary(block.end) {
            return Err(format!("{block:?} after {last} in {} bytes", document.text.len()));
        }
        last = block.end;
    }
    for link in &document.links {
        if link.place.is_some_and(|(start, end)| start >= end || document.text.get(start..end).is_none()) {
            return Err(format!("{link:?} in {} bytes", document.text.len()));
        }
    }
    Ok(())
}

fn shape(document: &ParsedDocument) -> Vec<(&'static str, &str, String)> {
    let row = |block: &crate::Block| (block.kind.as_str(), &document.text[block.range()], block.heading_path.join(" > "));
    document.blocks.iter().map(row).collect()
}

/// Codes and words of what a document was taken in with.
fn warned(document: &ParsedDocument) -> Vec<(&'static str, &str)> {
    document.warnings.iter().map(|warning| (warning.kind.code(), warning.detail.as_str())).collect()
}

#[test]
fn markdown_keeps_its_structure() {
    let source = "---\ntitle: The guide\nlang: en\n---\n# Start\n\nHello *there*.\n\n## Install\n\n- one\n- two\n\n```sh\nrun\n```\n\n| A | B |\n|---|---|\n| 1 | 2 |\n";
    let document = parse("x.md", source).unwrap();
    assert_eq!((document.title.as_str(), document.metadata["lang"].as_str()), ("The guide", "en"));
    let rows = shape(&document);
    assert_eq!(rows[0], ("heading", "# Start", String::new()));
    assert_eq!(rows[1], ("paragraph", "Hello *there*.", "Start".into()));
    assert_eq!(rows[3], ("listitem", "- one", "Start > Install".into()));
    assert_eq!(document.blocks[5].kind, BlockKind::Code { language: Some("sh".into()) });
    assert_eq!(rows[6].0, "table");
    assert_eq!(document.text, source);
}

#[test]
fn markdown_says_what_of_it_is_not_spoken() {
    let source = "## The [link](x) and `code`\n\nSee [the *manual*](https://example.org \"M\") or <https://a.b>, not `[a](b)`, \\_so\\_ \\\\*it* \\a.\n\n\
                  ![plan](p.png) [ref] [![deep](d.png)](e)\n\n[ref]: https://ref.example\n\n```\n\\_ [a](b)\n```\n\n| a \\| b |\n|---|\n| [c](d) |\n";
    let document = parse("x.md", source).unwrap();
    assert_eq!(document.text, source);
    let spoken = document.spoken(0..source.len());
    assert_eq!(
        spoken,
        "## The link and `code`\n\nSee the *manual* or https://a.b, not `[a](b)`, _so_ \\*it* \\a.\n\nplan ref deep\n\n\n\n```\n\\_ [a](b)\n```\n\n| a \\| b |\n|---|\n| c |\n"
    );
    let places = document.links.iter().map(|link| link.place.map(|(start, end)| &source[start..end]));
    let places: Vec<&str> = places.collect::<Option<_>>().unwrap();
    assert_eq!(places[..3], ["[link](x)", "[the *manual*](https://example.org \"M\")", "<https://a.b>"]);
    assert_eq!(document.blocks[0].heading.as_deref(), Some("The link and code"));
    assert_eq!(document.blocks[1].heading_path, ["The link and code"]);
    let target = source.find("https://example").unwrap();
    assert_eq!(document.spoken(target..target + 12), "https://exam", "nothing but a target is itself");
    assert_eq!(document.spoken(target..source.find(" or <").unwrap() + 3), " or");
}

#[test]
fn what_was_kept_by_parsers_before_is_known_as_such() {
    let now = serde_json::to_value(parse("x.md", "# A").unwrap()).unwrap();
    let before = serde_json::json!({ "title": "", "media_type": "", "text": "", "blocks": [] });
    let made_by = |value| serde_json::from_value::<ParsedDocument>(value).unwrap().made_by;
    assert!(made_by(now).is_current() && !made_by(before).is_current());
}

#[test]
fn what_a_file_seems_to_be_is_said_without_parsing_it() {
    let seems = |head: &[u8], name, said| crate::likely_media_type((!head.is_empty()).then_some(head), name, said);
    assert_eq!(seems(b"%PDF-1.7", "x", None).as_deref(), Some("application/pdf"));
    assert!(seems(b"PK\x03\x04", "x.docx", None).unwrap().ends_with("wordprocessingml.document"));
    assert_eq!(seems(b"PK\x03\x04", "x", None).as_deref(), Some("application/zip"));
    assert_eq!(seems(b"", "a.md", None).as_deref(), Some("text/markdown"));
    assert_eq!(seems(b"", "a", Some("text/html; charset=utf-8")).as_deref(), Some("text/html"));
    assert_eq!(seems(b"", "a", None), None);
}

proptest! {
    #[test]
    fn any_bytes_under_any_name_are_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        name in "[a-z]{1,4}\\.(md|html|csv|json|jsonl|eml|rs|py|ts|go|java|c|h|cpp|sh|txt|docx|xlsx|pptx|pdf)",
    ) {
        let _ = parse(&name, bytes);
    }

    #[test]
    fn any_text_under_any_name_keeps_its_blocks_in_order(
        text in "(\\PC{0,8}|# |## |\n|\n\n|- |```|\\| a \\| b \\||> |<div>|</div>|<main>|<table>|<tr>|<th>|<td rowspan=3>|<td colspan=2>|</table>|<pre class='a lang-c'>|</pre>|<dl>|<dt>|<a href='x'>|</a>|\\{|\\}|\"|,|fn f\\(\\) \\{\\}|\t){0,60}",
        name in "x\\.(md|html|csv|json|jsonl|eml|rs|py|ts|tsx|js|go|java|c|h|cpp|sh|txt|pptx|pdf)",
    ) {
        let _ = parse(&name, text);
    }
}
