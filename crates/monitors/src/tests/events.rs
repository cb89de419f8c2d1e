//! Made-up traffic, counted the plain way.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use mainspring_kernel::{Fault, Timestamp};
use mainspring_statistics::{
    Categories, Random,
    embedding::{ClusterShares, Clusters, Features},
};
use serde_json::{Value, json};

use crate::{
    Evaluation, History, Measure, Measurements, MetricMeasure, MonitorSpec, Numbers, Of, Point, Query, Reading, ReleaseOf,
    ReleaseSeen, Series, Summary, Tally, Topics, descriptor, evaluate,
};

/// A Thursday, at midnight: the beginning of whole windows of every length used here.
pub(super) const START: i64 = 1_790_208_000;

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) slice: &'static str,
    pub(super) service: &'static str,
    pub(super) release: &'static str,
    pub(super) failed: bool,
    pub(super) value: f64,
    pub(super) word: &'static str,
    pub(super) vector: [f32; 2],
    /// How many it stands for.
    pub(super) weight: f64,
}

/// Seconds after the start.
pub(super) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_micros(START * 1_000_000 + (seconds * 1e6).round() as i64)
}

impl Event {
    pub(super) fn at(seconds: f64) -> Self {
        let (slice, service, release) = ("one", "shop", "1");
        Self { at: at(seconds), slice, service, release, failed: false, value: 1.0, word: "a", vector: [0.0; 2], weight: 1.0 }
    }
}

/// Events in order.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) events: Vec<Event>,
    pub(super) asked: Mutex<Vec<Query>>,
    pub(super) away: bool,
    /// What was said to be compared otherwise than before.
    pub(super) references: Vec<Measure>,
}

impl Traffic {
    /// `per_minute` events in each of these minutes.
    pub(super) fn add(&mut self, minutes: std::ops::Range<u32>, per_minute: u32, make: impl FnMut(Event) -> Event) {
        let all = minutes.flat_map(|minute| (0..per_minute).map(move |index| (minute, index)));
        let new =
            all.map(|(minute, index)| Event::at(f64::from(minute) * 60.0 + f64::from(index) * 60.0 / f64::from(per_minute)));
        self.events.extend(new.map(make));
        self.events.sort_by_key(|event| event.at);
    }

    fn summary(&self, measure: &Measure, events: &[&Event]) -> Summary {
        match measure {
            Measure::Count => Summary::Count(tally(events, |_| true)),
            Measure::Rate { .. } => Summary::Rate { hits: tally(events, |event| event.failed), trials: tally(events, |_| true) },
            Measure::Sum { .. } | Measure::Mean { .. } | Measure::Percentile { .. } | Measure::Numbers { .. } => {
                let mut numbers = Numbers::default();
                for event in events {
                    numbers.add(event.value, event.weight);
                }
                Summary::Numbers(Box::new(numbers))
            }
            Measure::Categories { .. } => Summary::Categories(events.iter().map(|event| event.word).collect::<Categories>()),
            Measure::Topics { field } => Summary::Topics(Box::new(topics(field, events))),
            Measure::Metric(metric) => of_metric(metric, events),
        }
    }
}

/// Each event is a point of a metric, and a number that it counted.
fn of_metric(metric: &MetricMeasure, events: &[&Event]) -> Summary {
    if metric.share().is_some() {
        let mut numbers = Numbers::default();
        events.iter().for_each(|event| numbers.add(event.value, 1.0));
        return Summary::Numbers(Box::new(numbers));
    }
    let (points, sum) = (events.len() as u64, events.iter().map(|event| event.value).sum::<f64>());
    let (value, of) = match metric.value.as_str() {
        "count" => (points as f64, None),
        "mean" => (sum / points as f64, Some(points)),
        _ => (sum, None),
    };
    Summary::Reading(Reading { value, points, of })
}

/// Those of which this is so, and what they stand for.
fn tally(events: &[&Event], of: fn(&Event) -> bool) -> Tally {
    let mut all = Tally::default();
    events.iter().filter(|event| of(event)).for_each(|event| all.merge(&Tally::of(1, event.weight)));
    all
}

/// Two topics, at the left and at the right.
pub(super) fn clusters() -> Clusters {
    let mut random = Random::new(1);
    let points: Vec<Vec<f32>> = (0..400).map(|index| near(&mut random, f64::from(index % 2) * 10.0).to_vec()).collect();
    Clusters::train(&points, 2, 30, 1).unwrap()
}

