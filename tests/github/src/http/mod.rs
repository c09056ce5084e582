//! GitHub's REST API over the model. `server` speaks HTTP, `api` answers one request, the rest are
//! the endpoints.

mod access;
mod answer;
mod api;
mod comments;
mod issue_events;
mod paging;
mod pulls;
mod repositories;
mod request;
mod routes;
mod server;
mod users;

pub(crate) use answer::Answer;
pub(crate) use request::Request;
pub(crate) use server::serve;
