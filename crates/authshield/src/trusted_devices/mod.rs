//! Devices on which a sign-in does without the second factor, for a while.
//!
//! ```text
//! POST /auth/2fa/verify      with `trust_device`: a secret for the device, its keyed hash for us ─ trust
//! POST /auth/login, …        with `trust_token`: is it one of this account, and not over? ─ spares
//! GET  /users/me/trusted-devices, DELETE …/{id}    the own ones ─ list, remove
//! GET, DELETE /admin/users/{id}/trusted-devices    those of others
//! ```
//!
//! A device spares the second factor at sign-in, and nothing else: the session says how it was opened (`amr`,
//! `acr`), and what cannot be taken back asks for the second factor as ever (`second_factor::fresh`). Nor does it
//! count where a rule of risk wants more.
//!
//! It ends by itself, by its owner or an administrator, and with everything that signs out everywhere:
//! `sessions::end_all` is the one place of that. Whoever is signed in by it at that instant is signed out, too:
//! both hold the account.

pub mod http;
mod rules;
mod sql;

use std::time::Duration;

use onesql::Tx;

pub use sql::TrustedDevice;

use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{Timestamp, TrustToken, TrustedDeviceId, UserId};

/// How many devices of one account are trusted at once; the oldest goes.
const AT_MOST: i64 = 20;

/// What a device keeps that is trusted from now on.
pub struct Trusted {
    /// To be shown at the next sign-ins of the same account.
    pub token: TrustToken,
    /// How long it works.
    pub lasts: Duration,
}

/// Returns how long a device of somebody may be trusted; nothing, where it may not be.
#[must_use]
pub fn offered(app: &App, user: &User) -> Option<Duration> {
    let ttl = app.live.load().second_factor.trusted_device_ttl;
    let policy = &app.config.second_factor;
    let except = [&policy.trusted_device_except[..], &policy.required_for[..]];
    rules::is_offered(ttl, user.second_factor_at, &user.roles, except).then_some(ttl)
}

/// Trusts the client's device, in the transaction in which its owner showed the second factor and that holds the
/// account; nothing, where that is not offered.
pub async fn trust(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
) -> onesql::Result<Option<Trusted>> {
    let Some(lasts) = offered(app, user) else { return Ok(None) };
    let token = TrustToken::new(ctx.world());
    let device = TrustedDevice {
        id: TrustedDeviceId::new(ctx.world()),
        device: ctx.device.label(),
        ip_address: ctx.client.ip.to_string(),
        created_at: ctx.now,
        last_used_at: None,
        expires_at: ctx.now + lasts,
    };
    sql::insert(tx, user.id, hash(app, &token), &device).await?;
    sql::keep_newest(tx, user.id, AT_MOST).await?;
    let added =
        Event::TrustedDeviceAdded { user: user.id, device: device.id, until: device.expires_at };
    audit::record(tx, app, ctx, &added).await?;
    Ok(Some(Trusted { token, lasts }))
}

/// Whether the device that shows `token` spares somebody their second factor. The account is held from then on,
/// as by everything that ends such devices.
pub async fn spares(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    token: Option<&TrustToken>,
) -> onesql::Result<bool> {
    let (Some(token), Some(ttl)) = (token, offered(app, user)) else { return Ok(false) };
    accounts::lock(tx, user.id).await?;
    let shown = sql::Shown {
        token_hash: hash(app, token),
        user: user.id,
        ip_address: ctx.client.ip.to_string(),
        now: ctx.now,
        oldest: ctx.now - ttl,
    };
    let Some(device) = sql::use_again(tx, shown).await? else { return Ok(false) };
    let used = Event::TrustedDeviceUsed { user: user.id, device };
    audit::record(tx, app, ctx, &used).await?;
    Ok(true)
}

/// Lists the devices of somebody that are trusted, newest first.
pub async fn list(app: &App, ctx: &Ctx, owner: UserId) -> onesql::Result<Vec<TrustedDevice>> {
    of(&mut app.store.glance().await?, app, owner, ctx.now).await
}

/// The same, in a transaction.
pub async fn of(
    tx: &mut Tx,
    app: &App,
    owner: UserId,
    now: Timestamp,
) -> onesql::Result<Vec<TrustedDevice>> {
    let ttl = app.live.load().second_factor.trusted_device_ttl;
    let mut devices = sql::of(tx, owner, now, now - ttl).await?;
    for device in &mut devices {
        device.expires_at = rules::end(device.created_at, device.expires_at, ttl);
    }
    Ok(devices)
}

/// Trusts one of somebody's devices no more; `false` if it is not theirs, or was not trusted.
pub async fn remove(
    app: &App,
    ctx: &Ctx,
    owner: UserId,
    device: TrustedDeviceId,
) -> onesql::Result<bool> {
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, owner).await?;
    if !sql::delete(&mut tx, owner, device).await? {
        return Ok(false);
    }
    let removed = Event::TrustedDeviceRemoved {
        actor: Some(owner),
        user: owner,
        device: Some(device),
        count: 1,
        reason: "user_removed",
    };
    audit::record(&mut tx, app, ctx, &removed).await?;
    tx.commit().await?;
    Ok(true)
}

/// Trusts no device of somebody any more, as an administrator.
pub async fn remove_all(app: &App, ctx: &Ctx, actor: UserId, owner: UserId) -> onesql::Result<()> {
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, owner).await?;
    end_all(&mut tx, app, ctx, Some(actor), owner, "admin_removed").await?;
    tx.commit().await
}

/// Trusts no device of somebody any more whose account `tx` holds.
pub async fn end_all(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    owner: UserId,
    reason: &'static str,
) -> onesql::Result<()> {
    let count = sql::delete_all(tx, owner).await?;
    if count == 0 {
        return Ok(());
    }
    let removed = Event::TrustedDeviceRemoved { actor, user: owner, device: None, count, reason };
    audit::record(tx, app, ctx, &removed).await
}

fn hash(app: &App, token: &TrustToken) -> Vec<u8> {
    token.hash(&app.secrets.token_hash).to_vec()
}
