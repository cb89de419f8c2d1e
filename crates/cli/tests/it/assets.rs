//! Assets from the command line: plan, apply, history, difference, aliases, export.

use std::path::Path;

use serde_json::json;

use crate::running::{Server, User, command, refused, run};

fn spec(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: mainspring/v1\nkind: {kind}\nname: {name}\nspec:\n{spec}")
}

fn prompt(words: &str) -> String {
    spec("prompt", "greeting", &format!("  messages: [{{role: user, content: \"{words}\"}}]\n"))
}

fn write(folder: &Path, file: &str, text: &str) -> String {
    let path = folder.join(file);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn actions(reply: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    reply["changes"].as_array().unwrap().iter().map(|change| (text(&change["name"]), text(&change["action"]))).collect()
}

#[test]
fn an_asset_goes_from_its_plan_to_its_history_and_back_to_a_file() {
    let data = tempfile::tempdir().unwrap();
    let specs = tempfile::tempdir().unwrap();
    let data = data.path();
    let file = write(specs.path(), "greeting.yaml", &prompt("Say hello."));
    let of = |name: &str, action: &str| vec![(name.to_owned(), action.to_owned())];

    let plan = run(data, &["apply", &file, "--dry-run"]);
    assert_eq!((actions(&plan), &plan["applied"]), (of("greeting", "create"), &json!(false)));
    assert_eq!(run(data, &["list"]), json!([]), "a plan writes nothing");
    assert_eq!(actions(&run(data, &["apply", &file, "-m", "first"])), of("greeting", "create"));
    assert_eq!(actions(&run(data, &["apply", &file])), of("greeting", "unchanged"));

    write(specs.path(), "greeting.yaml", &prompt("Say hello, briefly."));
    assert_eq!(actions(&run(data, &["apply", &file])), of("greeting", "update"));
    let history = run(data, &["history", "prompt/greeting"]);
    let versions: Vec<_> = history.as_array().unwrap().iter().map(|version| &version["version"]).collect();
    assert_eq!((versions, &history[1]["message"]), (vec![&json!(2), &json!(1)], &json!("first")));
    let diff = run(data, &["diff", "prompt/greeting"]);
    assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)));
    assert_eq!(diff["changes"][0]["before"], json!("Say hello."));
    assert_eq!(diff["changes"][0]["after"], json!("Say hello, briefly."));

    let alias = |to: &str, expected: &'static str| {
        ["alias", "prompt/greeting", "production", to, "--expected", expected].map(str::to_owned)
    };
    let moved = |args: [String; 6]| run(data, &args.iter().map(String::as_str).collect::<Vec<_>>())["version"].clone();
    assert_eq!(moved(alias("v1", "0")), json!(1));
    let error = refused(data, &alias("v2", "0").iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(error["code"], json!("registry-alias-moved"), "who expected nothing there is told: {error}");
    assert_eq!(moved(alias("v2", "1")), json!(2));
    assert_eq!(run(data, &["get", "prompt/greeting@production"])["version"], json!(2));

    // Versions are named as everywhere else.
    for (from, to) in [("1", "2"), ("v1", "latest"), ("v1", "production")] {
        let diff = run(data, &["diff", "prompt/greeting", "--from", from, "--to", to]);
        assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)), "{from} {to}");
    }
    let error = refused(data, &["diff", "prompt/greeting", "--from", "produktion"]);
    assert_eq!(error["code"], json!("registry-version-not-found"), "{error}");
    assert!(error["error"].as_str().unwrap().contains("did you mean `production`"), "{error}");

    let out = tempfile::tempdir().unwrap();
    let files = run(data, &["export", &out.path().display().to_string()]);
    assert_eq!(files.as_array().unwrap().len(), 1);
    assert_eq!(actions(&run(data, &["apply", &out.path().display().to_string()])), of("greeting", "unchanged"));
}

