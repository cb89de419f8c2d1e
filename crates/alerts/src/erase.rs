//! Taking out of what was told whom it was of, and traces that are there no longer.
//!
//! An alert of one person is over with their erasure: who hears of it later hears that there was one. Others that mention
//! them go on without the name. What receivers have been told already is out of reach, and so is what people wrote into specs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mainspring_catalog::Tx;
use mainspring_kernel::{
    Timestamp,
    id::{IncidentId, ProjectId},
    text,
};
use serde_json::{Value, json};

use crate::{
    fault::AlertFault,
    matcher::Matcher,
    model::{EventKind, Incident, IncidentState, Labels, Raised},
    notice::Notice,
    raise::titled,
    service::Alerts,
    store::{self, Said, Sent},
};

/// Rows that are looked through at once, and the alerts of an incident; it has fewer.
const AT_ONCE: usize = 200;
const ALERTS: usize = 10_000;
/// Sentences and labels hold longer names without their middle.
const ELIDED: [usize; 2] = [80, 200];
/// What the fingerprint of an alert becomes, with a number.
const PREFIX: &str = "erased/";

impl Alerts {
    /// Takes names and traces out of a project's incidents, of their history, of notices and of silences; and words where they
    /// name a topic.
    pub async fn erase(
        &self,
        project: ProjectId,
        (names, words): (&[String], &[String]),
        traces: &HashSet<String>,
    ) -> Result<(), AlertFault> {
        let gone = &Gone::of((names, words), traces);
        let name = &self.project_name(project).await?;
        for id in self.touched(project, gone).await? {
            self.inner
                .catalog
                .transact(|mut tx| {
                    Box::pin(async move {
                        self.erase_in(&mut tx, (project, name.as_str()), id, gone).await?;
                        Ok::<_, AlertFault>((tx, ()))
                    })
                })
                .await?;
        }
        self.wake();
        self.erase_silences(project, gone).await
    }

    /// Incidents with something to take out.
    async fn touched(&self, project: ProjectId, gone: &Gone<'_>) -> Result<BTreeSet<IncidentId>, AlertFault> {
        let catalog = &self.inner.catalog;
        let mut touched = BTreeSet::new();
        let mut after = (String::new(), String::new());
        loop {
            let some = store::said_after(catalog, project, (after.0.as_str(), after.1.as_str()), AT_ONCE).await?;
            let Some(last) = some.last() else { break };
            after = (last.incident.to_string(), last.fingerprint.clone());
            touched.extend(some.iter().filter(|said| gone.is_in(said)).map(|said| said.incident));
        }
        let mut after = String::new();
        loop {
            let some = store::sent_after(catalog, project, &after, AT_ONCE).await?;
            let Some(last) = some.last() else { break };
            after = last.id.to_string();
            touched.extend(some.into_iter().filter_map(|mut sent| gone.out_of(&mut sent).then_some(sent.incident)));
        }
        Ok(touched)
    }

    async fn erase_in(
        &self,
        tx: &mut Tx,
        (project, name): (ProjectId, &str),
        id: IncidentId,
        gone: &Gone<'_>,
    ) -> Result<(), AlertFault> {
        let Some(incident) = store::incident_in(tx, project, id).await? else { return Ok(()) };
        let now = self.now();
        let renamed = erase_alerts(tx, id, gone, now).await?;
        let mut after = 0;
        loop {
            let some = store::history_after(tx, id, after, AT_ONCE).await?;
            let Some((last, _)) = some.last() else { break };
            after = *last;
            for (seq, mut detail) in some {
                if gone.out_of_detail(&mut detail, &renamed) {
                    store::rewrite_event(tx, id, seq, &detail).await?;
                }
            }
        }
        let mut after = String::new();
        loop {
            let some = store::sent_of(tx, id, &after, AT_ONCE).await?;
            let Some(last) = some.last() else { break };
            after = last.id.to_string();
            for mut sent in some {
                if gone.out_of(&mut sent) {
                    store::rewrite_notice(tx, &sent).await?;
                }
            }
        }
        let mut left = incident.clone();
        let mut changed = gone.out_of_sentence(&mut left.title) | gone.out_of_labels(&mut left.labels);
        let (_, firing) = store::firing(tx, id).await?;
        if !renamed.is_empty() && firing > 0 {
            left = titled(tx, left).await?;
            changed |= left.title != incident.title;
        }
        if changed {
            store::update_incident(tx, &left).await?;
        }
        if !renamed.is_empty() && firing == 0 && left.state != IncidentState::Resolved {
            // Whoever heard of it hears that it is over.
            Box::pin(self.over(tx, left, (None, &json!({})), (name, now))).await?;
        }
        if gone.has_group(&incident) {
            store::regroup(tx, id, &format!("{PREFIX}{id}")).await?;
        }
        Ok(())
    }

