//! What Slack's incoming webhooks take, and others that took over their form.

use mainspring_kernel::text;
use serde_json::{Value, json};

use crate::{
    facts::{Fact, in_words},
    model::{NoticeKind, Severity},
    notice::{Notice, NoticeAlert, pairs},
};

/// Slack cuts longer texts.
const TEXT_MAX: usize = 2_800;
const FACTS: usize = 8;

/// The subject alone is what a phone shows; the attachment has the rest. Others take attachments, but no blocks.
pub(super) fn message(notice: &Notice) -> Value {
    let subject = plain(&notice.subject());
    let mut attachment = json!({
        "color": color(notice),
        "fallback": subject,
        "text": text::elide(&details(notice), TEXT_MAX),
        "mrkdwn_in": ["text"],
        "ts": notice.at.as_seconds(),
    });
    if let Some(page) = &notice.page {
        attachment["title"] = json!(notice.incident);
        attachment["title_link"] = json!(page);
    }
    json!({ "text": subject, "attachments": [attachment] })
}

fn details(notice: &Notice) -> String {
    let mut lines = Vec::new();
    if !notice.labels.is_empty() {
        lines.push(plain(&pairs(&notice.labels)));
    }
    lines.extend(notice.alerts.iter().map(alert));
    let shown = notice.alerts.iter().filter(|alert| alert.firing).count() as u64;
    if notice.firing > shown {
        lines.push(format!("and {} more", notice.firing - shown));
    }
    if !notice.changes.is_empty() {
        lines.push("*Changed before it began*".to_owned());
    }
    for change in &notice.changes {
        lines.push(format!("• {}", plain(&change.what)));
        lines.extend(change.rollback.as_ref().map(|command| format!("   back: `{}`", plain(command).replace('`', "'"))));
    }
    lines.extend(notice.more_changes());
    lines.join("\n")
}

fn alert(alert: &NoticeAlert) -> String {
    let over = if alert.firing { "" } else { " (over)" };
    let mut line = format!("• *{}*{over}: {}", plain(&alert.name), plain(&alert.summary));
    for Fact { name, value } in in_words(&alert.facts).iter().take(FACTS) {
        line.push_str(&format!("\n   {}: {}", plain(name), plain(&text::elide(value, 120))));
    }
    line
}

const fn color(notice: &Notice) -> &'static str {
    match (notice.what, notice.severity) {
        (NoticeKind::Resolved, _) => "#2e7d32",
        (_, Severity::Info) => "#546e7a",
        (_, Severity::Warning) => "#f9a825",
        (_, Severity::Error) => "#e65100",
        (_, Severity::Critical) => "#b71c1c",
    }
}

/// What would be a mention or a link in Slack's own marks is text again.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
