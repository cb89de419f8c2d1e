//! A conversation with a mail server (RFC 5321), with STARTTLS and a password.

use std::{fmt, net::SocketAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{
    Courier, Hope, Parcel, Sent, Unsent,
    mail::{Envelope, message},
    reply::Reply,
};
use crate::spec::{Email, Security};

/// The message is accepted by then; how one says goodbye matters little.
const GOODBYE: Duration = Duration::from_millis(500);

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<W: AsyncRead + AsyncWrite + Send + Unpin> Wire for W {}

/// Who logs in.
struct Login<'l> {
    name: &'l str,
    password: SecretString,
}

impl Courier {
    pub(super) async fn email(&self, email: &Email, parcel: Parcel<'_>) -> Result<Sent, Unsent> {
        let envelope = Envelope::of(email).map_err(|fault| Unsent::new(Hope::Never, fault.to_string()))?;
        let login = match (&email.username, &email.password) {
            (Some(name), Some(password)) => Some(Login { name, password: self.key(parcel.project, password).await? }),
            _ => None,
        };
        let text = message(&envelope, parcel.notice, parcel.id, parcel.now);
        let sent = Box::pin(self.converse(email, login.as_ref(), (&envelope, &text), parcel)).await;
        sent.map_err(|unsent| Unsent { message: without(unsent.message, login.as_ref()), ..unsent })
    }

    async fn converse(
        &self,
        email: &Email,
        login: Option<&Login<'_>>,
        (envelope, text): (&Envelope, &str),
        parcel: Parcel<'_>,
    ) -> Result<Sent, Unsent> {
        let within = parcel.spec.timeout.as_duration();
        let away = |fault: mainspring_providers::NotDialled| Unsent::new(Hope::ReceiverLater, fault.to_string());
        let stream = self.socket.dial(&email.host, email.port(), within).await.map_err(away)?;
        let here = here(stream.local_addr().ok());
        let mut talk: Talk<Box<dyn Wire>> = match email.security {
            Security::None => Talk::over(Box::new(stream)),
            Security::Tls => Talk::over(Box::new(self.socket.secure(stream, &email.host).await.map_err(away)?)),
            Security::Starttls => {
                // Not in a box yet: TLS wants the connection itself.
                let mut talk = Talk::over(stream);
                talk.greeting().await?;
                talk.hello(&here).await?;
                let stream = talk.start_tls().await?;
                Talk::over(Box::new(self.socket.secure(stream, &email.host).await.map_err(away)?))
            }
        };
        if email.security != Security::Starttls {
            talk.greeting().await?;
        }
        talk.hello(&here).await?;
        if let Some(login) = login {
            talk.log_in(login).await?;
        }
        talk.hand_over(envelope, text).await
    }
}

/// How a machine without a name says who it is.
fn here(address: Option<SocketAddr>) -> String {
    match address {
        Some(SocketAddr::V4(address)) => format!("[{}]", address.ip()),
        Some(SocketAddr::V6(address)) => format!("[IPv6:{}]", address.ip()),
        None => "[127.0.0.1]".to_owned(),
    }
}

/// Servers may quote what they refuse.
fn without(said: String, login: Option<&Login<'_>>) -> String {
    let Some(Login { name, password }) = login else { return said };
    let password = password.expose_secret();
    let encoded = [STANDARD.encode(password), plain_token(name, password)];
    encoded
        .iter()
        .map(String::as_str)
        .chain([password])
        .filter(|secret| secret.len() >= 4)
        .fold(said, |said, secret| said.replace(secret, "[credential]"))
}

fn plain_token(name: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{name}\0{password}"))
}

struct Talk<S> {
    stream: S,
    /// What came and is not read yet.
    came: Vec<u8>,
    /// What the server says it can do.
    can: Vec<String>,
}

impl<S> fmt::Debug for Talk<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Talk").field("can", &self.can).finish_non_exhaustive()
    }
}

impl<S: Wire> Talk<S> {
    const fn over(stream: S) -> Self {
        Self { stream, came: Vec::new(), can: Vec::new() }
    }

    async fn hear(&mut self) -> Result<Reply, Unsent> {
        loop {
            match Reply::read(&self.came) {
                Ok(Some((reply, taken))) => {
                    self.came.drain(..taken);
                    return Ok(reply);
                }
                Ok(None) => {}
                Err(_) => return Err(Unsent::new(Hope::ReceiverLater, "what answers there is no mail server")),
            }
            let mut piece = [0; 2048];
            match self.stream.read(&mut piece).await {
                Ok(0) => return Err(Unsent::new(Hope::ReceiverLater, "the mail server closed the connection")),
                Ok(count) => self.came.extend_from_slice(&piece[..count]),
                Err(fault) => return Err(broken(&fault)),
            }
        }
    }

    async fn write(&mut self, text: &str) -> Result<(), Unsent> {
        self.stream.write_all(text.as_bytes()).await.map_err(|fault| broken(&fault))?;
        self.stream.flush().await.map_err(|fault| broken(&fault))
    }

