//! What production demands, and what development may not do.

use super::*;

/// ASVS: V13.4.5
#[test]
fn production_starts_with_what_it_needs() {
    let loaded = load_production(&[]).unwrap();
    assert!(loaded.config.is_production());
    assert!(!loaded.config.docs.enabled);
    assert_eq!(loaded.config.token.audience, "https://id.acme.dev");
    // The master key stands in the environment, where others can see it; that is all.
    let ids: Vec<_> = loaded.warnings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["exposed-secret"]);
}

#[test]
fn production_names_all_that_it_lacks_at_once() {
    let said = complaints(load_env(&[("ENVIRONMENT", "production")]));
    assert_eq!(
        said,
        [
            "production needs `public_url`: set AUTHSHIELD_PUBLIC_URL, such as https://id.example.org",
            "production needs `master_key`: set AUTHSHIELD_MASTER_KEY (or AUTHSHIELD_MASTER_KEY_FILE), such as <output of: openssl rand -base64 32>",
            "production needs `database.url`: set AUTHSHIELD_DATABASE_URL (or AUTHSHIELD_DATABASE_URL_FILE), such as postgres://authshield@db.internal/authshield?sslmode=verify-full",
            "production needs `smtp.host`: set AUTHSHIELD_SMTP_HOST, such as smtp.example.org",
            "production needs `mail.from`: set AUTHSHIELD_MAIL_FROM, such as Example <no-reply@example.org>",
        ]
    );
}

/// Who gives mail to a provider needs no relay, and all that the provider needs.
#[test]
fn a_provider_of_mail_takes_the_place_of_the_relay() {
    let without_relay = |pairs: &[(&str, &str)]| {
        let sound = PRODUCTION.into_iter().filter(|(name, _)| !name.contains("SMTP"));
        let sound = sound.map(|(name, value)| (name.to_owned(), value));
        let pairs = pairs.iter().map(|(tail, value)| (var(tail), *value));
        load(&Sources::new().env(sound).env(pairs))
    };
    assert_eq!(refused(without_relay(&[])), ["missing"]);
    let postmark = [("MAIL_PROVIDER", "postmark"), ("POSTMARK_SERVER_TOKEN", "3f0c9a7e-5d21")];
    assert!(without_relay(&postmark).unwrap().config.sends_mail());
    for (provider, needs) in [
        ("ses", "ses.region"),
        ("postmark", "postmark.server_token"),
        ("sendgrid", "sendgrid.api_key"),
        ("mailgun", "mailgun.domain"),
        ("resend", "resend.api_key"),
    ] {
        for setting in ["MAIL_PROVIDER", "MAIL_FALLBACK"] {
            let pairs: Vec<_> = if setting == "MAIL_FALLBACK" && provider != "postmark" {
                postmark.into_iter().chain([(setting, provider)]).collect()
            } else {
                vec![("MAIL_PROVIDER", provider)]
            };
            let said = complaints(without_relay(&pairs)).join("\n");
            assert!(said.contains(needs), "{setting} {provider}: {said}");
        }
    }
    for (name, value, words) in [
        ("MAIL_FALLBACK", "postmark", "the same as"),
        ("MAIL_FALLBACK", "smtp", "smtp.host"),
        ("MAIL_PROVIDER", "sparkpost", "must be"),
        ("POSTMARK_URL", "http://api.postmarkapp.com", "https"),
    ] {
        let said =
            complaints(without_relay(&[&postmark[..], &[(name, value)]].concat())).join("\n");
        assert!(said.contains(words), "{name} {value}: {said}");
    }
}

/// ASVS: V12.2.1
#[test]
fn production_has_an_address_that_the_world_can_reach() {
    for (url, id) in [
        ("http://id.acme.dev", "https"),
        ("https://localhost", "private-address"),
        ("https://127.0.0.1", "private-address"),
        ("https://10.0.0.7", "private-address"),
        ("https://[fd00::7]", "private-address"),
        ("https://id.local", "private-address"),
        ("https://id.example.org", "example-domain"),
    ] {
        assert_eq!(refused(load_production(&[("PUBLIC_URL", url)])), [id], "{url}");
    }
    let known =
        [("PUBLIC_URL", "https://10.0.0.7"), ("CONFIG_WAIVE", "public_url:private-address")];
    assert!(load_production(&known).is_ok());
}

