//! The double by HTTP, under a path that GitHub does not have. For the binary and for work by hand.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::apps::NewApp;
use crate::deliveries::Delivery;
use crate::faults::Fault;
use crate::hook::Hook;
use crate::http::{Answer, Request};
use crate::model::{Action, Permission, UserKind};
use crate::state::{Shared, State};

/// Where all of it is.
pub(crate) const ROOT: &str = "/_double";

const PATHS: &str = "\
GET  /_double/state | comments?repo=&number= | deliveries | requests | violations | limit_violations
POST /_double/actions[?send=false]     {\"do\":\"open\",\"repo\":\"acme/web\",\"branch\":\"login\",\"by\":\"dev\"}
                                       do: open push push_to edit convert_to_draft ready_for_review close merge reopen
                                       label unlabel lock comment edit_comment delete_comment delete_branch
                                       delete_repository rename_repository transfer_repository set_private
                                       press rerequest rerequest_all install uninstall suspend unsuspend
                                       add_repositories remove_repositories ping
POST /_double/deliveries/{id}/redeliver
POST /_double/users                    {\"login\":\"dev\",\"kind\":\"User\"}
POST /_double/tokens                   {\"login\":\"dev\",\"token\":\"...\"}
POST /_double/repositories             {\"name\":\"acme/web\",\"private\":false}
POST /_double/forks                    {\"repo\":\"acme/web\",\"login\":\"stranger\"}
POST /_double/permissions              {\"repo\":\"acme/web\",\"login\":\"dev\",\"permission\":\"write\"}
POST /_double/webhooks                 {\"url\":\"http://127.0.0.1:8080/webhooks/github\",\"secret\":\"...\"}
POST /_double/apps                     {\"id\":7,\"slug\":\"preview\",\"public_key\":\"-----BEGIN...\",\"permissions\":{},\"events\":[]}
POST /_double/faults                   {\"method\":\"POST\",\"path\":\"/repos/**\",\"times\":1,\"failure\":\"cut_after\"}
POST /_double/down | up";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    login: String,
    kind: UserKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    login: String,
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRepository {
    name: String,
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFork {
    repo: String,
    login: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPermission {
    repo: String,
    login: String,
    permission: Permission,
}

/// Answers a request below [`ROOT`].
pub(crate) async fn answer(shared: &Arc<Shared>, request: &Request) -> Answer {
    let segments = request.segments();
    let below: Vec<_> = segments.iter().skip(1).map(String::as_str).collect();
    let answered = match (request.method.as_str(), below.as_slice()) {
        ("POST", ["actions"]) => act(shared, request).await,
        ("POST", ["deliveries", id, "redeliver"]) => redeliver(shared, id).await,
        ("POST", [what]) => shared.change(|state| set_up(state, what, request)),
        ("GET", []) => Ok(json!({ "paths": paths() })),
        ("GET", [what]) => look(&shared.lock(), what, request),
        _ => Err(no_such_path()),
    };
    answered.map_or_else(|answer| answer, |value| Answer::ok(&value))
}

fn paths() -> Vec<&'static str> {
    PATHS.lines().collect()
}

fn no_such_path() -> Answer {
    Answer::json(404, &json!({ "message": "no such path", "paths": paths() }))
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Answer> {
    serde_json::from_slice(&request.body).map_err(|error| Answer::error(400, &format!("cannot read the body: {error}")))
}

async fn act(shared: &Arc<Shared>, request: &Request) -> Result<Value, Answer> {
    let action: Action = read(request)?;
    let (events, mut deliveries) = shared.change(|state| state.act(&shared.api, &action))?;
    let send = request.query("send") != Some("false");
    if send {
        for delivery in &mut deliveries {
            *delivery = shared.send(delivery).await;
        }
    }
    let shown: Vec<_> = deliveries.iter().map(|delivery| if send { brief(delivery) } else { json!(delivery) }).collect();
    Ok(json!({
        "number": events.first().and_then(|event| event.number),
        "installation": events.iter().find_map(|event| event.installation),
        "deliveries": shown,
    }))
}

async fn redeliver(shared: &Arc<Shared>, id: &str) -> Result<Value, Answer> {
    let missing = || Answer::error(404, &format!("cannot find delivery {id}"));
    let id = id.parse().map_err(|_| missing())?;
    let again = shared.change(|state| state.repeat(id)).ok_or_else(missing)?;
    Ok(brief(&shared.send(&again).await))
}

fn set_up(state: &mut State, what: &str, request: &Request) -> Result<Value, Answer> {
    let now = state.now();
    let model = &mut state.model;
    match what {
        "users" => read(request).map(|new: NewUser| json!({ "id": model.add_user(&new.login, new.kind) })),
        "tokens" => {
            let new: NewToken = read(request)?;
            model.add_token(&new.login, &new.token).map(|()| json!({})).map_err(Answer::from)
        }
        "repositories" => {
            let new: NewRepository = read(request)?;
            model.add_repository(&new.name, new.private, now).map(|id| json!({ "id": id })).map_err(Answer::from)
        }
        "forks" => {
            let new: NewFork = read(request)?;
            model.fork(&new.repo, &new.login, now).map(|name| json!({ "name": name })).map_err(Answer::from)
        }
        "permissions" => {
            let new: NewPermission = read(request)?;
            model.permit(&new.repo, &new.login, new.permission).map(|()| json!({})).map_err(Answer::from)
        }
        "webhooks" => read::<Hook>(request)?.add_to(model).map(|id| json!({ "id": id })).map_err(Answer::from),
        "apps" => read::<NewApp>(request)?.add_to(model, now).map(|()| json!({})).map_err(Answer::from),
        "faults" => read(request).map(|fault: Fault| {
            state.faults.add(fault);
            json!({})
        }),
        "down" | "up" => {
            state.down = what == "down";
            Ok(json!({ "down": state.down }))
        }
        _ => Err(no_such_path()),
    }
}

fn look(state: &State, what: &str, request: &Request) -> Result<Value, Answer> {
    match what {
        "state" => Ok(json!({
            "users": state.model.users().collect::<Vec<_>>(),
            "repositories": state.model.repositories().collect::<Vec<_>>(),
        })),
        "comments" => comments(state, request),
        "deliveries" => Ok(state.deliveries.iter().map(brief).collect()),
        "requests" => Ok(json!(state.log)),
        "limit_violations" => Ok(json!(state.limits.violations)),
        "violations" => Ok(json!(state.violations)),
        _ => Err(no_such_path()),
    }
}

fn comments(state: &State, request: &Request) -> Result<Value, Answer> {
    let repo = request.query("repo").unwrap_or_default();
    let number = request.query("number").and_then(|number| number.parse().ok()).unwrap_or_default();
    let repository = state.model.repository(repo).map_err(Answer::from)?;
    let shown = repository
        .comments_on(number)
        .into_iter()
        .map(|comment| json!({ "id": comment.id, "by": state.model.login(comment.author), "body": comment.body }));
    Ok(shown.collect())
}

/// A delivery without its bytes.
fn brief(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "event": delivery.event,
        "action": delivery.action,
        "number": delivery.number,
        "url": delivery.url,
        "redelivery": delivery.redelivery,
        "outcome": delivery.outcome,
    })
}