    async fn say(&mut self, line: &str) -> Result<Reply, Unsent> {
        self.write(&format!("{line}\r\n")).await?;
        self.hear().await
    }

    async fn greeting(&mut self) -> Result<(), Unsent> {
        let reply = self.hear().await?;
        if reply.code == 220 { Ok(()) } else { Err(unwilling(&reply)) }
    }

    async fn hello(&mut self, here: &str) -> Result<(), Unsent> {
        let reply = self.say(&format!("EHLO {here}")).await?;
        if !reply.is_good() {
            return Err(unwilling(&reply));
        }
        self.can = reply.lines.into_iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        Ok(())
    }

    fn offers(&self, word: &str) -> Option<&str> {
        self.can.iter().find(|line| line.split([' ', '=']).next() == Some(word)).map(String::as_str)
    }

    /// The connection, ready for TLS. What somebody put behind the answer in the open is never read as if it had come later.
    async fn start_tls(mut self) -> Result<S, Unsent> {
        if self.offers("STARTTLS").is_none() {
            return Err(Unsent::new(Hope::Later, "the mail server offers no STARTTLS, and nothing is sent in the open"));
        }
        let reply = self.say("STARTTLS").await?;
        if reply.code != 220 {
            return Err(unwilling(&reply));
        }
        if self.came.is_empty() {
            Ok(self.stream)
        } else {
            Err(Unsent::new(Hope::ReceiverLater, "something was put into the connection before TLS began"))
        }
    }

    async fn log_in(&mut self, login: &Login<'_>) -> Result<(), Unsent> {
        let Login { name, password } = login;
        let password = password.expose_secret();
        let ways = self.offers("AUTH").unwrap_or_default().to_owned();
        let can = |way: &str| ways.split([' ', '=']).skip(1).any(|offered| offered == way);
        let reply = if can("PLAIN") {
            self.say(&format!("AUTH PLAIN {}", plain_token(name, password))).await?
        } else if can("LOGIN") {
            self.expecting("AUTH LOGIN", 334).await?;
            self.expecting(&STANDARD.encode(name), 334).await?;
            self.say(&STANDARD.encode(password)).await?
        } else {
            return Err(Unsent::new(Hope::Later, "the mail server takes no password by PLAIN or LOGIN"));
        };
        if reply.code == 235 { Ok(()) } else { Err(refused_login(&reply)) }
    }

    async fn expecting(&mut self, line: &str, code: u16) -> Result<(), Unsent> {
        let reply = self.say(line).await?;
        if reply.code == code { Ok(()) } else { Err(refused_login(&reply)) }
    }

    async fn hand_over(&mut self, envelope: &Envelope, text: &str) -> Result<Sent, Unsent> {
        let reply = self.say(&format!("MAIL FROM:<{}>", envelope.from.mailbox())).await?;
        if !reply.is_good() {
            return Err(refused(&reply));
        }
        let mut refusals = Vec::new();
        let mut last = None;
        for to in &envelope.to {
            let reply = self.say(&format!("RCPT TO:<{}>", to.mailbox())).await?;
            if !reply.is_good() {
                refusals.push(format!("{}: {}", to.mailbox(), reply.said()));
                last = Some(reply);
            }
        }
        if let Some(reply) = last.filter(|_| refusals.len() == envelope.to.len()) {
            return Err(Unsent::new(refused(&reply).hope, refusals.join("; ")).status(reply.code));
        }
        let reply = self.say("DATA").await?;
        if reply.code != 354 {
            return Err(refused(&reply));
        }
        self.write(text).await?;
        let reply = self.say(".").await?;
        if !reply.is_good() {
            return Err(refused(&reply));
        }
        let _ = tokio::time::timeout(GOODBYE, self.say("QUIT")).await;
        let note = (!refusals.is_empty()).then(|| format!("not everybody has it: {}", refusals.join("; ")));
        Ok(Sent { status: Some(reply.code), note })
    }
}

fn broken(fault: &std::io::Error) -> Unsent {
    Unsent::new(Hope::ReceiverLater, format!("the connection to the mail server broke: {fault}"))
}

/// The server does not want to talk now.
fn unwilling(reply: &Reply) -> Unsent {
    Unsent::new(Hope::ReceiverLater, format!("the mail server is not ready: {}", reply.said())).status(reply.code)
}

/// Somebody may correct the password.
fn refused_login(reply: &Reply) -> Unsent {
    Unsent::new(Hope::Later, format!("the mail server does not take the password: {}", reply.said())).status(reply.code)
}

fn refused(reply: &Reply) -> Unsent {
    let hope = match reply.code {
        421 => Hope::ReceiverLater,
        400..500 => Hope::Later,
        _ => Hope::Never,
    };
    Unsent::new(hope, format!("the mail server refused it: {}", reply.said())).status(reply.code)
}
