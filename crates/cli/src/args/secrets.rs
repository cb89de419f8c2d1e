//! Secrets.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Keep a key under a name; it is read from standard input, or asked for, and never shown again.
    Set {
        /// How specs refer to it: `secret:NAME`.
        name: String,
    },
    /// List the secrets of the project, without their values.
    List,
    /// Remove a secret; providers that refer to it have no key within seconds.
    Remove { name: String },
    /// Seal the secrets of every project with a new master key, or with the first of those the settings give.
    RotateKey,
}
