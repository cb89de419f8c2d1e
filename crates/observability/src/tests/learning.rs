//! Topics are learnt anew when they no longer fit.

use std::sync::atomic::{AtomicUsize, Ordering};

use mainspring_lake::Filter;
use mainspring_llm::{
    Budget, Embedder, Embedding, ModelFault, TextTokenizer,
    embed::{EmbedAs, Embedded},
};

use super::{
    drifting::{Call, HOUR, LATELY, NOW, Places, THEN, USUAL, called, drift_of, hour, question, record},
    *,
};
use crate::{Against, Drift, DriftQuestion, TopicDrift, TopicsWhy};

/// Topics may be learnt anew then.
const LATER: i64 = (NOW / HOUR + 24) * HOUR;
const A_DAY_AND_MORE: Duration = Duration::from_secs(26 * 3600);

/// Takes a second for whatever it is given, and counts the texts.
#[derive(Debug)]
struct Slow {
    clock: FrozenClock,
    texts: AtomicUsize,
}

#[async_trait]
impl Embedder for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }
    fn identity(&self) -> String {
        "slow".into()
    }
    fn dimensions(&self) -> usize {
        2
    }
    fn max_tokens(&self) -> usize {
        512
    }
    async fn embed(&self, texts: Vec<String>, purpose: EmbedAs, budget: Budget) -> Result<Embedded, ModelFault> {
        self.clock.advance(Duration::from_secs(1));
        self.texts.fetch_add(texts.len(), Ordering::Relaxed);
        Places.embed(texts, purpose, budget).await
    }
    async fn embed_tokens(&self, texts: Vec<String>, budget: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault> {
        Places.embed_tokens(texts, budget).await
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Places.tokenizer()
    }
}

