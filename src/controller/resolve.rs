//! Step 2 of 5, resolve: which images run here instead of the baseline's, and what follows from what their registries
//! say. No client, no clock, no logging: `images.rs` asks the registries.

use chrono::{DateTime, TimeDelta, Utc};

use super::changes::Change;
use crate::api::baseline::{Forks, MissingImage};
use crate::api::environment::SourceState;
use crate::api::status::{ImageOrigin, ImageState, ImageStatus};
use crate::domain::baseline::{ImagePolicy, ImageRule, Repository};
use crate::domain::environment::Source;
use crate::domain::names::Subject;
use crate::domain::path_glob::PathGlob;
use crate::domain::template::{TagValues, TemplateError};
use crate::domain::{Baseline, Environment, ImageRef};
use crate::plan::{ImageSwap, ResolvedImages};
use crate::registry::{Answer, Found};

/// An image that is to run instead of the baseline's.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its repository.
    pub repository: ImageRef,
    /// The tag.
    pub tag: String,
    /// Whose wish it is.
    pub from: ImageOrigin,
    /// The commit that it is built from, where that is known.
    pub revision: Option<String>,
    /// Whether its label has to name that commit.
    pub revision_label: bool,
    /// Whether that label alone shows that it is of the commit of a fork that somebody approved, since its tag does not name the
    /// whole of it: whoever can push there can have another commit built under the same tag.
    pub unproven: bool,
    /// What it is built from, and the pull request that may change it; absent where every change counts.
    pub built_from: Option<(Vec<PathGlob>, Change)>,
}

/// What is new of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The change touches nothing that it is built from.
    Unchanged,
    /// Its registry answered.
    Answered(Answer),
}

/// What runs, and what there is to say about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolution {
    /// For the plan.
    pub images: ResolvedImages,
    /// For the status, from which the next pass goes on.
    pub record: Vec<ImageStatus>,
}

/// What a resolution follows from beside what is wanted.
pub struct Known<'a> {
    /// What was recorded before.
    pub recorded: &'a [ImageStatus],
    /// What happens while an image is not there.
    pub policy: ImagePolicy,
    /// The platforms of the nodes, as far as they are known.
    pub nodes: Vec<String>,
    /// The present time.
    pub now: DateTime<Utc>,
}

/// The images of every open source by the Baseline's rules; what a person asked for stands before a rule. Where none is open any
/// more, what there is stays as it was, if it stays.
pub fn wanted(environment: &Environment, baseline: &Baseline) -> Result<Vec<Wanted>, TemplateError> {
    let mut wanted: Vec<Wanted> = environment.images.iter().map(|(repository, tag)| override_of(repository, tag)).collect();
    let have_ended = !environment.has_open_source();
    for repository in &baseline.repositories {
        let source = environment.source(repository.forge, &repository.name);
        let Some(source) = source.filter(|s| have_ended || s.state == SourceState::Open) else { continue };
        for built in built_by(repository, source, baseline.trust.forks)? {
            if !wanted.iter().any(|w| w.repository.same_repository(&built.repository)) {
                wanted.push(built);
            }
        }
    }
    Ok(wanted)
}

/// The same without asking anybody: as recorded, and by tag what is not.
pub fn resolve(environment: &Environment, baseline: &Baseline, recorded: &[ImageStatus]) -> Result<ResolvedImages, TemplateError> {
    let known = |w: &Wanted| match w.recorded(recorded) {
        Some(record) => swap(w, record),
        None => Some(ImageSwap::by_tag(w.repository.clone(), w.tag.clone(), w.from)),
    };
    Ok(ResolvedImages { swaps: wanted(environment, baseline)?.iter().filter_map(known).collect() })
}

/// What registries said of the images that are wanted now, as far as it is recorded.
pub fn known(environment: &Environment, baseline: &Baseline, recorded: &[ImageStatus]) -> Result<Vec<ImageStatus>, TemplateError> {
    Ok(wanted(environment, baseline)?.iter().filter_map(|w| w.recorded(recorded)).cloned().collect())
}

fn override_of(repository: &ImageRef, tag: &str) -> Wanted {
    let (repository, tag) = (repository.clone(), tag.to_owned());
    Wanted { repository, tag, from: ImageOrigin::Override, revision: None, revision_label: false, unproven: false, built_from: None }
}

