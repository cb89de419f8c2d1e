//! Answers that are given again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mainspring_kernel::{Fault, Labels, Money};
use mainspring_llm::{
    Budget, Embedder, Embedding, ModelFault, Models, TextTokenizer,
    embed::{EmbedAs, Embedded},
};
use mainspring_providers::SocketConfig;
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream};
use serde_json::{Value, json};

use super::room::{Letters, Room, chat, cost, drain, provider, upstream};
use crate::{
    Answered, CacheOutcome, CacheWish, CallStatus, ExplainQuestion, Request,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
};

async fn room_with(server: &Upstream, cache: Value) -> Room {
    let socket = SocketConfig { allow_private: true, ..SocketConfig::default() };
    let room = Room::with(Models::default().with_embedder(Arc::new(Letters)), socket).await;
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "cache": cache});
    room.apply(&[("provider", "main", provider(server)), ("route", "assistant", spec)]).await;
    room
}

/// A request whose answer is always the same.
fn body(words: &str, stream: bool) -> Value {
    json!({"model": "assistant", "temperature": 0, "stream": stream, "messages": [{"role": "user", "content": words}]})
}

async fn ask(room: &Room, body: &Value, change: impl FnOnce(&mut Request)) -> Answered {
    let mut request = room.request(body);
    change(&mut request);
    room.gateway.call(request).await.unwrap()
}

#[tokio::test]
async fn the_same_request_is_answered_again_for_nothing() {
    let server = upstream(Script::default());
    let mut room = room_with(&server, json!({"ttl": "1h"})).await;
    let first = ask(&room, &body("hello", false), |_| {}).await;
    assert_eq!((first.cache, first.cost), (CacheOutcome::Miss, Some(cost(12, 8))));
    room.settled_once().await;
    let mut same = body("hello", false);
    same["user"] = json!("ann");
    let second = ask(&room, &same, |_| {}).await;
    assert_eq!((second.cache, second.cost, second.attempts), (CacheOutcome::Hit, Some(Money::ZERO), 0));
    assert_eq!(second.usage, first.usage, "the client hears what the answer took");
    assert!(!second.headers.contains_key("x-mainspring-price"), "nothing is paid");
    assert_eq!(drain(second.body).await.0, drain(first.body).await.0);
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cached, record.cost, record.usage.total()), (CallStatus::Ok, true, Money::ZERO, 0));
    assert_eq!((record.provider.as_deref(), server.count()), (Some("main"), 1));
    let other = ask(&room, &body("hello!", false), |_| {}).await;
    assert_eq!((other.cache, server.count()), (CacheOutcome::Miss, 2));
}

#[tokio::test]
async fn a_stream_comes_again_as_a_stream() {
    let server = upstream(Script::default());
    let room = room_with(&server, json!({"ttl": "1h"})).await;
    let first = drain(ask(&room, &body("hello", true), |_| {}).await.body).await;
    let again = ask(&room, &body("hello", true), |_| {}).await;
    assert_eq!(again.cache, CacheOutcome::Hit);
    let second = drain(again.body).await;
    assert_eq!((second.0, second.1.is_none()), (first.0, true));
    assert_eq!(server.count(), 1);
    let whole = ask(&room, &body("hello", false), |_| {}).await;
    assert_eq!(whole.cache, CacheOutcome::Miss, "a whole answer is another request");
}

#[tokio::test]
async fn a_stream_nobody_heard_to_its_end_is_not_kept() {
    let broken = Behaviour::trouble(Trouble::End(4));
    let server = upstream(Script::default().then(broken));
    let room = room_with(&server, json!({"ttl": "1h"})).await;
    assert!(drain(ask(&room, &body("hello", true), |_| {}).await.body).await.1.is_some());
    drop(ask(&room, &body("hello", true), |_| {}).await);
    let third = ask(&room, &body("hello", true), |_| {}).await;
    assert_eq!((third.cache, server.count()), (CacheOutcome::Miss, 3));
}

