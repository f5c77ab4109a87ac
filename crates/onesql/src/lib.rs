//! One set of SQL, two databases.
//!
//! A [`Store`] is either an embedded SQLite file or a PostgreSQL server; a [`Tx`] is a transaction
//! on it; a [`Statement`] is one text with `$1`, `$2`, … parameters that runs on both. Nothing
//! outside this crate knows which database it talks to.
//!
//! On SQLite every committed write is durable against power loss (`synchronous = FULL`) and
//! concurrent writers share one flush: see [`Store::write`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> onesql::Result<()> {
//! let folder = tempfile::tempdir().unwrap();
//! let store = onesql::Store::open(&onesql::Options::sqlite(folder.path().join("t.db"))).await?;
//! let mut tx = store.write().await?;
//! tx.query("CREATE TABLE notes (id BLOB NOT NULL, words TEXT NOT NULL) STRICT").execute().await?;
//! tx.query("INSERT INTO notes (id, words) VALUES ($1, $2)")
//!     .bind(uuid::Uuid::from_u128(1))
//!     .bind("remember the milk")
//!     .execute()
//!     .await?;
//! tx.commit().await?;
//!
//! let words: (String,) = store.read().await?.query("SELECT words FROM notes").one().await?;
//! assert_eq!(words.0, "remember the milk");
//! # Ok(()) }
//! ```

mod beside;
mod copy;
mod error;
mod migrate;
mod parking;
mod postgres;
mod sql;
mod sqlite;
mod statement;
mod store;
mod timestamp;
mod together;
mod tx;
mod watch;

pub use copy::{Cell, Column, Table};
pub use error::{Error, Result};
pub use migrate::{MigrationStatus, Migrations, Patience};
pub use sql::Sql;
pub use sqlx::migrate::Migrator;
pub use sqlx::types::Json;
pub use statement::{Row, Statement, Value};
pub use store::{Options, Store};
pub use timestamp::Timestamp;
pub use together::{Find, TOGETHER_AT_MOST, Together};
pub use tx::Tx;
pub use watch::{Mode, Part, Work};
