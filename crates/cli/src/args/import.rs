//! Moving in from other gateways.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Read a `config.yaml` of LiteLLM's proxy.
    Litellm {
        file: PathBuf,
        /// Its keys too: what it answers to `GET /key/list?return_full_object=true`.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        #[command(flatten)]
        to: Destination,
    },
    /// Read a `tensorzero.toml`, with the templates and schemas that lie below its folder.
    Tensorzero {
        file: PathBuf,
        #[command(flatten)]
        to: Destination,
    },
    /// Read a config of Portkey, which is JSON.
    Portkey {
        file: PathBuf,
        /// Its keys too: what it answers to `GET /v1/api-keys`.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        /// What the route is called; default: as the file.
        #[arg(long)]
        name: Option<String>,
        /// The model of targets that name none.
        #[arg(long)]
        model: Option<String>,
        #[command(flatten)]
        to: Destination,
    },
}

impl Import {
    pub(crate) const fn to(&self) -> &Destination {
        match self {
            Self::Litellm { to, .. } | Self::Tensorzero { to, .. } | Self::Portkey { to, .. } => to,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Destination {
    /// Write the specs and the report into this folder instead of printing them.
    #[arg(long, short, value_name = "DIR", conflicts_with = "apply")]
    pub(crate) out: Option<PathBuf>,
    /// Write over files that are there.
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
    /// Apply the specs, all or nothing, instead of printing them; then make the keys and set the limits that are not there yet.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Write the secrets of new keys into this file, which nobody else may read, instead of printing them.
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub(crate) keys_out: Option<PathBuf>,
}
