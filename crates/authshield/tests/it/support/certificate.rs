//! Certificates of a throw-away authority.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use authshield::world::{Real, World};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate with its key, and the authority that signed it, as files.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// The authority's certificate: what a client has to trust.
    pub(crate) authority: PathBuf,
    /// The server's certificate.
    pub(crate) chain: PathBuf,
    /// The server's key.
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes an authority and a certificate for `names`, as in `DNS:localhost,IP:127.0.0.1`, in
    /// `folder`.
    pub(crate) fn make(folder: &Path, names: &str) -> Self {
        let openssl = |arguments: &[&str]| openssl(folder, arguments);
        let curve = "ec_paramgen_curve:P-256";
        let new = ["req", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-days", "3650"];
        let authority = ["-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA"];
        openssl(&[&new[..], &authority[..]].concat());
        let leaf = ["-keyout", "key.pem", "-out", "leaf.csr", "-subj", "/CN=relay"];
        openssl(&[&new[..6], &leaf[..]].concat());
        std::fs::write(
            folder.join("names"),
            format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n"),
        )
        .expect("the folder can be written");
        openssl(&[
            "x509",
            "-req",
            "-in",
            "leaf.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-days",
            "3650",
            "-extfile",
            "names",
            "-out",
            "chain.pem",
        ]);
        Self::of(folder)
    }

    fn of(folder: &Path) -> Self {
        Self {
            authority: folder.join("ca.pem"),
            chain: folder.join("chain.pem"),
            key: folder.join("key.pem"),
        }
    }

    /// Has the authority in `folder` sign anew what was made there: it holds since `ago` days, and for
    /// `left` more.
    pub(crate) fn renewed(folder: &Path, ago: u32, left: u32) -> Self {
        let day = Duration::from_hours(24);
        let now = Real.now();
        let time = |at: onesql::Timestamp| {
            let text = at.to_string();
            let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
            format!("{digits}Z")
        };
        let settings = "[ca]\ndefault_ca=own\n[own]\ndatabase=issued\nnew_certs_dir=.\nrand_serial=yes\n\
                        default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n";
        std::fs::write(folder.join("ca.cnf"), settings).expect("the folder can be written");
        std::fs::write(folder.join("issued"), "").expect("the folder can be written");
        let files =
            ["-in", "leaf.csr", "-out", "chain.pem", "-cert", "ca.pem", "-keyfile", "ca.key"];
        let (from, until) = (time(now - day * ago), time(now + day * left));
        let dates = ["-startdate", &*from, "-enddate", &*until, "-extfile", "names", "-notext"];
        let begin = ["ca", "-batch", "-config", "ca.cnf"];
        openssl(folder, &[&begin[..], &files, &dates].concat());
        Self::of(folder)
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let chain = CertificateDer::pem_file_iter(&self.chain)
            .expect("a chain")
            .collect::<Result<Vec<_>, _>>()
            .expect("certificates");
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key fits");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Returns a certificate for `localhost` and `127.0.0.1`, made once per process.
pub(crate) fn valid_certificate() -> Certificate {
    static MADE: OnceLock<(tempfile::TempDir, Certificate)> = OnceLock::new();
    let (_, certificate) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Certificate::make(folder.path(), "DNS:localhost,IP:127.0.0.1");
        (folder, certificate)
    });
    certificate.clone()
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let done = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "openssl {arguments:?}: {said}");
}
