mod drifting;
mod events;
mod releases;
mod running;
mod settling;
mod specs;
mod thresholds;
