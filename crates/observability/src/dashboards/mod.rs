//! What is looked at together: panels as people write them, and those that are there without anybody writing them.

mod built_in;
mod spec;

pub use built_in::{BUILT_IN, built_in};
pub use spec::{ChartKind, DashboardSpec, PanelMetric, PanelSpec, PanelUnit, descriptor};
