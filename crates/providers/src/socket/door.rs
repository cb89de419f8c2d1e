//! How connections are made. Names are resolved here, and the connection goes to just the addresses that were judged.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::Name},
    rt::TokioIo,
};
use mainspring_kernel::net::{is_metadata, is_public};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tower::Service;

use super::{SocketConfig, SocketFault, dial::Dialler};

tokio::task_local! {
    /// What the request that is being sent allows for its connection. The client has no place for it.
    pub(super) static CONNECT: Duration;
}

/// Probes find a peer that went without a word while a slow answer is waited for.
const PROBE_AFTER: Duration = Duration::from_secs(30);

/// Why there is no connection, where we know it ourselves.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotConnected {
    #[error("the name `{host}` cannot be resolved")]
    Name {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("`{host}` is an address of the inside, where this server does not connect to")]
    Inside { host: String },
    #[error("no connection within {within:?}")]
    Late { within: Duration },
}

type Pending<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Makes connections, plain or with TLS.
#[derive(Debug, Clone)]
pub(super) struct Door {
    https: HttpsConnector<HttpConnector<Resolver>>,
    policy: Arc<Policy>,
    tls: Arc<ClientConfig>,
    longest: Duration,
}

impl Door {
    pub(super) fn new(config: &SocketConfig) -> Result<Self, SocketFault> {
        let policy = Arc::new(Policy { allow_private: config.allow_private, allow_hosts: config.allow_hosts.clone() });
        let mut http = HttpConnector::new_with_resolver(Resolver(policy.clone()));
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(PROBE_AFTER));
        let tls = tls(config.authorities.as_deref())?;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls.clone());
        let https = https.https_or_http().enable_all_versions().wrap_connector(http);
        Ok(Self { https, policy, tls: Arc::new(tls), longest: config.connect })
    }

    pub(super) fn dialler(&self) -> Dialler {
        Dialler { policy: Arc::clone(&self.policy), tls: Arc::clone(&self.tls) }
    }
}

impl Service<Uri> for Door {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pending<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        if let Err(inside) = self.policy.judge_literal(&to) {
            return Box::pin(std::future::ready(Err(inside.into())));
        }
        let within = CONNECT.try_with(|allowed| *allowed).unwrap_or(self.longest).min(self.longest);
        let connecting = self.https.call(to);
        Box::pin(async move {
            match tokio::time::timeout(within, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(NotConnected::Late { within }.into()),
            }
        })
    }
}

#[derive(Debug)]
pub(super) struct Policy {
    allow_private: bool,
    allow_hosts: Vec<String>,
}

impl Policy {
    fn allows(&self, host: &str, address: IpAddr) -> bool {
        let trusted = || self.allow_private || self.allow_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
        !is_metadata(address) && (is_public(address) || trusted())
    }

    /// An address that is written out is never resolved, so it is judged by itself.
    fn judge_literal(&self, to: &Uri) -> Result<(), NotConnected> {
        let host = to.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match host.parse() {
            Ok(address) if !self.allows(host, address) => Err(NotConnected::Inside { host: host.to_owned() }),
            _ => Ok(()),
        }
    }

    pub(super) async fn resolve(&self, host: &str) -> Result<std::vec::IntoIter<SocketAddr>, NotConnected> {
        let found = tokio::net::lookup_host((host, 0)).await;
        let found = found.map_err(|source| NotConnected::Name { host: host.to_owned(), source })?;
        let allowed: Vec<SocketAddr> = found.filter(|address| self.allows(host, address.ip())).collect();
        if allowed.is_empty() { Err(NotConnected::Inside { host: host.to_owned() }) } else { Ok(allowed.into_iter()) }
    }
}

#[derive(Debug, Clone)]
struct Resolver(Arc<Policy>);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NotConnected;
    type Future = Pending<Self::Response, NotConnected>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotConnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let policy = self.0.clone();
        Box::pin(async move { policy.resolve(name.as_str()).await })
    }
}

/// ring is named here and not taken from the process, where another part may not have chosen one yet (ADR 0005).
fn tls(authorities: Option<&Path>) -> Result<ClientConfig, SocketFault> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (usable, _) = roots.add_parsable_certificates(native.certs);
    if let Some(path) = authorities {
        add(&mut roots, path)?;
    } else if usable == 0 {
        tracing::warn!(faults = ?native.errors, "this machine has no certificate authorities: no https provider can be reached");
    }
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
    let versions = versions.map_err(|fault| SocketFault::Tls { reason: fault.to_string() })?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), SocketFault> {
    let fault = |reason: String| SocketFault::Authorities { path: path.display().to_string(), reason };
    let mut any = false;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|reason| fault(reason.to_string()))? {
        let certificate = certificate.map_err(|reason| fault(reason.to_string()))?;
        roots.add(certificate).map_err(|reason| fault(reason.to_string()))?;
        any = true;
    }
    if any { Ok(()) } else { Err(fault("there is no certificate in it".into())) }
}
