//! Damaged files, each read by a real child: it answers, and in time.

mod files;

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use bytes::Bytes;
use mainspring_parsers::{Limits, ParseFault, ParseRequest, ParsedDocument, ParserConfig, ParserPool};
use proptest::{collection::vec, prelude::*, sample::Index};
use tokio::runtime::Runtime;

/// The children live as long as the tests, as they do in a server.
static CHILDREN: LazyLock<(Runtime, ParserPool)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_parse-child"));
    let limits = Limits { wall: Duration::from_secs(60), ..Limits::default() };
    let pool = runtime.block_on(async { ParserPool::start(ParserConfig { program, args: Vec::new(), workers: 1, limits }) });
    (runtime, pool)
});

fn parse(name: &str, bytes: Vec<u8>) -> Result<ParsedDocument, ParseFault> {
    let (runtime, pool) = &*CHILDREN;
    let request = ParseRequest { bytes: Bytes::from(bytes), file_name: name.to_owned(), media_type: None };
    runtime.block_on(pool.parse(request))
}

/// What is done to a file: bytes that change, and where it ends.
#[derive(Debug, Clone)]
struct Damage {
    flips: Vec<(Index, u8)>,
    cut: Option<Index>,
}

impl Damage {
    fn strategy() -> impl Strategy<Value = Self> {
        let flips = vec((any::<Index>(), 1..=u8::MAX), 1..8);
        (flips, proptest::option::weighted(0.3, any::<Index>())).prop_map(|(flips, cut)| Self { flips, cut })
    }

    fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if bytes.is_empty() {
            return bytes;
        }
        for (index, flip) in &self.flips {
            let at = index.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Some(end) = self.cut {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    }

    /// The archive is whole, what is in one of its members is not; or the archive itself is damaged.
    fn of_archive(&self, members: &files::Members, which: usize, inside: bool, twice: bool) -> Vec<u8> {
        let mut members: Vec<(&str, Vec<u8>)> = members.iter().map(|(name, text)| (*name, text.clone().into_bytes())).collect();
        let at = which % members.len();
        if inside {
            members[at].1 = self.of(&members[at].1);
        }
        let second = format!("{}~", &members[at].0[..members[at].0.len() - 1]);
        if twice {
            let again = self.of(&members[at].1);
            members.push((&second, again));
        }
        let bytes = files::archive(&members);
        // The same name twice cannot be written, so it is made by hand.
        let bytes = if twice { replace(&bytes, second.as_bytes(), members[at].0.as_bytes()) } else { bytes };
        if inside || twice { bytes } else { self.of(&bytes) }
    }
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = bytes.windows(from.len()).enumerate().filter(|(_, part)| *part == from).map(|(at, _)| at).collect();
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// Whatever is in a file, its parser answers before time is up and does not have to be replaced.
fn answered(name: &str, bytes: Vec<u8>) -> Result<(), TestCaseError> {
    match parse(name, bytes) {
        Ok(document) => prop_assert!(document.blocks.iter().all(|block| document.text.get(block.range()).is_some())),
        Err(fault @ (ParseFault::TimedOut { .. } | ParseFault::Pool { .. } | ParseFault::Crashed { .. })) => {
            prop_assert!(false, "{name}: {fault}");
        }
        Err(_) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_office_file_is_read_or_refused(
        damage in Damage::strategy(), which in any::<usize>(), inside in any::<bool>(), twice in proptest::bool::weighted(0.2),
    ) {
        answered("x.docx", damage.of_archive(&files::docx(), which, inside, twice))?;
        answered("x.pptx", damage.of_archive(&files::pptx(), which, inside, twice))?;
        answered("x.xlsx", damage.of_archive(&files::xlsx(false), which, inside, twice))?;
    }

    #[test]
    fn a_damaged_mail_is_read_or_refused(damage in Damage::strategy()) {
        answered("x.eml", damage.of(files::MAIL.as_bytes()))?;
    }

    #[test]
    fn a_damaged_pdf_is_read_or_refused(damage in Damage::strategy()) {
        answered("x.pdf", damage.of(&files::pdf(&["24|Title\nwords of it", "", "more words"])))?;
    }
}

#[test]
fn every_file_is_read_before_it_is_damaged() {
    for (name, bytes) in [
        ("x.docx", files::archive(&files::docx())),
        ("x.pptx", files::archive(&files::pptx())),
        ("x.xlsx", files::archive(&files::xlsx(false))),
        ("x.eml", files::MAIL.as_bytes().to_vec()),
        ("x.pdf", files::pdf(&["24|Title\nwords of it", "", "more words"])),
    ] {
        assert!(parse(name, bytes).unwrap().blocks.len() > 1, "{name}");
    }
    let twice = Damage { flips: Vec::new(), cut: None };
    assert!(parse("x.docx", twice.of_archive(&files::docx(), 0, false, true)).is_ok());
}

/// A PDF whose objects lead back to themselves.
fn loops() -> Vec<(&'static str, Vec<u8>)> {
    let page = |contents: &str, resources: &str| {
        vec![
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {resources} /Contents {contents} >>"),
        ]
    };
    let stream =
        |dictionary: &str, content: &str| format!("<< {dictionary} /Length {} >>\nstream\n{content}\nendstream", content.len());
    let mut kids = page("4 0 R", "<< >>");
    kids[1] = "<< /Type /Pages /Kids [2 0 R 3 0 R 2 0 R] /Count 3 >>".to_owned();
    let mut parents = page("4 0 R", "4 0 R");
    parents[1] = "<< /Type /Pages /Parent 2 0 R /Kids [3 0 R] /Count 2000000000 >>".to_owned();
    parents.push("4 0 R".to_owned());
    let mut forms = page("4 0 R", "<< /XObject << /F 5 0 R >> >>");
    forms.push(stream("", "/F Do /F Do"));
    let form = "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> >>";
    forms.push(stream(form, "/F Do /F Do /F Do /F Do"));
    let mut contents = page("4 0 R", "<< >>");
    contents.push("[4 0 R 4 0 R 4 0 R]".to_owned());
    let mut lengths = page("4 0 R", "<< >>");
    lengths.push("<< /Length 4 0 R >>\nstream\nBT (x) Tj ET\nendstream".to_owned());
    let xref = files::pdf(&["Words"]);
    let start = xref.windows(5).position(|part| part == b"xref\n").unwrap();
    let trailer = format!("<< /Prev {start} /Size");
    let mut previous = xref[..].to_vec();
    let at = previous.windows(8).position(|part| part == b"<< /Size").unwrap();
    previous.splice(at..at + 8, trailer.bytes());
    vec![
        ("pages in themselves", files::pdf_of(&kids)),
        ("a parent of itself, and pages without number", files::pdf_of(&parents)),
        ("forms in themselves", files::pdf_of(&forms)),
        ("contents of themselves", files::pdf_of(&contents)),
        ("a length of itself", files::pdf_of(&lengths)),
        ("a table before itself", previous),
        ("arrays in arrays", [b"%PDF-1.4\n1 0 obj\n".to_vec(), b"[".repeat(200_000)].concat()),
    ]
}

#[test]
fn a_pdf_that_leads_back_to_itself_comes_to_an_end() {
    for (what, bytes) in loops() {
        let answer = parse("x.pdf", bytes);
        assert!(!matches!(answer, Err(ParseFault::TimedOut { .. } | ParseFault::Pool { .. })), "{what}: {answer:?}");
        assert_eq!(parse("x.txt", b"fine".to_vec()).unwrap().text, "fine", "after {what}");
    }
}

#[test]
fn mails_in_mails_and_parts_in_parts_come_to_an_end() {
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(20_000);
    let parts: String = (0..20_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
    for body in [nested, parts] {
        let answer = parse("x.eml", format!("From: a@example.org\r\n{body}words").into_bytes());
        assert!(!matches!(answer, Err(ParseFault::TimedOut { .. } | ParseFault::Pool { .. })), "{answer:?}");
        assert_eq!(parse("x.txt", b"fine".to_vec()).unwrap().text, "fine");
    }
}
