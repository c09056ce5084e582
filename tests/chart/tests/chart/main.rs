//! The chart: what it says, what a real API server takes of it, and what is left when it goes.

mod helm;
mod life;
mod refused;
mod rendered;
mod taken;
mod written;
