//! The rules of the house, as far as a test can see them. Each list of exceptions may only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::support::TestApp;
use crate::support::app::on_postgres;

const FEATURES: [&str; 27] = [
    "accounts",
    "activity",
    "admin",
    "backup",
    "browser",
    "checks",
    "cli",
    "compose",
    "devices",
    "federation",
    "health",
    "lockdown",
    "login",
    "magic_link",
    "own_data",
    "passkeys",
    "recovery",
    "registration",
    "risk",
    "roles",
    "screens",
    "second_factor",
    "sessions",
    "tokens",
    "trusted_devices",
    "verification",
    "webhooks",
];

/// What features stand on, and what therefore knows none of them.
const SERVICES: [&str; 19] = [
    "audit",
    "captcha",
    "config",
    "domains",
    "exports",
    "geoip",
    "guessing",
    "installation",
    "kernel",
    "limits",
    "links.rs",
    "mail",
    "passwords",
    "revocations",
    "seals",
    "telemetry",
    "theme",
    "vault",
    "watched.rs",
];

/// Files besides `sql.rs` that have SQL in them, and why.
const SQL_ELSEWHERE: [(&str, &str); 6] = [
    ("accounts/user.rs", "the list of a user's columns, which several statements share"),
    ("audit/mod.rs", "the one statement that writes an event"),
    ("chores.rs", "purges several features' rows, which are told apart by nothing but the table"),
    (
        "health/mod.rs",
        "the cheapest question and the cheapest write that show that the database works",
    ),
    ("links.rs", "a service of one file: link tokens"),
    ("mail/desk.rs", "what operators ask of the outbox"),
];

/// Files that are longer than 600 lines, and why.
const LONGER: [(&str, &str); 1] =
    [("crates/authshield/src/audit/event.rs", "one page: every event with its words, in one enum")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns every file under `folder` that ends in `.rs`, by its path below `folder`.
fn sources(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The sources of the service, without their tests and comments.
pub(crate) fn service() -> BTreeMap<String, String> {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let is_test = |name: &str| name.ends_with("tests.rs") || name.contains("tests/");
    let code = |text: String| {
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.fold(String::new(), |code, line| code + line + "\n")
    };
    let kept = sources.into_iter().filter(|(name, _)| !is_test(name));
    kept.map(|(name, text)| (name, code(text))).collect()
}

/// Attack: L08
#[test]
fn l08_whatever_is_built_is_locked_and_comes_from_one_registry() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let mut sources = BTreeSet::new();
    for package in packages {
        let Some(source) = package.get("source") else { continue };
        sources.insert(source.as_str().unwrap());
        assert!(package.get("checksum").is_some(), "{package}");
    }
    assert!(packages.len() > 300 && sources.len() == 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("registry+")), "{sources:?}");
}

#[test]
fn rules_are_pure() {
    let mut seen = 0;
    for (name, code) in service() {
        if !name.ends_with("rules.rs") {
            continue;
        }
        seen += 1;
        for word in [
            "async ",
            ".await",
            "axum",
            "tokio",
            "onesql",
            "sqlx",
            "reqwest",
            "crate::app",
            "World",
            "Tx",
        ] {
            let found = code.split(|c: char| !c.is_alphanumeric() && !"_:. ".contains(c));
            let found = found.flat_map(|part| part.split_inclusive(' '));
            let is_word = |part: &str| {
                part == word || part.trim() == word || part.starts_with(&format!("{word}::"))
            };
            assert!(!found.into_iter().any(is_word), "{name} mentions {word}");
        }
    }
    assert!(seen >= 5, "only {seen} files of rules");
}

#[test]
fn sql_is_where_sql_may_be() {
    let says_sql = |code: &str| {
        let verbs = ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE ", "\"WITH ", " FROM users "];
        verbs.iter().any(|verb| code.contains(verb)) || code.contains("\"u.id AS user_id")
    };
    let elsewhere: BTreeSet<_> = service()
        .into_iter()
        .filter(|(name, code)| !name.ends_with("sql.rs") && says_sql(code))
        .map(|(name, _)| name)
        .collect();
    let known: BTreeSet<_> = SQL_ELSEWHERE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(elsewhere, known);
}

