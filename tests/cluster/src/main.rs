//! The command line of the test cluster.
fn main() {}
