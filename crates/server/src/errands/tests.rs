//! What is done with a process that runs errands, by small programs that speak as the real one does.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tokio::time::timeout;

use super::*;

const WAIT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

/// It is started by its order, and is ready.
const BEGIN: &str = "read -r order\necho '\"Ready\"'\n";

struct Place {
    asking: Asking,
    rooms: Tasks,
    tasks: Tasks,
    dir: tempfile::TempDir,
}

/// Processes that run this script.
fn place(grace: Duration, script: impl FnOnce(&Path) -> String) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    std::fs::write(&program, format!("#!/bin/sh\n{}", script(dir.path()))).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let order = Order {
        version: VERSION.to_owned(),
        lake: "lake".to_owned(),
        synced: false,
        spill: PathBuf::from("spill"),
        values: PathBuf::from("values"),
        log: ("info".to_owned(), "text".to_owned()),
    };
    let (rooms, tasks) = (Tasks::default(), Tasks::default());
    let asking = Keeper { program, order, grace }.start(rooms.stop(), &tasks);
    Place { asking, rooms, tasks, dir }
}

fn upkeep() -> Errand {
    Errand::upkeep(None, Duration::from_secs(60))
}

/// Of no segments.
fn bring() -> Errand {
    serde_json::from_str(r#"{"Bring":[]}"#).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bringing_does_not_wait_for_upkeep_in_the_same_process() {
    let answers =
        "while read -r line; do case \"$line\" in *Bring*) echo '{\"Ended\":{\"id\":1,\"ended\":\"Done\"}}';; esac; done";
    let Place { asking, tasks, .. } = &place(WAIT, |_| format!("{BEGIN}{answers}"));
    let mut tending = Box::pin(asking.run(upkeep()));
    assert!(timeout(SHORT, &mut tending).await.is_err());
    assert_eq!(timeout(WAIT, asking.run(bring())).await.unwrap().unwrap(), Ended::Done);
    assert!(timeout(SHORT, &mut tending).await.is_err(), "upkeep goes on");
    asking.end("it hangs").await;
    let fault = timeout(WAIT, tending).await.unwrap().unwrap_err();
    assert!(fault.to_string().ends_with("it hangs"), "{fault}");
    tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_says_why_it_can_do_nothing_and_the_system_says_how_it_ended() {
    let fails = "read -r order\necho '{\"Fails\":{\"reason\":\"there is no lake\"}}'\nexit 1\n";
    for (script, reason) in [(fails.to_owned(), "there is no lake"), (format!("{BEGIN}read -r ask\nexit 7\n"), "exit status: 7")]
    {
        let Place { asking, .. } = &place(WAIT, |_| script.clone());
        // Each has a process of its own.
        for errand in [upkeep(), bring()] {
            let fault = timeout(WAIT, asking.run(errand)).await.unwrap().unwrap_err();
            assert!(fault.to_string().ends_with(reason), "{fault}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_could_not_bring_does_nothing_more() {
    let fails =
        "while read -r line; do case \"$line\" in *Bring*) echo '{\"Failed\":{\"id\":0,\"reason\":\"no answer\"}}';; esac; done";
    let it = place(WAIT, |dir| format!("echo $$ >> {}/seen\n{BEGIN}{fails}", dir.display()));
    for times in 1..3 {
        let fault = timeout(WAIT, it.asking.run(bring())).await.unwrap().unwrap_err();
        assert!(fault.to_string().ends_with("no answer"), "{fault}");
        let seen = std::fs::read_to_string(it.dir.path().join("seen")).unwrap();
        assert_eq!(seen.lines().count(), times);
        let last = seen.lines().last().unwrap();
        assert!(!Path::new(&format!("/proc/{last}")).exists(), "whoever hears of it finds the folder free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_a_process_is_told_to_stop_and_one_that_does_not_is_killed() {
    let stops = "while read -r line; do case \"$line\" in '\"Stop\"') echo '{\"Ended\":{\"id\":0,\"ended\":\"Stopped\"}}'; exit 0;; esac; done";
    let stopped = |outcome: Result<Ended, TraceFault>| outcome.is_ok_and(|ended| ended == Ended::Stopped);
    let killed = |outcome: Result<Ended, TraceFault>| outcome.is_err_and(|fault| fault.to_string().contains("told to"));
    let cases: [(&str, &dyn Fn(Result<Ended, TraceFault>) -> bool); 2] =
        [(stops, &stopped), ("while :; do sleep 1; done", &killed)];
    for (script, ends) in cases {
        let asked = |dir: &Path| format!("{BEGIN}read -r ask\ntouch {}/asked\n{script}", dir.display());
        let Place { asking, rooms, tasks, dir } = &place(Duration::from_secs(2), asked);
        let mut tending = Box::pin(asking.run(upkeep()));
        let is_asked = async {
            while !dir.path().join("asked").exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            outcome = &mut tending => panic!("it has ended: {outcome:?}"),
            () = is_asked => {}
        }
        rooms.ask_to_stop();
        assert!(ends(timeout(WAIT, tending).await.unwrap()), "{script}");
        assert_eq!(asking.run(upkeep()).await.unwrap(), Ended::Stopped, "nothing is put in order at the end");
        tasks.shut_down(WAIT).await.unwrap();
    }
}
