//! Scores: add, list, delete.

use clap::{Args as ClapArgs, Subcommand};

use super::Paging;

#[derive(Debug, Subcommand)]
pub(crate) enum Scores {
    /// Give a trace, a span or a session a score. One under an id that is there takes its place.
    Add(AddScore),
    /// List scores, newest first.
    List(ListScores),
    /// Delete a score by its id.
    Delete { id: String },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AddScore {
    /// What is scored, such as `helpfulness`.
    pub(crate) name: String,
    /// A number, `true` or `false`, or a word.
    #[arg(allow_negative_numbers = true)]
    pub(crate) value: String,
    #[arg(long)]
    pub(crate) trace: Option<String>,
    /// A span of the trace.
    #[arg(long, requires = "trace")]
    pub(crate) span: Option<String>,
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// `numeric`, `boolean`, `categorical` or `text`; told by the value otherwise.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    #[arg(long)]
    pub(crate) comment: Option<String>,
    /// `api`, `annotation`, `user_feedback` or `evaluation`.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Who says so.
    #[arg(long)]
    pub(crate) author: Option<String>,
    /// What made it, with its version, such as `judge@3`.
    #[arg(long)]
    pub(crate) config: Option<String>,
    /// Whoever gives the same id again says it again.
    #[arg(long)]
    pub(crate) id: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListScores {
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[arg(long)]
    pub(crate) trace: Option<String>,
    #[arg(long)]
    pub(crate) span: Option<String>,
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// `api`, `annotation`, `user_feedback` or `evaluation`.
    #[arg(long)]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}
