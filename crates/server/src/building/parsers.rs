//! The processes in which documents are read, and the program they run.

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use mainspring_config::Config;
use mainspring_kernel::{Fault, FaultKind};
use mainspring_knowledge::Parse;
use mainspring_parsers::{Limits, ParseRequest, ParsedDocument, ParserConfig, ParserPool};

use crate::fault::BootFault;

/// The pool behind the room's seam.
#[derive(Debug)]
pub(super) struct Parsers(ParserPool);

impl Parsers {
    pub(super) fn start(config: &Config) -> Result<Self, BootFault> {
        Ok(Self(ParserPool::start(parser_config(config)?)))
    }
}

#[async_trait]
impl Parse for Parsers {
    async fn parse(&self, bytes: Bytes, media_type: Option<String>, file_name: String) -> Result<ParsedDocument, Box<dyn Fault>> {
        let request = ParseRequest { bytes, file_name, media_type };
        self.0.parse(request).await.map_err(|fault| Box::new(fault) as Box<dyn Fault>)
    }
}

fn parser_config(config: &Config) -> Result<ParserConfig, BootFault> {
    let program = own_program()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if config.knowledge.parser_workers == 0 { cores } else { config.knowledge.parser_workers };
    let limits = Limits {
        memory: config.knowledge.parser_memory.0,
        wall: config.knowledge.parser_timeout.0,
        input: config.knowledge.parser_file_limit.0,
        ..Limits::default()
    };
    Ok(ParserConfig { program, args: vec!["__parse".into()], workers, limits })
}

/// This binary, for children; in tests, which are another program, the real one beside them.
pub(crate) fn own_program() -> Result<PathBuf, BootFault> {
    if let Some(program) = std::env::var_os("MAINSPRING_PARSER") {
        return Ok(program.into());
    }
    // By its path it would be another one after an upgrade, or none. This is what runs, wherever it lies by now.
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        return Ok(running);
    }
    std::env::current_exe().map_err(|error| BootFault::Part {
        part: "child processes",
        kind: FaultKind::Unavailable,
        code: "parse-no-workers",
        reason: error.to_string(),
        hint: None,
    })
}
