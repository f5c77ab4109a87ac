//! What concerns HTTP: TLS, CORS and limits.

use std::path::PathBuf;
use std::time::Duration;

use super::lints;
use super::setting::{DAY, Fallback, HOUR, MINUTE, SECOND, choice, settings};
use super::value::Rate;

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
    /// Where addresses are. Nobody is asked over the network.
    Geoip at "geoip" "." {
        /// The file that says in which country an address is, in the format of MaxMind: GeoLite2 or GeoIP2, City
        /// or Country, or one like these. When it is replaced it is read anew.
        file: Option<PathBuf> {
            reread: true,
            example: "/var/lib/authshield/GeoLite2-City.mmdb",
            mistaken: &["GEOIP_PATH", "GEOIP_DATABASE", "GEOIP_DB", "MAXMIND_DB", "GEOLITE2_FILE", "MMDB_FILE"],
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

choice! {
    /// Where limits are counted.
    LimitStore {
        /// In Redis if there is one, else in memory.
        Auto = "auto",
        /// In the database, whether or not there is a Redis.
        Database = "database",
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
        /// Where limits are counted: `auto` is Redis if `redis_url` names one, else the memory of each node;
        /// `database` needs no Redis and keeps the count over restarts, at the price of a round trip.
        store: LimitStore {
            fallback: Fallback::Always("auto"),
            example: "database",
            mistaken: &["RATE_LIMIT_STORAGE", "RATE_LIMIT_BACKEND", "LIMITER"],
        }
        /// Sign-ins, per client: an IPv4 address or the /64 of an IPv6 address. As a number and a time: so
        /// many at once, and so many in that time in the long run.
        login_per_client: Rate {
            fallback: Fallback::Always("20/1m"),
            example: "20/1m",
        }
        /// Sign-ins of strangers together, per place from which many accounts are attacked, until an hour after:
        /// an IPv4 address or the /48 of an IPv6 address. Who signed in from there within 90 days is no stranger.
        login_under_attack: Rate {
            fallback: Fallback::Always("5/1m"),
            example: "5/1m",
        }
        /// Registrations, per client.
        register_per_client: Rate {
            fallback: Fallback::Always("10/1h"),
            example: "10/1h",
        }
        /// Mails that strangers can cause, per recipient: those that prove an address, and those that let somebody in.
        mail_per_recipient: Rate {
            fallback: Fallback::Always("5/1h"),
            example: "5/1h",
        }
        /// Mails that strangers can cause, per client, whoever the recipients.
        mail_per_client: Rate {
            fallback: Fallback::Always("20/1h"),
            example: "20/1h",
        }
        /// How often an address may be typed at a form before a captcha is asked for there on suspicion.
        unsuspected_per_address: Rate {
            fallback: Fallback::Always("5/15m"),
            example: "3/15m",
        }
        /// How often a client may ask at such forms before a captcha is asked for on suspicion.
        unsuspected_per_client: Rate {
            fallback: Fallback::Always("20/15m"),
            example: "10/15m",
        }
        /// Codes of a second factor that are sent with a sign-in, per client.
        second_factor_per_client: Rate {
            fallback: Fallback::Always("30/1m"),
            example: "30/1m",
        }
        /// Challenges for passkeys and sign-ins with them, per client.
        passkey_per_client: Rate {
            fallback: Fallback::Always("60/1m"),
            example: "60/1m",
        }
        /// Steps of sign-ins at a provider, per client; each sign-in is three.
        federation_per_client: Rate {
            fallback: Fallback::Always("60/1m"),
            example: "60/1m",
        }
        /// Links of mails that are used, per client.
        redeem_per_client: Rate {
            fallback: Fallback::Always("30/1m"),
            example: "30/1m",
        }
        /// Questions what became of a mail, per client.
        progress_per_client: Rate {
            fallback: Fallback::Always("60/1m"),
            example: "60/1m",
        }
        /// What somebody who is signed in asks for and gets by mail, per account: deletion, new passkeys, codes to prove
        /// again who they are.
        notice_per_account: Rate {
            fallback: Fallback::Always("20/1h"),
            example: "20/1h",
        }
        /// Copies of all that is kept of somebody, per account.
        export_per_account: Rate {
            fallback: Fallback::Always("6/1h"),
            example: "6/1h",
        }
        /// Pages of the revocation feed, per client; each node counts its own.
        revocations_per_client: Rate {
            fallback: Fallback::Always("1200/1m"),
            example: "6000/1m",
        }
        /// Refreshes, per session.
        refresh_per_session: Rate {
            fallback: Fallback::Always("60/1m"),
            example: "60/1m",
        }
        /// What sign-ins and registrations cost in hashes of passwords, per site, which is the /24 of an IPv4
        /// address or the /48 of an IPv6 address; each node counts its own.
        hashes_per_site: Rate {
            fallback: Fallback::Always("600/1m"),
            example: "600/1m",
        }
        /// How many wrong passwords of one account are judged without a wait.
        password_attempts: u32 {
            fallback: Fallback::Always("10"),
            unit: "attempts",
            bounds: Some((3, 50)),
            example: "5",
            mistaken: &["MAX_LOGIN_ATTEMPTS", "LOGIN_ATTEMPTS", "LOCKOUT_ATTEMPTS", "LOCKOUT_THRESHOLD"],
        }
        /// How long the first wait is; each one after it is twice as long.
        password_wait: Duration {
            fallback: Fallback::Always("1m"),
            bounds: Some((SECOND, HOUR)),
            example: "30s",
        }
        /// How long a wait is at most. One of a quarter of an hour or more is a lock: an event, and a mail to
        /// the account's owner.
        password_wait_at_most: Duration {
            fallback: Fallback::Always("4h"),
            bounds: Some((15 * MINUTE, DAY)),
            example: "12h",
            mistaken: &["LOCKOUT_DURATION", "LOGIN_LOCKOUT", "LOCKOUT_TIME"],
        }
        /// How many wrong passwords in a row an account bears, from everywhere together; then only a link by
        /// mail helps. NIST SP 800-63B-4 allows 100. Strangers get four fifths of them.
        password_failures: u32 {
            fallback: Fallback::Always("100"),
            unit: "attempts",
            bounds: Some((65, 100)),
            example: "100",
        }
    }
}
