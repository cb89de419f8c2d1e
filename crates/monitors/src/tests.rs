mod drifting;
mod events;
mod metrics;
mod releases;
mod running;
mod settling;
mod specs;
mod thresholds;
