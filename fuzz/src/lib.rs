//! What is fuzzed, each as a function over bytes: by libFuzzer (`cargo +nightly fuzz run rewriter --features libfuzzer`)
//! and on a stable compiler by a mutation loop of our own (`make fuzz`).
//!
//! The modules are those of the service, under the names that they have there.

#![allow(dead_code, missing_docs, unused_imports, reason = "most of the modules is for the rest of the service")]

mod api {
    pub mod baseline {
        /// As in the service, where it is a part of the schema.
        #[derive(Clone, Copy, Debug)]
        pub enum ForgeKind {
            Github,
        }

        impl ForgeKind {
            pub const fn as_str(self) -> &'static str {
                "github"
            }
        }

        /// As in the service, where it is a part of the schema.
        #[derive(Clone, Copy, Debug)]
        pub enum ExternalKind {
            Namespace,
            Database,
            Private,
            Public,
            Address,
        }
    }
}

#[path = "../../src/domain"]
mod domain {
    pub mod image_ref;
    pub mod names;
    pub mod repo_name;
    pub mod slug;

    pub use image_ref::ImageRef;
    pub use repo_name::RepoName;
    pub use slug::Slug;
}

#[path = "../../src/plan"]
mod plan {
    pub mod rewrite;

    pub mod externals {
        mod authority;
        mod find;
        mod kind;

        /// Every host that a text names, with its kind.
        pub fn hosts(text: &str) -> usize {
            let trusts = [find::Trust::Configuration, find::Trust::Secret];
            let found = trusts.into_iter().flat_map(|trust| find::hosts(text, "DB_HOST", trust));
            found.map(|found| (kind::of(&found.host, ".svc.cluster.local"), found.port)).count()
        }
    }
}

use api::baseline::ForgeKind;
use domain::names::{EnvironmentName, Identity, Subject, hashed_host_label, host_label, namespace_names};
use domain::slug::is_dns_label;
use domain::{ImageRef, RepoName, Slug};
use plan::rewrite::{Names, differences, masked};

/// A target with its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 4] = [("rewriter", rewriter), ("images", images), ("names", names), ("externals", externals)];

/// Any text is rewritten without a panic, a second time changes nothing, and lines stay lines.
pub fn rewriter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let dictionary = Names::new("shop", "shop-web-pr-42", "cluster.local")
        .with_hosts([("shop.example.com", "web-pr-42.p.io"), ("api.shop.example.com", "api-web-pr-42.p.io")])
        .with_services(["redis", "db", "my-app"]);
    masked(&text);
    let Some(once) = dictionary.rewrite(&text) else { return };
    assert_eq!(dictionary.rewrite(&once.text), None, "a second time");
    assert_eq!(once.text.lines().count(), text.lines().count());
    let (shown, _) = differences(&text, &once.text);
    shown.iter().for_each(|difference| assert!(!once.why(difference.line).is_empty()));
}

/// Any text is read as an image or refused, and what is read is written as it was.
pub fn images(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(image) = text.parse::<ImageRef>() else { return };
    assert_eq!(image.to_string(), text);
    assert!(image.same_repository(&image) && !image.short_name().is_empty());
    let tagged = image.with_tag("pr-1");
    assert_eq!(tagged.to_string().parse::<ImageRef>().ok(), Some(tagged));
}

/// Any branch, host and name of a baseline gives names that Kubernetes and DNS take.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (branch, host) = text.split_at(text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at));
    let Ok(repository) = "acme/web".parse::<RepoName>() else { return };
    let (alias, namespace) = (Slug::new(host, 30), Slug::new(branch, 63));
    // An alias begins with a letter, as the schema says.
    let alias = format!("a{}", &alias.as_str()[1..]);
    for subject in [Subject::Branch(branch.to_owned()), Subject::Pull(i64::from(data.len() as u32) + 1)] {
        let identity = Identity { forge: ForgeKind::Github, repository: &repository, alias: &alias, subject: &subject, baseline_namespace: namespace.as_str() };
        let environment = EnvironmentName::of(&identity);
        let namespaces = namespace_names(namespace.as_str(), &environment);
        let label = host_label(&environment, Some(host));
        let hashed = hashed_host_label(&label, namespace.as_str(), &environment);
        for name in [environment.as_str(), &namespaces.preferred, &namespaces.hashed, &label, &hashed] {
            assert!(is_dns_label(name), "{name:?}");
        }
    }
    let _ = text.parse::<RepoName>().map(|name| (name.owner().len(), name.name().len(), name.folded()));
}

/// Hosts are looked for in any text without a panic.
pub fn externals(data: &[u8]) {
    plan::externals::hosts(&String::from_utf8_lossy(data));
}
