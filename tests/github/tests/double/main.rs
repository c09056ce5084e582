//! The double, asked by the client that the service uses.

mod admin;
mod apps;
mod commits;
mod deliveries;
mod failures;
mod happenings;
mod limits;
mod raw;
mod reading;
mod watching;
mod world;
mod writing;
