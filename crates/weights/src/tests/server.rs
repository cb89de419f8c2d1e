//! A web server that misbehaves on purpose.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

#[derive(Clone, Default)]
pub(super) struct Page {
    pub(super) body: Vec<u8>,
    /// The first answers break off after so many bytes of the body.
    pub(super) cuts: Vec<usize>,
    pub(super) no_ranges: bool,
    /// Before the body.
    pub(super) delay: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) path: String,
    pub(super) range: Option<(usize, Option<usize>)>,
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) base: String,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    hits: Arc<Mutex<Vec<Hit>>>,
}

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { base, pages: Arc::default(), hits: Arc::default() };
        let answering = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answering = answering.clone();
                std::thread::spawn(move || {
                    let _ = answering.answer(stream);
                });
            }
        });
        server
    }

    pub(super) fn put(&self, path: &str, page: Page) {
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    pub(super) fn hits(&self, path: &str) -> Vec<Hit> {
        self.hits.lock().unwrap().iter().filter(|hit| hit.path == path).cloned().collect()
    }

    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return Ok(()) };
        let range = head.iter().find_map(|line| {
            let spec = line.to_ascii_lowercase();
            let (from, to) = spec.strip_prefix("range: bytes=")?.split_once('-')?;
            Some((from.parse().ok()?, to.parse().ok()))
        });
        self.hits.lock().unwrap().push(Hit { path: path.to_owned(), range });
        let (page, cut) = {
            let mut pages = self.pages.lock().unwrap();
            let Some(page) = pages.get_mut(path) else {
                return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            };
            let cut = if page.cuts.is_empty() { None } else { Some(page.cuts.remove(0)) };
            (page.clone(), cut)
        };
        std::thread::sleep(page.delay);
        let total = page.body.len();
        let (status, from, to) = match range.filter(|_| !page.no_ranges) {
            Some((from, _)) if from >= total => {
                let head = format!(
                    "HTTP/1.1 416 Nope\r\ncontent-range: bytes */{total}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                return stream.write_all(head.as_bytes());
            }
            Some((from, to)) => ("206 Partial Content", from, to.map_or(total, |to| (to + 1).min(total))),
            None => ("200 OK", 0, total),
        };
        let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n", to - from);
        if status.starts_with("206") {
            head.push_str(&format!("content-range: bytes {from}-{}/{total}\r\n", to - 1));
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        let body = &page.body[from..to];
        stream.write_all(&body[..cut.unwrap_or(body.len()).min(body.len())])
    }
}
