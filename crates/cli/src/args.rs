//! The command line as data.

mod alerts;
mod batches;
mod capture;
mod drift;
mod forgetting;
mod identity;
mod import;
mod keeping;
mod logs;
mod metrics;
mod money;
mod monitors;
mod routes;
mod scores;
mod secrets;
mod sql;
mod traces;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

pub(crate) use alerts::{Incidents, Receivers, Silences};
pub(crate) use batches::Batches;
pub(crate) use capture::{Capture, SetCapture};
pub(crate) use drift::{Drift, DriftAgainst};
pub(crate) use forgetting::{Forget, Receipts, Tombstones};
pub(crate) use identity::{Held, Keys, Members, Projects};
pub(crate) use import::Import;
#[cfg(test)]
pub(crate) use keeping::Kept;
pub(crate) use keeping::{Erase, Erasures, Retention, SetRetention};
pub(crate) use logs::{ListLogs, Logs, LogsCommand, WhichLogs};
pub(crate) use metrics::{ListMetrics, Metrics, ShowMetric};
pub(crate) use money::{Calls, Limits, Only, ShowUsage, Stretch, Usage, UsageCommand};
pub(crate) use monitors::Monitors;
pub(crate) use routes::Routes;
pub(crate) use scores::{AddScore, ListScores, Scores};
pub(crate) use secrets::Secrets;
pub(crate) use sql::Sql;
pub(crate) use traces::{
    CountTraces, ExportFormat, ExportTraces, ListTraces, Measure, ShowTrace, TailTraces, Traces, TracesCommand, Which,
};

