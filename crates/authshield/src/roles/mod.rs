//! Roles: what an account may do, here and in the applications behind.
//!
//! `user`, `moderator` and `admin` are built in; operators add others, which mean something to their
//! applications only. Whoever changes who is an administrator first takes the row of the role
//! `admin`, so that such changes queue behind each other and the last one cannot be lost.

mod sql;

use onesql::Tx;

pub use sql::{Role, all, create, delete};

use crate::access::{ChangeRoles, ChangeStatus, Permission, grants};
use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::UserId;
use crate::{
    guessing, links, login, own_data, passwords, registration, revocations, second_factor, sessions,
};

/// The role that may do everything.
pub const ADMIN: &str = "admin";

/// Why the roles or the status of an account were not changed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is no such account.
    #[error("there is no such user")]
    NoSuchUser,

    /// There is no such role.
    #[error("there is no role {0:?}")]
    NoSuchRole(String),

    /// Whoever asked lost the right to, while the request was on its way.
    #[error("the right to {0} was lost meanwhile")]
    NotAllowed(&'static str),

    /// Administrators cannot take the role from themselves.
    #[error("an administrator cannot remove the own role")]
    OwnRole,

    /// Nobody takes the own second factor away as an administrator.
    #[error("an administrator cannot reset the own second factor")]
    OwnFactors,

    /// Nobody would be left.
    #[error("the last administrator cannot be lost")]
    LastAdmin,

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

impl AdminError {
    fn reason(&self) -> &'static str {
        match self {
            Self::NoSuchUser => "no_such_user",
            Self::NoSuchRole(_) => "no_such_role",
            Self::NotAllowed(_) => "not_allowed",
            Self::OwnRole => "own_role",
            Self::OwnFactors => "own_second_factor",
            Self::LastAdmin => "last_admin",
            Self::Store(_) => "store_failed",
        }
    }
}

/// Makes all who change administrators wait for the end of `tx`.
pub async fn lock_admins(tx: &mut Tx) -> onesql::Result<()> {
    sql::lock(tx, ADMIN).await
}

/// Fails unless `actor` may still do what `permission` names. Who asked was found out before others
/// who change administrators were waited for.
pub async fn still_allowed(
    tx: &mut Tx,
    actor: Option<UserId>,
    permission: &'static str,
) -> Result<(), AdminError> {
    let Some(actor) = actor else { return Ok(()) };
    let actor = accounts::by_id(tx, actor).await?.map(|account| account.user);
    let allowed =
        actor.is_some_and(|user| user.disabled_at.is_none() && grants(&user.roles, permission));
    if allowed { Ok(()) } else { Err(AdminError::NotAllowed(permission)) }
}

/// Counts the administrators besides `user` that may sign in.
pub async fn other_admins(tx: &mut Tx, user: UserId) -> onesql::Result<i64> {
    sql::other_holders(tx, ADMIN, user).await
}

/// Gives an account exactly these roles.
pub async fn set_roles(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
    wanted: Vec<String>,
) -> Result<User, AdminError> {
    change(app, ctx, actor, user, |_| wanted).await
}

/// Gives an account one role more, whatever else is changed at the same time.
pub async fn grant(app: &App, ctx: &Ctx, user: UserId, role: String) -> Result<User, AdminError> {
    change(app, ctx, None, user, |mut roles| {
        roles.push(role);
        roles
    })
    .await
}

/// Takes one role from an account, whatever else is changed at the same time.
pub async fn revoke(app: &App, ctx: &Ctx, user: UserId, role: &str) -> Result<User, AdminError> {
    change(app, ctx, None, user, |mut roles| {
        roles.retain(|one| one != role);
        roles
    })
    .await
}

async fn change(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
    wanted: impl FnOnce(Vec<String>) -> Vec<String>,
) -> Result<User, AdminError> {
    let mut tx = app.store.write().await?;
    match change_roles(&mut tx, app, ctx, actor, user, wanted).await {
        Ok(user) => {
            tx.commit().await?;
            Ok(user)
        }
        Err(error) => Err(refused(tx, app, ctx, actor, user, error).await),
    }
}

