//! Where values come from.

use std::io;

use secrecy::ExposeSecret;

use super::*;

fn source(loaded: &Loaded, name: &str) -> String {
    loaded.effective.iter().find(|it| it.setting.name == name).unwrap().source.to_string()
}

#[test]
fn the_later_source_wins() {
    let file = "log = \"warn\"\nlog_format = \"json\"\n[password]\nmin_length = 10";
    let all = Sources::new()
        .file("authshield.toml", file)
        .env([("AUTHSHIELD_LOG", "debug"), ("AUTHSHIELD_PASSWORD_MIN_LENGTH", "12")])
        .set(["log=trace"]);
    let loaded = load(&all).unwrap();
    assert_eq!(loaded.config.log, "trace");
    assert_eq!(loaded.config.password.min_length, 12);
    assert_eq!(loaded.config.log_format, LogFormat::Json);
    assert_eq!(source(&loaded, "log"), "from the command line");
    assert_eq!(source(&loaded, "password.min_length"), "from env");
    assert_eq!(source(&loaded, "log_format"), "from authshield.toml");
    assert_eq!(source(&loaded, "listen"), "default");
}

#[test]
fn a_secret_is_read_from_the_file_that_is_named() {
    let sources = |text: &'static str| {
        Sources::new().env([("AUTHSHIELD_MASTER_KEY_FILE", "/run/secrets/key")]).read_file(
            move |path| {
                assert_eq!(path.to_str(), Some("/run/secrets/key"));
                Ok(text.to_owned())
            },
        )
    };
    for text in [
        "mJ8xq0Yv3cF1b7kT5nR2sW9zA4dH6gL0pE8uI1oQyXs=",
        "mJ8xq0Yv3cF1b7kT5nR2sW9zA4dH6gL0pE8uI1oQyXs=\n",
        "mJ8xq0Yv3cF1b7kT5nR2sW9zA4dH6gL0pE8uI1oQyXs=\r\n",
    ] {
        let loaded = load(&sources(text)).unwrap();
        assert_eq!(loaded.config.master_key.as_ref().unwrap().expose_secret(), KEY);
        assert_eq!(source(&loaded, "master_key"), "from /run/secrets/key");
    }
    for text in ["", "\n", "  \n"] {
        assert_eq!(
            complaints(load(&sources(text))),
            ["the file /run/secrets/key that AUTHSHIELD_MASTER_KEY_FILE names is empty"]
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_setting() {
    for (kind, why) in [
        (io::ErrorKind::NotFound, "does not exist"),
        (io::ErrorKind::PermissionDenied, "may not be read by this user"),
        (io::ErrorKind::IsADirectory, "is a directory"),
        (io::ErrorKind::InvalidData, "is not text in UTF-8"),
    ] {
        let sources = Sources::new()
            .env([("AUTHSHIELD_OPERATOR_TOKEN_FILE", "/x")])
            .read_file(move |_| Err(kind.into()));
        assert_eq!(
            complaints(load(&sources)),
            [format!("the file /x that AUTHSHIELD_OPERATOR_TOKEN_FILE names {why}")]
        );
    }
}

#[test]
fn a_value_and_its_file_together_are_an_error() {
    let sources = Sources::new()
        .env([("AUTHSHIELD_MASTER_KEY_FILE", "/key"), ("AUTHSHIELD_MASTER_KEY", KEY)])
        .read_file(|_| Ok(KEY.to_owned()));
    assert_eq!(
        complaints(load(&sources)),
        ["AUTHSHIELD_MASTER_KEY and AUTHSHIELD_MASTER_KEY_FILE are both given; keep one"]
    );
}

#[test]
fn a_later_source_overrides_a_secrets_file() {
    let sources = Sources::new()
        .file("authshield.toml", "master_key_file = \"/old\"\noperator_token_file = \"/t\"")
        .env([("AUTHSHIELD_MASTER_KEY", KEY)])
        .read_file(|_| Ok("a8b7c6d5e4f3a2b1c0d9e8f7".to_owned()));
    let loaded = load(&sources).unwrap();
    assert_eq!(source(&loaded, "master_key"), "from env");
    assert_eq!(source(&loaded, "operator_token"), "from /t");
}

#[test]
fn a_file_that_is_not_toml_is_refused_by_line_without_quoting_it() {
    let text = "log = \"info\"\nmaster_key = s3cr3t-without-quotes\n";
    let said = complaints(load_text(text, [("AUTHSHIELD_ENVIRONMENT", "production")]));
    assert_eq!(said.len(), 1, "what is missing may be in the file: {said:?}");
    assert!(said[0].starts_with("authshield.toml is not TOML: line 2: "), "{said:?}");
    assert!(!said[0].contains("s3cr3t"), "{said:?}");
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_the_right_way_to_write_it() {
    let text = "listen = 8080\n[smtp]\nport = \"587\"\n[token]\naccess_ttl = 900\n\
                [cors]\norigins = \"https://a.dev\"\n[rate_limit]\nenabled = \"true\"\n";
    assert_eq!(
        complaints(load_text(text, [])),
        [
            "`cors.origins` in authshield.toml must be a list of texts, such as `[\"a\", \"b\"]`",
            "`listen` in authshield.toml must be a text in quotes",
            "`rate_limit.enabled` in authshield.toml must be `true` or `false`, without quotes",
            "`smtp.port` in authshield.toml must be a whole number, without quotes",
            "`token.access_ttl` in authshield.toml must be a duration in quotes, such as `\"15m\"`",
        ]
    );
}

#[test]
fn every_type_can_be_read_from_the_file() {
    let text = "trusted_proxies = [\"10.0.0.0/8\"]\nmax_connections = 7\n\
                [cors]\norigins = [\"https://a.dev\", \"https://b.dev:8443\"]\n\
                [otel]\nsample_ratio = 0.5\nendpoint = \"http://127.0.0.1:4318\"\n[registration]\nenabled = false\n\
                [token]\nalgorithm = \"EdDSA\"\n[refresh]\nretry_leeway = \"0s\"";
    let config = load_text(text, []).unwrap().config;
    assert_eq!(config.trusted_proxies.len(), 1);
    assert_eq!(config.max_connections, 7);
    assert_eq!(config.cors.origins, ["https://a.dev", "https://b.dev:8443"]);
    assert!((config.otel.sample_ratio - 0.5).abs() < f64::EPSILON);
    assert!(!config.registration.enabled);
    assert_eq!(config.token.algorithm, SigningAlgorithm::EdDsa);
    assert!(config.refresh.retry_leeway.is_zero());
}

#[test]
fn set_wants_a_name_and_a_value() {
    let said = complaints(load(&Sources::new().set(["log"])));
    assert_eq!(said, ["`--set` wants `name=value`, such as `--set log=debug`"]);
}