pub(super) fn near(random: &mut Random, x: f64) -> [f32; 2] {
    [(x + random.normal()) as f32, random.normal() as f32]
}

/// The field says which features the texts are seen with, and whether there are clusters yet.
fn topics(field: &str, events: &[&Event]) -> Topics {
    let features = Features::new(2, 32, 5.0, field.len() as u64);
    let clusters = (field != "plain").then(clusters);
    let words = |cluster: usize| vec![format!("word{cluster}"), "also".to_owned()];
    let words = clusters.iter().flat_map(|clusters| (0..clusters.centres().len()).map(words)).collect();
    let mut topics = Topics { mean: features.mean(), shares: clusters.as_ref().map(ClusterShares::new), words };
    for (index, event) in events.iter().enumerate() {
        let unit = (event.at.as_micros(), index);
        topics.mean.add(&features, &event.vector, format!("{unit:?}").as_bytes()).unwrap();
        if let Some((shares, clusters)) = topics.shares.as_mut().zip(clusters.as_ref()) {
            shares.add(clusters, &event.vector).unwrap();
        }
    }
    topics
}

#[derive(Debug, thiserror::Error)]
#[error("the table is away")]
pub(super) struct Away;

impl Fault for Away {
    fn kind(&self) -> mainspring_kernel::FaultKind {
        mainspring_kernel::FaultKind::Unavailable
    }
    fn code(&self) -> &'static str {
        "away"
    }
}

#[async_trait]
impl Measurements for Traffic {
    async fn read(&self, query: Query) -> Result<Vec<Series>, Box<dyn Fault>> {
        if self.away {
            return Err(Box::new(Away));
        }
        let [from, to] = [query.from, query.to].map(|bound| self.events.partition_point(|event| event.at < bound));
        let mut slices = BTreeMap::<Option<String>, BTreeMap<u128, Vec<&Event>>>::new();
        let wanted = |event: &&Event| {
            let services = &query.services;
            query.release.as_ref().is_none_or(|release| release == event.release)
                && (services.is_empty() || services.iter().flatten().any(|service| service == event.service))
        };
        for event in self.events[from..to.max(from)].iter().filter(wanted) {
            let slice = query.slices.as_ref().map(|_| event.slice.to_owned());
            let bucket = event.at.since(query.from).as_micros() / query.step.as_micros();
            slices.entry(slice).or_default().entry(bucket).or_default().push(event);
        }
        let series = slices.into_iter().map(|(slice, buckets)| {
            let points = buckets.into_iter().map(|(bucket, events)| Point {
                at: query.from.plus(query.step * u32::try_from(bucket).unwrap()),
                summary: self.summary(&query.measure, &events),
            });
            Series { slice, points: points.collect() }
        });
        let series = series.collect();
        self.asked.lock().unwrap().push(query);
        Ok(series)
    }

    async fn releases(&self, _filter: Option<&str>, _of: Of, _by: ReleaseOf) -> Result<Vec<ReleaseSeen>, Box<dyn Fault>> {
        let mut releases = Vec::<ReleaseSeen>::new();
        for event in &self.events {
            let of = Some(event.service.to_owned());
            if releases.iter().all(|release| release.name != event.release || release.of != of) {
                releases.push(ReleaseSeen { name: event.release.to_owned(), of, first: event.at });
            }
        }
        Ok(releases)
    }
}

/// A spec as it is applied, with these fields over the usual ones.
pub(super) fn spec(fields: Value) -> MonitorSpec {
    let mut whole = json!({ "measure": { "rate": { "hits": "status = error" } }, "delay": "0s", "recover": "0s" });
    for (name, value) in fields.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let parsed = (descriptor().parse)(&whole).unwrap();
    serde_json::from_value(parsed.canonical).unwrap()
}

/// One evaluation after the other, with the history written down and read again in between.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) spec: MonitorSpec,
    pub(super) traffic: Traffic,
    pub(super) history: History,
}

impl Watch {
    pub(super) fn new(fields: Value) -> Self {
        Self { spec: spec(fields), traffic: Traffic::default(), history: History::default() }
    }

    /// Looks this many minutes after the start.
    pub(super) async fn look(&mut self, minute: f64) -> Evaluation {
        let found = evaluate(&self.spec, &self.traffic, &self.history, at(minute * 60.0)).await.unwrap();
        let written = serde_json::to_string(&found).unwrap();
        let read: Evaluation = serde_json::from_str(&written).unwrap();
        self.history = read.history;
        found
    }
}
