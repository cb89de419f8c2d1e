//! `mainspring dev`: what is saved is applied; what does not apply is said and stops nothing.

use mainspring_wire as wire;

use crate::running::{Server, command, run, until};

fn prompt(words: &str) -> String {
    format!(
        "apiVersion: mainspring/v1\nkind: prompt\nname: greeting\nspec:\n  messages: [{{role: user, content: \"{words}\"}}]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_spec_is_applied_and_a_broken_one_stops_nothing() {
    let data = tempfile::tempdir().unwrap();
    let specs = tempfile::tempdir().unwrap();
    let file = specs.path().join("greeting.yaml");
    std::fs::write(&file, prompt("one")).unwrap();
    let server = Server::start_with(data.path(), &["dev", &specs.path().display().to_string()], &[]);
    let client = server.client();
    let newest =
        async || client.get::<wire::AssetView>("/api/v1/assets/prompt/greeting").await.map(|view| view.summary.version).ok();
    until("the first version", async || newest().await == Some(1)).await;

    std::fs::write(&file, prompt("two")).unwrap();
    until("what was saved", async || newest().await == Some(2)).await;
    std::fs::write(&file, "kind: prompt\nspec: [unclosed").unwrap();
    until("the complaint", async || server.said().contains("greeting.yaml")).await;
    assert_eq!(newest().await, Some(2));
    std::fs::write(&file, prompt("three")).unwrap();
    until("the mended one", async || newest().await == Some(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_of_brackets_stops_nothing() {
    let data = tempfile::tempdir().unwrap();
    let specs = tempfile::tempdir().unwrap();
    let file = specs.path().join("greeting.yaml");
    // A reader of YAML takes longer for this than any test waits.
    std::fs::write(&file, "[".repeat(1_000_000)).unwrap();
    let server = Server::start_with(data.path(), &["dev", &specs.path().display().to_string()], &[]);
    until("the complaint", async || server.said().contains("greeting.yaml is nested too deep")).await;
    std::fs::write(&file, prompt("one")).unwrap();
    until("the mended one", async || server.said().contains("+ prompt/greeting v1  create")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_while_specs_are_read() {
    let data = tempfile::tempdir().unwrap();
    let specs = tempfile::tempdir().unwrap();
    // Reading it takes until somebody writes to it, and nobody does.
    let slow = specs.path().join("slow.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&slow).status().unwrap().success());
    let server = Server::start_with(data.path(), &["dev", &slow.display().to_string()], &[]);
    until("the first read", async || server.said().contains("applies")).await;
    for _ in 0..3 {
        let answered = tokio::time::timeout(std::time::Duration::from_secs(60), server.status("/healthz")).await;
        assert_eq!(answered.expect("an answer while a spec is read"), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_writes_below_the_folder_is_no_save() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeting.yaml");
    std::fs::write(&file, prompt("one")).unwrap();
    // Where data lies by default: in the folder that is watched; and once where the name does not hide it.
    for (data, from) in [(".mainspring", 1), ("state", 1)] {
        let _ = std::fs::remove_dir_all(folder.path().join(data));
        let server = Server::start_with(folder.path(), &["dev", "."], &[("MAINSPRING_DATA", data)]);
        let client = server.client();
        let newest =
            async || client.get::<wire::AssetView>("/api/v1/assets/prompt/greeting").await.map(|view| view.summary.version).ok();
        until("the first version", async || newest().await == Some(from)).await;
        let before = std::fs::read_to_string(&file).unwrap();
        for number in 0..5 {
            let other = serde_json::json!({"apiVersion": "mainspring/v1", "kind": "prompt", "name": "other",
                "spec": {"messages": [{"role": "user", "content": format!("{number}")}]}});
            let request = wire::ApplyRequest { manifests: vec![other], ..wire::ApplyRequest::default() };
            client.post::<wire::ApplyReply>("/api/v1/apply", &request).await.unwrap();
            std::fs::write(folder.path().join(data).join(format!("{number}.yaml")), "not: [a spec").unwrap();
        }
        // A save afterwards is seen; by then what went before would have been, too.
        std::fs::write(&file, prompt(&format!("two in {data}"))).unwrap();
        until("what was saved", async || newest().await == Some(from + 1)).await;
        std::fs::write(&file, before).unwrap();
        until("what was saved again", async || newest().await == Some(from + 2)).await;
        until("the news of it", async || server.said().contains(" v3  update")).await;
        let said = server.said();
        let plans: Vec<&str> = said.lines().filter(|line| line.contains("prompt/greeting v")).collect();
        assert_eq!(
            plans,
            ["+ prompt/greeting v1  create", "~ prompt/greeting v2  update", "~ prompt/greeting v3  update"],
            "{said}"
        );
        assert!(!said.contains("nothing to change") && !said.contains("error:"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_beyond_loopback_needs_no_key_of_its_own_and_says_where_it_is() {
    let data = tempfile::tempdir().unwrap();
    let specs = tempfile::tempdir().unwrap();
    std::fs::write(specs.path().join("greeting.yaml"), prompt("one")).unwrap();
    run(data.path(), &["keys", "create", "admin", "--role", "admin"]);
    let server = Server::spawn(data.path(), &["dev", &specs.path().display().to_string()], &[], "0.0.0.0");
    until("the first plan", async || server.said().contains("+ prompt/greeting v1  create")).await;
    let said = server.said();
    assert!(said.contains(&server.url) && !said.contains("http://0.0.0.0"), "{said}");
    assert_eq!(server.status("/api/v1/assets").await, 401, "others need one");
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_says_one_json_value_on_each_line() {
    let data = tempfile::tempdir().unwrap();
    let specs = tempfile::tempdir().unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    let file = specs.path().join("greeting.yaml");
    std::fs::write(&file, prompt("one")).unwrap();
    let mut child = command(data.path())
        .args(["dev", &specs.path().display().to_string(), "--json", "--listen", "127.0.0.1:0"])
        .stdout(out.reopen().unwrap())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lines = || -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(out.path()).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    until("the first plan", async || lines().len() == 1).await;
    std::fs::write(&file, "kind: prompt\nspec: [unclosed").unwrap();
    until("the complaint", async || lines().len() == 2).await;
    std::fs::write(&file, prompt("two")).unwrap();
    until("the next plan", async || lines().len() == 3).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let lines = lines();
    assert_eq!((&lines[0]["applied"], &lines[2]["changes"][0]["action"]), (&true.into(), &"update".into()), "{lines:?}");
    assert!(lines[1]["error"].as_str().unwrap().contains("greeting.yaml"), "{lines:?}");
}

#[test]
fn a_demo_beyond_loopback_asks_itself() {
    let data = tempfile::tempdir().unwrap();
    run(data.path(), &["keys", "create", "admin", "--role", "admin"]);
    let answer = run(data.path(), &["demo", "--once", "--listen", "0.0.0.0:0"]);
    assert!(!answer["choices"][0]["message"]["content"].as_str().unwrap().is_empty(), "{answer}");
    assert!(!answer["mainspring"]["sources"].as_array().unwrap().is_empty(), "{answer}");
}
