//! What p-values are worth when there are several.

/// Holm, "A simple sequentially rejective multiple test procedure", 1979: rejecting what comes out at or below a level
/// makes any false rejection at most that probable, whatever depends on what. In the order given.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![1.0; p_values.len()];
    let mut highest = 0.0_f64;
    for (rank, index) in order.iter().enumerate() {
        highest = highest.max(p_values[*index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[*index] = highest;
    }
    adjusted
}

/// Benjamini and Hochberg, "Controlling the false discovery rate", 1995: among what comes out at or below a level, the
/// share of false rejections is at most that on average, for independent tests. In the order given.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![1.0; p_values.len()];
    let mut lowest = 1.0_f64;
    for (rank, index) in order.iter().enumerate().rev() {
        let raised = p_values[*index] * (p_values.len() as f64 / (rank + 1) as f64);
        lowest = lowest.min(raised);
        adjusted[*index] = lowest;
    }
    adjusted
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    order
}
