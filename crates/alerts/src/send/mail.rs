//! A notice as a message by RFC 5322, in plain text.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::fmt::rfc2822::DateTimePrinter;
use mainspring_kernel::{Timestamp, text};

use crate::{notice::Notice, spec::Email};

/// What of UTF-8 fits into an encoded word of 75 characters.
const WORD: usize = 45;
/// Of base64, on a line.
const LINE: usize = 76;

/// `alerts@example.com` or `Alerts <alerts@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    name: Option<String>,
    mailbox: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no address: write `name@example.com` or `Name <name@example.com>`")]
pub struct AddressFault {
    given: String,
}

impl Address {
    #[must_use]
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    fn domain(&self) -> &str {
        self.mailbox.rsplit('@').next().unwrap_or_default()
    }
}

impl FromStr for Address {
    type Err = AddressFault;

    fn from_str(given: &str) -> Result<Self, AddressFault> {
        let fault = || AddressFault { given: text::elide(given, 80) };
        let (name, mailbox) = match given.trim().strip_suffix('>') {
            Some(rest) => {
                let (name, mailbox) = rest.rsplit_once('<').ok_or_else(fault)?;
                (Some(name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty()), mailbox)
            }
            None => (None, given.trim()),
        };
        let (local, domain) = mailbox.rsplit_once('@').ok_or_else(fault)?;
        let sound = is_local(local) && is_domain(domain) && !given.chars().any(char::is_control);
        let named = name.as_ref().is_none_or(|name| name.len() <= 200 && !name.contains(['<', '>', '"', '\\']));
        if sound && named { Ok(Self { name, mailbox: mailbox.to_owned() }) } else { Err(fault()) }
    }
}

/// Words apart by dots. Quoted ones, which nobody has, are not taken.
fn is_local(local: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    local.len() <= 64 && local.split('.').all(|word| !word.is_empty() && word.bytes().all(letter))
}

fn is_domain(domain: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    domain.len() <= 253 && domain.split('.').all(label)
}

impl fmt::Display for Address {
    /// As headers have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => f.write_str(&self.mailbox),
            Some(name) if name.is_ascii() => write!(f, "\"{name}\" <{}>", self.mailbox),
            Some(name) => write!(f, "{} <{}>", words(name), self.mailbox),
        }
    }
}

/// Who sends and who receives, read from a spec.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) from: Address,
    pub(crate) to: Vec<Address>,
}

impl Envelope {
    pub(crate) fn of(email: &Email) -> Result<Self, AddressFault> {
        let to = email.to.iter().map(|to| to.parse()).collect::<Result<_, _>>()?;
        Ok(Self { from: email.from.parse()?, to })
    }
}

/// The whole message, without the dot that ends it. Its lines are short, and none begins with a dot: the body is base64.
pub(crate) fn message(envelope: &Envelope, notice: &Notice, id: &str, now: Timestamp) -> String {
    let Envelope { from, to } = envelope;
    let domain = from.domain();
    let to = to.iter().map(ToString::to_string).collect::<Vec<_>>().join(",\r\n ");
    let thread = format!("<{}@{domain}>", notice.incident);
    let headers = [
        ("From", from.to_string()),
        ("To", to),
        ("Subject", words(&notice.subject())),
        ("Date", date(now)),
        // The same for every try, so that a mail that comes twice is seen as one.
        ("Message-ID", format!("<{id}@{domain}>")),
        // Mails of one incident stand together.
        ("In-Reply-To", thread.clone()),
        ("References", thread),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", "base64".to_owned()),
        // Nobody's holiday answers it.
        ("Auto-Submitted", "auto-generated".to_owned()),
    ];
    let mut message = String::new();
    for (name, value) in headers {
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    message.push_str("\r\n");
    let body = STANDARD.encode(notice.plain().replace('\n', "\r\n"));
    for line in body.as_bytes().chunks(LINE) {
        message.push_str(&String::from_utf8_lossy(line));
        message.push_str("\r\n");
    }
    message
}

fn date(now: Timestamp) -> String {
    let stamp = jiff::Timestamp::from_microsecond(now.as_micros()).unwrap_or_default();
    DateTimePrinter::new().timestamp_to_string(&stamp).unwrap_or_default()
}

/// Plain where it can be, and otherwise in words of base64, a line each.
fn words(text: &str) -> String {
    if text.len() <= WORD && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= WORD).last();
        let (word, more) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = more;
    }
    words.join("\r\n ")
}
