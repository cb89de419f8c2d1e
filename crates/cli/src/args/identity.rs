//! Projects, members and keys.

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Projects {
    /// List the projects you may be in; `--project NAME` on any command names one.
    List,
    /// Make a project, whose admin you are.
    Create {
        name: String,
        #[arg(long)]
        description: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Members {
    /// List who is in the project, and what they may do.
    List,
    /// Put a person or service into the project.
    Add {
        /// A user name or an address: one for the whole installation.
        name: String,
        /// `reader`, `editor` or `admin`.
        #[arg(long, default_value = "reader")]
        role: String,
        /// A program rather than a person.
        #[arg(long)]
        service: bool,
        #[command(flatten)]
        labels: Held,
    },
    /// Change the role or the labels of a member; their keys follow at once.
    Set {
        name: String,
        /// `reader`, `editor` or `admin`.
        #[arg(long)]
        role: Option<String>,
        /// Sees every document again.
        #[arg(long, conflicts_with_all = ["labels", "no_labels"])]
        all_labels: bool,
        #[command(flatten)]
        labels: Held,
    },
    /// Take a member out of the project; their keys stop working at once.
    Remove { name: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key for the project. It is shown once.
    Create {
        name: String,
        /// `reader`, `editor` or `admin`.
        #[arg(long, default_value = "reader")]
        role: String,
        #[command(flatten)]
        labels: Held,
        /// What it may name as `model`, apart by commas: `assistant,claude-*`; default: everything.
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        models: Option<Vec<String>>,
        /// When it ends, as RFC 3339.
        #[arg(long)]
        expires_at: Option<String>,
        /// The member whom it acts for, and never with more than they may do; default: you.
        #[arg(long = "for", value_name = "MEMBER")]
        member: Option<String>,
    },
    /// List the keys of the project, without their secrets.
    List,
    /// Give a key a new secret; it stays the same key, with its limits and its usage.
    Rotate {
        id: String,
        /// How long the old secret works as well: `15m`, `24h`, `30d` at most; default: it stops at once.
        #[arg(long, value_name = "TIME")]
        overlap: Option<String>,
    },
    /// End a key at once.
    Revoke { id: String },
}

/// Which documents may be seen.
#[derive(Debug, ClapArgs)]
pub(crate) struct Held {
    /// An access label that is held; without any, every document is seen.
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    /// Sees only documents without labels.
    #[arg(long, conflicts_with = "labels")]
    pub(crate) no_labels: bool,
}
