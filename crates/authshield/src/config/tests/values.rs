//! Values that parse and are wrong, and values that contradict each other.

use super::*;

#[test]
fn every_problem_is_reported_in_one_go() {
    let outcome = load_env(&[
        ("SMTP_USER", "acme"),
        ("SMTP_PORT", "70000"),
        ("TOKEN_ACCESS_TTL", "15"),
        ("LISTEN", "0.0.0.0:8080"),
        ("SESSION_LIFETIME", "1d"),
        ("OPERATOR_TOKEN", "changeme"),
    ]);
    let refused = outcome.unwrap_err();
    assert_eq!(Refused::EXIT_STATUS, 78);
    assert_eq!(
        refused.to_string(),
        [
            "the configuration has 7 problems:",
            &format!("{} is not a setting; did you mean AUTHSHIELD_SMTP_USERNAME?", var("SMTP_USER")),
            "AUTHSHIELD_OPERATOR_TOKEN still holds a placeholder; put the real value there [operator_token:placeholder]",
            "AUTHSHIELD_SMTP_PORT must be a whole number up to 65535, not `70000`",
            "AUTHSHIELD_TOKEN_ACCESS_TTL must be a duration; write `900s`, `15m`, `12h` or `7d`, not `15`",
            "`listen` is 0.0.0.0:8080, but development listens on this machine only: use 127.0.0.1, or set AUTHSHIELD_ENVIRONMENT=production",
            "`refresh.ttl` (7d) must be at most as long as `session.lifetime` (1d)",
            "`session.idle_timeout` (7d) must be at most as long as `session.lifetime` (1d)",
        ]
        .join("\n  - ")
    );
}

/// ASVS: V13.2.3
#[test]
fn what_a_shell_or_an_env_file_left_behind_is_caught() {
    for (value, id) in [
        ("\"smtp.acme.dev\"", "quotes"),
        ("'smtp.acme.dev'", "quotes"),
        (" smtp.acme.dev", "white-space"),
        ("smtp.acme.dev ", "white-space"),
        ("smtp.acme.dev\r", "control-character"),
        ("smtp.acme.dev\nx", "control-character"),
        ("smtp.acme.dev # the relay", "inline-comment"),
        ("${SMTP_HOST}", "unexpanded-variable"),
        ("", "empty"),
        ("your-smtp-host-here", "placeholder"),
        ("smtp.your-domain.dev", "placeholder"),
        ("<smtp host>", "placeholder"),
        ("CHANGE_ME", "placeholder"),
        ("replace-with-host", "placeholder"),
        ("xxx", "placeholder"),
        ("TODO", "placeholder"),
        ("smtp.acme.dev:587", "host-only"),
        ("smtp://smtp.acme.dev", "host-only"),
        ("me@smtp.acme.dev", "host-only"),
    ] {
        let outcome = load_env(&[("SMTP_HOST", value), ("MAIL_FROM", "a@acme.dev")]);
        assert_eq!(refused(outcome), [id], "{value:?}");
    }
    for value in ["smtp.acme.dev", "smtp.yourshop.dev", "10.1.2.3", "2001:db8::25", "relay"] {
        let outcome = load_env(&[("SMTP_HOST", value), ("MAIL_FROM", "Acme <a@acme.dev>")]);
        assert_eq!(found(outcome), [""; 0], "{value:?}");
    }
}

#[test]
fn a_message_never_repeats_a_secret() {
    let secret = "hush-hush-4711";
    let outcome = load_env(&[
        ("MASTER_KEY", secret),
        ("MASTER_KEY_PREVIOUS", "hush-hush-4711 "),
        ("OPERATOR_TOKEN", "\"hush-hush-4711\""),
        ("DATABASE_URL", "mysql://a:hush-hush-4711@db/a"),
        ("REDIS_URL", "hush-hush-4711"),
    ]);
    let refused = outcome.unwrap_err();
    assert_eq!(refused.refusals.len(), 5);
    assert!(!format!("{refused} {refused:?}").contains(secret));
}

/// ASVS: V13.2.3
#[test]
fn a_master_key_is_32_random_bytes() {
    assert_eq!(refused(load_env(&[("MASTER_KEY", KEY)])), [""; 0]);
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for wrong in
        [zeros, "c2hvcnQ=", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "!"]
    {
        assert_eq!(refused(load_env(&[("MASTER_KEY", wrong)])), ["master-key"], "{wrong}");
    }
}