/// One binary for the whole life of applications built on language models.
#[derive(Debug, Parser)]
#[command(name = "mainspring", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Global {
    /// Where data lives.
    #[arg(long, global = true, value_name = "DIR", env = "MAINSPRING_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// A settings file to read instead of `./mainspring.toml`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A server to talk to; without one, whichever serves the data directory, or this process itself.
    #[arg(long, global = true, value_name = "URL", env = "MAINSPRING_URL")]
    pub(crate) url: Option<String>,
    /// The project to work in; without one, the project of your key, or `default`.
    #[arg(long, global = true, value_name = "NAME", env = "MAINSPRING_PROJECT")]
    pub(crate) project: Option<String>,
    /// Print one JSON value instead of text; `dev` and `ingest --watch` print one on each line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API and the page.
    Serve(Serve),
    /// Serve models only: the OpenAI and Anthropic APIs, and what administers keys, limits and routes.
    Gateway(Serve),
    /// Ingest the manual, ask it a question, and leave the server running.
    Demo(Demo),
    /// Serve, and apply a folder of specs whenever a file in it is saved.
    Dev(Dev),
    /// Make the specs in a folder or file so: shows the plan, then applies exactly that, all or nothing.
    Apply(Apply),
    /// Show one asset: `mainspring get prompt/answer@v3`.
    Get { asset: String },
    /// List assets, of one kind or all.
    List { kind: Option<String> },
    /// Show what changed between two versions of an asset.
    Diff {
        asset: String,
        /// Version to compare from: `3`, `v3`, an alias or a digest; default: the one before `--to`.
        #[arg(long, value_name = "VERSION")]
        from: Option<String>,
        /// Version to compare to, named the same way; default: the newest.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
    },
    /// List the versions of an asset.
    History { asset: String },
    /// Point an alias at a version: `mainspring alias prompt/answer production v3`.
    Alias(Alias),
    /// Write assets, with their aliases, as a folder of specs that `apply` reads back.
    Export {
        dir: PathBuf,
        /// Only assets of this kind.
        #[arg(long)]
        kind: Option<String>,
        /// The versions that this alias names, where it names one; default: the newest versions.
        #[arg(long, value_name = "ALIAS")]
        at: Option<String>,
    },
    /// Print the JSON Schema of a kind, list the kinds, or write every schema to a folder for an editor.
    Schema {
        kind: Option<String>,
        /// Write a file for each kind here.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Bring a knowledge up to date with its sources; only what changed is parsed and embedded.
    Ingest(Ingest),
    /// List ingestion runs, newest first: of one knowledge, or of all.
    Runs {
        knowledge: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// List what the server does by itself, newest first: ingestions by schedule, by watch, or broken off before.
    Jobs {
        /// `queued`, `running`, `done`, `failed` or `cancelled`.
        #[arg(long)]
        state: Option<String>,
        /// Cancel this one instead.
        #[arg(long, value_name = "JOB", conflicts_with = "state")]
        cancel: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// List the documents of a knowledge.
    Documents(Documents),
    /// Search a knowledge and see why each passage ranked where it did.
    Search(Search),
    /// Ask an app a question; streams the answer with its sources.
    Ask(Ask),
    /// Answer a traced question again, against the exact versions it used.
    Replay(Replay),
    /// List traces, or show one as a tree; count, measure, export and follow them.
    Traces(Traces),
    /// List log records that programs send, newest first, or count them.
    #[command(alias = "log")]
    Logs(Logs),
    /// Metrics that programs send: list, show.
    #[command(alias = "metric")]
    Metrics {
        #[command(subcommand)]
        command: Metrics,
    },
    /// Compare two stretches of time, or two releases, field by field: what moved, and which topics grew.
    Drift(Drift),
    /// Ask spans, logs and points of metrics in SQL: `mainspring sql 'select model, count(*) from spans group by 1'`.
    Sql(Sql),
    /// Delete documents with every chunk, vector and tagged copy, and print a receipt.
    Forget(Forget),
    /// List the receipts of what was forgotten, newest first, or show one.
    Receipts(Receipts),
    /// List what is kept out because it was forgotten, newest first, or let some of it come back.
    Tombstones(Tombstones),
    /// How long telemetry is kept, and what there is of it: show, set.
    Retention {
        #[command(subcommand)]
        command: Retention,
    },
    /// Erase what is known of a user, a session, a trace or a document; it is done when no file holds any of it.
    Erase(Erase),
    /// Erasures and how far they are: list, show.
    #[command(alias = "erasure")]
    Erasures {
        #[command(subcommand)]
        command: Erasures,
    },
    /// Model files: fetch, list, verify.
    Models {
        #[command(subcommand)]
        command: Models,
    },
    /// Projects: list, create.
    Projects {
        #[command(subcommand)]
        command: Projects,
    },
    /// Members of the project: list, add, set, remove.
    Members {
        #[command(subcommand)]
        command: Members,
    },
    /// API keys: create, list, rotate, revoke.
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Keys of providers that the server keeps: set, list, remove, rotate the master key.
    Secrets {
        #[command(subcommand)]
        command: Secrets,
    },
    /// What the project keeps of its telemetry: show, set, preview.
    Capture {
        #[command(subcommand)]
        command: Capture,
    },
    /// Limits on requests, tokens, calls at once and money: list, set, remove.
    Limits {
        #[command(subcommand)]
        command: Limits,
    },
    /// Routes of model calls: how their targets stand, and which one a call would take.
    #[command(alias = "route")]
    Routes {
        #[command(subcommand)]
        command: Routes,
    },
    /// Move in: another gateway's settings as specs, with a report of what has no equivalent.
    Import {
        #[command(subcommand)]
        command: Import,
    },
    /// Batches of requests that nobody waits for: submit, list, show, results, cancel.
    Batches {
        #[command(subcommand)]
        command: Batches,
    },
    /// What is watched and where it stands: list, show, evaluate.
    #[command(alias = "monitor")]
    Monitors {
        #[command(subcommand)]
        command: Monitors,
    },
    /// What people and programs say of traces, spans and sessions: add, list, delete.
    #[command(alias = "score")]
    Scores {
        #[command(subcommand)]
        command: Scores,
    },
    /// What is wrong, since when, and who was told: list, show, ack, resolve, retry, deliveries.
    #[command(alias = "incident")]
    Incidents {
        #[command(subcommand)]
        command: Incidents,
    },
    /// Alerts that nobody is told of for a while: list, add, remove.
    #[command(alias = "silence")]
    Silences {
        #[command(subcommand)]
        command: Silences,
    },
    /// Who is told of incidents: list, test.
    #[command(alias = "receiver")]
    Receivers {
        #[command(subcommand)]
        command: Receivers,
    },
    /// Show what model calls used and cost.
    Usage(Usage),
    /// List model calls by when they ended, newest first.
    Calls(Calls),
    /// Show the audit log, newest first, or verify its hash chain.
    Audit {
        /// Follow the hash chain to the first entry that was changed.
        #[arg(long)]
        verify: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Check the machine, the data directory and every store, and say what to do.
    Doctor,
    /// Settings in force.
    Config {
        #[command(subcommand)]
        command: Config,
    },
    /// Print the OpenAPI document of the REST API.
    #[command(hide = true)]
    Openapi,
    /// Write the reference pages below a `docs` folder.
    #[command(hide = true)]
    Reference { docs: PathBuf },
    /// Parse one document from standard input. Started by the server; not for people.
    #[command(name = "__parse", hide = true)]
    Parse,
    /// Bring traces to the lake, as standard input says. Started by a gateway; not for people.
    #[command(name = "__errand", hide = true)]
    Errand,
}

/// Part of a long list. As JSON it is `{items, next}`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Paging {
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Go on where a list ended: what it gave as `next`.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Alias {
    pub(crate) asset: String,
    pub(crate) alias: String,
    /// `v3`, `latest`, another alias or a digest.
    #[arg(required_unless_present = "remove")]
    pub(crate) to: Option<String>,
    /// Take the alias away; the versions stay.
    #[arg(long, conflicts_with = "to")]
    pub(crate) remove: bool,
    /// Refuse unless the alias points to this version now (0: it does not exist).
    #[arg(long, alias = "expect", value_name = "VERSION")]
    pub(crate) expected: Option<u32>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Documents {
    pub(crate) knowledge: String,
    /// `ready`, `failed` or `skipped`.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only of this source.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Only with this in the title or the address.
    #[arg(long, value_name = "TEXT")]
    pub(crate) find: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// Address to listen on; anything but loopback needs a key to exist.
    #[arg(long, value_name = "ADDR", env = "MAINSPRING_LISTEN")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Demo {
    /// Stop after the answer instead of leaving the server running.
    #[arg(long)]
    pub(crate) once: bool,
    /// Ask this instead of the default question.
    #[arg(long)]
    pub(crate) question: Option<String>,
    /// Address to listen on; anything but loopback needs a key to exist.
    #[arg(long, value_name = "ADDR", env = "MAINSPRING_LISTEN")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Dev {
    /// A folder of specs; hidden files and the data directory in it are passed over.
    pub(crate) dir: PathBuf,
    /// Address to listen on; anything but loopback needs a key to exist.
    #[arg(long, value_name = "ADDR", env = "MAINSPRING_LISTEN")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Apply {
    /// A folder (every `.yaml`, `.yml` and `.json` in it) or a file.
    pub(crate) path: PathBuf,
    /// Only show the plan.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why; kept with each new version.
    #[arg(long, short)]
    pub(crate) message: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Ingest {
    /// The knowledge to bring up to date.
    pub(crate) knowledge: String,
    /// Parse everything again, changed or not.
    #[arg(long)]
    pub(crate) full: bool,
    /// Try again what failed before, also where nothing changed since.
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Go on ingesting whenever a local folder or file changes.
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Search {
    pub(crate) knowledge: String,
    pub(crate) query: String,
    /// `hybrid`, `vector` or `text`.
    #[arg(long)]
    pub(crate) mode: Option<String>,
    #[arg(long)]
    pub(crate) limit: Option<usize>,
    #[arg(long)]
    pub(crate) rerank: Option<bool>,
    /// Only documents with this metadata: `--where lang=en`; several values of one key are alternatives.
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub(crate) metadata: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Ask {
    /// An app, a prompt or a model.
    pub(crate) app: String,
    pub(crate) question: String,
    #[arg(long)]
    pub(crate) seed: Option<i64>,
    #[arg(long)]
    pub(crate) max_tokens: Option<u32>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Replay {
    pub(crate) trace: String,
    /// Swap one part: `--with prompt=answer@candidate`; kinds are app, chain, prompt, knowledge, model.
    /// `--with knowledge/handbook=drafts` says which of several gives way.
    #[arg(long = "with", value_name = "KIND=REF")]
    pub(crate) with: Vec<String>,
    /// The answer that is meant, by its span, where the trace holds several.
    #[arg(long)]
    pub(crate) span: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// Fetch a model's files by digest; files that are here and whole are not fetched again.
    Pull {
        name: Option<String>,
        /// Every model that has a place to get it from, references for tests included.
        #[arg(long)]
        all: bool,
    },
    /// List known models and whether their files are here.
    List,
    /// Read every file here and compare it with its digest.
    Verify { name: Option<String> },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print the settings in force.
    Show {
        /// Also where each value came from.
        #[arg(long)]
        origin: bool,
    },
}
