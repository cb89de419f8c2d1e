//! What somebody asks by chance, and what an answer to it may tell them.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Document, REPLAYS, Random, SHELVES, World, encoded, ids};
use crate::running::Reply;

impl World {
    pub(super) async fn ask(&mut self, at: usize, random: &mut Random) {
        match random.below(18) {
            0..=2 => self.search(at, random).await,
            3 => {
                let mode = random.one(&["hybrid", "vector", "text"]);
                let query = encoded(&self.question(random));
                let limit = 1 + random.below(30);
                let mut path = format!("/api/v1/knowledge/papers/search?query={query}&mode={mode}&limit={limit}");
                if random.chance(2) {
                    path.push_str(&format!("&metadata.shelf=s{}", random.below(SHELVES.len())));
                }
                assert_eq!(self.get(at, &path).await.status, 200);
            }
            4 => self.documents(at, random).await,
            5 | 6 => self.document(at, random).await,
            7 => self.counts(at).await,
            8 => self.runs(at, random).await,
            9 => {
                let word = if random.chance(3) { "report".to_owned() } else { self.any_word(random) };
                let found = self.get(at, &format!("/api/v1/traces?limit=100&q={word}")).await;
                let seen = ids(&found, "trace_id");
                self.traces.extend(seen);
            }
            10 => self.trace(at, random).await,
            11 => self.sql(at, random).await,
            12 => self.watch(at).await,
            13 => self.feedback(at, random).await,
            _ => self.ask_any(at, random).await,
        }
    }

    async fn search(&mut self, at: usize, random: &mut Random) {
        let mut body = json!({"query": self.question(random)});
        if random.chance(2) {
            body["mode"] = json!(random.one(&["hybrid", "vector", "text"]));
        }
        if random.chance(2) {
            body["limit"] = json!(1 + random.below(30));
        }
        if random.chance(4) {
            body["metadata"] = json!({"shelf": [format!("s{}", random.below(SHELVES.len()))]});
        }
        if random.chance(3) {
            let wanted: Vec<&String> = (0..=random.below(4)).map(|_| &random.one(&self.documents).id).collect();
            body["documents"] = json!(wanted);
        }
        if random.chance(3) {
            body["at"] = random.one(&self.pins).clone();
        }
        // Neither a closer look nor a small budget brings in what the filter keeps out.
        if random.chance(8) {
            body["rerank"] = json!(true);
        }
        if random.chance(6) {
            body["token_budget"] = json!(1 + random.below(60));
        }
        let reply = self.post(at, "/api/v1/knowledge/papers/search", &body).await;
        assert_eq!(reply.status, 200, "{body}: {}", reply.text);
        let found = reply.json();
        // A rank beyond what the reader has counts what the reader has not.
        let chunks: u64 = self.readable(at).map(|document| document.chunks).sum();
        for passage in found["passages"].as_array().unwrap() {
            let ranks = ["vector_rank", "text_rank"].map(|rank| passage["scores"][rank].as_u64().unwrap_or_default());
            if ranks.into_iter().any(|rank| rank > chunks) {
                self.wrong(at, &body.to_string(), &format!("ranks {ranks:?} of {chunks} chunks"));
            }
        }
        // How rare a word is counts the documents that are hidden.
        if !self.readers[at].all {
            for passage in ["passages", "left_out"].into_iter().flat_map(|list| found[list].as_array().unwrap()) {
                let scores = &passage["scores"];
                let ranked = body["mode"] != "text"
                    || scores["rerank_score"].is_number()
                    || scores["score"]
                        .as_f64()
                        .zip(scores["text_rank"].as_f64())
                        .is_some_and(|(score, rank)| (score * rank - 1.0).abs() < 1e-3);
                if !scores["text_score"].is_null() || !ranked {
                    self.wrong(at, &body.to_string(), &format!("scores of words {scores}"));
                }
            }
        }
        // Nothing nearer than what they may read is told of: the same question over just those documents answers the same.
        if body.get("documents").is_none() {
            let own: Vec<String> = self.readable(at).map(|document| document.id.clone()).collect();
            body["documents"] = json!(own);
            let same = self.owner().user.post("/api/v1/knowledge/papers/search", &body).await.json();
            let near = |found: &Value| found["best_similarity"].as_f64().unwrap_or_default();
            if (near(&found) - near(&same)).abs() > 1e-3 {
                self.wrong(at, &body.to_string(), &format!("best_similarity {} instead of {}", near(&found), near(&same)));
            }
        }
    }

