//! Stories: what people do and what they see, on a real control plane, against the double of GitHub, with the service
//! as a process of its own under the rights that `deploy/` ships.

mod crash;
mod lifecycle;
mod managers;
mod requests;
mod shop;
