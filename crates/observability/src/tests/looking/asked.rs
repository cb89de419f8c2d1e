//! What is told of panels in SQL before anybody looks at them.

use super::*;
use crate::built_in;

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_that_nobody_could_look_at_is_told_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let asked = |(title, chart, text): (&str, ChartKind, &str)| {
        let sql = Some(text.to_owned());
        PanelSpec { sql, ..panel(title, chart, &[]) }
    };
    let (line, table) = (ChartKind::Line, ChartKind::Table);
    let panels = [
        ("Gone", table, "DROP TABLE spans"),
        ("Unread", table, "SELECT nocolumn FROM spans"),
        ("Rows", table, "SELECT model, count(*) AS calls FROM spans GROUP BY 1"),
        ("No time", line, "SELECT model, count(*) AS calls FROM spans GROUP BY 1"),
        ("No number", line, "SELECT start, model FROM spans"),
        (
            "By model",
            ChartKind::Bar,
            "SELECT bucket(start, $bucket, 0) AS start, model, count(*) AS calls FROM spans GROUP BY 1, 2",
        ),
        // Only some rows are wrong, and which there will be nobody knows.
        ("Later", table, "SELECT 1 / (input_tokens - 10) FROM spans"),
    ];
    let mut panels = panels.map(asked).to_vec();
    panels.insert(2, panel("Measured", line, &["count"]));
    let spec = DashboardSpec { title: "Desk".to_owned(), panels };
    for actor in [actor(Labels::All), holding(&["staff"])] {
        let wrong = room.wrong_panels(&points, &actor, &spec).await;
        let places: Vec<usize> = wrong.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, [0, 1, 4, 5], "{wrong:?}");
        for ((_, told), word) in wrong.iter().zip(["not a SELECT", "nocolumn", "`start`", "numbers"]) {
            assert!(told.contains(word), "{word}: {told}");
        }
        let wrong = room.wrong_panels(&points, &actor, &built_in()).await;
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
