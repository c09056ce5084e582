//! What a repository is called at this moment. The forge is asked here.
//!
//! A name can go to another repository after a rename, and whoever took it must get no comment of ours and gives nobody
//! rights. So a name counts only where the forge says that it means the number that is known.

use super::{Forge, ForgeError};
use crate::domain::RepoName;

/// The name of the repository of that number: the first of those names that means it, as the forge spells it today. A forge
/// that tells of no repositories does not rename them either, so there the first name stands.
pub async fn home(forge: &dyn Forge, id: i64, names: &[&RepoName]) -> Result<RepoName, ForgeError> {
    let mut doubt = None;
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) {
            continue;
        }
        match forge.repository(name).await {
            Ok(facts) if facts.id == id => return Ok(facts.name),
            Ok(_) => doubt = Some(ForgeError::Another(name.to_string())),
            Err(error @ ForgeError::NotFound(_)) => doubt = doubt.or(Some(error)),
            Err(ForgeError::Unsupported(_)) => return Ok((*name).clone()),
            Err(error) => return Err(error),
        }
    }
    Err(doubt.unwrap_or_else(|| ForgeError::NotFound(format!("the repository number {id}"))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::forge::{Answer, Branch, ChangedFiles, Comment, PullRequest, RepositoryFacts};

    /// What each name means: a number and a name.
    struct Names(BTreeMap<&'static str, Result<(i64, &'static str), ForgeError>>);

    impl Forge for Names {
        fn repository<'a>(&'a self, name: &'a RepoName) -> Answer<'a, RepositoryFacts> {
            let found = self.0.get(name.as_str()).cloned().unwrap_or_else(|| Err(ForgeError::NotFound(name.to_string())));
            Box::pin(async move { found.map(|(id, name)| RepositoryFacts { id, name: name.parse().unwrap(), private: false }) })
        }

        fn pull_request<'a>(&'a self, _: &'a RepoName, _: i64) -> Answer<'a, PullRequest> {
            Box::pin(async { Err(ForgeError::Unsupported("pulls")) })
        }

        fn changed_files<'a>(&'a self, _: &'a RepoName, _: i64) -> Answer<'a, ChangedFiles> {
            Box::pin(async { Err(ForgeError::Unsupported("changes")) })
        }

        fn branch<'a>(&'a self, _: &'a RepoName, _: &'a str) -> Answer<'a, Branch> {
            Box::pin(async { Err(ForgeError::Unsupported("branches")) })
        }

        fn find_comments<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a [&'a str]) -> Answer<'a, Vec<Comment>> {
            Box::pin(async { Err(ForgeError::Unsupported("comments")) })
        }

        fn create_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, i64> {
            Box::pin(async { Err(ForgeError::Unsupported("comments")) })
        }

        fn edit_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, ()> {
            Box::pin(async { Err(ForgeError::Unsupported("comments")) })
        }
    }

    #[tokio::test]
    async fn a_name_counts_only_where_it_means_the_number() {
        let away = || ForgeError::Unavailable { what: "ask".into(), why: "502".into() };
        let (is, taken) = (|name| Ok((7, name)), || Ok((8, "acme/web")));
        let none = || ForgeError::NotFound("acme/web".into());
        for (case, web, site, expected) in [
            ("as ever", is("acme/web"), Err(none()), Ok("acme/web")),
            ("the forge leads the old name on", is("acme/site"), is("acme/site"), Ok("acme/site")),
            ("taken, and the new name is known", taken(), is("acme/site"), Ok("acme/site")),
            ("gone, and the new name is known", Err(none()), is("acme/site"), Ok("acme/site")),
            ("taken, and the new name is not known", taken(), Err(none()), Err(ForgeError::Another("acme/web".into()))),
            ("not to be seen", Err(none()), Err(none()), Err(none())),
            ("away, whatever the other name means", Err(away()), is("acme/site"), Err(away())),
            ("a forge without renames", Err(ForgeError::Unsupported("repository")), taken(), Ok("acme/web")),
        ] {
            let forge = Names(BTreeMap::from([("acme/web", web), ("acme/site", site)]));
            let (old, new): (RepoName, RepoName) = ("acme/web".parse().unwrap(), "acme/site".parse().unwrap());
            let found = home(&forge, 7, &[&old, &new]).await;
            let found = found.as_ref().map(RepoName::as_str).map_err(Clone::clone);
            match (&found, &expected) {
                (Err(ForgeError::NotFound(_)), Err(ForgeError::NotFound(_))) => {}
                _ => assert_eq!(found, expected, "{case}"),
            }
        }
    }
}
