//! Receivers that speak HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use jiff::fmt::rfc2822::DateTimeParser;
use mainspring_kernel::Timestamp;
use mainspring_providers::{Endpoint, FaultClass, Incoming, Outgoing, Patience, ProviderKind, UpstreamFault};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use super::{Courier, Hope, Parcel, Sent, Unsent, late, pagerduty, signature::sign, slack};
use crate::spec::{PagerDuty, Slack, Webhook};

/// What of an answer is read, to tell people why a notice was refused.
const ANSWER_MAX: usize = 2_048;
/// The status is known by then; why it is as it is may take a moment more.
const EXPLAINS_WITHIN: Duration = Duration::from_millis(500);
/// A receiver that wants to be left alone for longer is asked after this time all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// A request, and what must not be seen of it.
struct Post<'p> {
    parcel: Parcel<'p>,
    url: Url,
    headers: HeaderMap,
    body: String,
    secret: Option<SecretString>,
}

impl Courier {
    pub(super) async fn webhook(&self, webhook: &Webhook, parcel: Parcel<'_>) -> Result<Sent, Unsent> {
        let url = address(&webhook.url)?;
        let body = json!({
            "type": format!("incident.{}", parcel.notice.what),
            "timestamp": parcel.notice.at,
            "data": parcel.notice,
        });
        let (body, seconds) = (body.to_string(), parcel.now.as_seconds());
        let mut headers = HeaderMap::new();
        put(&mut headers, "webhook-id", parcel.id)?;
        put(&mut headers, "webhook-timestamp", &seconds.to_string())?;
        let mut signatures = Vec::new();
        for reference in webhook.secret.iter().chain(&webhook.old_secret) {
            let secret = self.key(parcel.project, reference).await?;
            let signature = sign(secret.expose_secret(), parcel.id, seconds, &body);
            let unreadable = || Unsent::new(Hope::Later, format!("what `{reference}` holds is no secret in base64"));
            signatures.push(signature.ok_or_else(unreadable)?);
        }
        if !signatures.is_empty() {
            put(&mut headers, "webhook-signature", &signatures.join(" "))?;
        }
        let secret = match &webhook.authorization {
            Some(reference) => Some(self.key(parcel.project, reference).await?),
            None => None,
        };
        if let Some(secret) = &secret {
            let value = HeaderValue::from_str(secret.expose_secret());
            let mut value = value.map_err(|_| Unsent::new(Hope::Later, "the value for `authorization` fits no header"))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let answer = self.post(Post { parcel, url, headers, body, secret }).await?;
        // A webhook that is not there now may be there when a deployment is over; one that is gone says so.
        answer.outcome(|status| status == StatusCode::GONE)
    }

    pub(super) async fn slack(&self, slack: &Slack, parcel: Parcel<'_>) -> Result<Sent, Unsent> {
        let secret = self.key(parcel.project, &slack.url).await?;
        let url = address(secret.expose_secret().trim())?;
        let body = slack::message(parcel.notice).to_string();
        let answer = self.post(Post { parcel, url, headers: HeaderMap::new(), body, secret: Some(secret) }).await?;
        answer.outcome(is_refusal)
    }

    pub(super) async fn pagerduty(&self, pagerduty: &PagerDuty, parcel: Parcel<'_>) -> Result<Sent, Unsent> {
        let secret = self.key(parcel.project, &pagerduty.routing_key).await?;
        let url = address(&pagerduty.url)?;
        let body = pagerduty::event(parcel.notice, secret.expose_secret()).to_string();
        let answer = self.post(Post { parcel, url, headers: HeaderMap::new(), body, secret: Some(secret) }).await?;
        answer.outcome(is_refusal)
    }

    async fn post(&self, post: Post<'_>) -> Result<Answer, Unsent> {
        let Post { parcel, url, mut headers, body, secret } = post;
        let within = parcel.spec.timeout.as_duration();
        let endpoint = Endpoint {
            credential: secret,
            // The path of a Slack webhook is as good as a password.
            ..Endpoint::new(parcel.receiver.clone(), ProviderKind::OpenAi, url.origin().ascii_serialization(), "")
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let uri: Uri =
            url.as_str().parse().map_err(|_| Unsent::new(Hope::Later, "the address cannot be written in a request"))?;
        let outgoing = Outgoing { method: Method::POST, uri, headers, body: Bytes::from(body) };
        let patience = Patience { connect: within, first: within, idle: within, until: Instant::now() + within };
        let incoming = self.socket.send(&endpoint, outgoing, patience).await.map_err(|fault| unsent(fault, within))?;
        let (status, headers) = (incoming.status, incoming.headers.clone());
        if status.is_success() {
            return Ok(Answer { status, retry_after: None, said: String::new() });
        }
        let said = tokio::time::timeout(EXPLAINS_WITHIN, beginning(incoming)).await.unwrap_or_default();
        let said = endpoint.unquoted(&said);
        Ok(Answer { status, retry_after: retry_after(&headers, parcel.now), said })
    }
}

/// The head of an answer, and what it says where it is no success.
struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    said: String,
}

impl Answer {
    fn outcome(self, is_final: impl Fn(StatusCode) -> bool) -> Result<Sent, Unsent> {
        let Self { status, retry_after, said } = self;
        if status.is_success() {
            return Ok(Sent { status: Some(status.as_u16()), note: None });
        }
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let hope = match status {
            status if is_final(status) => Hope::Never,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Hope::ReceiverLater,
            status if status.is_server_error() => Hope::ReceiverLater,
            _ => Hope::Later,
        };
        let message = format!("it answered {}{said}", status.as_u16());
        Err(Unsent { retry_after, ..Unsent::new(hope, message).status(status.as_u16()) })
    }
}

/// Says of the request that it is wrong, not of the moment.
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error()
        && ![StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY].contains(&status)
}

