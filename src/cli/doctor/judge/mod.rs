//! What facts mean: a check a function, a concern a file. No client, no clock, no logging.

pub mod cluster;
pub mod forge;
pub mod kinds;
pub mod network;
pub mod policies;
pub mod registries;
pub mod rights;
pub mod service;
pub mod storage;
pub mod ways;
pub mod webhook;
