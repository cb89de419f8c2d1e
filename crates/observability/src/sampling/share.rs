//! Which traces are in the share of them that is kept.

use mainspring_llm::TraceId;

/// Where in the share of all traces one stands, from 0 to 1: the same on every server, and none that senders choose by.
pub(super) fn place_of(trace: TraceId) -> f64 {
    let number = u128::from_be_bytes(*trace.as_bytes());
    let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
    let mixed = mix(half(number >> 64) ^ mix(half(number)));
    f64::from(u32::try_from(mixed >> 32).unwrap_or_default()) / 4_294_967_296.0
}

/// The end of splitmix64.
const fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
