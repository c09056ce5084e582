//! GitHub's REST API over the model. `server` speaks HTTP, `api` answers one request, the rest are
//! the endpoints.

mod access;
mod answer;
mod api;
mod apps;
mod checks;
mod comments;
mod deployments;
mod hook_deliveries;
mod issue_events;
mod jwt;
mod paging;
mod pulls;
mod reactions;
mod repositories;
mod request;
mod rights;
mod routes;
mod server;
mod statuses;
mod users;

pub(crate) use answer::Answer;
pub(crate) use request::Request;
pub(crate) use server::{exchange, serve};
