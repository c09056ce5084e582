mod beside;
mod deliver;
mod double;
mod driver;
pub(crate) mod fixtures;
mod partly;
mod renamed;
mod render;
mod structure;
