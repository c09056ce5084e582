//! What is found by looking, without a delivery: rounds over a tiny forge that is not GitHub.

mod cluster;
mod forge;
mod rounds;
