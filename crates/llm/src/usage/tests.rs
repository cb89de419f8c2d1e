use proptest::{
    array::{uniform9, uniform11},
    prelude::*,
};
use serde_json::{Value, json};

use super::{
    PartsFrom,
    Provenance::{self, Counted, Estimated, Instrumented, Reported},
    ServiceTier, TokenUsage,
};

/// In answers, in tables of prices and in what is kept of calls.
#[test]
fn a_tier_of_service_has_one_name() {
    for tier in ServiceTier::ALL {
        let name = tier.as_str();
        assert_eq!((json!(tier), ServiceTier::of(name)), (json!(name), Some(tier)));
    }
}

/// Any numbers from anywhere; parts may be larger than their whole. Of nothing there is nobody who told it.
fn marked() -> impl Strategy<Value = TokenUsage> {
    let number = prop_oneof![Just(0_u64), 0_u64..2_000_000];
    let from = || prop::sample::select(vec![Reported, Counted, Instrumented, Estimated]);
    let tier = prop::option::of(prop::sample::select(ServiceTier::ALL.to_vec()));
    (uniform11(number), (from(), from()), uniform9(from()), tier).prop_map(|(numbers, wholes, parts, tier)| {
        let [input, output, cache_read, cache_write, cache_write_hour, input_audio, input_image, reasoning, ..] = numbers;
        let [.., output_audio, output_image, searches] = numbers;
        let mark = |index: usize| if numbers[index + 2] > 0 { parts[index] } else { Reported };
        TokenUsage {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_hour,
            input_audio,
            input_image,
            reasoning,
            output_audio,
            output_image,
            searches,
            tier,
            input_from: wholes.0,
            output_from: wholes.1,
            parts_from: PartsFrom {
                cache_read: mark(0),
                cache_write: mark(1),
                cache_write_hour: mark(2),
                input_audio: mark(3),
                input_image: mark(4),
                reasoning: mark(5),
                output_audio: mark(6),
                output_image: mark(7),
                searches: mark(8),
            },
        }
    })
}

/// Where a number comes from, if there is one.
fn from(usage: &TokenUsage, name: &str) -> Option<Provenance> {
    usage.numbers().find(|(other, ..)| *other == name).map(|(_, _, from)| from)
}

#[test]
fn a_guess_of_a_whole_leaves_its_parts_as_they_were_told() {
    let told = TokenUsage { input: 1_000, output: 20, cache_read: 600, input_audio: 50, reasoning: 8, ..TokenUsage::default() };
    assert_eq!((&*told.marks(), told.surer().count()), ("reported", 0));
    let mut guessed = TokenUsage { input_from: Estimated, ..told };
    assert_eq!(guessed.marks(), "estimated; output=reported; cache_read=reported; input_audio=reported; reasoning=reported");
    guessed.output_from = Estimated;
    guessed.parts_from.input_audio = Instrumented;
    assert_eq!(guessed.marks(), "estimated; cache_read=reported; input_audio=instrumented; reasoning=reported");
    assert_eq!(guessed.all_from(Counted), told.all_from(Counted));
    assert_eq!(told.all_from(Counted).marks(), "counted");
    assert_eq!(guessed.buckets(), told.buckets(), "no mark is a number");
    let unread = TokenUsage { output: 7, input_from: Estimated, ..TokenUsage::default() };
    assert_eq!((unread.least_sure(), unread.surer().count()), (Reported, 0), "nothing was guessed");
    assert_eq!(TokenUsage { output: 0, ..unread }.least_sure(), Estimated);
}

/// Records are kept for ever, and those of before have no marks of parts.
#[test]
fn parts_of_old_records_come_from_where_their_whole_does_and_are_no_guess() {
    for (wholes, parts) in [
        (["reported", "reported"], [Reported, Reported]),
        (["counted", "counted"], [Counted, Counted]),
        (["estimated", "reported"], [Reported, Reported]),
        (["counted", "estimated"], [Counted, Reported]),
        (["instrumented", "instrumented"], [Instrumented, Instrumented]),
    ] {
        let [input_from, output_from] = wholes;
        let old = json!({"input": 12, "output": 7, "cache_read": 3, "reasoning": 2, "input_from": input_from, "output_from": output_from});
        let read: TokenUsage = serde_json::from_value(old.clone()).unwrap();
        assert_eq!([from(&read, "cache_read"), from(&read, "reasoning")], parts.map(Some), "{old}");
        assert_eq!((from(&read, "input_audio"), read.parts_from.input_audio), (None, Reported), "there is none: {old}");
        assert_eq!(json!(read), old, "what goes without saying is not written");
    }
    let searched = json!({"input": 900, "output": 0, "searches": 3, "input_from": "estimated", "output_from": "estimated"});
    let read: TokenUsage = serde_json::from_value(searched).unwrap();
    assert_eq!(from(&read, "searches"), Some(Estimated), "they were guessed with the input");
}

