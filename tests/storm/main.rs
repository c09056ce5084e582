//! A storm of pull requests within GitHub's limits, in virtual time: the real feedback and the real client of GitHub against
//! the double, in one process and without a socket.

#![cfg(test)]

mod cluster;
mod figures;
mod story;
mod world;
