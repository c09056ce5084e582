//! What was begun for a commit and never recorded to its end: the answer was lost, or the service stopped, and another commit was pushed
//! before anybody looked. It is recorded before it is begun, so whoever delivers next knows what to look for. No client, no clock, no
//! logging.

use crate::api::status::{Begun, Feedback, Surface};

/// So many commits are remembered. More are not pushed while the forge is away, but by scripts.
const KEPT: usize = 20;

/// Records that something of a commit may be shown from now on. Whether that is news.
pub(super) fn begin(feedback: &mut Feedback, surface: Surface, revision: &str) -> bool {
    if feedback.begun.iter().all(|begun| begun.revision != revision) {
        let surplus = (feedback.begun.len() + 1).saturating_sub(KEPT);
        feedback.begun.drain(..surplus);
        feedback.begun.push(Begun { revision: revision.to_owned(), surfaces: Vec::new(), name: None });
    }
    let Some(begun) = feedback.begun.iter_mut().find(|begun| begun.revision == revision) else { return false };
    let is_news = !begun.surfaces.contains(&surface);
    if is_news {
        begun.surfaces.push(surface);
        begun.surfaces.sort_unstable();
    }
    is_news
}

/// The same of a check, with what it is called where that is not the usual name: another one's may be called so.
pub(super) fn begin_check(feedback: &mut Feedback, revision: &str, name: Option<String>) -> bool {
    let is_news = begin(feedback, Surface::Check, revision);
    let Some(begun) = feedback.begun.iter_mut().find(|begun| begun.revision == revision) else { return is_news };
    let is_renamed = begun.name != name;
    begun.name = name;
    is_news || is_renamed
}

/// Records that it is known what is shown of a commit.
pub(super) fn settle(feedback: &mut Feedback, surface: Surface, revision: &str) {
    for begun in feedback.begun.iter_mut().filter(|begun| begun.revision == revision) {
        begun.surfaces.retain(|known| *known != surface);
    }
    feedback.begun.retain(|begun| !begun.surfaces.is_empty());
}

/// The commits but for that one of which something of that kind may be shown, the oldest first.
pub(super) fn others<'a>(feedback: &'a Feedback, surface: Surface, but: Option<&'a str>) -> impl Iterator<Item = &'a Begun> {
    feedback.begun.iter().filter(move |begun| begun.surfaces.contains(&surface) && but != Some(&begun.revision))
}

/// Whether there is no such commit.
pub(super) fn has_no_others(feedback: &Feedback, surface: Surface, but: Option<&str>) -> bool {
    others(feedback, surface, but).next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_known_until_it_is_settled() {
        let mut feedback = Feedback::default();
        let deployed =
            |feedback: &Feedback, but| others(feedback, Surface::Deployment, but).map(|b| b.revision.clone()).collect::<Vec<_>>();
        let check = |feedback: &mut Feedback, name: &str| begin_check(feedback, "a", Some(name.to_owned()));
        assert!(begin(&mut feedback, Surface::Deployment, "a") && check(&mut feedback, "x") && !check(&mut feedback, "x"));
        assert!(check(&mut feedback, "y"), "it is called otherwise now");
        assert!(begin(&mut feedback, Surface::Deployment, "b") && !begin(&mut feedback, Surface::Deployment, "b"));
        assert_eq!(
            (deployed(&feedback, None), deployed(&feedback, Some("b"))),
            (vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned()])
        );
        settle(&mut feedback, Surface::Deployment, "a");
        assert!(has_no_others(&feedback, Surface::Deployment, Some("b")) && !has_no_others(&feedback, Surface::Check, Some("b")));
        settle(&mut feedback, Surface::Check, "a");
        settle(&mut feedback, Surface::Deployment, "b");
        assert_eq!(feedback, Feedback::default());
        for revision in 0..2 * KEPT {
            begin(&mut feedback, Surface::Check, &revision.to_string());
        }
        assert_eq!((feedback.begun.len(), feedback.begun.last().map(|begun| begun.revision.as_str())), (KEPT, Some("39")));
    }
}
