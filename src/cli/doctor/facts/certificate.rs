//! The certificate that a host shows, in a handshake as a browser makes one. No request follows it.

use std::error::Error;
use std::io;

use chrono::{DateTime, NaiveDate, Utc};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::CertificateError;
use tower::Service;

use super::{LIMIT, within};
use crate::cli::doctor::finding::{Fact, Unseen};
use crate::cli::doctor::judge::ways::Handshake;

/// Makes handshakes, trusting whom this machine trusts.
pub struct Shaker(HttpsConnector<HttpConnector>);

impl Shaker {
    /// Reads whom this machine trusts.
    pub fn new() -> Fact<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(LIMIT));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        let builder = builder.map_err(|error| Unseen(format!("cannot read whom this machine trusts: {error}")))?;
        Ok(Self(builder.https_only().enable_http1().wrap_connector(http)))
    }

    /// What a handshake with that host comes to, on the usual port where it names none.
    pub async fn shake(&self, host: &str) -> Fact<Handshake> {
        let uri: Uri = format!("https://{host}/").parse().map_err(|_| Unseen(format!("{host} is no host")))?;
        let mut connector = self.0.clone();
        let shaking = async {
            match connector.call(uri).await {
                Ok(MaybeHttpsStream::Https(stream)) => {
                    let certificates = stream.inner().get_ref().1.peer_certificates();
                    Ok(Handshake::Trusted(certificates.and_then(|chain| chain.first()).and_then(|certificate| ends(certificate))))
                }
                Ok(MaybeHttpsStream::Http(_)) => Err(Unseen(format!("{host} was asked without TLS"))),
                Err(error) => refused(host, error.as_ref()),
            }
        };
        within(host, shaking).await
    }
}

/// What the error of a handshake says of the certificate; one of the connection says nothing of it.
fn refused(host: &str, error: &(dyn Error + 'static)) -> Fact<Handshake> {
    let Some(error) = of_tls(error) else {
        return Err(Unseen(format!("there is no connection to {host}: {}", innermost(error))));
    };
    let rustls::Error::InvalidCertificate(why) = error else { return Ok(Handshake::Failed(error.to_string())) };
    Ok(match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Handshake::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Handshake::OtherName,
        CertificateError::UnknownIssuer => Handshake::Untrusted,
        _ => Handshake::Failed(error.to_string()),
    })
}

/// The error of TLS within others. What `io::Error` holds is no source of it.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(error);
    }
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match held {
        Some(held) => of_tls(held),
        None => error.source().and_then(of_tls),
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// One part of a certificate (X.690, 8.1): its tag, what is in it, and what follows it.
struct Part<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Part<'a> {
    /// The first part. Its length is definite, as it is in DER.
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
        let (length, rest) = match usize::from(first) {
            short @ 0..=127 => (short, rest),
            long => {
                let (digits, rest) = rest.split_at_checked(long - 128)?;
                let more = |length: usize, digit: &u8| length.checked_mul(256)?.checked_add(usize::from(*digit));
                (digits.iter().try_fold(0, more)?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        Some(Self { tag, content, rest })
    }

    /// What is in the first part, which is a sequence.
    fn sequence(bytes: &'a [u8]) -> Option<&'a [u8]> {
        Self::first(bytes).filter(|part| part.tag == SEQUENCE).map(|part| part.content)
    }
}

/// When a certificate ends (RFC 5280, 4.1): the second time of its fourth part, or of its fifth where it begins with a version.
fn ends(certificate: &[u8]) -> Option<DateTime<Utc>> {
    let mut rest = Part::sequence(Part::sequence(certificate)?)?;
    if rest.first() == Some(&VERSION) {
        rest = Part::first(rest)?.rest;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        rest = Part::first(rest)?.rest;
    }
    let begins = Part::first(Part::sequence(rest)?)?;
    let end = Part::first(begins.rest)?;
    time(end.tag, std::str::from_utf8(end.content).ok()?)
}

/// A time as certificates write it (RFC 5280, 4.1.2.5): until 2049 with two digits of the year.
fn time(tag: u8, text: &str) -> Option<DateTime<Utc>> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (year, rest) = match tag {
        UTC_TIME => (digits.get(..2)?.parse::<i32>().ok()?, digits.get(2..)?),
        GENERALIZED_TIME => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
        _ => return None,
    };
    let year = match (tag, year) {
        (UTC_TIME, 50..) => 1900 + year,
        (UTC_TIME, _) => 2000 + year,
        _ => year,
    };
    let number = |at: usize| rest.get(at..at + 2)?.parse::<u32>().ok();
    let date = NaiveDate::from_ymd_opt(year, number(0)?, number(2)?)?;
    Some(date.and_hms_opt(number(4)?, number(6)?, number(8)?)?.and_utc())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const CERTIFICATE: &str = include_str!("tests/certificate.pem");

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let certificate = pem::parse(CERTIFICATE).unwrap();
        assert_eq!(ends(certificate.contents()), Some("2026-12-29T14:13:27Z".parse().unwrap()));
        // Whatever is cut off, nothing is read beyond it.
        for length in 0..100 {
            assert_eq!(ends(&certificate.contents()[..length]), None, "{length}");
        }
    }

    #[test]
    fn times_are_written_in_two_ways() {
        let read = |tag, text| time(tag, text).map(|time| time.to_rfc3339());
        assert_eq!(read(UTC_TIME, "491231235959Z").as_deref(), Some("2049-12-31T23:59:59+00:00"));
        assert_eq!(read(UTC_TIME, "500101000000Z").as_deref(), Some("1950-01-01T00:00:00+00:00"));
        assert_eq!(read(GENERALIZED_TIME, "20500101000000Z").as_deref(), Some("2050-01-01T00:00:00+00:00"));
        for text in ["", "Z", "4912312359Z", "491331235959Z", "49123123595\u{e9}Z", "491231235959+0100"] {
            assert_eq!(read(UTC_TIME, text), None, "{text}");
        }
    }

    #[test]
    fn what_the_handshake_says_of_the_certificate_is_found_within_the_error() {
        let wrapped = |why| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(why)));
        for (why, handshake) in [
            (CertificateError::Expired, Handshake::Expired),
            (CertificateError::UnknownIssuer, Handshake::Untrusted),
            (CertificateError::NotValidForName, Handshake::OtherName),
        ] {
            assert_eq!(refused("w.example.com", &wrapped(why)), Ok(handshake));
        }
        let alert = io::Error::other(rustls::Error::HandshakeNotComplete);
        assert!(matches!(refused("w.example.com", &alert), Ok(Handshake::Failed(_))));
        let closed = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        assert!(refused("w.example.com", &closed).unwrap_err().0.contains("connection refused"));
    }

    #[tokio::test]
    async fn what_answers_without_tls_is_said_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream
        });
        let Ok(shaker) = Shaker::new() else { return };
        let handshake = shaker.shake(&host).await;
        assert!(matches!(handshake, Ok(Handshake::Failed(_))), "{handshake:?}");
        drop(answering.await.unwrap());
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_says_nothing_of_a_certificate() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let Ok(shaker) = Shaker::new() else { return };
        assert!(shaker.shake(&format!("127.0.0.1:{port}")).await.is_err());
    }
}
