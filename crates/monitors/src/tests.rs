mod drifting;
mod events;
mod releases;
mod settling;
mod specs;
mod thresholds;
