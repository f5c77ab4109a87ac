//! Names that nobody declared.

use super::*;

#[test]
fn a_known_wrong_name_is_answered_with_the_right_one() {
    let name = var("SMTP_USER");
    assert_eq!(
        complaints(load_env(&[("SMTP_USER", "acme")])),
        [format!("{name} is not a setting; did you mean AUTHSHIELD_SMTP_USERNAME?")]
    );
    for (tail, right) in [
        ("SMTP_PASS", "AUTHSHIELD_SMTP_PASSWORD"),
        ("SMTP_PASS_FILE", "AUTHSHIELD_SMTP_PASSWORD_FILE"),
        ("PORT", "AUTHSHIELD_LISTEN"),
        ("BASE_URL", "AUTHSHIELD_PUBLIC_URL"),
        ("LOG_LEVEL", "AUTHSHIELD_LOG"),
        ("SMTP__HOST", "AUTHSHIELD_SMTP_HOST"),
        ("EMAIL_FROM", "AUTHSHIELD_MAIL_FROM"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "AUTHSHIELD_TOKEN_ACCESS_TTL"),
    ] {
        let said = complaints(load_env(&[(tail, "x1")]));
        assert_eq!(said, [format!("{} is not a setting; did you mean {right}?", var(tail))]);
    }
}

#[test]
fn a_mistyped_name_is_answered_with_its_neighbours() {
    for (tail, right) in [
        ("SMPT_HOST", "AUTHSHIELD_SMTP_HOST"),
        ("DATABASE_UR", "AUTHSHIELD_DATABASE_URL"),
        ("MASTERKEY", "AUTHSHIELD_MASTER_KEY"),
        ("CORS_ORGINS", "AUTHSHIELD_CORS_ORIGINS"),
        ("HASH_MEMORY_KIB", "AUTHSHIELD_PASSWORD_HASH_MEMORY_KIB"),
        ("TRUSTED_PROXYS", "AUTHSHIELD_TRUSTED_PROXIES"),
        ("REGISTRATION_ENABLE", "AUTHSHIELD_REGISTRATION_ENABLED"),
    ] {
        let said = complaints(load_env(&[(tail, "x1")]));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(&format!("did you mean {right}")), "{said:?}");
    }
    let said = complaints(load_env(&[("QWERTZ_ZUIOP", "x1")]));
    assert_eq!(said, [format!("{} is not a setting", var("QWERTZ_ZUIOP"))]);
}

#[test]
fn a_name_in_small_letters_is_answered_with_the_one_in_capitals() {
    let loaded = load(&Sources::new().env([("authshield_log", "debug")]));
    assert_eq!(
        complaints(loaded),
        ["authshield_log is not a setting; did you mean AUTHSHIELD_LOG?"]
    );
}

#[test]
fn only_secrets_are_read_from_files() {
    let name = var("SMTP_HOST_FILE");
    assert_eq!(
        complaints(load_env(&[("SMTP_HOST_FILE", "/run/host")])),
        [format!(
            "{name} is not a setting: only secrets have a _FILE form; set AUTHSHIELD_SMTP_HOST"
        )]
    );
}

#[test]
fn the_file_is_not_named_by_a_variable() {
    let said = complaints(load_env(&[("CONFIG", "/etc/authshield.toml")]));
    assert_eq!(said, [format!("{} is not a setting; name the file with --config", var("CONFIG"))]);
}

#[test]
fn every_unknown_key_is_named() {
    let text = "colour = 1\n[smtp]\nuser = \"a\"\n[sesion]\nlifetime = \"1d\"\n[mial]\nqqq = 1";
    assert_eq!(
        complaints(load_text(text, [])),
        [
            "unknown key `colour`",
            "unknown key `mial.qqq`",
            "unknown key `sesion.lifetime`; did you mean `session.lifetime`?",
            "unknown key `smtp.user`; did you mean `smtp.username`?",
        ]
    );
    let said = complaints(load(&Sources::new().set(["smtp.user=a"])));
    assert_eq!(said, ["unknown key `smtp.user` in `--set`; did you mean `smtp.username`?"]);
}

#[test]
fn unknown_names_can_be_let_through_for_a_rollback_and_are_still_named() {
    let loaded = load_env(&[("CONFIG_UNKNOWN", "warn"), ("FROM_THE_FUTURE", "1")]).unwrap();
    let ids: Vec<_> = loaded.warnings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["unknown-name", "unknown-names-allowed"]);
    let text = "[config]\nunknown = \"warn\"\n[smtp]\nuser = \"a\"";
    assert_eq!(found(load_text(text, [])), ["unknown-name", "unknown-names-allowed"]);
}

