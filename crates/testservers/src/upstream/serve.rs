//! Connections, and one request at a time on each.

use std::{
    collections::HashMap,
    io,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::{
    body::{Paced, Step, plan},
    dialects::{Asked, Question, decoded},
    kept::Kept,
    record::{Ended, Log, Seen, Ticket},
    script::{Behaviour, Script, Trouble, When},
    wire::{Control, Wire},
};

/// What all connections share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) script: Mutex<Script>,
    pub(super) log: Arc<Log>,
    kept: Kept,
    /// How often each behaviour that ends after some requests was asked for.
    asked: Mutex<HashMap<String, usize>>,
    tls: Option<Arc<ServerConfig>>,
    /// Requests at once on one HTTP/2 connection.
    streams: Option<u32>,
}

impl State {
    pub(super) fn new(script: Script, keep: usize, tls: Option<Arc<ServerConfig>>, streams: Option<u32>) -> Self {
        let log = Arc::new(Log::new(keep));
        Self { script: Mutex::new(script), log, kept: Kept::new(keep), asked: Mutex::default(), tls, streams }
    }

    /// What a request says itself comes first, then what is scripted for the next one, for its model, for all.
    fn behaviour(&self, own: Option<&str>, model: &str) -> Result<Behaviour, String> {
        if let Some(text) = own.or_else(|| model.strip_prefix("do:")) {
            let behaviour = text.parse::<Behaviour>().map_err(|fault| fault.to_string())?;
            let Some(times) = behaviour.times else {
                return Ok(behaviour);
            };
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let count = asked.entry(text.to_owned()).or_default();
            *count += 1;
            return Ok(if *count > times { Behaviour::default() } else { behaviour });
        }
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(script.next.pop_front().unwrap_or_else(|| script.models.get(model).unwrap_or(&script.otherwise).clone()))
    }
}

#[expect(clippy::disallowed_methods, reason = "connections end with the server's own runtime")]
pub(super) async fn accept(listener: TcpListener, state: Arc<State>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = 0_u64;
    loop {
        // Out of descriptors, for one: others end, and it goes on.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let control = Arc::new(Control::of(connections));
        connections += 1;
        let wire = Wire::new(stream, control.clone());
        tokio::spawn(connection(wire, control, state.clone()));
    }
}

async fn connection(wire: Wire, control: Arc<Control>, state: Arc<State>) {
    let Some(tls) = state.tls.clone() else {
        return http1(wire, control, state).await;
    };
    // A client that does not trust the certificate breaks off here.
    let Ok(stream) = TlsAcceptor::from(tls).accept(wire).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2(stream, control, state).await;
    } else {
        http1(stream, control, state).await;
    }
}

