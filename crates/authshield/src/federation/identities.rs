//! The identities of an account: which there are, one more, one less.

use onesql::Tx;

use super::rules::{Person, Vouched};
use super::sql::{self, Identity};
use super::{Failure, Redemption, note, take};
use crate::access::Caller;
use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{IdentityId, UserId};
use crate::mail::Letter;
use crate::{login, second_factor, sessions};

/// Why an identity was not linked or not removed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The code is not worth anything.
    #[error("the code is not valid: {0}")]
    Invalid(&'static str),
    /// Somebody else has it.
    #[error("the identity belongs to somebody else")]
    Taken,
    /// There is none, or it is somebody else's.
    #[error("there is no such identity")]
    NotFound,
    /// Nobody could sign in to the account any more.
    #[error("the identity is the last way in")]
    LastWayIn,
    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// Whether somebody has an identity of a provider that is still there.
pub async fn has_usable(tx: &mut Tx, app: &App, user: UserId) -> onesql::Result<bool> {
    let usable = |identity: &Identity| {
        app.providers.all().iter().any(|provider| provider.issues(&identity.issuer))
    };
    Ok(sql::of(tx, user).await?.iter().any(usable))
}

/// Lists the caller's identities, newest first.
pub async fn list(app: &App, caller: &Caller) -> onesql::Result<Vec<Identity>> {
    sql::of(&mut app.store.glance().await?, caller.user.id).await
}

/// Links the identity for which a code stands to the caller's account: they signed in on both sides, so what
/// the provider says of an address is of no interest. One that is linked already stays so.
pub async fn link(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    redemption: &Redemption,
) -> Result<Identity, IdentityError> {
    let mut tx = app.store.write().await?;
    let taken = match take(&mut tx, app, ctx, redemption).await?.map(|stake| stake.vouched) {
        Ok(Vouched::Person(person)) => Ok(person),
        Ok(vouched @ Vouched::Entered(_)) => {
            let failure = Failure { stage: "code", reason: "no_identity" };
            note(&mut tx, app, ctx, vouched.by(), Some(caller.user.id), failure).await?;
            Err(failure.reason)
        }
        Err(reason) => Err(reason),
    };
    let person = match taken {
        Ok(person) => person,
        Err(reason) => {
            tx.commit().await?;
            return Err(IdentityError::Invalid(reason));
        }
    };
    accounts::lock(&mut tx, caller.user.id).await?;
    if sql::find(&mut tx, &person.issuer, &person.subject).await?.is_none() {
        attach(&mut tx, app, ctx, &caller.user, &person).await?;
    }
    let found = sql::find(&mut tx, &person.issuer, &person.subject).await?;
    // The code is spent either way.
    tx.commit().await?;
    found.filter(|identity| identity.user_id == caller.user.id).ok_or(IdentityError::Taken)
}

/// Links an identity to an account that `tx` holds, unless somebody has it; the owner is told.
pub(super) async fn attach(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    person: &Person,
) -> onesql::Result<()> {
    let identity = Identity {
        id: IdentityId::new(ctx.world()),
        user_id: user.id,
        provider: person.provider.clone(),
        issuer: person.issuer.clone(),
        subject: person.subject.clone(),
        email: person.email.clone(),
        created_at: ctx.now,
        last_used_at: None,
    };
    if !sql::insert(tx, &identity).await? {
        return Ok(());
    }
    let letter = Letter::IdentityLinked { provider: identity.provider };
    app.outbox.put(tx, &user.recipient(), &letter, ctx.now).await?;
    let linked = Event::IdentityLinked { user: user.id, identity: identity.id };
    audit::record(tx, app, ctx, &linked).await
}

/// Removes one of the caller's identities, unless it is the last way in; the owner is told. Whoever came in by
/// it is out: as with a new password, every session ends but the one that asks.
pub async fn remove(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    identity: IdentityId,
) -> Result<(), IdentityError> {
    let user = &caller.user;
    let mut tx = app.store.write().await?;
    // Held, so that of two ways in that go at once one stays.
    accounts::lock(&mut tx, user.id).await?;
    let Some(provider) = sql::delete(&mut tx, user.id, identity).await? else {
        return Err(IdentityError::NotFound);
    };
    if !login::has_way_in(&mut tx, app, user.id).await? {
        return Err(IdentityError::LastWayIn);
    }
    tell_removed(&mut tx, app, ctx, user, (identity, provider)).await?;
    let (kept, reason) = (Some(caller.session), "identity_removed");
    let count = sessions::end_all(&mut tx, app, ctx, user.id, kept, reason).await?;
    second_factor::withdraw(&mut tx, user.id).await?;
    if count > 0 {
        let (actor, user) = (Some(user.id), user.id);
        let revoked = Event::SessionsRevoked { actor, user, session: None, count, reason };
        audit::record(&mut tx, app, ctx, &revoked).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Removes every identity of an account whose owner shows up by a mail to its address: somebody else may have
/// linked one while they were in. One whose provider proved that address comes back with the next sign-in.
pub async fn remove_all(tx: &mut Tx, app: &App, ctx: &Ctx, user: &User) -> onesql::Result<()> {
    for removed in sql::delete_all(tx, user.id).await? {
        tell_removed(tx, app, ctx, user, removed).await?;
    }
    Ok(())
}

async fn tell_removed(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    (identity, provider): (IdentityId, String),
) -> onesql::Result<()> {
    let letter = Letter::IdentityRemoved { provider };
    app.outbox.put(tx, &user.recipient(), &letter, ctx.now).await?;
    audit::record(tx, app, ctx, &Event::IdentityRemoved { user: user.id, identity }).await
}