#[test]
fn production_sends_mail_that_arrives() {
    for (name, value, id) in [
        ("SMTP_HOST", "sandbox.smtp.mailtrap.io", "sandbox-relay"),
        ("SMTP_HOST", "smtp.ethereal.email", "sandbox-relay"),
        ("SMTP_HOST", "mailpit", "sandbox-relay"),
        ("SMTP_HOST", "smtp.example.com", "example-domain"),
        ("MAIL_FROM", "Acme <no-reply@example.com>", "example-domain"),
        ("MAIL_LINK_RESET_PASSWORD", "http://app.acme.dev/r?t={token}", "https"),
        ("MAIL_LINK_RESET_PASSWORD", "https://localhost/r?t={token}", "private-address"),
    ] {
        assert_eq!(refused(load_production(&[(name, value)])), [id], "{value}");
    }
    assert!(load_production(&[("SMTP_HOST", "live.smtp.mailtrap.io")]).is_ok());
}

/// ASVS: V13.2.3
#[test]
fn production_is_not_weakened() {
    for (pairs, id) in [
        (&[("RATE_LIMIT_ENABLED", "false")][..], "rate-limit-off"),
        (&[("PASSWORD_HASH_MEMORY_KIB", "19455")], "hash-cost"),
        (&[("PASSWORD_HASH_ITERATIONS", "1")], "hash-cost"),
        (&[("PASSWORD_HASH_MEMORY_KIB", "7168"), ("PASSWORD_HASH_ITERATIONS", "4")], "hash-cost"),
        (&[("OPERATOR_TOKEN", "letmein")], "weak-secret"),
        (
            &[("SMTP_TLS", "none"), ("SMTP_USERNAME", "a"), ("SMTP_PASSWORD", "relay-pass-4711")],
            "clear-text-login",
        ),
    ] {
        assert_eq!(refused(load_production(pairs)), [id], "{pairs:?}");
        assert_eq!(refused(load_env(pairs)).iter().filter(|it| **it == id).count(), 0, "{pairs:?}");
    }
    for (memory, passes) in [("47104", "1"), ("12288", "3"), ("9216", "4"), ("7168", "5")] {
        let pair = [("PASSWORD_HASH_MEMORY_KIB", memory), ("PASSWORD_HASH_ITERATIONS", passes)];
        assert!(load_production(&pair).is_ok(), "{memory} KiB, {passes} passes");
    }
}

#[test]
fn development_listens_on_this_machine_only() {
    for (name, address) in [
        ("LISTEN", "0.0.0.0:8080"),
        ("LISTEN", "[::]:8080"),
        ("LISTEN", "192.0.2.1:8080"),
        ("ADMIN_LISTEN", "0.0.0.0:9090"),
    ] {
        assert_eq!(refused(load_env(&[(name, address)])), ["loopback-only"], "{name}={address}");
        assert!(load_production(&[(name, address)]).is_ok(), "{name}={address}");
    }
    for address in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:8080"] {
        assert!(load_env(&[("LISTEN", address)]).is_ok(), "{address}");
    }
    // An address that cannot stand in a URL has no default public URL.
    assert_eq!(refused(load_env(&[("LISTEN", "[fe80::1%3]:80")])), ["missing", "loopback-only"]);
}

#[test]
fn a_secret_that_others_can_see_is_named() {
    let sources = Sources::new().set([format!("master_key={KEY}")]);
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.warnings[0].id, "exposed-secret");
    let url = ("DATABASE_URL", "postgres://a:dbpass77@db.acme.dev/a");
    let exposed = found(load_production(&[url]));
    assert_eq!(exposed, ["exposed-secret", "exposed-secret"]);
}
