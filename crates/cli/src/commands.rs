//! One file per group of verbs.

mod alerts;
mod ask;
pub(crate) mod assets;
mod batches;
mod capture;
mod demo;
mod dev;
mod doctor;
mod documents;
mod drift;
mod export;
pub(crate) mod following;
mod forgetting;
mod identity;
mod import;
mod jobs;
mod keeping;
mod knowledge;
mod logs;
mod metrics;
mod models;
mod money;
mod monitors;
pub(crate) mod onward;
mod projects;
pub(crate) mod replay;
mod routes;
mod scores;
mod secrets;
mod serve;
mod settings;
mod sql;
mod tailing;
mod traces;
pub(crate) mod tree;
mod unread;

use std::process::ExitCode;

use mainspring_client::Client;
use mainspring_server::Serves;
use mainspring_wire as wire;
use serde::de::DeserializeOwned;

use crate::{
    args::{Args, Command, Paging},
    connection::Connection,
};

/// What every command that talks to a server has.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) url: Option<String>,
    pub(crate) json: bool,
}

impl Session {
    /// Part of a list, however many pages of the server's that takes.
    pub(crate) async fn page<T: DeserializeOwned>(&self, path: &str, paging: &Paging) -> anyhow::Result<wire::Page<T>> {
        const AT_ONCE: usize = 500;
        let limit = paging.limit as usize;
        let mut found = wire::Page { items: Vec::new(), next: paging.cursor.clone() };
        loop {
            let left = (limit - found.items.len()).min(AT_ONCE);
            let cursor = found.next.map(|next| format!("&cursor={}", segment(&next))).unwrap_or_default();
            let separator = if path.contains('?') { '&' } else { '?' };
            let page: wire::Page<T> = self.client.get(&format!("{path}{separator}limit={left}{cursor}")).await?;
            found.items.extend(page.items);
            found.next = page.next;
            if found.next.is_none() || found.items.len() >= limit {
                return Ok(found);
            }
        }
    }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { global, command } = args;
    let listen = match &command {
        Command::Serve(serve) | Command::Gateway(serve) => serve.listen.clone(),
        Command::Demo(demo) => demo.listen.clone(),
        Command::Dev(dev) => dev.listen.clone(),
        _ => None,
    };
    let config = settings::load(&global, listen)?;
    settings::start_logging(&command, &config)?;
    match command {
        Command::Serve(_) => Box::pin(serve::run(config, Serves::Everything)).await,
        Command::Gateway(_) => Box::pin(serve::run(config, Serves::Models)).await,
        Command::Demo(demo) => Box::pin(demo::run(&global, config, demo)).await,
        Command::Dev(dev) => Box::pin(dev::run(&global, config, dev)).await,
        Command::Models { command } => models::run(&config, command, global.json).await,
        Command::Doctor => doctor::run(&global, &config).await,
        Command::Config { command } => settings::run(&config, &command, &global),
        Command::Openapi => {
            crate::output::line(&mainspring_server::openapi());
            Ok(ExitCode::SUCCESS)
        }
        Command::Reference { docs } => {
            crate::reference::write(&docs)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Schema { kind, out } => assets::schema(kind.as_deref(), out.as_deref(), global.json),
        Command::Import { command } if !command.to().apply => import::write(&command, global.json),
        command => {
            let connection = Connection::open(&global, &config).await?;
            let session = Session { client: connection.client.clone(), url: connection.url.clone(), json: global.json };
            let outcome = talk(&session, command).await;
            connection.close().await?;
            outcome
        }
    }
}

async fn talk(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Apply(apply) => assets::apply(session, &apply).await,
        Command::Get { asset } => assets::get(session, &asset).await,
        Command::List { kind } => assets::list(session, kind.as_deref()).await,
        Command::Diff { asset, from, to } => assets::diff(session, &asset, from.as_deref(), to.as_deref()).await,
        Command::History { asset } => assets::history(session, &asset).await,
        Command::Alias(alias) => assets::alias(session, &alias).await,
        Command::Export { dir, kind, at } => export::run(session, &dir, kind.as_deref(), at.as_deref()).await,
        Command::Ingest(ingest) => knowledge::ingest(session, &ingest).await,
        Command::Runs { knowledge, paging } => documents::runs(session, knowledge.as_deref(), &paging).await,
        Command::Jobs { state, cancel, paging } => jobs::run(session, state.as_deref(), cancel.as_deref(), &paging).await,
        Command::Documents(documents) => documents::list(session, &documents).await,
        Command::Search(search) => knowledge::search(session, &search).await,
        Command::Forget(forget) => forgetting::forget(session, forget).await,
        Command::Receipts(receipts) => forgetting::receipts(session, &receipts).await,
        Command::Tombstones(tombstones) => forgetting::tombstones(session, &tombstones).await,
        Command::Retention { command } => keeping::retention(session, command).await,
        Command::Erase(erase) => keeping::erase(session, erase).await,
        Command::Erasures { command } => keeping::erasures(session, command).await,
        Command::Ask(ask) => ask::run(session, &ask).await,
        Command::Replay(replay) => replay::run(session, &replay).await,
        Command::Traces(traces) => Box::pin(traces::run(session, &traces)).await,
        Command::Logs(logs) => logs::run(session, &logs).await,
        Command::Metrics { command } => metrics::run(session, command).await,
        Command::Drift(drift) => drift::run(session, &drift).await,
        Command::Sql(sql) => sql::run(session, &sql).await,
        Command::Projects { command } => projects::projects(session, command).await,
        Command::Members { command } => projects::members(session, command).await,
        Command::Keys { command } => identity::keys(session, command).await,
        Command::Secrets { command } => secrets::run(session, command).await,
        Command::Capture { command } => capture::run(session, command).await,
        Command::Limits { command } => money::limits(session, command).await,
        Command::Routes { command } => routes::run(session, command).await,
        Command::Import { command } => import::apply(session, &command).await,
        Command::Batches { command } => batches::run(session, command).await,
        Command::Monitors { command } => monitors::run(session, command).await,
        Command::Scores { command } => scores::run(session, command).await,
        Command::Incidents { command } => alerts::incidents(session, command).await,
        Command::Silences { command } => alerts::silences(session, command).await,
        Command::Receivers { command } => alerts::receivers(session, command).await,
        Command::Usage(usage) => money::usage(session, usage).await,
        Command::Calls(calls) => money::calls(session, &calls).await,
        Command::Audit { verify, paging } => identity::audit(session, verify, &paging).await,
        Command::Serve(_)
        | Command::Gateway(_)
        | Command::Demo(_)
        | Command::Dev(_)
        | Command::Models { .. }
        | Command::Doctor
        | Command::Config { .. }
        | Command::Openapi
        | Command::Reference { .. }
        | Command::Schema { .. }
        | Command::Parse
        | Command::Errand => anyhow::bail!("this command does not talk to a server"),
    }
}

/// A path segment from outside text.
pub(crate) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
