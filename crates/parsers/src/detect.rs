//! What a file is: by its content first, then by its name, then by what the source said.

use std::path::Path;

const ZIP: &str = "application/zip";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Markdown,
    Html,
    Pdf,
    Docx,
    Pptx,
    Sheet,
    Csv,
    Json,
    JsonLines,
    Mail,
    Code(Language),
    Plain,
    /// An office file under a password, whichever it is.
    Locked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Java,
    C,
    Cpp,
    Shell,
}

impl Language {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Tsx => "tsx",
            Self::Go => "go",
            Self::Java => "java",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::Shell => "bash",
        }
    }
}

impl Format {
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Sheet => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
            Self::JsonLines => "application/jsonl",
            Self::Mail => "message/rfc822",
            Self::Code(_) => "text/x-source-code",
            Self::Plain => "text/plain",
            Self::Locked => "application/x-ole-storage",
        }
    }
}

/// The format, or the media type nobody reads.
pub(crate) fn detect(bytes: &[u8], file_name: &str, media_type: Option<&str>) -> Result<Format, String> {
    let named = by_name(file_name).or_else(|| media_type.and_then(by_media_type));
    let is_text = named.is_some_and(|format| !matches!(format, Format::Pdf | Format::Docx | Format::Pptx | Format::Sheet));
    match by_content(bytes, is_text) {
        // Its reader says what is missing.
        Some(Err(container)) if container == ZIP && is_cut(bytes) => return named.filter(|_| !is_text).ok_or(container),
        Some(decided) => return decided,
        None => {}
    }
    // A page without a telling name still begins like one.
    let looks_html = begins_like_html(bytes);
    match named {
        Some(Format::Pdf | Format::Docx | Format::Pptx | Format::Sheet) => {
            Ok(if looks_html { Format::Html } else { Format::Plain })
        }
        // Headers of C and C++ have the same ending.
        Some(Format::Code(Language::C)) if file_name.ends_with(".h") && looks_cpp(bytes) => Ok(Format::Code(Language::Cpp)),
        Some(format) => Ok(format),
        None if looks_html => Ok(Format::Html),
        None => Ok(by_first_line(bytes).unwrap_or(Format::Plain)),
    }
}

/// An archive that ends before the list of its members does.
fn is_cut(bytes: &[u8]) -> bool {
    find(bytes, b"PK\x05\x06").is_none()
}

/// Lines that only C++ has.
fn looks_cpp(bytes: &[u8]) -> bool {
    let starts: [&[u8]; 7] = [b"namespace ", b"class ", b"template", b"using ", b"public:", b"private:", b"extern \"C++\""];
    bytes.split(|byte| *byte == b'\n').any(|line| starts.iter().any(|start| line.trim_ascii_start().starts_with(start)))
}

/// A script says what runs it.
fn by_first_line(bytes: &[u8]) -> Option<Format> {
    let line = bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
    let program = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word)).find(|word| *word != "env")?;
    match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "dash" | "ash" => Some(Format::Code(Language::Shell)),
        "python" => Some(Format::Code(Language::Python)),
        "node" => Some(Format::Code(Language::JavaScript)),
        _ => None,
    }
}

/// What a file seems to be, for one that was not parsed: from its first bytes where they are known, its name,
/// and what the source said. Nothing is parsed here.
#[must_use]
pub fn likely_media_type(head: Option<&[u8]>, file_name: &str, said: Option<&str>) -> Option<String> {
    const LOOKED_AT: usize = 64 << 10;
    let named = || by_name(file_name).map(|format| format.media_type().to_owned());
    let said = said.map(|said| said.split(';').next().unwrap_or(said).trim().to_owned()).filter(|said| !said.is_empty());
    let Some(head) = head.filter(|head| !head.is_empty()) else { return said.or_else(named) };
    match detect(&head[..head.len().min(LOOKED_AT)], file_name, said.as_deref()) {
        Ok(Format::Locked) => named().or_else(|| Some(Format::Locked.media_type().to_owned())),
        Ok(format) => Some(format.media_type().to_owned()),
        // Which office format a container holds may stand further back.
        Err(container) if matches!(container.as_str(), ZIP | "application/x-ole-storage") => named().or(Some(container)),
        Err(media_type) => Some(media_type),
    }
}

