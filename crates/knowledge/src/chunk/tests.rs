use std::{
    cell::Cell,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use mainspring_llm::{TextTokenizer, Tokens};
use mainspring_parsers::{Block, BlockKind, ParsedDocument};
use proptest::prelude::*;

use super::{Chunk, ChunkSpec, Strategy as Cut, chunk};

/// Words are tokens. Counts the bytes it was asked to read.
#[derive(Debug, Default)]
struct Words {
    bytes: AtomicUsize,
}

impl TextTokenizer for Words {
    fn tokenize(&self, text: &str) -> Tokens {
        self.bytes.fetch_add(text.len(), Ordering::Relaxed);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut start = None;
        for (at, c) in text.char_indices() {
            match (c.is_whitespace(), start) {
                (true, Some(from)) => {
                    ranges.push(from..at);
                    start = None;
                }
                (false, None) => start = Some(at),
                _ => {}
            }
        }
        ranges.extend(start.map(|from| from..text.len()));
        Tokens { ranges }
    }
}

/// Builds a document from parts, with headings tracked as a parser would.
fn document(parts: &[(BlockKind, &str)]) -> ParsedDocument {
    let mut document = ParsedDocument { title: "Guide".into(), media_type: "text/markdown".into(), ..ParsedDocument::default() };
    let path: Cell<Vec<(u8, String)>> = Cell::default();
    for (kind, text) in parts {
        let start = document.text.len();
        document.text.push_str(text);
        let mut above = path.take();
        if let BlockKind::Heading { level } = kind {
            above.retain(|(other, _)| other < level);
        }
        let heading_path = above.iter().map(|(_, text)| text.clone()).collect();
        if let BlockKind::Heading { level } = kind {
            above.push((*level, text.trim_start_matches('#').trim().to_owned()));
        }
        path.set(above);
        document.blocks.push(Block {
            kind: kind.clone(),
            start,
            end: document.text.len(),
            heading_path,
            page: None,
            heading: None,
        });
        document.text.push_str("\n\n");
    }
    document
}

fn words(n: usize) -> String {
    (0..n).map(|i| if i % 9 == 8 { format!("W{i}. ") } else { format!("W{i} ") }).collect::<String>().trim_end().to_owned()
}

fn spec(max_tokens: u32) -> ChunkSpec {
    ChunkSpec { max_tokens, overlap_tokens: 6, ..ChunkSpec::default() }
}

fn cut(document: &ParsedDocument, spec: &ChunkSpec) -> Vec<Chunk> {
    chunk(document, spec, &Words::default())
}

const H1: BlockKind = BlockKind::Heading { level: 1 };
const H2: BlockKind = BlockKind::Heading { level: 2 };
const P: BlockKind = BlockKind::Paragraph;

#[test]
fn a_heading_goes_with_what_stands_under_it() {
    let document = document(&[(H1, "# Install"), (P, "Run the script."), (H2, "## Linux"), (P, "Use apt."), (P, "Then reboot.")]);
    let chunks = cut(&document, &spec(40));
    let texts: Vec<&str> = chunks.iter().map(|chunk| &document.text[chunk.range()]).collect();
    assert_eq!(texts, ["# Install\n\nRun the script.", "## Linux\n\nUse apt.\n\nThen reboot."]);
    assert_eq!(chunks[1].heading_path, ["Install", "Linux"]);
    assert_eq!(chunks[1].header, "Guide > Install > Linux");
    assert_eq!(chunks[0].kind, "paragraph");
}

fn parsed(name: &str, source: &str) -> ParsedDocument {
    mainspring_parsers::parse_in_process(source.as_bytes(), name, None, &mainspring_parsers::Limits::default()).unwrap()
}

fn shown<'a>(document: &'a ParsedDocument, chunks: &[Chunk]) -> Vec<(String, &'a str)> {
    chunks.iter().map(|chunk| (chunk.header.clone(), &document.text[chunk.range()])).collect()
}

