//! Values from tables (Abramowitz and Stegun; NIST DLMF) and closed forms.

use super::close;
use crate::special::{
    beta_cdf, binomial_cdf, chi_squared_critical, chi_squared_tail, kolmogorov_tail, ln_beta_cdf, ln_choose, ln_gamma,
    normal_cdf, normal_quantile, normal_tail, student_critical, student_tail,
};

#[test]
fn the_gamma_function_is_the_factorial() {
    close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-13);
    close(ln_gamma(0.1), 2.252_712_651_734_206, 1e-12);
    close(ln_gamma(1.0), 0.0, 1e-13);
    close(ln_gamma(10.0), 362_880_f64.ln(), 1e-12);
    close(ln_gamma(100.0), 359.134_205_369_575_4, 1e-10);
    close(ln_choose(52, 5), 2_598_960_f64.ln(), 1e-11);
    assert_eq!(ln_choose(3, 4), f64::NEG_INFINITY);
}

#[test]
fn the_beta_distribution_is_the_tables() {
    close(beta_cdf(0.5, 2.0, 3.0), 0.6875, 1e-13);
    close(beta_cdf(0.3, 1.0, 1.0), 0.3, 1e-14);
    close(beta_cdf(0.2, 0.5, 0.5), std::f64::consts::FRAC_2_PI * 0.2_f64.sqrt().asin(), 1e-13);
    close(beta_cdf(0.9, 20.0, 2.0), 21.0 * 0.9_f64.powi(20) - 20.0 * 0.9_f64.powi(21), 1e-13);
    assert_eq!((beta_cdf(-1.0, 2.0, 2.0), beta_cdf(2.0, 2.0, 2.0), beta_cdf(f64::NAN, 2.0, 2.0)), (0.0, 1.0, 0.0));
    // 0.001^1000 is far below the smallest number there is.
    close(ln_beta_cdf(0.001, 1_000.0, 1.0), 1_000.0 * 0.001_f64.ln(), 1e-6);
}

#[test]
fn binomials_are_sums() {
    close(binomial_cdf(3, 10, 0.5), 176.0 / 1_024.0, 1e-13);
    close(binomial_cdf(0, 20, 0.1), 0.9_f64.powi(20), 1e-13);
    assert_eq!(binomial_cdf(10, 10, 0.5), 1.0);
}

#[test]
fn the_normal_distribution_is_the_tables() {
    close(normal_tail(0.0), 0.5, 1e-15);
    close(normal_tail(1.959_963_984_540_054), 0.025, 1e-14);
    close(normal_tail(6.0) / 9.865_876_450_376_98e-10, 1.0, 1e-10);
    close(normal_cdf(-1.0), 0.158_655_253_931_457, 1e-13);
    close(normal_quantile(0.975), 1.959_963_984_540_054, 1e-11);
    close(normal_quantile(1e-10), -6.361_340_902_404_056, 1e-9);
    close(normal_quantile(0.5), 0.0, 1e-12);
    assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
}

#[test]
fn quantiles_undo_tails() {
    for step in 1..1_000 {
        let share = f64::from(step) / 1_000.0;
        close(normal_cdf(normal_quantile(share)), share, 1e-12);
    }
}

#[test]
fn chi_squared_and_student_are_the_tables() {
    close(chi_squared_tail(3.841_458_820_694_124, 1.0), 0.05, 1e-12);
    close(chi_squared_tail(18.307_038_053_275_146, 10.0), 0.05, 1e-12);
    close(chi_squared_tail(0.2, 2.0), (-0.1_f64).exp(), 1e-13);
    close(chi_squared_critical(0.05, 9.0), 16.918_977_604_620_45, 1e-8);
    close(student_tail(2.228_138_851_964_938_5, 10.0), 0.025, 1e-12);
    close(student_tail(-12.706_204_736_432_095, 1.0), 0.975, 1e-12);
    close(student_critical(0.025, 10.0), 2.228_138_851_964_938_5, 1e-9);
    assert_eq!((student_tail(f64::INFINITY, 3.0), student_tail(0.0, 3.0)), (0.0, 0.5));
}

#[test]
fn kolmogorovs_limit_is_the_tables_in_both_of_its_forms() {
    close(kolmogorov_tail(1.358_098_6), 0.05, 1e-7);
    close(kolmogorov_tail(1.627_623_6), 0.01, 1e-7);
    close(kolmogorov_tail(0.5), 0.963_945_243_664_875, 1e-9);
    close(kolmogorov_tail(1.0), 0.269_999_671_677_355, 1e-9);
    close(kolmogorov_tail(1.179_999), kolmogorov_tail(1.180_001), 1e-5);
    assert_eq!(kolmogorov_tail(0.0), 1.0);
}
