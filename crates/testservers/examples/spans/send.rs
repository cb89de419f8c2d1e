//! Several connections that send requests of spans until all of them are acknowledged or the time is up.

use std::{
    fmt::Write as _,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{
    Outcome, Place,
    connection::Connection,
    piece::{Hole, What},
    probe,
    shape::{self, SPANS_PER_TRACE, mix},
    tally::Times,
};

/// Different requests; each is sent again and again with other ids.
const REQUESTS: usize = 16;
const USERS: u64 = 2_000;
const TRACES_PER_SESSION: u64 = 4;
const RARE_WORDS: u64 = 20_000;
/// After so many failures in a row the server is gone.
const FAILURES: u32 = 200;
const WAIT: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) place: Option<Place>,
    pub(crate) connections: usize,
    pub(crate) spans: Option<u64>,
    pub(crate) seconds: Option<Duration>,
    /// Spans a second; as fast as they are taken where it is absent.
    pub(crate) rate: Option<f64>,
    pub(crate) batch: u64,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) seed: u64,
    pub(crate) within: Option<Duration>,
    pub(crate) follow: Option<Place>,
    pub(crate) follow_every: Duration,
    pub(crate) sample: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            place: None,
            connections: 4,
            spans: None,
            seconds: None,
            rate: None,
            batch: 512,
            headers: Vec::new(),
            seed: 1,
            within: None,
            follow: None,
            follow_every: Duration::from_millis(25),
            sample: 0,
        }
    }
}

/// A request as bytes, and where its holes are.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    holes: Vec<Hole>,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    plan: Plan,
    place: Place,
    templates: Vec<Template>,
    traces_per_request: u64,
    /// The traces that are to be sent, where their number was said.
    traces: Option<u64>,
    began: Instant,
    began_at: u64,
    /// The first trace of the next request.
    next: AtomicU64,
    /// Whether all of them came to their end.
    pub(crate) over: AtomicBool,
    /// A trace that was just acknowledged, and when.
    pub(crate) latest: Mutex<Option<(u64, Instant)>>,
}

/// What one connection saw, and in the end all of them.
#[derive(Debug, Default)]
struct Tally {
    times: Times,
    /// Answers that told to come again later: 429 and 503.
    refused: u64,
    errors: u64,
    last_error: Option<String>,
    /// Requests that were given up without an acknowledgement.
    given_up: u64,
}

impl Shared {
    fn new(plan: Plan) -> Outcome<(Self, f64)> {
        let place = plan.place.clone().ok_or("`--url` is missing")?;
        if plan.batch == 0 || !plan.batch.is_multiple_of(SPANS_PER_TRACE) || plan.connections == 0 {
            return Err(format!("a batch is a multiple of {SPANS_PER_TRACE} spans, and there is a connection at least").into());
        }
        if plan.spans.is_some() == plan.seconds.is_some() {
            return Err("either `--spans` or `--seconds` is needed".into());
        }
        let traces_per_request = plan.batch / SPANS_PER_TRACE;
        let mut head =
            format!("POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-protobuf\r\n", place.path, place.host);
        for (name, value) in &plan.headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        let (mut templates, mut weight) = (Vec::new(), 0);
        for number in 0..REQUESTS {
            let (body, bytes) = shape::request(number, traces_per_request);
            weight += bytes;
            let mut whole = format!("{head}content-length: {}\r\n\r\n", body.bytes.len()).into_bytes();
            let begin = whole.len();
            whole.extend_from_slice(&body.bytes);
            let holes = body.holes.into_iter().map(|hole| Hole { at: begin + hole.at, ..hole }).collect();
            templates.push(Template { bytes: whole, holes });
        }
        let traces = plan.spans.map(|spans| spans.div_ceil(plan.batch) * traces_per_request);
        let weight = weight as f64 / (REQUESTS as u64 * plan.batch) as f64;
        let shared = Self {
            plan,
            place,
            templates,
            traces_per_request,
            traces,
            began: Instant::now(),
            began_at: now(),
            next: AtomicU64::new(0),
            over: AtomicBool::new(false),
            latest: Mutex::new(None),
        };
        Ok((shared, weight))
    }

    pub(crate) fn trace_id(&self, number: u64) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&mix(self.plan.seed).to_be_bytes());
        id[8..].copy_from_slice(&mix(number).to_be_bytes());
        id
    }

    fn span_id(&self, number: u64, span: u64) -> [u8; 8] {
        (mix(number * SPANS_PER_TRACE + span) ^ mix(self.plan.seed)).max(1).to_be_bytes()
    }

    pub(crate) fn hex(&self, number: u64) -> String {
        self.trace_id(number).iter().fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// When a trace begins, in nanoseconds of the clock.
    fn begins(&self, number: u64) -> u64 {
        let Some(within) = self.plan.within else {
            return now().saturating_sub(5_000_000_000);
        };
        let within = within.as_nanos() as f64;
        let share = self.traces.map_or(1.0, |traces| (number as f64 / traces as f64).min(1.0));
        self.began_at.saturating_sub((within * (1.0 - share)) as u64)
    }

    /// The request whose first trace has this number.
    fn fill(&self, first: u64, buffer: &mut Vec<u8>) {
        let template = &self.templates[(first / self.traces_per_request) as usize % REQUESTS];
        buffer.clear();
        buffer.extend_from_slice(&template.bytes);
        let mut known = (u64::MAX, 0, [0; 16]);
        for hole in &template.holes {
            let number = first + hole.trace;
            if known.0 != number {
                known = (number, self.begins(number), self.trace_id(number));
            }
            match hole.what {
                What::Trace => put(buffer, hole.at, &known.2),
                What::Span(span) => put(buffer, hole.at, &self.span_id(number, span)),
                What::Time(after) => put(buffer, hole.at, &(known.1 + after).to_le_bytes()),
                What::User => digits(&mut buffer[hole.at..hole.at + 5], user(number)),
                What::Session => digits(&mut buffer[hole.at..hole.at + 8], session(number)),
                What::Rare => digits(&mut buffer[hole.at..hole.at + 5], rare(number)),
            }
        }
    }

    /// The first trace of a request that is to be sent, once it is due.
    async fn claim(&self) -> Option<(u64, Instant)> {
        let first = self.next.fetch_add(self.traces_per_request, Relaxed);
        let mut due = Instant::now();
        if let Some(rate) = self.plan.rate {
            due = self.began + Duration::from_secs_f64((first * SPANS_PER_TRACE) as f64 / rate);
        }
        let enough = self.traces.is_some_and(|traces| first >= traces);
        let late = self.plan.seconds.is_some_and(|seconds| due >= self.began + seconds);
        if enough || late {
            return None;
        }
        tokio::time::sleep_until(due.into()).await;
        Some((first, due))
    }

    fn acknowledged(&self, first: u64) {
        let one = first + mix(first) % self.traces_per_request;
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((one, Instant::now()));
    }
}

