//! In which order a call asks its targets. Pure: what is known of the targets and the dice are handed in.

use std::fmt;

use mainspring_kernel::Money;
use rand::Rng;

use crate::{breaker::Standing, route::Choose};

/// What the choice looks at of a target.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) weight: u32,
    pub(crate) tier: u32,
    pub(crate) standing: Standing,
    /// How long it lately took to begin, bad moments weighing more; absent while nobody knows.
    pub(crate) begin_ms: Option<f64>,
    pub(crate) in_flight: u32,
    /// What this call would cost there; absent without a price.
    pub(crate) cost: Option<Money>,
    /// Which target it is, the same in every process.
    pub(crate) id: u64,
    /// Why it cannot take this call at all.
    pub(crate) bar: Option<Bar>,
}

/// Why a target is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bar {
    /// The call surely has more tokens than fit.
    ContextWindow { tokens: u64, window: u32 },
    /// Its dialect has no such operation.
    Unsupported,
    /// Its breaker is open, or it is half open and being probed.
    Unwell(Standing),
    /// It has as many calls at once as its provider allows.
    Busy,
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContextWindow { tokens, window } => {
                write!(f, "the call has at least {tokens} tokens and the window is {window}")
            }
            Self::Unsupported => f.write_str("it has no such operation"),
            Self::Unwell(Standing::Open { wait_ms }) => write!(f, "its breaker is open for another {wait_ms} ms"),
            Self::Unwell(standing) => write!(f, "its breaker is {}", standing.as_str()),
            Self::Busy => f.write_str("its provider is busy with as many calls as it may have at once"),
        }
    }
}

/// A target in its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picked {
    pub(crate) index: usize,
    pub(crate) why: Why,
}

/// Why a target stands where it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Why {
    Only,
    /// Calls of one key go there.
    Sticky,
    /// Calls of one key go there where nobody before it takes them.
    StickyThen,
    Drawn {
        weight: u32,
        of: u32,
    },
    Written,
    Sooner {
        ms: f64,
    },
    /// Nobody knows yet how soon it begins.
    Untried,
    Cheaper {
        cost: Money,
    },
    Unpriced,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("the only one of its tier that is well"),
            Self::Sticky => f.write_str("calls like this one stay with it"),
            Self::StickyThen => f.write_str("calls like this one go to it where those before it do not take them"),
            Self::Drawn { weight, of } => write!(f, "drawn by weight {weight} of {of}"),
            Self::Written => f.write_str("in the order written"),
            Self::Sooner { ms } => write!(f, "lately began after {ms:.0} ms"),
            Self::Untried => f.write_str("not tried lately"),
            Self::Cheaper { cost } => write!(f, "would cost {cost} dollars"),
            Self::Unpriced => f.write_str("nobody knows its price"),
        }
    }
}

/// The targets to ask, in order, and those left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Order {
    pub(crate) picked: Vec<Picked>,
    pub(crate) barred: Vec<(usize, Bar)>,
    /// The target that is asked first whatever the rest say, as soon as it can be asked.
    pub(crate) preferred: Option<usize>,
}

impl Order {
    /// Asks a target first, whatever its tier, if it can be asked.
    pub(crate) fn prefer(&mut self, index: usize) {
        self.preferred = Some(index);
        if let Some(place) = self.picked.iter().position(|picked| picked.index == index) {
            self.picked[..=place].rotate_right(1);
        }
    }
}

/// Tier by tier; within a tier as the route says, or by what is sticky.
pub(crate) fn order(seen: &[Seen], choose: Choose, sticky: Option<u64>, dice: &mut impl Rng) -> Order {
    let mut order = Order::default();
    let mut usable: Vec<usize> = Vec::with_capacity(seen.len());
    for (index, target) in seen.iter().enumerate() {
        match (target.bar, target.standing) {
            (Some(bar), _) => order.barred.push((index, bar)),
            (None, standing @ Standing::Open { .. }) => order.barred.push((index, Bar::Unwell(standing))),
            (None, _) => usable.push(index),
        }
    }
    usable.sort_by_key(|index| seen[*index].tier);
    for tier in usable.chunk_by(|a, b| seen[*a].tier == seen[*b].tier) {
        match (tier, sticky) {
            ([only], _) => order.picked.push(Picked { index: *only, why: Why::Only }),
            (_, Some(key)) => {
                for index in by_key(seen, tier, key) {
                    // The first of a later tier is not where calls stay: it is asked when those before it have failed.
                    let why = if order.picked.is_empty() { Why::Sticky } else { Why::StickyThen };
                    order.picked.push(Picked { index, why });
                }
            }
            (_, None) => order.picked.extend(by_policy(seen, tier, choose, dice)),
        }
    }
    order
}

