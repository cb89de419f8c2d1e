//! Every route that reads, and what is asked of it. One that is new fails the test here until somebody says which.

use serde_json::json;

use super::{Random, SHELVES, World, encoded, shelves::LISTED};
use crate::access::{Needs, TABLE};

#[derive(Debug, Clone, Copy)]
enum Told {
    /// Each of these, by everybody. What is in braces is filled in by chance.
    Asked(&'static [&'static str]),
    /// In a way of its own.
    Own,
    /// It tells nothing of what has labels, and why.
    Nothing(&'static str),
}

use Told::{Asked, Nothing, Own};

const CALLS: Told = Nothing("who called which model, for how long and at what cost: not what was said");
const OWN_FILES: Told = Nothing("of whoever made it, with what they were answered");
const SENT: Told = Nothing("made of what was sent");
const SENT_BEFORE: Told = Nothing("what was sent, and was answered by a provider, to whoever knows its name");
const PROMETHEUS: Told = Nothing("what GET of the path tells");

const ROUTES: &[(&str, &str, Told)] = &[
    ("GET", "/api/v1/overview", Asked(&["/api/v1/overview"])),
    ("GET", "/api/v1/health", Asked(&["/api/v1/health"])),
    ("GET", "/api/v1/processes", Asked(&["/api/v1/processes"])),
    ("GET", "/api/v1/apps", Asked(&["/api/v1/apps"])),
    ("GET", "/api/v1/models", Asked(&["/api/v1/models"])),
    ("GET", "/v1/models", Asked(&["/v1/models"])),
    ("GET", "/v1/models/{*name}", Asked(&["/v1/models/papers"])),
    ("GET", "/api/v1/knowledge", Own),
    ("GET", "/api/v1/knowledge/{name}", Own),
    ("GET", "/api/v1/knowledge/{name}/documents", Own),
    ("GET", "/api/v1/knowledge/{name}/documents/{id}", Own),
    ("GET", "/api/v1/knowledge/{name}/documents/{id}/text", Own),
    ("GET", "/api/v1/knowledge/{name}/documents/{id}/chunks", Own),
    ("GET", "/api/v1/knowledge/{name}/search", Own),
    ("POST", "/api/v1/knowledge/{name}/search", Own),
    ("GET", "/api/v1/knowledge/{name}/receipts", Asked(&["/api/v1/knowledge/papers/receipts"])),
    ("GET", "/api/v1/knowledge/{name}/receipts/{id}", Nothing("the test of forgetting asks it of limited admins")),
    ("GET", "/api/v1/knowledge/{name}/tombstones", Asked(&["/api/v1/knowledge/papers/tombstones"])),
    ("GET", "/api/v1/knowledge/{name}/runs", Own),
    ("GET", "/api/v1/runs", Asked(&["/api/v1/runs?limit=100"])),
    ("GET", "/api/v1/runs/{id}", Own),
    ("GET", "/api/v1/runs/{id}/events", Own),
    ("GET", "/api/v1/jobs", Asked(&["/api/v1/jobs?limit=100"])),
    ("GET", "/api/v1/batches", OWN_FILES),
    ("GET", "/api/v1/batches/{id}", OWN_FILES),
    ("GET", "/api/v1/batches/{id}/results", OWN_FILES),
    ("POST", "/api/v1/batches/{id}/cancel", OWN_FILES),
    (
        "GET",
        "/api/v1/traces",
        Asked(&[
            "/api/v1/traces?limit=100",
            "/api/v1/traces?limit=100&q={word}",
            "/api/v1/traces?limit=100&any=true&filter={filter}",
            "/api/v1/traces?session={session}",
        ]),
    ),
    ("GET", "/api/v1/traces/count", Asked(&["/api/v1/traces/count?any=true&q={word}", "/api/v1/traces/count?filter={filter}"])),
    (
        "GET",
        "/api/v1/traces/metrics",
        Asked(&["/api/v1/traces/metrics?by=name,session&measures=count,traces", "/api/v1/traces/metrics?filter={filter}"]),
    ),
    (
        "GET",
        "/api/v1/traces/export",
        Asked(&["/api/v1/traces/export?format=jsonl", "/api/v1/traces/export?format=otlp-json&filter={filter}"]),
    ),
    ("GET", "/api/v1/traces/tail", Own),
    ("GET", "/api/v1/spans", Asked(&["/api/v1/spans?limit=200", "/api/v1/spans?q={word}", "/api/v1/spans?filter={filter}"])),
    ("GET", "/api/v1/spans/count", Asked(&["/api/v1/spans/count?filter={filter}", "/api/v1/spans/count?q={word}"])),
    ("GET", "/api/v1/logs", Asked(&["/api/v1/logs?limit=200", "/api/v1/logs?q={word}", "/api/v1/logs?filter={filter}"])),
    ("GET", "/api/v1/logs/count", Asked(&["/api/v1/logs/count?filter={filter}", "/api/v1/logs/count?q={word}"])),
    ("GET", "/api/v1/sessions", Asked(&["/api/v1/sessions", "/api/v1/sessions?filter={filter}"])),
    ("GET", "/api/v1/sessions/{id}", Asked(&["/api/v1/sessions/{session}"])),
    ("GET", "/api/v1/users", Asked(&["/api/v1/users", "/api/v1/users?session={session}"])),
    ("GET", "/api/v1/traces/conventions", Asked(&["/api/v1/traces/conventions"])),
    ("GET", "/api/v1/traces/{id}/reading", Asked(&["/api/v1/traces/{trace}/reading?span={span}"])),
    ("GET", "/api/v1/traces/fields", Nothing("names of fields")),
    ("GET", "/api/v1/traces/{id}/tree", Asked(&["/api/v1/traces/{trace}/tree"])),
    ("GET", "/api/v1/traces/{id}/spans/{span}", Asked(&["/api/v1/traces/{trace}/spans/{span}"])),
    ("GET", "/api/v1/traces/{id}/spans/{span}/values/{digest}", Nothing("a value is looked for in the span, which is asked")),
    ("GET", "/api/v1/traces/{id}", Own),
    ("POST", "/api/v1/traces/{id}/replay", Own),
    ("GET", "/api/v1/retention", Nothing("how much is kept, of all traces together: the guide of access says so")),
    ("GET", "/api/v1/erasures", Asked(&["/api/v1/erasures"])),
    ("GET", "/api/v1/erasures/{id}", Nothing("what was asked to be erased, in the words of whoever asked")),
    ("GET", "/api/v1/incidents", Asked(&["/api/v1/incidents"])),
    ("GET", "/api/v1/incidents/{id}", Nothing("refused as the list is, before it is looked for")),
    ("GET", "/api/v1/deliveries", Asked(&["/api/v1/deliveries"])),
    ("GET", "/api/v1/monitors", Asked(&["/api/v1/monitors"])),
    ("GET", "/api/v1/monitors/{name}", Asked(&["/api/v1/monitors/watch"])),
    ("GET", "/api/v1/monitors/{name}/evaluations", Asked(&["/api/v1/monitors/watch/evaluations"])),
    ("POST", "/api/v1/monitors/{name}/evaluate", Own),
    ("GET", "/api/v1/receivers", Asked(&["/api/v1/receivers"])),
    ("GET", "/api/v1/silences", Nothing("what people wrote")),
    ("GET", "/api/v1/assets", Asked(&["/api/v1/assets?limit=100"])),
    ("GET", "/api/v1/assets/{kind}/{name}", Own),
    ("GET", "/api/v1/assets/{kind}/{name}/versions", Asked(&["/api/v1/assets/knowledge/papers/versions"])),
    ("GET", "/api/v1/assets/{kind}/{name}/diff", Nothing("what the versions say, which every reader may read")),
    ("GET", "/api/v1/projects", Nothing("names of projects")),
    ("GET", "/api/v1/projects/{project}/capture", Nothing("what is kept, and not any of it")),
    ("GET", "/api/v1/members", Nothing("who there is")),
    ("GET", "/api/v1/keys", Nothing("which keys there are")),
    ("GET", "/api/v1/limits", CALLS),
    ("GET", "/api/v1/usage", CALLS),
    ("GET", "/api/v1/usage/reprice", CALLS),
    ("GET", "/api/v1/calls", CALLS),
    ("GET", "/api/v1/calls/live", CALLS),
    ("GET", "/api/v1/routes", Nothing("which models are asked")),
    ("GET", "/api/v1/routes/history", CALLS),
    ("POST", "/api/v1/routes/explain", Nothing("which model would be asked")),
    ("GET", "/api/v1/audit", Asked(&["/api/v1/audit?limit=100"])),
    ("GET", "/api/v1/secrets", Nothing("names of secrets")),
    ("POST", "/v1/messages", Own),
    ("POST", "/v1/messages/count_tokens", SENT),
    ("POST", "/v1/chat/completions", Own),
    ("POST", "/v1/responses", Own),
    ("GET", "/v1/responses", Nothing("refused: there is no such endpoint over a socket")),
    ("POST", "/v1/responses/compact", SENT),
    ("POST", "/v1/responses/input_tokens", SENT),
    ("GET", "/v1/responses/{id}", SENT_BEFORE),
    ("POST", "/v1/responses/{id}/cancel", SENT_BEFORE),
    ("GET", "/v1/responses/{id}/input_items", SENT_BEFORE),
    ("POST", "/v1/completions", Own),
    ("POST", "/v1/embeddings", SENT),
    ("POST", "/v1/files", OWN_FILES),
    ("GET", "/v1/files", OWN_FILES),
    ("GET", "/v1/files/{id}", OWN_FILES),
    ("GET", "/v1/files/{id}/content", OWN_FILES),
    ("POST", "/v1/batches", OWN_FILES),
    ("GET", "/v1/batches", OWN_FILES),
    ("GET", "/v1/batches/{id}", OWN_FILES),
    ("POST", "/v1/batches/{id}/cancel", OWN_FILES),
    ("POST", "/v1/rerank", SENT),
    ("POST", "/v2/rerank", SENT),
    ("POST", "/v1/moderations", SENT),
    ("GET", "/api/v1/metric-points", Nothing("points that programs sent, which show no document")),
    ("GET", "/api/v1/metrics", Nothing("points that programs sent, which show no document")),
    ("GET", "/api/v1/metrics/{name}/series", Nothing("points that programs sent, which show no document")),
    ("GET", "/api/v1/scores", Asked(&["/api/v1/scores?limit=100", "/api/v1/scores?trace={trace}"])),
    ("POST", "/api/v1/feedback", Own),
    ("GET", "/api/v1/drift", Asked(&["/api/v1/drift?field=name,status,user"])),
    ("POST", "/api/v1/sql", Own),
    ("GET", "/api/v1/sql/schema", Nothing("names of columns")),
    ("GET", "/api/v1/dashboards", Asked(&["/api/v1/dashboards"])),
    ("GET", "/api/v1/dashboards/{name}", Asked(&["/api/v1/dashboards/overview"])),
    (
        "GET",
        "/api/v1/dashboards/{name}/data",
        Asked(&["/api/v1/dashboards/overview/data", "/api/v1/dashboards/overview/data?by=app"]),
    ),
    (
        "GET",
        "/api/v1/prometheus/api/v1/query",
        Asked(&["/api/v1/prometheus/api/v1/query?query=sum%20by%20(app)%20(increase(mainspring_calls_total[1h]))"]),
    ),
    ("POST", "/api/v1/prometheus/api/v1/query", PROMETHEUS),
    (
        "GET",
        "/api/v1/prometheus/api/v1/query_range",
        Asked(&[
            "/api/v1/prometheus/api/v1/query_range?query=increase(mainspring_calls_total[1m])&start={start}&end={end}&step=60",
        ]),
    ),
    ("POST", "/api/v1/prometheus/api/v1/query_range", PROMETHEUS),
    ("GET", "/api/v1/prometheus/api/v1/labels", Asked(&["/api/v1/prometheus/api/v1/labels"])),
    ("POST", "/api/v1/prometheus/api/v1/labels", PROMETHEUS),
    ("GET", "/api/v1/prometheus/api/v1/series", Asked(&["/api/v1/prometheus/api/v1/series?match%5B%5D=mainspring_calls_total"])),
    ("POST", "/api/v1/prometheus/api/v1/series", PROMETHEUS),
    ("GET", "/api/v1/prometheus/api/v1/label/{name}/values", Asked(&["/api/v1/prometheus/api/v1/label/app/values"])),
    ("GET", "/api/v1/prometheus/api/v1/metadata", Nothing("names and units of metrics, which have no labels")),
    ("GET", "/api/public/projects", Nothing("the name of the caller's own project")),
];

