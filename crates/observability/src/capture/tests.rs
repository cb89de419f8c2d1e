//! What is recognised, what becomes of spans, and policies on both engines.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, CatalogFault, Tx, params, testing::prepare_all};
use mainspring_kernel::{
    Actor, Fault, FrozenClock, Labels, ModelScope, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_llm::{
    SpanId, TraceId,
    trace::{SpanEvent, SpanKind},
};
use mainspring_testservers::on_every_engine;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::capture::recognise::first_found;

on_every_engine!(Catalog: [
    a_policy_is_in_force_at_once_here_and_elsewhere_when_it_is_read_again,
    a_policy_is_set_by_admins_within_what_the_server_keeps,
    every_statement_compiles,
]);

#[track_caller]
fn becomes(text: &str, want: &str) {
    assert_eq!(redact(text), want);
}

#[test]
fn each_kind_is_recognised_among_other_words() {
    becomes("mail ádá@exämple.org, bob+x@mail.example.co.uk!", "mail [email], [email]!");
    // What stands before a card does not hide it.
    becomes("order 12 4111 1111 1111 1111 of 3", "order 12 [card] of 3");
    becomes("4111111111111111/5500-0000-0000-0004", "[card]/[card]");
    // A word that could go on is none of the account number.
    becomes("BE68 5390 0754 7034 CODE, de89370400440532013000", "[iban] CODE, [iban]");
    becomes("GB82 WEST 1234 5698 7654 33 stays", "GB82 WEST 1234 5698 7654 33 stays");
    becomes("from 10.1.2.3:80, [2001:db8::1] and addr:fe80::1.", "from [ip]:80, [[ip]] and addr:[ip].");
    becomes("127.0.0.1 std::vec a::b1 1.2.3.4.5 12:30:45", "127.0.0.1 std::vec a::b1 1.2.3.4.5 12:30:45");
    becomes("call (555) 123-4567 or 030 1234567", "call [phone] or [phone]");
    becomes("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "Bearer [jwt]");
    becomes("password=hunter22, api_key: \"abcd-efgh\"", "password=[secret], api_key: \"[secret]\"");
    becomes("postgres://app:pw@db/x AKIAIOSFODNN7EXAMPLE", "postgres://app:[secret]@db/x [secret]");
    becomes("Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l", "Authorization: Basic [secret]");
    becomes("-H 'authorization: token abcd' --basic", "-H 'authorization: token [secret]' --basic");
    becomes("Basic YWRhOnNlY3JldA==, basic information", "Basic [secret], basic information");
    becomes("token=abcdef123456 and 'token': 'abcdef123456'", "token=[secret] and 'token': '[secret]'");
    becomes("https://a.example/cb?token=hunter&x=1&sig=abcdef%2F12", "https://a.example/cb?token=[secret]&x=1&sig=[secret]");
    let models =
        "max_tokens: 4096, max_token=4096, token_count=12, first token: 250ms, each token: Paris, a token: <|end_of_text|>";
    becomes(models, models);
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE ada@example.org\n-----END RSA PRIVATE KEY-----";
    becomes(&format!("a {key} b"), "a [secret] b");
    becomes(&key[..50], "[secret]");
    becomes("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQdG\n-----END PGP PRIVATE KEY BLOCK-----.", "[secret].");
    becomes("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MD", "AWS_SECRET_ACCESS_KEY=[secret]");
    becomes("SECRET_KEY = 'django-abc'; AccountKey=ab/cd==;", "SECRET_KEY = '[secret]'; AccountKey=[secret];");
    becomes("1700000000000000000 and 2023-11-14T10:00:00+0100", "1700000000000000000 and 2023-11-14T10:00:00+0100");
}

#[test]
fn json_in_text_stays_json_however_it_is_written() {
    let text = r#"{"to":"ada\u0040example.org","card":4111111111111111,"password":"x1","in":"[\"bob@example.org\",7]"}"#;
    becomes(text, r#"{"to":"[email]","card":"[card]","password":"[secret]","in":"[\"[email]\",7]"}"#);
    becomes(r#"{"ada@example.org":1,"bob@example.org":2}"#, r#"{"[email]":1,"[email] 2":2}"#);
    becomes(r#"{"token":"abcdef123456","x":{"csrf-token":"9f8e7d6c"}}"#, r#"{"token":"[secret]","x":{"csrf-token":"[secret]"}}"#);
    becomes(
        r#"{"db_password":"hunter2","aws_secret_access_key":"a","h.x-csrf-token":["9f8e7d6c"],"tokens":["9f8e7d6c"]}"#,
        r#"{"db_password":"[secret]","aws_secret_access_key":"[secret]","h.x-csrf-token":["[secret]"],"tokens":["9f8e7d6c"]}"#,
    );
    becomes(
        r#"[{"token":" Paris","logprob":-0.1},{"token":"<|end|>"}]"#,
        r#"[{"token":" Paris","logprob":-0.1},{"token":"<|end|>"}]"#,
    );
    // Where nothing is found, nothing is written anew.
    becomes("{\"a\":  1.0}", "{\"a\":  1.0}");
}

fn own(name: &str, pattern: &str) -> OwnPattern {
    OwnPattern { name: name.parse().unwrap(), pattern: pattern.to_owned() }
}

#[test]
fn patterns_of_a_project_find_what_is_theirs_and_are_bounded() {
    let with = |patterns| CapturePolicy { patterns, capture: Some(Capture::Redacted), ..CapturePolicy::default() };
    let policy = with(vec![own("customer", r"\bC-\d{4}\b"), own("word", "customer")]).carried_out(Capture::Full).unwrap();
    let mut found = Found::default();
    let text = policy.redactor.text("customer C-1234, x@y.org", &mut found).unwrap();
    assert_eq!(text, "[word] [customer], [email]");
    assert_eq!(found.iter().collect::<Vec<_>>(), [("customer", 1), ("email", 1), ("word", 1)]);
    let refused = |policy: &CapturePolicy| policy.carried_out(Capture::Full).unwrap_err().code();
    for patterns in [
        vec![own("email", "x")],
        vec![own("a", "x"), own("a", "y")],
        vec![own("a", "(")],
        vec![own("a", "x*")],
        vec![own("a", r"(?=x)")],
        vec![own("a", &"x".repeat(501))],
        vec![own("a", r"[\w]{1000}{1000}")],
        (0..21).map(|n| own(&format!("a{n}"), "x")).collect(),
    ] {
        assert_eq!(refused(&with(patterns.clone())), "capture-invalid", "{patterns:?}");
    }
    for share in [-0.1, 1.1, f64::NAN] {
        assert_eq!(refused(&CapturePolicy { share, ..CapturePolicy::default() }), "capture-invalid");
    }
}

/// Everything that can hold text holds the same.
fn span_with(secret: &str) -> Span {
    let event = |name: &str, attributes: Value| {
        let Value::Object(attributes) = attributes else { unreachable!("it is one") };
        SpanEvent { name: name.to_owned(), at: Timestamp::from_micros(1), attributes }
    };
    let attributes = json!({
        (names::INPUT_MESSAGES): [{"role": "user", "parts": [{"type": "text", "content": secret}]}],
        (names::REQUEST_MODEL): "gpt", (names::APP): "manual", (names::INPUT_TOKENS): 12, (names::USER): secret,
        (names::LABELS): [["hr@example.org"]], "input.value": json!({"text": secret}).to_string(),
        "my.own.note": secret, "my.own.number": 7,
    });
    let Value::Object(attributes) = attributes else { unreachable!("it is one") };
    Span {
        project: ProjectId::from_raw(1),
        trace: TraceId::random(),
        span: SpanId::random(),
        parent: None,
        name: "chat gpt".into(),
        kind: SpanKind::Client,
        start: Timestamp::from_micros(1),
        end: Timestamp::from_micros(2),
        status: SpanStatus::Error(format!("refused: {secret}")),
        attributes,
        events: vec![
            event("exception", json!({"exception.message": secret, "exception.type": "Refused"})),
            event("gen_ai.user.message", json!({"content": secret})),
        ],
        links: vec![],
    }
}

#[test]
fn of_what_people_wrote_nothing_is_left_below_full() {
    let secret = "ada@example.org";
    for capture in Capture::ALL {
        let mut span = span_with(secret);
        let found = Policy::of(capture).apply(&mut span);
        let text = serde_json::to_string(&span).unwrap();
        // Without content, a user is known by whatever they are called.
        let left = match capture {
            Capture::Full => 7,
            Capture::Metadata => 1,
            Capture::Redacted | Capture::None => 0,
        };
        assert_eq!(text.matches(secret).count(), left, "{capture:?}: {text}");
        assert_eq!(span.attributes[names::INPUT_TOKENS], json!(12));
        assert_eq!(span.attributes[names::LABELS], json!([["hr@example.org"]]), "who may read it is not text");
        assert_eq!(span.attributes.get(names::REDACTED).is_some(), found.total() > 0);
    }
    let mut span = span_with("words without a shape");
    span.attributes.insert("llm.invocation_parameters".to_owned(), r#"{"model":"m","user":"without a shape"}"#.into());
    Policy::of(Capture::None).apply(&mut span);
    let text = serde_json::to_string(&span).unwrap();
    assert!(!text.contains("without a shape"), "{text}");
    assert!(text.contains("my.own.number") && text.contains("\"gpt\""), "{text}");
}

#[test]
fn without_content_nothing_stays_under_the_plain_names_of_prompts_and_answers() {
    let names = [
        "prompt",
        "completion",
        "retrieval.query",
        "gen_ai.input.messages.0.content",
        "gen_ai.output.messages.0.content",
        "gen_ai.system_instructions.0.content",
        "pydantic_ai.all_messages",
        "all_messages_events",
        "final_result",
        "tool_arguments",
        "tool_response",
        "tool.result",
    ];
    // As events of messages carry them, also under names that no convention knows.
    let in_messages = ["message", "tool.result", "some.thing"];
    for capture in Capture::ALL {
        let mut span = span_with("nothing");
        span.attributes.extend(names.map(|name| (name.to_owned(), "what people wrote".into())));
        let message = in_messages.map(|name| (name.to_owned(), Value::from("what people wrote")));
        let plain = [("finish_reason".to_owned(), Value::from("tool_use"))];
        let attributes = message.into_iter().chain(plain).collect();
        span.events.push(SpanEvent { name: "gen_ai.choice".to_owned(), at: Timestamp::from_micros(1), attributes });
        Policy::of(capture).apply(&mut span);
        for name in names {
            assert_eq!(span.attributes.contains_key(name), capture >= Capture::Redacted, "{capture:?} {name}");
        }
        let said = &span.events.last().unwrap().attributes;
        for name in in_messages {
            assert_eq!(said.contains_key(name), capture >= Capture::Redacted, "{capture:?} {name} of an event");
        }
        assert_eq!(said.contains_key("finish_reason"), capture >= Capture::Metadata, "{capture:?}");
    }
}

#[test]
fn without_content_the_parameters_of_a_call_are_numbers_and_a_model() {
    let asked = json!({"model": "m", "max_tokens": 9, "stream": true, "system": "what people wrote", "tools": [{"a": 1}]});
    let left = json!({"model": "m", "max_tokens": 9, "stream": true});
    let names = ["llm.invocation_parameters", "embedding.invocation_parameters"];
    for (said, read) in [
        (asked.clone(), left.clone()),
        (Value::from(asked.to_string()), Value::from(left.to_string())),
        (json!("what people wrote"), json!("{}")),
        (json!(["what people wrote"]), json!({})),
    ] {
        for name in names {
            let mut span = span_with("nothing");
            span.attributes.insert(name.to_owned(), said.clone());
            let kept = |capture: Capture| {
                let mut span = span.clone();
                Policy::of(capture).apply(&mut span);
                span.attributes.get(name).cloned()
            };
            assert_eq!(kept(Capture::Redacted), Some(said.clone()));
            assert_eq!(kept(Capture::Metadata), Some(read.clone()));
            let none = kept(Capture::None).unwrap_or_default().to_string();
            assert!(!none.contains("what people wrote"), "{none}");
        }
    }
}

#[test]
fn a_record_that_is_logged_says_no_more_beside_its_body_than_in_it() {
    for capture in Capture::ALL {
        let mut record = span_with("nothing");
        record.name = "gen_ai.user.message".to_owned();
        let said = ["content", "message", "gen_ai.event.content", "event.body"];
        let plain = ["role", names::SIGNAL, names::PLACE, "resource.service.name", "server.address", "gen_ai.provider.name"];
        record.attributes.extend(said.iter().chain(&plain).map(|name| ((*name).to_owned(), "what people wrote".into())));
        Policy::of(capture).apply(&mut record);
        for name in said {
            assert_eq!(record.attributes.contains_key(name), capture >= Capture::Redacted, "{capture:?} {name}");
        }
        for name in plain.iter().filter(|_| capture >= Capture::Metadata) {
            assert!(record.attributes.contains_key(*name), "{capture:?} {name}");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        noise().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z.]{1,8}", inner), 0..4)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Text with what is looked for among other letters.
fn noise() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        ".{0,12}",
        "[0-9 ()+./:-]{0,40}",
        "[A-Fa-f0-9:.]{0,40}",
        "[a-z.]{1,9}@[a-z]{1,5}\\.(org|xn--p1ai)",
        "(sk-|msk_|AKIA|eyJ|Bearer |password=|token=|token: |Basic |authorization: key |&sig=)[A-Za-z0-9._-]{0,30}",
        Just("4111 1111 1111 1111".to_owned()),
        Just("DE89 3704 0044 0532 0130 00".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just("\"{[".to_owned()),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_that_is_recognised_is_left(text in noise()) {
        let changed = redact(&text);
        // What reads as JSON is looked at by its parts.
        if serde_json::from_str::<Value>(&text).is_err() {
            prop_assert_eq!(first_found(&changed, &mut Vec::new()), None, "{:?} became {:?}", text, changed);
        }
        prop_assert_eq!(redact(&changed), changed.clone(), "what was redacted stays");
    }

    #[test]
    fn json_stays_json_and_keeps_its_shape(value in any_json()) {
        let value = json!([value]);
        let changed: Value = serde_json::from_str(&redact(&value.to_string())).unwrap();
        prop_assert!(alike(&value, &changed), "{} became {}", value, changed);
    }

    #[test]
    fn any_pattern_is_refused_or_ends(pattern in ".{0,40}", text in ".{0,200}") {
        let policy = CapturePolicy { patterns: vec![own("own", &pattern)], ..CapturePolicy::default() };
        if let Ok(policy) = policy.carried_out(Capture::Redacted) {
            let _ = policy.redactor.text(&text, &mut Found::default());
        }
    }
}

/// The same lists and as many fields; a leaf may have become a word.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len() && one.values().zip(other.values()).all(|(one, other)| alike(one, other))
        }
        (Value::Array(_) | Value::Object(_), _) => false,
        (Value::Null | Value::Bool(_), _) => one == other,
        (Value::Number(_) | Value::String(_), other) => one == other || other.is_string(),
    }
}

// ── Policies in the catalog ─────────────────────────────────────────────────

#[derive(Debug, Default)]
struct Trail(Mutex<Vec<AuditEntry>>);

#[async_trait]
impl AuditTrail for Trail {
    async fn record(&self, _: &mut Tx, _: &Actor, entry: AuditEntry) -> Result<(), CatalogFault> {
        self.0.lock().unwrap().push(entry);
        Ok(())
    }
}

fn actor(project: u128, role: Role) -> Actor {
    Actor {
        principal: PrincipalId::from_raw(7),
        project: ProjectId::from_raw(project),
        role,
        labels: Labels::All,
        key: None,
        models: ModelScope::All,
    }
}

async fn projects(catalog: &Catalog) {
    const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
    for (id, name) in [(1, "ours"), (2, "theirs")] {
        catalog.write(PROJECT, params![ProjectId::from_raw(id), name]).await.unwrap();
    }
}

async fn over(catalog: &Catalog, bound: Capture) -> (CapturePolicies, Arc<Trail>) {
    let (clock, trail) = (FrozenClock::at(Timestamp::from_micros(5)), Arc::new(Trail::default()));
    let opened = CapturePolicies::open(catalog.clone(), Arc::new(clock), Arc::clone(&trail) as Arc<dyn AuditTrail>, bound);
    (opened.await.unwrap(), trail)
}

fn in_force(policies: &CapturePolicies, project: u128) -> Capture {
    policies.in_force().now().of(ProjectId::from_raw(project)).capture
}

async fn a_policy_is_in_force_at_once_here_and_elsewhere_when_it_is_read_again(catalog: Catalog) {
    projects(&catalog).await;
    let (here, trail) = over(&catalog, Capture::Full).await;
    let (there, _) = over(&catalog, Capture::Full).await;
    let admin = actor(1, Role::Admin);
    assert_eq!((here.show(&admin).await.unwrap().revision, in_force(&here, 1)), (0, Capture::Full));
    let wanted = CapturePolicy {
        capture: Some(Capture::Redacted),
        patterns: vec![own("customer", "C-[0-9]+")],
        share: 0.25,
        ..CapturePolicy::default()
    };
    let set = here.set(&admin, &wanted, Some(0)).await.unwrap();
    assert_eq!((set.revision, set.effective, &set.policy), (1, Capture::Redacted, &wanted));
    assert_eq!((in_force(&here, 1), in_force(&there, 1)), (Capture::Redacted, Capture::Full));
    there.refresh().await.unwrap();
    assert_eq!((in_force(&there, 1), in_force(&there, 2)), (Capture::Redacted, Capture::Full));
    // Who repeats is answered the same, and nothing is written.
    assert_eq!(there.set(&admin, &wanted, Some(0)).await.unwrap().revision, 1);
    let fault = there.set(&admin, &CapturePolicy::default(), Some(0)).await.unwrap_err();
    assert_eq!(fault.code(), "capture-moved");
    assert_eq!(there.set(&admin, &CapturePolicy::default(), Some(1)).await.unwrap().revision, 2);
    here.refresh().await.unwrap();
    assert_eq!(in_force(&here, 1), Capture::Full);
    let said = format!("{:?}", trail.0.lock().unwrap());
    assert!(said.contains("capture.set") && said.contains("customer") && !said.contains("C-["), "{said}");
}

async fn a_policy_is_set_by_admins_within_what_the_server_keeps(catalog: Catalog) {
    projects(&catalog).await;
    let (policies, _) = over(&catalog, Capture::Metadata).await;
    let (admin, editor) = (actor(1, Role::Admin), actor(1, Role::Editor));
    let keeping = |capture| CapturePolicy { capture: Some(capture), ..CapturePolicy::default() };
    assert_eq!(policies.show(&editor).await.unwrap_err().code(), "capture-forbidden");
    assert_eq!(policies.preview(&editor, "x", None).await.unwrap_err().code(), "capture-forbidden");
    assert_eq!(policies.set(&editor, &keeping(Capture::None), None).await.unwrap_err().code(), "capture-forbidden");
    let fault = policies.set(&admin, &keeping(Capture::Redacted), None).await.unwrap_err();
    assert_eq!(fault.code(), "capture-above-server");
    assert_eq!(policies.set(&admin, &keeping(Capture::None), None).await.unwrap().effective, Capture::None);
    // A server that keeps less than when it was set keeps to that; one that cannot read it keeps least.
    let (wide, _) = over(&catalog, Capture::Full).await;
    wide.set(&actor(2, Role::Admin), &keeping(Capture::Full), None).await.unwrap();
    policies.refresh().await.unwrap();
    assert_eq!((in_force(&policies, 1), in_force(&policies, 2)), (Capture::None, Capture::Metadata));
    const NEWER: &str = "UPDATE capture_policy SET policy = '{\"newer\": 1}', revision = revision + 1 WHERE project = $1";
    catalog.write(NEWER, params![ProjectId::from_raw(2)]).await.unwrap();
    wide.refresh().await.unwrap();
    assert_eq!(in_force(&wide, 2), Capture::None);
    let draft = CapturePolicy { patterns: vec![own("animal", "cats?")], ..keeping(Capture::Redacted) };
    let tried = wide.preview(&admin, "a cat at x@y.org", Some(&draft)).await.unwrap();
    assert_eq!((tried.text.as_deref(), tried.found.total()), (Some("a [animal] at [email]"), 2));
    assert_eq!(wide.preview(&admin, "a cat", None).await.unwrap().text, None);
    assert_eq!(wide.preview(&admin, &"x".repeat(70_000), None).await.unwrap_err().code(), "capture-invalid");
}

async fn every_statement_compiles(catalog: Catalog) {
    let failed = prepare_all(&catalog, store::STATEMENTS).await;
    assert!(failed.is_empty(), "{failed:?}");
}
