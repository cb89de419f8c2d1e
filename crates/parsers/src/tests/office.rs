use super::{
    files::{self, archive, slide},
    parse, shape, warned,
};
use crate::BlockKind;

#[test]
fn docx_has_headings_lists_and_tables() {
    let document = parse("x.docx", archive(&files::docx())).unwrap();
    let rows = shape(&document);
    assert_eq!(rows[0], ("heading", "# Leave & pay", String::new()));
    assert_eq!(rows[1], ("paragraph", "Thirty days.", "Leave & pay".into()));
    assert_eq!(rows[2].1, "- first");
    assert_eq!(rows[3].1, "| K | V |\n| --- | --- |");
}

#[test]
fn docx_keeps_links_notes_boxes_and_lists_by_style() {
    let body = r#"<w:document xmlns:w="w" xmlns:r="r" xmlns:mc="mc"><w:body>
      <w:p><w:r><w:t>See </w:t></w:r><w:hyperlink r:id="rId4"><w:r><w:t>the </w:t></w:r><w:r><w:t>terms</w:t></w:r></w:hyperlink><w:r><w:t>.</w:t></w:r></w:p>
      <w:p><w:r><w:t>Around.</w:t></w:r><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>Box.</w:t></w:r></w:p></w:txbxContent></mc:Choice>
        <mc:Fallback><w:txbxContent><w:p><w:r><w:t>Box.</w:t></w:r></w:p></w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>
      <w:p><w:pPr><w:pStyle w:val="Bullet"/></w:pPr><w:r><w:t>point</w:t></w:r></w:p>
    </w:body></w:document>"#;
    let links = r#"<Relationships><Relationship Id="rId4" Type="x/hyperlink" Target="https://x.example/?a=1&amp;b=2" TargetMode="External"/></Relationships>"#;
    let notes = r#"<w:footnotes xmlns:w="w"><w:footnote w:type="separator"><w:p><w:r/></w:p></w:footnote><w:footnote><w:p><w:r><w:t>At the foot.</w:t></w:r></w:p></w:footnote></w:footnotes>"#;
    let styles = r#"<w:styles xmlns:w="w"><w:style w:styleId="Bullet"><w:name w:val="List Bullet"/><w:pPr><w:numPr/></w:pPr></w:style></w:styles>"#;
    let members = [
        ("word/document.xml", body),
        ("word/styles.xml", styles),
        ("word/_rels/document.xml.rels", links),
        ("word/footnotes.xml", notes),
    ];
    let document = parse("x.docx", archive(&members)).unwrap();
    let text: Vec<&str> = shape(&document).iter().map(|row| row.1).collect();
    assert_eq!(text, ["See the terms.", "Box.", "Around.", "- point", "Footnote 1: At the foot."]);
    let links: Vec<(&str, &str)> = document.links.iter().map(|link| (link.text.as_str(), link.target.as_str())).collect();
    assert_eq!(links, [("the terms", "https://x.example/?a=1&b=2")]);
    assert_eq!(document.links[0].place.map(|(start, end)| &document.text[start..end]), Some("the terms"));
}

