//! The way through one registry: HEAD, where it is needed GET, and logging in between.

use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{HeaderMap, Method, Uri};

use super::challenge::challenge;
use super::config::authority_of;
use super::credentials::Login;
use super::exchange::{Ask, Http, Reply};
use super::manifest::{self, ACCEPT, Document, digest_of, is_digest};
use super::token::Entrance;
use super::{Answer, Found, Query, RegistryConfig, Unknown};

/// Most bytes of a manifest: what the specification has registries take at least.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;
/// Most bytes of an image's configuration. They have some KiB.
const CONFIGURATION_LIMIT: usize = 4 * 1024 * 1024;
/// Logins that are tried at one registry.
const LOGINS: usize = 4;
/// How often a blob is led on. Registries lead once, to where the blobs are stored.
const LEADS: usize = 3;

/// Asks for an image.
pub(super) async fn search(http: &Http, config: &RegistryConfig, query: &Query, logins: Vec<Login>) -> Answer {
    let mut visit = Visit { entrance: Entrance { http, config, query }, logins, authorization: None };
    visit.find().await.unwrap_or_else(Answer::Unknown)
}

/// One look-up.
struct Visit<'a> {
    entrance: Entrance<'a>,
    logins: Vec<Login>,
    authorization: Option<HeaderValue>,
}