fn built_by(repository: &Repository, source: &Source, forks: Forks) -> Result<Vec<Wanted>, TemplateError> {
    let pull = if let Subject::Pull(number) = source.subject { Some(number) } else { None };
    let values = TagValues { revision: &source.revision, pull, branch: source.branch.as_deref() };
    let is_approved = source.foreign && forks == Forks::Approve;
    let wanted = |rule: &ImageRule| {
        let tag = rule.tag.fill(&values)?;
        Ok(Wanted {
            repository: rule.image.clone(),
            unproven: is_approved && !tag.contains(source.revision.as_str()),
            tag,
            from: ImageOrigin::Branch,
            revision: Some(source.revision.to_string()),
            revision_label: rule.revision_label,
            built_from: pull.filter(|_| !rule.paths.is_empty()).map(|pull| (rule.paths.clone(), change(source, pull))),
        })
    };
    repository.images.iter().map(wanted).collect()
}

fn change(source: &Source, pull: i64) -> Change {
    Change {
        forge: source.forge,
        repository_id: source.repository_id,
        repository: source.repository.clone(),
        pull,
        revision: source.revision.to_string(),
    }
}

impl Wanted {
    /// As people write it.
    pub fn image(&self) -> String {
        self.repository.with_tag(&self.tag).to_string()
    }

    /// Whether what a registry has is what is wanted: where its label counts, of the right commit.
    pub fn accepts(&self, found: &Found) -> bool {
        let of_commit = |revision: &String| found.revisions.iter().any(|r| r == revision || (!self.unproven && is_short_for(r, revision)));
        !(self.revision_label || self.unproven) || self.revision.as_ref().is_none_or(of_commit)
    }

    fn is_recorded_as(&self, record: &ImageStatus) -> bool {
        record.name == self.repository.repository() && record.tag == self.tag && record.revision == self.revision
    }

    /// What is recorded of it.
    pub fn recorded<'a>(&self, recorded: &'a [ImageStatus]) -> Option<&'a ImageStatus> {
        recorded.iter().find(|record| self.is_recorded_as(record))
    }

    fn record(&self, state: ImageState, (reason, message): (&str, String), now: DateTime<Utc>) -> ImageStatus {
        ImageStatus {
            name: self.repository.repository().to_owned(),
            tag: self.tag.clone(),
            revision: self.revision.clone(),
            state,
            reason: reason.to_owned(),
            message,
            digest: None,
            since: now,
            until: None,
        }
    }
}

/// Some builds label their images with a shortened commit.
fn is_short_for(short: &str, revision: &str) -> bool {
    short.len() >= 7 && revision.starts_with(short)
}

/// Whether nothing more has to be asked of this image: what it is stays so.
pub fn is_settled(record: &ImageStatus) -> bool {
    matches!(record.state, ImageState::Available | ImageState::Unknown | ImageState::Unchanged)
}

/// What follows from what is recorded and from the answers since.
pub fn resolution(wanted: &[Wanted], known: &Known<'_>, news: impl Fn(&Wanted) -> Option<News>) -> Resolution {
    let mut resolution = Resolution::default();
    for wanted in wanted {
        let before = wanted.recorded(known.recorded);
        let record = match before {
            Some(settled) if is_settled(settled) => settled.clone(),
            _ => match news(wanted) {
                Some(News::Unchanged) => unchanged(wanted, known.now),
                Some(News::Answered(answer)) => answered(wanted, before, Some(answer), known),
                None => answered(wanted, before, None, known),
            },
        };
        resolution.images.swaps.extend(swap(wanted, &record));
        resolution.record.push(record);
    }
    resolution
}

impl Resolution {
    /// Holds the images that a change does not touch to the digest that the baseline runs, where that is known.
    pub fn pin(&mut self, wanted: &[Wanted], digest: impl Fn(&ImageRef) -> Option<String>) {
        for (wanted, record) in wanted.iter().zip(&mut self.record).filter(|(_, record)| record.state == ImageState::Unchanged) {
            if record.digest.is_none() {
                record.digest = digest(&wanted.repository);
                self.images.swaps.extend(swap(wanted, record));
            }
        }
    }
}

fn unchanged(wanted: &Wanted, now: DateTime<Utc>) -> ImageStatus {
    let why = format!("the change touches nothing that {} is built from", wanted.repository.repository());
    wanted.record(ImageState::Unchanged, ("Unchanged", why), now)
}

