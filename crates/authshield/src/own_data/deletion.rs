//! The end of an account, asked for by its owner.

use onesql::{Timestamp, Tx};

use super::sql;
use crate::access::Caller;
use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::UserId;
use crate::limits::Exceeded;
use crate::limits::rules::NOTICE_PER_ACCOUNT;
use crate::mail::{Letter, Recipient};
use crate::roles::{self, AdminError};
use crate::sessions;

/// How many accounts are looked up at once that are due.
const BATCH: i64 = 100;

/// Why an account will not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It was asked for too often.
    #[error("too many mails about deletion")]
    Limited(Exceeded),

    /// It has to stay, or we could not find out.
    #[error("not deleted")]
    Refused(#[from] AdminError),
}

/// Has the caller's account deleted after a time in which they can take that back, and signs them out
/// everywhere else. Asking again changes nothing. Returns when it will happen, or nothing if the
/// account is gone.
pub async fn request(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
) -> Result<Option<Timestamp>, RequestError> {
    let key = caller.user.id.to_string();
    let spent = app.limits.spend(&NOTICE_PER_ACCOUNT, &key, ctx.now).await;
    spent.map_err(RequestError::Limited)?;
    Ok(set_due(app, ctx, caller).await?)
}

async fn set_due(app: &App, ctx: &Ctx, caller: &Caller) -> Result<Option<Timestamp>, AdminError> {
    let user = &caller.user;
    let due = ctx.now + app.live.load().deletion.grace;
    let mut tx = app.store.write().await?;
    roles::lock_admins(&mut tx).await?;
    accounts::lock(&mut tx, user.id).await?;
    let Some(before) = accounts::by_id(&mut tx, user.id).await? else { return Ok(None) };
    if before.user.deletion_due_at.is_some() {
        return Ok(before.user.deletion_due_at);
    }
    roles::may_go(&mut tx, &before.user).await?;
    sql::set_due(&mut tx, user.id, Some(due), ctx.now).await?;
    let reason = "deletion_requested";
    let count = sessions::end_all(&mut tx, app, ctx, user.id, Some(caller.session), reason).await?;
    if count > 0 {
        let actor = Some(user.id);
        let revoked = Event::SessionsRevoked { actor, user: user.id, session: None, count, reason };
        audit::record(&mut tx, app, ctx, &revoked).await?;
    }
    let requested = Event::UserDeletionRequested { user: user.id, due };
    audit::record(&mut tx, app, ctx, &requested).await?;
    tell(&mut tx, app, ctx, &before.user, &Letter::AccountDeletionRequested { due }).await?;
    tx.commit().await?;
    Ok(Some(due))
}

/// Keeps the caller's account; nothing happens where nobody asked for its deletion. `false` if the
/// account is gone.
pub async fn withdraw(app: &App, ctx: &Ctx, caller: &Caller) -> onesql::Result<bool> {
    let user = &caller.user;
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    if accounts::by_id(&mut tx, user.id).await?.is_none() {
        return Ok(false);
    }
    keep(&mut tx, app, ctx, user, None).await?;
    tx.commit().await?;
    Ok(true)
}

/// Deletes the accounts that are due, and returns how many.
pub async fn carry_out(app: &App, ctx: &Ctx) -> onesql::Result<u64> {
    let mut deleted = 0;
    loop {
        let due = sql::due(&mut app.store.glance().await?, ctx.now, BATCH).await?;
        let whole = due.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
        for user in due {
            deleted += u64::from(carry_out_one(app, ctx, user).await?);
        }
        if !whole {
            return Ok(deleted);
        }
    }
}

/// Deletes an account, unless its owner took that back meanwhile, or nobody else looks after the
/// installation by now: then it stays.
async fn carry_out_one(app: &App, ctx: &Ctx, user: UserId) -> onesql::Result<bool> {
    let mut tx = app.store.write().await?;
    roles::lock_admins(&mut tx).await?;
    accounts::lock(&mut tx, user).await?;
    let account = accounts::by_id(&mut tx, user).await?.map(|account| account.user);
    let is_due = |user: &User| user.deletion_due_at.is_some_and(|due| due <= ctx.now);
    let Some(account) = account.filter(is_due) else { return Ok(false) };
    let may_go = match roles::may_go(&mut tx, &account).await {
        Ok(()) => true,
        Err(AdminError::Store(error)) => return Err(error),
        Err(_) => false,
    };
    if may_go {
        let goodbye = Recipient { user: None, ..account.recipient() };
        roles::remove(&mut tx, app, ctx, &account, Some("owner")).await?;
        if account.email_verified_at.is_some() {
            app.outbox.put(&mut tx, &goodbye, &Letter::AccountDeleted, ctx.now).await?;
        }
    } else {
        keep(&mut tx, app, ctx, &account, Some("last_admin")).await?;
    }
    tx.commit().await?;
    Ok(may_go)
}

/// Keeps an account whose owner asked for its deletion, if they did; `reason` says why, unless they took it
/// back.
pub async fn keep(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    reason: Option<&'static str>,
) -> onesql::Result<()> {
    if sql::set_due(tx, user.id, None, ctx.now).await? {
        let kept = Event::UserDeletionWithdrawn { user: user.id, reason };
        audit::record(tx, app, ctx, &kept).await?;
        tell(tx, app, ctx, user, &Letter::AccountDeletionWithdrawn).await?;
    }
    Ok(())
}

/// Writes to the owner of an account, if the address was proved.
async fn tell(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    letter: &Letter,
) -> onesql::Result<()> {
    if user.email_verified_at.is_some() {
        app.outbox.put(tx, &user.recipient(), letter, ctx.now).await?;
    }
    Ok(())
}
