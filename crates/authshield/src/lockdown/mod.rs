//! Closing an account at once: when a sign-in was somebody else's, or when somebody panics.
//!
//! ```text
//! POST /auth/not-me ─ http::not_me ─ not_me       the link of a notice ─ devices::open
//! POST /users/me/lock ─ http::lock_own ─ lock_own     the panic button of the owner
//! POST /admin/users/{id}/lock, `authshield user lock` ─ lock     that of an operator
//! ```
//!
//! All three end sessions, tokens, sign-ins that wait and links that are open, in one transaction with one
//! event. The first two also take the password away and send the owner a link to choose a new one, and
//! nothing opens the account before, not even a passkey; where nobody has a password, the link proves the address, and
//! that is enough. The third disables the account; it comes back when an
//! operator enables it.
//!
//! The link of a notice opens nothing for who has it. All that it can do is make the owner choose a new
//! password, with a link that goes to the mailbox of the notice and to nobody else, and undo what was added to
//! the account since the sign-in that it tells of.

pub mod http;

use onesql::Tx;

use crate::access::{Caller, ChangeStatus, Permission, ResetFactors};
use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, LinkToken, UserId};
use crate::links::{self, Link, Purpose};
use crate::mail::{self, Letter};
use crate::roles::{self, AdminError};
use crate::second_factor::{StepUp, Undone};
use crate::{
    devices, federation, login, own_data, passkeys, passwords, recovery, registration,
    second_factor, sessions,
};

