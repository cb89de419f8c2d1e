//! What makes requests the same, and what the shelf keeps, on a clock the test moves.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use mainspring_kernel::{
    Digest, Labels,
    id::{ApiKeyId, PrincipalId, ProjectId},
};
use mainspring_llm::exchange::Dialect;
use mainspring_providers::Operation;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    key::{Keys, Scope, keys},
    shelf::{Kept, KeptBody, Place, Shelf, weight},
};
use crate::{
    duration::Span,
    record::Caller,
    route::{Cache, CacheMode},
};

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> Cache {
    Cache {
        mode: CacheMode::Semantic,
        ttl: Span::seconds(60),
        stale_for: None,
        threshold: 0.9,
        embedding: None,
        sampled: false,
        per_user: false,
    }
}

/// Everything a key depends on, so that a test can change one thing.
struct Asked {
    caller: Caller,
    app_version: Option<&'static str>,
    user: Option<&'static str>,
    labels: Labels,
    route: &'static str,
    named: &'static str,
    version: Digest,
    operation: Operation,
    said_in: Dialect,
    headers: HeaderMap,
    rules: Cache,
    body: Value,
}

fn asked() -> Asked {
    Asked {
        caller: Caller {
            project: ProjectId::from_raw(1),
            principal: PrincipalId::from_raw(1),
            key: None,
            user: None,
            app: None,
            line_of: None,
        },
        app_version: None,
        user: None,
        labels: Labels::none(),
        route: "r",
        named: "r",
        version: Digest::of(b"1"),
        operation: Operation::Chat,
        said_in: Dialect::OpenAiChat,
        headers: HeaderMap::new(),
        rules: rules(),
        body: json!({"model": "r", "temperature": 0, "messages": [{"role": "user", "content": "hello"}]}),
    }
}

fn key_of(change: impl FnOnce(&mut Asked)) -> Option<Keys> {
    let mut asked = asked();
    change(&mut asked);
    keys_of(&asked, &asked.body.to_string())
}

fn keys_of(asked: &Asked, text: &str) -> Option<Keys> {
    let scope = Scope {
        caller: &asked.caller,
        app_version: asked.app_version,
        user: asked.user,
        labels: &asked.labels,
        route: asked.route,
        named: asked.named,
        version: &asked.version,
        operation: asked.operation,
        said_in: asked.said_in,
        headers: &asked.headers,
    };
    keys(&scope, &asked.rules, text.as_bytes())
}

#[test]
fn everything_an_answer_depends_on_is_in_its_key() {
    let same = key_of(|_| {}).unwrap().exact;
    let changes: [(&str, fn(&mut Asked)); 15] = [
        ("project", |asked| asked.caller.project = ProjectId::from_raw(2)),
        ("app", |asked| asked.caller.app = Some("handbook".to_owned())),
        ("app's version", |asked| asked.app_version = Some("app/handbook@v2#sha256:ab")),
        ("labels", |asked| asked.labels = Labels::All),
        ("a label", |asked| asked.labels = Labels::Some(BTreeSet::from(["hr".to_owned()]))),
        ("route", |asked| asked.route = "s"),
        ("named", |asked| asked.named = "s"),
        ("version", |asked| asked.version = Digest::of(b"2")),
        ("operation", |asked| asked.operation = Operation::Messages),
        ("dialect", |asked| asked.said_in = Dialect::Anthropic),
        ("header", |asked| drop(asked.headers.insert("anthropic-beta", "x".parse().unwrap()))),
        ("words", |asked| asked.body["messages"][0]["content"] = json!("hello ")),
        ("parameter", |asked| asked.body["max_tokens"] = json!(1)),
        ("stream", |asked| asked.body["stream"] = json!(true)),
        ("unknown field", |asked| asked.body["x"] = json!(1)),
    ];
    let mut all = BTreeSet::from([same]);
    for (what, change) in changes {
        assert!(all.insert(key_of(change).unwrap().exact), "{what}");
    }
}

