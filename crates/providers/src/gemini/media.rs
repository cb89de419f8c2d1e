//! Images, sounds and files as parts.

use mainspring_llm::exchange::Media;
use serde_json::{Map, Value, json};

use crate::{fault::UpstreamFault, seam::Endpoint};

/// `assumed` is the media type where the source names none.
pub(super) fn part(endpoint: &Endpoint, source: &Media, assumed: Option<&str>) -> Result<Value, UpstreamFault> {
    match source {
        Media::Base64 { media_type, data } => {
            let named = Some(media_type.as_str()).filter(|named| !named.is_empty());
            inline(endpoint, named.or(assumed), data)
        }
        Media::Url(url) => match data_url(url) {
            Some((media_type, data)) => inline(endpoint, Some(media_type), data),
            None => Ok(linked(url, assumed.or_else(|| by_extension(url)))),
        },
        Media::Id(id) if id.starts_with("files/") => Ok(linked(&format!("{}/{id}", endpoint.base_url), assumed)),
        Media::Id(id) if id.starts_with("https://") || id.starts_with("gs://") => Ok(linked(id, assumed)),
        Media::Id(_) => Err(UpstreamFault::unsupported(endpoint, "files that another provider keeps")),
    }
}

fn inline(endpoint: &Endpoint, media_type: Option<&str>, data: &str) -> Result<Value, UpstreamFault> {
    let media_type = media_type.ok_or_else(|| UpstreamFault::unsupported(endpoint, "data without a media type"))?;
    Ok(json!({"inlineData": {"mimeType": media_type, "data": data}}))
}

fn linked(uri: &str, media_type: Option<&str>) -> Value {
    let mut file = Map::new();
    file.extend(media_type.map(|named| ("mimeType".to_owned(), named.into())));
    file.insert("fileUri".into(), uri.into());
    json!({"fileData": file})
}

/// The media type and the base64 of a `data:` address.
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (meta, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = meta.strip_suffix(";base64")?;
    Some((media_type.split(';').next().unwrap_or(media_type), data))
}

/// Of OpenAI's `input_audio.format`.
pub(super) fn audio_type(format: &str) -> Option<&'static str> {
    Some(match format {
        "wav" => "audio/wav",
        "mp3" | "mpeg" => "audio/mp3",
        "aac" => "audio/aac",
        "aiff" => "audio/aiff",
        "flac" => "audio/flac",
        "ogg" | "opus" => "audio/ogg",
        "pcm" | "pcm16" => "audio/pcm",
        _ => return None,
    })
}

/// What the end of a name or of an address says.
pub(super) fn by_extension(name: &str) -> Option<&'static str> {
    let path = name.split(['?', '#']).next().unwrap_or(name);
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "json" => "application/json",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "mov" => "video/mov",
        "webm" => "video/webm",
        _ => return None,
    })
}