#[test]
fn docx_knows_where_links_stand_in_headings_lists_and_tables() {
    let link = |words: &str| format!(r#"<w:hyperlink r:id="rId4"><w:r><w:t>{words}</w:t></w:r></w:hyperlink>"#);
    let body = format!(
        r#"<w:document xmlns:w="w" xmlns:r="r"><w:body>
      <w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>The </w:t></w:r>{}</w:p>
      <w:p><w:pPr><w:numPr/></w:pPr>{}<w:r><w:t> of it</w:t></w:r></w:p>
      <w:tbl><w:tr><w:tc><w:p><w:r><w:t>K</w:t></w:r></w:p></w:tc><w:tc><w:p>{}</w:p></w:tc></w:tr></w:tbl>
    </w:body></w:document>"#,
        link("rules"),
        link(" first part"),
        link("see | here"),
    );
    let links = r#"<Relationships><Relationship Id="rId4" Type="x/hyperlink" Target="https://x.example/" TargetMode="External"/></Relationships>"#;
    let document =
        parse("x.docx", archive(&[("word/document.xml", body.as_str()), ("word/_rels/document.xml.rels", links)])).unwrap();
    let places: Vec<&str> =
        document.links.iter().filter_map(|link| link.place).map(|(start, end)| &document.text[start..end]).collect();
    assert_eq!(places, ["rules", "first part", "see \\| here"]);
    assert_eq!(document.title, "The rules");
    assert_eq!(document.blocks[0].heading.as_deref(), Some("The rules"));
    assert!(document.text.starts_with("# The rules\n\n- first part of it\n\n| K | see \\| here |"), "{}", document.text);
}

fn texts(members: &[(&str, &str)]) -> Vec<String> {
    let document = parse("x.docx", archive(members)).unwrap();
    shape(&document).iter().map(|row| row.1.to_owned()).collect()
}

#[test]
fn docx_is_read_as_it_stands_after_its_changes() {
    let body = r#"<w:document xmlns:w="w"><w:body>
      <w:p><w:pPr><w:pStyle w:val="Heading2"/><w:tabs><w:tab w:val="left"/><w:tab w:val="right"/></w:tabs><w:pPrChange><w:pPr><w:pStyle w:val="Normal"/><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:pPrChange></w:pPr><w:r><w:t>Now</w:t></w:r></w:p>
      <w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs><w:rPr><w:del/><w:moveFrom/></w:rPr></w:pPr><w:r><w:t>It </w:t></w:r><w:del><w:r><w:delText>was</w:delText><w:t>was</w:t></w:r></w:del><w:ins><w:r><w:t>is</w:t></w:r></w:ins><w:r><w:tab/><w:t>here</w:t></w:r><w:moveFrom><w:r><w:t> and gone</w:t></w:r></w:moveFrom><w:r><w:t>, well</w:t><w:noBreakHyphen/><w:t>kept.</w:t></w:r></w:p>
      <w:p><w:moveTo><w:r><w:t>and gone</w:t></w:r></w:moveTo></w:p>
    </w:body></w:document>"#;
    assert_eq!(texts(&[("word/document.xml", body)]), ["## Now", "It is here, well-kept.", "and gone"]);
}

#[test]
fn docx_styles_take_over_what_they_are_made_from() {
    let style =
        |id: &str, name: &str, rest: &str| format!(r#"<w:style w:styleId="{id}"><w:name w:val="{name}"/>{rest}</w:style>"#);
    let styles = [
        style("T", "Title", ""),
        style("H", "heading 2", r#"<w:pPr><w:numPr><w:ilvl w:val="1"/></w:numPr><w:outlineLvl w:val="1"/></w:pPr>"#),
        style("Under", "Subtitle", r#"<w:basedOn w:val="T"/>"#),
        style("Chapter", "Chapter", r#"<w:basedOn w:val="H"/>"#),
        style("Part", "Part", r#"<w:basedOn w:val="Chapter"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr>"#),
        style(
            "Contents",
            "TOC Heading",
            r#"<w:basedOn w:val="H"/><w:pPr><w:numPr><w:numId w:val="0"/></w:numPr><w:outlineLvl w:val="9"/></w:pPr>"#,
        ),
        style("Bullet", "List Bullet", r#"<w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr>"#),
        style("Dash", "Dash", r#"<w:basedOn w:val="Bullet"/>"#),
        style("Round", "Round", r#"<w:basedOn w:val="About"/>"#),
        style("About", "About", r#"<w:basedOn w:val="Round"/>"#),
    ];
    let styles = format!(r#"<w:styles xmlns:w="w">{}</w:styles>"#, styles.concat());
    let paragraph = |style: &str, more: &str| {
        format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/>{more}</w:pPr><w:r><w:t>{style}</w:t></w:r></w:p>"#)
    };
    let named = ["T", "Under", "H", "Chapter", "Part", "Contents", "Bullet", "Dash", "Round"];
    let mut paragraphs: Vec<String> = named.iter().map(|style| paragraph(style, "")).collect();
    paragraphs.push(paragraph("Dash", r#"<w:numPr><w:numId w:val="0"/></w:numPr>"#));
    let body = format!(r#"<w:document xmlns:w="w"><w:body>{}</w:body></w:document>"#, paragraphs.concat());
    assert_eq!(
        texts(&[("word/document.xml", &body), ("word/styles.xml", &styles)]),
        ["# T", "Under", "## H", "## Chapter", "# Part", "Contents", "- Bullet", "- Dash", "Round", "Dash"]
    );
}

#[test]
fn cells_over_several_rows_and_columns_leave_the_others_in_their_columns() {
    let cell = |what: &str, text: &str| format!("<w:tc><w:tcPr>{what}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>");
    let long = "long ".repeat(30);
    let (wide, first, same) = (r#"<w:gridSpan w:val="2"/>"#, r#"<w:vMerge w:val="restart"/>"#, "<w:vMerge/>");
    let rows = [
        cell(wide, "a") + &cell("", "b"),
        cell(first, "x") + &cell(first, &long) + &cell("", "y"),
        cell(same, "") + &cell(same, "") + &cell("", "z"),
        cell(&format!("{wide}{same}"), "") + &cell("", "w"),
        cell(r#"<w:gridSpan w:val="3"/>"#, "c"),
    ];
    let rows: String = rows.iter().map(|row| format!("<w:tr>{row}</w:tr>")).collect();
    let body = format!(r#"<w:document xmlns:w="w"><w:body><w:tbl>{rows}</w:tbl></w:body></w:document>"#);
    let long = long.trim_end();
    let want = format!("| a |  | b |\n| --- | --- | --- |\n| x | {long} | y |\n| x |  | z |\n| x |  | w |\n| c |  |  |");
    assert_eq!(texts(&[("word/document.xml", &body)]), [want]);
}

#[test]
fn a_deck_without_a_list_of_slides_is_read_by_their_numbers() {
    let members = [
        ("ppt/presentation.xml", "<p/>".to_owned()),
        ("ppt/slides/slide10.xml", slide("", "Second", "two")),
        ("ppt/slides/slide9.xml", slide("", "First", "one")),
    ];
    let document = parse("x.pptx", archive(&members)).unwrap();
    assert_eq!(document.pages, Some(2));
    let pages: Vec<(Option<u32>, &str)> =
        document.blocks.iter().map(|block| (block.page, &document.text[block.range()])).collect();
    assert_eq!(pages, [(Some(1), "## First"), (Some(1), "one"), (Some(2), "## Second"), (Some(2), "two")]);
}

#[test]
fn a_slide_is_cited_by_where_it_is_shown() {
    let document = parse("x.pptx", archive(&files::pptx())).unwrap();
    let rows: Vec<(Option<u32>, &str, String)> =
        document.blocks.iter().map(|block| (block.page, &document.text[block.range()], block.heading_path.join(" > "))).collect();
    assert_eq!(
        rows,
        [
            (Some(1), "## Welcome", String::new()),
            (Some(1), "was third", "Welcome".to_owned()),
            (Some(1), "> Notes: Say hello.", "Welcome".to_owned()),
            (Some(2), "was first", String::new()),
            (Some(3), "## Appendix", String::new()),
            (Some(3), "was second", "Appendix".to_owned()),
        ]
    );
    assert_eq!(document.pages, Some(3));
    assert_eq!(warned(&document), [("parse-slide-hidden", "hidden slides: 3")]);
    let mut members = files::pptx();
    members.retain(|(name, _)| *name != "ppt/slides/slide1.xml");
    let document = parse("x.pptx", archive(&members)).unwrap();
    assert_eq!(document.blocks.last().unwrap().page, Some(3), "a slide that is gone keeps its number");
    let missing = ("parse-slide-missing", "slides that are not in the file: 2");
    assert_eq!(warned(&document), [("parse-slide-hidden", "hidden slides: 3"), missing]);
}

#[test]
fn cells_read_as_a_person_sees_them() {
    let document = parse("x.xlsx", archive(&files::xlsx(false))).unwrap();
    let rows = shape(&document);
    assert_eq!(rows[0], ("heading", "## Cells & more", String::new()));
    assert_eq!(rows[1].2, "Cells & more");
    let want = "| What | Value \\| unit |\n| --- | --- |\n| date | 2024-01-01 |\n| moment | 2024-01-01 09:30:00 |\n| clock | 18:00:00 |\n\
                | length | 26:30:00 |\n| truth | TRUE |\n| mistake | #DIV/0! |\n| sum | 0.3 |\n| words | X |";
    assert_eq!(rows[1].1, want);
    assert_eq!((rows[2].1, rows[3].1), ("## Kept away", "| alone |\n| --- |"));
    assert_eq!(warned(&document), [("parse-sheet-hidden", "sheet `Kept away` is hidden in the workbook")]);
    let mac = parse("x.xlsx", archive(&files::xlsx(true))).unwrap();
    assert!(mac.text.contains("| 2024-01-01 |"), "{}", mac.text);
}

#[test]
fn open_document_sheets_are_read_too() {
    let cell = |kind: &str, value: &str, shown: &str| {
        format!(r#"<table:table-cell office:value-type="{kind}" office:{value}><text:p>{shown}</text:p></table:table-cell>"#)
    };
    let row = |cells: &[String]| format!("<table:table-row>{}</table:table-row>", cells.concat());
    let text = |text: &str| format!(r#"<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>"#);
    let rows = [
        row(&[text("day"), cell("date", r#"date-value="2024-01-31""#, "31.01.24")]),
        row(&[text("moment"), cell("date", r#"date-value="2024-01-31T09:30:00""#, "x")]),
        row(&[text("clock"), cell("time", r#"time-value="PT09H30M05S""#, "x")]),
        row(&[text("price"), cell("float", r#"value="7.50""#, "7,50 €")]),
        row(&[text("truth"), cell("boolean", r#"boolean-value="true""#, "WAHR")]),
    ];
    let content = format!(
        r#"<office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x"><office:body><office:spreadsheet><table:table table:name="Leaves">{}</table:table></office:spreadsheet></office:body></office:document-content>"#,
        rows.concat()
    );
    let media_type = "application/vnd.oasis.opendocument.spreadsheet";
    let members = [("mimetype", media_type), ("META-INF/manifest.xml", "<manifest/>"), ("content.xml", content.as_str())];
    let document = parse("x.ods", archive(&members)).unwrap();
    assert_eq!(document.media_type, media_type);
    let want = "## Leaves\n\n| day | 2024-01-31 |\n| --- | --- |\n| moment | 2024-01-31 09:30:00 |\n| clock | 09:30:05 |\n| price | 7.5 |\n| truth | TRUE |";
    assert_eq!(document.text, want);
}

#[test]
fn moments_and_lengths_of_time_have_one_form() {
    use calamine::{ExcelDateTime, ExcelDateTimeType};
    let moment = |days: f64, kind| crate::cells::moment(&ExcelDateTime::new(days, kind, false));
    let check = |days: f64, want: &str| assert_eq!(moment(days, ExcelDateTimeType::DateTime), want, "{days}");
    check(1.0, "1900-01-01");
    check(45292.999_999_999, "2024-01-02");
    check(45292.5 + 0.25 / 86_400.0, "2024-01-01 12:00:00.250");
    check(0.999_999_999_9, "00:00:00");
    check(-1.0, "-1");
    assert_eq!(moment(-0.5, ExcelDateTimeType::TimeDelta), "-12:00:00");
    let length = crate::cells::iso_duration;
    for (iso, want) in
        [("PT36H00M00S", "36:00:00"), ("P1DT1H", "25:00:00"), ("-PT5M0.5S", "-00:05:00.500"), ("a while", "a while")]
    {
        assert_eq!(length(iso), want);
    }
    assert_eq!(crate::cells::number(-0.0), "0");
    assert_eq!(crate::cells::number(1_234_567.25), "1234567.25");
}

#[test]
fn csv_and_json_become_readable() {
    let table = parse("x.csv", "name;age\nAda;36\n").unwrap();
    assert_eq!(table.text, "| name | age |\n| --- | --- |\n| Ada | 36 |");
    let json = parse("x.json", r#"[{"a": {"b": 1}, "tags": ["x", "y"]}, 5]"#).unwrap();
    assert_eq!(shape(&json).iter().map(|row| row.1).collect::<Vec<_>>(), ["a.b: 1\ntags: x, y", "5"]);
}

#[test]
fn a_line_that_is_no_record_does_not_take_the_others_along() {
    let mut lines: String = (1..=12).map(|n| format!("{{\"id\": {n}}}\n")).collect();
    lines.push_str("\n{\"id\": \"cut of");
    let read = parse("x.jsonl", &lines).unwrap();
    assert_eq!((read.blocks.len(), read.blocks.last().map(|block| &read.text[block.range()])), (12, Some("id: 12")));
    let why = "line 14 cannot be read: EOF while parsing a string at column 14";
    assert_eq!(warned(&read), [("parse-record-unread", why)]);
    // Many are counted.
    let read = parse("x.jsonl", format!("5\n{}", "{oops\n".repeat(30))).unwrap();
    let told = warned(&read);
    assert_eq!((told.len(), told[20]), (21, ("parse-record-unread", "30 of 31 lines cannot be read")));
    // Where there is no record it is another kind of file, or none.
    let fault = parse("x.jsonl", "{oops\n{oops\n").unwrap_err().to_string();
    assert!(fault.contains("line 1 cannot be read: key must be a string at column 2"), "{fault}");
    assert!(parse("x.jsonl", "\n\n").unwrap().blocks.is_empty());
}

#[test]
fn csv_is_cut_where_its_rows_agree() {
    let text = |csv: &str| parse("x.csv", csv).unwrap().text;
    let rows = |csv: &str| text(csv).lines().filter(|line| !line.starts_with("| ---")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows("name;amount\nAda;1,50\nBob;2,75\n"), ["| name | amount |", "| Ada | 1,50 |", "| Bob | 2,75 |"]);
    assert_eq!(rows("a\tb, c\n1\t2\n"), ["| a | b, c |", "| 1 | 2 |"]);
    assert_eq!(rows("a|b\n1|2\n"), ["| a | b |", "| 1 | 2 |"]);
    assert_eq!(rows("\"a, b\",c\n\"say \"\"hi\"\"\nthere\",2\n"), ["| a, b | c |", "| say \"hi\" there | 2 |"]);
    assert_eq!(rows("sep=;\r\na,b;c\r\n1;2\r\n"), ["| a,b | c |", "| 1 | 2 |"]);
    assert_eq!(rows("Report of today\na,b,c\n1,2,3\n"), ["| Report of today |  |  |", "| a | b | c |", "| 1 | 2 | 3 |"]);
    assert_eq!(rows("one\ntwo\n"), ["| one |", "| two |"]);
    let wide = parse("x.csv", vec!["x"; 600].join(",")).unwrap();
    assert_eq!(warned(&wide), [("parse-table-cut", "rows have up to 600 columns; the first 500 are read")]);
    assert_eq!(wide.blocks[0].kind, BlockKind::Table);
}
