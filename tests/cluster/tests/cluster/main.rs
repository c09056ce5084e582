//! The cluster does what a cluster does, and nothing of it outlives its owner.

mod accounts;
mod audit;
mod ending;
mod faults;
mod fixtures;
mod kept;
mod workloads;
