//! Templates for values that differ in each environment: variables, patches and Secrets.

use std::collections::BTreeMap;

use super::environment::Source;
use super::names::Subject;
use super::slug::Slug;
use super::template::{Piece, pieces};

/// The variables of a template and what each stands for.
pub const VARIABLES: [(&str, &str); 12] = [
    ("env", "the environment's name, such as web-pr-42"),
    ("namespace", "the environment's namespace"),
    ("host", "the environment's first host"),
    ("hosts.<host>", "the environment's host for that host of the baseline, whole or by its first label"),
    ("revision", "the commit that is shown"),
    ("revision_short", "its first seven digits"),
    ("pull", "the number of the pull request"),
    ("branch", "the branch that the change is on"),
    ("branch_slug", "the branch as a DNS label"),
    ("baseline", "the Baseline's name"),
    ("baseline_namespace", "the Baseline's namespace"),
    ("generated.<key>", "in clone.secrets[].set: the generated value of that key of the same Secret"),
];

/// Longest slug of a branch: a DNS label.
const SLUG_MAX: usize = 63;

/// A text with variables in double braces, such as `https://{{ host }}/`. `{{ "{{" }}` stands for the braces themselves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValueTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Variable(Variable),
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Variable {
    Plain(&'static str),
    HostFor(String),
    Generated(String),
}

/// What templates are filled from.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// What has a value in this environment, by variable.
    plain: BTreeMap<&'static str, String>,
    /// The baseline's hosts with those of the environment, the first one first.
    hosts: Vec<(String, String)>,
    /// What is generated for the Secret at hand, by key.
    generated: BTreeMap<String, String>,
}

/// What is wrong with a template, or with filling it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// A brace that opens or closes nothing.
    #[error("cannot read the template: '{{{{' and '}}}}' must come in pairs; write {{{{ \"{{{{\" }}}} for the braces themselves")]
    Braces,
    /// A variable that we do not know.
    #[error("cannot fill '{{{{ {0} }}}}': known are {known}", known = known())]
    Unknown(String),
    /// A variable that this environment has no value for.
    #[error("cannot fill '{{{{ {0} }}}}': {1}")]
    Missing(&'static str, &'static str),
    /// A host that the baseline does not have.
    #[error("cannot fill '{{{{ hosts.{0} }}}}': the baseline's hosts are {1}")]
    UnknownHost(String, String),
    /// A key that is not generated here.
    #[error("cannot fill '{{{{ generated.{0} }}}}': this stands only in clone.secrets[].set, for a key that the same Secret generates")]
    NotGenerated(String),
}

fn known() -> String {
    VARIABLES.map(|(name, _)| name).join(", ")
}

impl ValueTemplate {
    /// Reads a template. Unknown variables are refused.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let read = |piece: Piece<'_>| match piece {
            Piece::Text(text) => Ok(Part::Text(text.to_owned())),
            Piece::Variable(name) => Variable::parse(name).map(Part::Variable),
        };
        let parts = pieces(text).ok_or(ValueError::Braces)?.into_iter().map(read);
        Ok(Self { parts: parts.collect::<Result<_, _>>()? })
    }

    /// Whether a push changes the value.
    pub fn names_a_revision(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Variable(Variable::Plain("revision" | "revision_short"))))
    }

    /// The keys whose generated values it names.
    pub fn generated_keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|p| if let Part::Variable(Variable::Generated(key)) = p { Some(key.as_str()) } else { None })
    }

    /// The text for these values.
    pub fn fill(&self, values: &Values) -> Result<String, ValueError> {
        self.parts.iter().map(|part| values.part(part)).collect()
    }
}

impl Variable {
    fn parse(name: &str) -> Result<Self, ValueError> {
        let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if let Some(host) = name.strip_prefix("hosts.").filter(|h| is_name(h)) {
            return Ok(Self::HostFor(host.to_ascii_lowercase()));
        }
        if let Some(key) = name.strip_prefix("generated.").filter(|k| is_name(k)) {
            return Ok(Self::Generated(key.to_owned()));
        }
        let plain = VARIABLES.iter().map(|(known, _)| *known).filter(|known| !known.contains('<'));
        plain.into_iter().find(|known| *known == name).map(Self::Plain).ok_or_else(|| ValueError::Unknown(name.to_owned()))
    }
}

impl Values {
    /// The values that every environment has.
    pub fn new(environment: &str, namespace: &str, baseline: (&str, &str)) -> Self {
        let (baseline_namespace, baseline) = baseline;
        let plain = [("env", environment), ("namespace", namespace), ("baseline", baseline), ("baseline_namespace", baseline_namespace)];
        Self { plain: plain.map(|(name, value)| (name, value.to_owned())).into(), ..Self::default() }
    }

