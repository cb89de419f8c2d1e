//! Work on a thread of its own that gives way to the threads which answer calls.

use std::thread;

use tokio::{runtime::Builder, sync::oneshot};

/// How much nicer than the process the thread is: ten more, and it gets a ninth of what a thread that answers calls gets,
/// where both want the same processor.
#[cfg(target_os = "linux")]
const NICER: i32 = 10;

/// Runs the work to its end, with whatever it spawns, on a thread of its own.
pub async fn aside(name: &str, work: impl Future<Output = ()> + Send + 'static) {
    let (done, ended) = oneshot::channel();
    let started = thread::Builder::new().name(name.to_owned()).spawn(move || {
        give_way();
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(work),
            Err(error) => tracing::error!(%error, "a thread for work in the background has no runtime"),
        }
        let _ = done.send(());
    });
    match started {
        // It says nothing where the work has panicked, which is told by then.
        Ok(_) => drop(ended.await),
        Err(error) => tracing::error!(%error, "no thread can be started for work in the background"),
    }
}

/// Threads that this one starts give way with it.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe way to say this to the kernel")]
fn give_way() {
    unsafe extern "C" {
        fn nice(more: std::ffi::c_int) -> std::ffi::c_int;
    }
    // SAFETY: the call reads and writes no memory of this process. On Linux it is about the thread that makes it.
    let _ = unsafe { nice(NICER) };
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn work_runs_to_its_end_on_a_thread_that_gives_way() {
        let seen = Arc::new(AtomicU64::new(0));
        let tells = Arc::clone(&seen);
        aside("a test", async move {
            tokio::task::yield_now().await;
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // The name of a thread may hold anything; the niceness is the seventeenth field after it.
            let niceness = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap();
            tells.store(niceness, Ordering::SeqCst);
        })
        .await;
        assert!(seen.load(Ordering::SeqCst) >= 10, "{seen:?}");
    }
}
