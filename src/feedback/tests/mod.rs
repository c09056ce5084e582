mod beside;
mod deliver;
mod double;
mod driver;
pub(crate) mod fixtures;
mod render;
mod structure;