#[test]
fn what_kubernetes_sets_for_a_service_of_our_name_is_ignored_with_one_notice() {
    let links = [
        ("SERVICE_HOST", "10.0.171.239"),
        ("SERVICE_PORT", "80"),
        ("SERVICE_PORT_HTTP", "80"),
        ("PORT", "tcp://10.0.171.239:80"),
        ("PORT_80_TCP", "tcp://10.0.171.239:80"),
        ("PORT_80_TCP_PROTO", "tcp"),
        ("PORT_80_TCP_PORT", "80"),
        ("PORT_80_TCP_ADDR", "10.0.171.239"),
        ("ADMIN_SERVICE_HOST", "10.0.171.240"),
        // Of a Service called `authshield-smtp`: a real name, but not our value.
        ("SMTP_PORT", "tcp://10.0.171.241:25"),
    ];
    let loaded = load_env(&links).unwrap();
    assert_eq!(loaded.config.smtp.port, 587);
    let [notice] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert_eq!((notice.id, notice.severity), ("service-links", Severity::Notice));
    assert!(notice.message.contains("enableServiceLinks"));
    // The same shapes with other values are mistakes of people.
    assert_eq!(refused(load_env(&[("SERVICE_HOST", "id.acme.dev")])), ["unknown-name"]);
    assert_eq!(refused(load_env(&[("PORT", "8080")])), ["unknown-name"]);
}

#[test]
fn variables_of_other_programs_that_were_meant_for_us_are_named() {
    let loaded = load(&Sources::new().env([
        ("SMTP_USER", "acme"),
        ("DATABASE_URL", "postgres://db/acme"),
        ("PATH", "/bin"),
        ("HOME", "/root"),
        ("SMTP_PASSWORD_FILE", "/run/secrets/smtp"),
        ("AUTH_SHIELD_LOG", "debug"),
    ]))
    .unwrap();
    let said: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "SMTP_USER is set but not read; AuthShield reads AUTHSHIELD_SMTP_USERNAME",
            "DATABASE_URL is set but not read; AuthShield reads AUTHSHIELD_DATABASE_URL",
            "SMTP_PASSWORD_FILE is set but not read; AuthShield reads AUTHSHIELD_SMTP_PASSWORD_FILE",
            "AUTH_SHIELD_LOG is set but not read; AuthShield reads AUTHSHIELD_LOG",
        ]
    );
}

#[test]
fn every_name_of_the_python_service_is_known() {
    let theirs = "APP_NAME APP_VERSION APP_ENV DEBUG HOST PORT DATABASE_URL REDIS_URL JWT_SECRET_KEY \
        JWT_ALGORITHM ACCESS_TOKEN_EXPIRE_MINUTES REFRESH_TOKEN_EXPIRE_DAYS CORS_ORIGINS \
        EMAIL_PROVIDER SMTP_HOST SMTP_PORT SMTP_USERNAME SMTP_PASSWORD SMTP_USE_TLS EMAIL_FROM \
        EMAIL_FROM_NAME SENDGRID_API_KEY FRONTEND_URL VERIFY_EMAIL_PATH RESET_PASSWORD_PATH \
        GOOGLE_CLIENT_ID GOOGLE_CLIENT_SECRET GOOGLE_REDIRECT_URI GITHUB_CLIENT_ID \
        GITHUB_CLIENT_SECRET GITHUB_REDIRECT_URI RATE_LIMIT_LOGIN_PER_MINUTE \
        RATE_LIMIT_REGISTER_PER_MINUTE RATE_LIMIT_PASSWORD_RESET_PER_HOUR BCRYPT_ROUNDS \
        PASSWORD_MIN_LENGTH PASSWORD_MAX_LENGTH TOTP_ISSUER_NAME SMTP_USER SMTP_FROM_EMAIL \
        SMTP_FROM_NAME SECRET_KEY";
    let names: Vec<_> = theirs.split_whitespace().collect();
    let loaded = load(&Sources::new().env(names.iter().map(|name| (*name, "1")))).unwrap();
    for name in &names {
        let starts = format!("{name} is set but not read");
        assert!(loaded.warnings.iter().any(|it| it.message.starts_with(&starts)), "{name}");
    }
    assert_eq!(loaded.warnings.len(), names.len());
}

#[test]
fn a_common_word_alone_is_nobodys_mistake() {
    let env =
        [("HOST", "box"), ("PORT", "3000"), ("DEBUG", "*"), ("ENVIRONMENT", "x"), ("LOG", "1")];
    assert_eq!(load(&Sources::new().env(env)).unwrap().warnings, []);
}

#[test]
fn explaining_a_wrong_name_leads_to_the_right_one() {
    for name in ["smtp.password", "AUTHSHIELD_SMTP_PASSWORD", "AUTHSHIELD_SMTP_PASSWORD_FILE"] {
        let text = explain(name).unwrap();
        assert!(text.starts_with("smtp.password\n\nHow we prove it."), "{text}");
    }
    assert_eq!(
        explain("smtp.user").unwrap_err(),
        "`smtp.user` is not a setting; did you mean `smtp.username`?"
    );
    assert_eq!(explain("qwertz").unwrap_err(), "`qwertz` is not a setting");
}
