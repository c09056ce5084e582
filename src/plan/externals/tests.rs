//! What is a host outside, and what only looks like one.

use serde_json::json;

use super::*;
use crate::plan::sample::{deployment, object, service};
use crate::plan::secret_values::encoded;

const ENV: &str = "/spec/template/spec/containers/0/env";

fn inside() -> Inside {
    let ingress = object("networking.k8s.io/v1", "Ingress", "i").with("/spec/rules", json!([{"host": "shop.example.com"}]));
    Inside::new("shop", "cluster.local", [&service("redis"), &ingress])
}

/// The hosts of one variable, as `host:port kind`.
fn named(key: &str, value: &str) -> Vec<String> {
    let web = deployment("web").with(ENV, json!([{"name": key, "value": value}]));
    shown(&[web])
}

fn shown(objects: &[Manifest]) -> Vec<String> {
    let port = |e: &External| e.port.map(|p| format!(":{p}")).unwrap_or_default();
    externals(objects, &inside()).iter().map(|e| format!("{}{} {:?}", e.host, port(e), e.kind)).collect()
}

#[test]
fn hosts_are_found_wherever_they_are_surely_some() {
    for (key, value, found) in [
        ("X", "https://api.stripe.com/v1", "api.stripe.com Public"),
        ("X", "postgres://u:p@ss@db.prod.internal:5432/x", "db.prod.internal:5432 Private"),
        ("X", "jdbc:postgresql://db.example.org:5432/x", "db.example.org:5432 Public"),
        ("X", "u:p@tcp(mysql.example.org:3306)/x", "mysql.example.org:3306 Public"),
        ("X", "jdbc:oracle:thin:@ora.example.org:1521:SID", "ora.example.org:1521 Public"),
        ("X", "mongodb+srv://u:p@cluster0.abc.mongodb.net/x", "cluster0.abc.mongodb.net Database"),
        ("X", "x.abc123.eu-west-1.rds.amazonaws.com", "x.abc123.eu-west-1.rds.amazonaws.com Database"),
        ("X", "b-1.x.c2.kafka.eu-west-1.amazonaws.com:9092", "b-1.x.c2.kafka.eu-west-1.amazonaws.com:9092 Database"),
        ("X", "redis.data.svc.cluster.local", "redis.data.svc.cluster.local Namespace"),
        ("X", "redis.data:6379", "redis.data:6379 Namespace"),
        ("X", "http://10.1.2.3:8080/", "10.1.2.3:8080 Address"),
        ("SMTP_HOST", "smtp.sendgrid.net", "smtp.sendgrid.net Public"),
        ("dbHost", "10.0.0.7", "10.0.0.7 Address"),
        ("X", "host=db.example.org dbname=x", "db.example.org Public"),
        ("X", "--upstream=api.example.org", "api.example.org Public"),
        ("X", r#"{"url":"https:\/\/a.example.org\/"}"#, "a.example.org Public"),
        ("X", "next=https%3A%2F%2Flogin.example.org%2F", "login.example.org Public"),
        ("X", "Server=tcp:x.database.windows.net,1433;", "x.database.windows.net Database"),
        ("X", "legacy.shop.example.org:80", "legacy.shop.example.org:80 Public"),
        ("X", "http://vault:8200/v1", "vault:8200 Private"),
        ("X", "amqp://u:p@mq:5672", "mq:5672 Private"),
        ("X", "postgres://u:p@[2001:db8::1]:5432/x", "2001:db8::1:5432 Address"),
        ("X", "[fd00::7]:9092", "fd00::7:9092 Address"),
        ("X", "http://[fd00::7]/", "fd00::7 Address"),
        ("DB_HOST", "2001:DB8::1", "2001:db8::1 Address"),
    ] {
        assert_eq!(named(key, value), [found], "{value}");
    }
    assert_eq!(named("X", "mongodb://a.example.org:1,b.example.org/x").len(), 2);
    assert_eq!(named("BROKERS", "a.example.org,b.example.org").len(), 2);
}

#[test]
fn what_only_looks_like_a_host_is_not_listed() {
    for (key, value) in [
        ("X", "app.properties"),
        ("X", "app.py:12"),
        ("X", "1.2.3"),
        ("HOST", "1.2.3"),
        ("X", "10.0.0.1"),
        ("X", "com.acme.foo"),
        ("X", "com.acme.foo.Bar:12"),
        ("X", "registry.example.com/acme/web:1.8.2"),
        ("X", "registry.example.com:5000/acme/web:1"),
        ("X", "info@example.com"),
        ("MAIL_URL", "mailto:info@example.com"),
        ("X", "file:///etc/app.conf"),
        ("X", "s3://my.bucket.example/x"),
        ("X", "/etc/ssl/api.example.org/tls.crt"),
        ("X", "see api.example.org for more"),
        ("X", "http://redis:6379"),
        ("X", "redis.shop:6379"),
        ("X", "http://redis-0.redis:6379"),
        ("X", "gone.shop.svc.cluster.local"),
        ("X", "https://shop.example.com/x"),
        ("X", "http://localhost:80"),
        ("X", "http://[::1]:80"),
        ("X", "[::]:8080"),
        ("X", "2001:db8::1"),
        ("X", "http://HOST:80"),
        ("X", "http://$host:80"),
        ("X", "http://vault"),
        ("X", "vault:8200"),
        ("X", "127.0.0.1:80"),
        ("X", "0.0.0.0:8080"),
        ("X", "http://a.localhost:80"),
        ("X", "${db.host}:5432"),
        ("X", "http://www.w3.org/2001/XMLSchema"),
        ("CONFIG_HOST", "settings.yaml"),
        ("X", "12.5:30"),
        ("X", "feature.x.enabled"),
    ] {
        assert_eq!(named(key, value), Vec::<String>::new(), "{value}");
    }
}

#[test]
fn comments_in_files_are_not_read() {
    let file = "# https://docs.example.org\nurl: https://a.example.org # https://b.example.org\n// c.example.org:80\nhost: d.example.org\n";
    let config = object("v1", "ConfigMap", "c").with("/data", json!({"x.conf": file}));
    assert_eq!(shown(&[config]), ["a.example.org Public", "d.example.org Public"]);
}

#[test]
fn each_place_is_listed_once_under_one_host() {
    let web = deployment("web")
        .with(ENV, json!([{"name": "DB_HOST", "value": "db.example.org"}, {"name": "DB", "value": "db.example.org:5432"}]));
    let mail = service("mail").with("/spec", json!({"type": "ExternalName", "externalName": "SMTP.example.org."}));
    let found = externals([&web, &mail], &inside());
    let places: Vec<_> = found
        .iter()
        .map(|e| (e.host.as_str(), e.port, e.used_by.iter().map(|u| format!("{} {}", u.object, u.path)).collect::<Vec<_>>()))
        .collect();
    let path = "Deployment/web spec.template.spec.containers[web].env";
    assert_eq!(
        places,
        [
            ("db.example.org", Some(5432), vec![format!("{path}[DB]"), format!("{path}[DB_HOST]")]),
            ("smtp.example.org", None, vec!["Service/mail spec.externalName".to_owned()]),
        ]
    );
}

#[test]
fn of_secrets_only_hosts_are_listed() {
    let value = |text: &str| shown(&[object("v1", "Secret", "s").with("/data", json!({"DB_HOST": encoded(text)}))]);
    assert_eq!(value("postgres://u:hunter2@db.example.org:5432/x"), ["db.example.org:5432 Public"]);
    assert_eq!(value("db.prod.internal:5432"), ["db.prod.internal:5432 Private"]);
    let field = "Password=hunter2.example.org:1;Pooling=no";
    for password in ["abc.def:123", "hunter2.example.org", "a1b2.c3d4", "https://x.notahost/", "a://hunter2:80", "::1:2:3", field] {
        assert_eq!(value(password), Vec::<String>::new(), "{password}");
    }
    assert_eq!(value("postgres://u:p@hunter2.example.org:1@db.example.org/x"), ["db.example.org Public"]);
    assert_eq!(value("mongodb://u:p@a.example.org:1,b.example.org:2/x").len(), 2);
    assert_eq!(value("redis://:p@[2001:db8::1]:6379/0"), ["2001:db8::1:6379 Address"]);
}