#[tokio::test]
async fn answers_never_cross_labels_projects_or_versions() {
    let server = upstream(Script::default());
    let room = room_with(&server, json!({"ttl": "1h"})).await;
    let label = |names: &[&str]| Labels::Some(names.iter().map(|name| (*name).to_owned()).collect());
    ask(&room, &body("hello", false), |_| {}).await;
    for labels in [label(&["hr"]), label(&["hr", "law"]), Labels::All] {
        let other = ask(&room, &body("hello", false), |request| request.labels = labels.clone()).await;
        assert_eq!(other.cache, CacheOutcome::Miss, "{labels:?}");
        let again = ask(&room, &body("hello", false), |request| request.labels = labels.clone()).await;
        assert_eq!(again.cache, CacheOutcome::Hit, "{labels:?}");
    }
    let spec = json!({"targets": [{"provider": "main", "model": "another"}], "cache": {"ttl": "1h"}});
    room.apply(&[("route", "assistant", spec)]).await;
    assert_eq!(ask(&room, &body("hello", false), |_| {}).await.cache, CacheOutcome::Miss, "another version");
}

#[tokio::test]
async fn users_share_answers_unless_the_route_says_otherwise() {
    let server = upstream(Script::default());
    let room = room_with(&server, json!({"ttl": "1h", "per_user": true})).await;
    for (user, outcome) in [("ann", CacheOutcome::Miss), ("bob", CacheOutcome::Miss), ("ann", CacheOutcome::Hit)] {
        let answered = ask(&room, &body("hello", false), |request| request.caller.user = Some(user.to_owned())).await;
        assert_eq!(answered.cache, outcome, "{user}");
    }
}

#[tokio::test]
async fn sampled_answers_are_kept_only_where_the_route_says_so() {
    let server = upstream(Script::default());
    let room = room_with(&server, json!({"ttl": "1h"})).await;
    let warm = chat("assistant", false);
    for _ in 0..2 {
        assert_eq!(ask(&room, &warm, |_| {}).await.cache, CacheOutcome::Off);
    }
    let mut seeded = warm.clone();
    seeded["seed"] = json!(1);
    ask(&room, &seeded, |_| {}).await;
    assert_eq!(ask(&room, &seeded, |_| {}).await.cache, CacheOutcome::Hit);
    let sampled = room_with(&server, json!({"ttl": "1h", "sampled": true})).await;
    ask(&sampled, &warm, |_| {}).await;
    assert_eq!(ask(&sampled, &warm, |_| {}).await.cache, CacheOutcome::Hit);
    // And so says whoever explains it.
    let keeps = |room: &Room, model: &str| {
        room.gateway.explain(&room.caller(), model, &ExplainQuestion::default()).unwrap().cache.unwrap_or_default()
    };
    assert!(keeps(&room, "assistant").contains("for 1h where its call has `temperature: 0` or a `seed`"));
    assert!(keeps(&sampled, "assistant").starts_with("every answer is kept for 1h"));
    assert_eq!(keeps(&room, "main/a"), "");
}

#[tokio::test]
async fn the_client_may_pass_the_cache_by() {
    let server = upstream(Script::default().then(Behaviour::saying("one")).then(Behaviour::saying("two")));
    let room = room_with(&server, json!({"ttl": "1h"})).await;
    let wish = |wish: CacheWish| move |request: &mut Request| request.cache = wish;
    ask(&room, &body("hello", false), |_| {}).await;
    let fresh = ask(&room, &body("hello", false), wish(CacheWish::Refresh)).await;
    assert_eq!(fresh.cache, CacheOutcome::Miss);
    let kept = ask(&room, &body("hello", false), |_| {}).await;
    assert_eq!((kept.cache, drain(kept.body).await.0.contains("two")), (CacheOutcome::Hit, true), "the newer answer is kept");
    assert_eq!(ask(&room, &body("hello", false), wish(CacheWish::Bypass)).await.cache, CacheOutcome::Off);
    let kept = ask(&room, &body("hello", false), |_| {}).await;
    assert!(drain(kept.body).await.0.contains("two"), "what passed by is not kept");
}

