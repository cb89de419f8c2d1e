//! One file per group of verbs.

mod ask;
mod assets;
mod demo;
mod dev;
mod doctor;
mod identity;
mod knowledge;
mod models;
mod serve;
mod settings;
mod traces;

use std::process::ExitCode;

use mainspring_client::Client;

use crate::{
    args::{Args, Command},
    connection::Connection,
};

/// What every command that talks to a server has.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) url: Option<String>,
    pub(crate) json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { global, command } = args;
    let listen = match &command {
        Command::Serve(serve) => serve.listen.clone(),
        Command::Demo(demo) => demo.listen.clone(),
        Command::Dev(dev) => dev.listen.clone(),
        _ => None,
    };
    let config = settings::load(&global, listen)?;
    settings::start_logging(&command, &config)?;
    match command {
        Command::Serve(_) => serve::run(config).await,
        Command::Demo(demo) => demo::run(&global, config, demo).await,
        Command::Dev(dev) => dev::run(&global, config, dev).await,
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
        Command::Schema { kind, out } => assets::schema(kind.as_deref(), out.as_deref()),
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
        Command::Diff { asset, from, to } => assets::diff(session, &asset, from, to).await,
        Command::History { asset } => assets::history(session, &asset).await,
        Command::Alias { asset, alias, to, expected } => assets::alias(session, &asset, &alias, to, expected).await,
        Command::Export { dir, kind } => assets::export(session, &dir, kind.as_deref()).await,
        Command::Ingest(ingest) => knowledge::ingest(session, &ingest).await,
        Command::Search(search) => knowledge::search(session, &search).await,
        Command::Forget(forget) => knowledge::forget(session, forget).await,
        Command::Ask(ask) => ask::run(session, &ask).await,
        Command::Replay(replay) => traces::replay(session, &replay).await,
        Command::Traces { trace, app, limit } => traces::run(session, trace.as_deref(), app.as_deref(), limit).await,
        Command::Keys { command } => identity::keys(session, command).await,
        Command::Audit { verify } => identity::audit(session, verify).await,
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Dev(_)
        | Command::Models { .. }
        | Command::Doctor
        | Command::Config { .. }
        | Command::Openapi
        | Command::Reference { .. }
        | Command::Schema { .. }
        | Command::Parse => anyhow::bail!("this command does not talk to a server"),
    }
}

/// A path segment from outside text.
pub(crate) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
