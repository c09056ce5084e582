//! What the benchmarks share: the system that is cloned, one environment by the service, the same objects by a raw writer, and
//! what the API server's audit log says of both.

pub mod course;
pub mod figures;
pub mod raw;
pub mod service;
pub mod shop;
