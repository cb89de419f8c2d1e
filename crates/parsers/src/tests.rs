use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::{ZipWriter, write::SimpleFileOptions};

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
    Ok(())
}

fn shape(document: &ParsedDocument) -> Vec<(&'static str, &str, String)> {
    let row = |block: &crate::Block| (block.kind.as_str(), &document.text[block.range()], block.heading_path.join(" > "));
    document.blocks.iter().map(row).collect()
}

fn archive(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
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
fn html_gives_its_main_content() {
    let filler = "Words that make this the main content of the page, long enough to be recognised as such. ".repeat(8);
    let page = format!(
        "<!doctype html><html><head><title>A &amp; B</title><script>evil()</script></head><body><nav><a href='/'>menu menu</a></nav>\
         <article><h1>Top</h1><p>{filler}</p><h2>Sub</h2><pre><code>let x = 1;</code></pre><table><tr><th>K</th></tr><tr><td>V</td></tr></table></article></body></html>"
    );
    let document = parse("page.html", page).unwrap();
    assert_eq!(document.title, "A & B");
    assert!(document.text.contains("## Sub") && document.text.contains("let x = 1;"), "{}", document.text);
    assert!(!document.text.contains("evil") && !document.text.contains("menu"), "{}", document.text);
    assert!(document.blocks.iter().any(|block| block.heading_path.last().is_some_and(|heading| heading == "Sub")));
}

/// A page as documentation generators write them.
fn documentation() -> String {
    let filler = "Words that make this the main content of the page, long enough to be recognised as such. ".repeat(8);
    format!(
        "<html><head><title>temp — Files &amp; more — Python 3.11.2 documentation</title></head><body>\
         <header><h1>Python</h1></header><main>\
         <h1><code>temp</code> — Files &amp; more<a class='headerlink' href='#temp' title='Permalink'>¶</a></h1>\
         <p>See <a href='https://example.org/a_(b)'>the <em>other</em> page</a>, <code>__all__</code> and __init__ [x]. {filler}</p>\
         <h2>Low-level <a href='low.html'>parts</a><a href='#low'>#</a></h2>\
         <dl><dt>mk_stemp(suffix=None)<a href='#mk'>¶</a></dt><dd>Makes a file. {filler}</dd></dl>\
         <pre>call(<a href='low.html#x'>x_y</a>)</pre>\
         <table><tr><th>Name</th></tr><tr><td><a href='t.html'>a_b</a> is * or |</td></tr></table>\
         <p><img src='data:image/png;base64,AAAA' alt='A plan'></p>\
         <a href='card.html'><h3>Card</h3><p>All about it. {filler}</p></a></main></body></html>"
    )
}

#[test]
fn html_shows_words_and_keeps_where_links_lead_beside_them() {
    let document = parse("temp.html", documentation()).unwrap();
    let text = &document.text;
    for gone in ["](", "http", "¶", "\\_", "\\[", ".html", "base64", "# #"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    for kept in [
        "the *other* page",
        "`__all__` and __init__ [x]",
        "## Low-level parts",
        "mk_stemp(suffix=None)",
        "call(x_y)",
        "a_b is * or",
        "A plan",
        "All about it.",
    ] {
        assert!(text.contains(kept), "{kept} not in {text}");
    }
    let link = |words: &str| document.links.iter().find(|link| link.text == words).map(|link| link.target.as_str());
    assert_eq!(link("the other page"), Some("https://example.org/a_(b)"));
    assert_eq!(link("parts"), Some("low.html"));
    assert_eq!(link("x_y"), Some("low.html#x"));
    assert_eq!(link("a_b"), Some("t.html"));
    assert!(document.links.iter().any(|link| link.target == "card.html" && link.text.starts_with("Card All about it.")));
    assert!(!document.links.iter().any(|link| link.target.starts_with('#')), "{:?}", document.links);
    assert!(document.unspoken.is_empty());
    let table = document.blocks.iter().find(|block| block.kind == BlockKind::Table).unwrap();
    assert!(text[table.range()].starts_with("| Name"), "{:?}", &text[table.range()]);
    let low = document.blocks.iter().find(|block| block.heading.as_deref() == Some("Low-level parts")).unwrap();
    assert_eq!(&text[low.range()], "## Low-level parts");
}

#[test]
fn the_title_of_a_page_leaves_out_its_site() {
    assert_eq!(parse("temp.html", documentation()).unwrap().title, "temp — Files & more");
    let title = |title: &str, heading: &str| {
        parse("x.html", format!("<html><head><title>{title}</title></head><body><h1>{heading}</h1><p>Text.</p></body></html>"))
            .unwrap()
            .title
    };
    for separator in ["—", "-", "|", "·"] {
        assert_eq!(title(&format!("Leave {separator} Handbook"), "Leave"), "Leave");
    }
    assert_eq!(title("Leave", "Leave"), "Leave");
    assert_eq!(title("Leave of absence", "Leave"), "Leave of absence", "its own words go on");
    assert_eq!(title("Leave-taking | Handbook", "Leave"), "Leave-taking | Handbook");
    assert_eq!(title("Handbook | Leave", "Leave"), "Handbook | Leave");
    assert_eq!(title("Only the title", ""), "Only the title");
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

#[test]
fn csv_and_json_become_readable() {
    let table = parse("x.csv", "name;age\nAda;36\n").unwrap();
    assert_eq!(table.text, "| name | age |\n| --- | --- |\n| Ada | 36 |");
    let json = parse("x.json", r#"[{"a": {"b": 1}, "tags": ["x", "y"]}, 5]"#).unwrap();
    assert_eq!(shape(&json).iter().map(|row| row.1).collect::<Vec<_>>(), ["a.b: 1\ntags: x, y", "5"]);
    assert!(matches!(parse("x.jsonl", "{}\n{oops\n"), Err(ParseFault::Malformed { .. })));
}

#[test]
fn code_is_cut_by_item() {
    let source = "use std::fmt;\nuse std::io;\n\n/// Adds.\nfn add(a: u8) -> u8 {\n    a\n}\n\nstruct Thing {\n    x: u8,\n}\n";
    let document = parse("src/lib.rs", source).unwrap();
    let rows = shape(&document);
    assert_eq!(document.title, "lib.rs");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert_eq!(rows[1].2, "add");
    assert!(rows[1].1.starts_with("/// Adds.") && rows[1].1.ends_with('}'));
    let python = parse("x.py", "import os\n\ndef f():\n    pass\n\nclass C:\n    pass\n").unwrap();
    assert_eq!(python.blocks.iter().map(|block| block.heading_path.join("")).collect::<Vec<_>>(), ["", "f", "C"]);
}

#[test]
fn mail_shows_headers_body_and_attachments() {
    let mail = "From: Ada <ada@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello Bob.\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"plan.pdf\"\r\n\r\nxx\r\n--b--\r\n";
    let document = parse("m.eml", mail).unwrap();
    assert_eq!(document.title, "Grüße");
    assert!(
        document.text.contains("From: Ada <ada@example.org>")
            && document.text.contains("Hello Bob.")
            && document.text.contains("plan.pdf"),
        "{}",
        document.text
    );
}

#[test]
fn docx_has_headings_lists_and_tables() {
    let body = r#"<w:document xmlns:w="w"><w:body>
      <w:p><w:pPr><w:pStyle w:val="Kop1"/></w:pPr><w:r><w:t>Leave &amp; pay</w:t></w:r></w:p>
      <w:p><w:r><w:t>Thirty </w:t></w:r><w:r><w:t>days.</w:t></w:r></w:p>
      <w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>first</w:t></w:r></w:p>
      <w:tbl><w:tr><w:tc><w:p><w:r><w:t>K</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>V</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
    </w:body></w:document>"#;
    let styles = r#"<w:styles xmlns:w="w"><w:style w:styleId="Kop1"><w:name w:val="heading 1"/></w:style></w:styles>"#;
    let document = parse("x.docx", archive(&[("word/document.xml", body), ("word/styles.xml", styles)])).unwrap();
    let rows = shape(&document);
    assert_eq!(rows[0], ("heading", "# Leave & pay", String::new()));
    assert_eq!(rows[1], ("paragraph", "Thirty days.", "Leave & pay".into()));
    assert_eq!(rows[2].1, "- first");
    assert_eq!(rows[3].1, "| K | V |\n| --- | --- |");
}

#[test]
fn pptx_slides_are_pages() {
    let slide = |title: &str, text: &str| {
        format!(
            r#"<p:sld xmlns:p="p" xmlns:a="a"><p:sp><p:nvPr><p:ph type="title"/></p:nvPr><a:p><a:r><a:t>{title}</a:t></a:r></a:p></p:sp><p:sp><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sp></p:sld>"#
        )
    };
    let members = [
        ("ppt/presentation.xml", "<p/>".to_owned()),
        ("ppt/slides/slide2.xml", slide("Second", "two")),
        ("ppt/slides/slide1.xml", slide("First", "one")),
    ];
    let members: Vec<(&str, &str)> = members.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let document = parse("x.pptx", archive(&members)).unwrap();
    assert_eq!(document.pages, Some(2));
    let pages: Vec<(Option<u32>, &str)> =
        document.blocks.iter().map(|block| (block.page, &document.text[block.range()])).collect();
    assert_eq!(pages, [(Some(1), "## First"), (Some(1), "one"), (Some(2), "## Second"), (Some(2), "two")]);
}

/// A PDF of one page per text, written by hand.
pub(crate) fn pdf(pages: &[&str]) -> Vec<u8> {
    let mut objects = vec!["<< /Type /Catalog /Pages 2 0 R >>".to_owned()];
    let kids: Vec<String> = (0..pages.len()).map(|index| format!("{} 0 R", 4 + index * 2)).collect();
    objects.push(format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()));
    objects.push("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned());
    for (index, text) in pages.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>",
            5 + index * 2
        ));
        let stream = if text.is_empty() { String::new() } else { format!("BT /F1 12 Tf 72 700 Td ({text}) Tj ET") };
        objects.push(format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
    }
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(bytes.len());
        bytes.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", index + 1).as_bytes());
    }
    let start = bytes.len();
    bytes.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    for offset in offsets {
        bytes.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    bytes.extend_from_slice(
        format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).as_bytes(),
    );
    bytes
}

#[test]
fn pdf_text_carries_its_page_and_bare_pages_are_named() {
    let document = parse("x.pdf", pdf(&["Hello first page", "", "Third page text"])).unwrap();
    assert_eq!(document.pages, Some(3));
    let pages: Vec<(Option<u32>, &str)> =
        document.blocks.iter().map(|block| (block.page, document.text[block.range()].trim())).collect();
    assert_eq!(pages, [(Some(1), "Hello first page"), (Some(3), "Third page text")]);
    assert_eq!(document.warnings, ["no text layer on 1 of 3 pages: 2"]);
}

#[track_caller]
fn refused(name: &str, bytes: impl AsRef<[u8]>, code: &str) {
    use mainspring_kernel::Fault;
    let fault = parse(name, bytes).unwrap_err();
    assert_eq!(fault.code(), code, "{fault}");
}

#[test]
fn hostile_files_are_refused_by_name() {
    refused("deep.html", "<div>".repeat(100_000), "parse-too-deep");
    refused("deep.json", "[".repeat(100_000), "parse-too-deep");
    refused("deep.md", "> ".repeat(5_000) + "x", "parse-too-deep");
    refused("deep.docx", archive(&[("word/document.xml", &"<a>".repeat(100_000))]), "parse-too-deep");
    refused("bomb.docx", archive(&[("word/document.xml", &" ".repeat(600 << 20))]), "parse-expands-too-much");
    refused("image.md", b"\x89PNG\r\n\x1a\n...", "parse-unsupported");
    refused("program", b"\x7fELF\x02", "parse-unsupported");
    refused("zip.docx", archive(&[("readme.txt", "x")]), "parse-unsupported");
    refused("nul.txt", b"a\0b", "parse-unsupported");
    refused("cut.pdf", &pdf(&["Hello"])[..40], "parse-malformed");
    let many: Vec<(String, &str)> =
        (0..20_001).map(|n| (format!("f{n}"), "")).chain([("word/document.xml".to_owned(), "<a/>")]).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    refused("many.docx", archive(&many), "parse-expands-too-much");
}

#[test]
fn entities_do_not_expand() {
    let xml = r#"<!DOCTYPE a [<!ENTITY x "boom boom boom">]><w:document xmlns:w="w"><w:p><w:r><w:t>a&x;b</w:t></w:r></w:p></w:document>"#;
    assert_eq!(parse("x.docx", archive(&[("word/document.xml", xml)])).unwrap().text, "ab");
}

#[test]
fn a_wrong_ending_does_not_decide() {
    assert_eq!(parse("x.txt", pdf(&["Really a PDF"])).unwrap().media_type, "application/pdf");
    assert_eq!(parse("x.pdf", "just words").unwrap().media_type, "text/plain");
    assert_eq!(parse("noname", "<!DOCTYPE html><p>hi").unwrap().media_type, "text/html");
}

#[test]
fn odd_encodings_are_read_and_said() {
    assert_eq!(parse("a.txt", b"\xEF\xBB\xBFhi").unwrap().text, "hi");
    assert_eq!(parse("a.txt", b"\xFF\xFEh\0i\0").unwrap().text, "hi");
    let latin = parse("a.txt", b"Gr\xFC\xDFe aus dem Norden").unwrap();
    assert_eq!((latin.text.as_str(), latin.warnings.len()), ("Grüße aus dem Norden", 1));
    let broken = parse("a.txt", b"ok \x81\xFF\xFE").unwrap();
    assert!(broken.text.contains('\u{fffd}') && broken.warnings.len() == 1);
    assert!(parse("empty.md", "").unwrap().blocks.is_empty());
    assert_eq!(parse("../../etc/pass\u{0}wd\n.md", "text").unwrap().title, "passwd");
}

proptest! {
    #[test]
    fn any_bytes_under_any_name_are_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        name in "[a-z]{1,4}\\.(md|html|csv|json|jsonl|eml|rs|py|ts|go|java|c|txt|docx|xlsx)",
    ) {
        let _ = parse(&name, bytes);
    }

    #[test]
    fn any_text_under_any_name_keeps_its_blocks_in_order(
        text in "(\\PC{0,8}|# |## |\n|\n\n|- |```|\\| a \\| b \\||> |<div>|</div>|\\{|\\}|\"|,|fn f\\(\\) \\{\\}|\t){0,60}",
        name in "x\\.(md|html|csv|json|jsonl|eml|rs|py|ts|tsx|js|go|java|c|txt)",
    ) {
        let _ = parse(&name, text);
    }
}
