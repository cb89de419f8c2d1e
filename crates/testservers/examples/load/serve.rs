//! The model server: every question gets the same answer, as late as it is told to.

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, sleep_until},
};

use super::{
    stamps::now,
    wire::{self, Body, Length},
};

const BUFFER: usize = 16 << 10;
/// As much of either end of a question is looked at: what a client asks for stands before or behind its messages.
const EDGE: usize = 512;
/// With and without a space: clients differ.
const STREAMED: [&str; 2] = ["\"stream\":true", "\"stream\": true"];
const COUNTED: [&str; 2] = ["\"include_usage\":true", "\"include_usage\": true"];

const WHOLE: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"The pump turns the wheel, the wheel turns the shaft, and the shaft is oiled every year."},"finish_reason":"stop"}],"usage":{"prompt_tokens":210,"completion_tokens":20,"total_tokens":230}}"#;
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const EVENT: &str = r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{"role":"assistant","content":"@"#;
const EVENT_ENDS: &str = "@ \"},\"finish_reason\":null}]}\n\n";
const LAST: &str = "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[],\"usage\":{\"prompt_tokens\":210,\"completion_tokens\":20,\"total_tokens\":230}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// How answers come; `POST /_manner?first=300&gap=20&chunks=100` changes it.
#[derive(Debug)]
pub(crate) struct Manner {
    /// Milliseconds to the first byte, and between chunks.
    first: AtomicU64,
    gap: AtomicU64,
    chunks: AtomicU64,
    answered: AtomicU64,
}

impl Default for Manner {
    fn default() -> Self {
        Self { first: 0.into(), gap: 0.into(), chunks: 20.into(), answered: 0.into() }
    }
}

impl Manner {
    pub(crate) fn set(&self, name: &str, value: u64) {
        match name {
            "first" => self.first.store(value, Relaxed),
            "gap" => self.gap.store(value, Relaxed),
            "chunks" => self.chunks.store(value.max(1), Relaxed),
            _ => {}
        }
    }

    fn set_by(&self, query: &str) {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            self.set(name, value.parse().unwrap_or_default());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the program ends with its connections")]
pub(crate) async fn run(port: u16, manner: Manner) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    io::stdout().flush()?;
    let manner = Arc::new(manner);
    loop {
        // Out of descriptors, for one: others end, and it goes on.
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let manner = manner.clone();
        tokio::spawn(async move {
            let mut served = Served { stream, buffer: vec![0; BUFFER], filled: 0, out: Vec::with_capacity(1 << 10) };
            // A client that went.
            let _ = served.serve(&manner).await;
        });
    }
}

struct Served {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    out: Vec<u8>,
}

/// What was asked for.
enum Asked {
    Manner,
    Whole,
    Stream { usage: bool },
}

impl Served {
    async fn serve(&mut self, manner: &Manner) -> io::Result<()> {
        while let Some(asked) = self.read(manner).await? {
            match asked {
                Asked::Manner => {
                    let answered = manner.answered.load(Relaxed);
                    self.whole(&format!("{{\"answered\":{answered}}}")).await?;
                }
                Asked::Whole => {
                    wait(manner).await;
                    manner.answered.fetch_add(1, Relaxed);
                    self.whole(WHOLE).await?;
                }
                Asked::Stream { usage } => {
                    wait(manner).await;
                    manner.answered.fetch_add(1, Relaxed);
                    self.events(manner, usage).await?;
                }
            }
        }
        Ok(())
    }

    /// The next request; `None` when there is none any more.
    async fn read(&mut self, manner: &Manner) -> io::Result<Option<Asked>> {
        let head = loop {
            if let Some(head) = wire::head(&self.buffer[..self.filled]) {
                break head;
            }
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                return Ok(None);
            }
            self.filled += read;
        };
        let path = self.buffer[..head.ends].split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let query = path.strip_prefix(b"/_manner");
        if let Some(query) = query {
            manner.set_by(String::from_utf8_lossy(query).trim_start_matches('?'));
        }
        let about_manner = query.is_some();
        // Requests always say how long they are.
        let length = if head.length == Length::Unsaid { Length::Bytes(0) } else { head.length };
        let (mut body, mut edges) = (Body::of(length), Edges::default());
        let mut taken = head.ends + body.take(&self.buffer[head.ends..self.filled], |data| edges.add(data))?;
        while !body.is_done() {
            self.filled = self.stream.read(&mut self.buffer).await?;
            if self.filled == 0 {
                return Ok(None);
            }
            taken = body.take(&self.buffer[..self.filled], |data| edges.add(data))?;
        }
        self.buffer.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        let stream = edges.hold(STREAMED);
        Ok(Some(match (about_manner, stream) {
            (true, _) => Asked::Manner,
            (_, true) => Asked::Stream { usage: edges.hold(COUNTED) },
            _ => Asked::Whole,
        }))
    }

    async fn whole(&mut self, body: &str) -> io::Result<()> {
        self.out.clear();
        write!(self.out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
        self.stream.write_all(&self.out).await
    }

    async fn events(&mut self, manner: &Manner, usage: bool) -> io::Result<()> {
        let gap = Duration::from_millis(manner.gap.load(Relaxed));
        let mut due = Instant::now();
        self.out.clear();
        self.out.extend_from_slice(STREAM.as_bytes());
        for number in 0..manner.chunks.load(Relaxed) {
            if number > 0 && !gap.is_zero() {
                self.send().await?;
                due += gap;
                sleep_until(due).await;
            }
            // A number of nanoseconds since 1970 has 19 digits until the year 2286.
            let length = EVENT.len() + 19 + EVENT_ENDS.len();
            write!(self.out, "{length:x}\r\n{EVENT}{:019}{EVENT_ENDS}\r\n", now())?;
        }
        for event in [LAST, if usage { USAGE } else { "" }, DONE].into_iter().filter(|event| !event.is_empty()) {
            write!(self.out, "{:x}\r\n{event}\r\n", event.len())?;
        }
        self.out.extend_from_slice(b"0\r\n\r\n");
        self.send().await
    }

    async fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        Ok(())
    }
}

async fn wait(manner: &Manner) {
    let first = manner.first.load(Relaxed);
    if first > 0 {
        sleep(Duration::from_millis(first)).await;
    }
}

/// The beginning and the end of a body.
#[derive(Default)]
struct Edges {
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Edges {
    fn add(&mut self, data: &[u8]) {
        let missing = EDGE.saturating_sub(self.first.len()).min(data.len());
        self.first.extend_from_slice(&data[..missing]);
        self.last.extend_from_slice(&data[data.len().saturating_sub(EDGE)..]);
        self.last.drain(..self.last.len().saturating_sub(EDGE));
    }

    /// Whether one of these texts, each of which begins with a quotation mark, stands there.
    fn hold(&self, texts: [&str; 2]) -> bool {
        let hold = |edge: &[u8]| texts.iter().any(|text| wire::contains(edge, b'"', text.as_bytes()));
        hold(&self.first) || hold(&self.last)
    }
}