#[test]
fn two_secrets_are_two() {
    let pairs = [("MASTER_KEY", KEY), ("MASTER_KEY_PREVIOUS", KEY), ("OPERATOR_TOKEN", KEY)];
    assert_eq!(refused(load_env(&pairs)), ["equal-secrets"; 3]);
}

#[test]
fn a_value_that_cannot_be_read_does_not_raise_complaints_about_its_stand_in() {
    // Its default, a week, would be longer than the session.
    let pairs =
        [("REFRESH_TTL", "soon"), ("SESSION_LIFETIME", "1d"), ("SESSION_IDLE_TIMEOUT", "1d")];
    assert_eq!(refused(load_env(&pairs)), ["type"]);
    assert_eq!(refused(load_env(&[("ENVIRONMENT", "prod"), ("LISTEN", "0.0.0.0:1")])), ["type"]);
}

#[test]
fn lifetimes_are_in_order() {
    for (pairs, count) in [
        (&[("TOKEN_ACCESS_TTL", "1h"), ("REFRESH_TTL", "1h")][..], 1),
        (&[("REFRESH_TTL", "31d")], 1),
        (&[("REFRESH_TTL", "30d")], 0),
        (&[("SESSION_IDLE_TIMEOUT", "5m")], 1),
        (&[("SESSION_IDLE_TIMEOUT", "31d")], 1),
        (&[("REFRESH_RETRY_LEEWAY", "0s")], 0),
    ] {
        assert_eq!(refused(load_env(pairs)), vec!["token-order"; count], "{pairs:?}");
    }
    assert_eq!(refused(load_env(&[("TOKEN_KEY_PUBLISH_AHEAD", "90d")])), ["key-order"]);
    assert_eq!(found(load_env(&[("RECOVERY_TTL", "2d")])), ["long-recovery"]);
}

#[test]
fn passkeys_are_for_a_domain_that_has_a_page() {
    for (domain, origins, expected) in [
        ("auth.example.org", "", &[][..]),
        ("example.org", "", &[]),
        ("example.com", "https://app.example.com", &[]),
        ("example.com", "https://app.badexample.com", &["passkey-domain"]),
        ("xample.org", "", &["passkey-domain"]),
        ("org.example", "", &["passkey-domain"]),
        ("app.auth.example.org", "", &["passkey-domain"]),
    ] {
        let pairs = [
            ("PUBLIC_URL", "https://auth.example.org"),
            ("PASSKEYS_RP_ID", domain),
            ("PASSKEYS_ORIGINS", origins),
        ];
        assert_eq!(refused(load_env(&pairs)), expected, "{domain} {origins}");
    }
}

#[test]
fn bounds_are_kept() {
    for (name, value) in [
        ("TOKEN_ACCESS_TTL", "0s"),
        ("TOKEN_ACCESS_TTL", "2d"),
        ("REFRESH_RETRY_LEEWAY", "2m"),
        ("PASSWORD_MIN_LENGTH", "7"),
        ("PASSWORD_MIN_STRENGTH", "5"),
        ("SMTP_PORT", "0"),
        ("DATABASE_CONNECTIONS", "0"),
    ] {
        assert_eq!(refused(load_env(&[(name, value)])), ["bounds"], "{name}={value}");
    }
    let said = complaints(load_env(&[("TOKEN_ACCESS_TTL", "2d")]));
    assert_eq!(said, ["AUTHSHIELD_TOKEN_ACCESS_TTL must be from 10s to 1d, not 2d"]);
}