    /// A silence of somebody's alerts hides nothing any more.
    async fn erase_silences(&self, project: ProjectId, gone: &Gone<'_>) -> Result<(), AlertFault> {
        let (catalog, now) = (&self.inner.catalog, self.now());
        let mut after = String::new();
        loop {
            let some = store::silences_after(catalog, project, &after, AT_ONCE).await?;
            let Some((last, ..)) = some.last() else { return Ok(()) };
            after = last.to_string();
            for (id, matchers, mut comment) in some {
                let without = matchers.iter().map(|matcher| gone.out_of_matcher(matcher));
                let without: Vec<Option<String>> = without.collect();
                let theirs = without.iter().any(Option::is_some);
                if gone.out_of_text(&mut comment) | theirs {
                    let ends = if theirs { now } else { Timestamp::from_micros(i64::MAX) };
                    let left: Vec<String> =
                        without.into_iter().zip(matchers).map(|(without, matcher)| without.unwrap_or(matcher)).collect();
                    store::end_silence_of(catalog, id, (left.as_slice(), comment.as_str()), ends).await?;
                }
            }
        }
    }
}

/// Answers the fingerprints that alerts had which were of them, and those that they have now.
async fn erase_alerts(
    tx: &mut Tx,
    id: IncidentId,
    gone: &Gone<'_>,
    now: Timestamp,
) -> Result<BTreeMap<String, String>, AlertFault> {
    let alerts = store::alert_in(tx, id, ALERTS).await?;
    let numbers = alerts.iter().filter_map(|alert| alert.fingerprint.strip_prefix(PREFIX)?.parse::<u64>().ok());
    let mut number = numbers.max().unwrap_or(0);
    let mut renamed = BTreeMap::new();
    for alert in alerts {
        let mut left = alert.clone();
        let Raised { name, summary, labels, facts, traces, .. } = &mut left;
        let of_them = gone.is_of(&alert.fingerprint, labels);
        let named = gone.out_of_sentence(summary);
        let mut changed = named | gone.out_of_text(name) | gone.out_of_labels(labels) | gone.out_of_traces(traces);
        changed = facts.values_mut().fold(changed, |changed, fact| gone.out_of_value(fact) | changed);
        if of_them {
            number += 1;
            left.fingerprint = format!("{PREFIX}{number}");
            if !named {
                text::ERASED.clone_into(&mut left.summary);
            }
            if left.firing {
                (left.firing, left.ended) = (false, Some(now));
                let detail = json!({ "fingerprint": left.fingerprint });
                store::add_event(tx, id, (EventKind::Ended, None), &detail, now).await?;
            }
            renamed.insert(alert.fingerprint.clone(), left.fingerprint.clone());
        }
        if changed || of_them {
            store::rewrite_alert(tx, (id, alert.fingerprint.as_str()), &left).await?;
        }
    }
    Ok(renamed)
}

/// What is to be taken out. Each of its questions answers whether there was something.
struct Gone<'g> {
    names: Vec<String>,
    words: &'g [String],
    traces: &'g HashSet<String>,
}