    fn readable(&self, at: usize) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| self.readers[at].may_read(document))
    }

    async fn documents(&mut self, at: usize, random: &mut Random) {
        let path = match random.below(4) {
            0 => format!("q={}", self.any_word(random)),
            1 => format!("source=s{}", random.below(SHELVES.len())),
            2 => format!("status={}", random.one(&["ready", "failed", "skipped", "forgotten"])),
            _ => "limit=100".to_owned(),
        };
        let reply = self.get(at, &format!("/api/v1/knowledge/papers/documents?{path}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        if path == "limit=100" {
            let seen: BTreeSet<String> = ids(&reply, "id").into_iter().collect();
            let own: BTreeSet<String> = self.readable(at).map(|document| document.id.clone()).collect();
            if seen != own {
                self.wrong(at, &path, &format!("{} documents instead of {}", seen.len(), own.len()));
            }
        }
    }

    async fn document(&mut self, at: usize, random: &mut Random) {
        let document = random.one(&self.documents);
        let (id, failed, readable) = (document.id.clone(), document.failed, self.readers[at].may_read(document));
        // A digest opens no text of a document that is hidden.
        let parts = ["", "/text", "/chunks", "/text?digest=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"];
        let part = *random.one(&parts[..if readable { 3 } else { 4 }]);
        let path = |id: &str| format!("/api/v1/knowledge/papers/documents/{id}{part}");
        let reply = self.get(at, &path(&id)).await;
        if readable {
            assert!(reply.status == 200 || failed, "{}: {}", path(&id), reply.text);
            return;
        }
        let absent = format!("doc_{:016x}{:016x}", random.next(), random.next());
        let other = self.get(at, &path(&absent)).await;
        let told = |reply: &Reply, id: &str| {
            let mut json = reply.json();
            json["request_id"].take();
            json.to_string().replace(id, "")
        };
        if reply.status != 404 || other.status != 404 || told(&reply, &id) != told(&other, &absent) {
            let what =
                format!("({}) {} for one that is hidden, ({}) {} for none", reply.status, reply.text, other.status, other.text);
            self.wrong(at, &path(&id), &what);
        }
    }

    pub(super) async fn counts(&mut self, at: usize) {
        let listed = self.get(at, "/api/v1/knowledge").await.json()["items"][0].clone();
        let detail = self.get(at, "/api/v1/knowledge/papers").await.json();
        let overview = self.get(at, "/api/v1/overview").await.json()["knowledge"][0].clone();
        let chunks: u64 = self.readable(at).map(|document| document.chunks).sum();
        let failed = self.readable(at).filter(|document| document.failed).count() as u64;
        let all = self.readable(at).count() as u64;
        for found in [&listed, &detail, &overview] {
            let told = ["documents", "failed", "chunks"].map(|field| found[field].as_u64().unwrap());
            if told[0] > all
                || told[1] > failed
                || told[2] > chunks
                || found.get("unindexed_rows").is_some_and(|_| !self.readers[at].all)
            {
                let what = format!("[documents, failed, chunks] {told:?} where {all}, {failed}, {chunks} may be read");
                self.wrong(at, "counts", &what);
            }
            self.report(at, &found["last_run"]);
        }
        for source in detail["sources"].as_array().unwrap() {
            let shelf: usize = source["name"].as_str().unwrap()[1..].parse().unwrap();
            let own = self.readable(at).filter(|document| document.shelf == shelf).count() as u64;
            if own == 0 || source["documents"].as_u64().is_some_and(|documents| documents > own) {
                self.wrong(at, "sources", &format!("{source} where {own} may be read"));
            }
        }
    }

    async fn runs(&mut self, at: usize, random: &mut Random) {
        let run = random.one(&self.runs).clone();
        match random.below(3) {
            0 => {
                let runs = self.get(at, "/api/v1/knowledge/papers/runs").await.json();
                for run in runs["items"].as_array().unwrap() {
                    self.report(at, run);
                }
            }
            1 => {
                let run = self.get(at, &format!("/api/v1/runs/{run}")).await.json();
                self.report(at, &run);
            }
            _ => assert_eq!(self.get(at, &format!("/api/v1/runs/{run}/events")).await.status, 200),
        }
    }

    /// A run's report counts no document that is hidden.
    fn report(&mut self, at: usize, run: &Value) {
        if self.readers[at].all {
            return;
        }
        let most = self.readable(at).count() as u64;
        let chunks: u64 = self.readable(at).map(|document| document.chunks).sum();
        for part in ["report", "progress"] {
            let few = ["added", "changed", "unchanged", "failed", "documents_total", "documents_done", "documents_failed"];
            let too_many = few.into_iter().find(|field| run[part][field].as_u64().is_some_and(|count| count > most));
            let too_long =
                ["chunks", "embedded"].into_iter().find(|field| run[part][field].as_u64().is_some_and(|count| count > chunks));
            if let Some(field) = too_many.or(too_long) {
                self.wrong(
                    at,
                    "a run",
                    &format!("{part}.{field} is {} where {most} documents and {chunks} chunks may be read", run[part][field]),
                );
            }
        }
    }

    async fn trace(&mut self, at: usize, random: &mut Random) {
        let trace = random.one(&self.traces).clone();
        let seen = self.get(at, &format!("/api/v1/traces/{trace}")).await;
        assert!(matches!(seen.status, 200 | 404), "{}", seen.text);
        self.hidden += usize::from(seen.status == 404);
        if seen.status == 404 || self.replays < REPLAYS || !seen.text.contains("mainspring.replay") {
            self.replays += usize::from(seen.text.contains("mainspring.replay"));
            let replayed = self.post(at, &format!("/api/v1/traces/{trace}/replay"), &json!({})).await;
            assert!(seen.status != 404 || replayed.status == 404, "{trace} is hidden but replayed: {}", replayed.text);
        }
    }

    pub(super) async fn chat(&mut self, at: usize, stream: bool, random: &mut Random) {
        let question = self.question(random);
        let messages = json!([{"role": "user", "content": question}]);
        let user = format!("user-{at}");
        let body = json!({"model": "papers", "messages": messages, "max_tokens": 6, "stream": stream, "user": user});
        let request = http::Request::post("/v1/chat/completions").header(http::header::CONTENT_TYPE, "application/json");
        let request = request.header("x-mainspring-session", Self::session(at)).body(Bytes::from(body.to_string())).unwrap();
        let reply = self.readers[at].user.send(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.look(at, &format!("POST /v1/chat/completions {body}"), &reply, false);
    }
}
