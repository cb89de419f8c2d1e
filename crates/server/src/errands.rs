//! Errands at the traces of a gateway, run by a process of its own: this binary, as `mainspring __errand`.
//!
//! There is one such process at a time, since it has the spill folder and the lake for itself. Errands of different kinds run in it
//! side by side, so that bringing does not wait for upkeep, and it ends when nothing is left to do.

mod child;
mod running;
#[cfg(test)]
mod tests;
mod words;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_config::Config;
use mainspring_kernel::{Stop, Tasks};
use mainspring_lake_lance::Durability;
use mainspring_observability::{Elsewhere, Ended, Errand, ErrandKind, TraceFault};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

pub use child::errand_main;

use crate::{
    building::{durability, own_program},
    fault::BootFault,
};
use running::Running;
use words::{Order, VERSION};

/// Errands that wait for a process.
const WANTED_MAX: usize = 8;
/// A process that was told to stop writes whole what it is at; longer it may take no share of the time that a stop may take.
const END_WITHIN: Duration = Duration::from_secs(5);
const END_SHARE: u32 = 4;
/// Of the time that a stop may take, what may still be brought in.
const BRING_SHARE: u32 = 2;

/// What became of an errand, or why it failed.
type Outcome = Result<Ended, String>;

/// An errand, and who waits for its outcome.
#[derive(Debug)]
struct Wanted {
    errand: Errand,
    answer: oneshot::Sender<Outcome>,
}

#[derive(Debug)]
enum Message {
    Run(Wanted),
    /// The process is to be ended, whatever it is at, and whoever wants that hears when it is gone.
    End(String, oneshot::Sender<()>),
}

#[derive(Debug)]
struct Asking(mpsc::Sender<Message>);

/// Starts who runs errands for this process. `rooms` are those who want them, and stop first.
pub(crate) fn elsewhere(config: &Config, rooms: Stop, tasks: &Tasks) -> Result<Arc<dyn Elsewhere>, BootFault> {
    let order = Order {
        version: VERSION.to_owned(),
        lake: config.lake_url(),
        synced: durability(config) == Durability::Disk,
        spill: config.data_dir().join("spill"),
        values: config.data_dir().join("values"),
        log: (config.log.filter.clone(), config.log.format.clone()),
    };
    let keeper = Keeper { program: own_program()?, order, grace: config.server.shutdown_grace.0 };
    Ok(Arc::new(keeper.start(rooms, tasks)))
}

#[async_trait]
impl Elsewhere for Asking {
    async fn run(&self, errand: Errand) -> Result<Ended, TraceFault> {
        let gone = || TraceFault::Errand { reason: "nobody starts processes for it any longer".to_owned() };
        let (answer, outcome) = oneshot::channel();
        self.0.send(Message::Run(Wanted { errand, answer })).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?.map_err(|reason| TraceFault::Errand { reason })
    }

    async fn end(&self, reason: &str) {
        let (done, gone) = oneshot::channel();
        if self.0.send(Message::End(reason.to_owned(), done)).await.is_ok() {
            let _ = gone.await;
        }
    }
}

impl Wanted {
    /// Who asked may have gone.
    fn tell(self, outcome: Outcome) {
        let _ = self.answer.send(outcome);
    }
}

/// For as long as the server runs.
#[derive(Debug)]
struct Shift {
    inbox: mpsc::Receiver<Message>,
    rooms: Stop,
    stop: Stop,
    /// Since when those who want errands are to stop.
    closing: Option<Instant>,
}

/// Starts processes, and talks to them.
#[derive(Debug)]
struct Keeper {
    program: PathBuf,
    order: Order,
    grace: Duration,
}

/// Why a process is watched no longer.
#[derive(Debug)]
enum Why {
    Ended,
    /// It must be killed, for this reason.
    Killed(String),
    /// The same, and who wants it hears when it is gone.
    Unwanted(String, oneshot::Sender<()>),
}

impl Keeper {
    fn start(self, rooms: Stop, tasks: &Tasks) -> Asking {
        let (to, inbox) = mpsc::channel(WANTED_MAX);
        tasks.spawn("traces: errands", |stop| self.keep(Shift { inbox, rooms, stop, closing: None }));
        Asking(to)
    }

    async fn keep(self, mut shift: Shift) {
        loop {
            tokio::select! {
                biased;
                () = shift.stop.requested() => return,
                () = shift.rooms.requested(), if shift.closing.is_none() => shift.closing = Some(Instant::now()),
                message = shift.inbox.recv() => match message {
                    Some(Message::Run(wanted)) if self.comes_too_late(&wanted, &shift) => wanted.tell(Ok(Ended::Stopped)),
                    Some(Message::Run(wanted)) => self.attend(wanted, &mut shift).await,
                    Some(Message::End(_, done)) => {
                        let _ = done.send(());
                    }
                    None => return,
                },
            }
        }
    }

    /// Before the end little is brought, and nothing is put in order.
    fn comes_too_late(&self, wanted: &Wanted, shift: &Shift) -> bool {
        let late = |until: Instant| wanted.errand.kind() != ErrandKind::Bring || Instant::now() >= until;
        self.bring_until(shift).is_some_and(late)
    }

    fn bring_until(&self, shift: &Shift) -> Option<Instant> {
        shift.closing.map(|since| since + self.grace / BRING_SHARE)
    }

    fn end_within(&self) -> Duration {
        END_WITHIN.min(self.grace / END_SHARE)
    }

    /// Has a process run an errand, and whatever else is wanted meanwhile.
    async fn attend(&self, first: Wanted, shift: &mut Shift) {
        let mut running = match Running::start(&self.program, &self.order).await {
            Ok(running) => running,
            Err(error) => return first.tell(Err(format!("it could not be started: {error}"))),
        };
        running.want(first);
        let why = self.watch(&mut running, shift).await;
        running.put_away(why, shift.closing.is_some()).await;
    }

    async fn watch(&self, running: &mut Running, shift: &mut Shift) -> Why {
        loop {
            if let Err(why) = running.hand_over(self.end_within()).await {
                return why;
            }
            let (silent_at, ends_at, takes_more) = (running.silent_at(), running.ends_at(), !running.is_ending());
            let stops_at = self.bring_until(shift).filter(|_| takes_more);
            tokio::select! {
                biased;
                () = shift.stop.requested() => return Why::Killed("the server has stopped".to_owned()),
                () = shift.rooms.requested(), if shift.closing.is_none() => {
                    shift.closing = Some(Instant::now());
                    running.stop(self.end_within()).await;
                }
                line = running.lines.next_line() => match line {
                    Ok(Some(line)) => {
                        if let Some(why) = running.hear(&line) {
                            return why;
                        }
                    }
                    Ok(None) | Err(_) => return Why::Ended,
                },
                () = sleep_until(silent_at) => {
                    return Why::Killed("it said nothing for a while: it was stopped, or hangs".to_owned());
                }
                () = at(ends_at) => return Why::Killed("it did not end when it was told to".to_owned()),
                () = at(stops_at) => running.stop(self.end_within()).await,
                message = shift.inbox.recv(), if takes_more => match message {
                    Some(Message::Run(wanted)) if self.comes_too_late(&wanted, shift) => wanted.tell(Ok(Ended::Stopped)),
                    Some(Message::Run(wanted)) => running.want(wanted),
                    Some(Message::End(reason, done)) => return Why::Unwanted(reason, done),
                    None => return Why::Killed("the server has stopped".to_owned()),
                },
            }
        }
    }
}

/// Never, where there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