async fn topics(drift: &Drift, question: &DriftQuestion) -> TopicDrift {
    drift.report(&actor(Labels::All), question).await.unwrap().topics.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_no_longer_fit_are_learnt_anew_and_counts_of_two_versions_are_never_put_together() {
    let parcel = Call { asked: "where is the parcel now", ..USUAL };
    let warranty = Call { asked: "how long is the warranty", ..USUAL };
    let newer = Call { release: "2.0", ..USUAL };
    for (why, call) in [(TopicsWhy::Unlike, &warranty), (TopicsWhy::Release, &newer), (TopicsWhy::Reference, &USUAL)] {
        let dir = tempfile::tempdir().unwrap();
        let Room { room, clock, .. } = open(dir.path(), Capture::Full).await;
        let drift = drift_of(dir.path(), &room, Some(Arc::new(Places))).await;
        for at in [THEN, LATELY] {
            record(&room, (0..100).map(|n| called(at + n, if n < 50 { &parcel } else { &USUAL }))).await;
        }
        assert!(!drift.keep().await.unwrap());
        let first = topics(&drift, &question(&["model"])).await;
        assert_eq!((first.reference, first.current), (100, 100));
        let version = first.version;
        assert_eq!((version.number, version.why, version.next), (1, TopicsWhy::First, None));
        assert_eq!(version.learnt, Some(Timestamp::from_micros(NOW)));

        // Whatever comes on the same day, they stay.
        clock.advance(Duration::from_secs(1));
        if why == TopicsWhy::Reference {
            drift.reference_set(project(), "input").await.unwrap();
            drift.reference_set(project(), "model").await.unwrap();
        }
        record(&room, (0..100).map(|n| called(LATELY + HOUR + n, if n < 50 { call } else { &USUAL }))).await;
        assert!(!drift.keep().await.unwrap());
        assert_eq!(topics(&drift, &question(&["model"])).await.version, version, "{why:?}");

        clock.advance(A_DAY_AND_MORE);
        record(&room, (0..100).map(|n| called(LATER + n, call))).await;
        assert!(drift.keep().await.unwrap(), "their hours are still to be made");
        let still = topics(&drift, &question(&["model"])).await;
        assert_eq!((still.reference, still.current), (100, 100), "what is there is in the topics of before");
        assert_eq!((still.version.number, &still.version.digest, still.version.next), (1, &version.digest, Some(why)));
        // A word that is erased meanwhile names none of those that are to come either.
        drift.unname(project(), &BTreeSet::from(["parcel".to_owned()])).await.unwrap();
        drop(drift);

        // Another process goes on.
        let drift = drift_of(dir.path(), &room, Some(Arc::new(Places))).await;
        while drift.keep().await.unwrap() {}
        let second = topics(&drift, &question(&["model"])).await;
        assert_eq!((second.reference, second.current), (100, 100), "every hour is made again, and counted once");
        assert_eq!((second.version.number, second.version.why, second.version.next), (2, why, None));
        assert!(second.version.learnt > version.learnt);
        assert!(!second.topics.iter().flat_map(|topic| &topic.words).any(|word| word == "parcel"), "{second:?}");
        let stretch = (Timestamp::from_micros(THEN), Timestamp::from_micros(LATER + HOUR));
        let series = drift.topic_series(&actor(Labels::All), ("input", None), stretch).await.unwrap();
        assert_eq!(series.iter().map(|(_, sketch)| sketch.shares.count()).collect::<Vec<_>>(), [100; 4]);
        let of_before = Filter::eq("part", "topics@1");
        assert_eq!(drift.table().await.unwrap().count(of_before).await.unwrap(), 0, "they went with their hours");

        // They stay in turn.
        assert!(!drift.keep().await.unwrap());
        assert_eq!(topics(&drift, &question(&["model"])).await.version, second.version);
        if why == TopicsWhy::Unlike {
            assert_ne!(second.version.digest, version.digest);
            let ((from, to), (start, end)) = (hour(LATER), hour(LATELY));
            let asked = DriftQuestion { from, to, against: Against::Range(start, end), ..question(&["model"]) };
            let grew = topics(&drift, &asked).await.topics.into_iter().find(|topic| topic.grew).unwrap();
            assert!(grew.words.iter().any(|word| word == "warranty"), "what was like nothing has a name: {grew:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_an_erasure_finds_in_the_making_go_and_those_of_before_stay_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, clock, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, Some(Arc::new(Places))).await;
    let parcel = Call { asked: "where is the parcel now", ..USUAL };
    for at in [THEN, LATELY] {
        record(&room, (0..100).map(|n| called(at + n, if n < 50 { &parcel } else { &USUAL }))).await;
    }
    assert!(!drift.keep().await.unwrap());
    clock.advance(A_DAY_AND_MORE);
    let warranty = Call { asked: "how long is the warranty", ..USUAL };
    record(&room, (0..100).map(|n| called(LATER + n, &warranty))).await;
    assert!(drift.keep().await.unwrap());
    // It was asked for just before.
    let since = clock.now().minus(Duration::from_secs(60));
    drift.remake(project(), &BTreeSet::new(), since).await.unwrap();
    let left = topics(&drift, &question(&["model"])).await;
    assert_eq!((left.version.number, left.version.next, left.reference), (1, None, 100));
    // And others are learnt, of what is left.
    while drift.keep().await.unwrap() {}
    assert_eq!(topics(&drift, &question(&["model"])).await.version.number, 1, "nothing came since");
    record(&room, (0..20).map(|n| called(LATER + 1_000 + n, &warranty))).await;
    while drift.keep().await.unwrap() {}
    let again = topics(&drift, &question(&["model"])).await.version;
    assert_eq!((again.number, again.why), (2, TopicsWhy::Unlike));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_which_no_topics_can_be_made_are_not_embedded_at_every_look() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, clock, .. } = open(dir.path(), Capture::Full).await;
    let embedder = Arc::new(Slow { clock, texts: AtomicUsize::new(0) });
    let drift = drift_of(dir.path(), &room, Some(Arc::clone(&embedder) as Arc<dyn Embedder>)).await;
    let look = async || {
        assert!(!drift.keep().await.unwrap());
        embedder.texts.load(Ordering::Relaxed)
    };
    record(&room, (0..100).map(|n| called(LATELY + n, &USUAL))).await;
    assert_eq!(look().await, 200, "everybody asks the same, and is answered the same");
    assert_eq!(look().await, 200);
    record(&room, (100..110).map(|n| called(LATELY + n, &USUAL))).await;
    assert_eq!(look().await, 200, "a few more change nothing");
    let parcel = Call { asked: "where is the parcel now", ..USUAL };
    record(&room, (110..150).map(|n| called(LATELY + n, &parcel))).await;
    // Questions have topics and an hour in them; answers are tried once more.
    assert_eq!(look().await, 200 + 2 * 150 + 150);
    let report = drift.report(&actor(Labels::All), &question(&["model"])).await.unwrap();
    assert_eq!((report.topics.map(|topics| topics.current), report.answers), (Some(150), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_as_old_as_the_reading_of_their_texts_so_that_an_erasure_finds_them() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, clock, .. } = open(dir.path(), Capture::Full).await;
    let embedder = Slow { clock: clock.clone(), texts: AtomicUsize::new(0) };
    let drift = drift_of(dir.path(), &room, Some(Arc::new(embedder))).await;
    let parcel = Call { asked: "where is the parcel now", answered: "the parcel is on its way", ..USUAL };
    record(&room, (0..100).map(|n| called(LATELY + n, if n < 50 { &parcel } else { &USUAL }))).await;
    let began = clock.now();
    assert!(!drift.keep().await.unwrap());
    let all = actor(Labels::All);
    let report = drift.report(&all, &question(&["model"])).await.unwrap();
    assert!(report.topics.is_some() && report.answers.is_some());
    // It was asked for when questions had been read, and answers had not.
    drift.remake(project(), &BTreeSet::new(), began.plus(Duration::from_secs(1))).await.unwrap();
    let report = drift.report(&all, &question(&["model"])).await.unwrap();
    assert!(report.topics.is_some() && report.answers.is_none());
}
