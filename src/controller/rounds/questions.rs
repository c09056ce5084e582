//! What is asked to learn whether objects are still there. No client, no clock, no logging.

use std::collections::BTreeMap;

use crate::kinds::{Kind, Known, Reading};
use crate::plan::ObjectName;

/// One request, and the objects that its answer tells of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Question {
    /// What all objects of a kind are called.
    Names {
        /// The kind.
        kind: Kind,
        /// The objects that should be among them.
        objects: Vec<ObjectName>,
    },
    /// Whether one object is there.
    One {
        /// Its kind.
        kind: Kind,
        /// The object.
        object: ObjectName,
    },
}

/// The questions about these objects. Of a kind that is not served any more nothing can be there.
pub(super) fn questions(objects: impl Iterator<Item = ObjectName>, kind_of: impl Fn(&ObjectName) -> Option<Kind>) -> Vec<Question> {
    let (mut lists, mut ones) = (BTreeMap::<Kind, Vec<ObjectName>>::new(), Vec::new());
    for object in objects {
        match kind_of(&object) {
            Some(kind) if may_be_listed(&kind) => lists.entry(kind).or_default().push(object),
            Some(kind) => ones.push(Question::One { kind, object }),
            None => {}
        }
    }
    let lists = lists.into_iter().map(|(kind, objects)| Question::Names { kind, objects });
    lists.chain(ones).collect()
}

/// Whether `deploy/rbac.yaml` lets the service list a kind inside environments: every kind that it makes there but Secrets,
/// and custom resources, of which whoever grants rights has to say no more than that they may be written.
fn may_be_listed(kind: &Kind) -> bool {
    Known::find(kind.group(), &kind.kind).is_some_and(|known| known.treatment.reading() != Reading::ByName)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(api_version: &str, kind: &str, name: &str) -> ObjectName {
        ObjectName { api_version: api_version.into(), kind: kind.into(), name: name.into() }
    }

    #[test]
    fn one_list_tells_of_all_objects_of_a_kind_and_secrets_and_custom_resources_are_asked_for_by_name() {
        let (a, b) = (object("v1", "ConfigMap", "a"), object("v1", "ConfigMap", "b"));
        let quota = object("v1", "ResourceQuota", "preview-env");
        let (secret, database) = (object("v1", "Secret", "s"), object("db.example.com/v1", "Database", "main"));
        let gone = object("gone.example.com/v1", "Thing", "t");
        let served = Kind::new("db.example.com/v1", "Database", "databases");
        let kind_of = |object: &ObjectName| {
            let custom = || Some(served.clone()).filter(|kind| kind.kind == object.kind);
            Kind::find(&object.api_version, &object.kind).cloned().or_else(custom)
        };
        let all = [&a, &secret, &database, &quota, &gone, &b].map(Clone::clone);
        let kind = |object: &ObjectName| Kind::find(&object.api_version, &object.kind).unwrap().clone();
        assert_eq!(
            questions(all.into_iter(), kind_of),
            [
                Question::Names { kind: kind(&a), objects: vec![a, b] },
                Question::Names { kind: kind(&quota), objects: vec![quota] },
                Question::One { kind: kind(&secret), object: secret },
                Question::One { kind: served.clone(), object: database },
            ]
        );
    }
}
