//! A mail server that keeps to RFC 5321 and misbehaves on command. What it is given it keeps for the test to read.
//!
//! It is strict: commands out of order, lines that are too long, bare line feeds and bytes beyond ASCII are refused, so that a
//! client which is taken here is taken elsewhere.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Builder,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use crate::upstream::Certificate;

/// A line of a message, with its end, as the protocol has it.
const LINE_MAX: usize = 1_000;

/// How a mail server is.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// With it the server offers STARTTLS.
    pub certificate: Option<Arc<Certificate>>,
    /// It speaks TLS from the beginning.
    pub tls_at_once: bool,
    /// Who may send; anybody without it.
    pub login: Option<(String, String)>,
    /// How one may log in; empty: PLAIN and LOGIN.
    pub ways: String,
    /// Recipients that it does not know.
    pub unknown: Vec<String>,
    pub trouble: Option<Trouble>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Says nothing at all.
    Hang,
    /// Says nothing once it has the message.
    HangAtEnd,
    /// Closes the connection when the message begins.
    Close,
    /// So many messages are put off at their first recipient.
    PutOff(usize),
    /// Says at once that it is busy.
    Busy,
    /// Is another kind of server.
    Http,
    /// Puts something behind its consent to TLS, as somebody in between would.
    Inject,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Without the dots of the protocol.
    pub data: String,
    pub secure: bool,
    /// Who was logged in.
    pub user: Option<String>,
    pub hello: String,
}

/// A running server; gone with the value.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    manner: Mutex<Manner>,
    mails: Mutex<Vec<Mail>>,
    connections: Mutex<usize>,
    put_off: Mutex<usize>,
}

impl MailServer {
    pub fn start(manner: Manner) -> io::Result<Self> {
        let tls = manner.certificate.as_ref().map(|certificate| certificate.server(&[])).transpose()?;
        let state = Arc::new(State {
            manner: Mutex::new(manner),
            mails: Mutex::default(),
            connections: Mutex::default(),
            put_off: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = state.clone();
        let thread = thread::Builder::new().name("mail".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = accept(listener, shared, tls) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, state, stop: Some(stop), thread: Some(thread) })
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was taken so far, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.state.mails).clone()
    }

    /// How often somebody connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        *lock(&self.state.connections)
    }

    /// For the connections to come; the certificate stays.
    pub fn behave(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut lock(&self.state.manner));
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "connections end with the server's own runtime")]
async fn accept(listener: TcpListener, state: Arc<State>, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        *lock(&state.connections) += 1;
        let (state, tls) = (state.clone(), tls.clone());
        tokio::spawn(async move {
            let _ = serve(stream, state, tls).await;
        });
    }
}

async fn serve(stream: TcpStream, state: Arc<State>, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    let manner = lock(&state.manner).clone();
    match (tls, manner.tls_at_once) {
        (Some(tls), true) => {
            let stream = TlsAcceptor::from(tls).accept(stream).await?;
            let mut session = Session::new(stream, &manner, &state, true);
            session.greet().await?;
            session.run(false).await.map(drop)
        }
        (tls, _) => {
            let mut session = Session::new(stream, &manner, &state, false);
            session.greet().await?;
            if !session.run(tls.is_some()).await? {
                return Ok(());
            }
            let Some(tls) = tls else { return Ok(()) };
            let stream = TlsAcceptor::from(tls).accept(session.stream).await?;
            // All that was said before is forgotten.
            Session::new(stream, &manner, &state, true).run(false).await.map(drop)
        }
    }
}

struct Session<'s, S> {
    stream: S,
    came: Vec<u8>,
    manner: &'s Manner,
    state: &'s State,
    secure: bool,
    hello: Option<String>,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

/// What a command leads to.
enum Step {
    Say(String),
    Data,
    StartTls,
    Bye,
    Close,
}

impl<'s, S: AsyncRead + AsyncWrite + Unpin> Session<'s, S> {
    const fn new(stream: S, manner: &'s Manner, state: &'s State, secure: bool) -> Self {
        Self { stream, came: Vec::new(), manner, state, secure, hello: None, user: None, from: None, to: Vec::new() }
    }

    async fn greet(&mut self) -> io::Result<()> {
        match self.manner.trouble {
            Some(Trouble::Hang) => std::future::pending().await,
            Some(Trouble::Busy) => self.say("421 mail.test is busy").await,
            Some(Trouble::Http) => self.say("HTTP/1.1 400 Bad Request").await,
            _ => self.say("220 mail.test ESMTP").await,
        }
    }

    /// Answers whether TLS is to begin.
    async fn run(&mut self, offers_tls: bool) -> io::Result<bool> {
        loop {
            let line = self.line().await?;
            match self.step(&line, offers_tls).await? {
                Step::Say(reply) => self.say(&reply).await?,
                Step::StartTls => {
                    let injected = self.manner.trouble == Some(Trouble::Inject);
                    self.say(if injected { "220 go on\r\n250 it is fine" } else { "220 go on" }).await?;
                    return Ok(true);
                }
                Step::Data => {
                    if self.manner.trouble == Some(Trouble::Close) {
                        return Ok(false);
                    }
                    self.say("354 end with a dot").await?;
                    self.data().await?;
                }
                Step::Bye => {
                    self.say("221 bye").await?;
                    return Ok(false);
                }
                Step::Close => return Ok(false),
            }
        }
    }