async fn http1(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, control: Arc<Control>, state: Arc<State>) {
    let service = service_fn(move |request| answer(request, control.clone(), state.clone()));
    let _ =
        hyper::server::conn::http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn http2(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, control: Arc<Control>, state: Arc<State>) {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    if let Some(streams) = state.streams {
        builder.max_concurrent_streams(streams);
    }
    let service = service_fn(move |request| answer(request, control.clone(), state.clone()));
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// A fault here closes the connection without an answer.
async fn answer(request: Request<Incoming>, control: Arc<Control>, state: Arc<State>) -> io::Result<Response<Paced>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (own, path) = own_behaviour(head.uri.path());
    if let Some(response) = super::control::answer(&head.method, path, &body, &state, &control) {
        return Ok(response);
    }
    let mut question = Question::read(&head.method, path, &body);
    if let Some(question) = question.as_mut().filter(|question| question.asked == Asked::Kept) {
        question.kept = Some(state.kept.tell(&head.method, path));
    }
    let model = question.as_ref().map(|question| question.model.clone()).unwrap_or_default();
    let whole_path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let ticket = state.log.begin(Seen {
        number: 0,
        connection: control.connection,
        at: Instant::now(),
        method: head.method,
        path: whole_path,
        headers: head.headers,
        body: body.clone(),
        model: model.clone(),
        stream: question.as_ref().is_some_and(|question| question.stream),
        ended: Ended::Open,
    });
    let Some(question) = question else {
        return Ok(plain(StatusCode::NOT_FOUND, "no dialect has this path", &control, ticket));
    };
    match state.behaviour(own.as_deref(), &model) {
        Ok(behaviour) => {
            if question.asked == Asked::Responses {
                state.kept.note(&question, ticket.number, &behaviour);
            }
            behave(&question, &behaviour, control, ticket).await
        }
        Err(fault) => Ok(plain(StatusCode::BAD_REQUEST, &fault, &control, ticket)),
    }
}

/// `/do/status=503/v1/messages` asks for a behaviour in front of the path.
fn own_behaviour(path: &str) -> (Option<String>, &str) {
    let Some(rest) = path.strip_prefix("/do/") else {
        return (None, path);
    };
    let end = rest.find('/').unwrap_or(rest.len());
    (Some(decoded(&rest[..end])), &rest[end..])
}

async fn behave(
    question: &Question<'_>,
    behaviour: &Behaviour,
    control: Arc<Control>,
    mut ticket: Ticket,
) -> io::Result<Response<Paced>> {
    control.drip(behaviour.drip);
    if !behaviour.delay.is_zero() {
        tokio::time::sleep(behaviour.delay).await;
    }
    match behaviour.trouble {
        // The ticket is dropped, and says so, when the client has gone.
        Some(Trouble::Hang(When::BeforeHead)) => std::future::pending::<()>().await,
        Some(Trouble::Reset(When::BeforeHead)) => {
            control.reset();
            ticket.broken_off();
            return Err(io::Error::other("the script says so"));
        }
        Some(Trouble::Close(When::BeforeHead)) => {
            ticket.broken_off();
            return Err(io::Error::other("the script says so"));
        }
        _ => {}
    }
    Ok(respond(question, behaviour, control, ticket))
}

fn respond(question: &Question<'_>, behaviour: &Behaviour, control: Arc<Control>, ticket: Ticket) -> Response<Paced> {
    let mut reply = question.reply(ticket.number, behaviour);
    let refused = !(200..300).contains(&behaviour.status);
    if refused {
        let (body, headers) = question.refusal(behaviour.status, behaviour.code.as_deref());
        reply.pieces = vec![body.into()];
        reply.headers.extend(headers);
        reply.media_type = "application/json";
    }
    if let Some(body) = &behaviour.body {
        reply.pieces = vec![Bytes::copy_from_slice(body.as_bytes())];
    }
    let streams = question.stream && !refused && behaviour.body.is_none();
    let length: u64 = reply.pieces.iter().map(|piece| piece.len() as u64).sum();
    // Troubles that change what is said leave no length to declare; those that break it off break a promise.
    let changed = matches!(
        behaviour.trouble,
        Some(Trouble::End(_) | Trouble::Trickle(_) | Trouble::Malformed(_) | Trouble::Error(_) | Trouble::EndlessLine)
    );
    let declared = (!streams && !changed).then_some(length);
    let steps = plan(reply.pieces, behaviour, reply.garbage, reply.error);
    let mut response = Response::new(Paced::new(steps, declared, control, ticket));
    let known = question.kept.as_ref().filter(|_| !refused && behaviour.body.is_none());
    let status = known.map_or(behaviour.status, |(status, _)| *status);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.media_type));
    let own = behaviour.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in reply.headers.iter().map(|(name, value)| (*name, value.as_str())).chain(own) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// What the server says of itself, outside of every script.
pub(super) fn plain(status: StatusCode, text: &str, control: &Arc<Control>, ticket: Ticket) -> Response<Paced> {
    let body = Bytes::copy_from_slice(text.as_bytes());
    let declared = Some(body.len() as u64);
    let mut response = Response::new(Paced::new([Step::Piece(body)].into(), declared, control.clone(), ticket));
    *response.status_mut() = status;
    response
}

/// Whether a request is for the server itself.
pub(super) fn is_own(method: &Method, path: &str) -> bool {
    path.starts_with("/_") && matches!(*method, Method::GET | Method::POST | Method::DELETE)
}
