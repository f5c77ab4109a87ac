//! What concerns HTTP: TLS, CORS and limits.

use std::path::PathBuf;

use super::lints;
use super::setting::{Fallback, settings};

settings! {
    /// TLS on the public listener. Without it, a proxy in front must end TLS. A renewed file is
    /// picked up without a restart.
    Tls at "tls" "." {
        /// The certificate and its chain, PEM, the server's own first.
        certificate_file: Option<PathBuf> {
            reread: true,
            example: "/etc/authshield/tls/fullchain.pem",
            mistaken: &["TLS_CERT", "TLS_CERT_FILE", "TLS_CERTIFICATE", "SSL_CERT", "SSL_CERTFILE"],
        }
        /// The certificate's private key, PEM.
        private_key_file: Option<PathBuf> {
            reread: true,
            example: "/etc/authshield/tls/privkey.pem",
            mistaken: &["TLS_KEY", "TLS_KEY_FILE", "TLS_PRIVATE_KEY", "SSL_KEY", "SSL_KEYFILE"],
        }
    }
}

settings! {
    /// Asking the domain name system. Only checks do.
    Dns at "dns" "." {
        /// Which name servers are asked; unless set, those of this machine, and in development nobody. The
        /// first two are compared.
        resolvers: Vec<String> {
            fallback: Fallback::Always(""),
            example: "192.0.2.53:53,[2001:db8::53]:53",
            mistaken: &["RESOLVER", "DNS_SERVER", "DNS_SERVERS", "NAMESERVERS", "NAME_SERVERS"],
            lints: &[lints::NAME_SERVERS],
        }
    }
}

settings! {
    /// Which web pages of other origins may call the API from a browser.
    Cors at "cors" "." {
        /// Their exact origins: scheme, host and port, nothing behind. `*` is refused. The first origin
        /// takes a restart, others a reload.
        origins: Vec<String> {
            reload: true,
            fallback: Fallback::Always(""),
            example: "https://app.example.org,https://admin.example.org",
            mistaken: &["CORS", "CORS_ORIGIN", "ALLOWED_ORIGINS", "CORS_ALLOW_ORIGINS", "CORS_ALLOWED_ORIGINS"],
            foreign: &["ALLOWED_ORIGINS", "CORS_ALLOWED_ORIGINS"],
            lints: &[lints::ORIGINS],
        }
    }
}

settings! {
    /// Limits on how often something may be tried.
    RateLimit at "rate_limit" "." {
        /// Whether there are limits. Off is refused in production.
        enabled: bool {
            fallback: Fallback::Always("true"),
            example: "true",
            mistaken: &["RATE_LIMIT", "RATE_LIMITS", "RATELIMIT_ENABLED", "RATE_LIMITING"],
        }
    }
}
