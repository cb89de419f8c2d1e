//! Certificates for tests, made by OpenSSL, and a server's TLS with them.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// A certificate and its key in a folder of their own, gone with the value.
#[derive(Debug)]
pub struct Certificate {
    dir: tempfile::TempDir,
}

impl Certificate {
    /// For `localhost` and 127.0.0.1, signed by itself: trusted only by whom it is shown as an authority.
    pub fn for_localhost() -> io::Result<Self> {
        Self::make("DNS:localhost,IP:127.0.0.1")
    }

    /// For another name than the server's.
    pub fn for_another_name() -> io::Result<Self> {
        Self::make("DNS:elsewhere.example")
    }

    fn make(names: &str) -> io::Result<Self> {
        let made = Self { dir: tempfile::tempdir()? };
        let settings = made.dir.path().join("settings.cnf");
        // The machine's own settings would make it an authority, which no server may show.
        let own = "[req]\ndistinguished_name=name\nx509_extensions=more\nprompt=no\n[name]\nCN=test\n[more]\nbasicConstraints=CA:FALSE\n";
        std::fs::write(&settings, format!("{own}subjectAltName={names}\n"))?;
        let output = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "30",
                "-config",
            ])
            .arg(settings)
            .arg("-keyout")
            .arg(made.key())
            .arg("-out")
            .arg(made.path())
            .output()
            .map_err(|fault| io::Error::new(fault.kind(), format!("openssl cannot be run, install it: {fault}")))?;
        if output.status.success() {
            Ok(made)
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    /// The certificate in PEM form.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    /// `protocols` as ALPN names them: `h2`, `http/1.1`.
    pub(super) fn server(&self, protocols: &[&str]) -> io::Result<Arc<ServerConfig>> {
        let certificate = read(&self.path(), CertificateDer::from_pem_file(self.path()))?;
        let key = read(&self.key(), PrivateKeyDer::from_pem_file(self.key()))?;
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().map_err(io::Error::other)?;
        let mut config = config.with_no_client_auth().with_single_cert(vec![certificate], key).map_err(io::Error::other)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

fn read<T>(path: &Path, read: Result<T, rustls::pki_types::pem::Error>) -> io::Result<T> {
    read.map_err(|fault| io::Error::other(format!("{}: {fault}", path.display())))
}
