//! The mainspring binary.

mod args;
mod commands;
mod connection;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[expect(unsafe_code, reason = "code that must not use this build's instructions can only be written in assembly")]
mod cpu;
mod memory;
mod output;
mod reference;
mod report;
mod specs;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    mainspring_server::prepare_environment();
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        // Help and the version are asked for; anything else is a mistake in the input.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    // The parser child sets its own limits and must not start a runtime first.
    if matches!(args.command, args::Command::Parse) {
        name_process();
        return mainspring_parsers::child_main();
    }
    if matches!(args.command, args::Command::Errand) {
        name_process();
        memory::spare();
        return mainspring_server::errand_main();
    }
    match args.command {
        args::Command::Gateway(_) => memory::spare(),
        args::Command::Serve(_) => memory::be_modest(),
        _ => {}
    }
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.enable_all().on_thread_park(memory::waits).thread_keep_alive(memory::THREADS_WAIT);
    let runtime = match threads.build() {
        Ok(runtime) => runtime,
        Err(error) => return report::failed(&anyhow::Error::new(error).context("cannot start the runtime"), args.global.json),
    };
    let json = args.global.json;
    let outcome = runtime.block_on(commands::run(args));
    // Blocking work that nobody waits for (a parse, a model load) must not hold the exit.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => report::failed(&error, json),
    }
}

/// Children are started by what they run, not by where that lies: the kernel would call them `exe` in lists of processes.
fn name_process() {
    let _ = std::fs::write("/proc/self/comm", "mainspring");
}
