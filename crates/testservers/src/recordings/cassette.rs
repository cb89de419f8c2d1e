//! VCR's cassettes: YAML files of requests and responses.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ::base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use yaml_serde::Value;

use super::{Api, Recording};

/// The cassettes below a folder, in the order of their paths.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_cassette(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_cassette(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kept = |part: std::path::Component<'_>| part.as_os_str() == "cassettes" || part.as_os_str() == "_vcr";
    (name.ends_with(".yaml") || name.ends_with(".yaml.gz")) && path.components().any(kept)
}

/// The calls of models in a cassette.
pub(super) fn read(file: &Path, package: &str) -> Result<Vec<Recording>, String> {
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    recordings(&unzipped(bytes)?, package, &name)
}

fn recordings(text: &[u8], package: &str, file: &str) -> Result<Vec<Recording>, String> {
    let cassette: Value = yaml_serde::from_slice(text).map_err(|error| error.to_string())?;
    let list = |name: &str| cassette.get(name).and_then(Value::as_sequence).map(Vec::as_slice).unwrap_or_default();
    let together = list("interactions").iter().filter_map(|both| both.get("request").zip(both.get("response")));
    // Some keep the two apart.
    let apart = list("requests").iter().zip(list("responses"));
    let mut all = Vec::new();
    for (request, response) in together.chain(apart) {
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        let uri = text("uri");
        let Some(api) = Api::of(uri).filter(|_| text("method").eq_ignore_ascii_case("post")) else { continue };
        let status = response.get("status").ok_or_else(|| format!("an answer of {uri} has no status"))?;
        let status = status.get("code").unwrap_or(status).as_u64().and_then(|status| u16::try_from(status).ok());
        all.push(Recording {
            package: package.to_owned(),
            file: file.to_owned(),
            api,
            uri: uri.to_owned(),
            status: status.ok_or_else(|| format!("the status of an answer of {uri} is no number"))?,
            request: String::from_utf8(body(request)?).map_err(|error| error.to_string())?,
            response: body(response)?,
        });
    }
    Ok(all)
}

fn body(of: &Value) -> Result<Vec<u8>, String> {
    let body = of.get("body").unwrap_or(&Value::Null);
    let text = body.as_str().or_else(|| body.get("string")?.as_str()).unwrap_or_default();
    match bytes_of(text) {
        Some(bytes) => unzipped(bytes),
        None => Ok(text.as_bytes().to_vec()),
    }
}

/// Bytes that are no text stand there as base64 with a tag that the reader of YAML does not tell. What else is said to
/// models and by them, JSON and events, has signs that base64 does not know.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte) || byte.is_ascii_whitespace();
    if text.is_empty() || !text.bytes().all(plain) {
        return None;
    }
    let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(packed).ok()
}

fn unzipped(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).map_err(|error| error.to_string())?;
    Ok(plain)
}

/// Bytes as text in what is kept.
pub(super) mod base64 {
    use ::base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn zipped(text: &str) -> String {
        let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
        zip.write_all(text.as_bytes()).unwrap();
        STANDARD.encode(zip.finish().unwrap())
    }

    #[test]
    fn calls_of_models_are_taken_and_nothing_else() {
        let cassette = format!(
            r#"
interactions:
- request:
    body: '{{"grantType": "refresh_token"}}'
    method: POST
    uri: https://login.example/token
  response:
    body: {{string: '{{"accessToken": "x"}}'}}
    status: {{code: 200, message: OK}}
- request:
    body: null
    method: GET
    uri: https://api.openai.com/v1/responses
  response:
    body: {{string: '{{}}'}}
    status: {{code: 200}}
- request:
    body: '{{"model": "m", "stream": true}}'
    headers: {{authorization: ['Bearer x']}}
    method: post
    uri: https://models.example/v1/chat/completions?x=1
  response:
    body:
      string: 'data: {{"a": "é"}}


        data: [DONE]

        '
    status: {{code: 200}}
- request:
    body: '{{}}'
    method: POST
    uri: https://api.anthropic.com/v1/messages
  response:
    body:
      string: !!binary |
        {}
    status: {{code: 529}}
version: 1
"#,
            zipped(r#"{"type": "error"}"#)
        );
        let read = recordings(cassette.as_bytes(), "p", "f.yaml").unwrap();
        let seen: Vec<_> = read
            .iter()
            .map(|one| (one.api, one.status, one.is_streamed(), String::from_utf8(one.response.clone()).unwrap()))
            .collect();
        assert_eq!(
            seen,
            [
                (Api::Chat, 200, true, "data: {\"a\": \"é\"}\n\ndata: [DONE]\n".to_owned()),
                (Api::Messages, 529, false, r#"{"type": "error"}"#.to_owned()),
            ]
        );
        assert_eq!(read[0].request, r#"{"model": "m", "stream": true}"#);
        let line = serde_json::to_string(&read[1]).unwrap();
        assert!(!line.contains("Bearer"));
        assert_eq!(serde_json::from_str::<Recording>(&line).unwrap(), read[1]);
    }

    #[test]
    fn requests_and_responses_may_be_kept_apart() {
        let cassette = "
requests:
- {body: '{}', method: POST, uri: 'https://x.example/model/m/converse'}
responses:
- {body: {string: '{\"output\": 1}'}, status: {code: 200}}
";
        let read = recordings(cassette.as_bytes(), "p", "f").unwrap();
        assert_eq!((read.len(), read[0].api, read[0].response.as_slice()), (1, Api::Converse, br#"{"output": 1}"#.as_slice()));
        assert!(recordings(b"{", "p", "f").is_err());
        assert_eq!(recordings(b"a: 1", "p", "f").unwrap(), []);
    }

    #[test]
    fn addresses_say_what_was_asked_for() {
        for (uri, api) in [
            ("https://x.openai.azure.com/openai/deployments/m/chat/completions?api-version=1", Some(Api::Chat)),
            ("https://api.openai.com/v1/completions", Some(Api::Completions)),
            ("https://g.example/v1beta/models/gemini:streamGenerateContent?alt=sse", Some(Api::Gemini)),
            ("https://g.example/v1beta/models/gemini:batchEmbedContents", Some(Api::GeminiEmbeddings)),
            ("https://b.example/model/amazon.nova%3A0/converse-stream", Some(Api::Converse)),
            ("https://api.anthropic.com/v1/messages/count_tokens", None),
            ("https://b.example/model/m/invoke", None),
        ] {
            assert_eq!(Api::of(uri), api, "{uri}");
        }
    }
}