impl Visit<'_> {
    async fn find(&mut self) -> Result<Answer, Unknown> {
        let query = self.entrance.query;
        let head = self.ask(Method::HEAD, &format!("manifests/{}", query.tag), 0).await?;
        match head.status.as_u16() {
            404 => return Ok(Answer::Absent),
            200..=299 | 405 => {}
            _ => return Err(self.problem(&head)),
        }
        let digest = digest_in(&head.headers);
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        match digest {
            Some(digest) if manifest::is_single(content_type) && !query.revisions => {
                Ok(Answer::Found(Found { digest, ..Found::default() }))
            }
            digest => self.look_into(digest).await,
        }
    }

    /// Reads the manifest itself. What HEAD named is read, so that a tag that moves meanwhile mixes nothing.
    async fn look_into(&mut self, digest: Option<String>) -> Result<Answer, Unknown> {
        let reference = digest.clone().unwrap_or_else(|| self.entrance.query.tag.clone());
        let reply = self.ask(Method::GET, &format!("manifests/{reference}"), MANIFEST_LIMIT).await?;
        match reply.status.as_u16() {
            404 => return Ok(Answer::Absent),
            200..=299 => {}
            _ => return Err(self.problem(&reply)),
        }
        let read = digest_of(&reply.body);
        if digest.or_else(|| digest_in(&reply.headers)).is_some_and(|named| named != read) {
            return Err(self.failed("sends another manifest than the one that it names"));
        }
        let document = manifest::read(&reply.body).map_err(|why| self.failed(why))?;
        let platforms = if let Document::Index { images, .. } = &document {
            images.iter().map(|(p, _)| p.clone()).filter(|p| !p.is_empty()).collect()
        } else {
            Vec::new()
        };
        let revisions = if self.entrance.query.revisions { self.revisions(document).await? } else { Vec::new() };
        Ok(Answer::Found(Found { digest: read, platforms, revisions }))
    }

    /// The commits that annotations and labels name. All images of an index are of one build, so one is looked at.
    async fn revisions(&self, document: Document) -> Result<Vec<String>, Unknown> {
        let mut revisions = Vec::new();
        let image = match document {
            Document::Image { .. } => document,
            Document::Index { images, revision } => {
                revisions.extend(revision);
                let Some((_, digest)) = images.into_iter().next() else { return Ok(revisions) };
                let body =
                    self.checked(self.send(Method::GET, &self.uri(&format!("manifests/{digest}"))?, MANIFEST_LIMIT).await?, &digest)?;
                manifest::read(&body.body).map_err(|why| self.failed(why))?
            }
        };
        if let Document::Image { config, revision } = image {
            revisions.extend(revision);
            revisions.extend(manifest::revision_of(&self.blob(&config).await?.body));
        }
        Ok(revisions)
    }

    /// Blobs are often stored elsewhere. What is led to is told no login, and what comes is known by its digest.
    async fn blob(&self, digest: &str) -> Result<Reply, Unknown> {
        let mut uri = self.uri(&format!("blobs/{digest}"))?;
        let mut reply = self.send(Method::GET, &uri, CONFIGURATION_LIMIT).await?;
        for _ in 0..LEADS {
            if !reply.status.is_redirection() {
                break;
            }
            uri = self.led(&reply.headers).ok_or_else(|| self.failed("leads to a place that is no address or has no TLS"))?;
            let ask = Ask { method: Method::GET, uri: &uri, accept: "*/*", authorization: None, cap: CONFIGURATION_LIMIT };
            reply = self.entrance.http.send(&ask).await?;
        }
        self.checked(reply, digest)
    }

    fn led(&self, headers: &HeaderMap) -> Option<Uri> {
        let uri: Uri = headers.get(LOCATION)?.to_str().ok()?.parse().ok()?;
        let query = self.entrance.query;
        let safe = matches!(uri.scheme_str(), Some(scheme) if scheme == "https" || scheme == self.entrance.config.scheme(&query.registry));
        safe.then_some(uri)
    }

    fn checked(&self, reply: Reply, digest: &str) -> Result<Reply, Unknown> {
        if !reply.status.is_success() {
            return Err(self.problem(&reply));
        }
        if digest_of(&reply.body) == digest { Ok(reply) } else { Err(self.failed("sends something else than what it names")) }
    }

    /// Asks, and logs in where that is asked for.
    async fn ask(&mut self, method: Method, rest: &str, cap: usize) -> Result<Reply, Unknown> {
        let uri = self.uri(rest)?;
        let reply = self.send(method.clone(), &uri, cap).await?;
        let challenge = if reply.status == 401 && self.authorization.is_none() { challenge(&reply.headers) } else { None };
        let Some(challenge) = challenge else { return Ok(reply) };
        let mut last = reply;
        let tries: Vec<Option<Login>> = self.logins.drain(..).take(LOGINS).map(Some).chain([None]).collect();
        for login in tries {
            self.authorization = self.entrance.authorization(&challenge, login.as_ref()).await?;
            if self.authorization.is_some() {
                last = self.send(method.clone(), &uri, cap).await?;
            }
            if !matches!(last.status.as_u16(), 401 | 403) {
                break;
            }
        }
        Ok(last)
    }

    async fn send(&self, method: Method, uri: &Uri, cap: usize) -> Result<Reply, Unknown> {
        let accept = if uri.path().contains("/manifests/") { ACCEPT } else { "*/*" };
        let ask = Ask { method, uri, accept, authorization: self.authorization.as_ref(), cap };
        self.entrance.http.send(&ask).await
    }

    fn uri(&self, rest: &str) -> Result<Uri, Unknown> {
        let Entrance { config, query, .. } = &self.entrance;
        let text = format!("{}://{}/v2/{}/{rest}", config.scheme(&query.registry), authority_of(&query.registry), query.path);
        text.parse().map_err(|_| Unknown::NotAllowed(format!("{} is no name of a registry", query.registry)))
    }

    fn failed(&self, what: &str) -> Unknown {
        Unknown::Failed(format!("{} {what}", self.entrance.query.registry))
    }

    /// What an answer means that is neither the image nor its absence.
    fn problem(&self, reply: &Reply) -> Unknown {
        let Query { registry, path, .. } = self.entrance.query;
        match reply.status.as_u16() {
            status @ (401 | 403) => Unknown::Refused(format!("{registry} does not show {path} to us ({status})")),
            300..=399 => Unknown::Failed(format!("{registry} leads to another place for {path}, which is not followed")),
            status => Unknown::Failed(format!("{registry} answers {status} for {path}")),
        }
    }
}

fn digest_in(headers: &HeaderMap) -> Option<String> {
    let digest = headers.get("docker-content-digest")?.to_str().ok()?;
    is_digest(digest).then(|| digest.to_owned())
}
