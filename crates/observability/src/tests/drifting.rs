//! What moved between two stretches of time, and what is kept of hours.

use mainspring_lake::Filter;
use mainspring_llm::{
    Budget, Embedder, Embedding, ModelFault, TextTokenizer, Tokens,
    embed::{EmbedAs, Embedded},
};

use super::*;
use crate::{Against, Drift, DriftQuestion, DriftReport, DriftState, FieldDrift};

mod releases;
mod topics;

pub(super) const NOW: i64 = 1_700_000_000_000_000;
pub(super) const HOUR: i64 = 3_600_000_000;
/// Beginnings of hours.
pub(super) const THEN: i64 = (NOW / HOUR - 30) * HOUR;
pub(super) const LATELY: i64 = (NOW / HOUR - 3) * HOUR;

pub(super) struct Call<'a> {
    pub(super) model: &'a str,
    pub(super) millis: i64,
    pub(super) asked: &'a str,
    pub(super) answered: &'a str,
    pub(super) release: &'a str,
    pub(super) tier: &'a str,
}

pub(super) const USUAL: Call<'_> = Call {
    model: "gpt",
    millis: 900,
    asked: "how is the invoice paid",
    answered: "the invoice is due in a week",
    release: "1.0",
    tier: "free",
};

pub(super) fn called(at: i64, call: &Call<'_>) -> Span {
    let mut made = span(at, &[]);
    (made.name, made.kind) = ("chat".into(), SpanKind::Internal);
    let said = |role: &str, text: &str| json!([{"role": role, "parts": [{"type": "text", "content": text}]}]);
    made.attributes = Map::from_iter([
        (names::OPERATION.to_owned(), json!("chat")),
        (names::REQUEST_MODEL.to_owned(), json!(call.model)),
        (names::INPUT_TOKENS.to_owned(), json!(10)),
        (names::FINISH.to_owned(), json!(["stop"])),
        ("resource.service.version".to_owned(), json!(call.release)),
        ("shop.tier".to_owned(), json!(call.tier)),
        (names::INPUT_MESSAGES.to_owned(), said("user", call.asked)),
        (names::OUTPUT_MESSAGES.to_owned(), said("assistant", call.answered)),
    ]);
    made.end = Timestamp::from_micros(at + call.millis * 1_000);
    made
}

pub(super) async fn record(room: &Observability, spans: impl IntoIterator<Item = Span>) {
    spans.into_iter().for_each(|span| room.record(span));
    room.drain(WAIT).await.unwrap();
}

pub(super) async fn drift_of(dir: &Path, room: &Observability, embedder: Option<Arc<dyn Embedder>>) -> Drift {
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    Drift::new(Arc::new(lake), room.clone(), embedder)
}

pub(super) fn hour(start: i64) -> (Timestamp, Timestamp) {
    (Timestamp::from_micros(start), Timestamp::from_micros(start + HOUR))
}

pub(super) fn question(fields: &[&str]) -> DriftQuestion {
    let ((from, to), (start, end)) = (hour(LATELY), hour(THEN));
    DriftQuestion {
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        from,
        to,
        against: Against::Range(start, end),
        service: None,
    }
}