#[tokio::test]
async fn an_old_answer_is_given_while_a_new_one_is_fetched() {
    let server = upstream(Script::default().then(Behaviour::saying("one")).then(Behaviour::saying("two")));
    let mut room = room_with(&server, json!({"ttl": "1ms", "stale_for": "1h"})).await;
    ask(&room, &body("hello", false), |_| {}).await;
    room.settled_once().await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let stale = ask(&room, &body("hello", false), |_| {}).await;
    assert_eq!((stale.cache, drain(stale.body).await.0.contains("one")), (CacheOutcome::Stale, true));
    server.wait_until(|seen| seen.len() == 2).await;
    let (mut costs, mut cached) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let record = room.settled().await;
        costs.push(record.cost);
        cached.push(record.cached);
    }
    costs.sort();
    cached.sort();
    assert_eq!((costs, cached), (vec![Money::ZERO, cost(12, 8)], vec![false, true]), "the fetched one is paid");
    let next = ask(&room, &body("hello", false), |_| {}).await;
    assert!(drain(next.body).await.0.contains("two"));
}

#[tokio::test]
async fn a_question_that_is_alike_gets_the_same_answer() {
    let server = upstream(Script::default());
    let mut room = room_with(&server, json!({"mode": "semantic", "ttl": "1h", "threshold": 0.9})).await;
    ask(&room, &body("where is the office", false), |_| {}).await;
    room.settled_once().await;
    let alike = ask(&room, &body("the office, where is it", false), |_| {}).await;
    assert_eq!((alike.cache, alike.cost), (CacheOutcome::SemanticHit, Some(Money::ZERO)));
    assert!(room.settled_once().await.cached);
    assert_eq!(ask(&room, &body("who pays lunch", false), |_| {}).await.cache, CacheOutcome::Miss);
    // Everything else must be equal.
    let mut other = body("the office, where is it", false);
    other["max_tokens"] = json!(5);
    assert_eq!(ask(&room, &other, |_| {}).await.cache, CacheOutcome::Miss);
    let labelled = ask(&room, &body("the office, where is it", false), |request| request.labels = Labels::All).await;
    assert_eq!(labelled.cache, CacheOutcome::Miss);
}

#[tokio::test]
async fn a_stream_comes_again_as_a_stream_whoever_answered_and_whatever_was_alike() {
    for (place, stem) in [("anthropic", ""), ("openai", "/v1")] {
        let server = upstream(Script::always(Behaviour { think: Some("hm".to_owned()), ..Behaviour::saying("one two three") }));
        let socket = SocketConfig { allow_private: true, ..SocketConfig::default() };
        let mut room = Room::with(Models::default().with_embedder(Arc::new(Letters)), socket).await;
        let cache = json!({"mode": "semantic", "ttl": "1h", "threshold": 0.9});
        room.apply(&[
            ("provider", "main", json!({"type": place, "base_url": format!("{}{stem}", server.url())})),
            ("route", "assistant", json!({"targets": [{"provider": "main", "model": "a"}], "cache": cache})),
        ])
        .await;
        let first = ask(&room, &body("where is the office", true), |_| {}).await;
        assert_eq!(first.cache, CacheOutcome::Miss);
        let kind = first.body.as_str();
        let first = drain(first.body).await;
        room.settled_once().await;
        for (words, outcome) in
            [("where is the office", CacheOutcome::Hit), ("the office, where is it", CacheOutcome::SemanticHit)]
        {
            let again = ask(&room, &body(words, true), |_| {}).await;
            assert_eq!((again.cache, again.body.as_str()), (outcome, kind), "{place}");
            let again = drain(again.body).await;
            assert_eq!((again.0.as_str(), again.1.is_none()), (first.0.as_str(), true), "{place}");
            let record = room.settled_once().await;
            assert_eq!((record.status, record.cached, record.cost), (CallStatus::Ok, true, Money::ZERO), "{place}");
        }
        assert_eq!(server.count(), 1, "{place}");
    }
}

