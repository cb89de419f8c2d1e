//! What the dashboard shows that nobody wrote.

use super::*;
use crate::{ScoreSource, built_in};

fn looked(by: Option<&str>) -> DashboardQuestion {
    DashboardQuestion {
        from: Timestamp::from_micros(NOW - 60 * MINUTE),
        to: Timestamp::from_micros(NOW),
        by: by.map(str::to_owned),
        filter: SpanFilter::all(),
    }
}

/// What a panel says.
async fn panel_of(room: &Observability, points: &MetricPoints, (title, by): (&str, Option<&str>)) -> PanelAnswer {
    let spec = built_in();
    let at = spec.panels.iter().position(|panel| panel.title == title).unwrap_or_else(|| panic!("no panel {title}"));
    Box::pin(room.dashboard(points, &actor(Labels::All), &spec, &looked(by))).await.unwrap().panels.swap_remove(at)
}

/// The rows of a panel that asks in SQL, without when they are, in the order of what they say.
async fn told(room: &Observability, points: &MetricPoints, title: &str) -> Vec<Vec<Value>> {
    let PanelAnswer::Rows(found) = panel_of(room, points, (title, None)).await else { panic!("{title} asks in SQL") };
    assert_eq!(found.columns[0].name, "start");
    let mut rows: Vec<Vec<Value>> = found.rows.into_iter().map(|row| row[1..].to_vec()).collect();
    rows.sort_by_key(|row| row[0].to_string());
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_in_can_be_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let question = DashboardQuestion {
        from: Timestamp::from_micros(NOW - 60 * MINUTE),
        to: Timestamp::from_micros(NOW),
        by: Some("model".to_owned()),
        filter: SpanFilter::all(),
    };
    let spec = built_in();
    for actor in [actor(Labels::All), holding(&["staff"])] {
        let answer = room.dashboard(&points, &actor, &spec, &question).await.unwrap();
        for (panel, answer) in spec.panels.iter().zip(&answer.panels) {
            assert!(!matches!(answer, PanelAnswer::Failed(_)), "{}: {answer:?}", panel.title);
        }
        let PanelAnswer::Measured { found, .. } = &answer.panels[0] else { panic!("requests are measured") };
        let models: BTreeSet<_> = found.rows.iter().filter_map(|row| row.keys[0].as_deref()).collect();
        assert_eq!(models.contains("secret-model"), actor.labels == Labels::All);
        assert!(models.contains("gpt") && models.contains("small"));
    }
    let odd = DashboardQuestion { by: Some("duration".to_owned()), ..question.clone() };
    let fault = room.dashboard(&points, &actor(Labels::All), &spec, &odd).await.unwrap_err();
    assert_eq!(fault.code(), "trace-question-invalid");
    let backwards = DashboardQuestion { from: question.to, ..question };
    assert!(room.dashboard(&points, &actor(Labels::All), &spec, &backwards).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_told_by_name_and_on_their_own_scale() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let spans = room.spans(&all, &TraceFilter::default(), &PageRequest::new(Some(50), None).unwrap()).await.unwrap();
    let trace = spans.items[0].trace.to_string();
    let given = [
        ("relevance", json!(0.25), ScoreSource::Evaluation),
        ("relevance", json!(0.75), ScoreSource::Api),
        ("relevance", json!(1.0), ScoreSource::Annotation),
        ("ok", json!(true), ScoreSource::Evaluation),
        ("ok", json!(false), ScoreSource::Evaluation),
        ("marks", json!(8), ScoreSource::Evaluation),
        ("marks", json!(1), ScoreSource::Evaluation),
        ("stars", json!(-2), ScoreSource::UserFeedback),
        ("tone", json!("kind"), ScoreSource::Annotation),
    ];
    let time = Some(Timestamp::from_micros(NOW - 2 * MINUTE));
    let score = |(name, value, source): (&str, Value, ScoreSource)| {
        let new = NewScore { name: name.to_owned(), value, source, trace: Some(trace.clone()), time, ..NewScore::default() };
        room.scores().unwrap().check(new, all.project, Timestamp::from_micros(NOW)).unwrap()
    };
    room.put_scores(&all, given.map(score).into()).await.unwrap();

    assert_eq!(
        told(&room, &points, "Feedback and scores").await,
        [[json!("ok"), json!(0.5)], [json!("relevance"), json!(0.5)], [json!("relevance, by people"), json!(1.0)]]
    );
    assert_eq!(
        told(&room, &points, "Scores on other scales").await,
        [[json!("marks"), json!(4.5)], [json!("stars, by people"), json!(-2.0)]]
    );
}

/// A search of documents with what its program says of it.
fn search(attributes: Value) -> Span {
    let mut span = span(NOW - 3 * MINUTE, &[]);
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    (span.name, span.kind, span.attributes) = ("retrieve".to_owned(), SpanKind::Internal, attributes);
    span
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_of_other_programs_have_their_quality_beside_those_of_this_server() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let ours = |count: u64, best: Option<f64>| {
        let mut attributes = json!({"gen_ai.operation.name": "retrieve", "gen_ai.data_source.id": "manual",
            "mainspring.retrieval.count": count});
        if let Some(best) = best {
            attributes["mainspring.retrieval.best_similarity"] = json!(best);
        }
        search(attributes)
    };
    let shop = |more: Value| {
        let mut attributes = json!({"openinference.span.kind": "RETRIEVER", "resource.service.name": "shop"});
        attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        search(attributes)
    };
    let desk = |documents: Value| {
        let mut attributes = json!({"gen_ai.operation.name": "retrieval", "resource.service.name": "desk"});
        attributes["gen_ai.retrieval.documents"] = documents;
        search(attributes)
    };
    for span in [
        ours(0, None),
        ours(4, Some(0.75)),
        shop(json!({"retrieval.documents.0.document.score": 0.5, "retrieval.documents.1.document.score": 0.25})),
        shop(json!({"retrieval.documents": [{"document": {"score": 1.0}}]})),
        // Whether it found nothing, or its documents were not sent, nobody can say.
        shop(json!({})),
        desk(json!([{"id": "a", "score": 12.0}])),
        desk(json!("[{\"id\": \"a\", \"score\": 14}]")),
        desk(json!("[]")),
    ] {
        room.record(span);
    }
    room.drain(WAIT).await.unwrap();

    assert_eq!(
        told(&room, &points, "Retrieval quality").await,
        [[json!("desk"), json!(13.0)], [json!("manual"), json!(0.75)], [json!("shop"), json!(0.75)]]
    );
    // One of this server's two, and one of desk's two that are written as a text.
    assert_eq!(told(&room, &points, "Searches that found nothing").await, [[json!(0.5)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_latency_by_model_are_of_calls_where_traces_name_no_model() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    for failed in [false, true] {
        let mut request = search(json!({"resource.service.name": "shop", "http.request.method": "POST"}));
        request.kind = SpanKind::Server;
        let mut made = call(NOW - 3 * MINUTE, "of-the-shop", (2_000, 1));
        (made.trace, made.parent) = (request.trace, Some(request.span));
        if failed {
            made.status = SpanStatus::Error("too many requests".into());
        }
        [request, made].into_iter().for_each(|span| room.record(span));
    }
    room.drain(WAIT).await.unwrap();

    let points = &points;
    let of_the_shop = async |title: &str| {
        let answer = panel_of(&room, points, (title, Some("model"))).await;
        let PanelAnswer::Measured { found, .. } = answer else { panic!("{title} measures") };
        let at = |measure: &str| found.measures.iter().position(|name| *name == measure).unwrap();
        let values = |row: &crate::MetricsRow| ["error_rate", "duration_p95"].map(|measure| row.values[at(measure)]);
        found.rows.iter().filter(|row| row.keys[0].as_deref() == Some("of-the-shop")).map(values).collect::<Vec<_>>()
    };
    for title in ["Failed model calls", "Time of model calls"] {
        match of_the_shop(title).await[..] {
            [[Some(crate::Measured::Share(failed)), Some(crate::Measured::Millis(took))]] => {
                assert_eq!(failed, 0.5, "{title}");
                assert!((1_980.0..2_020.0).contains(&took), "{title}: {took}");
            }
            ref rows => panic!("{title}: {rows:?}"),
        }
    }
    assert!(of_the_shop("Latency").await.is_empty(), "traces name no model");
}
