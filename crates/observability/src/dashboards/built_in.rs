//! The dashboard that is there without anybody writing it.

use super::spec::{ChartKind, DashboardSpec, PanelSpec, PanelUnit};

/// Its name. A dashboard of the project that is called so stands in its place.
pub const BUILT_IN: &str = "overview";

/// Searches that found nothing, of those that say how many documents they found: this server's own, and those that send a list
/// in JSON. One that is written as many attributes is not there when it is empty. Of what the spans stand for.
const NOTHING_FOUND: &str = "WITH searches AS (SELECT start, coalesce(weight, 1.0) AS weight, \
    CASE WHEN json_number(attributes, 'mainspring.retrieval.count') IS NOT NULL \
    THEN json_number(attributes, 'mainspring.retrieval.count') = 0 \
    ELSE json_text(attributes, 'gen_ai.retrieval.documents') = '[]' END AS is_empty \
    FROM spans WHERE \"type\" = 'retriever') \
    SELECT bucket(start, $bucket, 0) AS start, sum(CASE WHEN is_empty THEN weight ELSE 0.0 END) / sum(weight) AS found_nothing \
    FROM searches WHERE is_empty IS NOT NULL GROUP BY 1 ORDER BY 1";

/// How well the best document of a search fits, as this server reckons it (`best_similarity`) or as a program says of the first
/// document that it found, in every spelling that it may be sent in. Scales differ, so programs are told apart; this server's
/// own searches by the knowledge that is searched.
const BEST_FOUND: &str = "WITH searches AS (SELECT start, coalesce(weight, 1.0) AS weight, \
    coalesce(service, json_text(attributes, 'gen_ai.data_source.id'), 'no name') AS program, \
    coalesce(json_number(attributes, 'mainspring.retrieval.best_similarity'), \
    json_number(attributes, 'retrieval.documents.0.document.score'), \
    json_number(attributes, 'retrieval.documents', '0', 'document', 'score'), \
    json_number(json_text(attributes, 'retrieval.documents'), '0', 'document', 'score'), \
    json_number(attributes, 'gen_ai.retrieval.documents.0.score'), \
    json_number(attributes, 'gen_ai.retrieval.documents', '0', 'score'), \
    json_number(json_text(attributes, 'gen_ai.retrieval.documents'), '0', 'score')) AS score \
    FROM spans WHERE \"type\" = 'retriever') \
    SELECT bucket(start, $bucket, 0) AS start, program, sum(weight * score) / sum(weight) AS mean \
    FROM searches WHERE score IS NOT NULL GROUP BY 1, 2 ORDER BY 1 DESC, 2";

/// What scores say that are named so, each name by itself: means of several names would be of nothing, and so would one scale
/// for a share and for marks up to ten. Numbers only; true is 1.
fn scores(scale: &str) -> String {
    format!(
        "WITH named AS (SELECT name, count(*) AS given FROM scores WHERE number IS NOT NULL GROUP BY name HAVING {scale} \
        ORDER BY given DESC LIMIT 8) \
        SELECT bucket(scores.\"time\", $bucket, 0) AS start, CASE WHEN scores.source IN ('user_feedback', 'annotation') \
        THEN scores.name || ', by people' ELSE scores.name END AS score, avg(scores.number) AS mean \
        FROM scores JOIN named ON scores.name = named.name WHERE scores.number IS NOT NULL GROUP BY 1, 2 ORDER BY 1 DESC, 2"
    )
}

#[must_use]
pub fn built_in() -> DashboardSpec {
    use ChartKind::{Bar, Line};
    const CALLS: &str = "type in (chat, embedding, rerank)";
    let panels = vec![
        measured("Requests", "Traces by when they began", Bar, "entry", &["count"]),
        measured("Errors", "Traces that failed", Bar, "entry", &["errors"]),
        measured("Error rate", "Of traces", Line, "entry", &["error_rate"]),
        measured("Latency", "How long traces took", Line, "entry", &["duration_p50", "duration_p95", "duration_p99"]),
        measured(
            "Time to first token",
            "Of answers that came in parts",
            Line,
            CALLS,
            &["first_token_p50", "first_token_p95", "first_token_p99"],
        ),
        measured("Model calls", "Chats, embeddings and rerankings", Bar, CALLS, &["count"]),
        // Of what was sent here, the trace is entered by a request that names no model: by model, only its calls tell.
        measured("Failed model calls", "The share of them that failed", Line, CALLS, &["error_rate"]),
        measured("Time of model calls", "How long they took", Line, CALLS, &["duration_p50", "duration_p95", "duration_p99"]),
        measured(
            "Tokens",
            "Read and written; what parents and children both tell counts once",
            Bar,
            "",
            &["input_tokens", "output_tokens"],
        ),
        measured("Spend", "What model calls cost", Bar, "", &["cost"]),
        measured("Tokens from providers' caches", "Read there instead of being reckoned again", Bar, "", &["cache_read_tokens"]),
        measured(
            "Answers from the cache",
            "Calls that no provider was asked for",
            Bar,
            r#"attributes["mainspring.cache"] in ("hit", "semantic-hit", "stale")"#,
            &["count"],
        ),
        measured("Guardrails", "Checks, and those that failed", Bar, "type = guardrail", &["count", "errors"]),
        measured(
            "Search time",
            "How long searches of documents took",
            Line,
            "type = retriever",
            &["duration_p50", "duration_p95"],
        ),
        asked(
            "Retrieval quality",
            "How well the best document of a search fits, by program, as each of them scores it",
            PanelUnit::Count,
            BEST_FOUND,
        ),
        asked("Searches that found nothing", "Of those that say how many documents they found", PanelUnit::Share, NOTHING_FOUND),
        asked(
            "Feedback and scores",
            "What people and programs say of answers: the mean of each score from 0 to 1; yes is 1",
            PanelUnit::Count,
            &scores("min(number) >= 0 AND max(number) <= 1"),
        ),
        asked(
            "Scores on other scales",
            "The mean of each score that goes below 0 or beyond 1",
            PanelUnit::Count,
            &scores("min(number) < 0 OR max(number) > 1"),
        ),
    ];
    DashboardSpec { title: "Overview".to_owned(), panels }
}

fn measured(title: &str, description: &str, chart: ChartKind, filter: &str, measures: &[&str]) -> PanelSpec {
    PanelSpec {
        title: title.to_owned(),
        description: Some(description.to_owned()),
        chart,
        metric: None,
        measures: measures.iter().map(|name| (*name).to_owned()).collect(),
        filter: filter.to_owned(),
        by: None,
        sql: None,
        unit: None,
    }
}

fn asked(title: &str, description: &str, unit: PanelUnit, sql: &str) -> PanelSpec {
    PanelSpec {
        title: title.to_owned(),
        description: Some(description.to_owned()),
        chart: ChartKind::Line,
        metric: None,
        measures: Vec::new(),
        filter: String::new(),
        by: None,
        sql: Some(sql.to_owned()),
        unit: Some(unit),
    }
}
