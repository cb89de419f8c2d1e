//! Sends what is due. Each receiver is a lane of its own, so one that hangs holds up nobody else; a notice that did not
//! arrive is sent again, by this process or, when it died, by another.

use std::{collections::HashMap, time::Duration};

use mainspring_kernel::{AssetRef, Fault as _, Stop, Timestamp, fault, id::ProjectId, text};
use tokio::task::{Id, JoinSet};

use crate::{
    fault::AlertFault,
    model::DeliveryState,
    notice::Notice,
    send::{Hope, Parcel, Sent, Unsent},
    service::Alerts,
    spec::ReceiverSpec,
    store::{self, Leased},
};

/// How often to look for what other processes were told, and for what is due again.
const POLL: Duration = Duration::from_secs(1);
/// Receivers that are sent to at once.
const LANES: usize = 64;
/// Beyond the time that a try may take: for writing down how it went.
const GRACE: Duration = Duration::from_secs(20);
/// The pause before the second try; each later one is twice as long, up to the longest.
const BACKOFF_FIRST: Duration = Duration::from_secs(5);
const BACKOFF_LONGEST: Duration = Duration::from_secs(3600);
/// A receiver that is not well is left alone for so long at most, unless it asks for more.
const REST_LONGEST: Duration = Duration::from_secs(60);
/// After a failed catalog: long enough not to hammer it.
const PAUSE: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);
const ERROR_MAX: usize = 600;
/// For a receiver that nobody knows: somebody may apply it.
const ATTEMPTS_UNKNOWN: u32 = 12;
const TIMEOUT_UNKNOWN: Duration = Duration::from_secs(10);

type Lane = (ProjectId, AssetRef);

/// What a lane has to do now.
enum Next {
    Send(Box<Leased>),
    /// It was tried as often as it may be, the last time by a process that died.
    Exhausted(Box<Leased>),
    /// Enough was sent for now.
    RestUntil(Timestamp),
    Nothing,
}

