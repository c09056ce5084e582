//! Hosts without a dot, which stand only where a URL has its host: names that the node's resolver completes, and IPv6
//! addresses, which stand in brackets (RFC 3986, section 3.2.2) or are all of a value that is called a host.

use std::net::Ipv6Addr;

use super::find::{Found, Trust, is_called_host};

/// What ends the part of a URL that names its hosts, inside texts of all kinds.
const ENDS: &str = "/?#\"'`<>(){}\\";

/// The hosts of a line without a dot; `key` is what the text is called. A Secret names no host by a single word.
pub(super) fn hosts(line: &str, key: &str, trust: Trust) -> Vec<Found> {
    let alone = line.trim().parse::<Ipv6Addr>().ok().filter(|_| trust == Trust::Configuration && is_called_host(key));
    let mut found: Vec<Found> = alone.into_iter().filter_map(|address| outside(address, None)).collect();
    found.extend(line.match_indices('[').filter_map(|(at, _)| in_brackets(&line[..at], &line[at + 1..])));
    if trust == Trust::Configuration {
        found.extend(authorities(line).flat_map(|hosts| hosts.split(',')).filter_map(single));
    }
    found
}

/// The hosts of every URL: what stands between `://`, behind a user, and the path.
fn authorities(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("://").map(|(at, mark)| {
        let rest = &line[at + mark.len()..];
        let authority = rest.split(|c: char| c.is_whitespace() || ENDS.contains(c)).next().unwrap_or(rest);
        authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts)
    })
}

/// An address in brackets, in a URL or with a port.
fn in_brackets(before: &str, rest: &str) -> Option<Found> {
    let (inside, after) = rest.split_once(']')?;
    let port = after.strip_prefix(':').and_then(port);
    let is_url = ["://", "@", ","].iter().any(|end| before.ends_with(end)) && before.contains("://");
    outside(inside.parse().ok()?, port).filter(|_| is_url || port.is_some())
}

fn outside(address: Ipv6Addr, port: Option<u16>) -> Option<Found> {
    let is_outside = !address.is_loopback() && !address.is_unspecified();
    is_outside.then(|| Found { host: address.to_string(), port })
}

/// One word with a port. Without one it may be anything, and in upper case it stands for something else.
fn single(host: &str) -> Option<Found> {
    let (name, after) = host.split_once(':')?;
    let is_label = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let is_name = is_label && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-') && name != "localhost";
    let port = port(after).filter(|_| is_name)?;
    Some(Found { host: name.to_owned(), port: Some(port) })
}

/// The number at the beginning of a text, if nothing goes on behind it.
fn port(text: &str) -> Option<u16> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let ends = !text[length..].starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_' || c == '-');
    text[..length].parse().ok().filter(|port| *port > 0 && ends)
}
