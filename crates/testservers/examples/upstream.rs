//! The scripted model server as a program, for benches and for programs in other languages.
//!
//! `cargo run -p mainspring-testservers --example upstream -- --port 9000 --threads 1 --keep 0 --do chunks=200,gap=20ms`

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use mainspring_testservers::upstream::{Behaviour, Options, Script, Upstream};

const USAGE: &str = "usage: upstream [--port N] [--threads N] [--keep REQUESTS] [--do BEHAVIOUR]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let _ = writeln!(io::stderr(), "{fault}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (mut options, mut otherwise) = (Options::default(), Behaviour::default());
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{flag}` needs a value"))?;
        match flag.as_str() {
            "--port" => options.port = value.parse()?,
            "--threads" => options.threads = value.parse()?,
            "--keep" => options.keep = value.parse()?,
            "--do" => otherwise = value.parse()?,
            _ => return Err(format!("`{flag}` is not known").into()),
        }
    }
    let upstream = Upstream::start_with(Script::always(otherwise), &options)?;
    writeln!(io::stdout(), "listening on {}", upstream.url())?;
    io::stdout().flush()?;
    // Until the process is ended.
    loop {
        std::thread::park();
    }
}