/// Time and chance are bound; what the databases do differently is not used (architecture.md, 6).
#[test]
fn sql_is_what_both_databases_read_alike() {
    for (name, code) in service() {
        if !name.ends_with("sql.rs") && SQL_ELSEWHERE.iter().all(|(file, _)| *file != name) {
            continue;
        }
        for words in [
            "now()",
            "CURRENT_TIMESTAMP",
            "gen_random_uuid",
            "datetime(",
            "LOWER(",
            "UPPER(",
            "= ANY",
            "ILIKE",
            "RANDOM()",
            "AUTOINCREMENT",
            "SERIAL",
        ] {
            // `.now()` is the world's, `::now()` a stop-watch.
            let in_sql = code.replace(".now()", "").replace("::now()", "").contains(words);
            assert!(!in_sql, "{name} has {words}");
        }
        assert!(
            !code.contains("FOR UPDATE")
                || ["postgres: \"", "postgres: concat!("].iter().any(|pair| code.contains(pair)),
            "{name} has FOR UPDATE outside of a pair of texts"
        );
    }
}

#[test]
fn features_use_only_the_stories_of_others() {
    for (name, code) in service() {
        let home = name.split(['/', '.']).next().unwrap();
        for feature in FEATURES.into_iter().filter(|feature| *feature != home) {
            for inner in ["sql", "rules"] {
                let reach = format!("crate::{feature}::{inner}");
                assert!(!code.contains(&reach), "{name} reaches into {reach}");
            }
        }
        for declared in ["pub mod sql", "pub(crate) mod sql", "pub mod rules"] {
            assert!(!code.contains(declared) || name == "limits/mod.rs", "{name}: {declared}");
        }
    }
}

#[test]
fn services_know_no_feature() {
    for (name, code) in service() {
        if !SERVICES.iter().any(|service| name.split('/').next() == Some(service)) {
            continue;
        }
        for feature in FEATURES {
            // `config` and others have modules of the same names.
            let reach = format!("crate::{feature}::");
            let using = format!("use crate::{feature}");
            assert!(!code.contains(&reach) && !code.contains(&using), "{name} knows {feature}");
        }
    }
    for (name, code) in service() {
        if name.starts_with("kernel/") {
            for known in
                ["crate::app", "crate::audit", "crate::limits", "crate::mail", "crate::vault"]
            {
                assert!(!code.contains(known), "{name} knows {known}");
            }
        }
    }
}

#[test]
fn files_are_short_and_lints_are_expected_and_not_allowed() {
    let root = root();
    let mut longer = BTreeSet::new();
    for folder in ["crates", "xtask/src"] {
        for (name, text) in sources(&root.join(folder)) {
            let name = format!("{folder}/{name}");
            if text.lines().count() > 600 {
                longer.insert(name.clone());
            }
            for words in ["#[allow(", "#![allow(", "todo!(", "unimplemented!(", "dbg!(", "#[ignore"]
            {
                let used = |line: &str| line.trim_start().starts_with(words);
                assert!(!text.lines().any(used), "{name} has {words}");
            }
        }
    }
    let known: BTreeSet<_> = LONGER.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(longer, known);
}

// ── migrations ──

/// Returns the migrations of one database: name and text.
pub(crate) fn migrations(database: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    assert!(sqlite.keys().eq(postgres.keys()), "{:?} {:?}", sqlite.keys(), postgres.keys());
    let mut numbers = BTreeSet::new();
    for name in sqlite.keys() {
        let number = name.split_once('_').map_or("", |(number, _)| number);
        let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        assert!(is_number && numbers.insert(number.to_owned()), "{name} has no number of its own");
        assert!(Path::new(name).extension().is_some_and(|end| end == "sql"), "{name}");
    }
    for (name, text) in &sqlite {
        let tables = text.matches("CREATE TABLE").count();
        assert_eq!(text.matches(") STRICT;").count(), tables, "{name}: every table is STRICT");
    }
}

