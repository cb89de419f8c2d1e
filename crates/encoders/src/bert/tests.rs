//! The kernels beside plain arithmetic.
#![expect(unsafe_code, reason = "whether the processor can is known by the unit, not by the types")]

use proptest::prelude::*;

use super::{
    buffer::Aligned,
    math::{LANES, gelu, load, store},
    recognise::{Linear, Table, Values},
    unit::{BLOCK, Block, Unit},
    weights::{Panels, bf16},
};

fn value(bf16: u16) -> f32 {
    f32::from_bits(u32::from(bf16) << 16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every unit gives the sums of products, for every shape that the layers and attention ask for.
    #[test]
    fn products_are_right(steps in 1_usize..5, columns in 1_usize..4, two in any::<bool>(), more in 0_usize..3, seed in any::<u32>()) {
        let (rows, inputs, outputs) = (if two { 32 } else { 16 }, steps * BLOCK, columns * BLOCK);
        let stride = inputs + more * 32;
        let number = |i: usize| (((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 20) % 255) as f32 - 127.0;
        let weights: Vec<f32> = (0..inputs * outputs).map(number).collect();
        let weight = Table { rows: inputs, columns: outputs, values: Values::Float(weights.clone()) };
        let panels = Panels::of(&[&Linear { weight, bias: vec![0.0; outputs] }]);
        let mut a = Aligned::<u16>::zeroed(rows * stride);
        a.iter_mut().enumerate().for_each(|(i, a)| *a = bf16(number(i + 77)));
        for unit in Unit::all() {
            let ready = unit.ready();
            for column in 0..columns {
                let mut c = Aligned::<f32>::zeroed(rows * 64);
                ready.multiply(Block { rows, steps, a: &a, a_stride: stride, panel: panels.panel(column), c: &mut c, c_stride: 64 });
                for row in 0..rows {
                    for at in 0..BLOCK {
                        // Integers of eight bits: exact in f32 up to 2^24, in whatever order.
                        let products = (0..inputs).map(|i| value(a[row * stride + i]) * weights[i * outputs + column * BLOCK + at]);
                        prop_assert_eq!(c[row * 64 + at], products.sum::<f32>(), "{:?} row {} column {}", unit, row, at);
                    }
                    prop_assert!(c[row * 64 + BLOCK..(row + 1) * 64].iter().all(|beside| *beside == 0.0));
                }
            }
        }
    }

    #[test]
    fn rounding_is_to_the_nearest(bits in any::<u32>()) {
        let exact = f32::from_bits(bits);
        prop_assume!(exact.is_finite() && exact.abs() < 1e38);
        let rounded = value(bf16(exact));
        let step = value((exact.to_bits() >> 16) as u16 + 1) - value((exact.to_bits() >> 16) as u16);
        prop_assert!((rounded - exact).abs() <= step.abs() / 2.0, "{exact} became {rounded}");
    }
}

#[test]
fn integers_of_eight_bits_are_exact() {
    for integer in -256_i16..=256 {
        assert_eq!(value(bf16(f32::from(integer))), f32::from(integer));
    }
}

#[test]
fn gelu_is_the_one_with_the_error_function() {
    if Unit::all().is_empty() {
        return;
    }
    for hundredth in -1_200..1_200_i16 {
        let x = f32::from(hundredth) / 100.0;
        let mut ours = [0.0; LANES];
        // SAFETY: there is a unit, so the processor has what these want.
        unsafe { store(gelu(load(&[x; LANES])), &mut ours) };
        // erf by its series, which is exact enough within three, and one beyond it to six digits.
        let z = f64::from(x) / std::f64::consts::SQRT_2;
        let mut term = z;
        let mut series = z;
        for n in 1..60 {
            term *= -z * z / f64::from(n);
            series += term / f64::from(2 * n + 1);
        }
        let erf = if z.abs() < 3.4 { series * std::f64::consts::FRAC_2_SQRT_PI } else { z.signum() };
        let exact = 0.5 * f64::from(x) * (1.0 + erf);
        assert!((f64::from(ours[0]) - exact).abs() < 1e-4, "{x}: {} instead of {exact}", ours[0]);
    }
}
