//! What the client's faults mean, in words that name the place and never what was sent.

use std::{error::Error, io};

use hyper_util::client::legacy;
use rustls::CertificateError;

use super::door::NotConnected;
use crate::fault::FaultClass;

/// There is no head of an answer.
pub(super) fn not_answered(place: &str, fault: &legacy::Error) -> (FaultClass, String) {
    if let Some(why) = find::<NotConnected>(fault) {
        let reason = why.source().map(|reason| format!(": {reason}")).unwrap_or_default();
        return (FaultClass::Connect, format!("{place} cannot be reached: {why}{reason}"));
    }
    if let Some(tls) = find::<rustls::Error>(fault) {
        let class = if fault.is_connect() { FaultClass::Connect } else { FaultClass::Reset };
        return (class, format!("{place} cannot be reached: {}", untrusted(tls)));
    }
    if fault.is_connect() {
        return (FaultClass::Connect, format!("{place} cannot be reached: {}", unreached(fault)));
    }
    match find::<hyper::Error>(fault) {
        Some(http) if http.is_parse() => (FaultClass::Malformed, format!("what {place} answers is not HTTP: {http}")),
        Some(http) if http.is_incomplete_message() => {
            (FaultClass::Reset, format!("{place} closed the connection before it had answered"))
        }
        Some(_) => (FaultClass::Reset, format!("the connection to {place} broke before an answer came{}", because(fault))),
        None => (FaultClass::Connect, format!("nothing can be sent to {place}: {fault}")),
    }
}

/// The answer broke off after its head.
pub(super) fn broken_off(fault: &hyper::Error) -> (FaultClass, String) {
    match last_io(fault).map(io::Error::kind) {
        // The framing of the body, such as the length of a chunk, cannot be read.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            (FaultClass::Malformed, format!("the answer breaks the rules of HTTP{}", because(fault)))
        }
        _ => (FaultClass::Reset, format!("the connection broke before the answer was complete{}", because(fault))),
    }
}

fn unreached(fault: &legacy::Error) -> String {
    match last_io(fault) {
        Some(cause) => unconnected(cause),
        None => causes(fault).last().unwrap_or(fault).to_string(),
    }
}

pub(super) fn unconnected(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there".into(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "there is no way to it".into(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "it closed the connection at once".into()
        }
        _ => cause.to_string(),
    }
}

/// There is a connection, and TLS did not begin on it.
pub(super) fn unsecured(fault: &io::Error) -> String {
    find::<rustls::Error>(fault).map_or_else(|| unconnected(fault), untrusted)
}

fn untrusted(fault: &rustls::Error) -> String {
    let why = match fault {
        rustls::Error::InvalidCertificate(why) => why,
        rustls::Error::NoCertificatesPresented => return "it shows no certificate".into(),
        other => return format!("no TLS can be agreed on: {other}"),
    };
    match why {
        CertificateError::UnknownIssuer => "its certificate is signed by nobody this server trusts".into(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "its certificate is not valid yet".into(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".into()
        }
        CertificateError::Revoked => "its certificate has been revoked".into(),
        // Said by the library's own name for it alone.
        CertificateError::Other(why) => match why.to_string().as_str() {
            "CaUsedAsEndEntity" => "its certificate is one of an authority, which no server may show".into(),
            other => format!("its certificate cannot be trusted: {}", in_words(other)),
        },
        other => format!("its certificate cannot be trusted: {}", in_words(&format!("{other:?}"))),
    }
}

/// What a library calls a fault, as words: `UnsupportedCertVersion` is "unsupported cert version". What stands behind the name
/// is for whoever writes programs.
fn in_words(name: &str) -> String {
    let name = name.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    for letter in name.strip_suffix("Context").unwrap_or(name).chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn because(fault: &(dyn Error + 'static)) -> String {
    last_io(fault).map(|cause| format!(": {cause}")).unwrap_or_default()
}

fn last_io<'f>(fault: &'f (dyn Error + 'static)) -> Option<&'f io::Error> {
    causes(fault).filter_map(|cause| cause.downcast_ref()).last()
}

fn find<'f, T: Error + 'static>(fault: &'f (dyn Error + 'static)) -> Option<&'f T> {
    causes(fault).find_map(|cause| cause.downcast_ref())
}

/// The fault and what is behind it. An `io::Error` hides what it carries from `source`.
fn causes<'f>(fault: &'f (dyn Error + 'static)) -> impl Iterator<Item = &'f (dyn Error + 'static)> {
    std::iter::successors(Some(fault), |&fault| match fault.downcast_ref::<io::Error>() {
        Some(cause) => cause.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => fault.source(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{CertificateError, OtherError};

    use super::untrusted;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Named(&'static str);

    #[test]
    fn faults_that_have_only_a_name_are_told_in_words() {
        let other = |name| CertificateError::Other(OtherError(Arc::new(Named(name))));
        for (fault, why) in [
            (other("UnsupportedCertVersion"), "its certificate cannot be trusted: unsupported cert version"),
            (other("TrailingData(Certificate)"), "its certificate cannot be trusted: trailing data"),
            (other("CaUsedAsEndEntity"), "its certificate is one of an authority, which no server may show"),
            (CertificateError::BadSignature, "its certificate cannot be trusted: bad signature"),
            (
                CertificateError::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: vec![1],
                    supported_algorithms: Vec::new(),
                },
                "its certificate cannot be trusted: unsupported signature algorithm",
            ),
        ] {
            assert_eq!(untrusted(&rustls::Error::InvalidCertificate(fault)), why);
        }
    }
}