#[test]
fn a_heading_with_links_and_code_in_it_goes_with_what_stands_under_it() {
    let source = "# Guide\n\nStart.\n\n## The [link](x) and `code`\n\nText.\n\nSet *ext*\n---\n\nMore.\n";
    let document = parsed("x.md", source);
    let chunks = cut(&document, &spec(60));
    assert_eq!(
        shown(&document, &chunks),
        [
            ("Guide".to_owned(), "# Guide\n\nStart."),
            ("Guide > The link and code".to_owned(), "## The [link](x) and `code`\n\nText."),
            ("Guide > Set ext".to_owned(), "Set *ext*\n---\n\nMore."),
        ]
    );
    assert_eq!(document.spoken(chunks[1].range()), "## The link and `code`\n\nText.");
}

#[test]
fn a_title_over_nothing_but_sections_goes_with_the_first() {
    let document = document(&[(H1, "# Title"), (H2, "## One"), (P, "Text."), (H2, "## Two"), (H2, "## Three"), (P, "More.")]);
    let chunks = cut(&document, &spec(40));
    assert_eq!(
        shown(&document, &chunks),
        [
            ("Guide > Title > One".to_owned(), "# Title\n\n## One\n\nText."),
            ("Guide > Title > Two".to_owned(), "## Two"),
            ("Guide > Title > Three".to_owned(), "## Three\n\nMore."),
        ]
    );
    check(&document, &chunks, &spec(40)).unwrap();
}

#[test]
fn a_document_that_is_only_headings_has_one_chunk() {
    for source in ["# Title\n", "# Title\n\n## Section\n\n### Deeper\n"] {
        let document = parsed("x.md", source);
        let chunks = cut(&document, &spec(40));
        assert_eq!(chunks.iter().map(|chunk| &document.text[chunk.range()]).collect::<Vec<_>>(), [source.trim()]);
    }
}

#[test]
fn a_page_says_its_title_once_and_its_site_never() {
    let filler = "Words that make this the main content of the page, long enough to be recognised as such. ".repeat(8);
    let page = format!(
        "<html><head><title>temp — Files — The 3.11 documentation</title></head><body><main>\
         <h1>temp — Files<a class='headerlink' href='#temp'>¶</a></h1><p>{filler}</p>\
         <h2>Functions<a class='headerlink' href='#functions'>¶</a></h2><p>See <a href='other.html'>the other</a>. {filler}</p></main></body></html>"
    );
    let document = parsed("temp.html", &page);
    let headers: Vec<String> = cut(&document, &spec(240)).into_iter().map(|chunk| chunk.header).collect();
    assert_eq!(headers.first().map(String::as_str), Some("temp — Files"));
    assert_eq!(headers.last().map(String::as_str), Some("temp — Files > Functions"));
    assert!(!document.text.contains("other.html") && document.links[0].target == "other.html");
}

#[test]
fn a_long_paragraph_is_cut_after_sentences_with_overlap() {
    let document = document(&[(P, &words(120))]);
    let chunks = cut(&document, &spec(40));
    assert!(chunks.len() >= 3);
    for pair in chunks.windows(2) {
        assert!(pair[1].start < pair[0].end, "pieces of one block share words");
        assert!(document.text[pair[0].range()].ends_with('.'), "{}", &document.text[pair[0].range()]);
    }
}

/// Every three letters of a word are a token, as its parts are to the tokenisers of models.
#[derive(Debug)]
struct Parts;

impl TextTokenizer for Parts {
    fn tokenize(&self, text: &str) -> Tokens {
        let words = Words::default().tokenize(text).ranges;
        let parts = words.into_iter().flat_map(|word| word.clone().step_by(3).map(move |at| at..(at + 3).min(word.end)));
        Tokens { ranges: parts.collect() }
    }
}

