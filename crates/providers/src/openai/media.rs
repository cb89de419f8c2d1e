//! Images, audio and files as OpenAI's dialects write them.

use mainspring_llm::exchange::{Media, Part};
use serde_json::{Map, Value, json};

use super::fields::{Fields, ReadFault};

/// An address, or what an address of the kind `data:` holds.
pub(super) fn of_url(url: String) -> Media {
    let inlined = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match inlined {
        Some((media_type, data)) if !media_type.is_empty() && !media_type.contains(';') => {
            Media::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
        }
        // Written otherwise it stays as it is, so that it can be written again to the letter.
        _ => Media::Url(url),
    }
}

pub(super) fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// The inside of `input_audio`.
pub(super) fn audio(inside: &mut Fields) -> Result<Part, ReadFault> {
    let format = inside.text("format")?;
    let data = inside.needed_text("data")?;
    let media_type = match format.as_deref() {
        Some("mp3") => "audio/mpeg".to_owned(),
        Some(format) => format!("audio/{format}"),
        None => "audio/wav".to_owned(),
    };
    Ok(Part::Audio { source: Media::Base64 { media_type, data }, format })
}

/// The inside of `file`, or the whole of `input_file`. `None`: it names no content.
pub(super) fn file(inside: &mut Fields, cache: Option<Value>) -> Result<Option<Part>, ReadFault> {
    let name = inside.text("filename")?;
    let source = if let Some(id) = inside.text("file_id")? {
        Media::Id(id)
    } else if let Some(url) = inside.text("file_url")? {
        Media::Url(url)
    } else if let Some(data) = inside.text("file_data")? {
        match of_url(data) {
            // Bare base64, which some clients send.
            Media::Url(data) if !data.contains(':') => {
                let is_pdf = name.as_deref().is_none_or(|name| name.to_ascii_lowercase().ends_with(".pdf"));
                let media_type = if is_pdf { "application/pdf" } else { "application/octet-stream" };
                Media::Base64 { media_type: media_type.to_owned(), data }
            }
            source => source,
        }
    } else {
        return Ok(None);
    };
    Ok(Some(Part::File { source, name, cache }))
}

/// An image as chat says it. An error says what cannot be said.
pub(super) fn image_part(source: &Media, detail: Option<&str>) -> Result<Value, &'static str> {
    let url = match source {
        Media::Url(url) => url.clone(),
        Media::Base64 { media_type, data } => data_url(media_type, data),
        Media::Id(_) => return Err("an image that another provider keeps"),
    };
    let mut inside = Map::new();
    inside.insert("url".to_owned(), url.into());
    if let Some(detail) = detail {
        inside.insert("detail".to_owned(), detail.into());
    }
    Ok(json!({"type": "image_url", "image_url": inside}))
}

pub(super) fn audio_part(source: &Media, format: Option<&str>) -> Result<Value, &'static str> {
    let Media::Base64 { media_type, data } = source else {
        return Err("audio that is not sent along");
    };
    let of_type = media_type.strip_prefix("audio/").map(|kind| match kind {
        "mpeg" => "mp3",
        "x-wav" | "wave" | "vnd.wave" => "wav",
        kind => kind,
    });
    let Some(format) = format.or(of_type) else {
        return Err("audio of an unknown format");
    };
    Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
}

/// `by_address`: the server fetches files itself, which is no part of the dialect.
pub(super) fn file_part(source: &Media, name: Option<&str>, by_address: bool) -> Result<Value, &'static str> {
    let mut inside = Map::new();
    match source {
        Media::Id(id) => inside.insert("file_id".to_owned(), id.as_str().into()),
        Media::Base64 { media_type, data } => inside.insert("file_data".to_owned(), data_url(media_type, data).into()),
        Media::Url(url) if by_address => inside.insert("file_data".to_owned(), url.as_str().into()),
        Media::Url(_) => return Err("a file by its address"),
    };
    if let Some(name) = name {
        inside.insert("filename".to_owned(), name.into());
    }
    Ok(json!({"type": "file", "file": inside}))
}
