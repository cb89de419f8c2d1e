//! What people ask about moves: told by the server itself, with the model that embeds.

use mainspring_kernel::{Clock as _, SystemClock, Timestamp};
use mainspring_testservers::postgres::Postgres;
use serde_json::{Value, json};

use crate::{
    drifting::{HOUR, calls, send, text},
    running::{Server, User, until},
};

const INVOICE: &[&str] = &[
    "Where do I find my invoice?",
    "The invoice has a wrong amount.",
    "When is the invoice due?",
    "Can I pay the invoice by card?",
    "The tax on this invoice is wrong.",
    "Send me the invoice again.",
];
const PASSWORD: &[&str] = &[
    "I forgot my password.",
    "How do I change the password?",
    "The new password is not accepted.",
    "Why is my password too short?",
    "Somebody knows my password.",
    "The password reset link has expired.",
];
const PARCEL: &[&str] = &[
    "Where is my parcel?",
    "The parcel was not delivered.",
    "My parcel arrived damaged.",
    "The courier lost a parcel.",
    "How long does the parcel take?",
    "Is the parcel still on its way?",
];

/// Questions of this hour, so many of each subject.
fn asked(at: i64, of: &[(&[&str], usize)]) -> Value {
    // No question twice.
    let questions: Vec<String> = of
        .iter()
        .flat_map(|(subject, count)| (0..*count).map(move |n| format!("{} Order {n}.", subject[n % subject.len()])))
        .collect();
    let mut spans = calls(at, i64::try_from(questions.len()).unwrap(), &["small"], 500);
    let all = spans["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut().unwrap();
    for (span, question) in all.iter_mut().zip(questions) {
        let said = json!([{"role": "user", "parts": [{"type": "text", "content": question}]}]);
        span["attributes"].as_array_mut().unwrap().push(text("gen_ai.input.messages", &said.to_string()));
    }
    spans
}

fn named(topic: &Value, word: &str) -> bool {
    topic["words"].as_array().unwrap().contains(&json!(word))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_that_grew_is_named_and_shown() {
    let postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let catalog = postgres.new_database().unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["serve"], &[("MAINSPRING_CATALOG", &catalog)]);
    let user = User::of(&server, None);
    let hour = SystemClock.now().as_micros() / HOUR * HOUR;
    let (then, lately) = (hour - 30 * HOUR, hour - 3 * HOUR);
    send(&user, &asked(then, &[(INVOICE, 29), (PASSWORD, 28), (PARCEL, 3)])).await;
    send(&user, &asked(lately, &[(INVOICE, 3), (PASSWORD, 3), (PARCEL, 54)])).await;

    let time = |micros: i64| Timestamp::from_micros(micros).to_string();
    let (from, to, start, end) = (time(lately), time(lately + HOUR), time(then), time(then + HOUR));
    let question = format!("/api/v1/drift?field=model&from={from}&to={to}&reference_from={start}&reference_to={end}");
    let database = catalog.rsplit('/').next().unwrap();
    until("the topics of both hours", async || {
        let topics = user.get(&question).await.json()["topics"].clone();
        // The server looks for hours to make every five minutes. As if these were over.
        postgres.sql(database, "UPDATE job SET due = 0 WHERE kind = 'drift' AND state = 'queued'").unwrap();
        topics["reference"] == 60 && topics["current"] == 60
    })
    .await;
    let report = user.get(&question).await.json();
    let topics = &report["topics"];
    assert_eq!(topics["state"], "measured", "{topics}");
    assert_eq!((&topics["version"]["number"], &topics["version"]["why"]), (&json!(1), &json!("first")), "{topics}");
    assert!(topics["p"].as_f64().unwrap() < 0.01 && topics["psi"].as_f64().unwrap() > 0.2, "{topics}");
    let grew: Vec<&Value> = topics["topics"].as_array().unwrap().iter().filter(|topic| topic["grew"] == true).collect();
    assert!(grew.iter().any(|topic| named(topic, "parcel")), "{topics}");
    assert!(!grew.iter().any(|topic| topic["words"][0] == "invoice" || topic["words"][0] == "password"), "{topics}");
    let parcel = grew.iter().find(|topic| named(topic, "parcel")).unwrap();
    let example = user.get(&format!("/api/v1/traces/{}", parcel["traces"][0].as_str().unwrap())).await;
    assert!(example.text.contains("parcel"), "{}", example.text);
    assert!(report["no_output_topics"].is_string(), "nobody answered: {report}");
}
