use std::time::Duration;

use crate::{Metrics, process_stats};

#[test]
fn a_histogram_counts_into_every_larger_bucket() {
    let metrics = Metrics::default();
    metrics.observe("took_seconds", "Time.", &[("route", "/a")], Duration::from_millis(30));
    let text = metrics.render();
    assert!(text.contains("took_seconds_bucket{route=\"/a\",le=\"0.025\"} 0\n"), "{text}");
    assert!(text.contains("took_seconds_bucket{route=\"/a\",le=\"0.05\"} 1\n"), "{text}");
    assert!(text.contains("took_seconds_bucket{route=\"/a\",le=\"+Inf\"} 1\n"), "{text}");
    assert!(text.contains("took_seconds_count{route=\"/a\"} 1\n"), "{text}");
}

#[test]
fn label_values_are_escaped() {
    let metrics = Metrics::default();
    metrics.add("x_total", "X.", &[("name", "a\"b\\c\nd")], 2.0);
    assert!(metrics.render().contains("x_total{name=\"a\\\"b\\\\c\\nd\"} 2\n"), "{}", metrics.render());
}

#[test]
fn a_flood_of_label_values_stays_bounded() {
    let metrics = Metrics::default();
    for n in 0..2_000 {
        metrics.add("y_total", "Y.", &[("n", &n.to_string())], 1.0);
    }
    let text = metrics.render();
    assert!(text.lines().count() < 520);
    assert!(text.contains("y_total{overflow=\"true\"} 1500\n"), "{text}");
}

#[test]
fn this_process_has_memory() {
    assert!(process_stats().resident_bytes > 100_000);
}
