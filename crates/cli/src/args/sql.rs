//! Questions in SQL.

use clap::Args as ClapArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct Sql {
    /// One `SELECT`; without one, the tables there are and their columns.
    pub(crate) query: Option<String>,
    /// Print comma-separated values, with a line of names first.
    #[arg(long)]
    pub(crate) csv: bool,
    /// Only rows from this moment on, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only rows before this moment.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Rows at most, up to 10,000.
    #[arg(long)]
    pub(crate) limit: Option<usize>,
}
