use mainspring_kernel::Fault as _;

use super::{
    files::{archive, pdf, pdf_of},
    parse, shape, warned,
};

#[test]
fn pdf_text_carries_its_page_and_bare_pages_are_named() {
    let document = parse("x.pdf", pdf(&["Hello first page", "", "Third page text"])).unwrap();
    assert_eq!(document.pages, Some(3));
    let pages: Vec<(Option<u32>, &str)> =
        document.blocks.iter().map(|block| (block.page, document.text[block.range()].trim())).collect();
    assert_eq!(pages, [(Some(1), "Hello first page"), (Some(3), "Third page text")]);
    assert_eq!(warned(&document), [("parse-page-without-text", "no text layer on 1 of 3 pages: 2")]);
}

#[test]
fn lines_that_stand_out_are_headings() {
    let body = "Ordinary words of the text that are here to be the most of it.\n".repeat(4);
    let page = |heading: &str| format!("9|Handbook of everything\n{heading}\n{body}14|Running head");
    let pages = [
        page("24|Leave\n16|How much"),
        page("16|How long\n16|it may be"),
        page("99"),
        page(
            "16|A very very long line of many words that is large, but goes on in the way that a sentence does, and so is text and no heading of any kind",
        ),
    ];
    let document = parse("x.pdf", pdf(&pages)).unwrap();
    let rows = shape(&document);
    let headings: Vec<(Option<u32>, &str, &str)> = document
        .blocks
        .iter()
        .zip(&rows)
        .filter(|(block, _)| block.heading.is_some())
        .map(|(block, row)| (block.page, row.1, row.2.as_str()))
        .collect();
    assert_eq!(
        headings,
        [(Some(1), "# Leave", ""), (Some(1), "## How much", "Leave"), (Some(2), "## How long it may be", "Leave")]
    );
    assert_eq!(document.title, "Leave");
    let last = document.blocks.last().unwrap();
    assert_eq!((last.page, last.heading_path.join(" > ")), (Some(4), "Leave > How long it may be".to_owned()));
    assert_eq!(document.text.matches("Running head").count(), 4, "what is on every page is no heading, and stays");
}

#[test]
fn a_pdf_goes_by_the_name_it_gives_itself() {
    let named = |title: &str| {
        let text = String::from_utf8(pdf(&["24|Large\nwords of the text"])).unwrap();
        let text = text.replace("trailer\n<<", &format!("trailer\n<< /Info << /Title {title} >>"));
        parse("x.pdf", text).unwrap().title
    };
    assert_eq!(named("(A handbook)"), "A handbook");
    assert_eq!(named("<FEFF004700FC>"), "Gü");
    assert_eq!(named("(Microsoft Word - leave.doc)"), "Large");
    assert_eq!(named("( )"), "Large");
    assert_eq!(named(r"(\(anonymous\))"), "Large");
    let several = pdf(&["24|One\nordinary words of the text\n24|Another\nordinary words of the text"]);
    assert_eq!(parse("folder/leave.pdf", several).unwrap().title, "leave");
}

#[test]
fn pages_that_cannot_be_read_do_not_take_the_others_along() {
    let text = String::from_utf8(pdf(&["one", "two", "three"])).unwrap();
    // The second page's content is no stream any more.
    let document = parse("x.pdf", text.replace("7 0 obj", "7 ? obj")).unwrap();
    let pages: Vec<Option<u32>> = document.blocks.iter().map(|block| block.page).collect();
    assert_eq!((pages, document.pages), (vec![Some(1), Some(3)], Some(3)));
    let told = warned(&document);
    assert!(matches!(told[..], [("parse-page-unread", why)] if why.starts_with("page 2 cannot be read")), "{told:?}");
    // Cut inside a letter, which the library stumbles over.
    let mut bytes = text.into_bytes();
    let at = bytes.windows(7).position(|part| part == b"7 0 obj").unwrap();
    bytes[at + 1] = 0xF3;
    let document = parse("x.pdf", bytes).unwrap();
    assert_eq!(document.blocks.iter().map(|block| block.page).collect::<Vec<_>>(), [Some(1), Some(3)]);
}

/// A page of these streams, each with its filter.
fn page_of(streams: &[(&str, &str)]) -> Vec<u8> {
    let parts: Vec<String> = (0..streams.len()).map(|index| format!("{} 0 R", 4 + index)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents [{}] >>", parts.join(" ")),
    ];
    for (filter, data) in streams {
        objects.push(format!("<< /Length {} /Filter {filter} >>\nstream\n{data}\nendstream", data.len()));
    }
    pdf_of(&objects)
}

#[test]
fn a_page_whose_content_cannot_be_unpacked_is_damaged_and_no_picture() {
    let fault = parse("x.pdf", page_of(&[("/FlateDecode", "these are no packed bytes")])).unwrap_err();
    assert_eq!(fault.code(), "parse-malformed");
    assert!(fault.to_string().contains("no page of it can be read; page 1"), "{fault}");
    // What draws and writes nothing is a picture, or an empty page.
    let drawn = parse("x.pdf", page_of(&[("/ASCIIHexDecode", "303020313020302031302072652066>")])).unwrap();
    assert_eq!(warned(&drawn), [("parse-page-without-text", "no text layer on 1 of 1 pages: 1")]);
    let half = page_of(&[("/ASCIIHexDecode", "303020313020302031302072652066>"), ("/FlateDecode", "these are no packed bytes")]);
    assert_eq!(parse("x.pdf", half).unwrap_err().code(), "parse-malformed");
}

#[test]
fn a_pdf_without_a_page_that_can_be_read_is_not_whole() {
    let whole = pdf(&["one", "two", "three"]);
    // Of the first page there is what it is, and nothing that is on it; the others are gone.
    let text = String::from_utf8(whole).unwrap();
    let (head, _) = text.split_once("5 0 obj").unwrap();
    let fault = parse("cut.pdf", head).unwrap_err();
    assert_eq!(fault.code(), "parse-malformed", "{fault}");
    let looped = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>endobj\n\
                  trailer<</Root 1 0 R>>\n%%EOF\n";
    let fault = parse("loop.pdf", looped).unwrap_err();
    assert_eq!(fault.code(), "parse-malformed", "{fault}");
}

/// Bytes as a member of an archive has them, without what stands around them.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let packed = archive(&[("x", bytes)]);
    let length = |from: usize| usize::from(u16::from_le_bytes([packed[from], packed[from + 1]]));
    let begin = 30 + length(26) + length(28);
    packed[begin..begin + length(18) + (length(20) << 16)].to_vec()
}

#[test]
fn a_page_that_unpacks_to_too_much_is_told_as_such() {
    let packed: String = deflated(&vec![b' '; 257 << 20]).iter().map(|byte| format!("{byte:02x}")).collect();
    let fault = parse("bomb.pdf", page_of(&[("[/ASCIIHexDecode /FlateDecode]", &format!("789c{packed}>"))])).unwrap_err();
    assert_eq!(fault.code(), "parse-expands-too-much", "{fault}");
}
