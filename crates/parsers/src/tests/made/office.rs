use super::{by_page, bytes, of_kind, parse, read, shape, warned};

#[test]
fn a_text_of_writer_is_read_with_its_notes_and_without_what_was_struck_out() {
    let document = read("writer.docx");
    assert_eq!(document.title, "The granary");
    let rows: Vec<(&str, &str, String)> = shape(&document);
    let under = |path: &str| rows.iter().filter(|row| row.2 == path).map(|row| (row.0, row.1)).collect::<Vec<_>>();
    assert_eq!(under("")[..2], [("heading", "# Keeping grain"), ("heading", "# Languages")]);
    assert_eq!(
        under("Keeping grain"),
        [
            (
                "paragraph",
                "Grain is dried for five days, see how it is dried. It is turned over each morning with a wooden shovel, \
                 so that what lay below comes to lie on top and no part of it grows warm."
            ),
            ("paragraph", "Moisture 14 % at most"),
            ("paragraph", "The twenty-one bins are refilled in order.\nNobody walks on the grain."),
            // By a style that was made from the one of headings.
            ("heading", "## Sieving"),
        ]
    );
    assert_eq!(
        under("Keeping grain > Sieving"),
        [
            ("listitem", "- take a sample"),
            ("listitem", "- shake the sieve"),
            ("listitem", "- weigh what is left"),
            ("listitem", "- write it down"),
            ("paragraph", "Keep the door shut."),
            ("paragraph", "Around the box."),
            (
                "table",
                "| Store | Harvest |  |\n| --- | --- | --- |\n| North | spring | 12 t |\n| North | autumn | 31 t |\n\
                 | South | spring | 9 t |\n| both stores |  | 52 t |"
            ),
        ]
    );
    assert_eq!(
        under("Languages"),
        [
            ("paragraph", "Greek: Καλημέρα στη μεγάλη αίθουσα."),
            ("paragraph", "Chinese: 会议在星期三上午开始。"),
            ("paragraph", "Japanese: 会議は水曜日に始まります。"),
            ("paragraph", "Arabic: يبدأ الاجتماع يوم الأربعاء"),
            ("paragraph", "Vietnamese: Cuộc họp bắt đầu lúc chín giờ."),
            ("paragraph", "Combining: re\u{301}sume\u{301} nai\u{308}ve"),
            ("paragraph", "Back to the beginning."),
        ]
    );
    assert_eq!(
        under("")[2..],
        [("paragraph", "Footnote 1: Six in a wet year."), ("paragraph", "Endnote 1: Bin seven stays empty.")]
    );
    let links: Vec<(&str, &str)> = document.links.iter().map(|link| (link.text.as_str(), link.target.as_str())).collect();
    assert_eq!(links, [("how it is dried", "https://grain.example/drying?from=a&to=b")]);
    for unread in ["four", "Is this still so", "Running head", "Page"] {
        assert!(!document.text.contains(unread), "{unread}");
    }
}

#[test]
fn a_text_of_python_docx_is_read_by_its_styles() {
    let document = read("python-docx.docx");
    assert_eq!(document.title, "Rules of the workshop");
    let headings = of_kind(&document, "heading");
    assert_eq!(headings, ["# Workshop", "# Tools & benches", "## Opening hours", "# Σχέδια"]);
    assert_eq!(of_kind(&document, "listitem"), ["- saws", "- hand saw", "- first wash"]);
    assert_eq!(of_kind(&document, "paragraph"), ["Every bench has a lamp <and> a \"vice\".", "words", "日本語の段落。"]);
    let table = "| Day | From | To (summer) (winter) |\n| --- | --- | --- |\n| Monday | 8:00 | 17:00 |\n| Monday | 18:00 | 20:00 |\n\
                 | Sunday, holidays |  | closed |";
    assert_eq!(of_kind(&document, "table"), [table]);
    let last = shape(&document).pop().unwrap();
    assert_eq!((last.1, last.2.as_str()), ("日本語の段落。", "Σχέδια"));
}

#[test]
fn a_text_of_pandoc_keeps_its_words_in_order() {
    let document = read("pandoc.docx");
    assert_eq!(document.title, "Notes on bees");
    let rows: Vec<(&str, &str, String)> = shape(&document);
    let under = |path: &str| rows.iter().filter(|row| row.2 == path).map(|row| (row.0, row.1)).collect::<Vec<_>>();
    assert_eq!(
        under("The hive"),
        [
            ("paragraph", "Bees dance to tell where the flowers are; see the season."),
            ("listitem", "- open the lid"),
            ("listitem", "- look"),
            ("listitem", "- wait"),
            ("listitem", "- A second paragraph of the item."),
            ("listitem", "- close it"),
            ("paragraph", "Queen"),
            ("paragraph", "the mother of all"),
            ("paragraph", "def count(bees):\n    return len(bees)"),
            ("paragraph", "Many hands, light work."),
            ("heading", "## Season"),
        ]
    );
    assert_eq!(
        under("The hive > Season"),
        [
            ("paragraph", "What was taken"),
            ("table", "| Month | Honey |\n| --- | --- |\n| May | 3 kg |\n| June | 11 kg |"),
            ("paragraph", "With E=mc2 and no H2O."),
        ]
    );
    assert_eq!(rows.last().unwrap().1, "Footnote 1: In figures of eight.");
}