fn of<'a>(report: &'a DriftReport, field: &str) -> &'a FieldDrift {
    report.fields.iter().find(|found| found.field == field).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_moved_come_first_and_late_spans_make_their_hour_again() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    record(&room, (0..80).map(|n| called(THEN + n, &USUAL))).await;
    record(
        &room,
        (0..80).map(|n| called(LATELY + n, &Call { model: if n % 2 == 0 { "gpt" } else { "new" }, millis: 9_000, ..USUAL })),
    )
    .await;
    let all = actor(Labels::All);

    let report = drift.report(&all, &question(&[])).await.unwrap();
    let drifted: BTreeSet<&str> = report.fields.iter().filter(|field| field.drifted).map(|field| field.field.as_str()).collect();
    assert_eq!(drifted, BTreeSet::from(["duration", "model"]), "{report:?}");
    assert!(report.fields[..2].iter().all(|field| field.drifted), "they come first");
    let model = of(&report, "model");
    assert_eq!((model.reference, model.current, model.figures.unwrap().unseen), (80, 80, Some(0.5)));
    assert!(of(&report, "duration").figures.unwrap().moved.unwrap() > 8_000.0, "in milliseconds");
    assert_eq!(of(&report, "finish_reason").state, DriftState::Measured);
    assert_eq!(of(&report, "cost").state, DriftState::Missing, "nobody said a cost: that is not the same as no drift");
    assert_eq!((report.waiting, report.no_topics), (0, Some("this process embeds nothing")));

    // Made again, and again, it is the same.
    let rows = async || drift.table().await.unwrap().count(Filter::All).await.unwrap();
    let kept = rows().await;
    assert!(!drift.keep().await.unwrap());
    assert!(!drift.keep().await.unwrap());
    assert_eq!((rows().await, drift.report(&all, &question(&[])).await.unwrap()), (kept, report));

    record(&room, (0..20).map(|n| called(THEN + 1_000 + n, &USUAL))).await;
    let later = drift.report(&all, &question(&["model"])).await.unwrap();
    assert_eq!((later.fields[0].reference, later.fields[0].current), (100, 80));
    // What is gone from the traces is gone from here.
    room.expire(Timestamp::from_micros(THEN + HOUR)).await.unwrap();
    drift.keep().await.unwrap();
    let gone = drift.report(&all, &question(&["model"])).await.unwrap();
    assert_eq!((gone.fields[0].state, gone.fields[0].reference), (DriftState::Missing, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_of_another_project_or_of_traces_they_may_not_see() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    let secret = |at: i64| {
        let mut secret = called(at, &Call { model: "secret", ..USUAL });
        secret.attributes.insert(names::LABELS.into(), json!([["board"]]));
        secret
    };
    record(&room, (0..40).flat_map(|n| [called(THEN + n, &USUAL), called(LATELY + n, &USUAL), secret(LATELY + n)])).await;
    let stranger = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    let theirs = drift.report(&stranger, &question(&[])).await.unwrap();
    assert!(theirs.fields.iter().all(|field| field.state == DriftState::Missing && field.bins.is_empty()), "{theirs:?}");
    let seen = drift.report(&holding(&[]), &question(&["model"])).await.unwrap();
    assert_eq!((seen.fields[0].current, seen.fields[0].drifted), (40, false), "{seen:?}");
    let seen = drift.report(&holding(&["board"]), &question(&["model"])).await.unwrap();
    assert_eq!((seen.fields[0].current, seen.fields[0].drifted), (80, true));
}

/// Texts about the same lie in the same place.
#[derive(Debug)]
pub(super) struct Places;

impl TextTokenizer for Places {
    fn tokenize(&self, _: &str) -> Tokens {
        Tokens::default()
    }
}

#[async_trait]
impl Embedder for Places {
    fn name(&self) -> &'static str {
        "places"
    }
    fn identity(&self) -> String {
        "places".into()
    }
    fn dimensions(&self) -> usize {
        2
    }
    fn max_tokens(&self) -> usize {
        512
    }
    async fn embed(&self, texts: Vec<String>, _: EmbedAs, _: Budget) -> Result<Embedded, ModelFault> {
        let place = |text: String| match text {
            text if text.contains("invoice") => vec![1.0, 0.0],
            text if text.contains("warranty") => vec![-1.0, -1.0],
            _ => vec![0.0, 1.0],
        };
        Ok(Embedded { vectors: texts.into_iter().map(place).collect(), tokens: 0 })
    }
    async fn embed_tokens(&self, texts: Vec<String>, _: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault> {
        Ok(texts.into_iter().map(|_| Vec::new()).collect())
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Arc::new(Self)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_costs_have_means_and_percentiles_and_what_nobody_priced_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    record(&room, (0..10).map(|n| called(LATELY + n, &USUAL))).await;
    let names = ["input_tokens_mean", "input_tokens_p95", "input_tokens_max", "unpriced", "cost_mean"];
    let measures = names.map(str::to_owned).into();
    let asked = crate::MetricsQuestion { measures, ..crate::MetricsQuestion::default() };
    let found = room.measure(&actor(Labels::All), asked).await.unwrap();
    let ten = Some(crate::Measured::Count(10));
    assert_eq!(found.rows[0].values, [ten, ten, ten, ten, None]);
}
