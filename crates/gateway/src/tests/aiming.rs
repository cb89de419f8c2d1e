//! Which name a call means, where its client says beside the model whom it wants.

use mainspring_testservers::upstream::Script;
use serde_json::json;

use super::room::{Room, provider, upstream};
use crate::{Aim, Aimed};

#[tokio::test]
async fn a_provider_or_a_route_beside_the_model_is_asked_where_it_is_there() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let mut listed = provider(&server);
    listed["models"] = json!(["small"]);
    room.apply(&[
        ("provider", "main", provider(&server)),
        ("provider", "listed", listed),
        ("route", "fixed", json!({"targets": [{"provider": "main", "model": "large"}]})),
        ("route", "handed", json!({"targets": [{"provider": "main"}], "models": ["claude-*"]})),
    ])
    .await;
    let named = |model: &str| Some(model.to_owned());
    let of = |model: &str, provider: Option<&'static str>, route: Option<&'static str>| {
        room.gateway.aimed(room.project, model, Aim { provider, route })
    };
    for (model, provider, route, aimed) in [
        // The provider is asked for the model of the body.
        ("gpt-4o", Some("main"), None, Aimed { model: named("main/gpt-4o"), provider: true, route: false }),
        ("main/gpt-4o", Some("main"), None, Aimed { model: named("main/gpt-4o"), provider: true, route: false }),
        ("@main/gpt-4o", Some("main"), None, Aimed { model: named("main/gpt-4o"), provider: true, route: false }),
        ("small", Some("listed"), None, Aimed { model: named("listed/small"), provider: true, route: false }),
        // Not what it does not have, nor in the place of a route.
        ("large", Some("listed"), None, Aimed::default()),
        ("gpt-4o", Some("nobody"), None, Aimed::default()),
        ("fixed", Some("main"), None, Aimed::default()),
        ("", Some("main"), None, Aimed::default()),
        // A route that names its models is called, whatever the body says; one that hands names on takes those it is for.
        ("gpt-4o", None, Some("fixed"), Aimed { model: named("fixed"), provider: false, route: true }),
        ("claude-x", None, Some("handed"), Aimed { model: None, provider: false, route: true }),
        ("gpt-4o", None, Some("handed"), Aimed::default()),
        ("gpt-4o", None, Some("nobody"), Aimed::default()),
        ("gpt-4o", Some("main"), Some("nobody"), Aimed { model: named("main/gpt-4o"), provider: true, route: false }),
        ("gpt-4o", Some("main"), Some("fixed"), Aimed { model: named("fixed"), provider: false, route: true }),
        // Without a word beside it, a name that other gateways write is read.
        ("@main/gpt-4o", None, None, Aimed { model: named("main/gpt-4o"), provider: false, route: false }),
        ("@nobody/gpt-4o", None, None, Aimed::default()),
        ("gpt-4o", None, None, Aimed::default()),
    ] {
        assert_eq!(of(model, provider, route), aimed, "{model} {provider:?} {route:?}");
    }
}
