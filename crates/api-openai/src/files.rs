//! `/v1/files`: taken in as they come, never whole.

use std::{fmt, time::Duration};

use axum::{
    Json as Reply,
    body::Body as Sent,
    extract::{
        FromRequest, Multipart, Request, State,
        multipart::{Field, MultipartError},
    },
    response::Response,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use mainspring_batches::{BatchFault, Batches, FileId, FileQuery, Purpose, StoredFile, Upload, WordFault};
use mainspring_kernel::{Actor, FaultKind, text};
use mainspring_web_kit::{Path, Problem, Query, too_slow};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Answer, OpenAiError, Who};

/// Fields beside the file are words and numbers.
const WORD_MAX: usize = 1_024;
const LIMIT_MAX: usize = 10_000;

pub(crate) fn refused(fault: BatchFault) -> OpenAiError {
    match fault.parameter() {
        Some(parameter) => OpenAiError::of_parameter(&fault, parameter),
        None => OpenAiError::of(&fault),
    }
}

/// An id that none of ours looks like is of nothing.
pub(crate) fn file_id(given: &str) -> Answer<FileId> {
    given.parse().map_err(|_| refused(BatchFault::FileNotFound { id: text::elide(given, 80) }))
}

pub(crate) fn word(parameter: &'static str) -> impl Fn(WordFault) -> OpenAiError {
    move |fault| OpenAiError::param(parameter, fault.to_string())
}

fn shown(file: &StoredFile) -> Value {
    let StoredFile { id, name, purpose, size, created, expires, .. } = file;
    json!({
        "id": id,
        "object": "file",
        "bytes": size,
        "created_at": created.as_seconds(),
        "expires_at": expires.map(|at| at.as_seconds()),
        "filename": name,
        "purpose": purpose.as_str(),
        "status": "processed",
        "status_details": null,
    })
}

/// A page in the shape that OpenAI's lists have.
pub(crate) fn page<I: fmt::Display>(data: Vec<Value>, ids: (Option<I>, Option<I>), more: bool) -> Value {
    let (first, last) = (ids.0.map(|id| id.to_string()), ids.1.map(|id| id.to_string()));
    json!({"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more})
}

/// How many a page may have; OpenAI's clients ask for less or nothing.
pub(crate) fn limit(given: Option<usize>, (usual, most): (usize, usize)) -> Answer<usize> {
    match given.unwrap_or(usual) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        limit => Err(OpenAiError::param("limit", format!("`limit` must be 1 to {most}, not {limit}"))),
    }
}

pub(crate) async fn upload(State(batches): State<Batches>, Who(actor): Who, request: Request) -> Answer<Reply<Value>> {
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|rejection| unreadable(rejection.status(), &rejection.body_text()))?;
    let mut given = Given::default();
    if let Err(error) = given.read(&mut form, &batches, &actor).await {
        if let Some(upload) = given.upload {
            upload.abandon().await;
        }
        return Err(error);
    }
    Ok(Reply(shown(&given.finish().await?)))
}

/// What a form holds that brings a file.
#[derive(Debug, Default)]
struct Given {
    upload: Option<Upload>,
    name: String,
    purpose: Option<String>,
    anchor: Option<String>,
    seconds: Option<String>,
}

impl Given {
    async fn read(&mut self, form: &mut Multipart, batches: &Batches, actor: &Actor) -> Answer<()> {
        while let Some(field) = form.next_field().await.map_err(not_read)? {
            match field.name().unwrap_or_default() {
                "file" if self.upload.is_some() => return Err(OpenAiError::param("file", "`file` is given twice")),
                "file" => {
                    field.file_name().unwrap_or_default().clone_into(&mut self.name);
                    let upload = batches.begin_upload(actor).await.map_err(refused)?;
                    receive(self.upload.insert(upload), field).await?;
                }
                "purpose" => self.purpose = Some(read_word(field, "purpose").await?),
                "expires_after[anchor]" => self.anchor = Some(read_word(field, "expires_after").await?),
                "expires_after[seconds]" => self.seconds = Some(read_word(field, "expires_after").await?),
                // What nothing here reads is passed over, as it is with other fields of other requests.
                _ => {}
            }
        }
        Ok(())
    }

    async fn finish(self) -> Answer<StoredFile> {
        let asked = self.asked();
        let upload = self.upload.ok_or_else(|| OpenAiError::param("file", "`file` is missing"))?;
        match asked {
            Ok((purpose, keep)) => upload.finish(&self.name, purpose, keep).await.map_err(refused),
            Err(error) => {
                upload.abandon().await;
                Err(error)
            }
        }
    }