fn templates() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().flat_map(|(_, _, told)| if let Asked(templates) = told { *templates } else { &[] }).copied()
}

impl World {
    /// Everything once.
    pub(super) async fn ask_everything(&mut self, at: usize, random: &mut Random) {
        for template in templates() {
            self.ask_one(at, template, random).await;
        }
        self.specs(at).await;
        self.sql(at, random).await;
        self.watch(at).await;
        self.feedback(at, random).await;
    }

    pub(super) async fn ask_any(&mut self, at: usize, random: &mut Random) {
        let all: Vec<&'static str> = templates().collect();
        let template = *random.one(&all);
        self.ask_one(at, template, random).await;
    }

    async fn ask_one(&mut self, at: usize, template: &'static str, random: &mut Random) {
        let path = self.filled(template, random);
        let reply = self.readers[at].user.get(&path).await;
        assert!(reply.status < 500, "GET {path}: {}", reply.text);
        // Previews cut what was typed short.
        self.look(at, &format!("GET {path}"), &reply, true);
        if reply.status == 200 {
            self.answered.insert(template);
        } else {
            self.refused.insert(template, format!("{path}: {} {}", reply.status, reply.text));
        }
    }

    fn filled(&self, template: &str, random: &mut Random) -> String {
        let (trace, span) = random.one(&self.spans).clone();
        let word = self.any_word(random);
        let filter = match random.below(5) {
            0 => format!("content contains \"{word}\""),
            1 => format!("name contains \"{word}\" or content contains \"{}\"", self.any_word(random)),
            2 => "operation = chat".to_owned(),
            3 => "entry and app = papers".to_owned(),
            _ => "not error".to_owned(),
        };
        template
            .replace("{trace}", &trace)
            .replace("{span}", &span)
            .replace("{word}", &encoded(&word))
            .replace("{filter}", &encoded(&filter))
            .replace("{session}", &Self::session(random.below(SHELVES.len())))
            .replace("{start}", &self.until.minus(super::HOUR).as_seconds().to_string())
            .replace("{end}", &self.until.as_seconds().to_string())
    }

