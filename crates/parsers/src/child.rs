//! The side that touches foreign bytes. It limits itself first and answers until its input ends.

use std::{
    io::{stdin, stdout},
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use crate::{
    fault::ParseFault,
    frame::{self, Order, Reply},
    parse::parse_in_process,
    watch::Watch,
};

/// Deep but bounded recursion in parsers gets room; the rest ends in a crash that the parent reports.
const STACK: usize = 64 << 20;

/// Runs as `mainspring __parse`: orders on standard input, replies on standard output.
pub fn child_main() -> ExitCode {
    let worker = std::thread::Builder::new().stack_size(STACK).spawn(serve);
    match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn serve() -> std::io::Result<()> {
    // A panic is an answer, not noise in the server's log.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    let mut watch: Option<Watch> = None;
    while let Some(order) = frame::read(&mut input)? {
        let order: Order = serde_json::from_slice(&order)?;
        let watch: &Watch = match &mut watch {
            Some(watch) => watch,
            none => {
                limit(order.limits.memory);
                none.insert(Watch::start(order.parent)?)
            }
        };
        let Some(bytes) = frame::read(&mut input)? else { return Ok(()) };
        watch.expect_within(order.limits.wall);
        let parse = || parse_in_process(&bytes, &order.file_name, order.media_type.as_deref(), &order.limits);
        let stumbled = || ParseFault::Crashed { reason: "it stumbled over the file".into() };
        let reply: Reply = catch_unwind(AssertUnwindSafe(parse)).unwrap_or_else(|_| Err(stumbled()));
        watch.rest();
        frame::write(&mut output, &serde_json::to_vec(&reply)?)?;
    }
    Ok(())
}

/// No more memory than allowed, no files written, no core left behind.
fn limit(memory: u64) {
    use rlimit::Resource;
    for (resource, value) in [(Resource::AS, memory), (Resource::CORE, 0), (Resource::FSIZE, 0), (Resource::NOFILE, 16)] {
        // A stricter limit set by an administrator stays.
        let _ = rlimit::setrlimit(resource, value, value);
    }
}