#[test]
fn order_of_fields_and_who_asks_do_not_matter() {
    let same = key_of(|_| {}).unwrap();
    let reordered = json!({"messages": [{"content": "hello", "role": "user"}], "user": "ann", "temperature": 0, "model": "r"});
    assert_eq!(key_of(|asked| asked.body = reordered), Some(same.clone()));
    let someone = |asked: &mut Asked| {
        asked.user = Some("bob");
        asked.caller.key = Some(ApiKeyId::from_raw(3));
    };
    assert_eq!(key_of(someone), Some(same.clone()));
    let apart = |asked: &mut Asked| {
        someone(asked);
        asked.rules.per_user = true;
    };
    assert_ne!(key_of(apart), Some(same));
    // Where Anthropic's clients say who asks; OpenAI's make notes there.
    let noted = |said_in, metadata: Value| {
        key_of(|asked| {
            asked.said_in = said_in;
            asked.body["metadata"] = metadata;
        })
    };
    let of = |user: &str| json!({"user_id": user, "team": "red"});
    assert_eq!(noted(Dialect::Anthropic, of("ann")), noted(Dialect::Anthropic, of("bob")));
    assert_ne!(noted(Dialect::Anthropic, of("ann")), noted(Dialect::Anthropic, json!({"team": "blue"})));
    assert_eq!(noted(Dialect::OpenAiChat, of("ann")), key_of(|_| {}), "notes change no completion");
    let responding = |metadata: Value| {
        key_of(|asked| {
            (asked.said_in, asked.operation) = (Dialect::OpenAiResponses, Operation::Responses);
            asked.body["metadata"] = metadata;
        })
    };
    assert_ne!(responding(of("ann")), responding(of("bob")), "a response says its notes again");
}