#[test]
fn what_is_repeated_begins_with_a_sentence_a_row_or_a_line() {
    let lines = |line: fn(usize) -> String, end: &str| (0..60).map(line).collect::<Vec<_>>().join(end);
    let sentences = lines(|n| format!("Sentence{n} says something about item{n}."), " ");
    let rows = lines(|n| format!("| Widget{n} | {n}45.10 | 17 |"), "\n");
    let code = lines(|n| format!("let value{n} = compute({n});"), "\n");
    let parts = [
        (P, sentences, "Sentence"),
        (BlockKind::Table, format!("| Article | Price | Stock |\n| --- | --- | --- |\n{rows}"), "| Widget"),
        (BlockKind::Code { language: None }, code, "let value"),
    ];
    for (kind, text, beginning) in parts {
        let document = document(&[(kind, &text)]);
        let spec = ChunkSpec { max_tokens: 60, overlap_tokens: 16, ..ChunkSpec::default() };
        let chunks = chunk(&document, &spec, &Parts);
        assert!(chunks.len() > 6);
        for pair in chunks.windows(2) {
            let piece = &document.text[pair[1].range()];
            assert!(piece.starts_with(beginning), "{piece}");
            assert!(pair[1].start < pair[0].end, "{piece}");
        }
        // Sentences, rows and lines are longer than twice this.
        let spec = ChunkSpec { overlap_tokens: 3, ..spec };
        for pair in chunk(&document, &spec, &Parts).windows(2) {
            assert!(document.text[pair[1].range()].starts_with(beginning) && pair[1].start >= pair[0].end);
        }
    }
}

#[test]
fn what_has_no_end_is_cut_between_words() {
    let text = (0..300).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
    let document = document(&[(P, &text)]);
    for overlap_tokens in [0, 1, 16] {
        let spec = ChunkSpec { max_tokens: 60, overlap_tokens, ..ChunkSpec::default() };
        let chunks = chunk(&document, &spec, &Parts);
        assert!(chunks.len() > 10);
        for pair in chunks.windows(2) {
            let (before, after) = (&document.text[..pair[1].start], &document.text[pair[0].end..]);
            assert!(before.ends_with(' ') && after.starts_with(' '), "{pair:?}");
            assert_eq!(pair[1].start < pair[0].end, overlap_tokens == 16, "{pair:?}");
        }
    }
}

#[test]
fn later_pieces_of_a_table_repeat_its_header_row() {
    let rows: String = (0..40).map(|n| format!("| row{n} | value{n} |\n")).collect();
    let document = document(&[(BlockKind::Table, &format!("| Name | Value |\n{rows}"))]);
    let chunks = cut(&document, &spec(40));
    assert!(chunks.len() > 3);
    assert_eq!(chunks[0].header, "Guide");
    assert!(chunks[1..].iter().all(|chunk| chunk.header == "Guide\n| Name | Value |"), "{:?}", chunks[1]);
    assert!(chunks.iter().all(|chunk| document.text[chunk.range()].ends_with('|')));
    assert_eq!(chunks[0].table_head, None, "it stands in the text");
    for chunk in &chunks[1..] {
        assert_eq!(chunk.table_head.as_deref(), Some("| Name | Value |"));
        assert_eq!(
            chunk.tokens as usize,
            Words::default().count(&format!("{}\n{}", chunk.header, &document.text[chunk.range()]))
        );
    }
}

#[test]
fn a_header_row_that_would_leave_no_room_is_shown_and_not_embedded() {
    let cells = |name: &str, count: usize| format!("|{}", (0..count).map(|n| format!(" {name}{n} |")).collect::<String>());
    let table = |columns: usize| {
        let rows: String = (0..20).map(|row| format!("{}\n", cells(&format!("r{row}c"), columns))).collect();
        document(&[(BlockKind::Table, &format!("{}\n{rows}", cells("Column", columns)))])
    };
    // 25 words of 40, and 63.
    let wide = table(12);
    let chunks = cut(&wide, &spec(40));
    check(&wide, &chunks, &spec(40)).unwrap();
    let later = chunks.last().unwrap();
    assert_eq!((later.header.as_str(), later.table_head.as_deref()), ("Guide", Some(cells("Column", 12).as_str())));
    assert_eq!(later.tokens as usize, 1 + 25 + Words::default().count(&wide.text[later.range()]));
    let endless = table(31);
    let chunks = cut(&endless, &spec(40));
    check(&endless, &chunks, &spec(40)).unwrap();
    assert!(chunks.iter().all(|chunk| chunk.table_head.is_none() && chunk.header == "Guide"));
}

