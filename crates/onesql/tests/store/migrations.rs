//! The schema is brought up to date once, by one, and never backwards.

use std::path::Path;

use onesql::{Migrations, Migrator, Store};
use tokio::task::JoinSet;

use crate::support::Place;

const FIRST: (&str, &str) = ("0001_notes.sql", "CREATE TABLE notes (id INTEGER NOT NULL);");
const SECOND: (&str, &str) =
    ("0002_words.sql", "CREATE TABLE words (id INTEGER NOT NULL);\nINSERT INTO words VALUES (1);");

/// The same for both databases, which understand these texts alike.
async fn migrations(folder: &Path, name: &str, files: &[(&str, &str)]) -> Migrations {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        std::fs::write(folder.join(file), text).unwrap();
    }
    Migrations {
        sqlite: Migrator::new(folder.as_path()).await.unwrap(),
        postgres: Migrator::new(folder.as_path()).await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_that_migrate_at_once_one_works_and_the_others_wait() {
    for place in Place::each().await {
        let mut nodes = JoinSet::new();
        for node in 0..6 {
            let options = place.options.clone();
            let known =
                migrations(place.folder.path(), &format!("node{node}"), &[FIRST, SECOND]).await;
            nodes.spawn(async move {
                let store = Store::open(&options).await.unwrap();
                store.migrate(&known).await.unwrap();
                // Again is harmless.
                store.migrate(&known).await.unwrap();
            });
        }
        nodes.join_all().await;

        let store = place.open().await;
        let mut tx = store.glance().await.unwrap();
        let once: (i64,) = tx.query("SELECT COUNT(*) FROM words").one().await.unwrap();
        assert_eq!(once.0, 1, "on {}", store.kind());
    }
}

#[tokio::test]
async fn the_status_tells_what_is_missing_and_writes_nothing() {
    for place in Place::each().await {
        let store = place.open().await;
        let old = migrations(place.folder.path(), "old", &[FIRST]).await;
        let new = migrations(place.folder.path(), "new", &[FIRST, SECOND]).await;

        let applied = async |known| {
            let status = store.migration_status(known).await.unwrap();
            status.into_iter().map(|one| (one.version, one.applied)).collect::<Vec<_>>()
        };
        assert_eq!(applied(&new).await, [(1, false), (2, false)], "on {}", store.kind());
        let mut tx = store.glance().await.unwrap();
        assert!(tx.query("SELECT 1 FROM _sqlx_migrations").execute().await.is_err());
        drop(tx);

        store.migrate(&old).await.unwrap();
        assert_eq!(applied(&new).await, [(1, true), (2, false)], "on {}", store.kind());
        store.migrate(&new).await.unwrap();
        assert_eq!(applied(&new).await, [(1, true), (2, true)], "on {}", store.kind());
    }
}

#[tokio::test]
async fn a_database_from_a_newer_version_is_refused_with_advice() {
    for place in Place::each().await {
        let store = place.open().await;
        let new = migrations(place.folder.path(), "new", &[FIRST, SECOND]).await;
        let old = migrations(place.folder.path(), "old", &[FIRST]).await;
        store.migrate(&new).await.unwrap();

        let errors = [
            store.migrate(&old).await.unwrap_err(),
            store.migration_status(&old).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(
                error.to_string(),
                "the database has migration 2, which this version does not know: it was upgraded \
                 by a newer AuthShield. Run that version, or restore a backup",
                "on {}",
                store.kind(),
            );
            assert!(!error.is_unavailable());
        }
        // The refusal did no harm: who knows the version goes on.
        store.migrate(&new).await.unwrap();
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_afterwards_is_refused() {
    for place in Place::each().await {
        let store = place.open().await;
        let before = migrations(place.folder.path(), "before", &[FIRST]).await;
        let edited = (FIRST.0, "CREATE TABLE notes (id INTEGER);");
        let after = migrations(place.folder.path(), "after", &[edited]).await;
        store.migrate(&before).await.unwrap();
        let error = store.migrate(&after).await.unwrap_err();
        assert!(error.to_string().starts_with("migration 1 in the database differs"), "{error}");
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    for place in Place::each().await {
        let store = place.open().await;
        let broken = ("0002_words.sql", "CREATE TABLE words (id INTEGER);\nSELECT nonsense;");
        let bad = migrations(place.folder.path(), "bad", &[FIRST, broken]).await;
        let good = migrations(place.folder.path(), "good", &[FIRST, SECOND]).await;
        store.migrate(&bad).await.unwrap_err();
        store.migrate(&good).await.unwrap();
    }
}
