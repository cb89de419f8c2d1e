//! Sixteen numbers at a time, on processors with AVX-512 and its bf16, which every `Unit` comes with.
#![expect(unsafe_code, reason = "loads and stores go through pointers, to arrays whose length the types give")]

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512i, _mm256_storeu_si256, _mm512_abs_ps, _mm512_add_ps, _mm512_cvtneps_pbh, _mm512_fmadd_ps,
    _mm512_i32gather_epi32, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_max_ps, _mm512_mul_ps, _mm512_mullo_epi32,
    _mm512_permutex2var_epi16, _mm512_rcp14_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps,
    _mm512_scalef_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setr_epi32, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
};

use super::unit::{BLOCK, PANEL_STEP};

pub(super) const LANES: usize = 16;

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn load(from: &[f32; LANES]) -> __m512 {
    // SAFETY: sixteen floats are 64 bytes.
    unsafe { _mm512_loadu_ps(from.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn store(value: __m512, to: &mut [f32; LANES]) {
    // SAFETY: sixteen floats are 64 bytes.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr(), value) }
}

/// As bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn round(value: __m512, to: &mut [u16; LANES]) {
    // SAFETY: sixteen bf16 are 32 bytes, which `__m256bh` and `__m256i` are too.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value))) }
}

/// `value · by + add`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn scaled(value: __m512, by: __m512, add: __m512) -> __m512 {
    _mm512_fmadd_ps(value, by, add)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn sum(a: __m512, b: __m512) -> __m512 {
    _mm512_add_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn product(a: __m512, b: f32) -> __m512 {
    _mm512_mul_ps(a, _mm512_set1_ps(b))
}

/// A polynomial by Horner's rule, the highest coefficient first.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
fn polynomial<const N: usize>(x: __m512, coefficients: [f32; N]) -> __m512 {
    let mut value = _mm512_set1_ps(coefficients[0]);
    for coefficient in &coefficients[1..] {
        value = _mm512_fmadd_ps(value, x, _mm512_set1_ps(*coefficient));
    }
    value
}

/// Two to the power of `x`, for `x` below 128; what is below -126 is as good as zero. The fraction by its
/// Taylor series, within 3e-6 of the value.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
fn exp2(x: __m512) -> __m512 {
    const LN2: f32 = std::f32::consts::LN_2;
    const SERIES: [f32; 6] =
        [LN2 * LN2 * LN2 * LN2 * LN2 / 120.0, LN2 * LN2 * LN2 * LN2 / 24.0, LN2 * LN2 * LN2 / 6.0, LN2 * LN2 / 2.0, LN2, 1.0];
    let x = _mm512_max_ps(x, _mm512_set1_ps(-127.0));
    let whole = _mm512_roundscale_ps::<0>(x);
    _mm512_scalef_ps(polynomial(_mm512_sub_ps(x, whole), SERIES), whole)
}

/// GELU with the error function, which is Abramowitz and Stegun's 7.1.26 (to 1.5e-7, and the reciprocal to 2^-14).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn gelu(x: __m512) -> __m512 {
    const P: f32 = 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2;
    const SERIES: [f32; 6] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6, 0.0];
    let size = _mm512_abs_ps(x);
    let t = _mm512_rcp14_ps(_mm512_fmadd_ps(size, _mm512_set1_ps(P), _mm512_set1_ps(1.0)));
    let bell = exp2(_mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.5 * std::f32::consts::LOG2_E)));
    // 1 - erf(|x|/√2), halved and times |x|: what GELU lacks to the positive part of x.
    let lacks = _mm512_mul_ps(_mm512_mul_ps(polynomial(t, SERIES), bell), _mm512_mul_ps(size, _mm512_set1_ps(0.5)));
    _mm512_sub_ps(_mm512_max_ps(x, _mm512_setzero_ps()), lacks)
}

