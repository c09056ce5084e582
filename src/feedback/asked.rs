//! The comment on a pull request without an environment, where somebody commanded who may. No client, no clock, no logging.

use super::markdown::code;
use super::render::render;
use super::results;
use super::rules::Surroundings;
use super::section::Section;
use crate::api::PreviewEnvironment;
use crate::api::baseline::CommentRule;
use crate::api::status::CommandResult;
use crate::commands::order;

/// Objects that hold nothing but commands, each with what decides on what is shown of it.
pub(super) type Asked<'a> = [(&'a PreviewEnvironment, Surroundings<'a>)];

/// What came of their commands, as far as it is told. One comment's command is one answer, however many Baselines list the
/// repository, so the text stays as it is while one object after the other goes.
pub(super) fn answers(asked: &Asked<'_>) -> Vec<CommandResult> {
    let is_shown = |around: &Surroundings<'_>| around.rules.is_some_and(|rules| rules.comment != CommentRule::Never);
    let mut objects: Vec<_> = asked.iter().filter(|(_, around)| is_shown(around)).map(|(object, _)| *object).collect();
    objects.sort_by_key(|object| (&object.metadata.namespace, &object.metadata.name));
    let all = objects.iter().flat_map(|object| object.status.iter().flat_map(|status| &status.commands));
    all.filter(|result| result.gets_words()).fold(Vec::new(), |answers, result| {
        let is_known = answers.iter().any(|known: &CommandResult| known.id == result.id);
        if is_known { answers } else { order::with(&answers, result.clone()) }
    })
}

/// The comment, unsigned. What is asked for brings no lines of a service here, so nothing is folded away that not everybody may read.
pub(super) fn text(answers: &[CommandResult]) -> String {
    render(&[Section {
        head: "### No preview\n".to_owned(),
        rows: Vec::new(),
        foot: results::last(answers).trim_start().to_owned(),
        folds: results::fold(answers, false).into_iter().collect(),
        left_out: Vec::new(),
        describe: code("preview list -A"),
    }])
}
