//! A file and the words beside it, as forms are sent.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
};

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, Stream},
};

use crate::{fault::ClientFault, transport::BodyStream};

/// A form with one file, which is sent as it is read.
pub struct Form {
    fields: Vec<(String, String)>,
    name: String,
    size: u64,
    content: BodyStream,
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form").field("name", &self.name).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Form {
    /// `size` is how many bytes come of the content; the server is told beforehand.
    #[must_use]
    pub fn with_file(name: &str, size: u64, content: impl Stream<Item = Result<Bytes, ClientFault>> + Send + 'static) -> Self {
        // A quote or a line break would end the name.
        let name = name.chars().map(|c| if c.is_control() || c == '"' { '_' } else { c }).collect();
        Self { fields: Vec::new(), name, size, content: Box::pin(content) }
    }

    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The content type, how long the body is, and the body.
    pub(crate) fn written(self) -> (String, u64, BodyStream) {
        let boundary = boundary();
        let mut head = String::new();
        for (name, value) in &self.fields {
            head.push_str(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
        }
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.name
        ));
        let tail = format!("\r\n--{boundary}--\r\n");
        let length = head.len() as u64 + self.size + tail.len() as u64;
        let one = |text: String| stream::iter([Ok(Bytes::from(text))]);
        let body = one(head).chain(exactly(self.size, self.content)).chain(one(tail));
        (format!("multipart/form-data; boundary={boundary}"), length, Box::pin(body))
    }
}

/// The length was told beforehand, so a file that shrinks or grows on the way cannot be sent.
fn exactly(size: u64, content: BodyStream) -> impl Stream<Item = Result<Bytes, ClientFault>> + Send {
    let other = || ClientFault::Unsendable { reason: "the file changed while it was sent".to_owned() };
    stream::try_unfold((size, content), move |(left, mut content)| async move {
        match content.next().await {
            None if left == 0 => Ok(None),
            None => Err(other()),
            Some(part) => {
                let part = part?;
                let left = left.checked_sub(part.len() as u64).ok_or_else(other)?;
                Ok(Some((part, (left, content))))
            }
        }
    })
}

/// Nothing that anybody has in a file.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("mainspring-{:016x}{:016x}", random(), random())
}