    /// Specs hide nothing from a reader of the project, not even the names of files that are listed there: that is said where
    /// people read of labels, and everything else hides them.
    async fn specs(&mut self, at: usize) {
        let path = "/api/v1/assets/knowledge/papers";
        let told = self.readers[at].user.get(path).await.json()["spec"].take();
        let whole = self.readers[0].user.get(path).await.json()["spec"].take();
        assert!(told == whole && told["sources"][LISTED]["paths"].is_array(), "{told}");
    }

    /// What was typed is no document: none of it names one.
    pub(super) async fn sql(&mut self, at: usize, random: &mut Random) {
        let query = random.one(&[
            "SELECT * FROM spans ORDER BY start DESC LIMIT 100",
            "SELECT name, count(*) AS spans FROM spans GROUP BY name",
            "SELECT * FROM scores LIMIT 100",
            "SELECT spans.attributes, scores.comment FROM spans JOIN scores ON spans.trace = scores.trace LIMIT 100",
        ]);
        let body = json!({"query": query});
        let reply = self.readers[at].user.post("/api/v1/sql", &body).await;
        // A span that comes in between may be in the way.
        assert!(matches!(reply.status, 200 | 409 | 503), "{body}: {}", reply.text);
        self.look(at, &format!("POST /api/v1/sql {body}"), &reply, true);
    }