#[test]
fn the_same_parameters_are_the_same_however_they_are_written() {
    let with = |name: &str, value: Value| key_of(|asked| asked.body[name] = value).unwrap().exact;
    let plain = key_of(|_| {}).unwrap().exact;
    assert_eq!(with("temperature", json!(0.0)), plain);
    assert_eq!(with("temperature", json!(-0.0)), plain);
    assert_eq!(with("stream", json!(false)), plain);
    assert_eq!(with("stream", Value::Null), plain);
    assert_eq!(with("top_p", json!(1)), with("top_p", json!(1.0)));
    assert_ne!(with("top_p", json!(1)), with("top_p", json!(0.5)));
    assert_eq!(with("max_tokens", json!(100)), with("max_tokens", json!(100.0)));
    // What no float tells from its neighbours stays as it is.
    assert_ne!(with("seed", json!(9_007_199_254_740_993_u64)), with("seed", json!(9_007_199_254_740_992.0)));
    let written = |seed: &str| {
        let text = format!(r#"{{"messages":[{{"role":"user","content":"hello"}}],"model":"r","seed":{seed}}}"#);
        keys_of(&asked(), &text).unwrap()
    };
    let (one, next) = (written("100000000000000000001"), written("100000000000000000002"));
    assert!(one.exact != next.exact && one.alike != next.alike, "nor does any number of Rust");
    assert_eq!(one, written("100000000000000000001"));
    // A model may read these as they are written.
    let tool =
        |value: Value| with("tools", json!([{"type": "function", "function": {"name": "f", "parameters": {"const": value}}}]));
    assert_ne!(tool(json!(1)), tool(json!(1.0)));
}

#[test]
fn what_may_come_out_otherwise_is_not_kept() {
    for (what, change) in [
        ("no temperature", (|asked| drop(asked.body.as_object_mut().unwrap().remove("temperature"))) as fn(&mut Asked)),
        ("warm", |asked| asked.body["temperature"] = json!(0.1)),
        ("earlier answers", |asked| asked.body["previous_response_id"] = json!("resp_1")),
        ("later answers", |asked| asked.body["background"] = json!(true)),
        ("no object", |asked| asked.body = json!([1])),
    ] {
        assert_eq!(key_of(change), None, "{what}");
    }
    for (what, change) in [
        ("seed", (|asked| asked.body = json!({"seed": 1, "messages": []})) as fn(&mut Asked)),
        ("embeddings", |asked| {
            asked.operation = Operation::Embeddings;
            asked.body = json!({"input": "x"});
        }),
        ("sampled", |asked| {
            asked.rules.sampled = true;
            asked.body["temperature"] = json!(1);
        }),
        ("nothing earlier", |asked| asked.body["previous_response_id"] = Value::Null),
    ] {
        assert!(key_of(change).is_some(), "{what}");
    }
}

#[test]
fn only_the_last_words_of_a_user_may_differ_in_a_semantic_key() {
    let alike = |body: Value| key_of(|asked| asked.body = body).unwrap().alike;
    let turns = |last: Value| json!({"temperature": 0, "messages": [{"role": "system", "content": "brief"}, last]});
    let one = alike(turns(json!({"role": "user", "content": "one"}))).unwrap();
    let two = alike(turns(json!({"role": "user", "content": "two"}))).unwrap();
    assert_eq!((one.0, one.1.as_str(), two.1.as_str()), (two.0, "one", "two"));
    let other =
        json!({"temperature": 0, "messages": [{"role": "system", "content": "long"}, {"role": "user", "content": "one"}]});
    assert_ne!(alike(other).unwrap().0, one.0);
    let parts = json!({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
    assert_eq!(alike(turns(parts)).unwrap().1, "a\nb");
    for last in [
        json!({"role": "assistant", "content": "one"}),
        json!({"role": "tool", "content": "one"}),
        json!({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]}),
        json!({"role": "user", "content": " "}),
        json!({"role": "user"}),
    ] {
        assert_eq!(alike(turns(last.clone())), None, "{last}");
    }
    assert_eq!(alike(json!({"temperature": 0, "input": "asked"})).unwrap().1, "asked", "as responses have it");
    let exact = key_of(|asked| asked.rules.mode = CacheMode::Exact).unwrap();
    assert_eq!(exact.alike, None);
}

fn kept(bytes: usize) -> Kept {
    Kept {
        body: KeptBody::Bytes(Bytes::from(vec![0; bytes])),
        provider: "p".to_owned(),
        target: "m".to_owned(),
        lost: Vec::new(),
        headers: HeaderMap::new(),
        usage: None,
    }
}

fn place(name: u64) -> Place {
    Place { exact: Digest::of(&name.to_le_bytes()), alike: None, ttl: SECOND * 10, stale_for: SECOND * 5 }
}

#[test]
fn answers_are_fresh_then_stale_then_gone() {
    let (mut shelf, start) = (Shelf::of(1 << 20), Instant::now());
    shelf.put(place(1), kept(10), start);
    let exact = place(1).exact;
    for (after, stale) in [(0, Some(false)), (9, Some(false)), (10, Some(true)), (14, Some(true)), (15, None)] {
        let found = shelf.find(&exact, start + SECOND * after);
        assert_eq!(found.map(|found| found.stale), stale, "after {after} s");
    }
    assert_eq!(shelf.held(), (0, 0, 0, 0));
}

#[test]
fn one_of_those_who_find_an_old_answer_fetches_a_new_one() {
    let (mut shelf, start) = (Shelf::of(1 << 20), Instant::now());
    shelf.put(place(1), kept(10), start);
    let found = shelf.find(&place(1).exact, start + SECOND * 12).unwrap();
    assert!(found.entry.claim_refresh());
    assert!(!found.entry.claim_refresh());
    found.entry.release_refresh();
    assert!(found.entry.claim_refresh());
}

#[test]
fn what_was_longest_not_asked_for_goes_first() {
    let now = Instant::now();
    let each = weight(&kept(1_000));
    let mut shelf = Shelf::of(each * 10);
    for name in 0..10 {
        shelf.put(place(name), kept(1_000), now);
    }
    assert!(shelf.find(&place(0).exact, now).is_some());
    shelf.put(place(10), kept(1_000), now);
    assert!(shelf.find(&place(0).exact, now).is_some(), "it was asked for just now");
    assert!(shelf.find(&place(1).exact, now).is_none());
    assert_eq!(shelf.held().0, each * 10);
    shelf.put(place(11), kept(each * 5), now);
    assert!(shelf.find(&place(11).exact, now).is_none(), "one answer must not push out all others");
    assert_eq!(shelf.held().1, 10);
}

#[test]
fn the_most_alike_is_found_if_it_is_alike_enough() {
    let (mut shelf, now) = (Shelf::of(1 << 20), Instant::now());
    let group = Digest::of(b"group");
    for (name, vector) in [(1, vec![1.0, 0.0]), (2, vec![0.8, 0.6]), (3, vec![0.0, 1.0])] {
        shelf.put(Place { alike: Some((group, vector)), ..place(name) }, kept(usize::try_from(name).unwrap()), now);
    }
    let bytes = |found: Option<super::Found>| match found?.entry.kept.body {
        KeptBody::Bytes(ref bytes) => Some(bytes.len()),
        _ => None,
    };
    assert_eq!(bytes(shelf.find_alike(&group, &[0.96, 0.28], 0.9, now)), Some(1));
    assert_eq!(bytes(shelf.find_alike(&group, &[0.6, 0.8], 0.9, now)), Some(2));
    assert_eq!(bytes(shelf.find_alike(&group, &[-1.0, 0.0], 0.9, now)), None);
    assert_eq!(bytes(shelf.find_alike(&Digest::of(b"other"), &[1.0, 0.0], 0.0, now)), None);
    assert_eq!(bytes(shelf.find_alike(&group, &[1.0], 0.0, now)), None, "another model's vector");
    // A newer answer stays in the group although nobody gives its vector again.
    shelf.put(place(2), kept(20), now);
    assert_eq!(bytes(shelf.find_alike(&group, &[0.6, 0.8], 0.9, now)), Some(20));
    assert_eq!(bytes(shelf.find_alike(&group, &[0.6, 0.8], 0.9, now + SECOND * 20)), None);
}

#[derive(Debug, Clone)]
enum Step {
    Put { name: u64, bytes: usize, group: Option<u8> },
    Find(u64),
    Alike(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..20, 0_usize..3_000, proptest::option::of(0_u8..3)).prop_map(|(name, bytes, group)| Step::Put { name, bytes, group }),
        2 => (0_u64..20).prop_map(Step::Find),
        1 => (0_u8..3).prop_map(Step::Alike),
        1 => (0_u64..8).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever is put and found: the shelf stays within its bytes and its indexes agree.
    #[test]
    fn a_shelf_stays_in_order(steps in proptest::collection::vec(step(), 0..200)) {
        let (mut shelf, mut now) = (Shelf::of(20_000), Instant::now());
        for step in steps {
            match step {
                Step::Put { name, bytes, group } => {
                    let alike = group.map(|group| (Digest::of(&[group]), vec![1.0, 0.0]));
                    shelf.put(Place { alike, ..place(name) }, kept(bytes), now);
                }
                Step::Find(name) => drop(shelf.find(&place(name).exact, now)),
                Step::Alike(group) => drop(shelf.find_alike(&Digest::of(&[group]), &[1.0, 0.0], 0.5, now)),
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
            }
            let (bytes, slots, used, grouped) = shelf.held();
            prop_assert!(bytes <= 20_000);
            prop_assert_eq!(slots, used);
            prop_assert!(grouped <= slots);
        }
    }

    #[test]
    fn no_body_is_too_strange_for_a_key(text in "[\\[\\]{}\":,a-z0-9. \\\\]{0,120}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for body in [text.as_bytes(), &bytes] {
            let asked = asked();
            let scope = Scope {
                caller: &asked.caller, app_version: None, user: None, labels: &asked.labels, route: "r", named: "r", version: &asked.version,
                operation: Operation::Responses, said_in: Dialect::OpenAiResponses, headers: &asked.headers,
            };
            let _ = keys(&scope, &Cache { sampled: true, ..rules() }, body);
        }
    }
}
