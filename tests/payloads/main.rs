//! GitHub's own example deliveries through the real endpoint, and many that are almost like them.

#![cfg(test)]

mod examples;
mod mutants;
mod schema;
mod world;
