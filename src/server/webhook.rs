//! A delivery of a forge, such as `POST /webhooks/github`: believed, understood, decided, held; and only then acknowledged.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::future::{BoxFuture, join_all};
use tokio::time::Instant;

use super::answer::Answer;
use super::delivery::Account;
use super::{Limits, Server, Shared, traced};
use crate::domain::Baseline;
use crate::forge::Arrival;
use crate::forge::event::Event;
use crate::intent::{About, CommandFact, Fact, Intent, decide, times};
use crate::metrics::Named;
use crate::record::{RecordError, Recorded};

/// Answers one delivery, and says in the log and the metrics what became of it.
pub(super) async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let arrived = Instant::now();
    let mut account = Account::new(request.headers(), shared.hook.delivery);
    let answer = take(&shared, request, &mut account, arrived).await.unwrap_or_else(|answer| answer);
    account.log(&answer, arrived.elapsed());
    shared.server.metrics.delivery(answer.result, arrived.elapsed());
    answer.into_response()
}

async fn take(shared: &Shared, request: Request, account: &mut Account, arrived: Instant) -> Result<Answer, Answer> {
    let (server, hook) = (&shared.server, &shared.hook);
    let secrets = server.secrets.as_ref().ok_or_else(Answer::polls)?;
    let (parts, body) = request.into_parts();
    let taken = shared.intake.read(&parts.headers, body).await?;
    secrets.verify(header(&parts.headers, hook.signature), &taken.body).map_err(Answer::unsigned)?;
    // Only now: whoever may not deliver takes no place from those who may.
    let _place = shared.intake.place()?;
    require_json(&parts.headers)?;
    let arrival = Arrival { event: header(&parts.headers, hook.event).unwrap_or_default(), at: (server.clock)() };
    let event = times::dated((hook.parse)(&arrival, &taken.body).map_err(Answer::malformed)?, arrival.at);
    account.learn(&event);
    if matches!(&event, Event::Button { press, .. } if press.is_anothers(server.instance.as_ref())) {
        return Ok(Answer::ignored("the check is of another service that writes under the same account"));
    }
    // What was read is understood, so its share of the memory is given back before the wait for the cluster.
    drop(taken);
    let baselines = server.baselines.list().ok_or_else(Answer::starting)?;
    if let Event::Gone { repositories, for_good: false, .. } = &event {
        look_soon(server, repositories, &baselines, arrived + server.limits.answer).await?;
    }
    let existing = About::of(&event).map(|about| server.environments.about(&about)).unwrap_or_default();
    match decide(&event, &baselines, &existing) {
        Intent::Pong => Ok(Answer::pong()),
        Intent::Ignore(why) => Ok(Answer::ignored(&why)),
        Intent::Record(facts) => {
            let end = hold(server, &facts, arrived + server.limits.answer).await;
            let (Ok(answer) | Err(answer)) = &end;
            traced::tell(&server.traces, &facts, (account, answer), arrived.elapsed());
            end
        }
        Intent::Command(mut commands) => {
            for fact in &mut commands {
                fact.command.delivery = account.id().map(str::to_owned);
            }
            hold_commands(server, &commands, arrived + server.limits.answer).await
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Deliveries can be sent as a form too, which is GitHub's default.
fn require_json(headers: &HeaderMap) -> Result<(), Answer> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()?.split(';').next());
    let is_json = media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"));
    if is_json { Ok(()) } else { Err(Answer::not_json()) }
}

/// All facts at once. The answer is the worst of theirs: a delivery is acknowledged when every fact is held.
async fn hold(server: &Server, facts: &[Fact], deadline: Instant) -> Result<Answer, Answer> {
    let held = facts.iter().map(async |fact| {
        let end = hold_one(fact.display(), server.recorder.record(fact), &server.limits, deadline).await;
        count(server, (&fact.baseline_namespace, &fact.baseline), &end);
        end
    });
    worst_of(join_all(held).await, facts.iter().map(Fact::display).collect())
}

/// The same for commands, one after the other: of two lines of a comment the first is there first.
async fn hold_commands(server: &Server, commands: &[CommandFact], deadline: Instant) -> Result<Answer, Answer> {
    let mut ends = Vec::with_capacity(commands.len());
    for command in commands {
        let end = hold_one(command.display(), server.recorder.command(command), &server.limits, deadline).await;
        count(server, (&command.baseline_namespace, &command.baseline), &end);
        let is_lost = end == Ok(Recorded::Full) && command.command.comment.is_none();
        ends.push(if is_lost { Err(Answer::full_of_commands(&command.display())) } else { end });
    }
    worst_of(ends, commands.iter().map(CommandFact::display).collect())
}

fn count(server: &Server, baseline: Named<'_>, end: &Result<Recorded, Answer>) {
    let result = match end {
        Ok(Recorded::Held) => "held",
        Ok(Recorded::Older) => "older",
        Ok(Recorded::Full) => "full",
        Err(answer) => answer.result,
    };
    server.metrics.fact(baseline, result);
}

/// Whoever leads looks, which may be another replica: what it is to look at has to be held too.
async fn look_soon(server: &Server, repositories: &[i64], baselines: &[Arc<Baseline>], deadline: Instant) -> Result<(), Answer> {
    let lists = |baseline: &&Arc<Baseline>| baseline.repositories.iter().any(|r| r.id.is_some_and(|id| repositories.contains(&id)));
    let held = baselines.iter().filter(lists).map(|baseline| {
        let name = format!("Baseline {}/{}", baseline.namespace, baseline.name);
        hold_one(name, (server.look_soon)(Arc::clone(baseline)), &server.limits, deadline)
    });
    join_all(held).await.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
}

fn worst_of(ends: Vec<Result<Recorded, Answer>>, names: Vec<String>) -> Result<Answer, Answer> {
    let (mut older, mut full) = (false, false);
    let mut worst: Option<Answer> = None;
    for end in ends {
        match end {
            Ok(recorded) => {
                older |= recorded == Recorded::Older;
                full |= recorded == Recorded::Full;
            }
            Err(answer) if worst.as_ref().is_none_or(|worst| is_worse(&answer, worst)) => worst = Some(answer),
            Err(_) => {}
        }
    }
    match worst {
        Some(answer) => Err(answer),
        None if full => Ok(Answer::full().with_environments(names)),
        None if older => Ok(Answer::older().with_environments(names)),
        None => Ok(Answer::accepted().with_environments(names)),
    }
}

/// What may be taken the next time goes before what never will be: it is to be delivered again.
fn is_worse(answer: &Answer, than: &Answer) -> bool {
    let rank = |answer: &Answer| (answer.status.is_client_error(), answer.status);
    rank(answer) < rank(than)
}

async fn hold_one(
    name: String,
    held: BoxFuture<'_, Result<Recorded, RecordError>>,
    limits: &Limits,
    deadline: Instant,
) -> Result<Recorded, Answer> {
    match tokio::time::timeout_at(deadline, held).await {
        Ok(Ok(recorded)) => Ok(recorded),
        Ok(Err(error)) => Err(not_held(&name, &error)),
        Err(_) => {
            let detail = format!("cannot record {name}: the API server did not answer within {} s", limits.answer.as_secs_f32());
            Err(Answer::not_held(&name, "the cluster did not answer in time").with_detail(detail))
        }
    }
}

fn not_held(name: &str, error: &RecordError) -> Answer {
    let answer = match error {
        RecordError::Refused { .. } => Answer::refused(name),
        RecordError::Invalid { .. } => Answer::invalid(name),
        RecordError::Going(_) => Answer::not_held(name, "the environment before it is still going away"),
        RecordError::Conflict(_) => Answer::not_held(name, "somebody else changed it at the same moment"),
        RecordError::Throttled(_) => Answer::not_held(name, "the cluster asks to wait"),
        RecordError::Unavailable { .. } => Answer::not_held(name, "the cluster does not answer"),
    };
    answer.with_detail(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_facts_what_may_be_held_the_next_time_decides() {
        let held = || Answer::not_held("shop/web", "the cluster does not answer");
        let (refused, invalid) = (|| Answer::refused("shop/api"), || Answer::invalid("shop/docs"));
        for (ends, status) in [
            (vec![Ok(Recorded::Held), Err(invalid())], 422),
            (vec![Err(invalid()), Err(held())], 503),
            (vec![Err(held()), Err(invalid())], 503),
            (vec![Err(held()), Err(refused()), Err(invalid())], 500),
        ] {
            assert_eq!(worst_of(ends.clone(), vec![]).unwrap_err().status.as_u16(), status, "{ends:?}");
        }
    }
}
