//! The API server's port, held from the start to the end of the cluster.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use tokio::net::TcpSocket;

/// A port on the loopback device that nobody else gets.
///
/// The socket is bound with `SO_REUSEPORT` and never listens. The API server shares the port
/// (`--permit-port-sharing`) and is the only listener, so it takes all connections, and it finds its port free however
/// often it is started again.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _socket: TcpSocket,
}

impl Port {
    /// Takes a free port.
    pub fn take() -> Result<Self> {
        let socket = TcpSocket::new_v4().context("cannot make a socket")?;
        socket.set_reuseport(true).context("cannot share a port")?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).context("cannot find a free port on 127.0.0.1")?;
        let number = socket.local_addr().context("cannot read the port's number")?.port();
        Ok(Self { number, _socket: socket })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_given_out_twice() {
        let ports: Vec<Port> = (0..200).map(|_| Port::take().expect("a port")).collect();
        let numbers: HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
    }
}