#[test]
fn decks_are_read_slide_by_slide_in_the_order_they_are_shown() {
    for name in ["python-pptx.pptx", "impress.pptx"] {
        let document = read(name);
        assert_eq!((document.title.as_str(), document.pages), ("How the mill runs", Some(4)), "{name}");
        let rows = by_page(&document);
        let rows: Vec<(u32, &str, &str)> = rows.iter().map(|row| (row.0, row.1, row.2.as_str())).collect();
        let (mill, stones, output) = ("The mill", "Stones & wheels", "Output");
        assert_eq!(
            rows,
            [
                (1, "## The mill", ""),
                (1, "an introduction", mill),
                (1, "> Notes: Welcome everybody. Wait for silence.", mill),
                (2, "## Stones & wheels", ""),
                (2, "- two stones", stones),
                (2, "- upper one turns", stones),
                (2, "- lower one lies", stones),
                (2, "- one wheel", stones),
                (2, "Mind the gap", stones),
                (2, "In a group", stones),
                (3, "ملحق 附录", ""),
                (4, "## Output", ""),
                (
                    4,
                    "| Mill | Output |  |\n| --- | --- | --- |\n| Upper | spring | 12 t |\n| Upper | autumn | 31 t |\n| Lower | spring | 9 t |",
                    output
                ),
            ],
            "{name}"
        );
        assert_eq!(warned(&document), [("parse-slide-hidden", "hidden slides: 3")], "{name}");
    }
}

#[test]
fn a_deck_with_a_letter_in_it_is_a_deck() {
    let document = parse("x", bytes("letter-in-deck.pptx")).unwrap();
    assert!(document.media_type.ends_with("presentationml.presentation"));
    assert_eq!((document.pages, document.text.as_str()), (Some(1), "## With a letter"));
}

/// The first sheet, with what stands in the cells of formulas.
fn sales(truth: &str, sums: [&str; 3], bags: &str, sum: &str, [share, mistake, many, later]: [&str; 4]) -> String {
    let [rye, wheat, other] = sums;
    format!(
        "| Sales of the mill |  |  |  |  |\n| --- | --- | --- | --- | --- |\n| Day | What | Bags | Price | Sum |\n\
         | 2024-01-31 | rye flour | 3 | 7.5 | {rye} |\n| 2024-02-29 09:30:00 | 小麦粉 | 12 | 6.25 | {wheat} |\n\
         | 1999-12-31 | دقيق | 1 | 1234.5 | {other} |\n| all |  | {bags} |  | {sum} |\n| share |  | {share} |  | {mistake} |\n\
         | opens | 08:15:00 | {truth} | {many} | {later} |"
    )
}

#[test]
fn workbooks_of_calc_are_read_with_what_their_formulas_gave() {
    let shifts = "| Who | Notes |  |  |\n| --- | --- | --- | --- |\n| Ada | first line second line |  |  |\n| Bo\\|b | two blanks |  |  |\n\
                  |  |  |  | far away |";
    let counted = |truth| sales(truth, ["22.5", "75", "1234.5"], "16", "1332", ["0.1875", "#DIV/0!", "many", "2024-03-01"]);
    // Calc keeps truths of other programs as numbers in its own format.
    let (counted, own) = (counted("TRUE"), counted("1"));
    // What nobody has counted out has no value yet.
    let uncounted = sales("TRUE", [""; 3], "", "", [""; 4]);
    for (name, media_type, first) in [
        ("calc.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &counted),
        ("calc.ods", "application/vnd.oasis.opendocument.spreadsheet", &own),
        ("calc.xls", "application/vnd.ms-excel", &counted),
        ("openpyxl.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &uncounted),
    ] {
        let document = read(name);
        assert_eq!(document.media_type, media_type);
        let tables: Vec<(&str, String)> =
            shape(&document).into_iter().filter(|row| row.0 == "table").map(|row| (row.1, row.2)).collect();
        let tables: Vec<(&str, &str)> = tables.iter().map(|(table, sheet)| (sheet.as_str(), *table)).collect();
        let wages = "| Ada | 3000 |\n| --- | --- |";
        let settings = "| rate | 0.19 |\n| --- | --- |";
        let want = [("Sales 2024", first.as_str()), ("Shifts", shifts), ("Wages", wages), ("Settings", settings)];
        assert_eq!(tables, want, "{name}");
        let hidden = ["sheet `Wages` is hidden in the workbook", "sheet `Settings` is hidden in the workbook"];
        assert_eq!(warned(&document), hidden.map(|detail| ("parse-sheet-hidden", detail)), "{name}");
    }
}

#[test]
fn a_workbook_with_formats_and_a_chart_is_read_by_its_cells() {
    let document = read("xlsxwriter.xlsx");
    let want = "## Log\n\n| What | Value |\n| --- | --- |\n| half bold words | 42 |\n| price | 19.9 |\n| took | 36:00:00 |\n| part | no |\n\
                | end of the log |  |";
    assert_eq!(document.text, want);
    assert!(document.warnings.is_empty(), "{:?}", document.warnings);
}
