//! What the README and the first guides show is taken as it stands there.

use std::path::Path;

use crate::running::{command, run};

/// The blocks of code of a page, with the language each is marked as.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page)).unwrap();
    let (mut found, mut open) = (Vec::new(), None::<(String, String)>);
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), block @ Some(_)) => found.extend(block.take()),
            (Some(language), None) => open = Some((language.to_owned(), String::new())),
            (None, Some((_, code))) => code.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    found
}

fn specs(page: &str, count: usize) -> String {
    let yaml = blocks(page).into_iter().filter(|(language, _)| language == "yaml").map(|(_, code)| code);
    yaml.take(count).collect::<Vec<_>>().join("---\n")
}

#[test]
fn the_specs_that_people_see_first_are_taken_as_they_stand() {
    let first_app = ["app/helpdesk", "chain/handbook", "knowledge/handbook", "prompt/handbook-answer"];
    for (page, count, assets) in [
        ("README.md", 1, &["provider/openai", "route/assistant"][..]),
        ("docs/guides/first-app.md", 3, &first_app[..]),
        ("docs/guides/gateway.md", 1, &["provider/anthropic", "provider/openai", "route/assistant"][..]),
    ] {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("specs.yaml");
        std::fs::write(&file, specs(page, count)).unwrap();
        let reply = run(data.path(), &["apply", file.to_str().unwrap()]);
        let changes = reply["changes"].as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let mut made: Vec<String> =
            changes.map(|change| format!("{}/{}", text(&change["kind"]), text(&change["name"]))).collect();
        made.sort();
        assert_eq!(made, assets, "{page}");
    }
}

#[test]
fn the_commands_of_the_readme_for_models_do_what_it_says() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("models.yaml"), specs("README.md", 1)).unwrap();
    let all = blocks("README.md");
    let (_, lines) = all.iter().find(|(_, code)| code.contains("mainspring apply models.yaml")).unwrap();
    for line in lines.lines() {
        let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
        assert_eq!(words[0], "mainspring", "{line}");
        let output = command(data.path()).args(&words[1..]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let keys = run(data.path(), &["keys", "list"]);
    assert_eq!((&keys[0]["name"], &keys[0]["models"]), (&"web".into(), &serde_json::json!(["assistant"])), "{keys}");
    let limits = run(data.path(), &["limits", "list"]).to_string();
    assert!(limits.contains("usd_per_month") && limits.contains("50"), "{limits}");
}