/// Formats with a signature, and bytes that are no text at all. `is_text` says that the name is one of a text.
fn by_content(bytes: &[u8], is_text: bool) -> Option<Result<Format, String>> {
    let head = &bytes[..bytes.len().min(1024)];
    // A PDF may have something before its beginning, and a text may speak of PDF.
    let begins = |at: usize| !is_text || head[..at].iter().all(u8::is_ascii_whitespace);
    if find(head, b"%PDF-").is_some_and(begins) {
        return Some(Ok(Format::Pdf));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Some(by_archive(bytes));
    }
    if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        if find(bytes, &utf16("EncryptedPackage")).is_some() {
            return Some(Ok(Format::Locked));
        }
        // The old office container: workbooks are read, documents are not.
        let workbook = find(bytes, &utf16("Workbook")).is_some() || find(bytes, &utf16("Book")).is_some();
        return Some(if workbook { Ok(Format::Sheet) } else { Err("application/x-ole-storage".to_owned()) });
    }
    if bytes.starts_with(b"{\\rtf1") {
        return Some(Err("application/rtf".to_owned()));
    }
    let signatures: [(&[u8], &str); 10] = [
        (b"\x89PNG", "image/png"),
        (b"\xFF\xD8\xFF", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"\x1F\x8B", "application/gzip"),
        (b"\x7FELF", "application/x-executable"),
        (b"7z\xBC\xAF\x27\x1C", "application/x-7z-compressed"),
        (b"Rar!", "application/vnd.rar"),
        (b"OggS", "audio/ogg"),
        (b"ID3", "audio/mpeg"),
        (b"RIFF", "application/x-riff"),
    ];
    // Some are words, with which a text may begin as well; what follows them in a file of their kind is none.
    let binary = || head.iter().take(64).any(|byte| matches!(byte, 0..=8 | 14..=26));
    let signed = |signature: &[u8]| bytes.starts_with(signature) && (!signature.is_ascii() || signature[0] < b' ' || binary());
    if let Some((_, media_type)) = signatures.iter().find(|(signature, _)| signed(signature)) {
        return Some(Err((*media_type).to_owned()));
    }
    let utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let nul = head.iter().filter(|byte| **byte == 0).count();
    (!utf16 && nul > 0).then(|| Err("application/octet-stream".to_owned()))
}

fn by_archive(bytes: &[u8]) -> Result<Format, String> {
    // Member names stand uncompressed in the archive; which one is there says what it is.
    for (member, format) in [
        (b"word/document.xml".as_slice(), Format::Docx),
        (b"ppt/presentation.xml", Format::Pptx),
        (b"xl/workbook", Format::Sheet),
        (b"application/vnd.oasis.opendocument.spreadsheet", Format::Sheet),
    ] {
        if find(bytes, member).is_some() {
            return Ok(format);
        }
    }
    Err(said_by_archive(bytes).unwrap_or(ZIP).to_owned())
}

/// OpenDocument and EPUB say what they are in their first member, which is not packed.
fn said_by_archive(bytes: &[u8]) -> Option<&str> {
    const HEADER: usize = 30;
    let said = bytes.get(HEADER..)?.strip_prefix(b"mimetype")?;
    let said = &said[..said.len().min(200)];
    let said = std::str::from_utf8(&said[..find(said, b"PK")?]).ok()?;
    let known = said.starts_with("application/") && said.bytes().all(|byte| byte.is_ascii_graphic());
    known.then_some(said)
}

fn by_name(name: &str) -> Option<Format> {
    let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "md" | "markdown" | "mdx" | "mkd" => Format::Markdown,
        "html" | "htm" | "xhtml" => Format::Html,
        "pdf" => Format::Pdf,
        "docx" => Format::Docx,
        "pptx" => Format::Pptx,
        "xlsx" | "xlsm" | "xls" | "ods" => Format::Sheet,
        "csv" | "tsv" => Format::Csv,
        "json" => Format::Json,
        "jsonl" | "ndjson" => Format::JsonLines,
        "eml" => Format::Mail,
        "rs" => Format::Code(Language::Rust),
        "py" | "pyi" => Format::Code(Language::Python),
        "js" | "mjs" | "cjs" | "jsx" => Format::Code(Language::JavaScript),
        "ts" | "mts" | "cts" => Format::Code(Language::TypeScript),
        "tsx" => Format::Code(Language::Tsx),
        "go" => Format::Code(Language::Go),
        "java" => Format::Code(Language::Java),
        "c" | "h" => Format::Code(Language::C),
        "cpp" | "cc" | "cxx" | "hpp" | "hh" | "hxx" | "ipp" => Format::Code(Language::Cpp),
        "sh" | "bash" => Format::Code(Language::Shell),
        "txt" | "text" | "rst" | "adoc" | "log" | "org" | "tex" => Format::Plain,
        _ => return None,
    })
}

fn by_media_type(media_type: &str) -> Option<Format> {
    let plain = media_type.split(';').next()?.trim().to_ascii_lowercase();
    Some(match plain.as_str() {
        "text/markdown" => Format::Markdown,
        "text/html" | "application/xhtml+xml" => Format::Html,
        "text/csv" | "text/tab-separated-values" => Format::Csv,
        "application/json" => Format::Json,
        "application/jsonl" | "application/x-ndjson" => Format::JsonLines,
        "message/rfc822" => Format::Mail,
        _ => return None,
    })
}

fn begins_like_html(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_ascii_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|start| head.starts_with(start))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
