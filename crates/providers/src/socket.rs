//! The only I/O of this crate: sends what adapters wrote, and hands on what comes back as it comes.

mod dial;
mod door;
mod explain;
mod incoming;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, Error},
    rt::{TokioExecutor, TokioTimer},
};
use mainspring_kernel::{Fault, FaultKind};
use tokio::time::{Instant, timeout_at};

use self::{
    dial::Dialler,
    door::{CONNECT, Door},
};
pub use self::{dial::NotDialled, incoming::Incoming};
use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::{Endpoint, Outgoing},
};

/// Servers let one HTTP/2 connection carry about a hundred requests and make the others wait, so connections are kept in
/// lanes, and a further lane is used when the ones before it are full.
const LANES: usize = 32;
const LANE_FULL: usize = 90;

/// What may lie unread of one answer over HTTP/2. A connection has room for all answers of its lane, so that a client who
/// reads slowly keeps nobody else waiting.
const UNREAD: u32 = 256 * 1024;

/// A dead HTTP/2 connection would swallow every request that follows.
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// How this process reaches out.
#[derive(Debug, Clone)]
pub struct SocketConfig {
    /// A connection with its TLS stands within this time, whatever a route allows.
    pub connect: Duration,
    /// A connection nobody uses is closed after this time.
    pub pool_idle: Duration,
    /// Connections to one host that are kept while nobody uses them, in each lane of 90 requests.
    pub pool_per_host: usize,
    pub user_agent: String,
    /// Allows loopback, private and link-local addresses; those where clouds hand out credentials stay refused.
    pub allow_private: bool,
    /// Host names that may resolve to such addresses all the same.
    pub allow_hosts: Vec<String>,
    /// A PEM file with certificate authorities to trust beside the machine's own.
    pub authorities: Option<PathBuf>,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // Below the minute after which common load balancers close without a word.
            pool_idle: Duration::from_secs(50),
            pool_per_host: LANE_FULL,
            user_agent: concat!("mainspring/", env!("CARGO_PKG_VERSION")).to_owned(),
            allow_private: false,
            allow_hosts: Vec::new(),
            authorities: None,
        }
    }
}

/// What keeps a socket from being made.
#[derive(Debug, thiserror::Error)]
pub enum SocketFault {
    #[error("`{given}` cannot be sent as a user agent")]
    UserAgent { given: String },
    #[error("the certificate authorities in {path} cannot be used: {reason}")]
    Authorities { path: String, reason: String },
    #[error("TLS cannot be set up: {reason}")]
    Tls { reason: String },
}

impl Fault for SocketFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::UserAgent { .. } | Self::Authorities { .. } => FaultKind::Invalid,
            Self::Tls { .. } => FaultKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UserAgent { .. } => "socket-user-agent",
            Self::Authorities { .. } => "socket-authorities",
            Self::Tls { .. } => "socket-tls",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Authorities { .. } => Some("give a file with one or more certificates in PEM form".into()),
            Self::UserAgent { .. } | Self::Tls { .. } => None,
        }
    }
}

/// How long one attempt is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection, where a new one is needed.
    pub connect: Duration,
    /// From the beginning until the head of the answer, and until the first piece of it.
    pub first: Duration,
    /// Between two pieces.
    pub idle: Duration,
    /// Then it ends, finished or not.
    pub until: Instant,
}

/// Sends requests over connections that are kept and used again. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Socket {
    lanes: Arc<[Arc<Lane>]>,
    user_agent: HeaderValue,
    dialler: Arc<Dialler>,
}

#[derive(Debug)]
struct Lane {
    client: Client<Door, Full<Bytes>>,
    /// Requests whose answer is not read to its end yet.
    busy: AtomicUsize,
}

/// A place in a lane, until it is dropped.
#[derive(Debug)]
struct Busy(Arc<Lane>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Socket {
    pub fn new(config: SocketConfig) -> Result<Self, SocketFault> {
        let Ok(user_agent) = HeaderValue::from_str(&config.user_agent) else {
            return Err(SocketFault::UserAgent { given: config.user_agent });
        };
        let door = Door::new(&config)?;
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.pool_idle)
            .pool_max_idle_per_host(config.pool_per_host)
            .http2_initial_stream_window_size(UNREAD)
            .http2_initial_connection_window_size(UNREAD * LANE_FULL as u32)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PONG_WITHIN)
            // A request that was given to a connection which turns out to be closed, and of which no byte was written, goes to
            // another one. Once a byte was written the server may have done what it says: whoever asked must decide.
            .retry_canceled_requests(true);
        let lanes = (0..LANES).map(|_| Arc::new(Lane { client: builder.build(door.clone()), busy: AtomicUsize::new(0) }));
        Ok(Self { lanes: lanes.collect(), user_agent, dialler: Arc::new(door.dialler()) })
    }

    /// Sends a request and waits for the head of its answer, whatever its status. Dropping the future, or the answer before
    /// its end, closes the connection, or the request's stream on it.
    pub async fn send(&self, endpoint: &Endpoint, outgoing: Outgoing, patience: Patience) -> Result<Incoming, UpstreamFault> {
        let Outgoing { method, uri, mut headers, body } = outgoing;
        headers.entry(header::USER_AGENT).or_insert_with(|| self.user_agent.clone());
        // Answers are read and handed on as they come; compressed ones would have to be unpacked first.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;

        let first = before(patience.until, patience.first);
        let busy = self.enter();
        let answer = CONNECT.scope(patience.connect, busy.0.client.request(request));
        match timeout_at(first, answer).await {
            Ok(Ok(response)) => Ok(Incoming::new(&endpoint.provider, response, busy, patience, first)),
            Ok(Err(fault)) => Err(not_answered(endpoint, &fault)),
            Err(_) => Err(UpstreamFault::new(endpoint, FaultClass::Timeout, late(patience, first))),
        }
    }

    fn enter(&self) -> Busy {
        let busy = |lane: &&Arc<Lane>| lane.busy.load(Ordering::Relaxed);
        let lane = self.lanes.iter().find(|lane| busy(lane) < LANE_FULL);
        let lane = lane.or_else(|| self.lanes.iter().min_by_key(busy)).unwrap_or(&self.lanes[0]);
        lane.busy.fetch_add(1, Ordering::Relaxed);
        Busy(lane.clone())
    }
}

fn not_answered(endpoint: &Endpoint, fault: &Error) -> UpstreamFault {
    let (class, message) = explain::not_answered(&endpoint.base_url, fault);
    UpstreamFault::new(endpoint, class, message)
}

fn late(patience: Patience, first: Instant) -> String {
    if first < patience.until {
        format!("no answer began within {:?}", patience.first)
    } else {
        "no answer began before the attempt's time was over".into()
    }
}

/// The moment after `wait` from now, if that is before `until`.
fn before(until: Instant, wait: Duration) -> Instant {
    Instant::now().checked_add(wait).map_or(until, |moment| moment.min(until))
}