    fn asked(&self) -> Answer<(Purpose, Option<Duration>)> {
        let purpose = self.purpose.as_deref().ok_or_else(|| OpenAiError::param("purpose", "`purpose` is missing"))?;
        let purpose = purpose.parse::<Purpose>().map_err(word("purpose"))?;
        let keep = self.seconds.as_deref().map(|seconds| kept(self.anchor.as_deref(), seconds.parse().ok(), "expires_after"));
        Ok((purpose, keep.transpose()?))
    }
}

/// How long a file is kept, counted from when it was made.
pub(crate) fn kept(anchor: Option<&str>, seconds: Option<u64>, parameter: &'static str) -> Answer<Duration> {
    if anchor.is_some_and(|anchor| anchor != "created_at") {
        return Err(OpenAiError::param(parameter, "`anchor` must be created_at"));
    }
    let seconds = seconds.ok_or_else(|| OpenAiError::param(parameter, "`seconds` must be a whole number"))?;
    Ok(Duration::from_secs(seconds))
}

async fn receive(upload: &mut Upload, mut field: Field<'_>) -> Answer<()> {
    while let Some(bytes) = field.chunk().await.map_err(not_read)? {
        upload.push(&bytes).await.map_err(refused)?;
    }
    Ok(())
}

async fn read_word(mut field: Field<'_>, parameter: &'static str) -> Answer<String> {
    let mut word = Vec::new();
    while let Some(bytes) = field.chunk().await.map_err(not_read)? {
        word.extend_from_slice(&bytes);
        if word.len() > WORD_MAX {
            return Err(OpenAiError::param(parameter, format!("`{parameter}` is too long")));
        }
    }
    String::from_utf8(word).map_err(|_| OpenAiError::param(parameter, format!("`{parameter}` is not text")))
}

fn not_read(error: MultipartError) -> OpenAiError {
    too_slow(&error).map_or_else(|| unreadable(error.status(), &error.body_text()), OpenAiError::from)
}

fn unreadable(status: StatusCode, why: &str) -> OpenAiError {
    let problem = if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(FaultKind::TooLarge, "file-too-large", "the file is larger than files may be here")
            .with_hint("the setting `gateway.file_limit` says how large files may be")
    } else {
        Problem::new(FaultKind::Invalid, "body-unreadable", format!("the form cannot be read: {}", text::elide(why, 200)))
    };
    problem.into()
}

#[derive(Debug, Deserialize)]
pub(crate) struct FilesQuery {
    purpose: Option<String>,
    limit: Option<usize>,
    order: Option<String>,
    after: Option<String>,
}

pub(crate) async fn list(
    State(batches): State<Batches>,
    Who(actor): Who,
    Query(asked): Query<FilesQuery>,
) -> Answer<Reply<Value>> {
    let ascending = match asked.order.as_deref() {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(OpenAiError::param("order", "`order` is asc or desc")),
    };
    let query = FileQuery {
        purpose: asked.purpose.map(|purpose| purpose.parse::<Purpose>().map_err(word("purpose"))).transpose()?,
        after: asked.after.as_deref().map(file_id).transpose()?,
        limit: limit(asked.limit, (LIMIT_MAX, LIMIT_MAX))?,
        ascending,
    };
    let (files, more) = batches.files(&actor, &query).await.map_err(refused)?;
    let ids = (files.first().map(|file| file.id), files.last().map(|file| file.id));
    Ok(Reply(page(files.iter().map(shown).collect(), ids, more)))
}

pub(crate) async fn show(State(batches): State<Batches>, Who(actor): Who, Path(id): Path<String>) -> Answer<Reply<Value>> {
    Ok(Reply(shown(&batches.file(&actor, file_id(&id)?).await.map_err(refused)?)))
}

pub(crate) async fn delete(State(batches): State<Batches>, Who(actor): Who, Path(id): Path<String>) -> Answer<Reply<Value>> {
    let id = file_id(&id)?;
    batches.delete_file(&actor, id).await.map_err(refused)?;
    Ok(Reply(json!({"id": id, "object": "file", "deleted": true})))
}

pub(crate) async fn content(State(batches): State<Batches>, Who(actor): Who, Path(id): Path<String>) -> Answer<Response> {
    let file = batches.file(&actor, file_id(&id)?).await.map_err(refused)?;
    let bytes = batches.content(&file).await.map_err(refused)?;
    let mut response = Response::new(Sent::from_stream(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    // A browser must not take what somebody uploaded for a page of this server.
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    Ok(response)
}
