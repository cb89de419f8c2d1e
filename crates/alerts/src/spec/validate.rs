//! What a receiver's spec has to keep to. Messages never repeat a value that could hold a key.

use std::time::Duration;

use mainspring_registry::{SpecFault, SpecProblem};
use url::Url;

use super::{Email, ReceiverSpec, Security};
use crate::send::Address;

const MOST_RECIPIENTS: usize = 100;
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
/// More often than this nobody wants to be reminded.
const SHORTEST_REMINDER: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Problems(Vec<SpecProblem>);

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(SpecProblem { path: path.into(), message: message.into(), unknown_field: false });
    }

    fn unless(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            self.add(path, message);
        }
    }
}

impl ReceiverSpec {
    /// Everything that is wrong with it, by place.
    pub(super) fn validate(&self) -> Result<(), SpecFault> {
        let mut problems = Problems::default();
        let given = [self.webhook.is_some(), self.slack.is_some(), self.email.is_some(), self.pagerduty.is_some()];
        let ways = given.iter().filter(|given| **given).count();
        problems.unless(ways == 1, "", "give exactly one of `webhook`, `slack`, `email` and `pagerduty`");
        if let Some(webhook) = &self.webhook {
            address(&webhook.url, "webhook.url", &mut problems);
            let order = webhook.secret.is_some() || webhook.old_secret.is_none();
            problems.unless(order, "webhook.old_secret", "stands beside `secret`, not alone");
        }
        if let Some(pagerduty) = &self.pagerduty {
            address(&pagerduty.url, "pagerduty.url", &mut problems);
        }
        if let Some(email) = &self.email {
            email.validate(&mut problems);
        }
        let timeout = self.timeout.as_duration();
        problems.unless((SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&timeout), "timeout", "is from 1s to 60s");
        let reminder = self.remind_every.is_zero() || self.remind_every.as_duration() >= SHORTEST_REMINDER;
        problems.unless(reminder, "remind_every", "is a minute or more, or `0s` for never");
        problems.unless((1..=50).contains(&self.attempts), "attempts", "is from 1 to 50");
        problems.unless((1..=600).contains(&self.per_minute), "per_minute", "is from 1 to 600");
        if problems.0.is_empty() { Ok(()) } else { Err(SpecFault { problems: problems.0 }) }
    }
}

fn address(given: &str, path: &str, problems: &mut Problems) {
    match Url::parse(given) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
            problems.add(path, "is an address that begins with `https://` or `http://`");
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            problems.add(path, "holds a password, and specs are shown to everyone in the project");
        }
        Ok(_) => {}
        Err(fault) => problems.add(path, format!("is no address: {fault}")),
    }
}

impl Email {
    fn validate(&self, problems: &mut Problems) {
        let host = !self.host.is_empty()
            && self.host.len() <= 253
            && self.host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':'));
        problems.unless(host, "email.host", "is the name of a server, without a port");
        problems.unless(self.port != Some(0), "email.port", "is from 1 to 65535");
        problems.unless(
            self.username.is_some() == self.password.is_some(),
            "email.password",
            "and `username` are given together or not at all",
        );
        problems.unless(
            self.username.is_none() || self.security != Security::None,
            "email.security",
            "is `none`, and a password is never sent in the open",
        );
        let name = self.username.as_deref().unwrap_or_default();
        problems.unless(!name.contains('\0') && name.len() <= 500, "email.username", "is text without NUL characters");
        if let Err(fault) = self.from.parse::<Address>() {
            problems.add("email.from", fault.to_string());
        }
        problems.unless(
            (1..=MOST_RECIPIENTS).contains(&self.to.len()),
            "email.to",
            "names from 1 to 100 addresses; for more use a list of your mail server",
        );
        for (index, to) in self.to.iter().enumerate() {
            if let Err(fault) = to.parse::<Address>() {
                problems.add(format!("email.to[{index}]"), fault.to_string());
            }
        }
    }
}
