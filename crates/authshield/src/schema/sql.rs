//! What migrations say of themselves, as the database keeps it.

use onesql::{Result, Tx};

use super::notes::Note;

/// Returns, by migration, the oldest program that works with it.
pub(super) async fn oldest(tx: &mut Tx) -> Result<Vec<(i64, String)>> {
    tx.query("SELECT version, oldest FROM schema_notes ORDER BY version").all().await
}

/// Writes down what a migration says, in place of what it said before.
pub(super) async fn write_note(tx: &mut Tx, version: i64, note: Note) -> Result<u64> {
    tx.query(
        "INSERT INTO schema_notes (version, phase, oldest) VALUES ($1, $2, $3)
         ON CONFLICT (version) DO UPDATE SET phase = excluded.phase, oldest = excluded.oldest",
    )
    .bind(version)
    .bind(note.phase.as_str())
    .bind(note.oldest.to_string())
    .execute()
    .await
}