async fn change_roles(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
    wanted: impl FnOnce(Vec<String>) -> Vec<String>,
) -> Result<User, AdminError> {
    lock_admins(tx).await?;
    still_allowed(tx, actor, ChangeRoles::NAME).await?;
    accounts::lock(tx, user).await?;
    let before = accounts::by_id(tx, user).await?.ok_or(AdminError::NoSuchUser)?.user;
    let mut wanted = wanted(before.roles.clone());
    wanted.sort();
    wanted.dedup();
    let known = sql::all(tx).await?;
    if let Some(unknown) = wanted.iter().find(|role| known.iter().all(|one| one.name != **role)) {
        return Err(AdminError::NoSuchRole(unknown.clone()));
    }
    let loses_admin =
        before.roles.iter().any(|role| role == ADMIN) && !wanted.iter().any(|role| role == ADMIN);
    if loses_admin && actor == Some(user) {
        return Err(AdminError::OwnRole);
    }
    if loses_admin && before.disabled_at.is_none() && other_admins(tx, user).await? == 0 {
        return Err(AdminError::LastAdmin);
    }
    for role in before.roles.iter().filter(|role| !wanted.contains(role)) {
        sql::take(tx, user, role).await?;
    }
    for role in wanted.iter().filter(|role| !before.roles.contains(role)) {
        accounts::give_role(tx, user, role, actor, ctx.now).await?;
        if role == ADMIN {
            links::withdraw_setup(tx).await?;
        }
    }
    if before.roles == wanted {
        return Ok(before);
    }
    let epoch = revocations::rights_changed(tx, user).await?;
    let (former, after) = (before.roles.clone(), wanted.clone());
    let changed = Event::RolesChanged { actor, user, before: former, after };
    audit::record(tx, app, ctx, &changed).await?;
    let holder = User { roles: wanted, epoch, ..before };
    second_factor::end_missing(tx, app, ctx, actor, &holder).await?;
    Ok(holder)
}

/// Disables or enables an account; a disabled one loses its sessions at once.
pub async fn set_active(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
    is_active: bool,
) -> Result<User, AdminError> {
    let mut tx = app.store.write().await?;
    match change_active(&mut tx, app, ctx, actor, user, is_active).await {
        Ok(user) => {
            tx.commit().await?;
            Ok(user)
        }
        Err(error) => Err(refused(tx, app, ctx, actor, user, error).await),
    }
}

async fn change_active(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
    is_active: bool,
) -> Result<User, AdminError> {
    lock_admins(tx).await?;
    still_allowed(tx, actor, ChangeStatus::NAME).await?;
    let before = accounts::by_id(tx, user).await?.ok_or(AdminError::NoSuchUser)?.user;
    if !is_active {
        may_go(tx, &before).await?;
    }
    if !accounts::set_disabled(tx, user, !is_active, ctx.now).await? {
        return Ok(before);
    }
    if !is_active {
        sessions::end_all(tx, app, ctx, user, None, "user_disabled").await?;
        own_data::keep(tx, app, ctx, &before, Some("user_disabled")).await?;
    }
    if is_active {
        // A sign-in that waited meanwhile for a second factor begins anew.
        login::withdraw(tx, user).await?;
        // Who chooses no password, since nobody has one, shows by mail that it is them.
        if !passwords::are_on(app) && accounts::awaits_recovery(tx, user).await? {
            registration::send_way_back(tx, app, ctx, &before).await?;
        }
    }
    audit::record(tx, app, ctx, &Event::StatusChanged { actor, user, is_active }).await?;
    let disabled_at = (!is_active).then_some(ctx.now);
    Ok(User { disabled_at, updated_at: ctx.now, ..before })
}

/// Deletes an account and all that belongs to it; the audit trail stays.
pub async fn delete_user(app: &App, ctx: &Ctx, user: UserId) -> Result<(), AdminError> {
    let mut tx = app.store.write().await?;
    lock_admins(&mut tx).await?;
    let before = accounts::by_id(&mut tx, user).await?.ok_or(AdminError::NoSuchUser)?.user;
    may_go(&mut tx, &before).await?;
    remove(&mut tx, app, ctx, &before, None).await?;
    tx.commit().await?;
    Ok(())
}

/// Fails if nobody else would look after the installation without `user`. Only where the others who
/// change administrators wait ([`lock_admins`]).
pub async fn may_go(tx: &mut Tx, user: &User) -> Result<(), AdminError> {
    let is_admin = user.roles.iter().any(|role| role == ADMIN) && user.disabled_at.is_none();
    if is_admin && other_admins(tx, user.id).await? == 0 {
        return Err(AdminError::LastAdmin);
    }
    Ok(())
}

/// Deletes an account and all that belongs to it; the audit trail stays. `reason` says who wanted it,
/// unless an operator did.
pub async fn remove(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    reason: Option<&'static str>,
) -> onesql::Result<()> {
    accounts::delete(tx, user.id).await?;
    registration::forget(tx, &user.email, ctx.now).await?;
    guessing::forget(tx, app, ctx, &user.email).await?;
    audit::record(tx, app, ctx, &Event::UserDeleted { user: user.id, reason }).await
}

/// Undoes what was begun, and notes who tried.
pub async fn refused(
    tx: Tx,
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
    error: AdminError,
) -> AdminError {
    drop(tx);
    if matches!(error, AdminError::Store(_) | AdminError::NoSuchUser) {
        return error;
    }
    let refused = Event::AdminRefused { actor, user, reason: error.reason() };
    match audit::record_alone(app, ctx, &refused).await {
        Ok(()) => error,
        Err(store) => store.into(),
    }
}
