//! Functions that p-values and intervals are made of, by the formulas of the NIST Digital Library of Mathematical
//! Functions (DLMF). Arguments out of range give what the nearest argument in range gives; nothing panics.

/// Lanczos's approximation with g = 7 and nine terms (relative error below 1e-13), and Euler's reflection below 1/2.
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    const FIRST: f64 = 0.999_999_999_999_809_9;
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin().abs()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum = TERMS.iter().enumerate().fold(FIRST, |sum, (index, term)| sum + term / (x + 1.0 + index as f64));
    let base = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * base.ln() - base + sum.ln()
}

#[must_use]
pub fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The logarithm of "n choose k".
#[must_use]
pub fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
}

/// Where a continued fraction or a series is near enough.
const ENOUGH: f64 = 1e-15;
/// More terms than any argument here needs.
const TERMS_AT_MOST: usize = 20_000;
/// Stands for a zero that a continued fraction would divide by (Lentz's method).
const TINY: f64 = 1e-300;

fn not_zero(x: f64) -> f64 {
    if x.abs() < TINY { TINY } else { x }
}

/// The regularised incomplete beta function, DLMF 8.17: the probability that a Beta(a, b) variable is at most `x`.
#[must_use]
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    ln_beta_cdf(x, a, b).exp().min(1.0)
}

/// Its logarithm, exact also where the probability itself is too small for a number.
#[must_use]
pub fn ln_beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x.is_nan() {
        return f64::NEG_INFINITY;
    }
    if x >= 1.0 {
        return 0.0;
    }
    if x < (a + 1.0) / (a + b + 2.0) {
        return ln_lower_beta(x, a, b).min(0.0);
    }
    (-ln_lower_beta(1.0 - x, b, a).exp().min(1.0)).ln_1p()
}

/// DLMF 8.17.22 by Lentz's method; converges fast for `x` below the mean.
fn ln_lower_beta(x: f64, a: f64, b: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..TERMS_AT_MOST {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / not_zero(1.0 + even * d);
        c = not_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / not_zero(1.0 + odd * d);
        c = not_zero(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < ENOUGH {
            break;
        }
    }
    a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b) - a.ln() + fraction.ln()
}

/// The regularised upper incomplete gamma function Q(a, x): by series (DLMF 8.11.4) below a + 1, else by continued
/// fraction (DLMF 8.9.2).
#[must_use]
pub fn gamma_tail(a: f64, x: f64) -> f64 {
    if x <= 0.0 || x.is_nan() {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    let front = a * x.ln() - x - ln_gamma(a);
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..TERMS_AT_MOST {
            term *= x / (a + n as f64);
            sum += term;
            if term < sum * ENOUGH {
                break;
            }
        }
        return (1.0 - (front.exp() * sum)).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / not_zero(b);
    let mut fraction = d;
    for n in 1..TERMS_AT_MOST {
        let n = n as f64;
        let numerator = -n * (n - a);
        b += 2.0;
        d = 1.0 / not_zero(numerator * d + b);
        c = not_zero(b + numerator / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < ENOUGH {
            break;
        }
    }
    (front.exp() * fraction).clamp(0.0, 1.0)
}

/// The probability that a chi-squared variable exceeds `x`.
#[must_use]
pub fn chi_squared_tail(x: f64, degrees: f64) -> f64 {
    gamma_tail(degrees / 2.0, x / 2.0)
}

/// What a chi-squared variable exceeds with this probability.
#[must_use]
pub fn chi_squared_critical(probability: f64, degrees: f64) -> f64 {
    let mut high = degrees.max(1.0);
    while chi_squared_tail(high, degrees) > probability && high < 1e12 {
        high *= 2.0;
    }
    halve(0.0, high, |x| chi_squared_tail(x, degrees) > probability)
}

/// The point of [low, high] up to which `holds`, which holds on the left and not on the right of it.
pub(crate) fn halve(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

/// The probability that a standard normal variable exceeds `z`.
#[must_use]
pub fn normal_tail(z: f64) -> f64 {
    let half = 0.5 * gamma_tail(0.5, z * z / 2.0);
    if z > 0.0 { half } else { 1.0 - half }
}

#[must_use]
pub fn normal_cdf(z: f64) -> f64 {
    normal_tail(-z)
}

/// The inverse of `normal_cdf`: a first guess (Abramowitz and Stegun 26.2.23) and Halley's steps to full precision.
#[must_use]
pub fn normal_quantile(probability: f64) -> f64 {
    if probability.is_nan() {
        return f64::NAN;
    }
    if probability <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    let tail = probability.min(1.0 - probability);
    let t = (-2.0 * tail.ln()).sqrt();
    let top = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let bottom = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = t - top / bottom;
    for _ in 0..4 {
        let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let off = (tail - normal_tail(z)) / density;
        z -= off / (1.0 + z * off / 2.0);
    }
    if probability < 0.5 { -z } else { z }
}

/// The probability that Student's t exceeds `t`, DLMF 8.17 by way of the incomplete beta function.
#[must_use]
pub fn student_tail(t: f64, degrees: f64) -> f64 {
    if t.is_nan() {
        return 1.0;
    }
    let half = 0.5 * beta_cdf(degrees / (degrees + t * t), degrees / 2.0, 0.5);
    if t > 0.0 { half } else { 1.0 - half }
}

/// What Student's t exceeds with this probability, at most one half.
#[must_use]
pub fn student_critical(probability: f64, degrees: f64) -> f64 {
    let mut high = 2.0;
    while student_tail(high, degrees) > probability && high < 1e12 {
        high *= 2.0;
    }
    halve(0.0, high, |t| student_tail(t, degrees) > probability)
}

/// Kolmogorov's limit: the probability that the square root of n times the largest distance exceeds `x`.
#[must_use]
pub fn kolmogorov_tail(x: f64) -> f64 {
    if x < 1e-3 || x.is_nan() {
        return 1.0;
    }
    let sum = if x < 1.18 {
        // The theta-function form converges where the alternating series does not.
        let base = (-std::f64::consts::PI.powi(2) / (8.0 * x * x)).exp();
        let terms: f64 = [1, 9, 25, 49].into_iter().map(|power| base.powi(power)).sum();
        1.0 - (2.0 * std::f64::consts::PI).sqrt() / x * terms
    } else {
        let term = |k: i32| (-1.0_f64).powi(k - 1) * (-2.0 * f64::from(k * k) * x * x).exp();
        2.0 * (1..=6).map(term).sum::<f64>()
    };
    sum.clamp(0.0, 1.0)
}

/// The probability of at most `k` successes in `n` trials.
#[must_use]
pub fn binomial_cdf(k: u64, n: u64, probability: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    beta_cdf(1.0 - probability, (n - k) as f64, k as f64 + 1.0)
}
