//! Stories: what people do and what they see, on a real control plane, against the double of GitHub, with the service
//! as a process of its own under the rights that `deploy/` ships.

mod baselines;
mod command_line;
mod commands;
mod crash;
mod deliveries;
mod developer;
mod forks;
mod github_fails;
mod harm;
mod hooks;
mod images;
mod isolation;
mod kinds;
mod lifecycle;
mod lifetimes;
mod managers;
mod namespaces;
mod order;
mod plan;
mod pod_security;
mod poll;
mod refused;
mod replicas;
mod requests;
mod shop;
mod table;
mod triggers;
mod trust;
mod upkeep;
mod values;
mod whole;
