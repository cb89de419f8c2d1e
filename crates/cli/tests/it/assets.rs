//! Assets from the command line: plan, apply, history, difference, aliases, export.

use std::path::Path;

use serde_json::json;

use crate::running::{command, refused, run};

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
    assert!(error["error"].as_str().unwrap().contains("did you mean `messages`"), "{error}");
    assert_eq!(run(data.path(), &["list"]), json!([]));

    write(specs.path(), "b.yaml", &spec("promt", "other", "  messages: []\n"));
    let error = refused(data.path(), &["apply", &folder]);
    assert!(error["error"].as_str().unwrap().contains("did you mean `prompt`"), "{error}");

    std::fs::write(specs.path().join("b.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    let output = command(data.path()).args(["apply", &folder]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("b.yaml"), "{output:?}");
    assert_eq!(run(data.path(), &["list"]), json!([]));
}
