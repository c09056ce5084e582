//! What is a name and what is none, by examples and by properties.

use proptest::prelude::*;

use super::Names;

fn names() -> Names {
    Names::new("shop", "shop-web-pr-42", "cluster.local")
        .with_hosts([("shop.example.com", "web-pr-42.p.io"), ("api.shop.example.com", "api-web-pr-42.p.io")])
        .with_services(["redis", "db", "my-app"])
}

fn rewritten(text: &str) -> String {
    names().rewrite(text).map_or_else(|| text.to_owned(), |r| r.text)
}

#[test]
fn whole_names_change() {
    for (before, after) in [
        ("redis.shop", "redis.shop-web-pr-42"),
        ("redis.shop.svc", "redis.shop-web-pr-42.svc"),
        ("redis.shop.svc.cluster.local", "redis.shop-web-pr-42.svc.cluster.local"),
        ("redis.shop.svc.cluster.local.", "redis.shop-web-pr-42.svc.cluster.local."),
        ("redis.shop:6379", "redis.shop-web-pr-42:6379"),
        ("redis://redis.shop:6379/0", "redis://redis.shop-web-pr-42:6379/0"),
        ("postgres://app:p%40ss@db.shop:5432/app?sslmode=off", "postgres://app:p%40ss@db.shop-web-pr-42:5432/app?sslmode=off"),
        ("app:secret@tcp(db.shop:3306)/x", "app:secret@tcp(db.shop-web-pr-42:3306)/x"),
        ("host=db.shop port=5432", "host=db.shop-web-pr-42 port=5432"),
        ("db-0.db.shop.svc:27017,db-1.db.shop.svc:27017", "db-0.db.shop-web-pr-42.svc:27017,db-1.db.shop-web-pr-42.svc:27017"),
        ("rs0/db-0.db.shop:27017", "rs0/db-0.db.shop-web-pr-42:27017"),
        ("_pg._tcp.db.shop.svc.cluster.local", "_pg._tcp.db.shop-web-pr-42.svc.cluster.local"),
        ("REDIS.Shop.SVC", "REDIS.shop-web-pr-42.SVC"),
        ("ask redis.shop. Or db.shop!", "ask redis.shop-web-pr-42. Or db.shop-web-pr-42!"),
        (
            "https://shop.example.com/a?b=https%3A%2F%2Fapi.shop.example.com%2Fc",
            "https://web-pr-42.p.io/a?b=https%3A%2F%2Fapi-web-pr-42.p.io%2Fc",
        ),
        ("SHOP.example.COM", "web-pr-42.p.io"),
        (".shop.example.com", ".web-pr-42.p.io"),
        (r#"{"url":"http:\/\/shop.example.com\/"}"#, r#"{"url":"http:\/\/web-pr-42.p.io\/"}"#),
        (r#""a\nredis.shop:6379\u0026db.shop""#, r#""a\nredis.shop-web-pr-42:6379\u0026db.shop-web-pr-42""#),
        ("server_name shop.example.com;", "server_name web-pr-42.p.io;"),
        ("@redis.shop", "@redis.shop-web-pr-42"),
        ("/run/x --to=my-app.shop.svc/y", "/run/x --to=my-app.shop-web-pr-42.svc/y"),
        ("- redis.shop:6379: first", "- redis.shop-web-pr-42:6379: first"),
    ] {
        assert_eq!(rewritten(before), after);
    }
}

#[test]
fn everything_else_stays() {
    for text in [
        "redis",
        "shop",
        "shop.example.com.evil.org",
        "notshop.example.com",
        "myredis.shop",
        "x-redis.shop",
        "redis.shopping",
        "redis.shop.example.com",
        "redis.shop.svc.evil.org",
        "redis.shop.svc.cluster.local.evil.org",
        "redis.shop_x",
        "a_redis.shop",
        "other.shop.svc.cluster.local",
        "cache.redis.shop",
        "*.shop.example.com",
        "x.shop.example.com",
        "/etc/ssl/shop.example.com/tls.crt",
        "/data/redis.shop/x",
        "info@shop.example.com",
        "Shop <info@shop.example.com>, other",
        "${redis.shop}",
        "{{ redis.shop }}",
        "redis.shop=1",
        "redis.shop: 1",
        "redis.shop..svc",
        "..db.shop.svc",
        "ünredis.shop",
        "redis.shopé",
        "%41redis.shop",
        "cmVkaXMuc2hvcA==",
    ] {
        assert_eq!(rewritten(text), text);
    }
}

#[test]
fn the_switches_are_said() {
    let why = |text: &str| names().rewrite(text).unwrap().why(None);
    assert_eq!(why("redis.shop"), "rewrite.serviceNames");
    assert_eq!(why("shop.example.com"), "rewrite.hosts");
    assert_eq!(why("shop.example.com redis.shop"), "rewrite.hosts and rewrite.serviceNames");
    let both = names().rewrite("redis.shop\n\nshop.example.com").unwrap();
    assert_eq!([both.why(Some(1)), both.why(Some(3))], ["rewrite.serviceNames", "rewrite.hosts"]);
}

#[test]
fn the_namespace_alone_is_known() {
    assert_eq!(names().namespace("shop"), Some("shop-web-pr-42"));
    assert_eq!(names().namespace("shop "), None);
    assert_eq!(Names::new("shop", "x", "cluster.local").namespace("shop"), None);
}

/// Parts that texts are made of: names, near misses, and what can stand around them.
fn parts() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        Just("redis.shop"),
        Just("db.shop.svc"),
        Just("db-0.db.shop.svc.cluster.local"),
        Just("shop.example.com"),
        Just("API.shop.example.com"),
        Just("myredis.shop"),
        Just("shop"),
        Just("example.com"),
        Just("web-pr-42.p.io"),
        Just("redis.shop-web-pr-42"),
    ];
    let signs = "[-_.:/@%\\\\\"'$({=, \nnu0é2F]{0,3}";
    proptest::collection::vec((words, signs), 0..8)
        .prop_map(|parts| parts.into_iter().fold(String::new(), |text, (word, signs)| text + word + &signs))
}

