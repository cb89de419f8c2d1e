use encoding_rs::{EUC_KR, Encoding, KOI8_R, SHIFT_JIS, WINDOWS_1251};
use proptest::prelude::*;

use super::{parse, sound};
use crate::{Limits, parse_in_process};

#[track_caller]
fn reads(name: &str, said: Option<&str>, (encoding, text): (&'static Encoding, &str), words: &str) {
    let (bytes, _, unmappable) = encoding.encode(text);
    assert!(!unmappable && std::str::from_utf8(&bytes).is_err(), "{name}: nothing to tell from UTF-8");
    let document = parse_in_process(&bytes, name, said, &Limits::default()).unwrap();
    sound(&document).unwrap();
    assert!(document.text.contains(words), "{name}: {}", document.text);
    assert!(document.warnings.is_empty(), "it was named, not guessed: {:?}", document.warnings);
}

#[test]
fn text_is_read_in_the_encoding_that_is_named() {
    let page = |head: &str, words: &str| format!("<html><head>{head}<title>T</title></head><body><p>{words}</p></body></html>");
    let russian = "Насос мельницы выкрашен в красный цвет.";
    reads("x.html", None, (WINDOWS_1251, &page("<meta charset=windows-1251>", russian)), russian);
    let japanese = "水車のポンプは赤く塗られている。";
    let said = "<meta http-equiv='Content-Type' content='text/html; charset=Shift_JIS'>";
    reads("x.html", None, (SHIFT_JIS, &page(said, japanese)), japanese);
    // What the server says comes before what the page says.
    let korean = "물레방아의 펌프는 빨간색이다.";
    let wrong = page("<meta charset=windows-1251>", korean);
    reads("x.html", Some("text/html; charset=\"EUC-KR\""), (EUC_KR, &wrong), korean);
    reads("notes.txt", Some("text/plain;charset=koi8-r"), (KOI8_R, russian), russian);
    let xml = format!("<?xml version='1.0' encoding='windows-1251'?><a>{russian}</a>");
    reads("x.xml", None, (WINDOWS_1251, &xml), russian);
}

#[test]
fn what_is_utf_8_is_read_as_that_whatever_it_calls_itself() {
    let page = "<html><head><meta charset=windows-1251></head><body><p>Größe, 大きさ</p></body></html>";
    let document = parse_in_process(page.as_bytes(), "x.html", Some("text/html; charset=shift_jis"), &Limits::default()).unwrap();
    assert!(document.text.contains("Größe, 大きさ"), "{}", document.text);
    // Names of nothing, and UTF-8 that is none, are read as before.
    for said in ["text/html; charset=nonsense", "text/html; charset=utf-8", "text/html; charset", "text/html; charset=utf-16"] {
        let document = parse_in_process(b"<p>Gr\xFC\xDFe aus dem Norden</p>", "x.html", Some(said), &Limits::default()).unwrap();
        assert!(document.text.contains("Grüße aus dem Norden") && document.warnings.len() == 1, "{said}: {document:?}");
    }
    // A page that speaks of encodings is in none of them.
    let document = parse("x.md", "Write `charset=koi8-r` there, for Größe.").unwrap();
    assert!(document.text.contains("Größe"));
}

#[test]
fn a_text_that_begins_with_the_signature_of_another_format_is_a_text() {
    for (name, text) in [
        ("tags.md", "ID3 tags stand at the beginning of a file."),
        ("containers.txt", "RIFF is a container."),
        ("sound.md", "OggS begins every page."),
        ("pictures.md", "GIF89a is the newer of the two."),
        ("pdf.md", "# PDF\n\nA file begins with `%PDF-1.7` and ends with `%%EOF`.\n"),
        ("reader.py", "MAGIC = b'%PDF-1.4'\n"),
    ] {
        assert_eq!(parse(name, text).unwrap().text.trim(), text.trim(), "{name}");
    }
    for (bytes, media_type) in [
        (&b"ID3\x03\x00\x00\x00\x00\x0fTIT2"[..], "audio/mpeg"),
        (&b"RIFF\x24\x00\x00\x00WAVEfmt "[..], "application/x-riff"),
        (&b"GIF89a\x01\x00\x01\x00"[..], "image/gif"),
    ] {
        let fault = parse("x.md", bytes).unwrap_err();
        assert_eq!(fault, crate::ParseFault::Unsupported { media_type: media_type.to_owned() });
    }
    // Something may stand before a PDF that is called one, or nothing in particular.
    let whole = super::files::pdf(&["Words of the file"]);
    for (name, before) in [("x.pdf", &b"junk before it\n"[..]), ("x", &b"junk before it\n"[..]), ("x.txt", &b"\n\n"[..])] {
        let bytes = [before, whole.as_slice()].concat();
        assert_eq!(crate::likely_media_type(Some(&bytes[..]), name, None).as_deref(), Some("application/pdf"), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_under_any_encoding_are_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        said in "(text/html|text/plain)(; ?charset ?= ?(\"|')?(shift_jis|gb18030|iso-2022-jp|big5|koi8-r|utf-16|replacement|\\PC{0,8})(\"|')?)?",
        name in "x\\.(html|txt|md|json|csv|xml)",
    ) {
        if let Ok(document) = parse_in_process(&bytes, &name, Some(&said), &Limits::default()) {
            prop_assert_eq!(sound(&document), Ok(()));
        }
    }
}
