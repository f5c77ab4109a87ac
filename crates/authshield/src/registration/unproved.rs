//! Accounts that nobody proved go after a while: an address is nobody's whom it was only typed by.

use onesql::Result;

use crate::accounts;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};

/// How many go in one transaction.
const BATCH: i64 = 100;

/// Deletes the accounts that nobody proved within `registration.unproved_life`, and returns how many.
pub async fn forget_unproved(app: &App, ctx: &Ctx) -> Result<u64> {
    let opened = ctx.now - app.live.load().registration.unproved_life;
    let mut deleted = 0;
    loop {
        let mut tx = app.store.write().await?;
        let gone = accounts::delete_unproved(&mut tx, opened, ctx.now, BATCH).await?;
        for &user in &gone {
            let reason = Some("never_proved");
            audit::record(&mut tx, app, ctx, &Event::UserDeleted { user, reason }).await?;
        }
        tx.commit().await?;
        let gone = i64::try_from(gone.len()).unwrap_or(i64::MAX);
        deleted += gone.unsigned_abs();
        if gone < BATCH {
            return Ok(deleted);
        }
    }
}
