//! Each way to lose or open an installation, one at a time.

use super::{Finding, Severity, check};

/// A file in which nothing is dangerous.
const SOUND: &str = r#"
x-authshield: &authshield
  image: registry.example/authshield@sha256:00
  environment:
    AUTHSHIELD_MASTER_KEY_FILE: /run/secrets/master_key
    AUTHSHIELD_DATABASE_URL: ${AUTHSHIELD_DATABASE_URL:?set it}
    AUTHSHIELD_TOKEN_ACCESS_TTL: 15m
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
services:
  postgres:
    image: postgres@sha256:00
    environment:
      POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password
    volumes: ["database:/var/lib/postgresql/data"]
  valkey:
    image: valkey/valkey@sha256:00
    command: [valkey-server, --maxmemory-policy, noeviction]
    volumes: ["limits:/data"]
  preflight:
    <<: *authshield
    command: [preflight]
  migrate:
    <<: *authshield
    command: [migrate, run]
    depends_on:
      preflight: { condition: service_completed_successfully }
  authshield:
    <<: *authshield
    command: [serve]
    ports: ["127.0.0.1:8080:8080"]
    depends_on:
      migrate: { condition: service_completed_successfully }
    healthcheck:
      test: ["CMD", "/usr/local/bin/authshield", "healthcheck"]
  prometheus:
    image: prom/prometheus@sha256:00
    ports: ["127.0.0.1:9091:9090"]
  grafana:
    image: grafana/grafana@sha256:00
    ports: ["127.0.0.1:3000:3000"]
volumes:
  database:
    external: true
  limits:
"#;

fn ids(findings: &[Finding]) -> Vec<(&'static str, &str)> {
    findings.iter().map(|finding| (finding.id, finding.service.as_str())).collect()
}

#[test]
fn a_sound_file_has_nothing_to_say_about() {
    assert_eq!(check(SOUND).unwrap(), []);
}

#[test]
fn every_danger_is_found_where_it_is() {
    for (from, to, id, service) in [
        ("    external: true\n", "    driver: local\n", "volume-not-external", "postgres"),
        (
            "database:/var/lib/postgresql/data",
            "/var/lib/postgresql/data",
            "volume-not-external",
            "postgres",
        ),
        (
            "    volumes: [\"database:/var/lib/postgresql/data\"]\n",
            "",
            "volume-missing",
            "postgres",
        ),
        (
            "    command: [valkey-server, ",
            "    ports: [\"6379:6379\"]\n    command: [valkey-server, ",
            "published-data-port",
            "valkey",
        ),
        (
            "ports: [\"127.0.0.1:9091:9090\"]",
            "ports: [\"9091:9090\"]",
            "published-metrics",
            "prometheus",
        ),
        (
            "ports: [\"127.0.0.1:3000:3000\"]",
            "ports: [{ target: 3000, published: 3000 }]",
            "published-metrics",
            "grafana",
        ),
        (
            "POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password",
            "POSTGRES_PASSWORD: postgres",
            "default-secret",
            "postgres",
        ),
        (
            "POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password",
            "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-postgres}",
            "default-secret",
            "postgres",
        ),
        (
            "POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password",
            "POSTGRES_HOST_AUTH_METHOD: trust",
            "default-secret",
            "postgres",
        ),
        ("noeviction", "allkeys-lru", "evicting-cache", "valkey"),
        ("noeviction", "volatile-ttl", "evicting-cache", "valkey"),
        ("postgres@sha256:00", "postgres:17", "image-without-digest", "postgres"),
        (
            "service_completed_successfully }\n    healthcheck",
            "service_started }\n    healthcheck",
            "missing-gate",
            "authshield",
        ),
        ("    command: [preflight]", "    command: [config, check]", "missing-gate", "authshield"),
        ("    command: [migrate, run]", "    command: [status]", "missing-gate", "authshield"),
        (
            "    healthcheck:\n      test: [\"CMD\", \"/usr/local/bin/authshield\", \"healthcheck\"]\n",
            "",
            "no-healthcheck",
            "authshield",
        ),
        (
            "    command: [serve]",
            "    command: [serve]\n    network_mode: host",
            "host-network",
            "authshield",
        ),
        (
            "    command: [serve]",
            "    command: [serve]\n    privileged: true",
            "privileged",
            "authshield",
        ),
        (
            "    command: [serve]",
            "    command: [serve]\n    read_only: false",
            "not-confined",
            "authshield",
        ),
    ] {
        assert!(SOUND.contains(from), "{from}");
        let text = SOUND.replacen(from, to, 1);
        let found = check(&text).unwrap();
        assert!(ids(&found).contains(&(id, service)), "{to}: {found:#?}");
        let others = found.iter().filter(|finding| finding.id != id).count();
        assert_eq!(others, 0, "{to}: {found:#?}");
    }
}

#[test]
fn a_password_in_an_address_is_a_secret_in_the_file() {
    for (value, dangerous) in [
        ("postgres://authshield:hunter2@postgres/authshield", true),
        ("${AUTHSHIELD_DATABASE_URL:-postgres://a:b@postgres/authshield}", true),
        ("postgres://authshield@postgres/authshield", false),
        ("postgres://authshield:${PASSWORD:?set it}@postgres/authshield", false),
        ("${AUTHSHIELD_DATABASE_URL}", false),
    ] {
        let text = SOUND.replace("${AUTHSHIELD_DATABASE_URL:?set it}", &format!("\"{value}\""));
        let found = check(&text).unwrap();
        assert_eq!(!found.is_empty(), dangerous, "{value}: {found:#?}");
    }
}

/// The compose file of the service that this one replaces.
#[test]
fn the_file_that_lost_everything_once_is_refused_for_it() {
    let text = r#"
services:
  db:
    image: postgres:16-alpine
    environment:
      - POSTGRES_USER=authshield
      - POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-authshield}
    ports: ["5432:5432"]
    volumes: ["postgres_data:/var/lib/postgresql/data"]
  redis:
    image: redis:7-alpine
    command: redis-server --maxmemory 256mb --maxmemory-policy allkeys-lru
    ports: ["6379:6379"]
  authshield:
    build: .
    depends_on: [db, redis]
volumes:
  postgres_data:
"#;
    let found = check(text).unwrap();
    let failures: Vec<_> =
        found.iter().filter(|finding| finding.severity == Severity::Failure).cloned().collect();
    assert_eq!(
        ids(&failures),
        [
            ("missing-gate", "authshield"),
            ("missing-gate", "authshield"),
            ("volume-not-external", "db"),
            ("published-data-port", "db"),
            ("default-secret", "db"),
            ("published-data-port", "redis"),
            ("evicting-cache", "redis"),
        ]
    );
}

#[test]
fn what_is_no_compose_file_is_said_to_be_none() {
    for text in ["", "[", "a: b", "services: []", "services: {a: &a {b: *a}}", "\0"] {
        assert!(check(text).is_err(), "{text:?}");
    }
}
