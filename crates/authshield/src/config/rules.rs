//! What settings must be to each other. Pure: a configuration in, findings out.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::captcha::CaptchaProvider;
use super::federation;
use super::finding::{Finding, Severity};
use super::lints;
use super::mail::{ImapTls, SmtpTls};
use super::operations::Unknown;
use super::providers::MailProvider;
use super::root::{Config, Environment, ProxyProtocol};
use super::setting;
use super::value::{Value, items};

/// Which settings somebody gave.
pub(super) type GivenNames = BTreeSet<&'static str>;

/// A rule and what it finds, for the reference page.
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    check: fn(&Config, &GivenNames) -> Vec<Finding>,
}

pub(super) const ALL: &[Rule] = &[
    Rule {
        id: "loopback-only",
        about: "development on an address that others can reach",
        check: loopback,
    },
    Rule { id: "same-address", about: "two listeners on one address", check: listeners },
    Rule { id: "trust-everybody", about: "proxies that are everybody", check: proxies },
    Rule { id: "nobody-announces", about: "the PROXY protocol without proxies", check: announcing },
    Rule { id: "rate-limit-off", about: "no limits in production", check: limits },
    Rule {
        id: "token-order",
        about: "lifetimes in the wrong order: access token < refresh token ≤ session",
        check: lifetimes,
    },
    Rule {
        id: "key-order",
        about: "keys that change faster than they can be published or their tokens expire",
        check: keys,
    },
    Rule {
        id: "long-recovery",
        about: "a link to reset a password that works for more than a day",
        check: recovery,
    },
    Rule {
        id: "passkey-domain",
        about: "passkeys for a domain that no page of theirs is under",
        check: passkey_domain,
    },
    Rule {
        id: "hash-cost",
        about: "an Argon2id cost below what OWASP recommends",
        check: hash_cost,
    },
    Rule { id: "half-a-pair", about: "one of two settings that need each other", check: pairs },
    Rule {
        id: "clear-text-login",
        about: "a relay's password sent without encryption",
        check: clear_text,
    },
    Rule {
        id: "port-and-tls",
        about: "a port and an encryption that do not go together",
        check: smtp_port,
    },
    Rule { id: "equal-secrets", about: "two secrets with one value", check: equal_secrets },
    Rule {
        id: "unknown-names-allowed",
        about: "unknown names that do not stop the start",
        check: leniency,
    },
    Rule { id: "waiver", about: "a waiver of nothing", check: waivers },
];

/// Runs every rule. The caller drops what is about a value that could not be read.
pub(super) fn judge(config: &Config, given: &GivenNames) -> Vec<Finding> {
    ALL.iter()
        .flat_map(|rule| {
            let mut findings = (rule.check)(config, given);
            for finding in &mut findings {
                finding.id = rule.id;
            }
            findings
        })
        .collect()
}