    /// And those of what it is for.
    pub fn with_source(mut self, source: &Source) -> Self {
        self.plain.insert("revision", source.revision.to_string());
        self.plain.insert("revision_short", source.revision.short().to_owned());
        if let Subject::Pull(number) = source.subject {
            self.plain.insert("pull", number.to_string());
        }
        if let Some(branch) = &source.branch {
            self.plain.insert("branch", branch.clone());
            self.plain.insert("branch_slug", Slug::new(branch, SLUG_MAX).to_string());
        }
        self
    }

    /// And its hosts: the first one, and each beside the baseline's.
    pub fn with_hosts(mut self, first: &str, hosts: impl IntoIterator<Item = (String, String)>) -> Self {
        self.plain.insert("host", first.to_owned());
        self.hosts = hosts.into_iter().collect();
        self
    }

    /// The same with what is generated for one Secret.
    pub fn with_generated(&self, generated: BTreeMap<String, String>) -> Self {
        Self { generated, ..self.clone() }
    }

    fn part(&self, part: &Part) -> Result<String, ValueError> {
        match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Variable(Variable::Plain(name)) => self.plain.get(name).cloned().ok_or(ValueError::Missing(name, why_missing(name))),
            Part::Variable(Variable::HostFor(host)) => self.host_for(host),
            Part::Variable(Variable::Generated(key)) => {
                self.generated.get(key).cloned().ok_or_else(|| ValueError::NotGenerated(key.clone()))
            }
        }
    }

    /// The host whose whole name is given, or the only one that starts with that label.
    fn host_for(&self, wanted: &str) -> Result<String, ValueError> {
        let whole = self.hosts.iter().find(|(old, _)| old.eq_ignore_ascii_case(wanted));
        let starts = |old: &str| old.split('.').next().is_some_and(|label| label.eq_ignore_ascii_case(wanted));
        let mut labelled = self.hosts.iter().filter(|(old, _)| starts(old));
        let found = whole.or_else(|| labelled.next().filter(|_| labelled.next().is_none()));
        found.map(|(_, new)| new.clone()).ok_or_else(|| {
            let known: Vec<_> = self.hosts.iter().map(|(old, _)| old.as_str()).collect();
            ValueError::UnknownHost(wanted.to_owned(), if known.is_empty() { "none".to_owned() } else { known.join(", ") })
        })
    }
}

fn why_missing(name: &str) -> &'static str {
    match name {
        "pull" => "this environment is not for a pull request",
        "host" => "the Baseline has no hosts.domain",
        "branch" | "branch_slug" => "this environment is not for a branch with a name",
        _ => "nothing is known yet of what this environment is for",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let hosts = [("shop.io", "web-pr-42.p.io"), ("api.shop.io", "api-web-pr-42.p.io")];
        Values::new("web-pr-42", "shop-web-pr-42", ("shop", "main"))
            .with_hosts("web-pr-42.p.io", hosts.map(|(old, new)| (old.to_owned(), new.to_owned())))
            .with_generated([("PASSWORD".to_owned(), "abc".to_owned())].into())
    }

    fn fill(template: &str) -> Result<String, ValueError> {
        ValueTemplate::parse(template)?.fill(&values())
    }

    #[test]
    fn variables_are_filled() {
        for (template, text) in [
            ("https://{{ host }}/{{env}}", "https://web-pr-42.p.io/web-pr-42"),
            ("{{ hosts.api }} {{ hosts.SHOP.io }}", "api-web-pr-42.p.io web-pr-42.p.io"),
            ("postgres://app:{{ generated.PASSWORD }}@db.{{ namespace }}/app", "postgres://app:abc@db.shop-web-pr-42/app"),
            ("{{ baseline_namespace }}/{{ baseline }}", "shop/main"),
            (r#"{{ "{{" }} .Values.x {{ "}}" }}"#, "{{ .Values.x }}"),
            ("", ""),
        ] {
            assert_eq!(fill(template).unwrap(), text, "{template}");
        }
    }

    #[test]
    fn mistakes_are_named_with_what_is_known() {
        for (template, says) in [
            ("{{ sha }}", "known are env, namespace, host"),
            ("{{ pull }}", "not for a pull request"),
            ("{{ branch_slug }}", "not for a branch"),
            ("{{ revision }}", "nothing is known yet"),
            ("{{ hosts.mail }}", "shop.io, api.shop.io"),
            ("{{ generated.OTHER }}", "generated.OTHER"),
            ("{{ hosts. }}", "hosts."),
            ("{{ env", "pairs"),
            ("env }}", "pairs"),
        ] {
            let error = fill(template).unwrap_err().to_string();
            assert!(error.contains(says), "{template}: {error}");
        }
    }

    #[test]
    fn a_template_knows_what_it_depends_on() {
        assert!(ValueTemplate::parse("x{{ revision_short }}").unwrap().names_a_revision());
        assert!(!ValueTemplate::parse("{{ env }}").unwrap().names_a_revision());
        assert_eq!(ValueTemplate::parse("{{ generated.A }}{{generated.B}}").unwrap().generated_keys().collect::<Vec<_>>(), ["A", "B"]);
    }
}
