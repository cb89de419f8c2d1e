//! What there is before anything is asked, and at the end counts of it, compared with what may be read one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{HOUR, World, encoded, ids};
use crate::running::{Reply, apply_all};

/// Those who follow what comes: one who sees little, and one who sees some.
const FOLLOWERS: [usize; 2] = [1, 4];

/// The spans of each trace.
type Spans = BTreeMap<String, u64>;

fn tallied(spans: &[Value]) -> Spans {
    let mut traces = Spans::new();
    for span in spans {
        *traces.entry(span["trace_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    traces
}

fn traces_of(items: &[Value], key: &str) -> BTreeSet<String> {
    items.iter().filter_map(|item| item[key].as_str().map(str::to_owned)).collect()
}

impl World {
    /// What there is before anything is asked: spans, and a score of each trace that says a word of its documents.
    pub(super) async fn settle(&mut self) {
        let watch = json!({"apiVersion": "mainspring/v1", "kind": "monitor", "name": "watch", "spec": {
            "of": "spans", "filter": "operation = chat", "measure": {"rate": {"hits": "error"}},
            "compare": {"threshold": {"above": 0.5, "test": "sequential"}}, "window": "1h", "every": "1s", "delay": "0s",
        }});
        apply_all(self.data(), &[watch]);
        self.until = SystemClock.now();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let until = encoded(&self.until.to_string());
        let spans = self.all(0, &format!("/api/v1/spans?limit=500&to={until}")).await;
        self.spans = spans.iter().map(|span| (text(&span["trace_id"]), text(&span["span"]))).collect();
        self.traces.extend(self.spans.iter().map(|(trace, _)| trace.clone()));
        self.scored = self.spans.iter().map(|(trace, _)| trace.clone()).collect();
        let mut scores = Vec::new();
        for trace in &self.scored {
            let shown = self.owner().user.get(&format!("/api/v1/traces/{trace}")).await.text;
            let document = self.documents.iter().find(|document| !document.labels.is_empty() && shown.contains(&document.canary));
            let comment = document.map_or("nothing", |document| document.canary.as_str());
            scores.push(json!({"name": "leak", "value": 1, "trace": trace, "comment": comment}));
        }
        let written = self.owner().user.post("/api/v1/scores", &Value::Array(scores)).await;
        assert_eq!(written.status, 200, "{}", written.text);
        assert_eq!(written.json()["rejected"], 0, "{}", written.text);
        for at in FOLLOWERS {
            let heard = Arc::new(Mutex::new(Vec::new()));
            let user = self.readers[at].follower.take().unwrap();
            let following = tokio::spawn(user.follow("/api/v1/traces/tail?spans=true", Arc::clone(&heard)));
            self.tails.push((at, heard, following));
        }
    }

    /// What was told of spans as they came.
    pub(super) fn hear(&mut self) {
        for (at, heard, following) in std::mem::take(&mut self.tails) {
            following.abort();
            let text = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
            if !text.contains("\"event\":\"span\"") {
                self.wrong(at, "a tail", "nothing was told, so nothing was tried");
            }
            self.look(at, "a tail", &Reply { status: 200, text }, true);
        }
    }

    /// Everything of a list, page after page.
    pub(super) async fn all(&mut self, at: usize, path: &str) -> Vec<Value> {
        let (mut items, mut page) = (Vec::new(), path.to_owned());
        loop {
            let reply = self.readers[at].user.get(&page).await;
            assert_eq!(reply.status, 200, "GET {page}: {}", reply.text);
            self.look(at, &format!("GET {page}"), &reply, true);
            let mut told = reply.json();
            items.append(told["items"].as_array_mut().unwrap());
            let Some(next) = told["next"].as_str() else { return items };
            page = format!("{path}&cursor={}", encoded(next));
        }
    }

    async fn number(&mut self, at: usize, path: &str) -> u64 {
        let reply = self.get(at, path).await;
        reply.json()["count"].as_u64().unwrap_or_else(|| panic!("GET {path}: {}", reply.text))
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, at: usize, what: &str, (told, own): (T, T)) {
        if told != own {
            self.wrong(at, what, &format!("{told:?} where {own:?} may be read"));
        }
    }

    /// Of what began before anything was asked, which stays the same meanwhile.
    pub(super) async fn tally(&mut self) {
        let until = encoded(&self.until.to_string());
        let spans = self.all(0, &format!("/api/v1/spans?limit=500&to={until}")).await;
        let entered = self.all(0, &format!("/api/v1/traces?limit=500&to={until}")).await;
        let (held, entered) = (tallied(&spans), traces_of(&entered, "trace_id"));
        assert!(held.len() >= self.readers.len() && !entered.is_empty(), "{held:?}");
        for at in 0..self.readers.len() {
            let mut own = held.clone();
            for trace in held.keys() {
                if self.get(at, &format!("/api/v1/traces/{trace}")).await.status != 200 {
                    own.remove(trace);
                }
            }
            assert!(at > 0 || own.len() == held.len(), "the owner sees everything");
            self.hidden += held.len() - own.len();
            self.lists(at, &until, &own, &entered).await;
            self.measures(at, &until, &own, &spans).await;
            self.gathered(at).await;
        }
    }

    async fn lists(&mut self, at: usize, until: &str, own: &Spans, entered: &BTreeSet<String>) {
        let count = own.values().sum::<u64>();
        let traces: BTreeSet<String> = entered.iter().filter(|trace| own.contains_key(*trace)).cloned().collect();
        let told = self.number(at, &format!("/api/v1/spans/count?to={until}")).await;
        self.same(at, "spans/count", (told, count));
        let told = self.number(at, &format!("/api/v1/traces/count?to={until}")).await;
        self.same(at, "traces/count", (told, traces.len() as u64));
        let told = tallied(&self.all(at, &format!("/api/v1/spans?limit=100&to={until}")).await);
        self.same(at, "spans", (&told, own));
        let told = traces_of(&self.all(at, &format!("/api/v1/traces?limit=7&to={until}")).await, "trace_id");
        self.same(at, "traces", (&told, &traces));
        let told = traces_of(&self.all(at, "/api/v1/scores?name=leak&limit=100").await, "trace");
        let scored: BTreeSet<String> = self.scored.iter().filter(|trace| own.contains_key(*trace)).cloned().collect();
        self.same(at, "scores", (&told, &scored));
    }

    async fn measures(&mut self, at: usize, until: &str, own: &Spans, spans: &[Value]) {
        let since = encoded(&self.until.minus(HOUR).to_string());
        let path = format!("/api/v1/traces/metrics?measures=count&from={since}&to={until}");
        let rows = self.get(at, &path).await.json()["rows"].take();
        let count = own.values().sum::<u64>();
        let told: f64 = rows.as_array().unwrap().iter().filter_map(|row| row["values"]["count"].as_f64()).sum();
        self.same(at, "traces/metrics", (told, count as f64));

        let body = json!({
            "query": "SELECT trace, count(*) AS spans FROM spans GROUP BY trace", "to": self.until.to_string(), "limit": 10_000,
        });
        let rows = self.post(at, "/api/v1/sql", &body).await.json()["rows"].take();
        let row = |row: &Value| (row[0].as_str().unwrap().to_owned(), row[1].as_u64().unwrap());
        let told: Spans = rows.as_array().unwrap().iter().map(row).collect();
        self.same(at, "sql", (&told, own));

        // Calls of models are among the spans that name an operation.
        let calls = spans.iter().filter(|span| span["operation"].is_string());
        let calls = calls.filter(|span| span["trace_id"].as_str().is_some_and(|trace| own.contains_key(trace))).count();
        let query = encoded("sum(increase(mainspring_calls_total[1h]))");
        let path = format!("/api/v1/prometheus/api/v1/query?query={query}&time={}", self.until.as_seconds());
        let reply = self.get(at, &path).await.json();
        let told: f64 = reply["data"]["result"][0]["value"][1].as_str().map_or(0.0, |told| told.parse().unwrap());
        if told > calls as f64 + 1e-6 {
            self.wrong(at, "prometheus", &format!("{told} calls, of which {calls} may be counted"));
        }
    }

    /// A session, and a user, has as many traces as one may open.
    async fn gathered(&mut self, at: usize) {
        for (list, id, which) in [("sessions", "session", "session"), ("users", "user", "user")] {
            let everything = traces_of(&self.all(0, &format!("/api/v1/{list}?limit=100")).await, id);
            let told = self.all(at, &format!("/api/v1/{list}?limit=100")).await;
            for one in everything {
                let found = told.iter().find(|item| item[id] == one.as_str());
                let found = found.map_or(0, |item| item["traces"].as_u64().unwrap());
                let traces = self.get(0, &format!("/api/v1/traces?limit=100&any=true&{which}={}", encoded(&one))).await;
                let mut own = 0;
                for trace in ids(&traces, "trace_id") {
                    own += u64::from(self.get(at, &format!("/api/v1/traces/{trace}")).await.status == 200);
                }
                self.same(at, list, (found, own));
            }
        }
    }
}
