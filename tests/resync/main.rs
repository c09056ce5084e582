//! What is found by looking, without a delivery: rounds over a tiny forge that is not GitHub.

#![cfg(test)]

mod activity;
mod brake;
mod cluster;
mod day;
mod forge;
mod rounds;
mod whole;
