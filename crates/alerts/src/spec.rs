//! What people write of a receiver.

mod validate;

use mainspring_kernel::AssetKind;
use mainspring_providers::CredentialRef;
use mainspring_registry::{KindDescriptor, ParsedSpec, SpecFault};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    matcher::Matcher,
    model::{Labels, NoticeKind, Severity},
    wait::Wait,
};

/// Who is told of incidents, and how. Exactly one of `webhook`, `slack`, `email` and `pagerduty` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSpec {
    /// JSON, signed, to any address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Slack's incoming webhooks, and what takes the same: Mattermost, Rocket.Chat, Discord at `/slack`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<Slack>,
    /// Mail over SMTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// PagerDuty's Events API v2, and what takes the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagerduty: Option<PagerDuty>,
    /// Of alerts that name no receivers, those for which all of these hold: `app=desk`, `name!=drift-*`.
    #[serde(default, rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matching: Vec<Matcher>,
    /// Of alerts that name no receivers, those that are this bad or worse.
    #[serde(default = "lowest")]
    pub severity: Severity,
    /// How often it is told again of an incident that nobody has acknowledged; `0s`: never.
    #[serde(default = "four_hours")]
    pub remind_every: Wait,
    /// Whether it is told that an incident is over.
    #[serde(default = "yes")]
    pub resolved: bool,
    /// How long one try may take, from 1s to 60s.
    #[serde(default = "ten_seconds")]
    pub timeout: Wait,
    /// A notice is given up after so many tries.
    #[serde(default = "twelve")]
    #[schemars(range(min = 1, max = 50))]
    pub attempts: u32,
    /// Notices that are sent within a minute at most; the others wait.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 600))]
    pub per_minute: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub url: String,
    /// Where the secret lies that signs what is sent: base64, with or without `whsec_` before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<CredentialRef>,
    /// A secret that signs as well, while receivers change from one to the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_secret: Option<CredentialRef>,
    /// Where the value of the header `authorization` lies, with its scheme: `Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<CredentialRef>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// Where the webhook's address lies: whoever knows it may post, so it is kept as keys are.
    pub url: CredentialRef,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerDuty {
    /// Where the integration's routing key lies.
    pub routing_key: CredentialRef,
    #[serde(default = "pagerduty", skip_serializing_if = "is_pagerduty")]
    pub url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The server that takes mail.
    pub host: String,
    /// Absent: 587 with `starttls`, 465 with `tls`, 25 with `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default)]
    pub security: Security,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Where the password lies; given exactly where `username` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<CredentialRef>,
    /// `alerts@example.com` or `Alerts <alerts@example.com>`.
    pub from: String,
    pub to: Vec<String>,
}

/// How a connection for mail is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// It begins in the open and goes on under TLS, or not at all.
    #[default]
    Starttls,
    /// TLS from the beginning.
    Tls,
    /// In the open; no password is sent.
    None,
}

impl Email {
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        })
    }
}

const fn lowest() -> Severity {
    Severity::Info
}
const fn four_hours() -> Wait {
    Wait::seconds(4 * 3600)
}
const fn ten_seconds() -> Wait {
    Wait::seconds(10)
}
const fn yes() -> bool {
    true
}
const fn twelve() -> u32 {
    12
}
const fn thirty() -> u32 {
    30
}

const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

fn pagerduty() -> String {
    PAGERDUTY.to_owned()
}
fn is_pagerduty(url: &str) -> bool {
    url == PAGERDUTY
}

impl ReceiverSpec {
    /// Whether it is told of an alert that names no receivers.
    #[must_use]
    pub fn wants(&self, labels: &Labels, severity: Severity) -> bool {
        severity >= self.severity && self.matching.iter().all(|matcher| matcher.holds(labels))
    }

    /// Why it takes no notices of a kind, if so. Only programs are told that somebody looks after an incident.
    #[must_use]
    pub const fn declines(&self, what: NoticeKind) -> Option<&'static str> {
        match what {
            NoticeKind::Resolved if !self.resolved => Some("its spec says `resolved: false`"),
            NoticeKind::Acknowledged if self.webhook.is_none() && self.pagerduty.is_none() => {
                Some("only webhooks and PagerDuty are told that somebody looks after it")
            }
            _ => None,
        }
    }

    /// Which of the four it is.
    #[must_use]
    pub const fn way(&self) -> &'static str {
        match self {
            Self { webhook: Some(_), .. } => "webhook",
            Self { slack: Some(_), .. } => "slack",
            Self { email: Some(_), .. } => "email",
            _ => "pagerduty",
        }
    }
}

/// How the registry reads a receiver.
#[must_use]
pub fn descriptor() -> KindDescriptor {
    KindDescriptor { kind: AssetKind::Receiver, schema: || schemars::schema_for!(ReceiverSpec).to_value(), parse }
}

fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: ReceiverSpec = SpecFault::read(value)?;
    spec.validate()?;
    ParsedSpec::of(&spec, Vec::new())
}
