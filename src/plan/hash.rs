//! A hash of JSON that does not depend on the order of keys.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of the digest that are shown: 64 bits tell the versions of one object apart.
const SHOWN: usize = 8;
/// Bytes of the form of a usual Deployment.
const USUAL: usize = 2048;

/// The first 16 hexadecimal digits of the SHA-256 over the value's canonical form: no spaces, keys sorted by bytes.
pub fn hash(value: &Value) -> String {
    let mut text = Vec::with_capacity(USUAL);
    write_canonical(value, &mut text);
    hex::encode(&Sha256::digest(&text)[..SHOWN])
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let write_entry = |(key, item): (&String, &Value), out: &mut Vec<u8>| {
                write_text(key, out);
                out.push(b':');
                write_canonical(item, out);
            };
            if map.keys().is_sorted() {
                write_list(out, (b'{', b'}'), map, write_entry);
                return;
            }
            // serde_json keeps the order of insertion when any crate asks it to.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            write_list(out, (b'{', b'}'), entries, write_entry);
        }
        Value::Array(items) => write_list(out, (b'[', b']'), items, write_canonical),
        Value::String(text) => write_text(text, out),
        scalar => write_scalar(scalar, out),
    }
}

fn write_list<T>(out: &mut Vec<u8>, (open, close): (u8, u8), items: impl IntoIterator<Item = T>, write_item: impl Fn(T, &mut Vec<u8>)) {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_item(item, out);
    }
    out.push(close);
}

/// Most texts have nothing to escape, and need no serializer.
fn write_text(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        write_scalar(text, out);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn write_scalar(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and neither can a text, a number, a truth value or null.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_count() {
        let one: Value = serde_json::from_str(r#"{"a": {"x": 1, "y": [1, 2]}, "b": "t"}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"b": "t", "a": {"y": [1, 2], "x": 1}}"#).unwrap();
        assert_eq!(hash(&one), hash(&two));
        assert_eq!(hash(&one).len(), 16);
    }

    #[test]
    fn everything_else_counts() {
        let values = [json!({"a": [1, 2]}), json!({"a": [2, 1]}), json!({"a": "1"}), json!({"a": 1}), json!({"a": null}), json!({})];
        let mut hashes: Vec<_> = values.iter().map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), values.len());
    }

    #[test]
    fn every_text_is_written_as_json_has_it() {
        for text in ["", "plain", "q\"", "\\", "\n", "\u{1f}", "\u{7f}", "ü 字 🦀"] {
            let mut written = Vec::new();
            write_text(text, &mut written);
            assert_eq!(written, serde_json::to_vec(text).unwrap(), "{text:?}");
        }
    }

    #[test]
    fn the_form_is_fixed() {
        // Hashes are stored in annotations, so a change of the form would rewrite every object once.
        let mut text = Vec::new();
        write_canonical(&json!({"b": [true, null, "q\"\n"], "a": {}}), &mut text);
        assert_eq!(String::from_utf8(text).unwrap(), r#"{"a":{},"b":[true,null,"q\"\n"]}"#);
    }
}