#[test]
fn settings_that_need_each_other_come_together() {
    let relay = [("SMTP_HOST", "smtp.acme.dev"), ("MAIL_FROM", "a@acme.dev")];
    for pairs in [
        &[("SMTP_USERNAME", "acme"), relay[0], relay[1]][..],
        &[("SMTP_PASSWORD", "relay-pass-4711"), relay[0], relay[1]],
        &[("SMTP_USERNAME", "acme"), ("SMTP_PASSWORD", "relay-pass-4711")],
        &[relay[0]],
        &[("TLS_CERTIFICATE_FILE", "/c.pem")],
        &[("TLS_PRIVATE_KEY_FILE", "/k.pem")],
        &[("MASTER_KEY_PREVIOUS", KEY)],
        &[("SMTP_CA_FILE", "/ca.pem"), ("SMTP_TLS", "none")],
    ] {
        assert_eq!(refused(load_env(pairs)), ["half-a-pair"], "{pairs:?}");
    }
    let clear = [
        relay[0],
        relay[1],
        ("SMTP_TLS", "none"),
        ("SMTP_USERNAME", "a"),
        ("SMTP_PASSWORD", "relay-pass-4711"),
    ];
    assert_eq!(found(load_env(&clear)), ["clear-text-login"]);
    assert_eq!(refused(load_env(&[("SMTP_PORT", "465")])), ["port-and-tls"]);
    assert_eq!(refused(load_env(&[("SMTP_TLS", "implicit")])), ["port-and-tls"]);
    assert_eq!(refused(load_env(&[("ADMIN_LISTEN", "127.0.0.1:8080")])), ["same-address"]);
    assert_eq!(refused(load_env(&[("TRUSTED_PROXIES", "0.0.0.0/0")])), ["trust-everybody"]);
}

#[test]
fn an_origin_is_exact() {
    for wrong in [
        "*",
        "https://*.acme.dev",
        "https://app.acme.dev/",
        "https://app.acme.dev/x",
        "app.acme.dev",
        "https://App.acme.dev",
        "https://app.acme.dev:443",
    ] {
        assert_eq!(refused(load_env(&[("CORS_ORIGINS", wrong)])), ["origins"], "{wrong}");
    }
    let config =
        load_env(&[("CORS_ORIGINS", "https://app.acme.dev,http://localhost:3000")]).unwrap().config;
    assert_eq!(config.cors.origins.len(), 2);
}

#[test]
fn a_link_has_a_place_for_its_token() {
    let config = load_env(&[
        ("PUBLIC_URL", "http://127.0.0.1:9000/auth/"),
        ("MAIL_LINK_VERIFY_EMAIL", "{public_url}/v#{token}"),
    ]);
    assert_eq!(
        config.unwrap().config.mail.link_verify_email,
        "http://127.0.0.1:9000/auth/v#{token}"
    );
    for wrong in [
        "https://app.acme.dev/v",
        "/v?t={token}",
        "https://a.dev/{user}/{token}",
        "javascript:{token}",
    ] {
        assert_eq!(refused(load_env(&[("MAIL_LINK_VERIFY_EMAIL", wrong)])), ["link"], "{wrong}");
    }
}

#[test]
fn texts_with_a_grammar_are_held_to_it() {
    for (name, wrong, id) in [
        ("MAIL_FROM", "Acme", "sender"),
        ("MAIL_FROM", "Acme <acme>", "sender"),
        ("MAIL_DEFAULT_LOCALE", "xx", "locale"),
        ("LOG", "inof", "log-filter"),
        ("LOG", "authshield=loud", "log-filter"),
        ("PUBLIC_URL", "http://a:b@127.0.0.1", "public-url"),
        ("PUBLIC_URL", "http://127.0.0.1/?x", "public-url"),
        ("PUBLIC_URL", "ftp://127.0.0.1", "public-url"),
        ("PUBLIC_URL", "127.0.0.1:8080", "type"),
        ("DATABASE_URL", "mysql://db/a", "database-url"),
        ("DATABASE_URL", "sqlite://", "database-url"),
        ("REDIS_URL", "cache:6379", "redis-url"),
        ("OTEL_ENDPOINT", "grpc://collector:4317", "collector"),
    ] {
        assert_eq!(refused(load_env(&[(name, wrong)])), [id], "{name}={wrong}");
    }
}

#[test]
fn a_finding_can_be_waived_by_name_and_is_still_told() {
    let waive = ("CONFIG_WAIVE", "operator_token:placeholder,operator_token:weak-secret");
    let loaded = load_env(&[("OPERATOR_TOKEN", "changeme-but-really"), waive]).unwrap();
    assert!(loaded.config.operator_token.is_some());
    assert!(loaded.warnings.iter().any(|it| it.message.ends_with("(waived)")));
    assert_eq!(refused(load_env(&[("CONFIG_WAIVE", "operator_token:nothing")])), ["waiver"]);
    assert_eq!(refused(load_env(&[("CONFIG_WAIVE", "master_key:master-key")])), ["waiver"]);
}
