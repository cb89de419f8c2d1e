//! A second client, which asks for a trace that was just acknowledged: the promise is that it is there.

use std::{
    io,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Place, connection::Connection, send::Shared, shape::SPANS_PER_TRACE, tally::Times};

/// A trace that is not there by then is lost.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// From the acknowledgement to an answer with every span of the trace.
    visible: Times,
    asked: u64,
    /// The first answer did not have every span.
    missed: u64,
    /// No answer had.
    lost: u64,
    last_miss: Option<String>,
}

impl Followed {
    pub(crate) fn told(self) -> Value {
        json!({
            "asked": self.asked,
            "missed": self.missed,
            "lost": self.lost,
            "last_miss": self.last_miss,
            "visible_ms": self.visible.told(),
        })
    }
}

pub(crate) async fn follow(shared: Arc<Shared>, place: Place, every: Duration) -> Followed {
    let (mut followed, mut connection) = (Followed::default(), None);
    while !shared.over.load(Relaxed) {
        let latest = shared.latest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((trace, acknowledged)) = latest else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        look_for(&shared.hex(trace), &place, acknowledged, &mut connection, &mut followed).await;
        tokio::time::sleep(every).await;
    }
    followed
}

async fn look_for(
    trace: &str,
    place: &Place,
    acknowledged: Instant,
    connection: &mut Option<Connection>,
    followed: &mut Followed,
) {
    let request = format!("GET {}/{trace} HTTP/1.1\r\nhost: {}\r\n\r\n", place.path, place.host);
    followed.asked += 1;
    let mut missed = false;
    while acknowledged.elapsed() < PATIENCE {
        match spans(&request, place, connection).await {
            Ok(SPANS_PER_TRACE) => {
                followed.visible.add(acknowledged.elapsed());
                return;
            }
            Ok(other) => followed.last_miss = Some(format!("{other} spans of {SPANS_PER_TRACE}")),
            Err(fault) => {
                *connection = None;
                followed.last_miss = Some(fault.to_string());
            }
        }
        followed.missed += u64::from(!std::mem::replace(&mut missed, true));
        tokio::time::sleep(AGAIN).await;
    }
    followed.lost += 1;
}

/// How many spans the answer has.
async fn spans(request: &str, place: &Place, connection: &mut Option<Connection>) -> io::Result<u64> {
    let mut taken = match connection.take() {
        Some(taken) => taken,
        None => Connection::open(place.address).await?,
    };
    let mut body = Vec::new();
    taken.ask(request.as_bytes(), |bytes| body.extend_from_slice(bytes)).await?;
    *connection = Some(taken);
    Ok(String::from_utf8_lossy(&body).matches("\"span\":\"").count() as u64)
}