/// Whether a byte can be part of a name or of a word that is none.
fn joins(byte: Option<&u8>) -> bool {
    byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_') || *b >= 0x80)
}

proptest! {
    #[test]
    fn a_second_time_changes_nothing(text in parts()) {
        let once = rewritten(&text);
        prop_assert_eq!(rewritten(&once), once);
    }

    #[test]
    fn the_order_of_names_does_not_matter(text in parts()) {
        let other = Names::new("shop", "shop-web-pr-42", "cluster.local")
            .with_services(["my-app", "db", "redis"])
            .with_hosts([("api.shop.example.com", "api-web-pr-42.p.io"), ("shop.example.com", "web-pr-42.p.io")]);
        prop_assert_eq!(other.rewrite(&text), names().rewrite(&text));
    }

    #[test]
    fn texts_without_a_whole_name_stay(text in "[-_.:/@%\\\\\"'$({=, \na-z0-9é]{0,60}") {
        let bytes = text.as_bytes();
        let is_whole = |name: &str| {
            let lower = text.to_ascii_lowercase();
            lower.match_indices(name).any(|(at, _)| !joins(bytes.get(at + name.len())))
        };
        prop_assume!(!is_whole(".shop") && !is_whole("shop.example.com") && !is_whole(".svc") && !is_whole("cluster.local"));
        prop_assert_eq!(names().rewrite(&text), None);
    }

    #[test]
    fn what_stands_between_names_stays(before in "[ ,;(\"]{1,3}", between in "[ ,;)\"]{1,3}[a-z]{0,5}[ ,;(\"]{1,3}") {
        let text = format!("{before}redis.shop{between}shop.example.com");
        prop_assert_eq!(rewritten(&text), format!("{before}redis.shop-web-pr-42{between}web-pr-42.p.io"));
    }

    #[test]
    fn a_name_inside_a_longer_word_stays(left in "[a-z0-9_-]{1,5}", right in "[a-z0-9_-]{1,5}") {
        for name in ["redis.shop", "shop.example.com", "redis.shop.svc"] {
            let words = [format!("{left}{name}"), format!("{name}{right}"), format!("{name}.{right}x")];
            // Names of their own that happen to come out.
            prop_assume!(!["my-app", "cluster"].contains(&left.as_str()) && right != "svc");
            for word in words {
                prop_assert_eq!(rewritten(&word), word);
            }
        }
    }

    #[test]
    fn lines_stay_lines(text in parts()) {
        prop_assert_eq!(rewritten(&text).lines().count(), text.lines().count());
    }
}
