//! The schema of both databases.

use onesql::{Migrations, Result, Store};

/// Every migration there is.
#[must_use]
pub fn migrations() -> Migrations {
    Migrations {
        sqlite: sqlx::migrate!("migrations/sqlite"),
        postgres: sqlx::migrate!("migrations/postgres"),
    }
}

/// Counts the migrations that the database lacks; a database that is newer is an error.
pub async fn pending(store: &Store) -> Result<usize> {
    let status = store.migration_status(&migrations()).await?;
    Ok(status.iter().filter(|migration| !migration.applied).count())
}
