//! A model server and a load generator that leave the processors to what stands between them: for the bench of the gateway.
//!
//! `load upstream --port 9000` answers OpenAI's chat completions, whole and as streams;
//! `load closed|open|streams --url http://127.0.0.1:9000/v1/chat/completions` asks, and prints one line of JSON.
//! Both speak just as much HTTP/1.1 as that takes, on one thread, and build nothing anew for a request.

mod ask;
mod connection;
mod serve;
mod stamps;
mod tally;
mod wire;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use tokio::runtime::Builder;

use self::{ask::Plan, serve::Manner};

const USAGE: &str = "usage: load upstream [--port N] [--first MS] [--gap MS] [--chunks N]
       load closed --url URL [--connections N] [--seconds S] [--bytes N] [--stream yes] [--model NAME] [--header NAME:VALUE]...
       load open --rate PER_SECOND ... as closed
       load streams [--ramp S] ... as closed";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let _ = writeln!(io::stderr(), "{fault}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().ok_or("what to do is missing")?;
    let mut flags = Vec::new();
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{flag}` needs a value"))?;
        flags.push((flag, value));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    if mode == "upstream" {
        return runtime.block_on(upstream(&flags));
    }
    let told = runtime.block_on(ask::run(&mode, &plan(&flags)?))?;
    writeln!(io::stdout(), "{told}")?;
    Ok(())
}

async fn upstream(flags: &[(String, String)]) -> Outcome<()> {
    let (mut port, manner) = (0, Manner::default());
    for (flag, value) in flags {
        match flag.as_str() {
            "--port" => port = value.parse()?,
            "--first" | "--gap" | "--chunks" => manner.set(&flag[2..], value.parse()?),
            _ => return Err(format!("`{flag}` is not known").into()),
        }
    }
    serve::run(port, manner).await?;
    Ok(())
}

fn plan(flags: &[(String, String)]) -> Outcome<Plan> {
    let mut plan = Plan::default();
    for (flag, value) in flags {
        match flag.as_str() {
            "--url" => plan.url.clone_from(value),
            "--connections" => plan.connections = value.parse()?,
            "--seconds" => plan.seconds = Duration::from_secs_f64(value.parse()?),
            "--ramp" => plan.ramp = Duration::from_secs_f64(value.parse()?),
            "--rate" => plan.rate = value.parse()?,
            "--bytes" => plan.bytes = value.parse()?,
            "--stream" => plan.stream = value == "yes",
            "--model" => plan.model.clone_from(value),
            "--header" => {
                let (name, value) = value.split_once(':').ok_or("a header is NAME:VALUE")?;
                plan.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            _ => return Err(format!("`{flag}` is not known").into()),
        }
    }
    Ok(plan)
}
