//! What a value is held against: mistakes that parse.

use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::message::Mailbox;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::canary::CanaryMailbox;
use super::federation;
use super::finding::Severity;
use super::setting::{Kind, PREFIX};
use super::value::items;
use crate::words::LANGUAGES;

/// A check of one value.
#[derive(Debug, Clone, Copy)]
pub struct Lint {
    /// Its name, for waivers.
    pub id: &'static str,
    /// What it finds.
    pub about: &'static str,
    /// Whether somebody may know better.
    pub waivable: bool,
    pub(super) check: fn(&Subject<'_>) -> Verdict,
}

/// What is looked at.
pub(super) struct Subject<'a> {
    pub(super) text: &'a str,
    pub(super) kind: Kind,
    pub(super) secret: bool,
    pub(super) production: bool,
}

/// Nothing, or how bad it is and what to say behind the name of the setting. Never the value.
type Verdict = Option<(Severity, String)>;

impl Lint {
    pub(super) fn check(&self, subject: &Subject<'_>) -> Verdict {
        (self.check)(subject)
    }
}

/// What every value is held against, before it is read.
pub(super) const EVERY_VALUE: &[Lint] =
    &[CONTROL_CHARACTER, WHITE_SPACE, QUOTES, UNEXPANDED, PLACEHOLDER, INLINE_COMMENT];

/// Every lint there is, in the order of the reference page.
pub(super) const ALL: &[Lint] = &[
    CONTROL_CHARACTER,
    WHITE_SPACE,
    QUOTES,
    UNEXPANDED,
    PLACEHOLDER,
    INLINE_COMMENT,
    PUBLIC_URL,
    HTTPS,
    PRIVATE_ADDRESS,
    EXAMPLE_DOMAIN,
    BARE_HOST,
    SANDBOX_RELAY,
    MASTER_KEY,
    STRONG_SECRET,
    SHORT_SECRET,
    SENDER,
    BARE_ADDRESS,
    LINK,
    LOCALE,
    LOG_FILTER,
    ORIGINS,
    DATABASE_URL,
    REDIS_URL,
    COLLECTOR,
    POLICY,
    federation::RETURN_TO,
    federation::ISSUER,
    federation::NAME,
    NAME_SERVERS,
    CANARIES,
    MAILBOXES,
];

