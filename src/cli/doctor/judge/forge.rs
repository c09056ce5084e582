//! May the service do on GitHub what it needs? No client, no clock, no logging.

use crate::cli::doctor::finding::{Fact, Finding, Unseen, some_of};
use crate::domain::RepoName;
use crate::forge::github::Standing;

const APP: &str = "app";
const NAMED: usize = 3;

/// What is known of one repository.
pub type Repository = (RepoName, Fact<Option<Vec<String>>>);

/// No credential was given.
pub fn unasked() -> Unseen {
    Unseen::new("give --github-app-id and --github-app-key-file (or --github-token-file), as for preview serve, and GitHub is asked")
}

/// Whether it was asked at all.
pub fn not_checked(why: &Unseen) -> Finding {
    Finding::not_checked(APP, why)
}

/// What the App itself asks for, and hears.
pub fn app(standing: &Fact<Standing>) -> Finding {
    let Standing { slug, lacks, unheard } = match standing {
        Ok(standing) => standing,
        Err(why) => return Finding::failure(APP, why.to_string()).mend("see that id and key are those of the App (docs/github-app.md)"),
    };
    let mend = "add it on the App's page on GitHub, \"Permissions & events\" (docs/github-app.md says what for)";
    match (lacks.is_empty(), unheard.is_empty()) {
        (true, true) => Finding::ok(APP, format!("{slug} asks for all that is needed")),
        (false, _) => Finding::failure(APP, format!("{slug} does not ask for {}", some_of(lacks, NAMED))).mend(mend),
        (true, false) => Finding::failure(APP, format!("{slug} is not told of {}", some_of(unheard, NAMED))).mend(mend),
    }
}

/// What its installations were granted.
pub fn installations(all: &[Repository]) -> Vec<Finding> {
    let mut bad = Vec::new();
    for (repository, granted) in all {
        match granted {
            Ok(Some(lacks)) if lacks.is_empty() => {}
            Ok(Some(lacks)) => bad.push(
                Finding::failure(APP, format!("for {repository} it was not granted {}", some_of(lacks, NAMED)))
                    .mend("whoever owns the repository accepts the App's new permissions: Settings > GitHub Apps"),
            ),
            Ok(None) => bad.push(
                Finding::failure(APP, format!("it is not installed for {repository}"))
                    .mend("install it there, or take the repository out of the Baseline"),
            ),
            Err(why) => bad.push(Finding::not_checked(APP, why)),
        }
    }
    if bad.is_empty() && !all.is_empty() {
        bad.push(Finding::ok(APP, format!("it is installed for all {} repositories, with all that it needs", all.len())));
    }
    bad
}

/// What an account's token reads. What else it may, GitHub does not say.
pub fn account(login: &Fact<String>, unread: &[(RepoName, Unseen)], repositories: usize) -> Finding {
    let login = match login {
        Ok(login) => login,
        Err(why) => return Finding::failure(APP, why.to_string()).mend("see that the token's file is whole, and the token not revoked"),
    };
    if let Some((repository, why)) = unread.first() {
        return Finding::failure(APP, format!("{login} does not read {repository}: {why}"))
            .mend("give the token that repository (README, \"Install\")");
    }
    Finding::ok(APP, format!("the account {login} reads {repositories} repositories; what its token may write, GitHub does not say"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    fn standing(lacks: &[&str], unheard: &[&str]) -> Standing {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Standing { slug: "previews".into(), lacks: owned(lacks), unheard: owned(unheard) }
    }

    #[test]
    fn an_app_asks_for_what_is_needed_and_was_granted_it() {
        assert_eq!(app(&Ok(standing(&[], &[]))).result, Verdict::Ok);
        assert_eq!(app(&Ok(standing(&["checks: write"], &[]))).message, "previews does not ask for checks: write");
        assert_eq!(app(&Ok(standing(&[], &["push"]))).message, "previews is not told of push");
        assert_eq!(app(&Err(Unseen::new("cannot read the App itself"))).result, Verdict::Failure);
        let web = || "acme/web".parse::<RepoName>().unwrap();
        assert_eq!(installations(&[(web(), Ok(Some(Vec::new())))])[0].result, Verdict::Ok);
        let less = installations(&[(web(), Ok(Some(vec!["issues: write".into()]))), (web(), Ok(None)), (web(), Err(Unseen::new("away")))]);
        let results: Vec<Verdict> = less.iter().map(|finding| finding.result).collect();
        assert_eq!(results, [Verdict::Failure, Verdict::Failure, Verdict::NotChecked]);
        assert!(installations(&[]).is_empty());
    }

    #[test]
    fn an_account_reads_each_repository() {
        let login = Ok("bot".to_owned());
        assert_eq!(account(&login, &[], 2).result, Verdict::Ok);
        let lost = [("acme/web".parse().unwrap(), Unseen::new("404"))];
        assert_eq!(account(&login, &lost, 2).message, "bot does not read acme/web: 404");
        assert_eq!(account(&Err(Unseen::new("Bad credentials")), &[], 2).result, Verdict::Failure);
    }
}
