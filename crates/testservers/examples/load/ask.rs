//! The load generator: a closed loop, an open one, and many slow streams.

use std::{
    fmt::Write as _,
    io,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

use super::{
    Outcome,
    connection::Connection,
    stamps::{Stamps, now},
    tally::Tally,
};

/// Requests that are due and that no connection has taken; more than this are given up and counted as errors.
const WAITING: usize = 1 << 16;
/// After so many failures in a row a connection gives up: the server is gone.
const FAILURES: u64 = 50;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) connections: usize,
    pub(crate) seconds: Duration,
    /// Streams begin within this time, one after the other.
    pub(crate) ramp: Duration,
    pub(crate) rate: f64,
    /// About how long the body of a request is.
    pub(crate) bytes: usize,
    pub(crate) stream: bool,
    pub(crate) model: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            url: String::new(),
            connections: 1,
            seconds: Duration::from_secs(5),
            ramp: Duration::ZERO,
            rate: 1000.0,
            bytes: 1000,
            stream: false,
            model: "bench".to_owned(),
            headers: Vec::new(),
        }
    }
}

/// A plan made ready: where to, and the bytes of the one request that is sent again and again.
#[derive(Debug)]
struct Target {
    address: SocketAddr,
    request: Vec<u8>,
}

impl Plan {
    fn target(&self) -> Outcome<Arc<Target>> {
        let rest = self.url.strip_prefix("http://").ok_or("`--url` must begin with http://")?;
        let (host, path) = rest.split_at(rest.find('/').ok_or("`--url` has no path")?);
        let address = host.parse::<SocketAddr>().map_err(|_| format!("`{host}` is not an address with a port"))?;
        let body = self.body();
        let mut request = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n");
        for (name, value) in &self.headers {
            write!(request, "{name}: {value}\r\n")?;
        }
        write!(request, "content-length: {}\r\n\r\n{body}", body.len())?;
        Ok(Arc::new(Target { address, request: request.into_bytes() }))
    }

    /// The text makes up what is missing to the wanted length.
    fn body(&self) -> String {
        let body = |text: &str| {
            let mut body = json!({ "model": self.model, "max_tokens": 64 });
            if self.stream {
                body["stream"] = true.into();
                body["stream_options"] = json!({ "include_usage": true });
            }
            body["messages"] = json!([{ "role": "user", "content": text }]);
            body.to_string()
        };
        let missing = self.bytes.saturating_sub(body("").len());
        let words = "and then the pump turns the wheel ".chars().cycle();
        body(&words.take(missing).collect::<String>())
    }
}

/// One connection after another to the same place: what a client with a pool does.
struct Asker {
    target: Arc<Target>,
    connection: Option<Connection>,
    tally: Tally,
    in_a_row: u64,
    /// Chunks that come before are not measured.
    counts: Instant,
}

impl Asker {
    fn new(target: Arc<Target>) -> Self {
        Self { target, connection: None, tally: Tally::default(), in_a_row: 0, counts: Instant::now() }
    }

    fn gives_up(&self) -> bool {
        self.in_a_row >= FAILURES
    }

    /// Asks once; the time runs from when the request was due.
    async fn ask(&mut self, due: Instant) {
        match self.once(due).await {
            Ok(()) => {
                self.in_a_row = 0;
                self.tally.whole.push(nanos(due.elapsed()));
            }
            Err(fault) => {
                self.connection = None;
                self.in_a_row += 1;
                self.tally.failed(fault.to_string());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn once(&mut self, due: Instant) -> io::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.target.address).await?,
        };
        let (tally, mut stamps, mut first) = (&mut self.tally, Stamps::default(), true);
        let (target, counts) = (&self.target, self.counts);
        let mut see = |bytes: &[u8]| {
            stamps.read(bytes, |stamp| {
                if counts <= Instant::now() {
                    tally.chunk.push(now().saturating_sub(stamp));
                }
                if std::mem::take(&mut first) {
                    tally.first.push(nanos(due.elapsed()));
                }
            });
        };
        let mut answer = connection.ask(&target.request, &mut see).await;
        if answer.as_ref().is_err_and(|fault| hung_up(fault) && connection.was_used()) {
            // The server had closed the idle connection; every client tries again on a new one.
            connection = Connection::open(target.address).await?;
            answer = connection.ask(&target.request, &mut see).await;
            self.tally.reopened += 1;
        }
        answer?;
        self.connection = Some(connection);
        Ok(())
    }
}