    /// A monitor counts for whoever tries it out what they may count themselves.
    pub(super) async fn watch(&mut self, at: usize) {
        let look = self.post(at, "/api/v1/monitors/watch/evaluate", &json!({})).await;
        assert_eq!(look.status, 200, "{}", look.text);
        let told = look.json()["evaluation"]["slices"][0]["count"].as_u64().unwrap_or_default();
        let filter = encoded("operation = chat");
        let own = self.get(at, &format!("/api/v1/spans/count?filter={filter}")).await.json()["count"].as_u64().unwrap();
        if told > own {
            self.wrong(at, "a monitor", &format!("{told} calls, of which {own} may be counted"));
        }
    }

    /// Nobody speaks of a trace that they may not see.
    pub(super) async fn feedback(&mut self, at: usize, random: &mut Random) {
        let (trace, _) = random.one(&self.spans).clone();
        let seen = self.readers[at].user.get(&format!("/api/v1/traces/{trace}")).await.status;
        let said = self.post(at, "/api/v1/feedback", &json!({"trace": trace, "rating": "up"})).await;
        if (seen == 200) != (said.status == 200) {
            self.wrong(at, "feedback", &format!("{trace} is seen ({seen}) and spoken of ({}): {}", said.status, said.text));
        }
    }

    /// By each of the ways in which answers are asked for.
    pub(super) async fn answers(&mut self, at: usize, random: &mut Random) {
        let question = self.question(random);
        let messages = json!([{"role": "user", "content": question}]);
        let (path, body) = match at % 3 {
            0 => ("/v1/messages", json!({"model": "papers", "max_tokens": 6, "messages": messages})),
            1 => ("/v1/responses", json!({"model": "papers", "max_output_tokens": 16, "input": question})),
            _ => ("/v1/completions", json!({"model": "papers", "max_tokens": 6, "prompt": question})),
        };
        let reply = self.post(at, path, &body).await;
        assert_eq!(reply.status, 200, "{path} {body}: {}", reply.text);
    }

    /// A path that nobody was answered was not tried.
    pub(super) fn everything_was_answered(&self) {
        let not = |template: &&'static str| !self.answered.contains(template);
        let unanswered: Vec<_> = templates().filter(not).map(|template| self.refused.get(template)).collect();
        assert!(unanswered.is_empty(), "{unanswered:#?}");
    }
}

fn reads(method: &str, needs: Needs) -> bool {
    match method {
        "GET" => needs != Needs::Nobody,
        "POST" => needs == Needs::Reader,
        _ => false,
    }
}

#[test]
fn every_route_that_reads_is_asked_or_holds_nothing() {
    for (method, path, needs) in TABLE {
        let listed = ROUTES.iter().filter(|(other, known, _)| other == method && known == path).count();
        assert_eq!(listed, usize::from(reads(method, *needs)), "{method} {path}: say here what it tells");
    }
    for (method, path, told) in ROUTES {
        assert!(TABLE.iter().any(|(other, known, _)| other == method && known == path), "{method} {path} is gone");
        let said = match told {
            Asked(templates) => !templates.is_empty(),
            Nothing(why) => !why.is_empty(),
            Own => true,
        };
        assert!(said, "{method} {path}");
    }
}