#[expect(clippy::unnecessary_wraps, reason = "it is how a check ends")]
pub(super) fn refuse(why: impl Into<String>) -> Verdict {
    Some((Severity::Refusal, why.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "it is how a check ends")]
fn warn(why: impl Into<String>) -> Verdict {
    Some((Severity::Warning, why.into()))
}

const CONTROL_CHARACTER: Lint = Lint {
    id: "control-character",
    about: "a carriage return, line feed or other control character, or a byte that is not UTF-8",
    waivable: false,
    check: |subject| {
        if subject.text.ends_with('\r') {
            return refuse("ends with a carriage return; save the file with Unix line ends");
        }
        let odd = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
        if subject.text.contains(odd) {
            return refuse("has a line break, a control character or a byte that is not UTF-8");
        }
        None
    },
};

const WHITE_SPACE: Lint = Lint {
    id: "white-space",
    about: "white space at the beginning or the end",
    waivable: true,
    check: |subject| {
        if subject.text.trim() == subject.text {
            return None;
        }
        refuse("begins or ends with white space; remove it")
    },
};

const QUOTES: Lint = Lint {
    id: "quotes",
    about: "quotes that were meant for a shell and became part of the value",
    waivable: true,
    check: |subject| {
        let quoted = |q: char| {
            subject.text.len() > 1 && subject.text.starts_with(q) && subject.text.ends_with(q)
        };
        if !quoted('"') && !quoted('\'') {
            return None;
        }
        refuse(
            "is in quotes that are part of the value (`docker run --env-file` keeps them); remove them",
        )
    },
};

const UNEXPANDED: Lint = Lint {
    id: "unexpanded-variable",
    about: "a `${VARIABLE}` that nothing filled in",
    waivable: true,
    check: |subject| {
        subject.text.split_once("${")?.1.split_once('}')?;
        refuse("has a `${…}` that nothing filled in")
    },
};

const PLACEHOLDER: Lint = Lint {
    id: "placeholder",
    about: "a placeholder such as `changeme`, `your-…-here` or `<…>`",
    waivable: true,
    check: |subject| {
        if matches!(subject.kind, Kind::Choice(_)) {
            return None;
        }
        let text = subject.text.to_lowercase();
        let plain = text.replace(['_', ' '], "-");
        let anywhere =
            ["changeme", "change-me", "change-this", "replaceme", "replace-me", "replace-with"];
        let whole = ["todo", "fixme", "tbd", "placeholder", "none", "null", "undefined", "dummy"];
        let example =
            subject.secret && ["secret", "password", "hunter2", "test"].contains(&&*plain);
        let your = plain
            .match_indices("your-")
            .any(|(at, _)| !plain[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-'));
        let angled = text.starts_with('<') && text.ends_with('>') && !text.contains('@');
        let crossed = text.len() > 2 && text.bytes().all(|byte| byte == b'x' || byte == b'*');
        let known = whole.contains(&&*plain) || anywhere.iter().any(|word| plain.contains(word));
        if known || example || your || angled || crossed {
            return refuse("still holds a placeholder; put the real value there");
        }
        None
    },
};

const INLINE_COMMENT: Lint = Lint {
    id: "inline-comment",
    about: "a ` # comment` behind the value that an env file does not strip",
    waivable: true,
    check: |subject| {
        if !subject.text.contains(" #") {
            return None;
        }
        refuse(
            "has ` #` in it: a comment behind a value becomes part of it; put it on its own line",
        )
    },
};

pub(super) const PUBLIC_URL: Lint = Lint {
    id: "public-url",
    about: "a public URL that is more than scheme, host, port and path",
    waivable: false,
    check: |subject| {
        let Ok(url) = Url::parse(subject.text) else { return None };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("must begin with `https://` (or `http://` in development)");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must not hold a user name or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("must not hold `?` or `#`: paths are put behind it");
        }
        None
    },
};

pub(super) const HTTPS: Lint = Lint {
    id: "https",
    about: "clear `http://` in production",
    waivable: false,
    check: |subject| {
        if !subject.production || !subject.text.starts_with("http://") {
            return None;
        }
        refuse("must begin with `https://` in production")
    },
};

/// Returns the host in a URL, an address or a host name.
fn host_in(text: &str) -> Option<Host> {
    let host = match Url::parse(text) {
        Ok(url) if url.has_host() => return url.host().map(|host| host.to_owned()),
        _ => text.rsplit('@').next()?.trim_end_matches('>'),
    };
    host.parse::<IpAddr>().map_or_else(
        |_| Host::parse(host).ok(),
        |address| match address {
            IpAddr::V4(address) => Some(Host::Ipv4(address)),
            IpAddr::V6(address) => Some(Host::Ipv6(address)),
        },
    )
}

fn is_within(domain: &str, parents: &[&str]) -> bool {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    parents.iter().any(|parent| {
        domain.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

pub(super) const PRIVATE_ADDRESS: Lint = Lint {
    id: "private-address",
    about: "in production, an address that only this machine or this network can reach",
    waivable: true,
    check: |subject| {
        if !subject.production {
            return None;
        }
        let private = match host_in(subject.text)? {
            Host::Domain(domain) => is_within(&domain, &["localhost", "local", "internal", "lan"]),
            Host::Ipv4(ip) => {
                ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
            }
            Host::Ipv6(ip) => {
                ip.is_loopback()
                    || ip.is_unique_local()
                    || ip.is_unicast_link_local()
                    || ip.is_unspecified()
            }
        };
        if !private {
            return None;
        }
        refuse("is an address that readers of a mail cannot reach; give the public one")
    },
};

pub(super) const EXAMPLE_DOMAIN: Lint = Lint {
    id: "example-domain",
    about: "in production, a domain that is reserved for documentation and tests",
    waivable: true,
    check: |subject| {
        let reserved = ["example", "example.com", "example.org", "example.net", "test", "invalid"];
        match host_in(subject.text)? {
            Host::Domain(domain) if subject.production && is_within(&domain, &reserved) => {
                refuse("is in a domain that is reserved for examples; put the real one there")
            }
            _ => None,
        }
    },
};

pub(super) const BARE_HOST: Lint = Lint {
    id: "host-only",
    about: "a scheme, port, path or user in what should be a host name",
    waivable: false,
    check: |subject| {
        let text = subject.text;
        if text.parse::<IpAddr>().is_ok() {
            return None;
        }
        if text.contains("://") || text.contains(['/', '@', ' ']) {
            return refuse("must be a host name alone, without scheme, path or user");
        }
        if text.contains(':') {
            return refuse(format!("holds a port; put it into {PREFIX}SMTP_PORT"));
        }
        if Host::parse(text).is_err() {
            return refuse("is not a host name");
        }
        None
    },
};

pub(super) const SANDBOX_RELAY: Lint = Lint {
    id: "sandbox-relay",
    about: "in production, a relay that takes mail and shows it to nobody",
    waivable: true,
    check: |subject| {
        if subject.production && is_sandbox_relay(subject.text) {
            return refuse(
                "is a sandbox: it takes mail and delivers none; put the real relay there",
            );
        }
        None
    },
};

/// Whether `host` takes mail and shows it to nobody.
#[must_use]
pub fn is_sandbox_relay(host: &str) -> bool {
    let catchers = [
        "sandbox.smtp.mailtrap.io",
        "sandbox.api.mailtrap.io",
        "ethereal.email",
        "mailhog",
        "mailpit",
        "mailcatcher",
        "maildev",
        "smtp4dev",
        "inbucket",
        "debugmail.io",
    ];
    // Its real relay is below the name of what was its sandbox once.
    host.eq_ignore_ascii_case("smtp.mailtrap.io") || is_within(host, &catchers)
}

fn distinct_bytes(bytes: &[u8]) -> usize {
    bytes.iter().collect::<std::collections::BTreeSet<_>>().len()
}

pub(super) const MASTER_KEY: Lint = Lint {
    id: "master-key",
    about: "a master key that is not 32 random bytes in base64",
    waivable: false,
    check: |subject| {
        let make = "make one with: openssl rand -base64 32";
        match BASE64_STANDARD.decode(subject.text) {
            Ok(key) if key.len() != 32 => {
                refuse(format!("must be 32 bytes in base64, and is {}; {make}", key.len()))
            }
            // 32 random bytes have fewer than 16 different ones about never.
            Ok(key) if distinct_bytes(&key) < 16 => refuse(format!("is not random; {make}")),
            Ok(_) => None,
            Err(_) => refuse(format!("must be 32 bytes in base64, and is not base64; {make}")),
        }
    },
};

pub(super) const STRONG_SECRET: Lint = Lint {
    id: "weak-secret",
    about: "a secret of our own that is shorter than 24 characters or repeats a few",
    waivable: true,
    check: |subject| {
        let text = subject.text;
        if text.len() >= 24 && distinct_bytes(text.as_bytes()) >= 8 {
            return None;
        }
        let why =
            "can be guessed: it needs 24 random characters; make it with: openssl rand -hex 24";
        if subject.production { refuse(why) } else { warn(why) }
    },
};

pub(super) const SHORT_SECRET: Lint = Lint {
    id: "short-secret",
    about: "a secret of somebody else's that is shorter than 8 characters",
    waivable: true,
    check: |subject| {
        if subject.text.len() >= 8 {
            return None;
        }
        warn("is shorter than 8 characters; is all of it there?")
    },
};

pub(super) const SENDER: Lint = Lint {
    id: "sender",
    about: "a sender that is not `Name <address>`",
    waivable: false,
    check: |subject| {
        if subject.text.parse::<Mailbox>().is_ok() {
            return None;
        }
        refuse("must be `Name <address>`, such as `Acme <no-reply@acme.dev>`")
    },
};

pub(super) const BARE_ADDRESS: Lint = Lint {
    id: "bare-address",
    about: "an address that is not `local@domain`, or whose local part leaves no room for a token",
    waivable: false,
    check: |subject| {
        let address = subject.text.parse::<lettre::Address>();
        if address.is_ok_and(|address| address.user().len() <= 24 && !address.user().contains('+'))
        {
            return None;
        }
        refuse(
            "must be an address such as `bounce@acme.dev`, with at most 24 characters and no `+` before the `@`",
        )
    },
};

pub(super) const LINK: Lint = Lint {
    id: "link",
    about: "a link that is not a URL with `{token}` in it",
    waivable: false,
    check: |subject| {
        let text = subject.text;
        if !text.contains("{token}") {
            return refuse("must contain `{token}`, which each mail fills in");
        }
        let filled = text.replace("{token}", "t");
        if filled.contains(['{', '}']) {
            return refuse("may contain `{public_url}` and `{token}`, and no other braces");
        }
        match Url::parse(&filled) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => None,
            _ => refuse("must be a URL such as `https://app.acme.dev/verify?token={token}`"),
        }
    },
};

pub(super) const LOCALE: Lint = Lint {
    id: "locale",
    about: "a language that AuthShield does not speak",
    waivable: false,
    check: |subject| {
        let known = LANGUAGES.map(|language| language.tag);
        if known.contains(&subject.text) {
            return None;
        }
        refuse(format!("must be one of `{}`", known.join("`, `")))
    },
};

pub(super) const LOG_FILTER: Lint = Lint {
    id: "log-filter",
    about: "log directives that mean nothing",
    waivable: false,
    check: |subject| {
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        // A word alone would be taken for the name of a module, and log all that it says.
        let odd = items(subject.text).find(|item| {
            let word = item.bytes().all(|byte| byte.is_ascii_alphanumeric());
            word && !levels.contains(&item.to_ascii_lowercase().as_str())
        });
        if odd.is_some() || EnvFilter::builder().parse(subject.text).is_err() {
            return refuse(
                "must be a level (`error`, `warn`, `info`, `debug`, `trace`) or directives such as `info,authshield::mail=debug`",
            );
        }
        None
    },
};

pub(super) const ORIGINS: Lint = Lint {
    id: "origins",
    about: "an origin that is `*`, `null`, or more than scheme, host and port",
    waivable: false,
    check: |subject| {
        for origin in items(subject.text) {
            if origin.contains('*') {
                return refuse("must name each origin: `*` would let every page call the API");
            }
            let Ok(url) = Url::parse(origin) else {
                return refuse(format!(
                    "holds `{origin}`, which is no origin such as `https://app.acme.dev`"
                ));
            };
            let exact = url.origin().ascii_serialization();
            if exact == "null" || !matches!(url.scheme(), "http" | "https") {
                return refuse(format!(
                    "holds `{origin}`, which is no origin such as `https://app.acme.dev`"
                ));
            }
            if exact != origin {
                return refuse(format!("holds `{origin}`; browsers send `{exact}`, write that"));
            }
            if subject.production && url.scheme() == "http" {
                return warn(format!(
                    "holds `{origin}`: whoever can change that page on its way can call the API"
                ));
            }
        }
        None
    },
};

pub(super) const DATABASE_URL: Lint = Lint {
    id: "database-url",
    about: "a database that is neither SQLite nor PostgreSQL",
    waivable: false,
    check: |subject| {
        if let Some(path) = subject.text.strip_prefix("sqlite://") {
            return if path.is_empty() { refuse("names no file behind `sqlite://`") } else { None };
        }
        let known = ["postgres://", "postgresql://"].iter().any(|it| subject.text.starts_with(it));
        if known && Url::parse(subject.text).is_ok() {
            return None;
        }
        refuse(
            "must be `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`; in a URL, other characters of a password than letters and digits are written as %XX",
        )
    },
};

pub(super) const REDIS_URL: Lint = Lint {
    id: "redis-url",
    about: "an address that is not Redis's",
    waivable: false,
    check: |subject| {
        let known = ["redis://", "rediss://"].iter().any(|it| subject.text.starts_with(it));
        if known && Url::parse(subject.text).is_ok_and(|url| url.has_host()) {
            return None;
        }
        refuse("must be `redis://HOST:6379` or, with TLS, `rediss://HOST:6379`")
    },
};

pub(super) const COLLECTOR: Lint = Lint {
    id: "collector",
    about: "a trace collector that does not speak HTTP",
    waivable: false,
    check: |subject| {
        if subject.text.starts_with("http://") || subject.text.starts_with("https://") {
            return None;
        }
        refuse("must begin with `http://` or `https://`: traces are sent as OTLP over HTTP")
    },
};

pub(super) const NAME_SERVERS: Lint = Lint {
    id: "name-server",
    about: "a name server that is not an address and a port",
    waivable: false,
    check: |subject| {
        let fits = |item: &str| item.parse::<std::net::SocketAddr>().is_ok();
        if items(subject.text).all(fits) {
            return None;
        }
        refuse("must be addresses with a port, such as `192.0.2.53:53` or `[2001:db8::53]:53`")
    },
};

pub(super) const CANARIES: Lint = Lint {
    id: "canary",
    about: "a canary that is not an address, or more than three of them",
    waivable: false,
    check: |subject| {
        let fits = |item: &str| item.parse::<crate::kernel::EmailAddress>().is_ok();
        if items(subject.text).all(fits) && items(subject.text).count() <= 3 {
            return None;
        }
        refuse("must be one to three addresses, such as `canary@acme.dev`")
    },
};

pub(super) const MAILBOXES: Lint = Lint {
    id: "mailbox",
    about: "a mailbox that is not a URL such as `imaps://user:password@host/INBOX`",
    waivable: false,
    check: |subject| {
        let found = items(subject.text).map(CanaryMailbox::parse).find_map(Result::err);
        found.and_then(|why| refuse(format!("names a mailbox that {why}")))
    },
};

pub(super) const POLICY: Lint = Lint {
    id: "check-policy",
    about: "a policy that is not `ID=fail`, `ID=degrade`, `ID=warn` or `ID=ignore`",
    waivable: false,
    check: |subject| {
        let fits = |item: &str| {
            let (id, word) = item.split_once('=').unwrap_or((item, ""));
            let words = ["fail", "degrade", "warn", "ignore"];
            !id.trim().is_empty() && words.contains(&word.trim())
        };
        if super::value::items(subject.text).all(fits) {
            return None;
        }
        refuse("must be pairs such as `SMTP-4=fail`, with `fail`, `degrade`, `warn` or `ignore`")
    },
};
