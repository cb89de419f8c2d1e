//! Providers whose keys are not where their specs say.

use mainspring_kernel::Name;
use mainspring_testservers::upstream::Script;
use serde_json::{Value, json};

use super::room::{Room, provider, upstream};
use crate::{ExplainQuestion, ExplainedTarget, Servers};

#[tokio::test]
async fn a_provider_without_its_key_is_told_of_before_anybody_calls_it() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let mut bare = provider(&server);
    bare["credential"] = json!("env:NO_SUCH_KEY_IN_A_TEST");
    let targets = json!([{"provider": "bare", "model": "a"}, {"provider": "well", "model": "b"}]);
    room.apply(&[
        ("provider", "bare", bare.clone()),
        ("provider", "well", provider(&server)),
        ("provider", "here", json!({"type": "local"})),
        ("route", "assistant", json!({"targets": targets, "choose": "latency", "retry": {"attempts": 0}})),
    ])
    .await;
    let told = "`credential` of provider `bare`: the server's environment has no variable `NO_SUCH_KEY_IN_A_TEST`; \
                start the server with `NO_SUCH_KEY_IN_A_TEST` in its environment";
    assert_eq!(room.gateway.servers(room.project), Servers { count: 2, lacking: vec![told.to_owned()], refused: Vec::new() });

    // Before it is applied.
    let name: Name = "bare".parse().unwrap();
    let lacks = async |spec: Value| room.gateway.lacks(room.project, &name, &spec).await;
    assert_eq!(lacks(bare).await.as_deref(), Some(told));
    for spec in [provider(&server), json!({"type": "local"}), json!({"type": "unheard of"})] {
        assert_eq!(lacks(spec.clone()).await, None, "{spec}");
    }

    let explained = |provider: &str| -> ExplainedTarget {
        let told = room.gateway.explain(&room.caller(), "assistant", &ExplainQuestion::default()).unwrap();
        told.targets.into_iter().find(|target| target.provider == provider).unwrap()
    };
    assert_eq!(explained("bare").why, format!("not tried lately; cannot be called: {told}"));
    assert_eq!(explained("well").why, "not tried lately");
    // Each is tried once. What a failure counts as is no time at which anything began.
    for _ in 0..2 {
        assert_eq!(room.ask("assistant").await.unwrap().provider, "well");
    }
    let bare = explained("bare");
    assert_eq!((bare.begin_ms, bare.why), (None, format!("lately failed before anything began; cannot be called: {told}")));
}

#[tokio::test]
async fn a_spec_that_an_earlier_version_took_answers_and_says_what_to_change() {
    const OLDER: &str = "UPDATE asset_version SET spec = REPLACE(spec, 'x-team', 'x-api-key') RETURNING number";
    let mut room = Room::open().await;
    let server = upstream(Script::default());
    let mut spec = provider(&server);
    spec["headers"] = json!({"x-team": "a-value-nobody-may-see"});
    room.apply_silently(&[("provider", "old", spec), ("provider", "well", provider(&server))]).await;
    room.catalog().write(OLDER, Vec::new()).await.unwrap();
    room.restart().await;
    assert_eq!(room.ask("old/a").await.unwrap().provider, "old");
    assert_eq!(server.seen().last().unwrap().headers["x-api-key"], "a-value-nobody-may-see");
    let Servers { count, lacking, refused } = room.gateway.servers(room.project);
    assert_eq!((count, lacking.len(), refused.len()), (2, 0, 1));
    let told = &refused[0];
    assert!(told.starts_with("provider `old`: headers.x-api-key: ") && told.contains("`env:NAME`"), "{told}");
    assert!(!told.contains("nobody-may-see"), "{told}");
    // Routes may go there.
    room.apply(&[("route", "assistant", json!({"targets": [{"provider": "old", "model": "a"}]}))]).await;
    assert_eq!(room.ask("assistant").await.unwrap().provider, "old");
}
