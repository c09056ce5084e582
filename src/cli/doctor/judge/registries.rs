//! Do the logins of the pods open the registries? No client, no clock, no logging.

use crate::cli::doctor::finding::{Finding, Unseen, some_of};
use crate::registry::{Answer, Unknown};

/// The check of registries.
pub const REGISTRY: &str = "registry";
const NAMED: usize = 3;

/// One image that the baseline runs and a repository builds, and what its registry says of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The image as it is written.
    pub image: String,
    /// The answer.
    pub answer: Answer,
}

/// What was asked for one Baseline.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// The images.
    pub asked: Vec<Asked>,
    /// Secrets with logins that whoever asks may not read.
    pub closed: Vec<String>,
}

/// What the registries say, the worst first.
pub fn registries(images: &Images) -> Vec<Finding> {
    if images.asked.is_empty() {
        return vec![Finding::not_checked(REGISTRY, &Unseen::new("nothing here runs an image that a repository of the Baseline builds"))];
    }
    let mut bad: Vec<Finding> = images.asked.iter().filter_map(|asked| problem(asked, &images.closed)).collect();
    if bad.is_empty() {
        let names: Vec<&str> = images.asked.iter().map(|asked| asked.image.as_str()).collect();
        bad.push(Finding::ok(REGISTRY, format!("the logins of the pods open {}", some_of(&names, NAMED))));
    }
    bad
}

fn problem(Asked { image, answer }: &Asked, closed: &[String]) -> Option<Finding> {
    let unsaid = |why: String| Some(Finding::not_checked(REGISTRY, &Unseen(why)));
    match answer {
        Answer::Found(_) => None,
        Answer::Absent => Some(
            Finding::warning(REGISTRY, format!("{image} runs here, and its registry does not have it any more"))
                .mend("push it again, or have the baseline run one that is there"),
        ),
        Answer::Unknown(Unknown::Refused(_)) if !closed.is_empty() => {
            unsaid(format!("{image}: you may not read the Secret {} that it is pulled with", some_of(closed, NAMED)))
        }
        Answer::Unknown(Unknown::Refused(why)) => Some(Finding::failure(REGISTRY, format!("{image}: {why}")).mend(
            "list the pull Secret of its pods in clone.secrets, or give the service a login: --registry-credentials (docs/images.md)",
        )),
        Answer::Unknown(Unknown::Unreachable(why) | Unknown::NotAllowed(why)) => {
            unsaid(format!("from here nobody can say of {image}: {why}"))
        }
        Answer::Unknown(Unknown::Failed(why)) => {
            Some(Finding::warning(REGISTRY, format!("{image}: {why}")).mend("see that it is a registry, and well (docs/images.md)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;
    use crate::registry::Found;

    #[test]
    fn what_a_registry_says_of_the_baselines_own_image_is_what_its_login_is_worth() {
        let of = |answer: Answer, closed: &[&str]| {
            let closed = closed.iter().map(|name| (*name).to_owned()).collect();
            registries(&Images { asked: vec![Asked { image: "r.example.com/web:1".into(), answer }], closed }).remove(0).result
        };
        let unknown = |why: fn(String) -> Unknown| Answer::Unknown(why("it answers 403".into()));
        assert_eq!(of(Answer::Found(Found::default()), &[]), Verdict::Ok);
        assert_eq!(of(Answer::Absent, &[]), Verdict::Warning);
        assert_eq!(of(unknown(Unknown::Refused), &[]), Verdict::Failure);
        assert_eq!(of(unknown(Unknown::Refused), &["pull"]), Verdict::NotChecked);
        assert_eq!(of(unknown(Unknown::Unreachable), &[]), Verdict::NotChecked);
        assert_eq!(of(unknown(Unknown::NotAllowed), &[]), Verdict::NotChecked);
        assert_eq!(of(unknown(Unknown::Failed), &[]), Verdict::Warning);
        assert_eq!(registries(&Images::default())[0].result, Verdict::NotChecked);
    }
}
