use std::time::Duration;

use mainspring_kernel::{Money, Timestamp};
use mainspring_llm::{Provenance, TokenUsage};
use proptest::prelude::*;

use super::{Prepared, Settled, ended_at, unpack, unpriced};
use crate::{
    ledger::{
        limit::{Amount, Limit, Metric, SubjectKind},
        tests::record,
    },
    record::{AttemptCharge, CallRecord, CallStatus},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn settled(records: &[CallRecord]) -> Vec<Settled> {
    records.iter().cloned().map(Settled::new).collect()
}

fn budget(kind: SubjectKind, subject: &str, metric: Metric) -> Limit {
    let id = mainspring_kernel::id::LimitId::from_raw(1);
    let created_by = mainspring_kernel::id::PrincipalId::from_raw(1);
    let project = record(1).caller.project;
    let amount = Amount::Money(Money::from_dollars(1));
    Limit { id, project, kind, subject: subject.to_owned(), metric, amount, created: Timestamp::default(), created_by }
}

#[test]
fn a_segment_holds_the_calls_of_one_hour_in_the_order_they_ended() {
    let mut records: Vec<CallRecord> = (0..6).map(record).collect();
    for (index, record) in records.iter_mut().enumerate() {
        // Each ends before the one that began before it.
        record.took_ms = 60_000 - u32::try_from(index).unwrap() * 20_000 / 2;
        record.at = record.at.plus(Duration::from_millis(index as u64));
    }
    records[5].at = records[5].at.plus(HOUR);
    let prepared = Prepared::of(&settled(&records), "owner/1").unwrap();
    assert_eq!(prepared.segments.len(), 2);
    let first = &prepared.segments[0];
    assert_eq!((first.calls, first.id.as_str()), (5, "owner/1/0"));
    let read = unpack(&first.records).unwrap();
    assert!(read.is_sorted_by_key(|record| (ended_at(record), record.id)));
    assert_eq!((first.first_end, first.last_end), (ended_at(&read[0]), ended_at(&read[4])));
    assert_eq!(first.first_at, records[0].at);
    let mut ids: Vec<_> = read.iter().map(|record| record.id.as_raw()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 3, 4]);
}

#[test]
fn sums_tell_groups_apart_and_count_what_nobody_priced() {
    let mut records: Vec<CallRecord> = (0..4).map(record).collect();
    records[1].status = CallStatus::Failed;
    records[2].price = None;
    records[3].price = None;
    records[3].usage = TokenUsage::default();
    assert!(unpriced(&records[2]).is_some() && unpriced(&records[3]).is_none(), "a call that used nothing has no price to miss");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&Prepared::of(&settled(&records), "o").unwrap().rows()).unwrap();
    let of = |entry: &str, field: &str| -> u64 {
        rows.iter().filter(|row| row["price_entry"] == entry).map(|row| row[field].as_u64().unwrap()).sum()
    };
    let entry = records[0].price.as_ref().unwrap().entry.as_str();
    assert_eq!((of(entry, "calls"), of(entry, "failed"), of(entry, "unpriced")), (2, 1, 0));
    assert_eq!((of("", "calls"), of("", "unpriced")), (2, 1));
    assert_eq!(of(entry, "input"), 2 * records[0].usage.input);
}

/// A call that failed at one provider and was answered by another is one call, and each of them is paid its own.
#[test]
fn money_is_counted_where_it_was_spent() {
    let mut failed_over = record(0);
    let charge = |provider: &str, input: u64, cost: i128| AttemptCharge {
        provider: provider.to_owned(),
        target: "a".to_owned(),
        usage: TokenUsage { input, ..TokenUsage::default() },
        cost: Money::from_pico(cost),
        price: failed_over.price.clone().filter(|_| provider != "free"),
    };
    let charges = vec![
        charge("first", 10, 100),
        charge("first", 10, 100),
        charge("free", 7, 0),
        charge("free", 7, 0),
        charge("second", 5, 50),
    ];
    failed_over.usage = TokenUsage { input: 39, ..TokenUsage::default() };
    failed_over.cost = Money::from_pico(250);
    (failed_over.provider, failed_over.target) = (Some("second".to_owned()), Some("a".to_owned()));
    failed_over.charges = charges;
    let prepared = Prepared::of(&settled(&[failed_over]), "o").unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&prepared.rows()).unwrap();
    let row = |provider: &str| {
        let row = rows.iter().find(|row| row["provider"] == provider).unwrap();
        ["calls", "unpriced", "input", "cost"].map(|field| row[field].as_u64().unwrap())
    };
    assert_eq!((row("first"), row("free"), row("second")), ([0, 0, 20, 200], [0, 1, 14, 0], [1, 0, 5, 50]));
    assert_eq!((rows.len(), prepared.segments[0].cost), (3, 250));
}

