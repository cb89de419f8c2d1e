//! `mainspring dev`: what is saved is applied; what does not apply is said and stops nothing.

use mainspring_wire as wire;

use crate::running::{Server, until};

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
