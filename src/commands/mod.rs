//! What people ask for in comments and by buttons: read, ordered, allowed, carried out and answered.

pub mod parse;
