//! Parts as content blocks.

use std::collections::BTreeSet;

use mainspring_kernel::Digest;
use mainspring_llm::exchange::Media;
use serde_json::{Value, json};

/// AWS takes letters, digits, `_` and `-`, at most 64. Both ends of a call are changed alike.
pub(super) fn tool_id(id: &str) -> String {
    const LONGEST: usize = 64;
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    let mut plain: String = id.chars().map(plain).collect();
    if plain.is_empty() {
        return "unnamed".to_owned();
    }
    if plain.len() > LONGEST {
        plain.truncate(LONGEST - 17);
        plain.push('-');
        plain.push_str(&Digest::of(id.as_bytes()).hex()[..16]);
    }
    plain
}

/// Everything before this block is cached; Anthropic's mark says for how long.
pub(super) fn cache_point(mark: &Value) -> Value {
    match mark.get("ttl") {
        Some(ttl) => json!({"cachePoint": {"type": "default", "ttl": ttl}}),
        None => json!({"cachePoint": {"type": "default"}}),
    }
}

/// An error names what has no block.
pub(super) fn image(source: &Media) -> Result<Value, &'static str> {
    let (media_type, source) = bytes(source)?;
    let format = match media_type.as_str() {
        "image/png" | "png" => "png",
        "image/jpeg" | "image/jpg" | "jpg" | "jpeg" => "jpeg",
        "image/gif" | "gif" => "gif",
        "image/webp" | "webp" => "webp",
        _ => return Err("images other than PNG, JPEG, GIF and WebP"),
    };
    Ok(json!({"image": {"format": format, "source": source}}))
}

pub(super) fn audio(source: &Media, format: Option<&str>) -> Result<Value, &'static str> {
    let (media_type, source) = bytes(source)?;
    let named = format.unwrap_or_else(|| media_type.rsplit('/').next().unwrap_or_default());
    let format = match named {
        "mp3" | "opus" | "wav" | "aac" | "flac" | "mp4" | "ogg" | "mkv" | "m4a" | "mpeg" | "pcm" | "webm" => named,
        "pcm16" => "pcm",
        "x-wav" | "wave" => "wav",
        _ => return Err("audio in this format"),
    };
    Ok(json!({"audio": {"format": format, "source": source}}))
}

/// Names of the documents of a conversation; AWS wants each to have one of its own.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// AWS takes letters, digits, single spaces, hyphens, parentheses and brackets.
    fn take(&mut self, name: Option<&str>) -> String {
        let stem = name.map_or("document", |name| name.rsplit_once('.').map_or(name, |(stem, _)| stem));
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' };
        let plain: String = stem.chars().map(plain).collect();
        let mut plain = plain.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        plain.truncate(180);
        if plain.is_empty() {
            plain.push_str("document");
        }
        let mut unique = plain.clone();
        let mut number = 1_u32;
        while !self.0.insert(unique.clone()) {
            number += 1;
            unique = format!("{plain} ({number})");
        }
        unique
    }
}

/// A file is an image or a sound where its type says so, and a document otherwise.
pub(super) fn file(source: &Media, name: Option<&str>, names: &mut Names) -> Result<Value, &'static str> {
    let (media_type, bytes) = bytes(source)?;
    match media_type.split('/').next() {
        Some("image") => return image(source),
        Some("audio") => return audio(source, None),
        _ => {}
    }
    let extension = name.and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension.to_ascii_lowercase());
    let format = format_of(&media_type).or_else(|| extension.as_deref().and_then(format_of));
    let Some(format) = format else {
        return Err("files of this type");
    };
    Ok(json!({"document": {"format": format, "name": names.take(name), "source": bytes}}))
}

/// By media type or extension.
fn format_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "application/pdf" | "pdf" => "pdf",
        "text/csv" | "csv" => "csv",
        "application/msword" | "doc" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" | "docx" => "docx",
        "application/vnd.ms-excel" | "xls" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" | "xlsx" => "xlsx",
        "text/html" | "html" | "htm" => "html",
        "text/plain" | "txt" => "txt",
        "text/markdown" | "md" => "md",
        _ => return None,
    })
}

/// The media type, or the extension where only an address is given, and where the bytes are. AWS fetches from its own
/// store only.
fn bytes(source: &Media) -> Result<(String, Value), &'static str> {
    match source {
        Media::Base64 { media_type, data } => Ok((media_type.clone(), json!({"bytes": data}))),
        Media::Url(url) if url.starts_with("s3://") => {
            let extension = url.rsplit_once('.').map_or("", |(_, extension)| extension);
            Ok((extension.to_ascii_lowercase(), json!({"s3Location": {"uri": url}})))
        }
        Media::Url(url) => {
            let (media_type, data) = data_url(url).ok_or("media by address: Bedrock fetches from S3 only")?;
            Ok((media_type.to_owned(), json!({"bytes": data})))
        }
        Media::Id(_) => Err("a file that another provider keeps"),
    }
}

fn data_url(url: &str) -> Option<(&str, &str)> {
    let (meta, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = meta.strip_suffix(";base64")?;
    Some((media_type.split(';').next().unwrap_or(media_type), data))
}
