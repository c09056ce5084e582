//! The double as a program.
fn main() {}