    async fn step(&mut self, line: &str, offers_tls: bool) -> io::Result<Step> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let say = |text: &str| Ok(Step::Say(text.to_owned()));
        if self.manner.trouble == Some(Trouble::Busy) {
            return Ok(Step::Close);
        }
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" if !rest.is_empty() => {
                self.hello = Some(rest.to_owned());
                Ok(Step::Say(self.abilities(offers_tls)))
            }
            "STARTTLS" if offers_tls && rest.is_empty() => Ok(Step::StartTls),
            "AUTH" if self.hello.is_some() && self.user.is_none() => self.auth(rest).await,
            "MAIL" if self.from.is_none() && self.may_send() => match path(rest, "FROM:") {
                Some(from) => {
                    self.from = Some(from);
                    say("250 ok")
                }
                None => say("501 no path"),
            },
            "MAIL" if !self.may_send() => say("530 log in first"),
            "RCPT" if self.from.is_some() => Ok(Step::Say(self.recipient(rest))),
            "DATA" if !self.to.is_empty() && rest.is_empty() => Ok(Step::Data),
            "QUIT" => Ok(Step::Bye),
            "EHLO" | "STARTTLS" | "AUTH" | "MAIL" | "RCPT" | "DATA" => say("503 not now"),
            _ => say("500 what?"),
        }
    }

    fn may_send(&self) -> bool {
        self.hello.is_some() && (self.manner.login.is_none() || self.user.is_some())
    }

    fn abilities(&self, offers_tls: bool) -> String {
        let mut lines = vec!["mail.test".to_owned()];
        if offers_tls {
            lines.push("STARTTLS".to_owned());
        }
        if self.manner.login.is_some() {
            let ways = if self.manner.ways.is_empty() { "PLAIN LOGIN" } else { &self.manner.ways };
            lines.push(format!("AUTH {ways}"));
        }
        let last = lines.len() - 1;
        let line = |(at, line): (usize, &String)| format!("250{}{line}", if at == last { " " } else { "-" });
        lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
    }

    async fn auth(&mut self, rest: &str) -> io::Result<Step> {
        let text = |line: &str| STANDARD.decode(line).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let given = match rest.split_once(' ') {
            Some(("PLAIN", token)) => text(token).and_then(|token| {
                let mut parts = token.split('\0').skip(1).map(str::to_owned);
                Some((parts.next()?, parts.next()?))
            }),
            None if rest == "LOGIN" => {
                self.say("334 VXNlcm5hbWU6").await?;
                let name = text(&self.line().await?);
                self.say("334 UGFzc3dvcmQ6").await?;
                name.zip(text(&self.line().await?))
            }
            _ => None,
        };
        if given.is_some() && given == self.manner.login {
            self.user = given.map(|(name, _)| name);
            return Ok(Step::Say("235 welcome".to_owned()));
        }
        // Some repeat what they were given.
        let (_, password) = given.unwrap_or_default();
        Ok(Step::Say(format!("535 not with {password}")))
    }

    fn recipient(&mut self, rest: &str) -> String {
        if let Some(Trouble::PutOff(times)) = self.manner.trouble {
            let mut put_off = lock(&self.state.put_off);
            if *put_off < times {
                *put_off += 1;
                return "451 come back later".to_owned();
            }
        }
        match path(rest, "TO:") {
            Some(to) if self.manner.unknown.contains(&to) => format!("550 nobody here is called {to}"),
            Some(to) => {
                self.to.push(to);
                "250 ok".to_owned()
            }
            None => "501 no path".to_owned(),
        }
    }

    async fn data(&mut self) -> io::Result<()> {
        let mut data = String::new();
        let mut wrong = None;
        loop {
            let line = self.raw_line().await?;
            let text = line.strip_suffix(b"\r\n").unwrap_or(&line);
            if text == b"." {
                break;
            }
            if !line.ends_with(b"\r\n") || text.contains(&b'\r') {
                wrong = Some("550 a line ends in CR LF");
            }
            if line.len() > LINE_MAX {
                wrong = Some("550 a line is too long");
            }
            if !line.is_ascii() {
                wrong = Some("550 only ASCII without 8BITMIME");
            }
            data.push_str(&String::from_utf8_lossy(text.strip_prefix(b".").unwrap_or(text)));
            data.push_str("\r\n");
        }
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if let Some(wrong) = wrong {
            return self.say(wrong).await;
        }
        let (user, hello) = (self.user.clone(), self.hello.clone().unwrap_or_default());
        lock(&self.state.mails).push(Mail { from, to, data, secure: self.secure, user, hello });
        if self.manner.trouble == Some(Trouble::HangAtEnd) {
            return std::future::pending().await;
        }
        self.say("250 taken").await
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> io::Result<String> {
        let line = self.raw_line().await?;
        let line = line.strip_suffix(b"\r\n").ok_or_else(|| io::Error::other("a command ends in CR LF"))?;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    /// With its end.
    async fn raw_line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.came.iter().position(|byte| *byte == b'\n') {
                return Ok(self.came.drain(..=end).collect());
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.came.extend_from_slice(&piece[..count]),
            }
        }
    }
}

/// What stands in angle brackets behind a word.
fn path(rest: &str, word: &str) -> Option<String> {
    let path = rest.strip_prefix(word)?.strip_prefix('<')?.strip_suffix('>')?;
    path.contains('@').then(|| path.to_owned())
}
