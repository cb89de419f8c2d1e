//! What could not be read of a document, and why a search gives nothing, is told where one looks.

use std::path::Path;

use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, command, run};

/// A PDF of pages without a text layer, as a scanner makes it.
fn scanned(pages: usize) -> Vec<u8> {
    let kids: Vec<String> = (0..pages).map(|page| format!("{} 0 R", page + 3)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {pages} >>", kids.join(" ")),
    ];
    objects.extend((0..pages).map(|_| "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>".to_owned()));
    let (mut bytes, mut offsets) = (b"%PDF-1.4\n".to_vec(), Vec::new());
    for (at, object) in objects.iter().enumerate() {
        offsets.push(bytes.len());
        bytes.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", at + 1).as_bytes());
    }
    let (start, count) = (bytes.len(), objects.len() + 1);
    bytes.extend_from_slice(format!("xref\n0 {count}\n0000000000 65535 f \n").as_bytes());
    for offset in offsets {
        bytes.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    bytes.extend_from_slice(format!("trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").as_bytes());
    bytes
}

fn said(data: &Path, args: &[&str]) -> (String, String) {
    let output = command(data).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{args:?}: {err}");
    (out, err)
}

async fn get(user: &User, path: &str) -> Value {
    let reply = user.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.json()
}

fn knowledge(folder: &Path, relevance: f64) -> Value {
    let of = |name: &str| json!({"type": "folder", "name": name, "path": folder.join(name), "metadata": {"shelf": name}});
    json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "notes",
        "spec": {"sources": [of("one"), of("two")], "retrieval": {"relevance": relevance}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanned_page_is_told_of_by_the_command_the_run_and_the_document() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, folder) = (data.path(), folder.path());
    for name in ["one", "two"] {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("deed.pdf"), scanned(2)).unwrap();
        std::fs::write(folder.join(name).join("garden.md"), format!("# Garden {name}\n\nThe garden has a wall.\n")).unwrap();
    }
    std::fs::write(folder.join("one/letter.txt"), b"Gr\xFC\xDFe aus dem Norden\n").unwrap();
    let server = Server::start(data, "127.0.0.1");
    apply_all(data, &[knowledge(folder, 0.35)]);
    let (out, _) = said(data, &["ingest", "notes"]);
    let why = "parse-no-text: it holds no text: no text layer on 2 of 2 pages: 1, 2";
    // Two sources with the same path in them are told apart.
    for name in ["one", "two"] {
        assert!(out.contains(&format!("  ! {name}: deed.pdf  {why}")), "{out}");
    }
    let guessed = "parse-encoding-guessed: the text was not UTF-8; it was read as Latin-1";
    assert!(out.contains(&format!("  ! one: letter.txt  {guessed}")), "{out}");
    let user = User::of(&server, None);
    let run = get(&user, "/api/v1/knowledge/notes/runs").await["items"][0].clone();
    let warnings = run["report"]["warnings"].as_array().unwrap();
    assert_eq!((warnings.len(), &run["report"]["warnings_left_out"]), (3, &json!(0)), "{run}");
    let deed = warnings.iter().find(|warning| warning["code"] == "parse-no-text").unwrap();
    let shown = get(&user, &format!("/api/v1/knowledge/notes/documents/{}", deed["document"].as_str().unwrap())).await;
    assert_eq!(
        (&shown["status"], &shown["chunks"], &shown["reason_code"]),
        (&json!("ready"), &json!(0), &json!("parse-no-text"))
    );
    assert_eq!(shown["warnings"][0]["code"], "parse-page-without-text", "{shown}");
    assert!(shown["origin"]["fetched_at"].is_string() && shown["origin"]["last_modified"].is_string(), "{shown}");
    let (again, _) = said(data, &["ingest", "notes"]);
    assert!(!again.contains("deed.pdf"), "nothing was read, so nothing is said again: {again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_says_what_it_left_out_and_why() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, folder) = (data.path(), folder.path());
    for (name, text) in [("one", "The garden has a wall."), ("two", "The cellar has a barrel.")] {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("a.md"), format!("# Of {name}\n\n{text}\n")).unwrap();
    }
    let server = Server::start(data, "127.0.0.1");
    apply_all(data, &[knowledge(folder, 0.35)]);
    run(data, &["ingest", "notes"]);
    let (_, err) = said(data, &["search", "notes", "quantum chromodynamics on a lattice"]);
    let nearest = err.split_once("nothing relevant: nearest ").unwrap_or_else(|| panic!("{err}")).1;
    assert!(nearest.split_once(", below the threshold 0.35").unwrap().0.parse::<f32>().unwrap() < 0.35, "{err}");

    let user = User::of(&server, None);
    let search = "/api/v1/knowledge/notes/search?query";
    let found = get(&user, &format!("{search}=quantum+chromodynamics+on+a+lattice")).await;
    assert_eq!((&found["passages"], &found["threshold"]), (&json!([]), &json!(0.35)), "{found}");
    let left = found["left_out"].as_array().unwrap();
    assert!(left.len() == 2 && left.iter().all(|passage| passage["reason"] == "irrelevant"), "{found}");
    assert!(left[0]["scores"]["score"].is_number() && left[0]["title"].is_string(), "{found}");
    assert_eq!(found["evidence"]["similarity"], found["best_similarity"], "{found}");

    let limited = get(&user, &format!("{search}=what+has+the+garden&limit=1")).await;
    assert_eq!(limited["passages"].as_array().unwrap().len(), 1, "{limited}");
    assert_eq!(limited["left_out"][0]["reason"], "room", "{limited}");
    let titles = async |filter: &str| {
        let found = get(&user, &format!("{search}=what+has+the+garden{filter}")).await;
        let mut titles: Vec<String> =
            found["passages"].as_array().unwrap().iter().map(|passage| passage["title"].as_str().unwrap().to_owned()).collect();
        titles.sort_unstable();
        titles
    };
    assert_eq!(titles("&metadata.shelf=one").await, ["Of one"]);
    assert_eq!(titles("&metadata.shelf=one&metadata.shelf=two").await.len(), titles("").await.len());
    let odd = user.get(&format!("{search}=x&limit=many&depth=3")).await;
    assert_eq!((odd.status, &odd.json()["code"]), (400, &json!("query-invalid")), "{}", odd.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_says_on_the_terminal_why_it_ranked_and_where_it_stands() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, folder) = (data.path(), folder.path());
    let text = "The garden has a wall of red brick.";
    for (name, text) in [("one", text), ("two", "The cellar has a barrel of apples.")] {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("a.md"), format!("# Of {name}\n\n## Around\n\n{text}\n")).unwrap();
    }
    let _server = Server::start(data, "127.0.0.1");
    apply_all(data, &[knowledge(folder, 0.0)]);
    run(data, &["ingest", "notes"]);
    let search = ["search", "notes", "the wall of the garden", "--rerank", "true"];
    let found = run(data, &search);
    let (out, err) = said(data, &search);
    let lines: Vec<&str> = out.lines().collect();
    let best = &found["passages"][0];
    assert_eq!(lines[0], "1. Of one > Around", "{out}");
    // The same ranks and scores as in JSON, each by its own name.
    let scores = &best["scores"];
    let number = |field: &str| scores[field].as_f64().unwrap_or_else(|| panic!("no {field}: {best}")) as f32;
    let ranks = format!(
        "   score {:.4}   vector #{} {:.3}   text #{} {:.3}   rerank {:.3}",
        number("score"),
        scores["vector_rank"],
        number("vector_score"),
        scores["text_rank"],
        number("text_score"),
        number("rerank_score"),
    );
    assert_eq!(lines[1], ranks, "{out}");
    assert!(number("fused_score") > 0.0, "{best}");
    let (start, end) = (best["start"].as_u64().unwrap(), best["end"].as_u64().unwrap());
    assert_eq!(lines[2], format!("   {} bytes {start}–{end}", best["uri"].as_str().unwrap()), "{out}");
    let file = std::fs::read_to_string(folder.join("one/a.md")).unwrap();
    let passage = &file[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
    assert!(passage.ends_with(text) && best["text"] == passage, "{best}");
    assert!(lines[3].trim().ends_with(text), "{out}");
    assert!(err.contains("hybrid · ") && err.contains("rerank "), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_in_what_was_not_all_read_says_so() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, folder) = (data.path(), folder.path());
    for name in ["one", "two"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("one/a.md"), "# Of one\n\nThe garden has a wall.\n").unwrap();
    let server = Server::start(data, "127.0.0.1");
    apply_all(data, &[knowledge(folder, 0.35)]);
    std::fs::remove_dir(folder.join("two")).unwrap();
    let output = command(data).args(["ingest", "notes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "done in part: {output:?}");
    let (out, err) = said(data, &["search", "notes", "what has the garden"]);
    let told = "⚠ `notes` is read without `two`, added or changed since: `mainspring ingest notes` reads the rest";
    assert!(out.contains("Of one") && err.contains(told), "{out}{err}");
    let (_, err) = said(data, &["search", "notes", "quantum chromodynamics on a lattice"]);
    assert!(err.contains("nothing relevant in what was read: nearest ") && err.contains(" since (source-missing): "), "{err}");

    let user = User::of(&server, None);
    let search = "/api/v1/knowledge/notes/search?query";
    let unread = json!({"knowledge": "notes", "state": "source_unread", "sources": ["two"]});
    assert_eq!(get(&user, &format!("{search}=what+has+the+garden")).await["unread"], unread);
    let mut with_code = unread;
    with_code["code"] = json!("source-missing");
    assert_eq!(get(&user, &format!("{search}=quantum+chromodynamics+on+a+lattice")).await["unread"], with_code);

    std::fs::create_dir(folder.join("two")).unwrap();
    run(data, &["ingest", "notes"]);
    let (_, err) = said(data, &["search", "notes", "quantum chromodynamics on a lattice"]);
    assert!(err.contains("nothing relevant: nearest ") && !err.contains('⚠'), "{err}");
    assert_eq!(get(&user, &format!("{search}=quantum")).await.get("unread"), None);
}

#[test]
fn a_run_is_counted_for_those_who_see_every_document_and_for_nobody_else() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, folder) = (data.path(), folder.path());
    for name in ["one", "two"] {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("garden.md"), format!("# Garden {name}\n\nThe garden has a wall.\n")).unwrap();
    }
    let server = Server::start(data, "127.0.0.1");
    apply_all(data, &[knowledge(folder, 0.35)]);
    said(data, &["ingest", "notes"]);
    std::fs::rename(folder.join("one/garden.md"), folder.join("one/moved.md")).unwrap();
    said(data, &["ingest", "notes"]);
    let (all, _) = said(data, &["runs", "notes"]);
    assert!(all.contains("0 added, 0 changed, 1 moved, 0 deleted, 0 failed"), "{all}");

    let made = run(data, &["keys", "create", "few", "--role", "reader", "--no-labels"]);
    let few = |args: &[&str]| {
        let mut command = command(data);
        command.args(args).args(["--url", &server.url]).env("MAINSPRING_API_KEY", made["secret"].as_str().unwrap());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = few(&["runs", "notes"]);
    assert!(table.contains("0 failed") && !table.contains("added"), "{table}");
    let runs: Value = serde_json::from_str(&few(&["runs", "notes", "--json"])).unwrap();
    let report = &runs["items"][0]["report"];
    assert!(report["failed"] == json!(0) && report.get("added").is_none() && report.get("chunks").is_none(), "{report}");
}
