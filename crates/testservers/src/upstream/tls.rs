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

const HERE: &str = "DNS:localhost,IP:127.0.0.1";

/// A certificate and its key in a folder of their own, gone with the value.
#[derive(Debug)]
pub struct Certificate {
    dir: tempfile::TempDir,
}

impl Certificate {
    /// For `localhost` and 127.0.0.1, signed by itself: trusted only by whom it is shown as an authority.
    pub fn for_localhost() -> io::Result<Self> {
        Self::make((HERE, "FALSE"), None)
    }

    /// For another name than the server's.
    pub fn for_another_name() -> io::Result<Self> {
        Self::make(("DNS:elsewhere.example", "FALSE"), None)
    }

    /// For the server's own name, and an authority, as no server may show.
    pub fn for_an_authority() -> io::Result<Self> {
        Self::make((HERE, "TRUE"), None)
    }

    /// For the server's own name, and long past its time.
    pub fn expired() -> io::Result<Self> {
        Self::make((HERE, "FALSE"), Some(("20200101000000Z", "20200201000000Z")))
    }

    /// For the server's own name, from a time on that has not come.
    pub fn not_valid_yet() -> io::Result<Self> {
        Self::make((HERE, "FALSE"), Some(("20980101000000Z", "20990101000000Z")))
    }

    fn make((names, authority): (&str, &str), valid: Option<(&str, &str)>) -> io::Result<Self> {
        let made = Self { dir: tempfile::tempdir()? };
        let at = |name: &str| made.dir.path().join(name).display().to_string();
        // The machine's own settings would make it an authority, which no server may show.
        let settings = format!(
            "[req]\ndistinguished_name=name\nprompt=no\n[name]\nCN=test\n[more]\nbasicConstraints=CA:{authority}\nsubjectAltName={names}\n\
             [ca]\ndefault_ca=own\n[own]\ndatabase={}\nserial={}\nnew_certs_dir={}\ndefault_md=sha256\ndefault_days=30\npolicy=any\n\
             x509_extensions=more\n[any]\ncommonName=supplied\n",
            at("issued.txt"),
            at("serial"),
            made.dir.path().display(),
        );
        std::fs::write(at("settings.cnf"), settings)?;
        std::fs::write(at("issued.txt"), "")?;
        std::fs::write(at("serial"), "01\n")?;
        let files = ["settings.cnf", "key.pem", "request.pem", "certificate.pem"].map(at);
        let [settings, key, request, certificate] = files.each_ref().map(String::as_str);
        let asks = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", settings];
        run(Command::new("openssl").args(asks).args(["-keyout", key, "-out", request]))?;
        let mut signs = Command::new("openssl");
        signs.args(["ca", "-batch", "-notext", "-selfsign", "-config", settings, "-keyfile", key, "-in", request]);
        if let Some((from, until)) = valid {
            signs.args(["-startdate", from, "-enddate", until]);
        }
        run(signs.args(["-out", certificate]))?;
        Ok(made)
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
    pub(crate) fn server(&self, protocols: &[&str]) -> io::Result<Arc<ServerConfig>> {
        let certificate = read(&self.path(), CertificateDer::from_pem_file(self.path()))?;
        let key = read(&self.key(), PrivateKeyDer::from_pem_file(self.key()))?;
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().map_err(io::Error::other)?;
        let mut config = config.with_no_client_auth().with_single_cert(vec![certificate], key).map_err(io::Error::other)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let output =
        command.output().map_err(|fault| io::Error::new(fault.kind(), format!("openssl cannot be run, install it: {fault}")))?;
    if output.status.success() { Ok(()) } else { Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())) }
}

fn read<T>(path: &Path, read: Result<T, rustls::pki_types::pem::Error>) -> io::Result<T> {
    read.map_err(|fault| io::Error::other(format!("{}: {fault}", path.display())))
}
