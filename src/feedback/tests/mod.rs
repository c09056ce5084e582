mod deliver;
mod double;
mod driver;
mod fixtures;
mod render;
mod structure;
