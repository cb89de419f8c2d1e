//! Files of foreign formats, made for tests.

use std::io::{Cursor, Write};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

pub(crate) type Members = Vec<(&'static str, String)>;

pub(crate) fn archive<N: AsRef<str>, T: AsRef<[u8]>>(members: &[(N, T)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let name = name.as_ref();
        let options = SimpleFileOptions::default();
        // It says what the archive is, so it stands there as it is.
        let stored = name == "mimetype";
        let options = if stored { options.compression_method(CompressionMethod::Stored) } else { options };
        writer.start_file(name, options).unwrap();
        writer.write_all(bytes.as_ref()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn docx() -> Members {
    let body = r#"<w:document xmlns:w="w" xmlns:r="r"><w:body>
      <w:p><w:pPr><w:pStyle w:val="Kop1"/></w:pPr><w:r><w:t>Leave &amp; pay</w:t></w:r></w:p>
      <w:p><w:r><w:t>Thirty </w:t></w:r><w:r><w:t>days.</w:t></w:r></w:p>
      <w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>first</w:t></w:r></w:p>
      <w:tbl><w:tr><w:tc><w:p><w:r><w:t>K</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>V</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
    </w:body></w:document>"#;
    let styles = r#"<w:styles xmlns:w="w"><w:style w:styleId="Kop1"><w:name w:val="heading 1"/></w:style></w:styles>"#;
    vec![("word/document.xml", body.to_owned()), ("word/styles.xml", styles.to_owned())]
}

/// One part pointing to others: id, the last word of the type, target.
pub(crate) fn relations(all: &[(&str, &str, &str)]) -> String {
    let one = |(id, kind, target): &(&str, &str, &str)| {
        format!(
            r#"<Relationship Id="{id}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" Target="{target}"/>"#
        )
    };
    let all: String = all.iter().map(one).collect();
    format!(r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{all}</Relationships>"#)
}

/// Cells with every kind of value: styles 1 to 4 are a date, a moment, a time of day and a length of time.
const CELLS: &str = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>What</t></is></c><c r="B1" t="inlineStr"><is><t>Value | unit</t></is></c></row>
    <row r="2"><c r="A2" t="inlineStr"><is><t>date</t></is></c><c r="B2" s="1"><v>45292</v></c></row>
    <row r="3"><c r="A3" t="inlineStr"><is><t>moment</t></is></c><c r="B3" s="2"><v>45292.395833333336</v></c></row>
    <row r="4"><c r="A4" s="0"/><c r="B4" s="0"/></row>
    <row r="6"><c r="A6" t="inlineStr"><is><t>clock</t></is></c><c r="B6" s="3"><v>0.75</v></c></row>
    <row r="7"><c r="A7" t="inlineStr"><is><t>length</t></is></c><c r="B7" s="4"><v>1.1041666666666667</v></c></row>
    <row r="8"><c r="A8" t="inlineStr"><is><t>truth</t></is></c><c r="B8" t="b"><v>1</v></c></row>
    <row r="9"><c r="A9" t="inlineStr"><is><t>mistake</t></is></c><c r="B9" t="e"><v>#DIV/0!</v></c></row>
    <row r="10"><c r="A10" t="inlineStr"><is><t>sum</t></is></c><c r="B10"><f>0.1+0.2</f><v>0.30000000000000004</v></c></row>
    <row r="11"><c r="A11" t="inlineStr"><is><t>words</t></is></c><c r="B11" t="str"><f>UPPER("x")</f><v>X</v></c></row>"#;

/// A workbook of a sheet with every kind of value, and a hidden one; days count from 1904 where it says so.
pub(crate) fn xlsx(from_1904: bool) -> Members {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let sheet = |rows: &str| format!(r#"<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>"#);
    let date = if from_1904 { r#"<workbookPr date1904="1"/>"# } else { "" };
    let workbook = format!(
        r#"<workbook xmlns="{main}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">{date}<sheets>
        <sheet name="Cells &amp; more" sheetId="1" r:id="rId1"/><sheet name="Kept away" sheetId="2" state="hidden" r:id="rId2"/></sheets></workbook>"#
    );
    let formats: String = [0, 14, 22, 21, 46].iter().map(|id| format!(r#"<xf numFmtId="{id}"/>"#)).collect();
    let rows = if from_1904 { r#"<row r="1"><c r="A1" s="1"><v>43830</v></c></row>"# } else { CELLS };
    let hidden = r#"<row r="5"><c r="C5" t="inlineStr"><is><t>alone</t></is></c></row>"#;
    vec![
        ("[Content_Types].xml", "<Types/>".to_owned()),
        ("_rels/.rels", relations(&[("rId1", "officeDocument", "xl/workbook.xml")])),
        ("xl/workbook.xml", workbook),
        (
            "xl/_rels/workbook.xml.rels",
            relations(&[
                ("rId1", "worksheet", "worksheets/sheet1.xml"),
                ("rId2", "worksheet", "worksheets/sheet2.xml"),
                ("rId3", "styles", "styles.xml"),
            ]),
        ),
        ("xl/styles.xml", format!(r#"<styleSheet xmlns="{main}"><cellXfs>{formats}</cellXfs></styleSheet>"#)),
        ("xl/worksheets/sheet1.xml", sheet(rows)),
        ("xl/worksheets/sheet2.xml", sheet(hidden)),
    ]
}

pub(crate) fn slide(attributes: &str, title: &str, text: &str) -> String {
    let shape =
        |kind: &str, text: &str| format!(r#"<p:sp><p:nvPr>{kind}</p:nvPr><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sp>"#);
    // Shapes stand in the order they were drawn in, not in the order they are read in.
    let title = if title.is_empty() { String::new() } else { shape(r#"<p:ph type="title"/>"#, title) };
    let number = shape(r#"<p:ph type="sldNum"/>"#, "999");
    format!(r#"<p:sld xmlns:p="p" xmlns:a="a"{attributes}>{}{title}{number}</p:sld>"#, shape("", text))
}

/// A deck whose third slide was moved to the front, with the notes of the first; the last is hidden.
pub(crate) fn pptx() -> Members {
    let list = r#"<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="258" r:id="rId9"/><p:sldId id="256" r:id="rId2"/><p:sldId id="257" r:id="rId3"/></p:sldIdLst></p:presentation>"#;
    let notes = r#"<p:notes xmlns:p="p" xmlns:a="a"><p:sp><p:ph type="body"/><a:p><a:r><a:t>Say hello.</a:t></a:r></a:p></p:sp></p:notes>"#;
    vec![
        ("ppt/presentation.xml", list.to_owned()),
        (
            "ppt/_rels/presentation.xml.rels",
            relations(&[
                ("rId2", "slide", "slides/slide1.xml"),
                ("rId3", "slide", "/ppt/slides/slide2.xml"),
                ("rId9", "slide", "slides/slide3.xml"),
            ]),
        ),
        ("ppt/slides/slide1.xml", slide("", "", "was first")),
        ("ppt/slides/slide2.xml", slide(r#" show="0""#, "Appendix", "was second")),
        ("ppt/slides/slide3.xml", slide("", "Welcome", "was third")),
        ("ppt/slides/_rels/slide3.xml.rels", relations(&[("rId1", "notesSlide", "../notesSlides/notesSlide1.xml")])),
        ("ppt/notesSlides/notesSlide1.xml", notes.to_owned()),
    ]
}

pub(crate) const MAIL: &str = "From: Ada <ada@example.org>\r\nTo: Bob <bob@example.org>\r\nCc: =?iso-8859-1?Q?J=FCrgen?= <j@example.org>\r\n\
    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nHello =FCber B=\r\nob.\r\n\
    --b\r\nContent-Type: text/markdown; name=\"notes.md\"\r\nContent-Disposition: attachment; filename=\"notes.md\"\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nIyBQbGFuCgpTZWUgW2l0XShodHRwczovL3guZXhhbXBsZSkuCg==\r\n\
    --b\r\nContent-Type: application/json; name=\"data.json\"\r\nContent-Disposition: attachment; filename=\"data.json\"\r\n\r\n{\"price\": 7}\r\n\
    --b\r\nContent-Type: text/csv; name=\"bad.json\"\r\nContent-Disposition: attachment; filename=\"bad.json\"\r\n\r\n{oops\r\n\
    --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: Eve <eve@example.org>\r\nSubject: Inner\r\nContent-Type: text/plain\r\n\r\nForwarded words.\r\n\
    --b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"plan.pdf\"\r\n\r\nxx\r\n--b--\r\n";

/// A PDF of these objects, numbered from 1, with a correct table of where they are.
pub(crate) fn pdf_of(objects: &[String]) -> Vec<u8> {
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

/// A PDF of one page per text. Lines are `size|text`, or the text alone in 12 points.
pub(crate) fn pdf<T: AsRef<str>>(pages: &[T]) -> Vec<u8> {
    let mut objects = vec!["<< /Type /Catalog /Pages 2 0 R >>".to_owned()];
    let kids: Vec<String> = (0..pages.len()).map(|index| format!("{} 0 R", 4 + index * 2)).collect();
    objects.push(format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()));
    objects.push("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned());
    for (index, text) in pages.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>",
            5 + index * 2
        ));
        let mut stream = String::new();
        let mut y = 750;
        for text in text.as_ref().lines() {
            let (size, text) = text.split_once('|').unwrap_or(("12", text));
            y -= size.parse::<i32>().unwrap() * 5 / 4;
            stream.push_str(&format!("BT /F1 {size} Tf 72 {y} Td ({text}) Tj ET\n"));
        }
        objects.push(format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
    }
    pdf_of(&objects)
}