fn by_policy(seen: &[Seen], tier: &[usize], choose: Choose, dice: &mut impl Rng) -> Vec<Picked> {
    match choose {
        Choose::First => tier.iter().map(|index| Picked { index: *index, why: Why::Written }).collect(),
        Choose::Weighted => by_weight(seen, tier, dice),
        Choose::Latency => by_latency(seen, tier, dice),
        Choose::Cost => by_cost(seen, tier),
    }
}

/// Draws without putting back: each place goes to a target with the probability of its share among those left.
fn by_weight(seen: &[Seen], tier: &[usize], dice: &mut impl Rng) -> Vec<Picked> {
    let mut left = tier.to_vec();
    let mut picked = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let of: u32 = left.iter().fold(0, |sum, index| sum.saturating_add(seen[*index].weight));
        let place = draw(seen, &left, of, dice);
        let index = left.remove(place);
        picked.push(Picked { index, why: Why::Drawn { weight: seen[index].weight, of } });
    }
    picked
}

/// A place in `left`. Targets of weight zero come after all others, as written.
fn draw(seen: &[Seen], left: &[usize], of: u32, dice: &mut impl Rng) -> usize {
    if of == 0 {
        return 0;
    }
    let mut drawn = dice.random_range(0..of);
    for (place, index) in left.iter().enumerate() {
        let weight = seen[*index].weight;
        if drawn < weight {
            return place;
        }
        drawn -= weight;
    }
    0
}

/// Of two drawn by weight the one that begins sooner; the rest follow by the same measure. Two and not all, so that
/// callers who saw the same numbers do not all run to the same target.
fn by_latency(seen: &[Seen], tier: &[usize], dice: &mut impl Rng) -> Vec<Picked> {
    // A call that waits behind others begins later.
    let load = |index: usize| seen[index].begin_ms.unwrap_or(0.0) * f64::from(seen[index].in_flight.saturating_add(1));
    let mut drawn: Vec<usize> = by_weight(seen, tier, dice).into_iter().map(|picked| picked.index).collect();
    if load(drawn[1]) < load(drawn[0]) {
        drawn.swap(0, 1);
    }
    drawn[1..].sort_by(|a, b| load(*a).total_cmp(&load(*b)));
    let why = |index: usize| seen[index].begin_ms.map_or(Why::Untried, |ms| Why::Sooner { ms });
    drawn.into_iter().map(|index| Picked { index, why: why(index) }).collect()
}

/// The cheapest first; what has no price comes last, since it may cost anything.
fn by_cost(seen: &[Seen], tier: &[usize]) -> Vec<Picked> {
    let mut sorted = tier.to_vec();
    sorted.sort_by_key(|index| (seen[*index].cost.is_none(), seen[*index].cost));
    let why = |index: usize| seen[index].cost.map_or(Why::Unpriced, |cost| Why::Cheaper { cost });
    sorted.into_iter().map(|index| Picked { index, why: why(index) }).collect()
}

/// Weighted rendezvous hashing: every target draws a number from the key, the highest wins. A target that comes or goes
/// moves only the keys that were or will be its own.
fn by_key(seen: &[Seen], tier: &[usize], key: u64) -> Vec<usize> {
    let score = |index: usize| {
        let target = &seen[index];
        // 53 bits, moved off zero: a number strictly between 0 and 1.
        let unit = ((mix(key ^ mix(target.id)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -f64::from(target.weight) / unit.ln()
    };
    let mut sorted = tier.to_vec();
    sorted.sort_by(|a, b| score(*b).total_cmp(&score(*a)).then(a.cmp(b)));
    sorted
}

/// The same number for the same text in every process and every version.
pub(crate) fn stable_hash(text: &[u8]) -> u64 {
    let fnv = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    mix(fnv)
}

/// Spreads the bits: neighbours become strangers.
const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