const fn session(number: u64) -> u64 {
    number / TRACES_PER_SESSION
}

const fn user(number: u64) -> u64 {
    mix(session(number)) % USERS
}

const fn rare(number: u64) -> u64 {
    mix(number) % RARE_WORDS
}

fn put(buffer: &mut [u8], at: usize, bytes: &[u8]) {
    buffer[at..at + bytes.len()].copy_from_slice(bytes);
}

fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// One connection: its next request goes when the last was acknowledged.
async fn sender(shared: Arc<Shared>) -> Tally {
    let (mut tally, mut buffer, mut connection) = (Tally::default(), Vec::new(), None);
    while let Some((first, due)) = shared.claim().await {
        shared.fill(first, &mut buffer);
        if !acknowledged(&shared, &buffer, &mut connection, &mut tally).await {
            tally.given_up += 1;
            break;
        }
        tally.times.add(due.elapsed());
        shared.acknowledged(first);
    }
    tally
}

/// Sends a request until it is acknowledged.
async fn acknowledged(shared: &Shared, request: &[u8], connection: &mut Option<Connection>, tally: &mut Tally) -> bool {
    for _ in 0..FAILURES {
        let Err(fault) = once(shared, request, connection).await else {
            return true;
        };
        *connection = None;
        let said = fault.to_string();
        if said.starts_with("429") || said.starts_with("503") {
            tally.refused += 1;
        } else {
            tally.errors += 1;
            tally.last_error = Some(said);
        }
        tokio::time::sleep(WAIT).await;
    }
    false
}

async fn once(shared: &Shared, request: &[u8], connection: &mut Option<Connection>) -> io::Result<()> {
    let mut taken = match connection.take() {
        Some(taken) => taken,
        None => Connection::open(shared.place.address).await?,
    };
    let mut answer = taken.ask(request, |_| {}).await;
    if answer.as_ref().is_err_and(|fault| fault.kind() != io::ErrorKind::Other && taken.was_used()) {
        // The server had closed the idle connection; every client tries again on a new one.
        taken = Connection::open(shared.place.address).await?;
        answer = taken.ask(request, |_| {}).await;
    }
    answer?;
    *connection = Some(taken);
    Ok(())
}

/// Sends as the plan says, and tells what was measured.
#[expect(clippy::disallowed_methods, reason = "the program ends with its tasks")]
pub(crate) async fn run(plan: Plan) -> Outcome<Value> {
    let (mut shared, weight) = Shared::new(plan)?;
    (shared.began, shared.began_at) = (Instant::now(), now());
    let shared = Arc::new(shared);
    let follower =
        shared.plan.follow.clone().map(|place| tokio::spawn(probe::follow(shared.clone(), place, shared.plan.follow_every)));
    let tasks: Vec<_> = (0..shared.plan.connections).map(|_| tokio::spawn(sender(shared.clone()))).collect();
    let mut all = Tally::default();
    for task in tasks {
        let Tally { times, refused, errors, last_error, given_up } = task.await?;
        all.times.append(times);
        all.refused += refused;
        all.errors += errors;
        all.last_error = last_error.or(all.last_error);
        all.given_up += given_up;
    }
    let seconds = shared.began.elapsed().as_secs_f64();
    shared.over.store(true, Relaxed);
    let followed = match follower {
        Some(task) => task.await?.told(),
        None => Value::Null,
    };
    let requests = all.times.count() as u64;
    let (spans, traces) = (requests * shared.plan.batch, requests * shared.traces_per_request);
    let stride = traces.checked_div(shared.plan.sample).unwrap_or_default().max(1);
    let one = |number| json!({ "trace": shared.hex(number), "user": format!("user-{:05}", user(number)), "word": format!("qx{:05}", rare(number)) });
    let sample: Vec<Value> = (0..shared.plan.sample.min(traces)).map(|at| one(at * stride)).collect();
    let length: usize = shared.templates.iter().map(|template| template.bytes.len()).sum();
    Ok(json!({
        "seconds": seconds,
        "spans": spans,
        "traces": traces,
        "requests": requests,
        "per_second": spans as f64 / seconds,
        "request_bytes": length / REQUESTS,
        "attribute_bytes_per_span": weight,
        "refused": all.refused,
        "errors": all.errors,
        "last_error": all.last_error,
        "given_up": all.given_up,
        "acknowledged_ms": all.times.told(),
        "followed": followed,
        "from_micros": shared.begins(0) / 1000,
        "sample": sample,
    }))
}
