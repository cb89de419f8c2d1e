//! Limits, usage and calls, as people at a terminal see them.

use std::path::Path;

use mainspring_testservers::upstream::{Behaviour, Script, Upstream, Used};
use serde_json::{Value, json};

use crate::running::{Reply, Server, User, apply_all, command, refused, run, until};

fn asset(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

/// A provider, and two tables of prices for one of its models.
fn specs(upstream: &Upstream) -> Vec<Value> {
    let price = |input, output| json!({"models": [{"model": "small", "input": input, "output": output}]});
    vec![
        asset("provider", "here", &json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())})),
        asset("prices", "default", &price("1", "2")),
        asset("prices", "dear", &price("10", "20")),
    ]
}

/// Every answer uses this much.
fn using(input: u64, output: u64) -> Upstream {
    let used = Used { input, output, cache_read: 0, cache_write: 0, reasoning: 0 };
    Upstream::start(Script::always(Behaviour { usage: Some(used), ..Behaviour::saying("Something.") })).unwrap()
}

async fn chat(user: &User, model: &str, who: &str) -> Reply {
    let messages = json!([{"role": "user", "content": "Say something."}]);
    user.post("/v1/chat/completions", &json!({"model": model, "user": who, "max_tokens": 500, "messages": messages})).await
}