/// Layer normalisation of a row in place, and the same rounded.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn normalise(row: &mut [f32], weight: &[f32], bias: &[f32], rounded: &mut [u16]) {
    const EPSILON: f32 = 1e-12;
    let size = row.len() as f32;
    let row = row.as_chunks_mut::<LANES>().0;
    let mut total = _mm512_setzero_ps();
    for part in &*row {
        total = _mm512_add_ps(total, load(part));
    }
    let mean = _mm512_set1_ps(_mm512_reduce_add_ps(total) / size);
    let mut squares = _mm512_setzero_ps();
    for part in &*row {
        let off = _mm512_sub_ps(load(part), mean);
        squares = _mm512_fmadd_ps(off, off, squares);
    }
    let by = _mm512_set1_ps((_mm512_reduce_add_ps(squares) / size + EPSILON).sqrt().recip());
    let (weight, bias) = (weight.as_chunks::<LANES>().0, bias.as_chunks::<LANES>().0);
    for (((part, weight), bias), rounded) in row.iter_mut().zip(weight).zip(bias).zip(rounded.as_chunks_mut::<LANES>().0) {
        let value = _mm512_mul_ps(_mm512_sub_ps(load(part), mean), by);
        let value = _mm512_fmadd_ps(value, load(weight), load(bias));
        store(value, part);
        round(value, rounded);
    }
}

/// The row's powers of two, the highest of them one, rounded; and the reciprocal of their sum. What stands
/// behind the first `len` scores counts as never looked at.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn soften(scores: &mut [f32], len: usize, powers: &mut [u16]) -> f32 {
    scores[len..].fill(f32::MIN);
    let scores = scores.as_chunks::<LANES>().0;
    let mut highest = _mm512_set1_ps(f32::MIN);
    for part in scores {
        highest = _mm512_max_ps(highest, load(part));
    }
    let highest = _mm512_set1_ps(_mm512_reduce_max_ps(highest));
    let mut total = _mm512_setzero_ps();
    for (part, powers) in scores.iter().zip(powers.as_chunks_mut::<LANES>().0) {
        let power = exp2(_mm512_sub_ps(load(part), highest));
        total = _mm512_add_ps(total, power);
        round(power, powers);
    }
    _mm512_reduce_add_ps(total).recip()
}

/// One head's keys of 32 tokens as panels whose columns are the tokens. `keys` starts at the first of them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn pack_keys(keys: &[u16], stride: usize, width: usize, panel: &mut [u16]) {
    assert!(keys.len() >= (BLOCK - 1) * stride + width, "the keys are there");
    let ones = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let tokens = _mm512_mullo_epi32(ones, _mm512_set1_epi32((stride / 2) as i32));
    for (number, row) in panel.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        let (step, half, pair) = (number / BLOCK, number / LANES % 2, number % LANES);
        let first = half * LANES * stride + step * BLOCK + pair * 2;
        // SAFETY: the furthest pair read is the last of the 32nd token's, which was checked to be there.
        unsafe {
            let pairs = _mm512_i32gather_epi32::<4>(tokens, keys.as_ptr().add(first).cast());
            store_pairs(pairs, row);
        }
    }
}

/// Thirty-two columns of one head's values, of `len` tokens, as a panel whose rows are the tokens; zeros behind.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn pack_values(values: &[u16], stride: usize, len: usize, panel: &mut [u16]) {
    let mut low = [0_u16; BLOCK];
    let mut high = [0_u16; BLOCK];
    for pair in 0..LANES as u16 {
        let at = usize::from(pair) * 2;
        (low[at], low[at + 1]) = (pair, pair + 32);
        (high[at], high[at + 1]) = (pair + 16, pair + 48);
    }
    let (low, high) = (load_pairs(&low), load_pairs(&high));
    let row = |token: usize| match values.get(token * stride..).and_then(<[u16]>::first_chunk) {
        Some(row) if token < len => load_pairs(row),
        _ => zeros(),
    };
    for (step, tiles) in panel.as_chunks_mut::<PANEL_STEP>().0.iter_mut().enumerate() {
        let (left, right) = tiles.split_at_mut(PANEL_STEP / 2);
        let tiles = left.as_chunks_mut::<BLOCK>().0.iter_mut().zip(right.as_chunks_mut::<BLOCK>().0);
        for (pair, (left, right)) in tiles.enumerate() {
            let token = step * BLOCK + pair * 2;
            let (first, second) = (row(token), row(token + 1));
            store_pairs(_mm512_permutex2var_epi16(first, low, second), left);
            store_pairs(_mm512_permutex2var_epi16(first, high, second), right);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
fn zeros() -> __m512i {
    _mm512_setzero_si512()
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
fn load_pairs(from: &[u16; BLOCK]) -> __m512i {
    // SAFETY: 32 of two bytes are 64 bytes.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
fn store_pairs(value: __m512i, to: &mut [u16; BLOCK]) {
    // SAFETY: 32 of two bytes are 64 bytes.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), value) }
}
