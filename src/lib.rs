//! Preview environments: a working copy of a whole system for one change, gone when the change is.
//!
//! A webhook states what should exist, a level-triggered loop makes it so, and the objects in the cluster and the
//! words on the pull request are pure functions of values that can be printed.

pub mod api;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod controller;
pub mod domain;
pub mod feedback;
pub mod forge;
pub mod intent;
pub mod kinds;
pub mod lease;
pub mod lookup;
pub mod metrics;
pub mod plan;
pub mod probe;
pub mod record;
pub mod registry;
pub mod resync;
pub mod server;
pub mod service;
pub mod telemetry;
pub mod traces;
