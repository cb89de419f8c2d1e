//! Projects keep their things apart; members and their keys may do what their role says, and no more.

use bytes::Bytes;
use mainspring_testservers::postgres::Postgres;
use serde_json::{Value, json};

use crate::running::{Reply, Server, User, command, refused, run, until};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

fn prompt(folder: &std::path::Path, name: &str) -> String {
    let file = folder.join(format!("{name}.json"));
    let spec = json!({"messages": [{"role": "user", "content": "Say hello."}]});
    let manifest = json!({"apiVersion": "mainspring/v1", "kind": "prompt", "name": name, "spec": spec});
    std::fs::write(&file, manifest.to_string()).unwrap();
    file.display().to_string()
}

async fn within(user: &User, project: &str, path: &str) -> Reply {
    user.send(http::Request::get(path).header("x-mainspring-project", project).body(Bytes::new()).unwrap()).await
}

async fn code(reply: Reply) -> (u16, String) {
    (reply.status, reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_keep_their_assets_apart_and_a_key_in_its_own() {
    let (data, specs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let made = run(data, &["projects", "create", "team", "--description", "for tests"]);
    assert_eq!((&made["name"], &made["role"], &made["description"]), (&json!("team"), &json!("admin"), &json!("for tests")));
    assert_eq!(refused(data, &["projects", "create", "team"])["code"], json!("identity-project-exists"));
    assert_eq!(names(&run(data, &["projects", "list"])), ["default", "team"]);
    assert_eq!(refused(data, &["list", "--project", "taem"])["code"], json!("identity-project-not-found"));

    run(data, &["apply", &prompt(specs.path(), "ours"), "--project", "team"]);
    run(data, &["apply", &prompt(specs.path(), "greeting")]);
    assert_eq!(names(&run(data, &["list"])), ["greeting"]);
    assert_eq!(names(&run(data, &["list", "--project", "team"])), ["ours"]);
    let by_variable = command(data).env("MAINSPRING_PROJECT", "team").args(["list", "--json"]).output().unwrap();
    assert_eq!(names(&serde_json::from_slice(&by_variable.stdout).unwrap()), ["ours"]);

    // A key is of the project it was made in.
    let key = |args: &[&str]| run(data, args)["secret"].as_str().unwrap().to_owned();
    let team = User::of(&server, Some(&key(&["keys", "create", "ci", "--role", "admin", "--project", "team"])));
    assert_eq!(names(&team.get("/api/v1/assets").await.json()["items"]), ["ours"]);
    assert_eq!(names(&team.get("/api/v1/projects").await.json()["items"]), ["team"]);
    assert_eq!(names(&team.get("/api/v1/overview").await.json()["projects"]), ["team"]);
    let outside = (403, "identity-not-installation-admin".to_owned());
    for project in ["default", "nowhere"] {
        assert_eq!(code(within(&team, project, "/api/v1/assets").await).await, outside);
    }
    assert_eq!(code(team.post("/api/v1/projects", &json!({"name": "more"})).await).await, outside);
    assert_eq!(names(&run(data, &["keys", "list"])), Vec::<&str>::new(), "the key is listed where it belongs");

    // An admin of the installation goes where they are a member; others of `default` do not.
    let admin = User::of(&server, Some(&key(&["keys", "create", "root", "--role", "admin"])));
    assert_eq!(names(&within(&admin, "team", "/api/v1/assets").await.json()["items"]), ["ours"]);
    let overview = within(&admin, "team", "/api/v1/overview").await.json();
    assert_eq!(names(&overview["projects"]), ["default", "team"]);
    let reader = User::of(&server, Some(&key(&["keys", "create", "look", "--role", "reader"])));
    assert_eq!(code(within(&reader, "team", "/api/v1/assets").await).await, outside);
    assert_eq!(names(&reader.get("/api/v1/projects").await.json()["items"]), ["default"]);
    let log = run(data, &["audit"]);
    let entry = log["items"].as_array().unwrap().iter().find(|entry| entry["action"] == "project.create").unwrap();
    assert_eq!((&entry["target"], &entry["actor"]), (&json!("team"), &json!("local")));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_change_and_go_and_their_keys_follow() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let ann = run(data, &["members", "add", "ann@example.org", "--role", "editor", "--label", "hr"]);
    assert_eq!((&ann["role"], &ann["labels"], &ann["kind"]), (&json!("editor"), &json!(["hr"]), &json!("person")));
    assert_eq!(refused(data, &["members", "add", "ann@example.org"])["code"], json!("identity-member-exists"));
    assert_eq!(names(&run(data, &["members", "list"])), ["ann@example.org", "local"]);

    // The key says admin; its holder is less.
    let key = run(data, &["keys", "create", "hers", "--role", "admin", "--for", "ann@example.org"]);
    assert_eq!(key["key"]["member"], json!("ann@example.org"));
    let hers = User::of(&server, Some(key["secret"].as_str().unwrap()));
    assert_eq!(code(hers.get("/api/v1/members").await).await, (403, "role-too-low".to_owned()));
    let nothing = json!({"manifests": []});
    assert_eq!(hers.post("/api/v1/apply", &nothing).await.status, 200);
    let set = run(data, &["members", "set", "ann@example.org", "--role", "reader"]);
    assert_eq!((&set["role"], &set["labels"]), (&json!("reader"), &json!(["hr"])), "what is not said stays");
    assert_eq!(hers.post("/api/v1/apply", &nothing).await.status, 403);
    assert_eq!(run(data, &["members", "set", "ann@example.org", "--all-labels"])["labels"], json!("all"));

    assert_eq!(run(data, &["members", "remove", "ann@example.org"])["name"], json!("ann@example.org"));
    assert_eq!(code(hers.get("/api/v1/assets").await).await, (401, "identity-key-revoked".to_owned()));
    assert_eq!(refused(data, &["members", "remove", "ann@example.org"])["code"], json!("identity-member-not-found"));
    assert_eq!(refused(data, &["members", "set", "local", "--role", "reader"])["code"], json!("identity-last-admin"));
    let fault = refused(data, &["keys", "create", "x", "--for", "ann@example.org"]);
    assert_eq!(fault["code"], json!("identity-member-not-found"));

    let log = run(data, &["audit"]);
    let actions: Vec<&str> =
        log["items"].as_array().unwrap().iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["member.put", "key.create", "member.put", "member.put", "member.remove"]);
    assert_eq!(run(data, &["audit", "--verify"])["intact"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_without_a_key_is_what_they_are_now_in_every_server_of_the_catalog() {
    let postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let catalog = postgres.new_database().unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = |data: &tempfile::TempDir| Server::start_with(data.path(), &["serve"], &[("MAINSPRING_CATALOG", &catalog)]);
    let servers: Vec<Server> = folders.iter().map(start).collect();
    let [here, there] = [User::of(&servers[0], None), User::of(&servers[1], None)];
    let data = folders[0].path();
    run(data, &["members", "add", "ann", "--role", "admin"]);
    assert_eq!(refused(data, &["members", "remove", "local"])["code"], json!("identity-last-admin"), "ann cannot come in");
    let key = run(data, &["keys", "create", "hers", "--role", "admin", "--for", "ann"]);
    let ann = User::of(&servers[0], key["secret"].as_str());
    let nothing = json!({"manifests": []});
    let may_write = async |user: &User| user.post("/api/v1/apply", &nothing).await.status;
    assert_eq!([may_write(&here).await, may_write(&there).await], [200, 200]);

    run(data, &["members", "set", "local", "--role", "reader"]);
    assert_eq!(code(here.post("/api/v1/apply", &nothing).await).await, (403, "role-too-low".to_owned()), "at once");
    until("the other server", async || may_write(&there).await == 403).await;
    assert_eq!([here.get("/api/v1/assets").await.status, there.get("/api/v1/assets").await.status], [200, 200]);

    let remove = http::Request::delete("/api/v1/members/local").body(Bytes::new()).unwrap();
    assert_eq!(ann.send(remove).await.status, 200);
    let closed = (401, "key-required".to_owned());
    assert_eq!(code(here.get("/api/v1/assets").await).await, closed, "at once");
    until("the other server", async || there.get("/api/v1/assets").await.status == 401).await;
    assert_eq!([servers[0].status("/healthz").await, servers[0].status("/metrics").await], [200, 200]);
    assert_eq!(ann.get("/api/v1/assets").await.status, 200);
    // Another start lets nobody in again.
    drop(servers);
    let again = start(&folders[0]);
    assert_eq!(code(User::of(&again, None).get("/api/v1/assets").await).await, closed);
}
