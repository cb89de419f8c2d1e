//! A file and the words beside it, as forms are sent.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
};

/// A form with one file.
#[derive(Debug, Clone)]
pub struct Form {
    fields: Vec<(String, String)>,
    name: String,
    content: Vec<u8>,
}

impl Form {
    #[must_use]
    pub fn with_file(name: &str, content: Vec<u8>) -> Self {
        // A quote or a line break would end the name.
        let name = name.chars().map(|c| if c.is_control() || c == '"' { '_' } else { c }).collect();
        Self { fields: Vec::new(), name, content }
    }

    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The content type, and the body.
    pub(crate) fn written(self) -> (String, Vec<u8>) {
        let boundary = boundary();
        let mut body = Vec::with_capacity(self.content.len() + 1_024);
        for (name, value) in &self.fields {
            let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(head.as_bytes());
        }
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.name
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&self.content);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), body)
    }
}

/// Nothing that anybody has in a file.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("mainspring-{:016x}{:016x}", random(), random())
}