#[test]
fn one_bad_spec_keeps_all_of_them_out_and_names_the_nearest_field() {
    let data = tempfile::tempdir().unwrap();
    let specs = tempfile::tempdir().unwrap();
    write(specs.path(), "a.yaml", &prompt("Say hello."));
    write(specs.path(), "b.yaml", &spec("prompt", "other", "  mesages: []\n"));
    let folder = specs.path().display().to_string();
    let error = refused(data.path(), &["apply", &folder]);
    let said = error["error"].as_str().unwrap();
    assert!(said.contains("did you mean `messages`") && said.contains("b.yaml: spec"), "{error}");
    assert_eq!(run(data.path(), &["list"]), json!([]));

    // Two files that describe the same are both named.
    write(specs.path(), "b.yaml", &prompt("Say good morning."));
    let error = refused(data.path(), &["apply", &folder]);
    let said = error["error"].as_str().unwrap();
    assert!(said.contains("b.yaml: name: prompt `greeting` is also described in") && said.contains("a.yaml"), "{error}");

    write(specs.path(), "b.yaml", &spec("promt", "other", "  messages: []\n"));
    let error = refused(data.path(), &["apply", &folder]);
    assert!(error["error"].as_str().unwrap().contains("did you mean `prompt`"), "{error}");
    write(
        specs.path(),
        "b.yaml",
        &spec("chain", "other", "  steps:\n    - prompt: {use: greting}\n    - model: {name: smollm2-135m-instruct}\n"),
    );
    let error = refused(data.path(), &["apply", &folder]);
    assert!(error["error"].as_str().unwrap().contains("did you mean `greeting`"), "{error}");
    assert_eq!(run(data.path(), &["list"]), json!([]));

    std::fs::write(specs.path().join("b.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    let output = command(data.path()).args(["apply", &folder]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("b.yaml"), "{output:?}");
    assert_eq!(run(data.path(), &["list"]), json!([]));
}

#[test]
fn of_two_processes_that_move_an_alias_one_wins() {
    let (data, specs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    let _server = Server::start(data, "127.0.0.1");
    for words in ["One.", "Two.", "Three."] {
        run(data, &["apply", &write(specs.path(), "greeting.yaml", &prompt(words))]);
    }
    run(data, &["alias", "prompt/greeting", "production", "v1"]);
    for _ in 0..4 {
        let now = run(data, &["get", "prompt/greeting@production"])["version"].as_u64().unwrap();
        let others: Vec<u64> = (1..=3).filter(|other| *other != now).collect();
        let racing: Vec<_> = others
            .iter()
            .map(|to| {
                let (to, now) = (format!("v{to}"), now.to_string());
                let args = ["alias", "prompt/greeting", "production", &to, "--expect", &now, "--json"];
                command(data).args(args).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap()
            })
            .collect();
        let ended: Vec<_> = racing.into_iter().map(|process| process.wait_with_output().unwrap()).collect();
        let won: Vec<u64> = others.iter().zip(&ended).filter(|(_, output)| output.status.success()).map(|(to, _)| *to).collect();
        let lost = ended.iter().find(|output| !output.status.success()).unwrap();
        let lost: serde_json::Value = serde_json::from_slice(&lost.stdout).unwrap();
        assert_eq!((won.len(), &lost["code"]), (1, &json!("registry-alias-moved")), "{lost}");
        assert_eq!(run(data, &["get", "prompt/greeting@production"])["version"], json!(won[0]));
    }
}

#[test]
fn an_export_makes_the_same_assets_in_an_empty_server() {
    let (data, specs, empty, out) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, empty) = (data.path(), empty.path());
    std::fs::create_dir(out.path().join("docs")).unwrap();
    let export = out.path().join("export").display().to_string();
    // The chain names the prompt by an alias that the same apply sets.
    let named = prompt("One.").replace("spec:", "aliases: [stable, production]\nspec:");
    write(specs.path(), "greeting.yaml", &named);
    let steps = "  steps:\n    - prompt: {use: greeting@production}\n    - model: {name: smollm2-135m-instruct}\n";
    write(specs.path(), "chain.yaml", &spec("chain", "answer", steps));
    let folder = format!("  sources: [{{type: folder, path: {}}}]\n", out.path().join("docs").display());
    write(specs.path(), "notes.yaml", &spec("knowledge", "notes", &folder));
    let reply = run(data, &["apply", &specs.path().display().to_string()]);
    let planned = reply["changes"].as_array().unwrap().iter().find(|change| change["kind"] == "prompt").unwrap();
    assert_eq!(planned["aliases"], json!([{"alias": "production", "to": 1}, {"alias": "stable", "to": 1}]));

    run(data, &["export", &export]);
    let written = std::fs::read_to_string(Path::new(&export).join("notes.knowledge.yaml")).unwrap();
    assert!(written.contains("path: ../docs"), "a folder beside the export moves along with it: {written}");
    run(empty, &["apply", &export]);
    let known = |data: &Path| -> Vec<_> {
        let listed = run(data, &["list"]);
        let plain = |asset: &serde_json::Value| {
            let aliases = asset["aliases"].as_array().unwrap().iter();
            let aliases: Vec<_> = aliases.map(|alias| (alias["alias"].clone(), alias["version"].clone())).collect();
            (asset["kind"].clone(), asset["name"].clone(), asset["digest"].clone(), aliases)
        };
        listed.as_array().unwrap().iter().map(plain).collect()
    };
    assert_eq!((known(data).len(), known(data)), (3, known(empty)));

    // An alias at an older version is said, and written by its own name.
    write(specs.path(), "greeting.yaml", &named.replace("One.", "Two.").replace("stable, production", "stable"));
    run(data, &["apply", &specs.path().display().to_string()]);
    let older = out.path().join("older").display().to_string();
    let output = command(data).args(["export", &export]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("prompt/greeting@production names v1") && said.contains("--at production"), "{said}");
    assert_eq!(run(data, &["export", &older, "--at", "production"]).as_array().unwrap().len(), 1);
    let again = tempfile::tempdir().unwrap();
    for folder in [&older, &export] {
        run(again.path(), &["apply", folder]);
    }
    assert_eq!(known(again.path()), known(data));
}

#[test]
fn a_plan_is_shown_before_it_is_applied() {
    let (data, specs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = write(specs.path(), "greeting.yaml", &prompt("Say hello."));
    let told = |args: &[&str]| {
        let output = command(data.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (plan, said) = told(&["apply", &file, "--dry-run"]);
    assert!(said.contains("nothing was written"), "{said}");
    let (shown, said) = told(&["apply", &file]);
    assert_eq!((shown, said.trim()), (plan, "1 changed"));
    let (shown, said) = told(&["apply", &file]);
    assert_eq!((shown.trim(), said.trim()), ("= prompt/greeting v1  unchanged", "nothing to change"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_says_a_field_twice_is_applied_by_nobody() {
    let (data, specs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path(), "127.0.0.1");
    let twice = prompt("One.") + "  messages: [{role: user, content: Two.}]\n";
    let error = refused(data.path(), &["apply", &write(specs.path(), "greeting.yaml", &twice)]);
    let said = error["error"].as_str().unwrap();
    assert!(said.contains("greeting.yaml") && said.contains("duplicate field `messages` at line 6"), "{said}");

    let manifest = r#"{"apiVersion": "mainspring/v1", "kind": "prompt", "name": "greeting", "spec": {"messages": [],
"messages": [{"role": "user", "content": "Two."}]}}"#;
    let body = format!(r#"{{"manifests": [{manifest}], "dry_run": false}}"#);
    let reply = User::of(&server, None).send(http::Request::post("/api/v1/apply").body(body.into()).unwrap()).await;
    assert_eq!((reply.status, &reply.json()["code"]), (400, &json!("body-duplicate-field")), "{}", reply.text);
    assert!(reply.text.contains("duplicate field `messages` at line 2"), "{}", reply.text);
    assert_eq!(run(data.path(), &["list"]), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_of_every_kind_is_published_for_editors() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let kinds = run(data.path(), &["schema"]);
    let kinds: Vec<&str> = kinds.as_array().unwrap().iter().map(|kind| kind.as_str().unwrap()).collect();
    for kind in ["app", "chain", "knowledge", "prompt", "provider", "route"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    for kind in kinds {
        for path in [format!("/schemas/{kind}.json"), format!("/schemas/{kind}")] {
            let published = user.get(&path).await;
            assert_eq!(published.status, 200, "{path}: {}", published.text);
            let schema = published.json();
            assert_eq!(schema, run(data.path(), &["schema", kind]), "{path}");
            assert_eq!(schema["properties"]["kind"]["const"], json!(kind), "it is of whole manifests: {schema}");
            assert!(schema["properties"]["spec"].is_object(), "{schema}");
        }
    }
    let refusal = user.get("/schemas/promt.json").await;
    assert_eq!((refusal.status, &refusal.json()["code"]), (404, &json!("schema-not-found")), "{}", refusal.text);
    assert!(refusal.text.contains("`prompt`"), "{}", refusal.text);
}