#[test]
fn a_small_section_is_the_parent_of_its_chunks() {
    let document = document(&[(H1, "# One"), (P, &words(60)), (P, &words(30)), (H1, "# Two"), (P, "short")]);
    let chunks = cut(&document, &spec(40));
    let section = document.blocks[0].start..document.blocks[2].end;
    assert!(chunks.iter().filter(|chunk| chunk.heading_path == ["One"]).all(|chunk| chunk.parent == Some(section.clone())));
    assert_eq!(chunks.last().unwrap().parent, None, "a chunk that is its whole section needs no parent");
}

#[test]
fn pages_are_not_mixed() {
    let mut document = document(&[(P, "first page words"), (P, "second page words")]);
    document.blocks[0].page = Some(1);
    document.blocks[1].page = Some(2);
    let pages: Vec<Option<u32>> = cut(&document, &spec(40)).iter().map(|chunk| chunk.page).collect();
    assert_eq!(pages, [Some(1), Some(2)]);
}

#[test]
fn one_endless_word_is_bounded_in_bytes() {
    let document = document(&[(P, &"é".repeat(50_000))]);
    let chunks = cut(&document, &spec(40));
    assert!(chunks.iter().all(|chunk| chunk.range().len() <= 40 * 24));
    check(&document, &chunks, &spec(40)).unwrap();
}

#[test]
fn what_is_left_of_a_token_that_was_cut_counts() {
    // A sentence ends inside of a word of the tokeniser, and the piece after it begins there.
    let text = format!("{} end!next {}", words(38), words(80));
    let document = document(&[(P, &text)]);
    for max_tokens in 32..60 {
        let fixed = ChunkSpec { strategy: Cut::Fixed, overlap_tokens: 0, ..spec(max_tokens) };
        check(&document, &cut(&document, &fixed), &fixed).unwrap();
    }
    // Bytes are bounded too, and a long word is cut in the middle.
    let text = format!("{} {}", "x".repeat(32 * 24 + 5), words(90));
    let document = self::document(&[(P, &text)]);
    check(&document, &cut(&document, &spec(32)), &spec(32)).unwrap();
}

#[test]
fn text_outside_every_block_is_kept() {
    let mut document = document(&[(P, "known")]);
    document.text.push_str("a tail no parser claimed");
    let chunks = cut(&document, &spec(40));
    check(&document, &chunks, &spec(40)).unwrap();
    assert!(document.text[chunks.last().unwrap().range()].ends_with("claimed"));
}

#[test]
fn fixed_windows_ignore_structure() {
    let document = document(&[(H1, "# A"), (P, "one two"), (H1, "# B"), (P, "three four")]);
    let fixed = ChunkSpec { strategy: Cut::Fixed, ..spec(40) };
    assert_eq!(cut(&document, &fixed).len(), 1);
    assert_ne!(fixed.digest(), spec(40).digest());
}

#[test]
fn fixed_windows_stand_on_the_page_where_they_begin() {
    let text = words(30);
    let mut document = document(&[(P, text.as_str()), (P, text.as_str()), (P, text.as_str())]);
    for (block, page) in document.blocks.iter_mut().zip([Some(1), Some(2), None]) {
        block.page = page;
    }
    let fixed = ChunkSpec { strategy: Cut::Fixed, overlap_tokens: 0, header: false, ..spec(32) };
    let chunks = cut(&document, &fixed);
    assert!(chunks.len() > 2);
    for chunk in &chunks {
        let block = document.blocks.iter().rfind(|block| block.start <= chunk.start).unwrap();
        assert_eq!(chunk.page, block.page, "{chunk:?}");
    }
    assert_eq!(chunks[0].page, Some(1));
    assert!(chunks.iter().any(|chunk| chunk.page == Some(2)));
}

#[test]
fn the_document_is_tokenised_once() {
    let read = |paragraphs: usize| {
        let text = words(200);
        let parts: Vec<(BlockKind, &str)> = (0..paragraphs).map(|_| (P, text.as_str())).collect();
        let document = document(&parts);
        let tokenizer = Words::default();
        let _ = chunk(&document, &spec(60), &tokenizer);
        (tokenizer.bytes.load(Ordering::Relaxed), document.text.len())
    };
    let (bytes, length) = read(400);
    assert!(bytes < length + 1000, "read {bytes} of {length}");
}