#[test]
fn a_mark_that_is_not_the_usual_one_is_written() {
    let usage = TokenUsage { input: 12, cache_read: 3, input_audio: 2, input_from: Counted, ..TokenUsage::default() };
    let audio = PartsFrom { input_audio: Instrumented, ..PartsFrom::default() };
    let written = |parts_from: PartsFrom| json!(TokenUsage { parts_from, ..usage })["parts_from"].clone();
    assert_eq!(written(audio), json!({"input_audio": "instrumented"}));
    assert_eq!(written(PartsFrom::default()), json!({}), "all of them were reported, though their whole was not");
    assert_eq!(written(usage.all_from(Counted).parts_from), Value::Null);
}

proptest! {
    #[test]
    fn pieces_add_up_to_the_whole(usage in marked()) {
        prop_assert_eq!(usage.buckets().total(), usage.total());
    }

    #[test]
    fn what_is_written_of_a_usage_is_read_again(usage in marked()) {
        prop_assert_eq!(serde_json::from_value::<TokenUsage>(json!(usage)).unwrap(), usage);
    }

    /// Twice the same word is one, and of two a number has the mark of the one that said it.
    #[test]
    fn a_mark_goes_with_its_number(usage in marked(), later in marked()) {
        let mut seen = usage;
        seen.merge(&usage);
        prop_assert_eq!(seen, usage);
        seen.merge(&later);
        prop_assert_eq!(seen.buckets().total(), seen.total());
        let told = |usage: &TokenUsage, name: &str| usage.numbers().find(|(other, ..)| *other == name);
        for (name, number, from) in seen.numbers() {
            if name != "cache_write" {
                let by = |usage: &TokenUsage| told(usage, name) == Some((name, number, from));
                prop_assert!(by(&usage) || by(&later), "{name}: {usage:?} and {later:?}");
            }
        }
    }

    /// A sum has every token of every attempt once, and is as sure as its least sure part.
    #[test]
    fn attempts_add_up(first in marked(), second in marked()) {
        let mut sum = TokenUsage::default();
        sum.grow_by(&first);
        sum.grow_by(&second);
        for (name, number, mark) in sum.numbers() {
            let of = |usage: &TokenUsage| usage.numbers().find(|(other, ..)| *other == name).map_or(0, |(_, number, _)| number);
            prop_assert_eq!(number, of(&first) + of(&second), "{}", name);
            prop_assert_eq!(Some(mark), from(&first, name).max(from(&second, name)), "{}", name);
        }
        prop_assert_eq!(sum.total(), first.total() + second.total());
        prop_assert_eq!(sum.buckets().total(), sum.total());
    }

    /// However much is guessed to have been written, and of what nobody left open nothing is moved.
    #[test]
    fn a_sum_that_is_divided_stays_the_sum(total in 1_u64..1_000_000, written in any::<u64>(), other in marked()) {
        let mut usage = TokenUsage { input: total, ..TokenUsage::default() }.undivided();
        prop_assert!(usage.divide(written));
        prop_assert_eq!((usage.total(), usage.output), (total, written.min(total)));
        prop_assert_eq!(usage.least_sure(), Provenance::Estimated);
        let mut reported = other.all_from(Provenance::Reported);
        prop_assert!(!reported.divide(written));
        prop_assert_eq!(reported, other.all_from(Provenance::Reported));
    }

    /// Providers send any number, the largest there is among them.
    #[test]
    fn numbers_that_no_call_has_do_not_overflow(input in any::<u64>(), output in any::<u64>(), part in any::<u64>()) {
        let usage = TokenUsage { input, output, cache_read: part, reasoning: part, ..TokenUsage::default() };
        let largest = TokenUsage { input: u64::MAX, output: u64::MAX, ..usage };
        prop_assert_eq!(usage.buckets().total(), usage.total());
        prop_assert_eq!(largest.buckets().total(), u64::MAX);
    }

    /// An event says how much was written for how long, the next only how much in all.
    #[test]
    fn what_was_written_to_the_cache_is_told_twice_and_counted_once(five in 0_u64..1_000_000, hour in 0_u64..1_000_000, more in 0_u64..1_000_000) {
        let mut seen = TokenUsage { input: five + hour, cache_write: five, cache_write_hour: hour, ..TokenUsage::default() };
        let whole = five + hour + more;
        let later = TokenUsage { input: whole, cache_write: whole, ..TokenUsage::default() };
        for _ in 0..2 {
            seen.merge(&later);
            prop_assert_eq!((seen.cache_write, seen.cache_write_hour), (five + more, hour));
            prop_assert_eq!(seen.buckets().input, 0);
        }
    }
}
