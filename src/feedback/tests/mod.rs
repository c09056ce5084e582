mod fixtures;
mod render;
mod structure;
