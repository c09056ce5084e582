//! Comments that keep an environment alive: those of people who may write to the repository. The forge is used here.
//!
//! Whoever may only read could keep an environment for ever, so the forge is asked what somebody may; what it says of an author
//! in the comment proves nothing, and says of members who do not show their membership that they are none. Comments are many and
//! strangers can write them: an environment is written to once an hour at most, and an account is asked about as often.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Context;
use super::repositories::Listed;
use crate::feedback::is_marked;
use crate::forge::{ForgeError, Permission, PostedComment};
use crate::intent::{About, Existing};
use crate::record::Active;

/// The least time between what is recorded already and what is worth a write: times to live are days.
const APART: TimeDelta = TimeDelta::hours(1);
/// For how long an answer to what somebody may holds here, where nothing but time depends on it.
const HOLDS_FOR: TimeDelta = TimeDelta::hours(1);
/// Accounts of a repository that are asked about in one look.
const ASKED_MOST: usize = 10;

/// Comments of which nobody can tell yet whether they count, and that are looked at again with the next look.
const UNTOLD_MOST: usize = 100;

/// What accounts may in a repository, asked lately.
#[derive(Default)]
pub(super) struct Asked {
    answers: HashMap<String, (DateTime<Utc>, bool)>,
    /// Comments whose authors could not be asked about.
    untold: Vec<Said>,
}

/// A comment of a person.
#[derive(Clone)]
pub(super) struct Said {
    pull: i64,
    author: String,
    at: DateTime<Utc>,
}

impl Said {
    /// Not what bots wrote, and not our own comments.
    pub(super) fn of(comment: &PostedComment) -> Option<Self> {
        let by_person = !comment.by_bot && !is_marked(&comment.body);
        by_person.then(|| Self { pull: comment.pull, author: comment.author.clone(), at: comment.created_at })
    }
}

/// Records of each environment the newest comment that counts for it. Those whose authors cannot be asked about now are looked
/// at again; a record that fails is not tried again, since the next comment counts too.
pub(super) async fn note(context: &Context, (repository, id): (&Listed, i64), said: Vec<Said>, asked: &mut Asked, now: DateTime<Utc>) {
    if said.is_empty() && asked.untold.is_empty() {
        return;
    }
    asked.answers.retain(|_, (at, _)| now - *at < HOLDS_FOR);
    let (mut left, mut untold) = (ASKED_MOST, Vec::new());
    let all: Vec<Said> = said.into_iter().chain(std::mem::take(&mut asked.untold)).collect();
    for existing in context.about(&About::Repositories(repository.forge, vec![id])) {
        let mut tried = HashSet::new();
        for comment in worth_a_write(&all, &existing) {
            if !tried.insert(comment.author.as_str()) {
                continue;
            }
            match may_write(context, (repository, &comment.author), (&mut asked.answers, &mut left), now).await {
                Some(true) => {
                    record(context, (repository, &existing), comment).await;
                    break;
                }
                Some(false) => {}
                None => untold.push(comment.clone()),
            }
        }
    }
    untold.truncate(UNTOLD_MOST);
    asked.untold = untold;
}

/// The comments on the pull request of an environment that say more than is recorded and came before its end, the newest first.
/// One that is gone stays gone: nobody who comments asks for it.
fn worth_a_write<'a>(said: &'a [Said], existing: &Existing) -> Vec<&'a Said> {
    let Some(ends_at) = existing.life.ends_at else { return Vec::new() };
    let is_news = |at: DateTime<Utc>| at <= ends_at && existing.life.active_at.is_none_or(|known| at - known >= APART);
    let mut worth: Vec<&Said> = said.iter().filter(|c| existing.source.pull == Some(c.pull) && is_news(c.at)).collect();
    worth.sort_by_key(|comment| std::cmp::Reverse(comment.at));
    worth
}

/// Whether that account may, or nothing where it cannot be asked about in this look.
async fn may_write(
    context: &Context,
    (repository, login): (&Listed, &str),
    (answers, left): (&mut HashMap<String, (DateTime<Utc>, bool)>, &mut usize),
    now: DateTime<Utc>,
) -> Option<bool> {
    if let Some((_, may)) = answers.get(login) {
        return Some(*may);
    }
    *left = left.checked_sub(1)?;
    match context.forge.permission(&repository.name, login).await {
        Ok(permission) => {
            let may = permission >= Permission::Write;
            answers.insert(login.to_owned(), (now, may));
            Some(may)
        }
        Err(ForgeError::Unsupported(_)) => Some(false),
        Err(error) => {
            tracing::debug!(repo = %repository.name, login, %error, "nobody can tell whether a comment counts");
            None
        }
    }
}

async fn record(context: &Context, (repository, existing): (&Listed, &Existing), comment: &Said) {
    let active = Active {
        namespace: existing.namespace.clone(),
        name: existing.name.clone(),
        uid: existing.life.uid.clone(),
        baseline: existing.baseline.clone(),
        at: comment.at,
        by: format!("{}:{}", repository.forge.as_str(), comment.author),
    };
    if let Err(error) = context.activities.active(&active).await {
        tracing::warn!(env = active.name.as_str(), namespace = active.namespace, %error, "a comment does not keep it alive");
    }
}
