use super::{by_page, of_kind, read, warned};

/// Where each of these stands, which must be one after another.
fn in_order(text: &str, marks: &[&str]) {
    let places: Vec<Option<usize>> = marks.iter().map(|mark| text.find(mark)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{:?}\n{text}",
        marks.iter().zip(places).collect::<Vec<_>>()
    );
}

#[test]
fn a_print_of_writer_has_its_headings_pages_and_rows() {
    let document = read("writer.pdf");
    assert_eq!((document.title.as_str(), document.pages), ("The granary", Some(3)));
    assert_eq!(of_kind(&document, "heading"), ["# Keeping grain", "## Sieving", "# Languages"]);
    let rows = by_page(&document);
    let page = |number: u32| rows.iter().filter(|row| row.0 == number).map(|row| row.1).collect::<Vec<_>>().join("\n");
    in_order(
        &page(1),
        &["Grain is dried for five days", "wooden shovel", "The twenty-one bins are refilled in order", "Nobody walks"],
    );
    in_order(&page(1), &["take a sample", "shake the sieve", "weigh what is left", "write it down", "Around the box."]);
    in_order(&page(1), &["Moisture 14 % at most", "North spring 12 t", "autumn 31 t", "South spring 9 t", "both stores 52 t"]);
    in_order(
        &page(2),
        &["Greek: Καλημέρα στη μεγάλη αίθουσα.", "Chinese: 会议在星期三上午开始。", "Japanese: 会議は水曜日に始まります。"],
    );
    in_order(&page(2), &["Vietnamese: Cuộc họp bắt đầu lúc chín giờ.", "Combining: ", "Back to the beginning."]);
    assert_eq!(rows.last().map(|row| (row.0, row.1)), Some((3, "i Bin seven stays empty.")));
    assert_eq!(rows.iter().find(|row| row.1.contains("shake")).unwrap().2, "Keeping grain > Sieving");
}

#[test]
fn two_columns_are_read_one_after_the_other_and_broken_words_are_whole() {
    let document = read("weasyprint.pdf");
    assert_eq!((document.title.as_str(), document.pages), ("Affidavits", Some(3)));
    assert_eq!(of_kind(&document, "heading"), ["# Of affidavits", "## Readings", "## Languages"]);
    let rows = by_page(&document);
    let under = |path: &str| rows.iter().filter(|row| row.2 == path).map(|row| row.1).collect::<Vec<_>>().join(" ");
    let columns = under("Of affidavits").split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = "The officer of the watch filed the first official affidavit with difficulty. Five staff offices were baffled by the flood of \
                    coffee, and the waffles were effectively finished.";
    assert!(columns.starts_with("LEFT begins here. "), "{columns}");
    assert_eq!(columns.matches(sentence).count(), 20, "ligatures are letters and hyphens of lines are gone: {columns}");
    in_order(&columns, &["LEFT begins", "RIGHT ends here."]);
    let readings = under("Of affidavits > Readings");
    in_order(&readings, &["Name Value", "reading 1 7 flasks", "reading 15 105 flasks", "reading 30 210 flasks"]);
    let languages: Vec<(u32, &str)> = rows
        .iter()
        .filter(|row| row.2 == "Of affidavits > Languages" && row.1.contains(": "))
        .map(|row| (row.0, row.1))
        .collect();
    assert_eq!(
        languages,
        [
            (3, "Greek: Καλημέρα στη μεγάλη αίθουσα."),
            (3, "Chinese: 会议在星期三上午开始。"),
            (3, "Japanese: 会議は水曜日に始まります。"),
            (3, "Arabic: يبدأ الاجتماع يوم الأربعاء"),
            (3, "Vietnamese: Cuộc họp bắt đầu lúc chín giờ."),
            (3, "Combining: re\u{301}sume\u{301} nai\u{308}ve"),
        ]
    );
}

