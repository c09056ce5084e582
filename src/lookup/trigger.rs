//! What only the forge knows of a trigger: who set the label and whether they may, and which files a change touches.

use super::{LookupError, impossible};
use crate::api::status::{LabelAnswer, PathsAnswer};
use crate::domain::baseline::{Repository, Trigger};
use crate::domain::environment::Source;
use crate::domain::names::Subject;
use crate::domain::{Baseline, RepoName};
use crate::forge::{self, Forge, ForgeError, Permission};

/// The repository of a source, its trigger and the number of the pull request.
pub(super) struct About<'a> {
    baseline: &'a Baseline,
    repository: &'a Repository,
    trigger: &'a Trigger,
    source: &'a Source,
    pull: i64,
}

impl<'a> About<'a> {
    /// What a source is about, where the Baseline lists it. Our token sees more than whoever writes an environment may see,
    /// so nothing else is asked for.
    pub fn of(baseline: &'a Baseline, source: &'a Source) -> Result<Self, LookupError> {
        let repository = baseline.repository_by(source.forge, source.repository_id, &source.repository);
        let repository = repository
            .ok_or_else(|| impossible("NotListed", &format!("Baseline {} does not list {}", baseline.name, source.repository)))?;
        let Subject::Pull(pull) = source.subject else {
            return Err(impossible("NotListed", &format!("{} is no pull request", source.display())));
        };
        Ok(Self { baseline, repository, trigger: baseline.trigger_of(repository), source, pull })
    }

    /// What the repository is called at this moment: what somebody may do in another one that took its name is nothing here.
    async fn home(&self, forge: &dyn Forge) -> Result<RepoName, ForgeError> {
        forge::home(forge, self.source.repository_id, &[self.repository.current(), &self.source.repository]).await
    }

    /// Who set the label last, and whether the label counts by that. Where the forge does not know it yet, it is asked again.
    pub async fn label(&self, forge: &dyn Forge) -> Result<LabelAnswer, LookupError> {
        let (name, label) = (&self.home(forge).await?, &self.trigger.label);
        let spelled = self.source.labels.iter().find(|l| l.eq_ignore_ascii_case(label)).unwrap_or(label);
        let actor = forge.labelled_by(name, self.pull, spelled).await?.ok_or_else(|| ForgeError::Unavailable {
            what: format!("find out who set the label {spelled} on {}", self.source.display()),
            why: "the forge names nobody yet".to_owned(),
        })?;
        let (has, needs) = (forge.permission(name, &actor).await?, Permission::from(self.baseline.trust.approvers));
        let allowed = has >= needs;
        let why = || {
            let (has, needs) = (has.as_str(), needs.as_str());
            format!("{actor} set the label {label} and has the permission {has}: it counts from {needs} on (trust.approvers)")
        };
        Ok(LabelAnswer {
            label: label.clone(),
            observed_at: Some(self.source.observed_at),
            why: (!allowed).then(why),
            allowed,
            actor: Some(actor),
        })
    }

