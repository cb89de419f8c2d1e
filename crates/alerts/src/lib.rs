#![doc = include_str!("../README.md")]

// What an alert and an incident are: start here.
mod fault;
mod model;
mod words;

// What people write.
mod matcher;
mod spec;
mod wait;

// From alerts to incidents.
mod bounds;
mod erase;
mod gather;
mod raise;
mod remind;
mod seam;
mod service;
mod silences;

// From incidents to receivers.
mod deliver;
mod facts;
mod notice;
mod receivers;
mod send;

mod keep;
pub mod store;
mod tally;

#[cfg(test)]
mod tests;

pub use facts::Fact;
pub use fault::AlertFault;
pub use matcher::{Matcher, MatcherFault};
pub use model::{
    Alert, Change, Delivery, DeliveryFilter, DeliveryState, Event, EventKind, Incident, IncidentFilter, IncidentState, Labels,
    News, NoticeKind, Outcome, Raised, Released, Severity, Silence, Standing,
};
pub use notice::{Notice, NoticeAlert, NoticeChange};
pub use receivers::{Receiver, Tested};
pub use seam::Changes;
pub use send::{Address, AddressFault, Courier};
pub use service::{Alerts, Parts, Settings, Told};
pub use silences::NewSilence;
pub use spec::{Email, PagerDuty, ReceiverSpec, Security, Slack, Webhook, descriptor};
pub use tally::{Backlog, Measured};
pub use wait::{Wait, WaitFault};
pub use words::WordFault;
