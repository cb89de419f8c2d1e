//! Events as PagerDuty's Events API v2 takes them.

use mainspring_kernel::text;
use serde_json::{Map, Value, json};

use crate::{
    facts::in_words,
    model::NoticeKind,
    notice::{Notice, NoticeAlert},
};

/// As the API has it.
const SUMMARY_MAX: usize = 1_024;

/// The incident's id is the key by which events belong together, so PagerDuty has one incident for each of ours.
pub(super) fn event(notice: &Notice, routing_key: &str) -> Value {
    let action = match notice.what {
        NoticeKind::Resolved => "resolve",
        NoticeKind::Acknowledged => "acknowledge",
        NoticeKind::Opened
        | NoticeKind::Updated
        | NoticeKind::Escalated
        | NoticeKind::Reopened
        | NoticeKind::Reminder
        | NoticeKind::Test => "trigger",
    };
    let mut event = json!({
        "routing_key": routing_key.trim(),
        "event_action": action,
        "dedup_key": notice.incident,
        "client": "Mainspring",
    });
    if action == "trigger" {
        event["payload"] = json!({
            "summary": text::elide(&notice.title, SUMMARY_MAX),
            "source": notice.project,
            // The API has the same four words.
            "severity": notice.severity,
            "timestamp": notice.at,
            "custom_details": details(notice),
        });
        if let Some(app) = notice.labels.get("app") {
            event["payload"]["group"] = json!(app);
        }
        if let Some(alert) = notice.alerts.first() {
            event["payload"]["class"] = json!(alert.name);
        }
    }
    if let Some(page) = &notice.page {
        event["client_url"] = json!(page);
        event["links"] = json!([{ "href": page, "text": notice.incident }]);
    }
    event
}

fn details(notice: &Notice) -> Value {
    let alert = |alert: &NoticeAlert| {
        let facts: Map<String, Value> = in_words(&alert.facts).into_iter().map(|fact| (fact.name, fact.value.into())).collect();
        json!({ "name": alert.name, "summary": alert.summary, "firing": alert.firing, "facts": facts, "traces": alert.traces })
    };
    let mut details = Map::new();
    details.insert("labels".to_owned(), json!(notice.labels));
    details.insert("firing".to_owned(), json!(notice.firing));
    details.insert("alerts".to_owned(), notice.alerts.iter().map(alert).collect());
    details.insert("changes".to_owned(), json!(notice.changes));
    if notice.changes_left_out > 0 {
        details.insert("changes_left_out".to_owned(), json!(notice.changes_left_out));
    }
    Value::Object(details)
}
