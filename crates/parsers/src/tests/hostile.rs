use super::{
    files::{self, archive, pdf},
    parse, warned,
};
use crate::{Limits, ParseFault, parse_in_process};

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
    // Without the list of its members, which stands at the end, an archive is no whole file of what it is named.
    let whole = archive(&[("readme.txt", "x".repeat(1_000))]);
    let cut = &whole[..50];
    for name in ["cut.xlsx", "cut.docx", "cut.pptx", "cut.ods"] {
        refused(name, cut, "parse-malformed");
    }
    refused("cut.zip", cut, "parse-unsupported");
    refused("cut.md", cut, "parse-unsupported");
    refused("nul.txt", b"a\0b", "parse-unsupported");
    let container = |member: &str| -> Vec<u8> {
        let name = member.encode_utf16().flat_map(u16::to_le_bytes);
        [0xD0, 0xCF, 0x11, 0xE0].into_iter().chain([0; 600]).chain(name).collect()
    };
    refused("locked.docx", container("EncryptedPackage"), "parse-encrypted");
    refused("old.doc", container("WordDocument"), "parse-unsupported");
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
    let guessed = ("parse-encoding-guessed", "the text was not UTF-8; it was read as Latin-1");
    assert_eq!((latin.text.as_str(), warned(&latin)), ("Grüße aus dem Norden", vec![guessed]));
    let broken = parse("a.txt", b"ok \x81\xFF\xFE").unwrap();
    assert!(broken.text.contains('\u{fffd}'));
    assert_eq!(warned(&broken), [("parse-bytes-replaced", "3 places were not UTF-8 and were replaced")]);
    let half = parse("a.txt", b"\xFF\xFEh\0\x00\xD8i\0").unwrap();
    assert_eq!(half.text, "h\u{fffd}i");
    assert_eq!(warned(&half), [("parse-bytes-replaced", "1 places were not UTF-16 and were replaced")]);
    assert!(parse("empty.md", "").unwrap().blocks.is_empty());
    assert_eq!(parse("../../etc/pass\u{0}wd\n.md", "text").unwrap().title, "passwd");
    for (name, title) in [(r"dir/alpha\beta.txt", r"alpha\beta"), (r"bad\xFFname.txt", r"bad\xFFname"), (r"a\b.rs", r"a\b.rs")] {
        assert_eq!(parse(name, "text").unwrap().title, title, "folders are told by `/`");
    }
}

#[test]
fn names_in_an_archive_lead_nowhere() {
    let outside = std::env::temp_dir().join("mainspring-parsers-outside.xml");
    let mut members = files::pptx();
    members.push(("../../../../../../tmp/mainspring-parsers-outside.xml", "<a/>".to_owned()));
    members.push(("/etc/mainspring-parsers-outside.xml", "<a/>".to_owned()));
    let relations = files::relations(&[
        ("rId2", "slide", "../../../../../../etc/passwd"),
        ("rId3", "slide", "file:///etc/passwd"),
        ("rId9", "slide", "slides/slide3.xml"),
    ]);
    members
        .iter_mut()
        .filter(|(name, _)| *name == "ppt/_rels/presentation.xml.rels")
        .for_each(|(_, text)| text.clone_from(&relations));
    let document = parse("x.pptx", archive(&members)).unwrap();
    assert_eq!((document.blocks.len(), document.pages), (3, Some(3)));
    assert_eq!(warned(&document), [("parse-slide-missing", "slides that are not in the file: 2, 3")]);
    assert!(!outside.exists());
}

#[test]
fn what_unpacks_to_too_much_is_refused_in_every_format() {
    let small = Limits { expansion: 1 << 20, ..Limits::default() };
    let check = |name: &str, members: &files::Members| {
        let fault = parse_in_process(&archive(members), name, None, &small).unwrap_err();
        assert_eq!(fault, ParseFault::Expansion { limit: 1 << 20, entries: small.entries }, "{name}");
    };
    let heavy = |mut members: files::Members, name: &str| {
        let (_, text) = members.iter_mut().find(|(member, _)| *member == name).unwrap();
        text.push_str(&" ".repeat(2 << 20));
        members
    };
    check("bomb.xlsx", &heavy(files::xlsx(false), "xl/worksheets/sheet1.xml"));
    check("bomb.pptx", &heavy(files::pptx(), "ppt/slides/slide3.xml"));
    // A slide that is shown again and again is counted each time.
    let mut members = files::pptx();
    let list = r#"<p:sldId r:id="rId9"/>"#.repeat(3_000);
    members[0].1 = format!(r#"<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>{list}</p:sldIdLst></p:presentation>"#);
    check("again.pptx", &members);
}
