//! As JSON, a command prints one value; a list says what it is and where it goes on.

use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, refused, run};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// All of it.
    Whole,
    /// `{items, next}`, by `--limit` and `--cursor`.
    Paged,
}

/// Every verb that lists.
const LISTS: &[(&[&str], Shape)] = &[
    (&["list"], Shape::Whole),
    (&["list", "prompt"], Shape::Whole),
    (&["history", "prompt/greeting"], Shape::Whole),
    (&["schema"], Shape::Whole),
    (&["projects", "list"], Shape::Whole),
    (&["members", "list"], Shape::Whole),
    (&["keys", "list"], Shape::Whole),
    (&["models", "list"], Shape::Whole),
    (&["routes", "list"], Shape::Whole),
    (&["config", "show"], Shape::Whole),
    (&["audit"], Shape::Paged),
    (&["traces"], Shape::Paged),
    (&["documents", "notes"], Shape::Paged),
    (&["runs", "notes"], Shape::Paged),
    (&["runs"], Shape::Paged),
    (&["receipts", "copies"], Shape::Paged),
    (&["tombstones", "copies"], Shape::Paged),
];

fn asset(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

/// A page at a time, from the first to the last.
fn paged(data: &std::path::Path, verb: &[&str], limit: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut args = [verb, &["--limit", limit]].concat();
        args.extend(cursor.as_deref().into_iter().flat_map(|cursor| ["--cursor", cursor]));
        let page = run(data, &args);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return items;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_one_json_value_and_goes_on_where_it_ended() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    let _server = Server::start(data, "127.0.0.1");
    for name in ["gate", "fence", "shed"] {
        std::fs::write(
            folder.path().join(format!("{name}.md")),
            format!("# The {name}\n\nThe {name} is painted every spring.\n"),
        )
        .unwrap();
    }
    let sources = json!({"sources": [{"type": "folder", "path": folder.path()}]});
    for words in ["Say hello.", "Say hello, briefly."] {
        let spec = json!({"messages": [{"role": "user", "content": words}]});
        let knowledge = ["notes", "copies"].map(|name| asset("knowledge", name, &sources));
        let provider = asset("provider", "nobody", &json!({"type": "openai", "base_url": "http://127.0.0.1:9/v1"}));
        let route = asset("route", "anyone", &json!({"targets": [{"provider": "nobody", "model": "m"}]}));
        apply_all(data, &[&[asset("prompt", "greeting", &spec), provider, route][..], &knowledge[..]].concat());
    }
    for _ in 0..2 {
        run(data, &["ingest", "notes", "--full"]);
        run(data, &["ingest", "copies", "--full"]);
        run(data, &["search", "notes", "the gate"]);
    }
    for name in ["gate.md", "shed.md"] {
        run(data, &["forget", "copies", name]);
    }
    run(data, &["keys", "create", "ci"]);
    for (verb, shape) in LISTS {
        let list = run(data, verb);
        let items = match shape {
            Shape::Whole => list.as_array(),
            Shape::Paged => list["items"].as_array(),
        };
        let items = items.unwrap_or_else(|| panic!("{verb:?}: {list}"));
        assert!(!items.is_empty(), "{verb:?}: {list}");
        if *shape == Shape::Paged {
            // Reading a list leaves no trace and no entry, so it is the same list still.
            assert_eq!(paged(data, verb, "1"), *items, "{verb:?}");
            assert_eq!(paged(data, verb, "600"), *items, "{verb:?}: more than the server gives at once");
        }
    }
    let all = run(data, &["runs"]);
    let of =
        |name: &str| all["items"].as_array().unwrap().iter().filter(|run| run["knowledge"] == name).cloned().collect::<Vec<_>>();
    let knowledge = |run: &Value| run["knowledge"].as_str().unwrap().to_owned();
    let order: Vec<String> = all["items"].as_array().unwrap().iter().map(knowledge).collect();
    assert_eq!(order, ["copies", "notes", "copies", "notes"], "newest first");
    for name in ["notes", "copies"] {
        assert_eq!(json!(of(name)), run(data, &["runs", name])["items"]);
    }
    assert_eq!(refused(data, &["runs", "--cursor", "made-up"])["code"], "knowledge-bad-request");
    assert_eq!(run(data, &["documents", "notes", "--find", "gate"])["items"].as_array().unwrap().len(), 1);
    assert_eq!(run(data, &["documents", "notes", "--status", "failed"])["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_of_a_server_page_by_name() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let whole = user.get("/api/v1/models").await.json();
    let whole = whole["items"].as_array().unwrap();
    let names: Vec<&str> = whole.iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert!(names.len() >= 3 && names.is_sorted(), "{names:?}");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = user.get(&format!("/api/v1/models?limit=2&cursor={cursor}")).await.json();
        let items = page["items"].as_array().unwrap();
        assert!((1..=2).contains(&items.len()), "{page}");
        seen.extend(items.iter().cloned());
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(seen, *whole);
    let refusal = user.get("/api/v1/models?cursor=made-up").await;
    assert_eq!((refusal.status, refusal.json()["code"].as_str()), (400, Some("paging-invalid")), "{}", refusal.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_targets_of_routes_page_in_the_order_they_are_written_in() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("Yes."))).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let provider = json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())});
    let targets = |models: &[&str]| {
        let targets: Vec<Value> = models.iter().map(|model| json!({"provider": "here", "model": model})).collect();
        json!({"targets": targets})
    };
    apply_all(
        data.path(),
        &[
            asset("provider", "here", &provider),
            asset("route", "later", &targets(&["m", "c"])),
            asset("route", "earlier", &targets(&["z", "a"])),
        ],
    );
    for model in ["here/y", "here/x"] {
        let asked = json!({"model": model, "messages": [{"role": "user", "content": "Is it so?"}]});
        assert_eq!(user.post("/v1/chat/completions", &asked).await.status, 200);
    }
    let want = [("earlier", "z"), ("earlier", "a"), ("later", "m"), ("later", "c"), ("", "x"), ("", "y")];
    for path in ["/api/v1/routes", "/api/v1/routes/history"] {
        for limit in [1, 2, 4, 500] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = user.get(&format!("{path}?limit={limit}&cursor={cursor}")).await.json();
                let items = page["items"].as_array().unwrap();
                assert!((1..=limit).contains(&items.len()), "{page}");
                let names = |item: &Value| ["route", "model"].map(|field| item[field].as_str().unwrap_or_default().to_owned());
                seen.extend(items.iter().map(names));
                let Some(next) = page["next"].as_str() else { break };
                cursor = next.to_owned();
            }
            assert_eq!(seen, want.map(|(route, model)| [route.to_owned(), model.to_owned()]), "{path}, {limit} at a time");
        }
        for refused in ["limit=0", "limit=501", "cursor=made-up"] {
            let refusal = user.get(&format!("{path}?{refused}")).await;
            assert_eq!((refusal.status, refusal.json()["code"].as_str()), (400, Some("paging-invalid")), "{}", refusal.text);
        }
    }
}

#[test]
fn every_command_that_writes_answers_with_one_json_value() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    let spec = json!({"messages": [{"role": "user", "content": "Say hello."}]});
    assert_eq!(apply_all(data, &[asset("prompt", "greeting", &spec)])["applied"], json!(true));
    let alias = ["alias", "prompt/greeting", "production"];
    assert_eq!(run(data, &[&alias[..], &["v1"]].concat())["version"], json!(1));
    assert_eq!(run(data, &[&alias[..], &["--remove", "--expect", "1"]].concat())["removed"], json!("production"));
    let files = run(data, &["schema", "--out", &out.path().display().to_string()]);
    let written = std::fs::read_dir(out.path()).unwrap().count();
    assert!(files.as_array().unwrap().len() == written && written >= 4, "{files}");
    assert_eq!(run(data, &["schema"]).as_array().unwrap().len(), written);
    assert_eq!(run(data, &["schema", "prompt"])["title"], json!("prompt"));
    assert!(run(data, &["doctor"]).is_array());
}