fn refusal(settings: &[&'static str], message: impl Into<String>) -> Finding {
    Finding::refusal("", message).about(settings)
}

fn warning(settings: &[&'static str], message: impl Into<String>) -> Finding {
    Finding::warning("", message).about(settings)
}

/// Refused, unless somebody says in `config.waive` that they know.
fn waivable(settings: &[&'static str], message: impl Into<String>) -> Finding {
    Finding { waivable: true, ..refusal(settings, message) }
}

fn only_in_production(config: &Config, mut finding: Finding) -> Finding {
    if config.environment == Environment::Development {
        finding.severity = Severity::Warning;
    }
    finding
}

fn loopback(config: &Config, _: &GivenNames) -> Vec<Finding> {
    if config.environment == Environment::Production {
        return Vec::new();
    }
    let outside = [("listen", Some(config.listen)), ("admin_listen", config.admin_listen)];
    outside
        .into_iter()
        .filter_map(|(name, address)| Some((name, address.filter(|it| !it.ip().is_loopback())?)))
        .map(|(name, address)| {
            let message = format!(
                "`{name}` is {address}, but development listens on this machine only: use 127.0.0.1, or set AUTHSHIELD_ENVIRONMENT=production"
            );
            refusal(&[name, "environment"], message)
        })
        .collect()
}

fn listeners(config: &Config, _: &GivenNames) -> Vec<Finding> {
    if config.admin_listen != Some(config.listen) || config.listen.port() == 0 {
        return Vec::new();
    }
    let message = "`admin_listen` and `listen` are the same address; give each its own";
    vec![refusal(&["admin_listen", "listen"], message)]
}

fn announcing(config: &Config, _: &GivenNames) -> Vec<Finding> {
    if config.proxy_protocol == ProxyProtocol::Off || !config.trusted_proxies.is_empty() {
        return Vec::new();
    }
    let message =
        "`proxy_protocol` is on, but nobody may use it: list the proxies in `trusted_proxies`";
    vec![refusal(&["proxy_protocol", "trusted_proxies"], message)]
}

fn proxies(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let everybody = config.trusted_proxies.iter().any(|network| network.prefix_len() == 0);
    if !everybody {
        return Vec::new();
    }
    let message = "`trusted_proxies` trusts every address, so anybody can claim to be anybody; list the proxies alone";
    vec![refusal(&["trusted_proxies"], message)]
}

fn limits(config: &Config, _: &GivenNames) -> Vec<Finding> {
    if config.rate_limit.enabled {
        return Vec::new();
    }
    let message = "`rate_limit.enabled` is false: passwords can be guessed without end";
    vec![only_in_production(config, refusal(&["rate_limit.enabled"], message))]
}

/// Returns a complaint unless the first is less than (or as long as) the second.
fn ordered(
    (short, short_for): (&'static str, Duration),
    (long, long_for): (&'static str, Duration),
    or_equal: bool,
) -> Option<Finding> {
    if short_for < long_for || (or_equal && short_for == long_for) {
        return None;
    }
    let words = |duration: Duration| duration.print().unwrap_or_default();
    let relation = if or_equal { "at most as long as" } else { "shorter than" };
    let message = format!(
        "`{short}` ({}) must be {relation} `{long}` ({})",
        words(short_for),
        words(long_for)
    );
    Some(refusal(&[short, long], message))
}

fn lifetimes(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let access = ("token.access_ttl", config.token.access_ttl);
    let refresh = ("refresh.ttl", config.refresh.ttl);
    let session = ("session.lifetime", config.session.lifetime);
    let idle = ("session.idle_timeout", config.session.idle_timeout);
    let leeway = ("refresh.retry_leeway", config.refresh.retry_leeway);
    [
        ordered(access, refresh, false),
        ordered(refresh, session, true),
        ordered(idle, session, true),
        ordered(access, idle, false),
        ordered(leeway, refresh, false),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn keys(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let ahead = ("token.key_publish_ahead", config.token.key_publish_ahead);
    let rotation = ("token.key_rotation", config.token.key_rotation);
    let access = ("token.access_ttl", config.token.access_ttl);
    [ordered(ahead, rotation, false), ordered(access, rotation, false)]
        .into_iter()
        .flatten()
        .collect()
}

fn recovery(config: &Config, _: &GivenNames) -> Vec<Finding> {
    if config.recovery.ttl <= Duration::from_hours(24) {
        return Vec::new();
    }
    let message = "`recovery.ttl` is more than a day: whoever reads an old mail gets the account";
    vec![warning(&["recovery.ttl"], message)]
}

/// Browsers make passkeys for the page's own domain and those above it (Web Authentication Level 3, 5.1.3), or
/// ask at the passkeys' domain whether the page may use them; so at least one page must be there.
fn passkey_domain(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let passkeys = &config.passkeys;
    let Some(domain) = &passkeys.rp_id else { return Vec::new() };
    let given = passkeys.origins.iter().filter_map(|origin| Url::parse(origin).ok());
    let is_under = |url: &Url| {
        let host = url.host_str().unwrap_or_default();
        host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    };
    if is_under(&config.public_url) || given.into_iter().any(|url| is_under(&url)) {
        return Vec::new();
    }
    let message = format!(
        "`passkeys.rp_id` is `{domain}`, and neither `public_url` nor any of `passkeys.origins` is under it: no browser would make a passkey"
    );
    vec![refusal(&["passkeys.rp_id"], message)]
}

/// Memory in KiB and passes that OWASP's Password Storage Cheat Sheet takes for equally good.
const OWASP: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

fn hash_cost(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let password = &config.password;
    let (memory, passes) = (password.hash_memory_kib, password.hash_iterations);
    let names =
        ["password.hash_memory_kib", "password.hash_iterations", "password.hash_parallelism"];
    if memory / 8 < password.hash_parallelism {
        let message =
            "`password.hash_memory_kib` must be at least 8 times `password.hash_parallelism`";
        return vec![refusal(&names, message)];
    }
    if OWASP.iter().any(|(least, turns)| memory >= *least && passes >= *turns) {
        return Vec::new();
    }
    let message = format!(
        "`password.hash_memory_kib` {memory} with `password.hash_iterations` {passes} is too cheap: at least 19456 with 2 (or 47104 with 1, 12288 with 3, 9216 with 4, 7168 with 5)"
    );
    vec![only_in_production(config, refusal(&names, message))]
}

/// A setting, whether it is set, what it needs, and whether that is.
type Need = (&'static str, bool, &'static str, bool);

/// Settings that are of no use without another.
fn needs(config: &Config) -> Vec<Need> {
    let smtp = &config.smtp;
    vec![
        ("smtp.username", smtp.username.is_some(), "smtp.password", smtp.password.is_some()),
        ("smtp.password", smtp.password.is_some(), "smtp.username", smtp.username.is_some()),
        ("smtp.username", smtp.username.is_some(), "smtp.host", smtp.host.is_some()),
        ("smtp.host", smtp.host.is_some(), "mail.from", config.mail.from.is_some()),
        (
            "smtp_fallback.username",
            config.smtp_fallback.username.is_some(),
            "smtp_fallback.password",
            config.smtp_fallback.password.is_some(),
        ),
        (
            "smtp_fallback.password",
            config.smtp_fallback.password.is_some(),
            "smtp_fallback.username",
            config.smtp_fallback.username.is_some(),
        ),
        (
            "smtp_fallback.username",
            config.smtp_fallback.username.is_some(),
            "smtp_fallback.host",
            config.smtp_fallback.host.is_some(),
        ),
        (
            "bounce.imap_host",
            config.bounce.imap_host.is_some(),
            "bounce.imap_username",
            config.bounce.imap_username.is_some(),
        ),
        (
            "bounce.imap_username",
            config.bounce.imap_username.is_some(),
            "bounce.imap_password",
            config.bounce.imap_password.is_some(),
        ),
        (
            "bounce.imap_host",
            config.bounce.imap_host.is_some(),
            "bounce.address",
            config.bounce.address.is_some(),
        ),
        (
            "bounce.webhook_secret",
            config.bounce.webhook_secret.is_some(),
            "bounce.address",
            config.bounce.address.is_some() || config.canary.is_on(),
        ),
        (
            "canary.addresses",
            config.canary.is_on(),
            "canary.mailboxes",
            config.canary.mailboxes.is_some() || config.bounce.webhook_secret.is_some(),
        ),
        ("canary.addresses", config.canary.is_on(), "smtp.host", config.sends_mail()),
        (
            "canary.mailboxes",
            config.canary.mailboxes.is_some(),
            "canary.addresses",
            config.canary.is_on(),
        ),
        (
            "tls.certificate_file",
            config.tls.certificate_file.is_some(),
            "tls.private_key_file",
            config.tls.private_key_file.is_some(),
        ),
        (
            "tls.private_key_file",
            config.tls.private_key_file.is_some(),
            "tls.certificate_file",
            config.tls.certificate_file.is_some(),
        ),
        (
            "master_key_previous",
            config.master_key_previous.is_some(),
            "master_key",
            config.master_key.is_some(),
        ),
    ]
}

/// The same, of who is given events.
fn export_needs(config: &Config) -> Vec<Need> {
    vec![
        (
            "export_webhook.url",
            config.export_webhook.url.is_some(),
            "export_webhook.secret",
            config.export_webhook.secret.is_some(),
        ),
        (
            "export_webhook.secret",
            config.export_webhook.secret.is_some(),
            "export_webhook.url",
            config.export_webhook.url.is_some(),
        ),
        (
            "export_webhook.secret_previous",
            config.export_webhook.secret_previous.is_some(),
            "export_webhook.secret",
            config.export_webhook.secret.is_some(),
        ),
        (
            "export_syslog.ca_file",
            config.export_syslog.ca_file.is_some(),
            "export_syslog.address",
            config.export_syslog.address.is_some(),
        ),
    ]
}

/// The same, of captchas of others.
fn captcha_needs(config: &Config) -> Vec<Need> {
    let captcha = &config.captcha;
    let others = captcha.provider != CaptchaProvider::Altcha;
    vec![
        ("captcha.provider", others, "captcha.site_key", captcha.site_key.is_some()),
        ("captcha.provider", others, "captcha.secret_key", captcha.secret_key.is_some()),
    ]
}

fn pairs(config: &Config, given: &GivenNames) -> Vec<Finding> {
    let smtp = &config.smtp;
    let mut findings: Vec<_> = needs(config)
        .into_iter()
        .chain(export_needs(config))
        .chain(federation::needs(config))
        .chain(captcha_needs(config))
        .filter(|(_, is_set, _, other_is_set)| *is_set && !other_is_set)
        .map(|(name, _, other, _)| {
            let env = setting(other).map(super::setting::Setting::env).unwrap_or_default();
            refusal(&[name, other], format!("`{name}` is set without `{other}`; set {env} too"))
        })
        .collect();
    findings.extend(providers(config));
    let (canaries, read) = (config.canary.addresses.len(), config.canary.read_at().len());
    if canaries > 0 && config.canary.mailboxes.is_some() && read != canaries {
        let message = format!(
            "`canary.mailboxes` names {read} for the {canaries} of `canary.addresses`: one for each, in the same order"
        );
        findings.push(refusal(&["canary.mailboxes", "canary.addresses"], message));
    }
    if given.contains("otel.sample_ratio") && config.otel.endpoint.is_none() {
        let message = "`otel.sample_ratio` does nothing without `otel.endpoint`";
        findings.push(warning(&["otel.sample_ratio", "otel.endpoint"], message));
    }
    if smtp.ca_file.is_some() && smtp.tls == SmtpTls::None {
        let message = "`smtp.ca_file` does nothing while `smtp.tls` is `none`";
        findings.push(refusal(&["smtp.ca_file", "smtp.tls"], message));
    }
    findings
}

/// What each provider needs.
fn provider_needs(config: &Config, provider: MailProvider) -> Vec<(&'static str, bool)> {
    match provider {
        MailProvider::Smtp => Vec::new(),
        MailProvider::Ses => vec![
            ("ses.region", config.ses.region.is_some()),
            ("ses.access_key_id", config.ses.access_key_id.is_some()),
            ("ses.secret_access_key", config.ses.secret_access_key.is_some()),
        ],
        MailProvider::Postmark => {
            vec![("postmark.server_token", config.postmark.server_token.is_some())]
        }
        MailProvider::Sendgrid => vec![("sendgrid.api_key", config.sendgrid.api_key.is_some())],
        MailProvider::Mailgun => vec![
            ("mailgun.api_key", config.mailgun.api_key.is_some()),
            ("mailgun.domain", config.mailgun.domain.is_some()),
        ],
        MailProvider::Resend => vec![("resend.api_key", config.resend.api_key.is_some())],
    }
}

/// Providers without what they need, and ways to fall back from nobody.
fn providers(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ways =
        [("mail.provider", Some(config.mail.provider)), ("mail.fallback", config.mail.fallback)];
    for (setting, provider) in ways {
        let Some(provider) = provider else { continue };
        for (needed, is_set) in provider_needs(config, provider) {
            if !is_set {
                let env =
                    super::setting(needed).map(super::setting::Setting::env).unwrap_or_default();
                let message =
                    format!("`{setting}` is {provider}, which needs `{needed}`; set {env}");
                findings.push(refusal(&[setting, needed], message));
            }
        }
        if provider != MailProvider::Smtp && config.mail.from.is_none() {
            let message = format!(
                "`{setting}` is {provider}, which needs `mail.from`; set AUTHSHIELD_MAIL_FROM"
            );
            findings.push(refusal(&[setting, "mail.from"], message));
        }
    }
    if config.mail.fallback == Some(config.mail.provider) {
        let message = "`mail.fallback` is the same as `mail.provider`; a second relay is `smtp_fallback.host`";
        findings.push(refusal(&["mail.fallback", "mail.provider"], message));
    } else if config.mail.fallback == Some(MailProvider::Smtp) && config.smtp.host.is_none() {
        let message = "`mail.fallback` is smtp, which needs `smtp.host`; set AUTHSHIELD_SMTP_HOST";
        findings.push(refusal(&["mail.fallback", "smtp.host"], message));
    }
    let second = config.smtp_fallback.host.is_some();
    if (config.mail.fallback.is_some() || second) && !config.sends_mail() {
        let message = "mail falls back from nobody: set `smtp.host` or `mail.provider`";
        findings.push(refusal(&["mail.fallback", "smtp_fallback.host", "smtp.host"], message));
    }
    findings
}

fn clear_text(config: &Config, given: &GivenNames) -> Vec<Finding> {
    let mut findings = relay_in_clear(config, given);
    let bounce = &config.bounce;
    let here = |host: &str| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    if bounce.imap_tls == ImapTls::None
        && bounce.imap_host.as_deref().is_some_and(|host| !here(host))
    {
        let message = "`bounce.imap_tls` is `none`, so the mailbox's password would travel in clear; use `implicit`";
        findings.push(only_in_production(config, waivable(&["bounce.imap_tls"], message)));
    }
    findings
}

fn relay_in_clear(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let second = &config.smtp_fallback;
    if second.tls == SmtpTls::None && second.password.is_some() {
        let message = "`smtp_fallback.tls` is `none`, so the relay's password would travel in clear; use `starttls` or `implicit`";
        let names = ["smtp_fallback.tls", "smtp_fallback.password"];
        return vec![only_in_production(config, waivable(&names, message))];
    }
    let smtp = &config.smtp;
    if smtp.tls != SmtpTls::None || smtp.host.is_none() {
        return Vec::new();
    }
    if smtp.username.is_some() || smtp.password.is_some() {
        let message = "`smtp.tls` is `none`, so the relay's password would travel in clear; use `starttls` or `implicit`";
        let names = ["smtp.tls", "smtp.username", "smtp.password"];
        return vec![only_in_production(config, waivable(&names, message))];
    }
    if config.environment == Environment::Production {
        let message = "`smtp.tls` is `none`: every mail, and the links in it, travels in clear";
        return vec![warning(&["smtp.tls"], message)];
    }
    Vec::new()
}

fn smtp_port(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let message = match (config.smtp.port, config.smtp.tls) {
        (465, SmtpTls::Starttls | SmtpTls::None) => {
            "`smtp.port` 465 speaks TLS from the first byte; set AUTHSHIELD_SMTP_TLS=implicit"
        }
        (587 | 25, SmtpTls::Implicit) => {
            "`smtp.tls` is `implicit`, which is spoken on port 465; set AUTHSHIELD_SMTP_PORT=465 or AUTHSHIELD_SMTP_TLS=starttls"
        }
        _ => return Vec::new(),
    };
    vec![waivable(&["smtp.port", "smtp.tls"], message)]
}

fn equal_secrets(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let secrets: [(&'static str, Option<&SecretString>); 11] = [
        ("bounce.webhook_secret", config.bounce.webhook_secret.as_ref()),
        ("bounce.imap_password", config.bounce.imap_password.as_ref()),
        ("captcha.secret_key", config.captcha.secret_key.as_ref()),
        ("export_webhook.secret", config.export_webhook.secret.as_ref()),
        ("export_webhook.secret_previous", config.export_webhook.secret_previous.as_ref()),
        ("master_key", config.master_key.as_ref()),
        ("master_key_previous", config.master_key_previous.as_ref()),
        ("operator_token", config.operator_token.as_ref()),
        ("smtp.password", config.smtp.password.as_ref()),
        ("postmark.webhook_secret", config.postmark.webhook_secret.as_ref()),
        ("mailgun.webhook_signing_key", config.mailgun.webhook_signing_key.as_ref()),
    ];
    let mut findings = Vec::new();
    for (at, (name, secret)) in secrets.iter().enumerate() {
        for (other, other_secret) in &secrets[at + 1..] {
            if let (Some(one), Some(two)) = (secret, other_secret)
                && one.expose_secret() == two.expose_secret()
            {
                let message = format!(
                    "`{name}` and `{other}` have the same value; each secret needs its own"
                );
                findings.push(refusal(&[name, other], message));
            }
        }
    }
    findings
}

fn leniency(config: &Config, _: &GivenNames) -> Vec<Finding> {
    if config.config.unknown == Unknown::Refuse {
        return Vec::new();
    }
    let message = "AUTHSHIELD_CONFIG_UNKNOWN is `warn`: a mistyped name is not read and does not stop the start; remove it after the rollback";
    vec![warning(&["config.unknown"], message)]
}

fn waivers(config: &Config, _: &GivenNames) -> Vec<Finding> {
    let is_known = |waiver: &str| {
        let Some((name, id)) = waiver.split_once(':') else { return false };
        let by_lint = lints::ALL.iter().any(|lint| lint.id == id && lint.waivable);
        setting(name).is_some() && (by_lint || ALL.iter().any(|rule| rule.id == id))
    };
    let all = config.config.waive.join(",");
    items(&all)
        .filter(|waiver| !is_known(waiver))
        .map(|waiver| {
            let message = format!(
                "`config.waive` holds `{waiver}`, which is no `setting:finding` that can be waived"
            );
            refusal(&["config.waive"], message)
        })
        .collect()
}
