//! The process's log: text for people, JSON for collectors, always on standard error.

use std::{io::IsTerminal, str::FromStr};

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    #[error("`{given}` is not a log format: use text or json")]
    Format { given: String },
    #[error("`{given}` is not a log filter: {reason}")]
    Filter { given: String, reason: String },
}

impl FromStr for LogFormat {
    type Err = LogFault;
    fn from_str(given: &str) -> Result<Self, LogFault> {
        match given {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(LogFault::Format { given: given.to_owned() }),
        }
    }
}

/// Starts the log. A second start in one process (tests) changes nothing.
pub fn start_log(filter: &str, format: LogFormat) -> Result<(), LogFault> {
    let parsed =
        EnvFilter::try_new(filter).map_err(|error| LogFault::Filter { given: filter.to_owned(), reason: error.to_string() })?;
    let registry = tracing_subscriber::registry().with(parsed);
    let started = match format {
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal();
            registry.with(fmt::layer().with_ansi(colour).with_target(false).with_writer(std::io::stderr)).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("the log was started already");
    }
    Ok(())
}
