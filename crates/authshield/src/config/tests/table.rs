//! The table of settings itself.

use std::collections::BTreeSet;

use super::*;

#[test]
fn nothing_set_is_a_configuration_for_development() {
    let config = development();
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.issuer(), "http://127.0.0.1:8080");
    assert_eq!(config.token.audience, "http://127.0.0.1:8080");
    assert!(config.docs.enabled);
    assert_eq!(
        config.mail.link_reset_password,
        "http://127.0.0.1:8080/reset-password?token={token}"
    );
    assert_eq!(
        secrecy::ExposeSecret::expose_secret(&config.database.url),
        "sqlite://./data/authshield.db"
    );
    assert_eq!(load(&Sources::new()).unwrap().warnings, []);
}

#[test]
fn every_setting_is_read_once_and_in_the_order_of_the_table() {
    let loaded = load(&Sources::new()).unwrap();
    let read: Vec<_> = loaded.effective.iter().map(|effective| effective.setting.name).collect();
    let declared: Vec<_> = settings().map(|setting| setting.name).collect();
    assert_eq!(read, declared);
}

#[test]
fn no_two_settings_share_a_name() {
    let mut seen = BTreeSet::new();
    for setting in settings() {
        for name in [Some(setting.env()), setting.file_env()].into_iter().flatten() {
            assert!(seen.insert(name.clone()), "{name} is declared twice");
        }
        assert!(
            setting.key().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{}",
            setting.name
        );
    }
}

#[test]
fn a_wrong_name_belongs_to_one_setting_and_is_no_real_name() {
    let real: BTreeSet<_> = settings().map(Setting::env).collect();
    let mut seen = BTreeSet::new();
    for setting in settings() {
        let wrong: BTreeSet<_> = setting.mistaken.iter().chain(setting.foreign).collect();
        for name in wrong {
            assert!(!real.contains(&var(name)), "{name} is a real name");
            assert!(seen.insert(name), "{name} means two settings");
        }
    }
}

#[test]
fn kubernetes_never_makes_a_name_that_is_declared() {
    for setting in settings() {
        let env = setting.env();
        assert!(!env.ends_with("_SERVICE_HOST") && !env.contains("_SERVICE_PORT"), "{env}");
        assert_ne!(env, var("PORT"));
    }
}

#[test]
fn every_setting_has_words_and_an_example() {
    for setting in settings() {
        assert!(setting.about().ends_with('.'), "{}", setting.name);
        assert!(!setting.example.is_empty(), "{}", setting.name);
    }
}

#[test]
fn every_example_can_be_used() {
    for setting in settings().filter(|setting| !setting.secret) {
        let text = format!("{} = {}", setting.name, literal_example(setting));
        let refused = refused(load_text(&text, []));
        // Alone, it may lack its other half or be for production; it must be readable.
        let alone = [
            "half-a-pair",
            "loopback-only",
            "missing",
            "nobody-announces",
            "passkey-domain",
            "port-and-tls",
        ];
        let wrong: Vec<_> = refused.into_iter().filter(|id| !alone.contains(id)).collect();
        assert!(wrong.is_empty(), "{text}: {wrong:?}");
    }
}

fn literal_example(setting: &Setting) -> String {
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    match setting.kind {
        Kind::Flag | Kind::Whole | Kind::Ratio => setting.example.to_owned(),
        Kind::List | Kind::Networks => {
            let items: Vec<_> = setting.example.split(',').map(quote).collect();
            format!("[{}]", items.join(", "))
        }
        _ => quote(setting.example),
    }
}

#[test]
fn a_configuration_shows_no_secret_when_debugged() {
    let pairs = [
        ("OPERATOR_TOKEN", "f00dfacef00dfaceaa55cc33b7"),
        ("SMTP_HOST", "smtp.acme.dev"),
        ("SMTP_USERNAME", "acme"),
        ("SMTP_PASSWORD", "relay-pass-4711"),
        ("MASTER_KEY", KEY),
        ("REDIS_URL", "redis://:kvpass99@cache.acme.dev:6379/0"),
        ("MAIL_FROM", "a@acme.dev"),
        ("DATABASE_URL", "postgres://a:dbpass77@db.acme.dev/a"),
    ];
    let loaded = load_env(&pairs).unwrap();
    let seen = format!("{loaded:?}{}{}", show(&loaded), show_json(&loaded));
    for secret in ["f00dface", "relay-pass-4711", KEY, "kvpass99", "dbpass77"] {
        assert!(!seen.contains(secret), "{secret} can be seen");
    }
}