impl<'g> Gone<'g> {
    fn of((names, words): (&[String], &'g [String]), traces: &'g HashSet<String>) -> Self {
        let elided = names.iter().flat_map(|name| ELIDED.map(|max| text::elide(name, max)));
        let mut all: Vec<String> = names.iter().cloned().chain(elided).collect();
        // The longest first: one within another would leave the rest of it.
        all.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
        all.dedup();
        Self { names: all, words, traces }
    }

    fn is(&self, value: &str) -> bool {
        self.names.iter().any(|name| name == value)
    }

    /// Whether an alert is of them, and not only names them: they are the slice that it is of.
    fn is_of(&self, fingerprint: &str, labels: &Labels) -> bool {
        labels.values().any(|value| self.is(value)) || fingerprint.splitn(3, '/').nth(2).is_some_and(|slice| self.is(slice))
    }

    /// Whether the alerts of an incident have in common that they are of them.
    fn has_group(&self, incident: &Incident) -> bool {
        let mut pairs = incident.group.split(',').filter_map(|pair| pair.split_once('='));
        pairs.any(|(label, value)| !matches!(label, "name" | "severity") && self.is(value))
    }

    fn is_in(&self, said: &Said) -> bool {
        let Said { incident: _, fingerprint, name, summary, labels, facts, traces } = said;
        let named = |text: &str| text::without(text, &self.names).is_some();
        self.is_of(fingerprint, labels)
            || named(name)
            || self.out_of_sentence(&mut summary.clone())
            || traces.iter().any(|trace| self.traces.contains(trace))
            || facts.values().any(|fact| self.out_of_value(&mut fact.clone()))
    }

    fn out_of_text(&self, text: &mut String) -> bool {
        let Some(left) = text::without(text, &self.names) else { return false };
        *text = left;
        true
    }

    /// A topic is named by its words, and only where one is named do these go: they are words as any other.
    fn out_of_sentence(&self, text: &mut String) -> bool {
        let named = self.out_of_text(text);
        let left = if text.contains(text::TOPIC) { text::without(text, self.words) } else { None };
        let worded = left.is_some();
        if let Some(left) = left {
            *text = left;
        }
        named | worded
    }

    fn out_of_labels(&self, labels: &mut Labels) -> bool {
        let mut found = false;
        for value in labels.values_mut().filter(|value| self.is(value)) {
            text::ERASED.clone_into(value);
            found = true;
        }
        found
    }

    fn out_of_traces(&self, traces: &mut Vec<String>) -> bool {
        let all = traces.len();
        traces.retain(|trace| !self.traces.contains(trace));
        traces.len() < all
    }

    fn out_of_value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => self.out_of_sentence(text),
            Value::Array(items) => items.iter_mut().fold(false, |found, item| self.out_of_value(item) | found),
            Value::Object(fields) => fields.values_mut().fold(false, |found, field| self.out_of_value(field) | found),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Of what happened only these fields hold words of others.
    fn out_of_detail(&self, detail: &mut Value, renamed: &BTreeMap<String, String>) -> bool {
        let Some(fields) = detail.as_object_mut() else { return false };
        let mut found = false;
        for (name, value) in fields {
            if let ("fingerprint", Some(new)) = (name.as_str(), value.as_str().and_then(|old| renamed.get(old))) {
                *value = new.as_str().into();
                found = true;
            } else if matches!(name.as_str(), "name" | "summary" | "note") {
                found |= self.out_of_value(value);
            }
        }
        found
    }

    fn out_of(&self, sent: &mut Sent) -> bool {
        let Notice { title, labels, alerts, .. } = &mut sent.notice;
        let mut found = self.out_of_sentence(title) | self.out_of_labels(labels);
        for alert in alerts {
            let of_them = self.is_of("", &alert.labels);
            let named = self.out_of_sentence(&mut alert.summary);
            if of_them && !named {
                text::ERASED.clone_into(&mut alert.summary);
            }
            found |= named | of_them | self.out_of_text(&mut alert.name) | self.out_of_labels(&mut alert.labels);
            found |= self.out_of_traces(&mut alert.traces);
            found = alert.facts.values_mut().fold(found, |found, fact| self.out_of_value(fact) | found);
        }
        found | sent.error.as_mut().is_some_and(|error| self.out_of_text(error))
    }

    /// The matcher without the name; nothing where it names nobody.
    fn out_of_matcher(&self, matcher: &str) -> Option<String> {
        let (label, value) = matcher.split_once('=')?;
        let left = self.is(value.trim_end_matches('*')).then(|| format!("{label}={}", text::ERASED))?;
        left.parse::<Matcher>().ok().map(|matcher| matcher.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_with_its_elided_forms_and_from_what_people_read_only() {
        let (long, traces) = ("x".repeat(300), HashSet::from(["t1".to_owned()]));
        let (names, words) = (["open".to_owned(), long.clone()], ["refund".to_owned()]);
        let gone = Gone::of((&names, &words), &traces);
        for max in ELIDED {
            let mut sentence = format!("user {}: slow", text::elide(&long, max));
            assert!(gone.out_of_text(&mut sentence));
            assert_eq!(sentence, "user [erased]: slow");
        }
        let mut detail = json!({ "fingerprint": "monitor/m/open", "severity": "open", "summary": "open is slow" });
        let renamed = BTreeMap::from([("monitor/m/open".to_owned(), "erased/1".to_owned())]);
        assert!(gone.out_of_detail(&mut detail, &renamed));
        let left = json!({ "fingerprint": "erased/1", "severity": "open", "summary": "[erased] is slow" });
        assert_eq!(detail, left, "a user may be called as a state is");
        assert!(gone.is_of("monitor/m/open", &Labels::new()) && !gone.is_of("monitor/open", &Labels::new()));
        assert_eq!(gone.out_of_matcher("user=open*").as_deref(), Some("user=[erased]"));
        assert_eq!(gone.out_of_matcher("state!=opened"), None);
        let grew = |words: &str| format!("it moved; most of all {}{words} (4 % before, 31 % now)", text::TOPIC);
        let mut topic = grew("parcel, refund, late");
        assert!(gone.out_of_sentence(&mut topic) && !gone.out_of_sentence(&mut "the share with refund is 4 %".to_owned()));
        assert_eq!(topic, grew("parcel, [erased], late"));
    }
}
