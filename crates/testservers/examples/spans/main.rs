//! Sends spans over OTLP/HTTP as fast as they are taken, or at a fixed rate: for the benches of observability.
//!
//! `spans --url http://127.0.0.1:4318/v1/traces --connections 4 --spans 500000` sends, and prints one line of JSON. Requests are
//! encoded once; ids, times, users and a word of the text are filled in for each, which leaves the processor to the server.
//! A request that is not answered with 200 is sent again, as exporters do, so that in the end every span was acknowledged.

#[path = "../load/connection.rs"]
mod connection;
mod piece;
mod probe;
mod send;
mod shape;
mod tally;
#[path = "../load/wire.rs"]
#[expect(dead_code, reason = "the other program needs more of it")]
mod wire;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use tokio::runtime::Builder;

use self::send::Plan;

const USAGE: &str = "usage: spans --url URL [--connections N] [--spans N | --seconds S] [--rate SPANS_PER_SECOND] [--batch SPANS]
             [--header NAME:VALUE]... [--seed N] [--within SECONDS] [--follow URL] [--follow-every MS] [--sample N]
  --within   spans began within so many seconds before now, the first ones longest ago; otherwise they have just ended
  --sample   so many traces, spread over all of them, are told with their users and their rare words
  --follow   asks URL/TRACE for the whole of a trace that was just acknowledged, again and again";

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
    let plan = plan()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(send::run(plan))?;
    writeln!(io::stdout(), "{told}")?;
    Ok(())
}

fn plan() -> Outcome<Plan> {
    let (mut plan, mut arguments) = (Plan::default(), std::env::args().skip(1));
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{flag}` needs a value"))?;
        match flag.as_str() {
            "--url" => plan.place = Some(Place::read(&value)?),
            "--connections" => plan.connections = value.parse()?,
            "--spans" => plan.spans = Some(value.parse()?),
            "--seconds" => plan.seconds = Some(Duration::from_secs_f64(value.parse()?)),
            "--rate" => plan.rate = Some(value.parse()?),
            "--batch" => plan.batch = value.parse()?,
            "--seed" => plan.seed = value.parse()?,
            "--within" => plan.within = Some(Duration::from_secs_f64(value.parse()?)),
            "--follow" => plan.follow = Some(Place::read(&value)?),
            "--follow-every" => plan.follow_every = Duration::from_millis(value.parse()?),
            "--sample" => plan.sample = value.parse()?,
            "--header" => {
                let (name, value) = value.split_once(':').ok_or("a header is NAME:VALUE")?;
                plan.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            _ => return Err(format!("`{flag}` is not known").into()),
        }
    }
    Ok(plan)
}

/// Where something is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Place {
    fn read(url: &str) -> Outcome<Self> {
        let rest = url.strip_prefix("http://").ok_or("an URL must begin with http://")?;
        let (host, path) = rest.split_at(rest.find('/').ok_or("the URL has no path")?);
        let address = host.parse().map_err(|_| format!("`{host}` is not an address with a port"))?;
        Ok(Self { address, host: host.to_owned(), path: path.to_owned() })
    }
}