#[test]
fn what_the_shown_target_was_paid_alone_is_told_once() {
    let base = record(0);
    let (provider, target) = (base.provider.clone().unwrap(), base.target.clone().unwrap());
    let own = AttemptCharge { provider, target, usage: base.usage, cost: base.cost, price: base.price.clone() };
    let other = AttemptCharge { provider: "other".to_owned(), price: None, ..own.clone() };
    for (charges, kept, priced) in [
        (vec![own.clone()], 0, true),
        (vec![other.clone()], 1, false),
        (vec![own.clone(), own.clone()], 2, true),
        (vec![own, other], 2, true),
        (Vec::new(), 0, true),
    ] {
        let mut record = CallRecord { charges, ..base.clone() };
        record.conclude();
        assert_eq!((record.charges.len(), record.price.is_some()), (kept, priced), "{record:?}");
        assert_eq!(record.parts().count(), kept.max(1));
    }
}

/// Each attempt's numbers are as sure as that attempt's, and a sum says how much of it is a guess.
#[test]
fn what_was_guessed_is_told_apart_in_sums() {
    let mut records: Vec<CallRecord> = (0..3).map(record).collect();
    records[0].usage.output_from = Provenance::Estimated;
    records[1].usage.input_from = Provenance::Counted;
    let part = |input: u64, from: Provenance| AttemptCharge {
        provider: records[2].provider.clone().unwrap(),
        target: records[2].target.clone().unwrap(),
        usage: TokenUsage { input, input_from: from, ..TokenUsage::default() },
        cost: Money::ZERO,
        price: records[2].price.clone(),
    };
    let charges = vec![part(30, Provenance::Estimated), part(70, Provenance::Reported)];
    records[2].usage = TokenUsage { input: 100, input_from: Provenance::Estimated, ..TokenUsage::default() };
    records[2].charges = charges;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&Prepared::of(&settled(&records), "o").unwrap().rows()).unwrap();
    let row = ["calls", "input", "input_estimated", "output", "output_estimated"].map(|field| rows[0][field].as_u64().unwrap());
    assert_eq!((rows.len(), row), (1, [3, 2_100, 30, 1_000, 500]));
}

#[test]
fn budgets_are_moved_by_the_calls_that_are_theirs() {
    let mut records: Vec<CallRecord> = (0..3).map(record).collect();
    records[1].caller.user = Some("bob".to_owned());
    records[2].caller.user = None;
    let prepared = Prepared::of(&settled(&records), "o").unwrap();
    let spends = prepared.spends(vec![
        budget(SubjectKind::Project, "*", Metric::UsdPerMonth),
        budget(SubjectKind::User, "*", Metric::UsdPerDay),
        budget(SubjectKind::Model, "other", Metric::UsdPerDay),
    ]);
    let one = i64::try_from(records[0].cost.as_pico()).unwrap();
    let found: Vec<(&str, &str, i64)> =
        spends.iter().map(|spend| (spend.key.kind.as_str(), spend.key.subject.as_str(), spend.amount)).collect();
    assert_eq!(found, [("project", "*", 3 * one), ("user", "", one), ("user", "ann", one), ("user", "bob", one)]);
}

proptest! {
    #[test]
    fn no_bytes_panic_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let _ = unpack(&bytes);
    }

    #[test]
    fn no_mutation_panics_the_reader(at in any::<prop::sample::Index>(), byte in any::<u8>(), keep in any::<prop::sample::Index>()) {
        let records: Vec<CallRecord> = (0..3).map(record).collect();
        let mut packed = Prepared::of(&settled(&records), "o").unwrap().segments[0].records.clone();
        let at = at.index(packed.len());
        packed[at] = byte;
        packed.truncate(keep.index(packed.len()) + 1);
        let _ = unpack(&packed);
    }

    /// Nothing of a batch is lost or counted twice on its way to rows.
    #[test]
    fn sums_and_segments_come_to_the_same(calls in proptest::collection::vec((0_u64..10_000, 0_u64..10_000, 0_i128..1_000_000_000_000, 0_u64..10_000_000, 0_u8..3), 1..60)) {
        let records: Vec<CallRecord> = calls.iter().enumerate().map(|(number, (input, output, cost, millis, user))| {
            let mut record = record(number as u128);
            record.usage = TokenUsage { input: *input, output: *output, ..TokenUsage::default() };
            record.cost = Money::from_pico(*cost);
            record.at = record.at.plus(Duration::from_millis(*millis));
            record.caller.user = Some(user.to_string());
            record
        }).collect();
        let prepared = Prepared::of(&settled(&records), "o").unwrap();
        let cost: i128 = records.iter().map(|record| record.cost.as_pico()).sum();
        prop_assert_eq!(prepared.segments.iter().map(|segment| i128::from(segment.cost)).sum::<i128>(), cost);
        prop_assert_eq!(prepared.sums.iter().map(|sum| i128::from(sum.cost)).sum::<i128>(), cost);
        prop_assert_eq!(prepared.sums.iter().map(|sum| sum.calls).sum::<u64>(), records.len() as u64);
        prop_assert_eq!(prepared.sums.iter().map(|sum| sum.input + sum.output).sum::<u64>(), records.iter().map(|record| record.usage.total()).sum::<u64>());
        let read: usize = prepared.segments.iter().map(|segment| unpack(&segment.records).unwrap().len()).sum();
        prop_assert_eq!(read, records.len());
    }
}
