//! One trace that is too large to be shown at once.

use std::{collections::HashSet, path::Path};

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, command, run};

const TRACE: &str = "6b8efff798038103d269b633813fc60d";
const SPANS: u64 = 33_000;
const AT_ONCE: u64 = 1_000;

fn id(number: u64) -> String {
    format!("{:016x}", number + 1)
}

/// Eight below each; ten of them begin at the same moment. Every thousandth failed, and the last ones called a model.
fn span(number: u64, begun: u64) -> Value {
    let start = begun + number / 10 * 1_000_000;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let whole = |key: &str, value: u64| json!({"key": key, "value": {"intValue": value.to_string()}});
    let mut attributes = vec![text("note", &format!("words of {number}"))];
    if number >= 30_000 && number % 100 == 0 {
        attributes.push(text("gen_ai.operation.name", "chat"));
        attributes.push(text("gen_ai.request.model", "small"));
        attributes.push(text("gen_ai.input.messages", r#"[{"role": "user", "content": "How far?"}]"#));
        attributes.push(whole("gen_ai.usage.input_tokens", 10));
        attributes.push(whole("gen_ai.usage.output_tokens", 2));
    }
    let parent = if number == 0 { String::new() } else { id((number - 1) / 8) };
    let status = if number % 1_000 == 500 { json!({"code": 2, "message": "broke"}) } else { json!({}) };
    json!({
        "traceId": TRACE, "spanId": id(number), "parentSpanId": parent, "name": format!("step {number}"), "kind": 1,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 5_000_000).to_string(),
        "attributes": attributes, "status": status,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_of_thirty_three_thousand_spans_comes_whole_in_bounded_pages() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let begun = u64::try_from(SystemClock.now().as_nanos()).unwrap() - 10_000_000_000;
    for from in (0..SPANS).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let spans: Vec<Value> = (from..from + AT_ONCE).map(|number| span(number, begun)).collect();
        let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "walker"}}]});
        let sent =
            json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "steps"}, "spans": spans}]}]});
        let reply = user.post("/v1/traces", &sent).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    let tree = format!("/api/v1/traces/{TRACE}/tree");
    let (mut seen, mut pages, mut last, mut cursor) = (HashSet::new(), 0, String::new(), String::new());
    loop {
        let reply = user.get(&format!("{tree}?limit=4000{cursor}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.text.len() < 4 << 20, "a page has {} bytes", reply.text.len());
        let page = reply.json();
        let spans = page["spans"].as_array().unwrap();
        assert!(spans.len() <= 4_000, "{}", spans.len());
        if pages == 0 {
            let totals = &page["totals"];
            assert_eq!((&totals["spans"], &totals["errors"]), (&json!(SPANS), &json!(33)), "{totals}");
            assert_eq!((&totals["input_tokens"], &totals["output_tokens"]), (&json!(300), &json!(60)), "{totals}");
            assert_eq!((&totals["duration_ms"], &totals["replayable"]), (&json!(3_304.0), &json!(false)), "{totals}");
        } else {
            assert_eq!(page.get("totals"), None, "they come once");
        }
        for span in spans {
            let start = span["start"].as_str().unwrap().to_owned();
            assert!(last <= start, "{last} before {start}");
            last = start;
            assert_eq!(span.get("attributes"), None, "{span}");
            assert!(seen.insert(span["span"].as_str().unwrap().to_owned()), "{span} comes twice");
        }
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((seen.len() as u64, pages), (SPANS, 9));

    // Bodies one by one, and what is said in one.
    let body = user.get(&format!("/api/v1/traces/{TRACE}/spans/{}", id(32_900))).await.json();
    assert_eq!((&body["attributes"]["note"], &body["parent"]), (&json!("words of 32900"), &json!(id(4_112))), "{body}");
    let reading = user.get(&format!("/api/v1/traces/{TRACE}/reading?span={}", id(32_900))).await.json();
    assert_eq!(
        (&reading["type"], &reading["input"][0]["parts"][0]["content"]),
        (&json!("chat"), &json!("How far?")),
        "{reading}"
    );
    let first = user.get(&format!("/api/v1/traces/{TRACE}/reading")).await.json();
    assert_eq!(first["span"], json!(id(0)), "{first}");

    let refused = user.get(&format!("{tree}?limit=4001")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("paging-invalid")), "{}", refused.text);
    let missing = user.get(&format!("/api/v1/traces/{TRACE}/spans/{}", id(SPANS))).await;
    assert_eq!((missing.status, &missing.json()["code"]), (404, &json!("trace-not-found")), "{}", missing.text);
    let fields = user.get("/api/v1/traces/fields").await.json();
    assert!(fields["fields"].as_array().unwrap().iter().any(|field| field["name"] == "duration"), "{fields}");
    bodies_come_in_pages_that_say_how_many_there_are(&user).await;
    the_command_line_says_what_it_does_not_show(data.path());
}

async fn bodies_come_in_pages_that_say_how_many_there_are(user: &User) {
    let path = format!("/api/v1/traces/{TRACE}");
    let usual = user.get(&path).await.json();
    assert_eq!((usual["spans"].as_array().unwrap().len(), &usual["total_spans"]), (1_000, &json!(SPANS)));
    assert!(usual["next"].is_string(), "the rest is somewhere");
    let (mut seen, mut cursor) = (HashSet::new(), String::new());
    loop {
        let reply = user.get(&format!("{path}?limit=4000{cursor}")).await;
        assert!(reply.status == 200 && reply.text.len() < 16 << 20, "{} with {} bytes", reply.status, reply.text.len());
        let page = reply.json();
        assert_eq!(page["total_spans"], json!(SPANS));
        for span in page["spans"].as_array().unwrap() {
            assert!(span["attributes"]["note"].is_string(), "{span}");
            assert!(seen.insert(span["span"].as_str().unwrap().to_owned()), "{span} comes twice");
        }
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len() as u64, SPANS);
    for wrong in ["limit=4001", "limit=0", "cursor=made-up"] {
        let refused = user.get(&format!("{path}?{wrong}")).await;
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("paging-invalid")), "{}", refused.text);
    }
}

fn the_command_line_says_what_it_does_not_show(data: &Path) {
    let length = |view: &Value| view["spans"].as_array().map(|spans| spans.len() as u64);
    let usual = run(data, &["traces", "show", TRACE]);
    assert_eq!((length(&usual), &usual["total_spans"], usual["next"].is_string()), (Some(1_000), &json!(SPANS), true));
    let rest = run(data, &["traces", "show", TRACE, "--limit", "40000", "--cursor", usual["next"].as_str().unwrap()]);
    assert_eq!((length(&rest), rest.get("next")), (Some(SPANS - 1_000), None));
    let drawn = command(data).args(["traces", "show", TRACE, "--limit", "1500"]).output().unwrap();
    let said = String::from_utf8_lossy(&drawn.stderr).into_owned();
    assert!(said.contains("1500 of 33000 spans") && said.contains("--cursor "), "{said}");
    assert_eq!(String::from_utf8_lossy(&drawn.stdout).lines().count(), 1_500);
}