#[tokio::test]
async fn apps_do_not_share_answers_and_what_is_past_its_time_is_asked_anew() {
    let server = upstream(Script::default());
    let room = room_with(&server, json!({"ttl": "1h"})).await;
    for (app, outcome) in [("one", CacheOutcome::Miss), ("two", CacheOutcome::Miss), ("one", CacheOutcome::Hit)] {
        let answered = ask(&room, &body("hello", false), |request| request.caller.app = Some(app.to_owned())).await;
        assert_eq!(answered.cache, outcome, "{app}");
    }
    for (version, outcome) in [("v1", CacheOutcome::Miss), ("v2", CacheOutcome::Miss), ("v1", CacheOutcome::Hit)] {
        let change = |request: &mut Request| {
            request.caller.app = Some("three".to_owned());
            request.version = Some(version.to_owned());
        };
        assert_eq!(ask(&room, &body("hello", false), change).await.cache, outcome, "{version}");
    }
    let short = room_with(&server, json!({"ttl": "1ms"})).await;
    for _ in 0..2 {
        assert_eq!(ask(&short, &body("hello", false), |_| {}).await.cache, CacheOutcome::Miss);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn clients_say_by_a_header_what_they_want_of_the_cache() {
    let rows: [(&[(&str, &str)], CacheWish); 7] = [
        (&[], CacheWish::AsConfigured),
        (&[("cache-control", "no-cache")], CacheWish::Refresh),
        (&[("cache-control", "max-age=0, No-Store")], CacheWish::Bypass),
        (&[("x-mainspring-cache", "no-cache")], CacheWish::Refresh),
        (&[("x-mainspring-cache", "no-store"), ("cache-control", "no-cache")], CacheWish::Bypass),
        (&[("x-mainspring-cache", "default"), ("cache-control", "no-store")], CacheWish::AsConfigured),
        (&[("cache-control", "max-age=0")], CacheWish::AsConfigured),
    ];
    for (said, wish) in rows {
        let headers = said.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert_eq!(CacheWish::of(&headers), wish, "{said:?}");
    }
}

/// Counts how often it embeds.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Embedder for Counting {
    fn name(&self) -> &str {
        "letters"
    }
    fn identity(&self) -> String {
        Letters.identity()
    }
    fn dimensions(&self) -> usize {
        Letters.dimensions()
    }
    fn max_tokens(&self) -> usize {
        Letters.max_tokens()
    }
    async fn embed(&self, texts: Vec<String>, kind: EmbedAs, budget: Budget) -> Result<Embedded, ModelFault> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Letters.embed(texts, kind, budget).await
    }
    async fn embed_tokens(&self, texts: Vec<String>, budget: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault> {
        Letters.embed_tokens(texts, budget).await
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Letters.tokenizer()
    }
}

#[tokio::test]
async fn a_caller_over_a_limit_costs_no_embedding() {
    let server = upstream(Script::default());
    let embedder = Arc::new(Counting::default());
    let socket = SocketConfig { allow_private: true, ..SocketConfig::default() };
    let mut room = Room::with(Models::default().with_embedder(Arc::<Counting>::clone(&embedder)), socket).await;
    let cache = json!({"mode": "semantic", "ttl": "1h", "threshold": 0.9});
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "cache": cache});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    let metric = Metric::RequestsPerMinute;
    let new = NewLimit { kind: SubjectKind::Project, subject: "*".to_owned(), metric, amount: Amount::Count(2) };
    room.gateway.ledger().set_limit(&room.admin(), new).await.unwrap();
    ask(&room, &body("where is the office", false), |_| {}).await;
    room.settled_once().await;
    let alike = ask(&room, &body("the office, where is it", false), |_| {}).await;
    assert_eq!((alike.cache, alike.headers["x-ratelimit-remaining-requests"].as_bytes()), (CacheOutcome::SemanticHit, &b"0"[..]));
    let span = room.spans.all().into_iter().rfind(|span| span.attributes.contains_key("mainspring.cache")).unwrap();
    assert_eq!(span.attributes["mainspring.cache"], "semantic-hit");
    let before = embedder.0.load(Ordering::Relaxed);
    assert_eq!(before, 2);
    for words in ["who pays lunch", "where is the office now"] {
        let fault = room.gateway.call(room.request(&body(words, false))).await.unwrap_err();
        assert_eq!(fault.code(), "limit-requests");
    }
    assert_eq!((embedder.0.load(Ordering::Relaxed), server.count()), (before, 1));
}

#[tokio::test]
async fn a_semantic_cache_without_its_model_is_an_exact_one() {
    let server = upstream(Script::default());
    let room = room_with(&server, json!({"mode": "semantic", "ttl": "1h", "embedding": "nobody"})).await;
    ask(&room, &body("hello", false), |_| {}).await;
    assert_eq!(ask(&room, &body("hello", false), |_| {}).await.cache, CacheOutcome::Hit);
    assert_eq!(ask(&room, &body("hello?", false), |_| {}).await.cache, CacheOutcome::Miss);
}
