//! The way to the environments: in the place of an ingress controller, something that answers for all of their hosts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is answered where nobody said anything else.
const FINE: u16 = 200;

/// Answers to requests by HTTP, whatever host they name. It ends with its runtime.
#[derive(Clone, Debug)]
pub struct Routes {
    address: SocketAddr,
    /// By the end of the hosts' names.
    answers: Arc<Mutex<BTreeMap<String, u16>>>,
}

impl Routes {
    /// Starts it.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let routes = Self { address: listener.local_addr()?, answers: Arc::default() };
        let told = routes.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let told = told.clone();
                // Whoever goes away before the answer does not want it.
                tokio::spawn(async move { drop(told.serve(stream).await) });
            }
        });
        Ok(routes)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on hosts that end so are answered with that HTTP status.
    pub fn answer(&self, hosts: &str, status: u16) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(hosts.to_owned(), status);
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut some = [0; 1024];
            match stream.read(&mut some).await? {
                0 => return Ok(()),
                count => head.extend_from_slice(&some[..count]),
            }
        }
        let status = self.status_for(&String::from_utf8_lossy(&head));
        let answer = format!("HTTP/1.1 {status} As told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await
    }

    fn status_for(&self, head: &str) -> u16 {
        let named = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("host:").map(|host| host.trim().to_owned()));
        let host = named.unwrap_or_default();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().find(|(end, _)| host.ends_with(end.as_str())).map_or(FINE, |(_, status)| *status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::get;

    #[tokio::test]
    async fn hosts_are_answered_as_told() {
        let routes = Routes::start().await.expect("a port");
        let url = format!("http://{}/", routes.address());
        assert_eq!(get(&url).await.expect("an answer").status, FINE);
        routes.answer(&routes.address().to_string(), 503);
        assert_eq!(get(&url).await.expect("an answer").status, 503);
    }
}