/// Why an account was not closed.
#[derive(Debug, thiserror::Error)]
pub enum NotMeError {
    /// The link is unknown, used or expired.
    #[error("the link is not valid: {0}")]
    InvalidLink(&'static str),

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// How often the former address is put back when somebody registers it at that instant.
const ROUNDS: usize = 8;

/// Closes an account to everybody but who reads the mail that a notice went to, and returns where the link to
/// choose a new password goes.
pub async fn not_me(
    app: &App,
    ctx: &Ctx,
    token: Option<&LinkToken>,
) -> Result<EmailAddress, NotMeError> {
    for _ in 0..ROUNDS {
        match try_not_me(app, ctx, token).await {
            Err(NotMeError::Store(error)) if error.is_unique_violation() => {}
            done => return done,
        }
    }
    Err(NotMeError::InvalidLink("address_taken"))
}

async fn try_not_me(
    app: &App,
    ctx: &Ctx,
    token: Option<&LinkToken>,
) -> Result<EmailAddress, NotMeError> {
    let mut tx = app.store.write().await?;
    let only = [Purpose::NotMe, Purpose::NotMe];
    let link = match token {
        Some(token) => links::redeem(&mut tx, app, token, only, ctx.now).await?,
        None => None,
    };
    let account = match &link {
        Some(Link { user_id: Some(user), .. }) => accounts::by_id(&mut tx, *user).await?,
        _ => None,
    };
    let (Some(Link { email: Some(email), mail_id, created_at, .. }), Some(account)) =
        (link, account)
    else {
        let reason = links::why_not(&mut tx, app, token).await?;
        let rejected = Event::LinkRejected { purpose: Purpose::NotMe.name(), reason };
        audit::record(&mut tx, app, ctx, &rejected).await?;
        tx.commit().await?;
        return Err(NotMeError::InvalidLink(reason));
    };
    let mut user = account.user;
    let mut done = vec!["password"];
    if user.email != email {
        // Whoever was in may have changed it, to keep the way back for themselves.
        done.push(if put_back(&mut tx, app, ctx, &mut user, &email).await? {
            "address_put_back"
        } else {
            "address_taken"
        });
    }
    if passkeys::delete_since(&mut tx, user.id, created_at).await? > 0 {
        done.push("passkeys");
    }
    if federation::delete_since(&mut tx, user.id, created_at).await? > 0 {
        done.push("identities");
    }
    match second_factor::undo_since(&mut tx, ctx, &user, created_at).await? {
        Some(Undone::App) => {
            done.push("second_factor");
            user.second_factor_at = None;
            let letter = Letter::SecondFactorRemoved;
            app.outbox.put(&mut tx, &user.recipient(), &letter, ctx.now).await?;
        }
        Some(Undone::RecoveryCodes) => done.push("recovery_codes"),
        None => {}
    }
    devices::forget_since(&mut tx, user.id, created_at).await?;
    close(&mut tx, app, ctx, &user, Closing { actor: None, reason: "not_me", done }).await?;
    // A link to the address of somebody else would be a gift.
    if user.email == email {
        send_way_back(&mut tx, app, ctx, &user).await?;
    }
    mail::confirm(&mut tx, app, mail_id, ctx.now).await?;
    tx.commit().await?;
    Ok(email)
}

/// Gives an account the address back that a notice went to; `false` if somebody else has it by now.
async fn put_back(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &mut User,
    email: &EmailAddress,
) -> onesql::Result<bool> {
    if let Some(user) = accounts::delete_unverified(tx, email, user.id).await? {
        let reason = Some("address_proved_by_another");
        audit::record(tx, app, ctx, &Event::UserDeleted { user, reason }).await?;
    }
    if accounts::by_email(tx, email).await?.is_some() {
        return Ok(false);
    }
    // Of who registers the address at this instant, the unique index tells.
    accounts::set_email(tx, user.id, email, ctx.now).await?;
    registration::forget(tx, email, ctx.now).await?;
    user.email = email.clone();
    user.email_verified_at = Some(ctx.now);
    Ok(true)
}

/// Closes the caller's own account until a new password was chosen by mail. Whoever has second factors removed
/// proved not long ago who they are.
pub async fn lock_own(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    remove_factors: bool,
) -> Result<(), StepUp> {
    let user = &caller.user;
    if remove_factors {
        second_factor::fresh(app, ctx, caller).await?;
    }
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    let mut done = vec!["password"];
    if remove_factors && second_factor::remove_all(&mut tx, ctx, user.id).await? {
        done.push("factors");
        let letter = Letter::SecondFactorRemoved;
        app.outbox.put(&mut tx, &user.recipient(), &letter, ctx.now).await?;
    }
    let closing = Closing { actor: Some(user.id), reason: "owner", done };
    close(&mut tx, app, ctx, user, closing).await?;
    send_way_back(&mut tx, app, ctx, user).await?;
    tx.commit().await?;
    Ok(())
}

/// What an operator has done to an account besides disabling it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Also {
    /// Its password counts no more: once it is enabled, its owner chooses one by mail, or proves the address where
    /// nobody has a password.
    pub reset_password: bool,
    /// Its second factor and its passkeys are removed.
    pub reset_factors: bool,
}

/// Disables an account and closes all that is open of it; `actor` is the administrator, or nobody for a
/// command.
pub async fn lock(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
    also: Also,
) -> Result<User, AdminError> {
    let mut tx = app.store.write().await?;
    match try_to_lock(&mut tx, app, ctx, actor, user, also).await {
        Ok(user) => {
            tx.commit().await?;
            Ok(user)
        }
        Err(error) => Err(roles::refused(tx, app, ctx, actor, user, error).await),
    }
}

async fn try_to_lock(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
    also: Also,
) -> Result<User, AdminError> {
    roles::lock_admins(tx).await?;
    roles::still_allowed(tx, actor, ChangeStatus::NAME).await?;
    if also.reset_factors {
        roles::still_allowed(tx, actor, ResetFactors::NAME).await?;
        // Or a stolen session of an administrator would be a way around the own second factor.
        if actor == Some(user) {
            return Err(AdminError::OwnFactors);
        }
    }
    accounts::lock(tx, user).await?;
    let before = accounts::by_id(tx, user).await?.ok_or(AdminError::NoSuchUser)?.user;
    roles::may_go(tx, &before).await?;
    let mut done = Vec::new();
    if accounts::set_disabled(tx, user, true, ctx.now).await? {
        done.push("disabled");
    }
    if also.reset_password {
        done.push("password");
    }
    let mut second_factor_at = before.second_factor_at;
    if also.reset_factors && second_factor::remove_all(tx, ctx, user).await? {
        done.push("factors");
        second_factor_at = None;
        if before.email_verified_at.is_some() {
            let letter = Letter::SecondFactorRemoved;
            app.outbox.put(tx, &before.recipient(), &letter, ctx.now).await?;
        }
    }
    close(tx, app, ctx, &before, Closing { actor, reason: "operator", done }).await?;
    let disabled_at = before.disabled_at.or(Some(ctx.now));
    let deletion_due_at = None;
    Ok(User { disabled_at, second_factor_at, deletion_due_at, updated_at: ctx.now, ..before })
}

/// How an account is closed.
struct Closing {
    actor: Option<UserId>,
    reason: &'static str,
    /// What is done besides; with `password`, the password counts no more.
    done: Vec<&'static str>,
}

/// Ends all that is open of an account that `tx` holds, and writes it down.
async fn close(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    Closing { actor, reason, done }: Closing,
) -> onesql::Result<()> {
    if done.contains(&"password") {
        accounts::await_recovery(tx, user.id, ctx.now).await?;
    }
    let sessions = sessions::end_all(tx, app, ctx, user.id, None, reason).await?;
    login::withdraw(tx, user.id).await?;
    for purpose in [Purpose::VerifyEmail, Purpose::ChangeEmail, Purpose::ResetPassword] {
        links::withdraw(tx, user.id, purpose).await?;
    }
    // Or a thief who changed the address would press a button, and take the owner's links from them.
    links::withdraw_at(tx, user.id, Purpose::NotMe, &user.email).await?;
    // Whoever was in may have asked for the end of the account, too.
    own_data::keep(tx, app, ctx, user, Some("account_secured")).await?;
    let secured = Event::AccountSecured { actor, user: user.id, reason, sessions, done };
    audit::record(tx, app, ctx, &secured).await
}

/// Sends the link to choose a new password, or where nobody has one, to prove the address once more; unless an
/// operator wants nobody in.
async fn send_way_back(tx: &mut Tx, app: &App, ctx: &Ctx, user: &User) -> onesql::Result<()> {
    if user.disabled_at.is_some() {
        return Ok(());
    }
    if passwords::are_on(app) {
        recovery::send_reset(tx, app, ctx, user).await?;
    } else {
        registration::send_way_back(tx, app, ctx, user).await?;
    }
    Ok(())
}
