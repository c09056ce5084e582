//! Names by which the baseline is reached: those of its Services inside the cluster, and its hosts.
//! <https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>

/// The Service that a full name inside the cluster means, where it is one of that namespace: `redis` for
/// `redis.shop.svc` and `redis.shop.svc.cluster.local`. Without `.svc` it is a name like any other on the internet.
pub(super) fn local_service<'a>(name: &'a str, namespace: &str) -> Option<&'a str> {
    let mut labels = name.trim_end_matches('.').split('.');
    let (service, space, svc) = (labels.next()?, labels.next()?, labels.next()?);
    (space == namespace && svc == "svc" && !service.is_empty()).then_some(service)
}

/// The same name in another namespace.
pub(super) fn in_namespace(name: &str, namespace: &str) -> String {
    let mut labels: Vec<&str> = name.split('.').collect();
    if let Some(space) = labels.get_mut(1) {
        *space = namespace;
    }
    labels.join(".")
}

/// Whether a text names a host as a whole.
pub(super) fn mentions_host(text: &str, host: &str) -> bool {
    text.match_indices(host).any(|(at, _)| ends_there(&text[at + host.len()..]) && !text[..at].ends_with(is_part_of_name))
}

/// The text with a host replaced, where it names it as a whole.
pub(super) fn replace_host(text: &str, host: &str, by: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(host) {
        let end = at + host.len();
        if ends_there(&text[end..]) && !text[..at].ends_with(is_part_of_name) {
            replaced.push_str(&text[done..at]);
            replaced.push_str(by);
            done = end;
        }
    }
    replaced + &text[done..]
}

/// The names before a namespace in a text: of Services, `<service>.<namespace>`, with or without `.svc` behind.
pub(super) fn services_in<'a>(text: &'a str, namespace: &str) -> Vec<&'a str> {
    let inner = format!(".{namespace}");
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&inner) {
        let rest = &text[at + inner.len()..];
        let is_whole = ends_there(rest) || rest.strip_prefix(".svc").is_some_and(|rest| rest.starts_with('.') || ends_there(rest));
        let service = text[..at].rsplit(|c: char| !is_part_of_name(c)).next().unwrap_or_default();
        if is_whole && service.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            found.push(service);
        }
    }
    found
}

fn is_part_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_'
}

/// A dot at the end of a sentence or of a full name is not part of a longer one.
fn ends_there(rest: &str) -> bool {
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    !rest.starts_with(is_part_of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_is_of_the_namespace_or_not() {
        assert_eq!(local_service("redis.shop.svc.cluster.local", "shop"), Some("redis"));
        assert_eq!(local_service("redis.shop.svc.", "shop"), Some("redis"));
        for other in ["redis", "redis.shop", "redis.other.svc", "redis.shop.example.com", ".shop.svc"] {
            assert_eq!(local_service(other, "shop"), None, "{other}");
        }
        assert_eq!(in_namespace("redis.shop.svc.cluster.local", "pr-1"), "redis.pr-1.svc.cluster.local");
    }

    #[test]
    fn only_whole_names_count() {
        assert!(mentions_host("https://shop.io/auth", "shop.io") && mentions_host("shop.io.", "shop.io"));
        for other in ["https://shop.io.evil.org", "https://my-shop.io", "https://api.shop.io", "shop.iowa"] {
            assert!(!mentions_host(other, "shop.io"), "{other}");
        }
        assert_eq!(replace_host("https://shop.io/a?b=api.shop.io", "shop.io", "x.y"), "https://x.y/a?b=api.shop.io");
        assert_eq!(services_in("http://auth.shop/check", "shop"), ["auth"]);
        assert_eq!(services_in("auth.shop.svc:80", "shop"), ["auth"]);
        for other in ["http://auth.shopping", "https://www.shop.io", "a.shop.svcs", "https://$host/.shop"] {
            assert!(services_in(other, "shop").is_empty(), "{other}");
        }
    }
}