/// What is so of an image now. One that is known to be missing stays so while its registry says nothing better: by its
/// tag it would not start.
fn answered(wanted: &Wanted, before: Option<&ImageStatus>, answer: Option<Answer>, known: &Known<'_>) -> ImageStatus {
    let missed = before.filter(|b| b.state == ImageState::Missing);
    match (answer, missed) {
        (Some(Answer::Found(found)), _) if wanted.accepts(&found) => {
            let why = other_platform(wanted, &found, &known.nodes).map_or(("Found", String::new()), |why| ("OtherPlatform", why));
            let record = wanted.record(ImageState::Available, why, known.now);
            ImageStatus { digest: Some(found.digest), ..record }
        }
        (Some(Answer::Found(found)), _) => {
            missing(wanted, "OtherRevision", &other_revision(wanted, &found), missed.map_or(known.now, |m| m.since), known)
        }
        (Some(Answer::Absent), _) => {
            let why = format!("{} is not in the registry yet", wanted.image());
            missing(wanted, "NotFound", &why, missed.map_or(known.now, |m| m.since), known)
        }
        (_, Some(missed)) => aged(wanted, missed, known),
        (Some(Answer::Unknown(why)), None) if wanted.unproven => {
            missing(wanted, "OtherRevision", &format!("{}: {why}{UNPROVEN}", wanted.image()), known.now, known)
        }
        (Some(Answer::Unknown(why)), None) => {
            let message = format!("{}: {why}; it runs by its tag", wanted.image());
            wanted.record(ImageState::Unknown, (why.reason(), message), known.now)
        }
        (None, None) => match before {
            Some(looking) => looking.clone(),
            None => wanted.record(ImageState::Looking, ("Looking", format!("asking for {}", wanted.image())), known.now),
        },
    }
}

/// What is wrong where no node can run any of the images of an index.
fn other_platform(wanted: &Wanted, found: &Found, nodes: &[String]) -> Option<String> {
    let fits = found.platforms.iter().any(|platform| nodes.contains(platform));
    let unknown = found.platforms.is_empty() || nodes.is_empty();
    let why = || format!("{} is for {}, and the nodes are {}", wanted.image(), found.platforms.join(", "), nodes.join(", "));
    (!fits && !unknown).then(why)
}

fn other_revision(wanted: &Wanted, found: &Found) -> String {
    let built = match found.revisions.first() {
        Some(revision) => format!("is still the build of {}", revision.chars().take(7).collect::<String>()),
        None => "names no commit in its label org.opencontainers.image.revision".to_owned(),
    };
    format!("{} {built}{}", wanted.image(), if wanted.unproven { UNPROVEN } else { "" })
}

/// Why an image whose tag could be another commit's does not run.
const UNPROVEN: &str = ", and its tag does not name the approved commit whole; a tag with {{ revision }} does";

/// A missing image without news, as the time has it.
fn aged(wanted: &Wanted, missed: &ImageStatus, known: &Known<'_>) -> ImageStatus {
    let reason = if missed.message.contains("is not in the registry") { "NotFound" } else { "OtherRevision" };
    let why = missed.message.split(';').next().unwrap_or_default();
    missing(wanted, reason, why, missed.since, known)
}

/// A missing image: waited for, and after that as the Baseline says.
fn missing(wanted: &Wanted, reason: &'static str, why: &str, since: DateTime<Utc>, known: &Known<'_>) -> ImageStatus {
    let wait = TimeDelta::from_std(known.policy.wait).unwrap_or(TimeDelta::MAX);
    let until = since.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let (reason, then) = match known.policy.missing {
        _ if known.now < until => (reason, format!("it is waited for until {}", moment(until))),
        MissingImage::Wait => (reason, format!("it was first missed on {}, and is waited for", moment(since))),
        MissingImage::UseBaseline => {
            ("BaselineInstead", "the baseline's image runs instead, which is not the code of this change".to_owned())
        }
        MissingImage::Fail => ("GaveUp", format!("it was waited for until {}", moment(until))),
    };
    let record = wanted.record(ImageState::Missing, (reason, format!("{why}; {then}")), since);
    ImageStatus { until: Some(until), ..record }
}

/// A moment without regard to the reader's clock: `27 Nov, 14:05 UTC`.
fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %b, %H:%M UTC").to_string()
}

/// What runs instead of the baseline's image, if anything does.
fn swap(wanted: &Wanted, record: &ImageStatus) -> Option<ImageSwap> {
    let awaited = match record.state {
        ImageState::Unchanged => {
            let (repository, digest) = (wanted.repository.clone(), Some(record.digest.clone()?));
            let by_tag = ImageSwap::by_tag(repository, wanted.tag.clone(), ImageOrigin::Baseline);
            return Some(ImageSwap { digest, ..by_tag });
        }
        ImageState::Missing if record.reason == "BaselineInstead" => return None,
        ImageState::Looking | ImageState::Missing => true,
        ImageState::Available | ImageState::Unknown => false,
    };
    let by_tag = ImageSwap::by_tag(wanted.repository.clone(), wanted.tag.clone(), wanted.from);
    Some(ImageSwap { digest: record.digest.clone(), awaited, ..by_tag })
}

#[cfg(test)]
mod tests;