fn hung_up(fault: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(fault.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Waits for all of them, and adds up.
async fn together(mode: &str, tasks: Vec<JoinHandle<Tally>>) -> Value {
    let (began, connections, mut all) = (Instant::now(), tasks.len(), Tally::default());
    for task in tasks {
        match task.await {
            Ok(tally) => all.add(tally),
            Err(fault) => all.failed(fault.to_string()),
        }
    }
    all.told(mode, connections, began.elapsed())
}

/// Asks as the plan says, and tells what was measured.
pub(crate) async fn run(mode: &str, plan: &Plan) -> Outcome<Value> {
    let target = plan.target()?;
    match mode {
        "closed" => Ok(closed(plan, &target).await),
        "open" => Ok(open(plan, &target).await),
        "streams" => Ok(streams(plan, &target).await),
        _ => Err(format!("`{mode}` is not known").into()),
    }
}

/// Each connection sends its next request when the last was answered.
#[expect(clippy::disallowed_methods, reason = "the program ends with its tasks")]
async fn closed(plan: &Plan, target: &Arc<Target>) -> Value {
    let ends = Instant::now() + plan.seconds;
    let work = move |mut asker: Asker| async move {
        while Instant::now() < ends && !asker.gives_up() {
            asker.ask(Instant::now()).await;
        }
        asker.tally
    };
    let tasks = (0..plan.connections).map(|_| tokio::spawn(work(Asker::new(target.clone())))).collect();
    together("closed", tasks).await
}

/// Requests are due at a fixed rate, whether the ones before them were answered or not, and their time runs from then.
#[expect(clippy::disallowed_methods, reason = "the program ends with its tasks")]
async fn open(plan: &Plan, target: &Arc<Target>) -> Value {
    let (sender, receiver) = mpsc::channel(WAITING);
    let receiver = Arc::new(Mutex::new(receiver));
    let work = |mut asker: Asker, receiver: Arc<Mutex<mpsc::Receiver<Instant>>>| async move {
        while !asker.gives_up() {
            let Some(due) = receiver.lock().await.recv().await else {
                break;
            };
            asker.ask(due).await;
        }
        asker.tally
    };
    let tasks = (0..plan.connections).map(|_| tokio::spawn(work(Asker::new(target.clone()), receiver.clone()))).collect();
    drop(receiver);
    // The runtime's timer knows milliseconds only; a thread that sleeps is late by some 50 µs.
    let (rate, seconds) = (plan.rate, plan.seconds);
    let pacer = thread::spawn(move || pace(rate, seconds, &sender));
    let mut told = together("open", tasks).await;
    told["given_up"] = pacer.join().unwrap_or_default().into();
    told["rate"] = rate.into();
    told
}

/// How many requests found no place to wait.
fn pace(rate: f64, seconds: Duration, due: &mpsc::Sender<Instant>) -> u64 {
    let (began, mut given_up) = (Instant::now(), 0);
    for number in 0..(rate * seconds.as_secs_f64()) as u64 {
        let at = began + Duration::from_secs_f64(number as f64 / rate);
        thread::sleep(at.saturating_duration_since(Instant::now()));
        given_up += u64::from(due.try_send(at).is_err());
    }
    given_up
}

/// Many streams at once, each begun anew when it ends; chunks count from when the last has begun.
#[expect(clippy::disallowed_methods, reason = "the program ends with its tasks")]
async fn streams(plan: &Plan, target: &Arc<Target>) -> Value {
    let counts = Instant::now() + plan.ramp;
    let ends = counts + plan.seconds;
    let work = move |mut asker: Asker, wait: Duration| async move {
        asker.counts = counts;
        tokio::time::sleep(wait).await;
        while !asker.gives_up() {
            if tokio::time::timeout_at(ends.into(), asker.ask(Instant::now())).await.is_err() {
                asker.tally.open = u64::from(asker.in_a_row == 0);
                break;
            }
        }
        asker.tally
    };
    let wait = |number: usize| plan.ramp.mul_f64(number as f64 / plan.connections as f64);
    let tasks = (0..plan.connections).map(|number| tokio::spawn(work(Asker::new(target.clone()), wait(number)))).collect();
    together("streams", tasks).await
}
