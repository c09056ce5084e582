//! The double, asked by the client that the service uses.

mod admin;
mod deliveries;
mod failures;
mod happenings;
mod raw;
mod reading;
mod watching;
mod world;
mod writing;