fn unsent(fault: UpstreamFault, within: Duration) -> Unsent {
    match fault.class {
        FaultClass::Timeout => late(within),
        FaultClass::Connect | FaultClass::Reset => Unsent::new(Hope::ReceiverLater, fault.message),
        _ => Unsent::new(Hope::Later, fault.message),
    }
}

fn address(given: &str) -> Result<Url, Unsent> {
    let fault = || Unsent::new(Hope::Later, "the address cannot be used: it begins with `https://` or `http://`");
    let url = Url::parse(given).map_err(|_| fault())?;
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() { Ok(url) } else { Err(fault()) }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), Unsent> {
    let value = HeaderValue::from_str(value).map_err(|_| Unsent::new(Hope::Never, format!("`{name}` fits no header")))?;
    headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

/// What breaks off here was no good news anyway.
async fn beginning(mut incoming: Incoming) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_MAX {
        match incoming.next_chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_MAX - bytes.len())]),
            Ok(None) | Err(_) => break,
        }
    }
    String::from_utf8_lossy(&bytes).replace(char::is_control, " ")
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    static DATES: DateTimeParser = DateTimeParser::new();
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = DATES.parse_timestamp(text).ok()?;
            Timestamp::from_micros(then.as_microsecond()).since(now)
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str) -> Option<u64> {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(text).ok()?)]);
        let now = Timestamp::parse("2026-01-02T03:04:05Z").unwrap();
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        assert_eq!(asked("7"), Some(7));
        assert_eq!(asked("Fri, 02 Jan 2026 03:04:15 GMT"), Some(10));
        assert_eq!(asked("Fri, 02 Jan 2026 03:00:00 GMT"), Some(0), "it is over");
        assert_eq!(asked("99999999"), Some(6 * 3600));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("-1"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_passed_over(text in "[ -~]{0,40}") {
            let _ = asked(&text);
        }
    }
}
