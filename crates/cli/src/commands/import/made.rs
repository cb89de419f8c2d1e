//! Makes the keys and sets the limits of an import. What is there already is recognised: importing again doubles nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use mainspring_importers::{Action, WantedKey, WantedLimit};
use mainspring_kernel::{Clock as _, SystemClock, Timestamp};
use mainspring_wire as wire;
use serde_json::{Value, json};

use super::handed::Handed;
use crate::{
    commands::Session,
    output::{line, say},
};

/// What is wanted, beside what is there.
pub(super) struct Plan {
    wanted: Vec<Action>,
    keys: Vec<wire::KeyView>,
    limits: Vec<wire::LimitView>,
    now: Timestamp,
}

/// What became of it.
pub(super) struct Made {
    keys: Vec<Value>,
    limits: Vec<Value>,
    handed: Handed,
}

impl Plan {
    pub(super) async fn of(session: &Session, wanted: Vec<Action>) -> anyhow::Result<Self> {
        let asks = "cannot see which keys and limits there are, which the file has too";
        let (keys, limits) = if wanted.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            let keys = session.client.all("/api/v1/keys").await.context(asks)?;
            (keys, session.client.all("/api/v1/limits").await.context(asks)?)
        };
        Ok(Self { wanted, keys, limits, now: SystemClock.now() })
    }

    pub(super) fn makes_keys(&self) -> bool {
        self.wanted.iter().any(|action| matches!(action, Action::Key(key) if matches!(self.state(key), State::New)))
    }

    /// A key that was revoked here stays so, whatever another gateway's file says.
    fn state(&self, wanted: &WantedKey) -> State<'_> {
        let named = || self.keys.iter().filter(|key| key.name == wanted.name.as_str());
        match named().find(|key| key.revoked_at.is_none()).or_else(|| named().next()) {
            Some(key) if key.revoked_at.is_some() => State::Revoked,
            Some(key) => State::There(key),
            None if wanted.expires_at.is_some_and(|end| end <= self.now) => State::Ended,
            None => State::New,
        }
    }

    pub(super) async fn make(self, session: &Session, handed: Handed) -> anyhow::Result<Made> {
        let mut made = Made { keys: Vec::new(), limits: Vec::new(), handed };
        let outcome = self.all(session, &mut made).await;
        if outcome.is_err() {
            made.handed.rescue();
        }
        outcome.map(|()| made)
    }

    /// A key's limits follow it at once.
    async fn all(&self, session: &Session, made: &mut Made) -> anyhow::Result<()> {
        let mut ids: BTreeMap<&str, String> = BTreeMap::new();
        for action in &self.wanted {
            match action {
                Action::Key(wanted) => {
                    if let Some(id) = self.key(session, wanted, made).await? {
                        ids.insert(wanted.name.as_str(), id);
                    }
                }
                Action::Limit(wanted) => match (wanted.kind.as_str(), &wanted.subject) {
                    ("key", Some(name)) => {
                        if let Some(id) = ids.get(name.as_str()) {
                            self.limit(session, (wanted, Some(id.as_str())), made).await?;
                        }
                    }
                    (_, subject) => self.limit(session, (wanted, subject.as_deref()), made).await?,
                },
            }
        }
        if let (Handed::Printed, true) = (&made.handed, made.keys.iter().any(|key| key["state"] == "created")) {
            say("keys are shown this once");
        }
        Ok(())
    }

    /// The key's id, where it is one that works.
    async fn key(&self, session: &Session, wanted: &WantedKey, made: &mut Made) -> anyhow::Result<Option<String>> {
        let WantedKey { name, role, models, expires_at } = wanted;
        let name = name.to_string();
        let (id, state) = match self.state(wanted) {
            State::New => {
                let request = wire::NewKey {
                    name: name.clone(),
                    role: role.to_string(),
                    labels: None,
                    models: models.clone(),
                    expires_at: expires_at.map(|at| at.to_string()),
                    member: None,
                };
                let created: wire::CreatedKey = session.client.post("/api/v1/keys", &request).await?;
                tell(session, &format!("+ key/{name}  create"));
                made.handed.give(&created)?;
                (Some(created.key.id), "created")
            }
            State::There(key) => {
                let same = is_as_wanted(key, wanted);
                let note = if same { "" } else { "; its role, models or end are others in the file, and stay as they are" };
                tell(session, &format!("= key/{name}  unchanged{note}"));
                (Some(key.id.clone()), if same { "unchanged" } else { "other" })
            }
            State::Revoked => {
                tell(session, &format!("= key/{name}  was revoked, and stays so"));
                (None, "revoked")
            }
            State::Ended => {
                tell(session, &format!("= key/{name}  has ended before now: it is not made"));
                (None, "ended")
            }
        };
        let mut shown = json!({"name": name, "state": state});
        if let Some(id) = &id {
            shown["id"] = json!(id);
        }
        if let Some(secret) = made.handed.gathered(&name) {
            shown["secret"] = json!(secret);
        }
        made.keys.push(shown);
        Ok(id)
    }

    async fn limit(&self, session: &Session, wanted: (&WantedLimit, Option<&str>), made: &mut Made) -> anyhow::Result<()> {
        let (WantedLimit { kind, metric, amount, subject: named }, subject) = wanted;
        let amount = amount.to_string();
        let there = self.limits.iter().find(|limit| {
            (limit.kind.as_str(), limit.metric.as_str()) == (kind.as_str(), metric.as_str())
                && limit.subject == subject.unwrap_or("*")
        });
        let (sign, word, state) = match there {
            Some(there) if there.amount == amount => ("=", "unchanged", "unchanged"),
            Some(_) => ("~", "update", "updated"),
            None => ("+", "create", "created"),
        };
        if state != "unchanged" {
            let new = wire::NewLimit {
                kind: kind.as_str().to_owned(),
                subject: subject.map(str::to_owned),
                metric: metric.as_str().to_owned(),
                amount: amount.clone(),
            };
            let _: wire::LimitView = session.client.post("/api/v1/limits", &new).await?;
        }
        let whom = named.as_ref().map_or_else(|| kind.as_str().to_owned(), |named| format!("{}={named}", kind.as_str()));
        let was = there.filter(|_| state == "updated").map(|there| format!(" from {}", there.amount)).unwrap_or_default();
        tell(session, &format!("{sign} limit/{} {amount} for {whom}  {word}{was}", metric.as_str().replace('_', "-")));
        let mut shown = json!({"kind": kind.as_str(), "metric": metric.as_str(), "amount": amount, "state": state});
        if let Some(named) = named {
            shown["subject"] = json!(named);
        }
        made.limits.push(shown);
        Ok(())
    }
}

fn is_as_wanted(key: &wire::KeyView, wanted: &WantedKey) -> bool {
    let set = |models: &Option<Vec<String>>| models.clone().map(BTreeSet::from_iter);
    let end = key.expires_at.as_deref().and_then(Timestamp::parse);
    key.role == wanted.role.as_str() && end == wanted.expires_at && set(&key.models) == set(&wanted.models)
}

enum State<'p> {
    New,
    There(&'p wire::KeyView),
    Revoked,
    /// It would end before it begins.
    Ended,
}

impl Made {
    pub(super) fn put_into(&self, shown: &mut Value) {
        shown["keys"] = json!(self.keys);
        shown["limits"] = json!(self.limits);
        if let Some(path) = self.handed.path() {
            shown["keys_out"] = json!(path.display().to_string());
        }
    }
}

fn tell(session: &Session, text: &str) {
    if !session.json {
        line(text);
    }
}