#[test]
fn a_deep_heading_path_does_not_eat_the_chunk() {
    let long = words(300);
    let document = document(&[(H1, &format!("# {long}")), (H2, &format!("## {long}")), (P, "the text itself")]);
    let chunks = cut(&document, &spec(40));
    check(&document, &chunks, &spec(40)).unwrap();
    assert!(chunks.last().unwrap().header.split_whitespace().count() <= 10);
}

#[test]
fn a_spec_that_makes_no_sense_names_its_field() {
    let wrong = |spec: ChunkSpec| spec.check().unwrap_err().0;
    assert_eq!(wrong(ChunkSpec { max_tokens: 8, ..ChunkSpec::default() }), "max_tokens");
    assert_eq!(wrong(ChunkSpec { overlap_tokens: 200, ..ChunkSpec::default() }), "overlap_tokens");
    assert!(ChunkSpec::default().check().is_ok());
}

/// What must hold of every cut.
fn check(document: &ParsedDocument, chunks: &[Chunk], spec: &ChunkSpec) -> Result<(), String> {
    let text = &document.text;
    let mut covered = vec![false; text.len()];
    let mut last = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        if chunk.ordinal as usize != index || chunk.start >= chunk.end || chunk.start < last {
            return Err(format!("out of order or empty: {chunk:?}"));
        }
        last = chunk.start;
        if !text.is_char_boundary(chunk.start) || !text.is_char_boundary(chunk.end) {
            return Err("inside a character".into());
        }
        let embedded = crate::table::search_text(&chunk.header, &document.spoken(chunk.range()));
        let tokens = Words::default().count(&embedded);
        if tokens > spec.max_tokens as usize {
            return Err(format!("{tokens} tokens: {chunk:?}"));
        }
        if let Some(parent) = &chunk.parent
            && (parent.start > chunk.start || parent.end < chunk.end)
        {
            return Err(format!("outside its parent: {chunk:?}"));
        }
        covered[chunk.range()].fill(true);
    }
    match text.char_indices().find(|(at, c)| !c.is_whitespace() && !covered[*at]) {
        Some((at, c)) => Err(format!("lost {c:?} at {at}")),
        None => Ok(()),
    }
}

fn any_kind() -> impl Strategy<Value = BlockKind> {
    prop_oneof![
        (1_u8..5).prop_map(|level| BlockKind::Heading { level }),
        Just(P),
        Just(BlockKind::ListItem),
        Just(BlockKind::Code { language: None }),
        Just(BlockKind::Table),
    ]
}

proptest! {
    #[test]
    fn every_cut_keeps_its_promises(
        parts in proptest::collection::vec((any_kind(), "(\\PC{1,12}|[a-z]{1,8}|[ .\n]){0,60}"), 0..14),
        max_tokens in 32_u32..120,
        overlap in 0_u32..16,
        header in any::<bool>(),
        fixed in any::<bool>(),
    ) {
        let borrowed: Vec<(BlockKind, &str)> = parts.iter().map(|(kind, text)| (kind.clone(), text.as_str())).collect();
        let document = document(&borrowed);
        let strategy = if fixed { Cut::Fixed } else { Cut::Structure };
        let spec = ChunkSpec { strategy, max_tokens, overlap_tokens: overlap, header, ..ChunkSpec::default() };
        let chunks = cut(&document, &spec);
        prop_assert_eq!(check(&document, &chunks, &spec), Ok(()));
    }
}

#[test]
fn a_chunk_is_never_longer_than_the_model_reads() {
    let asked = ChunkSpec::default();
    assert_eq!(asked.within(256), asked, "the default is made for it");
    assert_eq!(asked.within(8192), asked);
    let narrow = asked.within(48);
    assert_eq!((narrow.max_tokens, narrow.overlap_tokens, narrow.parent_tokens), (32, 16, asked.parent_tokens));
    assert_eq!(asked.within(3).max_tokens, 1);
}
