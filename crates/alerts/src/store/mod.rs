//! SQL of alerts lives here and nowhere else.

mod deliveries;
mod erased;
mod incidents;
mod lanes;
mod silences;
mod tally;
mod upkeep;

pub(crate) use deliveries::{
    Leased, NewDelivery, cover, delivered, deliveries, failed, hearers, insert_delivery, retried, revive, standing, told,
};
pub(crate) use erased::{
    Said, Sent, end_silence_of, history_after, regroup, rewrite_alert, rewrite_event, rewrite_notice, said_after, sent_after,
    sent_of, silences_after,
};
pub(crate) use incidents::{
    AlertUpdate, add_event, alert_in, alert_of, alerts, end_alert, end_alerts, events, firing, firing_incidents, get_incident,
    incident_in, incidents, insert_alert, insert_incident, is_firing, latest_of_group, project_name, refresh_alert, to_remind,
    update_incident, worst_firing,
};
pub(crate) use lanes::{due_lanes, end_leases, in_lane, lease, next_in_lane, recently_attempted, release, rest_lane};
pub(crate) use silences::{active_silences, end_silence, get_silence, insert_silence, silences, unhide};
pub(crate) use tally::{backlogs, going_on};
pub(crate) use upkeep::{old_incidents, prune_incident, prune_silences};

/// Every statement for both engines, for the test that compiles them.
pub const STATEMENTS: &[&[&str]] = &[
    incidents::STATEMENTS,
    deliveries::STATEMENTS,
    lanes::STATEMENTS,
    silences::STATEMENTS,
    erased::STATEMENTS,
    tally::STATEMENTS,
    upkeep::STATEMENTS,
];