/// What a command says to people.
fn said(data: &Path, args: &[&str]) -> String {
    let output = command(data).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Name, calls, dollars and calls without a price, row by row.
fn rows(usage: &Value) -> Vec<(&str, u64, &str, u64)> {
    let row = |row: &'static str| move |value: &Value| value[row].as_u64().unwrap();
    let all = usage["rows"].as_array().unwrap().iter();
    all.map(|value| {
        let text = |field: &str| value[field].as_str().unwrap();
        (text("name"), row("calls")(value), text("cost"), row("unpriced")(value))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spending_is_shown_by_what_it_is_asked_by_and_at_other_prices() {
    let upstream = using(1_000, 500);
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    apply_all(data, &specs(&upstream));
    let made = run(data, &["keys", "create", "ci", "--role", "reader"]);
    let key = made["key"]["id"].as_str().unwrap();
    let (machine, person) = (User::of(&server, made["secret"].as_str()), User::of(&server, None));
    for (user, model, who) in [
        (&machine, "here/small", "ann"),
        (&machine, "here/small", "ann"),
        (&person, "here/small", "bob"),
        (&person, "here/unheard-of", "bob"),
    ] {
        let answer = chat(user, model, who).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    until("four calls", async || run(data, &["calls"])["items"].as_array().unwrap().len() == 4).await;

    let by = |by: &str| run(data, &["usage", "--by", by]);
    assert_eq!(rows(&by("user")), [("ann", 2, "0.004", 0), ("bob", 2, "0.002", 1)]);
    assert_eq!(rows(&by("key")), [(key, 2, "0.004", 0), ("", 2, "0.002", 1)]);
    assert_eq!((&by("key")["rows"][0]["key_name"], &by("user")["rows"][0]["key_name"]), (&json!("ci"), &Value::Null));
    assert!(said(data, &["usage", "--by", "key"]).contains(&format!("ci ({key})")));
    assert_eq!(rows(&by("model")), [("here/small", 3, "0.006", 0), ("here/unheard-of", 1, "0.00", 1)]);
    assert_eq!(rows(&by("provider")), [("here", 4, "0.006", 1)]);
    assert_eq!(rows(&by("project")), [("default", 4, "0.006", 1)]);
    assert_eq!(rows(&by("day")).iter().map(|row| row.1).sum::<u64>(), 4);
    let anns = run(data, &["usage", "--user", "ann", "--by", "target"]);
    assert_eq!(rows(&anns), [("here/small", 2, "0.004", 0)]);
    assert_eq!((&anns["total"]["input_tokens"], &anns["total"]["output_tokens"]), (&json!(2_000), &json!(1_000)));
    let later = run(data, &["usage", "--since", "2020-01-01", "--until", "2020-02-01"]);
    assert_eq!((rows(&later), &later["total"]["calls"]), (vec![], &json!(0)));
    let text = said(data, &["usage"]);
    assert!(text.contains("0.006 + 1 unpriced") && text.contains("calls without a known price: 1"), "{text}");

    let dear = run(data, &["usage", "reprice", "--prices", "dear"]);
    let (total, none) = (&dear["total"], json!(0));
    assert_eq!((&total["cost"], &total["repriced"], &total["still_unpriced"]), (&json!("0.006"), &json!("0.06"), &json!(1)));
    let other = run(data, &["usage", "reprice", "--as", "gpt-4o"]);
    // 2.50 and 10 dollars for a million tokens: 0.0075 for each of four calls.
    assert_eq!((&other["total"]["repriced"], &other["total"]["still_unpriced"]), (&json!("0.03"), &none));
    let anns = run(data, &["usage", "reprice", "--as", "gpt-4o", "--user", "ann", "--model", "here/small"]);
    assert_eq!((&anns["total"]["calls"], &anns["total"]["repriced"], &anns["apart_calls"]), (&json!(2), &json!("0.015"), &none));
    // 0.0075 for each of two calls of the key, and of two that had none.
    let by = |args: &[&str]| -> Vec<(String, u64, String)> {
        let found = run(data, &[&["usage", "reprice", "--as", "gpt-4o"][..], args].concat());
        let row = |row: &Value| {
            let text = |field: &str| row[field].as_str().unwrap_or("none").to_owned();
            (text(if row["key_name"].is_null() { "name" } else { "key_name" }), row["calls"].as_u64().unwrap(), text("repriced"))
        };
        found["rows"].as_array().unwrap().iter().map(row).collect()
    };
    let of = |name: &str, calls: u64, dollars: &str| (name.to_owned(), calls, dollars.to_owned());
    assert_eq!(by(&["--by", "key"]), [of("", 2, "0.015"), of("ci", 2, "0.015")]);
    assert_eq!(by(&["--by", "user"]), [of("ann", 2, "0.015"), of("bob", 2, "0.015")]);
    assert_eq!(by(&["--by", "project"]), [of("default", 4, "0.03")]);
    assert_eq!(by(&["--by", "project", "--all-projects"]), [of("default", 4, "0.03")]);
    assert_eq!(refused(data, &["usage", "reprice", "--as", "gpt-4o", "--by", "colour"])["code"], "usage-bad-question");
    let embedding = person.post("/v1/embeddings", &json!({"model": "here/small", "input": "text"})).await;
    assert_eq!(embedding.status, 200, "{}", embedding.text);
    until("five calls", async || run(data, &["calls"])["items"].as_array().unwrap().len() == 5).await;
    let apart = run(data, &["usage", "reprice", "--as", "gpt-4o"]);
    assert_eq!((&apart["total"]["calls"], &apart["apart_calls"]), (&json!(4), &json!(1)), "an embedding is no chat");
    assert!(said(data, &["usage", "reprice", "--as", "gpt-4o"]).contains("calls that write no text"));
    assert_eq!(run(data, &["usage", "reprice", "--prices", "dear"])["total"]["calls"], json!(5));
    assert_eq!(refused(data, &["usage", "reprice", "--as", "nobody-knows-it"])["code"], "prices-unknown-model");
    assert_eq!(refused(data, &["usage", "--by", "colour"])["code"], "usage-bad-question");
    assert_eq!(refused(data, &["usage", "--since", "soon"])["code"], "query-invalid");

    let mut seen = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let cursor = next.as_deref().map_or(vec![], |next| vec!["--cursor", next]);
        let page = run(data, &[&["calls", "--user", "bob", "--limit", "1"], &cursor[..]].concat());
        seen.extend(page["items"].as_array().unwrap().iter().map(|call| call["target"].as_str().unwrap().to_owned()));
        next = page["next"].as_str().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["unheard-of", "small"]);
    assert_eq!(run(data, &["calls", "--status", "failed"])["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_across_a_kill_and_says_how_it_stands() {
    let upstream = using(20, 500);
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    apply_all(data, &specs(&upstream));
    let set = run(data, &["limits", "set", "usd-per-month", "0.005", "--for", "user"]);
    assert_eq!((&set["kind"], &set["subject"], &set["metric"]), (&json!("user"), &json!("*"), &json!("usd_per_month")));
    let each = run(data, &["limits", "set", "usd-per-month", "0.006", "--for", "user=ann"]);
    assert_eq!(each["amount"], "0.006");

    let user = User::of(&server, None);
    let spend = async |user: &User, who: &str| {
        let mut answered = 0;
        loop {
            let answer = chat(user, "here/small", who).await;
            if answer.status != 200 {
                assert_eq!((answer.status, &answer.json()["error"]["code"]), (429, &json!("budget-spent")), "{}", answer.text);
                return answered;
            }
            answered += 1;
        }
    };
    // Each costs 0.00102, and a little more than 0.001 is set aside for the answer: the fifth does not fit.
    assert_eq!(spend(&user, "bob").await, 4);
    // Her own limit takes the place of the one for each.
    assert_eq!(spend(&user, "ann").await, 5);
    // Nobody knows what this would cost.
    assert_eq!(chat(&user, "here/unheard-of", "eve").await.json()["error"]["code"], "budget-needs-price");
    let anns = async || run(data, &["limits", "list"]).as_array().unwrap().iter().find(|l| l["subject"] == "ann").cloned();
    until("what she spent", async || anns().await.unwrap()["spent"] == "0.0051").await;
    let resets = anns().await.unwrap()["resets_at"].as_str().unwrap().to_owned();
    assert!(resets.contains("-01T00:00:00"), "{resets}");

    server.kill();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    assert_eq!(spend(&user, "bob").await, 0);
    assert_eq!(chat(&user, "here/small", "eve").await.status, 200);
    let set = set["id"].as_str().unwrap();
    assert_eq!(run(data, &["limits", "remove", set])["id"], set);
    assert_eq!(chat(&user, "here/small", "bob").await.status, 200);
    // Her own is left.
    assert_eq!(spend(&user, "ann").await, 0);
    assert!(said(data, &["limits", "list"]).contains("user ann"));

    assert_eq!(refused(data, &["limits", "remove", set])["code"], "limit-not-found");
    assert_eq!(refused(data, &["limits", "set", "concurrent", "1.5"])["code"], "limit-invalid");
    assert_eq!(refused(data, &["limits", "set", "colours", "1"])["code"], "body-invalid");
    let audit = run(data, &["audit"]);
    let actions: Vec<&str> = audit["items"].as_array().unwrap().iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(actions.iter().filter(|action| action.starts_with("limit.")).count(), 3, "{actions:?}");
}
