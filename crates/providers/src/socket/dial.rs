//! Connections for what does not speak HTTP. They go to no other addresses than requests do, and trust the same authorities.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    Socket,
    door::{NotConnected, Policy},
    explain,
};

/// Why there is no connection, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotDialled {
    message: String,
}

/// What a socket keeps for connections of its own.
#[derive(Debug)]
pub(super) struct Dialler {
    pub(super) policy: Arc<Policy>,
    pub(super) tls: Arc<rustls::ClientConfig>,
}

impl Socket {
    /// A connection to one of the addresses of a host that may be connected to.
    pub async fn dial(&self, host: &str, port: u16, within: Duration) -> Result<TcpStream, NotDialled> {
        let place = format!("{host}:{port}");
        match tokio::time::timeout(within, self.reach(host, port)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(why)) => Err(NotDialled { message: format!("{place} cannot be reached: {why}") }),
            Err(_) => Err(NotDialled { message: format!("{place} cannot be reached: no connection within {within:?}") }),
        }
    }

    async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let said = |why: NotConnected| match std::error::Error::source(&why) {
            Some(source) => format!("{why}: {source}"),
            None => why.to_string(),
        };
        // An address that is written out resolves to itself, and is judged as any other.
        let found = self.dialler.policy.resolve(host.trim_start_matches('[').trim_end_matches(']')).await.map_err(said)?;
        let mut last = "there is no address".to_owned();
        for address in found {
            match TcpStream::connect(SocketAddr::new(address.ip(), port)).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(fault) => last = explain::unconnected(&fault),
            }
        }
        Err(last)
    }

    /// Goes on under TLS, with a server that can show that it is `host`.
    pub async fn secure(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, NotDialled> {
        let fault = |why: String| NotDialled { message: format!("{host} cannot be reached: {why}") };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| fault("it has no name that TLS knows".to_owned()))?;
        let connector = TlsConnector::from(Arc::clone(&self.dialler.tls));
        connector.connect(name, stream).await.map_err(|source| fault(explain::unsecured(&source)))
    }
}
