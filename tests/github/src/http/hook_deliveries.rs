//! The log of an App's deliveries, and sending one again.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::Scope;
use super::routes::Route;
use crate::deliveries::{Delivery, Outcome};
use crate::render::time;

/// How long GitHub keeps deliveries.
const KEPT: TimeDelta = TimeDelta::days(3);

pub(super) fn answer(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    match (scope.request.method.as_str(), route) {
        ("GET", Route::HookDeliveries) => Ok(list(scope)),
        ("GET", Route::HookDelivery(id)) => get(scope, id),
        ("POST", Route::HookAttempts(id)) => attempt(scope, id),
        _ => Err(Answer::not_found()),
    }
}

/// What was sent of the App's own webhook in the last days. What is still on its way is not there yet.
fn own<'a>(scope: &'a Scope<'_>) -> impl Iterator<Item = &'a Delivery> {
    let hooks: Vec<_> = scope.model.webhooks.iter().filter(|hook| hook.app == scope.caller.app).map(|hook| hook.id).collect();
    let since = scope.now - KEPT;
    scope.deliveries.iter().rev().filter(move |one| hooks.contains(&one.hook) && one.at >= since && one.outcome != Outcome::NotSent)
}

/// Newest first, in pages that begin behind a cursor.
fn list(scope: &Scope<'_>) -> Answer {
    let size = scope.request.query("per_page").and_then(|text| text.parse().ok()).unwrap_or(30_usize).clamp(1, 100);
    let before = scope.request.query("cursor").and_then(|cursor| cursor.strip_prefix("v1_")?.parse().ok()).unwrap_or(u64::MAX);
    let wanted = |one: &&Delivery| match scope.request.query("status") {
        Some("success") => succeeded(one),
        Some("failure") => !succeeded(one),
        _ => true,
    };
    let found: Vec<_> = own(scope).filter(|one| one.id < before).filter(wanted).collect();
    let shown: Vec<_> = found.iter().take(size).map(|one| item(one)).collect();
    let answer = Answer::ok(&Value::Array(shown));
    match found.get(size - 1).filter(|_| found.len() > size) {
        Some(last) => {
            let status = scope.request.query("status").map_or_else(String::new, |status| format!("&status={status}"));
            let next = format!("{}/app/hook/deliveries?per_page={size}{status}&cursor=v1_{}", scope.api, last.id);
            answer.header("link", format!("<{next}>; rel=\"next\""))
        }
        None => answer,
    }
}

fn get(scope: &Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let delivery = found(scope, id)?;
    let mut shown = item(delivery);
    let headers: Value =
        delivery.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into();
    shown["url"] = json!(delivery.url);
    shown["request"] = json!({ "headers": headers, "payload": delivery.json() });
    shown["response"] = json!({ "headers": {}, "payload": delivery.answer() });
    Ok(Answer::ok(&shown))
}

/// Accepted; it is sent a moment later.
fn attempt(scope: &mut Scope<'_>, id: &str) -> Result<Answer, Answer> {
    scope.repeat = Some(found(scope, id)?.id);
    Ok(Answer::json(202, &json!({})))
}

fn found<'a>(scope: &'a Scope<'_>, id: &str) -> Result<&'a Delivery, Answer> {
    let id: u64 = id.parse().map_err(|_| Answer::not_found())?;
    own(scope).find(|one| one.id == id).ok_or_else(Answer::not_found)
}

fn succeeded(delivery: &Delivery) -> bool {
    delivery.status().is_some_and(|status| (200..300).contains(&status))
}

fn item(delivery: &Delivery) -> Value {
    let (status, code) = match &delivery.outcome {
        _ if succeeded(delivery) => ("OK".to_owned(), delivery.status().unwrap_or_default()),
        Outcome::Answered { status, .. } => (format!("Invalid HTTP Response: {status}"), *status),
        Outcome::Failed(why) if why.contains("10 s") => ("timed out".to_owned(), 504),
        _ => ("failed to connect to host".to_owned(), 502),
    };
    json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": time(delivery.at),
        "redelivery": delivery.redelivery,
        "duration": 0.1,
        "status": status,
        "status_code": code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation,
        "repository_id": delivery.repository,
        "throttled_at": null,
    })
}