/// A migration that landed is never edited: databases out there ran it as it was.
/// `UPDATE_GENERATED=1` enters new ones; it never changes a line.
#[test]
fn generated_list_of_migrations_is_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/migrations.txt");
    let mut listed = std::fs::read_to_string(&file).unwrap_or_default();
    for database in ["postgres", "sqlite"] {
        for (name, text) in migrations(database) {
            let digest = Sha256::digest(text.as_bytes());
            let digest: String = digest.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            let entry = format!("{database}/{name}");
            match listed.lines().find_map(|line| line.strip_suffix(&format!(" {entry}"))) {
                Some(landed) => assert_eq!(
                    landed, digest,
                    "{entry} landed and must not be edited: write a new migration"
                ),
                None if std::env::var_os("UPDATE_GENERATED").is_some() => {
                    writeln!(listed, "{digest} {entry}").unwrap();
                }
                None => panic!("{entry} is not in migrations.txt: set UPDATE_GENERATED=1 once"),
            }
        }
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(file, &listed).unwrap();
    }
    for line in listed.lines() {
        let (database, name) = line.split_once(' ').unwrap().1.split_once('/').unwrap();
        assert!(migrations(database).contains_key(name), "{line} is gone");
    }
}

/// A column: table, name, kind, whether it may be null.
type Column = (String, String, String, bool);

/// The kinds that are the same thing on both databases (architecture.md, 6).
const KINDS: [(&str, &str); 7] = [
    ("BLOB", "uuid"),
    ("BLOB", "bytea"),
    ("TEXT", "text"),
    ("TEXT", "timestamp with time zone"),
    ("TEXT", "jsonb"),
    ("INTEGER", "boolean"),
    ("INTEGER", "bigint"),
];

async fn sqlite_columns(store: &onesql::Store) -> Vec<Column> {
    let rows: Vec<(String, String, String, i64, i64)> = store
        .read()
        .await
        .unwrap()
        .query(
            "SELECT t.name, c.name, c.type, c.\"notnull\", c.pk
             FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
             WHERE t.type = 'table' AND t.name NOT LIKE '!_%' ESCAPE '!' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!'
             ORDER BY t.name, c.name",
        )
        .all()
        .await
        .unwrap();
    let nullable = |not_null: i64, key: i64| not_null == 0 && key == 0;
    rows.into_iter().map(|(table, name, kind, n, k)| (table, name, kind, nullable(n, k))).collect()
}

async fn postgres_columns(store: &onesql::Store) -> Vec<Column> {
    store
        .read()
        .await
        .unwrap()
        .query(
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(data_type AS TEXT),
                    is_nullable = 'YES'
             FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name NOT LIKE '!_%' ESCAPE '!'
             ORDER BY CAST(table_name AS TEXT) COLLATE \"C\", CAST(column_name AS TEXT) COLLATE \"C\"",
        )
        .all()
        .await
        .unwrap()
}

async fn indexes(store: &onesql::Store, sql: &'static str) -> Vec<String> {
    let rows: Vec<(String,)> = store.read().await.unwrap().query(sql).all().await.unwrap();
    rows.into_iter().map(|(name,)| name).collect()
}

/// Needs both databases, so it says something on PostgreSQL only.
#[tokio::test]
async fn both_databases_have_the_same_tables() {
    if !on_postgres() {
        return;
    }
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("compared.db").display());
    let file = onesql::Store::open(&onesql::Options::parse(&url).unwrap()).await.unwrap();
    file.migrate(&authshield::schema::migrations()).await.unwrap();

    let (sqlite, postgres) = (sqlite_columns(&file).await, postgres_columns(&app.app.store).await);
    let bare = |columns: &[Column]| {
        let columns =
            columns.iter().map(|(table, name, _, null)| (table.clone(), name.clone(), *null));
        columns.collect::<Vec<_>>()
    };
    assert!(sqlite.len() > 50, "{sqlite:?}");
    assert_eq!(bare(&sqlite), bare(&postgres));
    for (one, other) in sqlite.iter().zip(&postgres) {
        let kinds = (one.2.as_str(), other.2.as_str());
        assert!(KINDS.contains(&kinds), "{}.{}: {kinds:?}", one.0, one.1);
    }
    let sqlite = indexes(
        &file,
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
    );
    let postgres = indexes(
        &app.app.store,
        "SELECT CAST(indexname AS TEXT) FROM pg_indexes
         WHERE schemaname = current_schema() AND indexname NOT LIKE '%!_pkey' ESCAPE '!'
           AND indexname NOT LIKE '%!_key' ESCAPE '!' AND indexname NOT LIKE '!_%' ESCAPE '!'
         ORDER BY CAST(indexname AS TEXT) COLLATE \"C\"",
    );
    assert_eq!(sqlite.await, postgres.await);
}