impl Alerts {
    /// Until told to stop. What is under way then is given back, and sent again by whoever is there next.
    pub async fn keep_delivering(self, stop: Stop) {
        let mut tasks = JoinSet::new();
        let mut lanes: HashMap<Id, Lane> = HashMap::new();
        while !stop.is_requested() {
            match self.due_lanes().await {
                Ok(due) => {
                    let free = LANES.saturating_sub(lanes.len());
                    let idle: Vec<Lane> =
                        due.into_iter().filter(|lane| !lanes.values().any(|busy| busy == lane)).take(free).collect();
                    for lane in idle {
                        let task = tasks.spawn(self.clone().work_lane(lane.clone(), stop.clone()));
                        lanes.insert(task.id(), lane);
                    }
                }
                Err(found) if found.kind().is_transient() => {}
                Err(found) => tracing::warn!(cause = %fault::chain(&found), "deliveries cannot be read; it is tried again"),
            }
            tokio::select! {
                () = stop.requested() => {}
                () = self.inner.woken.notified() => {}
                Some(ended) = tasks.join_next_with_id() => {
                    let id = match ended {
                        Ok((id, ())) => id,
                        Err(panicked) => {
                            tracing::error!(%panicked, "a delivery panicked");
                            panicked.id()
                        }
                    };
                    lanes.remove(&id);
                }
                () = tokio::time::sleep(POLL) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// For whoever knows that no other process is alive: what one was sending when it died is due at once.
    pub async fn end_leases(&self) -> Result<usize, AlertFault> {
        Ok(store::end_leases(&self.inner.catalog).await?)
    }

    pub(crate) async fn due_lanes(&self) -> Result<Vec<Lane>, AlertFault> {
        Ok(store::due_lanes(&self.inner.catalog, self.now()).await?)
    }

    /// Sends what is due in a lane, one after the other.
    pub(crate) async fn work_lane(self, lane: Lane, stop: Stop) {
        while !stop.is_requested() {
            match Box::pin(self.send_next(&lane, &stop)).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(found) => {
                    tracing::warn!(cause = %fault::chain(&found), receiver = %lane.1, "a delivery could not be written down; it is tried again");
                    stop.sleep(PAUSE).await;
                    break;
                }
            }
        }
    }

    /// Answers whether there may be more to do.
    async fn send_next(&self, lane: &Lane, stop: &Stop) -> Result<bool, AlertFault> {
        let spec = self.spec(lane.0, &lane.1).await;
        let leased = match self.take(lane, spec.as_ref().ok()).await? {
            Next::Nothing => return Ok(false),
            Next::RestUntil(until) => {
                store::rest_lane(&self.inner.catalog, (lane.0, &lane.1), until).await?;
                return Ok(false);
            }
            Next::Exhausted(leased) => {
                let status = leased.delivery.status;
                let last = "this server ended in the middle of the last try";
                store::failed(&self.inner.catalog, &leased, (status, last), self.now()).await?;
                return Ok(true);
            }
            Next::Send(leased) => leased,
        };
        let spec = match spec {
            Ok(spec) => spec,
            Err(fault) => {
                self.not_arrived(lane, (&leased, ATTEMPTS_UNKNOWN), unknown(&fault)).await?;
                return Ok(true);
            }
        };
        if let Some(why) = spec.declines(leased.delivery.what) {
            let skipped = (DeliveryState::Skipped.as_str(), None, Some(why));
            store::delivered(&self.inner.catalog, &leased, skipped, self.now()).await?;
            return Ok(true);
        }
        let sent = tokio::select! {
            sent = self.send(&spec, lane, &leased) => sent,
            () = stop.requested() => {
                store::release(&self.inner.catalog, &leased).await?;
                return Ok(false);
            }
        };
        match sent {
            Ok(Sent { status, note }) => {
                let arrived = (DeliveryState::Delivered.as_str(), status, note.as_deref());
                store::delivered(&self.inner.catalog, &leased, arrived, self.now()).await?;
            }
            Err(unsent) => self.not_arrived(lane, (&leased, spec.attempts), unsent).await?,
        }
        Ok(true)
    }

    #[tracing::instrument(skip_all, fields(delivery.id = %leased.delivery.id, receiver = %lane.1, attempt = leased.delivery.attempts))]
    async fn send(&self, spec: &ReceiverSpec, lane: &Lane, leased: &Leased) -> Result<Sent, Unsent> {
        let notice = Notice { what: leased.delivery.what, ..leased.notice.clone() };
        let id = leased.delivery.id.to_string();
        let parcel = Parcel { project: lane.0, receiver: &lane.1.name, spec, notice: &notice, id: &id, now: self.now() };
        self.inner.courier.send(parcel).await
    }

    async fn take(&self, lane: &Lane, spec: Option<&ReceiverSpec>) -> Result<Next, AlertFault> {
        let now = self.now();
        let timeout = spec.map_or(TIMEOUT_UNKNOWN, |spec| spec.timeout.as_duration());
        let until = now.plus(timeout + GRACE);
        let most = spec.map_or(ATTEMPTS_UNKNOWN, |spec| spec.attempts);
        let per_minute = spec.map_or(usize::MAX >> 1, |spec| spec.per_minute as usize);
        let lane = (lane.0, &lane.1);
        self.inner
            .catalog
            .transact(|mut tx| async move {
                // Another process is at it; what it leaves is due when its lease ends.
                if store::in_lane(&mut tx, lane, now).await? {
                    return Ok((tx, Next::Nothing));
                }
                let Some(found) = store::next_in_lane(&mut tx, lane, now).await? else { return Ok((tx, Next::Nothing)) };
                if found.delivery.attempts >= most {
                    return Ok((tx, Next::Exhausted(Box::new(found))));
                }
                let recent = store::recently_attempted(&mut tx, lane, now.minus(MINUTE), per_minute).await?;
                if recent.len() >= per_minute
                    && let Some(oldest) = recent.last()
                {
                    return Ok((tx, Next::RestUntil(oldest.plus(MINUTE))));
                }
                let leased = store::lease(&mut tx, found, (now, until)).await?;
                Ok::<_, AlertFault>((tx, Next::Send(Box::new(leased))))
            })
            .await
    }

    async fn not_arrived(&self, lane: &Lane, (leased, most): (&Leased, u32), unsent: Unsent) -> Result<(), AlertFault> {
        let Unsent { message, status, retry_after, hope } = unsent;
        let (catalog, now, attempt) = (&self.inner.catalog, self.now(), leased.delivery.attempts);
        let message = text::elide(&message.replace('\0', "\u{fffd}"), ERROR_MAX);
        let pause = backoff(attempt).max(retry_after.unwrap_or_default());
        if hope == Hope::Never || attempt >= most {
            tracing::warn!(delivery.id = %leased.delivery.id, receiver = %lane.1, error = message, "a notice was given up");
            store::failed(catalog, leased, (status, &message), now).await?;
        } else {
            store::retried(catalog, leased, (status, &message), now.plus(pause)).await?;
        }
        if hope == Hope::ReceiverLater {
            let rest = retry_after.unwrap_or_else(|| pause.min(REST_LONGEST));
            store::rest_lane(catalog, (lane.0, &lane.1), now.plus(rest)).await?;
        }
        Ok(())
    }
}

fn unknown(fault: &AlertFault) -> Unsent {
    Unsent { message: fault.to_string(), status: None, retry_after: None, hope: Hope::Later }
}

/// Doubles with each try; a random half of it is left out, so that notices that failed together do not come back together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let longest = BACKOFF_LONGEST.as_millis() as u64;
    let first = BACKOFF_FIRST.as_millis() as u64;
    let full = first.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(longest);
    Duration::from_millis(rand::random_range(full / 2..=full))
}