#[test]
fn a_paper_of_groff_is_read_column_by_column() {
    let document = read("groff.pdf");
    assert_eq!((document.title.as_str(), document.pages), ("Windmills", Some(2)));
    assert_eq!(of_kind(&document, "heading"), ["# Windmills", "## 1. Sails", "## 2. Stones"]);
    let rows = by_page(&document);
    let sails: Vec<&str> = rows.iter().filter(|row| row.2 == "Windmills > 1. Sails").map(|row| row.1).collect();
    let sails = sails.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(sails.starts_with("ALPHA An efficient") && sails.ends_with("MIDDLE"), "{sails}");
    let sentence = "Nevertheless, international organisations recommend considerable experimentation before installation.";
    assert_eq!(sails.matches(sentence).count(), 12, "{sails}");
    let last = rows.last().unwrap();
    assert!(last.0 == 2 && last.1.ends_with("OMEGA"), "{last:?}");
}

#[test]
fn a_page_that_was_scanned_is_named() {
    let document = read("scan.pdf");
    assert_eq!((document.title.as_str(), document.pages), ("Receipts", Some(3)));
    let receipts = "Receipts are kept for ten years.\nNaïve façade costs 12 € – “all in”.";
    let rows = by_page(&document);
    let rows: Vec<(u32, &str, &str)> = rows.iter().map(|row| (row.0, row.1, row.2.as_str())).collect();
    assert_eq!(
        rows,
        [
            (1, "# Keeping receipts", ""),
            (1, receipts, "Keeping receipts"),
            (3, "# Afterwards", ""),
            (3, "They are burnt.", "Afterwards"),
        ]
    );
    assert_eq!(warned(&document), [("parse-page-without-text", "no text layer on 1 of 3 pages: 2")]);
}

#[test]
fn what_only_forbids_printing_is_read() {
    for name in ["owner-locked.pdf", "owner-locked-aes.pdf", "object-streams.pdf"] {
        let document = read(name);
        let want = "# Keeping receipts\n\nReceipts are kept for ten years.\nNaïve façade costs 12 € – “all in”.";
        assert_eq!((document.title.as_str(), document.text.as_str()), ("Receipts", want), "{name}");
    }
}

#[test]
fn fonts_that_were_cut_down_give_their_letters_back() {
    let document = read("fpdf2.pdf");
    assert_eq!((document.title.as_str(), document.pages), ("Tides", Some(2)));
    let rows = by_page(&document);
    assert_eq!((rows[0].0, rows[0].1), (1, "# Tides of the bay"));
    in_order(
        &document.text,
        &["The water falls by 3½ m – naïve bathers wait.", "Day High Low", "Monday 6:12 12:20", "Tuesday 7:01 13:09"],
    );
    assert_eq!(rows.last().map(|row| (row.0, row.1)), Some((2, "潮汐表\n满潮在六点。")));
}

#[test]
fn a_print_of_typst_has_its_numbered_headings() {
    let document = read("typst.pdf");
    assert_eq!((document.title.as_str(), document.pages), ("Bridges", Some(2)));
    assert_eq!(of_kind(&document, "heading"), ["# Contents", "# 1 Arches", "## 1.1 Keystones", "# 2 Ropes"]);
    let rows = by_page(&document);
    let under = |path: &str| rows.iter().filter(|row| row.2 == path).map(|row| row.1).collect::<Vec<_>>().join("\n");
    in_order(&under("1 Arches"), &["An arch", "carries what stands on it."]);
    let keystones = under("1 Arches > 1.1 Keystones");
    in_order(
        &keystones,
        &["cut the stone", "with a saw", "lift it", "Bridge Span Built", "Old 12 m 1702", "15 m 1811", "New under way"],
    );
    let ropes = rows.iter().find(|row| row.1.contains("the office of works finds first flaws")).unwrap();
    assert_eq!((ropes.0, ropes.2.as_str()), (2, "2 Ropes"));
}
