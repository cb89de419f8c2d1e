#![doc = include_str!("../README.md")]

// What the gateway is to others.
mod fault;
mod gateway;
mod live;
mod record;
mod service;

// What people write.
mod check;
mod duration;
mod kind;
mod prices;
mod route;

// A call, from start to end.
mod asked;
mod attempt;
mod background;
mod begin;
mod bill;
mod call;
mod echo;
mod ended;
mod flow;
mod hedge;
mod here;
mod kept;
mod local;
mod makers;
mod model;
mod over;
mod parameters;
mod pass;
mod run;
mod scan;
mod taken;
mod told;
mod translate;

// What a call is decided by.
mod aim;
mod allowed;
mod begins;
mod breaker;
mod cache;
mod choose;
mod estimate;
mod explain;
mod health;
mod history;
mod incurs;
mod input;
mod lacking;
mod reckon;
mod retry;
mod routes;
mod target;

// What is told of it.
mod metrics;
mod trace;

// Money.
mod cost;
pub mod ledger;
mod limits;
mod prices_builtin;
pub mod store;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

#[cfg(test)]
mod tests;

pub use aim::{Aim, Aimed};
pub use bill::Spent;
pub use breaker::Standing;
pub use cost::{Bound, Charge, Place, PriceTable, Prices};
pub use duration::{Span, SpanFault};
pub use explain::{ExplainQuestion, ExplainedTarget, Explanation};
pub use fault::GatewayFault;
pub use gateway::Gateway;
pub use health::TargetHealth;
pub use history::{Minute, TargetHistory};
pub use incurs::Incurs;
pub use kept::{KeptAnswer, KeptBody, KeptRequest};
pub use kind::descriptors;
pub use lacking::Servers;
pub use ledger::{Ledger, LedgerFault};
pub use live::{Answering, Live, Started};
pub use model::Asks;
pub use prices::{ModelPrice, PriceTier, PricesSpec, Rates};
pub use record::{AttemptCharge, CallRecord, CallStatus, Caller, PriceStamp};
pub use route::{
    Breaker, Cache, CacheMode, Choose, Fallback, Hedge, HedgeAfter, Percentile, Problems, Retry, RouteSpec, Sticky, Target,
    Timeouts,
};
pub use service::{Answered, Body, CacheOutcome, CacheWish, Clients, Parts, Peeked, Read, Reading, Request};
pub use store::Maker;
