//! Foreign files, read as the child process reads them, and cut into chunks. PDF is left out: its reader may loop for ever on
//! a changed byte, which is why there is a child with a clock.
#![no_main]

use std::{
    io::{Cursor, Write as _},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::{
        LazyLock, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use libfuzzer_sys::fuzz_target;
use mainspring_knowledge::chunk::{ChunkSpec, Strategy, chunk};
use mainspring_llm::{TextTokenizer, Tokens};
use mainspring_parsers::{Limits, ParseFault, ParsedDocument, likely_media_type, parse_in_process};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

static NAMES: [&str; 21] = [
    "x.md", "x.html", "x.csv", "x.json", "x.jsonl", "x.eml", "x.txt", "x.rs", "x.py", "x.js", "x.ts", "x.tsx", "x.go", "x.java",
    "x.c", "x.h", "x.cpp", "x.sh", "x.docx", "x.pptx", "x.xlsx",
];

/// The members of office files, one of which is what the fuzzer makes of it.
static MEMBERS: [(&str, &[&str]); 3] = [
    ("x.docx", &["word/document.xml", "word/styles.xml"]),
    (
        "x.pptx",
        &["ppt/presentation.xml", "ppt/_rels/presentation.xml.rels", "ppt/slides/slide1.xml", "ppt/notesSlides/notesSlide1.xml"],
    ),
    (
        "x.xlsx",
        &["xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/sharedStrings.xml"],
    ),
];

/// What a workbook has besides, and others do not mind.
static AROUND: &[&str] = &["[Content_Types].xml", "_rels/.rels"];

const LIMITS: Limits = Limits {
    memory: 1 << 30,
    wall: std::time::Duration::from_secs(20),
    input: 1 << 20,
    output: 2 << 20,
    depth: 200,
    expansion: 8 << 20,
    entries: 1_000,
};

/// As in the child.
const STACK: usize = 64 << 20;

type Job = (&'static str, Vec<u8>);
type Answer = Option<Result<ParsedDocument, ParseFault>>;

static WORKER: LazyLock<Mutex<(SyncSender<Job>, Receiver<Answer>)>> = LazyLock::new(|| {
    let ((jobs, work), (give, answers)) = (sync_channel::<Job>(0), sync_channel(0));
    let serve = move || {
        for (name, bytes) in work {
            let parse = || parse_in_process(&bytes, name, None, &LIMITS);
            let answer: Answer = catch_unwind(AssertUnwindSafe(parse)).ok();
            if give.send(answer).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().stack_size(STACK).spawn(serve).expect("a thread");
    Mutex::new((jobs, answers))
});

/// A panic of somebody else's parser is an answer of the child ("it stumbled over the file"), and not ours to mend here.
fn pass_over_foreign_panics() {
    let aborting = take_hook();
    set_hook(Box::new(move |panic| {
        let foreign = panic.location().is_some_and(|place| place.file().contains("/registry/src/"));
        if !foreign {
            aborting(panic);
        }
    }));
}

fuzz_target!(init: pass_over_foreign_panics(), |data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    let Some((name, bytes)) = file(usize::from(*which), bytes) else { return };
    if likely_media_type(Some(bytes.as_slice()), name, None).is_some_and(|kind| kind == "application/pdf") {
        return;
    }
    let worker = WORKER.lock().unwrap_or_else(PoisonError::into_inner);
    worker.0.send((name, bytes)).expect("the worker waits");
    let answer = worker.1.recv().expect("the worker answers");
    let Some(Ok(document)) = answer else { return };
    sound(&document);
    let told = serde_json::to_vec(&document).expect("it crosses the border");
    assert_eq!(serde_json::from_slice::<ParsedDocument>(&told).ok().as_ref(), Some(&document));
    cut(&document);
});

fn file(which: usize, bytes: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    if let Some(name) = NAMES.get(which % 32) {
        return Some((*name, bytes.to_vec()));
    }
    let mut all = MEMBERS.iter().flat_map(|(name, members)| members.iter().map(move |member| (*name, *members, *member)));
    let (name, members, changed) = all.nth(which % 32 - NAMES.len())?;
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for member in members.iter().chain(AROUND) {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file(*member, options).ok()?;
        writer.write_all(if *member == changed { bytes } else { usual(member).as_bytes() }).ok()?;
    }
    Some((name, writer.finish().ok()?.into_inner()))
}

/// What stands in the members that are not changed.
fn usual(member: &str) -> &'static str {
    match member {
        "word/document.xml" => {
            r#"<w:document xmlns:w="w"><w:body><w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>Head</w:t></w:r></w:p><w:p><w:r><w:t>Words.</w:t></w:r></w:p></w:body></w:document>"#
        }
        "[Content_Types].xml" => "<Types/>",
        "_rels/.rels" => {
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
        }
        "word/styles.xml" => r#"<w:styles xmlns:w="w"><w:style w:styleId="H"><w:name w:val="heading 1"/></w:style></w:styles>"#,
        "ppt/presentation.xml" => {
            r#"<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst></p:presentation>"#
        }
        "ppt/_rels/presentation.xml.rels" => {
            r#"<Relationships><Relationship Id="rId2" Type="http://x/slide" Target="slides/slide1.xml"/></Relationships>"#
        }
        "ppt/slides/slide1.xml" => {
            r#"<p:sld xmlns:p="p" xmlns:a="a"><p:sp><p:nvPr/><a:p><a:r><a:t>Words.</a:t></a:r></a:p></p:sp></p:sld>"#
        }
        "xl/workbook.xml" => {
            r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>"#
        }
        "xl/_rels/workbook.xml.rels" => {
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#
        }
        "xl/worksheets/sheet1.xml" => {
            r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>45292</v></c></row></sheetData></worksheet>"#
        }
        "xl/styles.xml" => {
            r#"<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#
        }
        "xl/sharedStrings.xml" => {
            r#"<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>Words.</t></si></sst>"#
        }
        _ => "<a/>",
    }
}

/// What must hold of every document.
fn sound(document: &ParsedDocument) {
    let text = &document.text;
    assert!(text.len() as u64 <= LIMITS.output);
    let whole = |range: &Range<usize>| range.start < range.end && text.get(range.clone()).is_some();
    let mut after = 0;
    for (start, end) in &document.unspoken {
        assert!(*start >= after && whole(&(*start..*end)), "unspoken {start}..{end} after {after}");
        after = *end;
    }
    let mut last = 0;
    for block in &document.blocks {
        assert!(block.start >= last && whole(&block.range()), "{block:?} after {last} in {} bytes", text.len());
        last = block.end;
        assert!(document.spoken(block.range()).len() <= block.range().len());
    }
    for link in &document.links {
        assert!(link.place.is_none_or(|(start, end)| whole(&(start..end))), "{link:?} in {} bytes", text.len());
    }
}

/// Words are tokens.
#[derive(Debug)]
struct Words;

impl TextTokenizer for Words {
    fn tokenize(&self, text: &str) -> Tokens {
        let start = |word: &str| word.as_ptr().addr() - text.as_ptr().addr();
        Tokens { ranges: text.split_whitespace().map(|word| start(word)..start(word) + word.len()).collect() }
    }
}

/// Chunks are in order, none is empty or too long, and together they hold everything but white space.
fn cut(document: &ParsedDocument) {
    for strategy in [Strategy::Structure, Strategy::Fixed] {
        let spec = ChunkSpec { strategy, max_tokens: 40, overlap_tokens: 6, ..ChunkSpec::default() };
        let mut covered = vec![false; document.text.len()];
        let mut last = 0;
        for (index, chunk) in chunk(document, &spec, &Words).into_iter().enumerate() {
            assert!(chunk.ordinal as usize == index && chunk.start >= last && chunk.start < chunk.end, "{chunk:?} after {last}");
            assert!(document.text.get(chunk.range()).is_some(), "{chunk:?}");
            assert!(chunk.tokens <= spec.max_tokens, "{chunk:?}");
            let inside = |parent: &Range<usize>| parent.start <= chunk.start && chunk.end <= parent.end;
            assert!(chunk.parent.as_ref().is_none_or(inside), "{chunk:?}");
            last = chunk.start;
            covered[chunk.range()].fill(true);
        }
        let lost = document.text.char_indices().find(|(at, letter)| !letter.is_whitespace() && !covered[*at]);
        assert_eq!(lost, None, "{:?}", document.text);
    }
}
