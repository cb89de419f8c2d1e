//! Looking at a file before any of its lines is asked.

use std::collections::HashSet;

use mainspring_kernel::Digest;

use crate::{
    fault::BatchFault,
    lines::{self, Cut},
    model::{Batch, LineError},
    rest::Position,
    service::{BatchConfig, Batches},
};

/// Whoever sees so many knows enough.
const ERRORS_MAX: usize = 100;

/// What was found in the lines so far.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) lines: u64,
    pub(crate) errors: Vec<LineError>,
    /// A digest of each is enough to know it again, and names may be long.
    names: HashSet<[u8; 16]>,
}

impl Found {
    pub(crate) fn nothing() -> Self {
        Self { lines: 0, errors: Vec::new(), names: HashSet::new() }
    }

    pub(crate) fn look(&mut self, cut: &Cut, batch: &Batch, config: &BatchConfig) {
        self.lines += 1;
        let fault = match cut {
            Cut::TooLong { number } => Some(LineError {
                code: "line_too_long".to_owned(),
                message: format!("the line is longer than {} bytes", config.line_limit),
                param: None,
                line: Some(*number),
            }),
            Cut::Line { number, text } => match lines::read(*number, text, batch.endpoint) {
                Err(fault) => Some(fault),
                Ok(asked) => (!self.names.insert(short(&asked.custom_id))).then(|| LineError {
                    code: "duplicate_custom_id".to_owned(),
                    message: "another line above has the same `custom_id`".to_owned(),
                    param: Some("custom_id".to_owned()),
                    line: Some(*number),
                }),
            },
        };
        self.errors.extend(fault.filter(|_| self.errors.len() < ERRORS_MAX));
    }

    /// Once every line was looked at.
    pub(crate) fn conclude(&mut self, config: &BatchConfig) {
        if self.lines == 0 {
            self.errors.push(LineError::of_batch("empty_file", "the file has no lines"));
        } else if self.lines > config.lines_max {
            self.errors
                .insert(0, LineError::of_batch("too_many_tasks", format!("a batch has at most {} lines", config.lines_max)));
        }
    }

    fn is_hopeless(&self, config: &BatchConfig) -> bool {
        self.lines > config.lines_max || self.errors.len() >= ERRORS_MAX
    }
}

fn short(name: &str) -> [u8; 16] {
    let digest = Digest::of(name.as_bytes());
    std::array::from_fn(|at| digest.as_bytes()[at])
}

impl Batches {
    pub(crate) async fn validate(&self, batch: &Batch) -> Result<Found, BatchFault> {
        let (mut found, mut source) = (Found::nothing(), self.source(batch.input, Position::START).await?);
        while let Some(cut) = source.next().await? {
            found.look(&cut, batch, self.config());
            if found.is_hopeless(self.config()) {
                break;
            }
            // Reading a part is some milliseconds of work.
            if found.lines.is_multiple_of(256) {
                tokio::task::yield_now().await;
            }
        }
        found.conclude(self.config());
        Ok(found)
    }
}
