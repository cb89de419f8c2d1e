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
    assert_eq!(room.gateway.servers(room.project), Servers { count: 2, lacking: vec![told.to_owned()] });

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
