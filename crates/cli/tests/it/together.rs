//! Three servers over one PostgreSQL and one S3 store watch together: what one of them finds is told once, whichever of them
//! dies and whatever is away meanwhile.

use std::time::Duration;

use mainspring_testservers::{
    postgres::Postgres,
    s3::S3Server,
    upstream::{Script, Upstream},
};
use serde_json::{Value, json};

use crate::{
    line::Line,
    monitors::{heard, is_in, monitor, requests, stands},
    running::{Server, User, apply_all, until},
    sharing::on_s3,
};

const OPENED: &str = "incident.opened";
const RESOLVED: &str = "incident.resolved";

/// Requests at each of these servers, taken also while the store is away.
async fn traffic(users: &[User], failed: bool) {
    for (seed, user) in (1_i64..).zip(users) {
        let reply = user.post("/v1/traces", &requests(failed, seed)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    // Some of each second is enough.
    tokio::time::sleep(Duration::from_millis(250)).await;
}

fn watched() -> [Value; 3] {
    let more =
        |hits: &str| json!({"measure": {"rate": {"hits": hits}}, "delay": "2s", "labels": {"app": "shop"}, "notify": ["ops"]});
    [
        monitor("errors", "service = shop", &more("error")),
        monitor("slow", "service = shop", &more("duration > 10s")),
        monitor("elsewhere", "service = nobody", &more("error")),
    ]
}

/// The only incident there is.
async fn incident(user: &User) -> Value {
    let listed = user.get("/api/v1/incidents").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    listed["items"][0].clone()
}

/// What arrived, as far as it is written down: nobody sends it again.
async fn delivered(user: &User) -> usize {
    user.get("/api/v1/deliveries?state=delivered").await.json()["items"].as_array().unwrap().len()
}

/// Answers the id of the incident.
async fn fires_once(users: &[User], upstream: &Upstream) -> Value {
    until("the monitor to fire", async || {
        traffic(users, true).await;
        is_in(&users[0], "errors", "firing").await && is_in(&users[1], "slow", "ok").await
    })
    .await;
    until("the alert to be delivered", async || delivered(&users[0]).await == 1).await;
    // Each of them looks again, and finds the same.
    let looked = stands(&users[0], "errors").await["monitor"]["looked_at"].clone();
    until("the next look", async || {
        traffic(users, true).await;
        stands(&users[0], "errors").await["monitor"]["looked_at"] != looked
    })
    .await;
    assert_eq!(heard(upstream), [OPENED]);
    let opened = incident(&users[0]).await;
    for user in users {
        let told = stands(user, "errors").await;
        assert_eq!(told["monitor"]["incidents"], json!([opened["id"]]), "{told}");
    }
    opened["id"].clone()
}

/// What watches is told to see nothing, and what it said before is neither said again nor taken back.
async fn cannot_be_seen_while_the_store_is_away(users: &[User], line: &Line, upstream: &Upstream, opened: &Value) {
    line.cut();
    until("both to be in trouble", async || {
        traffic(users, true).await;
        let troubled = async |name: &str| stands(&users[2], name).await["monitor"]["trouble"].is_string();
        troubled("errors").await && troubled("slow").await
    })
    .await;
    for user in users {
        let [slow, errors] = [stands(user, "slow").await, stands(user, "errors").await];
        assert_eq!(slow["monitor"]["state"], "missing", "what was well may be so no longer: {slow}");
        assert!(errors["monitor"]["state"] == "firing" || errors["monitor"]["state"] == "missing", "{errors}");
        assert_eq!(errors["monitor"]["incidents"], json!([opened]), "{errors}");
    }
    assert_eq!(heard(upstream), [OPENED]);
    line.mend();
    until("both to be seen again", async || {
        traffic(users, true).await;
        let seen = async |name: &str, state: &str| {
            let monitor = stands(&users[1], name).await["monitor"].clone();
            monitor["state"] == state && monitor["trouble"].is_null()
        };
        seen("errors", "firing").await && seen("slow", "ok").await
    })
    .await;
    assert_eq!((heard(upstream), incident(&users[1]).await["id"].clone()), (vec![OPENED.to_owned()], opened.clone()));
}

/// Whoever dies over a look keeps it from the others for forty seconds. As if these were over.
fn leases_of_the_dead_end(postgres: &Postgres, catalog: &str) {
    let database = catalog.rsplit('/').next().unwrap();
    postgres.sql(database, "UPDATE monitor_state SET lease_until = 1 WHERE lease_until IS NOT NULL").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_tell_once_of_what_they_watch_while_they_die_and_the_store_goes_away() {
    let (postgres, store) = tokio::join!(
        tokio::task::spawn_blocking(|| Postgres::start().unwrap()),
        tokio::task::spawn_blocking(|| S3Server::start().unwrap()),
    );
    let (postgres, store) = (postgres.unwrap(), store.unwrap());
    let (catalog, line) = (postgres.new_database().unwrap(), Line::to(&store.endpoint()).await);
    let lake = format!("s3://{}/lake", S3Server::BUCKET);
    let settings = [on_s3(&lake, &line.url), vec![("MAINSPRING_CATALOG", catalog.as_str())]].concat();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second, third] = folders.each_ref().map(|data| Server::start_with(data.path(), &["serve"], &settings));
    let users = [&first, &second, &third].map(|server| User::of(server, None));
    let upstream = Upstream::start(Script::default()).unwrap();
    let hook = json!({"webhook": {"url": format!("{}/v1/moderations", upstream.url())}});
    let receiver = json!({"apiVersion": "mainspring/v1", "kind": "receiver", "name": "ops", "spec": hook});
    apply_all(folders[0].path(), &[&[receiver][..], &watched()].concat());

    let opened = Box::pin(fires_once(&users, &upstream)).await;
    assert!(is_in(&users[2], "elsewhere", "missing").await, "of nothing nobody says that it is well");
    Box::pin(cannot_be_seen_while_the_store_is_away(&users, &line, &upstream, &opened)).await;

    // Whichever of them looked and told is among those that die: first these two, then the one that went on.
    let url = first.url.clone();
    first.kill();
    second.kill();
    leases_of_the_dead_end(&postgres, &catalog);
    until("silence to be seen by the one that is left", async || is_in(&users[2], "errors", "missing").await).await;
    assert_eq!(stands(&users[2], "errors").await["monitor"]["incidents"], json!([opened]), "silence does not end it");
    let first = Server::start_at_with(folders[0].path(), &url, &settings);
    third.kill();
    leases_of_the_dead_end(&postgres, &catalog);
    let left = [User::of(&first, None)];
    until("the incident to end", async || {
        traffic(&left, false).await;
        incident(&left[0]).await["state"] == "resolved"
    })
    .await;
    until("the end to be delivered", async || delivered(&left[0]).await == 2).await;
    assert_eq!(heard(&upstream), [OPENED, RESOLVED]);
    assert_eq!(incident(&left[0]).await["id"], opened);
}