    /// Whether the change touches what the trigger names. Where not all files are known, it may.
    pub async fn paths(&self, forge: &dyn Forge) -> Result<PathsAnswer, LookupError> {
        let files = forge.changed_files(&self.home(forge).await?, self.pull).await?;
        Ok(PathsAnswer {
            revision: self.source.revision.to_string(),
            base_branch: self.source.base_branch.clone().unwrap_or_default(),
            patterns: self.trigger.paths_digest(),
            touched: files.touch(&self.trigger.paths),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Fake, baseline, known, pull};
    use super::*;
    use crate::forge::{ChangedFiles, RepositoryFacts};
    use serde_json::json;

    fn labelled(approvers: &str) -> Baseline {
        baseline(&json!({"trigger": {"pullRequests": "Labelled"}, "trust": {"approvers": approvers}}))
    }

    #[tokio::test]
    async fn a_label_counts_from_the_permission_on_that_approvers_need() {
        let source = known(&crate::forge::PullRequest { labels: vec!["Preview".into()], ..pull() });
        for (approvers, has, allowed) in [
            ("Write", Permission::Admin, true),
            ("Write", Permission::Write, true),
            ("Write", Permission::Triage, false),
            ("Maintain", Permission::Write, false),
            ("Admin", Permission::Maintain, false),
            ("Write", Permission::None, false),
        ] {
            let baseline = labelled(approvers);
            let forge = Fake { labelled_by: Some("eve".into()), permission: Ok(has), ..Fake::at_home() };
            let answer = About::of(&baseline, &source).unwrap().label(&forge).await.unwrap();
            assert_eq!((answer.allowed, answer.why.is_some()), (allowed, !allowed), "{approvers}, {has:?}");
            assert_eq!((answer.label.as_str(), answer.observed_at), ("preview", Some(source.observed_at)));
        }
        let baseline = labelled("Write");
        let forge = Fake { labelled_by: Some("eve".into()), permission: Ok(Permission::Read), ..Fake::at_home() };
        let why = About::of(&baseline, &source).unwrap().label(&forge).await.unwrap().why.unwrap();
        assert_eq!(why, "eve set the label preview and has the permission read: it counts from write on (trust.approvers)");
    }

    #[tokio::test]
    async fn a_forge_in_trouble_gives_no_answer() {
        let (baseline, source) = (labelled("Write"), known(&pull()));
        let away = ForgeError::Unavailable { what: "ask".into(), why: "502".into() };
        let forge = Fake { labelled_by: Some("ann".into()), permission: Err(away.clone()), ..Fake::at_home() };
        let about = About::of(&baseline, &source).unwrap();
        assert!(matches!(about.label(&forge).await, Err(LookupError::Forge(error)) if error == away));
        let unknown = about.label(&Fake::at_home()).await;
        assert!(matches!(unknown, Err(LookupError::Forge(ForgeError::Unavailable { .. }))), "nobody is named: {unknown:?}");
    }

    #[tokio::test]
    async fn a_rename_touches_both_names_and_too_many_files_may_touch_anything() {
        let baseline = baseline(&json!({"trigger": {"paths": ["web/**"]}}));
        let source = known(&pull());
        for (files, touched) in [
            (ChangedFiles::Named(vec!["README.md".into()]), false),
            (ChangedFiles::Named(vec!["old/page".into(), "web/page".into()]), true),
            (ChangedFiles::TooMany, true),
        ] {
            let forge = Fake { files: Some(files.clone()), ..Fake::at_home() };
            let answer = About::of(&baseline, &source).unwrap().paths(&forge).await.unwrap();
            assert_eq!((answer.touched, answer.patterns), (touched, baseline.trigger.paths_digest()), "{files:?}");
            assert_eq!((answer.revision, answer.base_branch.as_str()), (source.revision.to_string(), "main"));
        }
    }

    #[tokio::test]
    async fn whoever_takes_the_name_of_a_repository_labels_nothing_in_it() {
        let (baseline, source) = (labelled("Write"), known(&pull()));
        let stranger = RepositoryFacts { id: 8, name: "acme/web".parse().unwrap(), private: false };
        let (labelled_by, permission) = (Some("eve".to_owned()), Ok(Permission::Admin));
        let files = Some(ChangedFiles::TooMany);
        let forge = Fake { repository: Some(stranger), labelled_by, permission, files, ..Fake::default() };
        let about = About::of(&baseline, &source).unwrap();
        let taken = ForgeError::Another("acme/web".into());
        assert!(matches!(about.label(&forge).await, Err(LookupError::Forge(error)) if error == taken));
        assert!(matches!(about.paths(&forge).await, Err(LookupError::Forge(error)) if error == taken));
    }

    #[test]
    fn only_what_a_baseline_lists_is_asked_for() {
        let other = known(&crate::forge::PullRequest { repository: "acme/private".parse().unwrap(), ..pull() });
        let refused = About::of(&labelled("Write"), &other).err().unwrap();
        assert!(matches!(refused, LookupError::Impossible("NotListed", _)), "{refused}");
    }
}
