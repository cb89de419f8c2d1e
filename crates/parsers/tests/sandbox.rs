//! The pool with real children.

use std::{
    io::{Cursor, Write as _},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use mainspring_parsers::{Limits, ParseFault, ParseRequest, ParserConfig, ParserPool};
use zip::{ZipWriter, write::SimpleFileOptions};

fn pool(limits: Limits) -> ParserPool {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_parse-child"));
    ParserPool::start(ParserConfig { program, args: Vec::new(), workers: 2, limits })
}

fn request(name: &str, bytes: impl Into<Bytes>) -> ParseRequest {
    ParseRequest { bytes: bytes.into(), file_name: name.to_owned(), media_type: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_does_not_stop_the_next() {
    let pool = pool(Limits::default());
    for _ in 0..3 {
        assert!(matches!(pool.parse(request("x.json", "{")).await, Err(ParseFault::Malformed { .. })));
        assert_eq!(pool.parse(request("x.md", "# Hello\n\nthere")).await.unwrap().title, "Hello");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_takes_too_long_is_killed_and_replaced() {
    // A program that takes orders and never answers; a real child may answer before any time is up.
    let limits = Limits { wall: Duration::from_millis(50), ..Limits::default() };
    let config = ParserConfig { program: "/bin/sleep".into(), args: vec!["600".into()], workers: 1, limits };
    let pool = ParserPool::start(config);
    assert_eq!(pool.parse(request("x.md", "# Hello")).await, Err(ParseFault::TimedOut { seconds: 0 }));
    assert_eq!(pool.parse(request("x.md", "# Hello")).await, Err(ParseFault::TimedOut { seconds: 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_and_the_pool_lives_on() {
    let pool = pool(Limits { memory: 400 << 20, ..Limits::default() });
    // Twenty million small values take gigabytes as a tree.
    let hungry = format!("[{}1]", "1,".repeat(20_000_000));
    assert!(matches!(pool.parse(request("x.json", hungry)).await, Err(ParseFault::Crashed { .. })));
    assert_eq!(pool.parse(request("x.txt", "fine")).await.unwrap().text, "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_unpacks_to_more_than_a_child_may_have_is_told_as_such() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("word/document.xml", SimpleFileOptions::default()).unwrap();
    writer.write_all(&vec![b' '; 300 << 20]).unwrap();
    let bomb = writer.finish().unwrap().into_inner();
    // Once more than an archive may unpack to, and once more than the process may hold.
    for limits in [
        Limits { expansion: 200 << 20, ..Limits::default() },
        Limits { expansion: 512 << 20, memory: 400 << 20, ..Limits::default() },
    ] {
        let fault = pool(limits).parse(request("bomb.docx", bomb.clone())).await.unwrap_err();
        assert_eq!(fault, ParseFault::Expansion { limit: limits.expansion, entries: limits.entries });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_at_once_share_the_children() {
    let pool = pool(Limits::default());
    let parses = (0..40).map(|n| {
        let pool = pool.clone();
        async move { pool.parse(request("x.md", format!("# Title {n}"))).await.map(|document| document.title) }
    });
    let mut all = Vec::new();
    for parse in parses {
        all.push(tokio::spawn(parse));
    }
    for (n, handle) in all.into_iter().enumerate() {
        assert_eq!(handle.await.unwrap().unwrap(), format!("Title {n}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_said_so() {
    let config =
        ParserConfig { program: "/nonexistent/mainspring".into(), args: Vec::new(), workers: 1, limits: Limits::default() };
    assert!(matches!(ParserPool::start(config).parse(request("x", "y")).await, Err(ParseFault::Pool { .. })));
}

/// Whether a process is there and has not ended.
#[cfg(target_os = "linux")]
fn runs(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[cfg(target_os = "linux")]
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain for {what}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_does_not_fail_of_a_child_that_died_before() {
    let began = std::env::temp_dir().join(format!("mainspring-parsers-idle-{}", std::process::id()));
    let _ = std::fs::remove_file(&began);
    let script = format!("echo $$ >> '{}'; exec '{}'", began.display(), env!("CARGO_BIN_EXE_parse-child"));
    let args = vec!["-c".into(), script.into()];
    let pool = ParserPool::start(ParserConfig { program: "/bin/sh".into(), args, workers: 1, limits: Limits::default() });
    assert_eq!(pool.parse(request("x.txt", "one")).await.unwrap().text, "one");
    let children = || -> Vec<String> { std::fs::read_to_string(&began).unwrap_or_default().lines().map(str::to_owned).collect() };
    let idle = children().remove(0);
    assert!(std::process::Command::new("kill").args(["-KILL", &idle]).status().unwrap().success());
    until("the end of the child", || !runs(&idle)).await;
    assert_eq!(pool.parse(request("x.txt", "two")).await.unwrap().text, "two");
    assert_eq!(children().len(), 2);
    std::fs::remove_file(&began).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn as_many_children_work_as_there_are_workers_and_they_end_with_those_who_wait() {
    let began = std::env::temp_dir().join(format!("mainspring-parsers-began-{}", std::process::id()));
    let _ = std::fs::remove_file(&began);
    // A program that notes that it began, and never answers.
    let script = format!("echo $$ >> '{}'; exec /bin/sleep 600", began.display());
    let args = vec!["-c".into(), script.into()];
    let pool = ParserPool::start(ParserConfig { program: "/bin/sh".into(), args, workers: 2, limits: Limits::default() });
    let parse = |pool: ParserPool| async move { pool.parse(request("x.md", "# Hello")).await };
    let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(parse(pool.clone()))).collect();
    let children = || -> Vec<String> { std::fs::read_to_string(&began).unwrap_or_default().lines().map(str::to_owned).collect() };
    until("two children", || children().len() == 2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(children().len(), 2, "the other files wait for one of the two");
    assert!(children().iter().all(|child| runs(child)) && waiting.iter().all(|task| !task.is_finished()));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    until("the end of the children", || children().iter().all(|child| !runs(child))).await;
    std::fs::remove_file(&began).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_does_not_come_to_an_end_ends_with_a_parent_that_was_killed() {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        process::{Command, Stdio},
    };

    // The parent is another process, so that it can be killed; what it runs is the real child.
    let script = format!("exec 3<&0; '{}' <&3 & echo $!; exec /bin/sleep 600", env!("CARGO_BIN_EXE_parse-child"));
    let mut parent = Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut child = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut child).unwrap();
    let child = child.trim();
    // An order whose file never comes, through a pipe that outlives the parent: what works hangs, and no end of input
    // tells it of anything.
    let mut pipe = parent.stdin.take().unwrap();
    let order = serde_json::json!({"file_name": "x.md", "media_type": null, "limits": Limits::default(), "parent": parent.id()});
    let order = serde_json::to_vec(&order).unwrap();
    pipe.write_all(&(order.len() as u64).to_le_bytes()).unwrap();
    pipe.write_all(&order).unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(runs(child), "its parent is there and may still want the answer");
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the end of the child", || !runs(child)).await;
    drop(pipe);
}
