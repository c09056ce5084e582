//! The `preview` binary.
fn main() {}
