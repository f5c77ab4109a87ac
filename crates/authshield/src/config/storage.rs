//! The database.

use secrecy::SecretString;

use super::lints;
use super::setting::{Fallback, settings};

settings! {
    /// The database: SQLite in a file, or PostgreSQL.
    Database at "database" "." {
        /// `sqlite://PATH`, or `postgres://USER:PASSWORD@HOST/NAME` (15 or newer).
        url: SecretString {
            fallback: Fallback::Development("sqlite://{data_dir}/authshield.db"),
            example: "postgres://authshield@db.internal/authshield?sslmode=verify-full",
            mistaken: &["DB_URL", "DB", "DSN", "DATABASE", "POSTGRES_URL", "DB_DSN", "DATABASE_DSN"],
            foreign: &["POSTGRES_URL", "PG_URL"],
            lints: &[lints::DATABASE_URL],
        }
        /// How many connections are kept to PostgreSQL, or read SQLite at once (there at most four for each
        /// core).
        connections: u32 {
            fallback: Fallback::Always("16"),
            unit: "connections",
            bounds: Some((1, 1000)),
            example: "16",
            mistaken: &["DB_POOL_SIZE", "DATABASE_POOL_SIZE", "DATABASE_MAX_CONNECTIONS", "POOL_SIZE"],
        }
    }
}
