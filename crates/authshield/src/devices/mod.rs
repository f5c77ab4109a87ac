//! Where somebody signed in before: a new device, or a new place, is told to the owner of the account.
//!
//! ```text
//! open        in the transaction of a sign-in; open_from_known where the account was read together with the device
//!   sql       the session, if it may open; this device and network, once more; what else is known
//!   rules     is it new, and is it told?  (pure)
//!   links     a link by which the owner says that it was somebody else ─ lockdown::not_me
//! ```
//!
//! A device is what it calls itself (`Firefox on Linux`) in a network: the same browser elsewhere is new, and
//! so is another one at home. Whoever steals a password can copy the first and seldom has the second.

mod rules;
mod sql;

use onesql::Tx;

pub(crate) use sql::known_device;
pub use sql::{ExportedDevice, Network, forget_since, of};

use crate::accounts::User;
use crate::app::{App, Ctx};
use crate::kernel::UserId;
use crate::links::{self, Purpose};
use crate::mail::Letter;
use crate::sessions::Opening;
use rules::{KEPT, RECENT, Seen};

/// Opens a session and remembers where the sign-in came from; `None` if the session may not open, else whether the
/// account was used before, but never from there. Then its owner gets a mail, a few a day at most.
pub async fn open(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    opening: Opening<'_>,
) -> onesql::Result<Option<bool>> {
    let device = here(app, ctx, user.id);
    let Some(noted) = sql::open(tx, opening, device, ctx.now - RECENT).await? else {
        return Ok(None);
    };
    if noted.sign_ins > 1 {
        return Ok(Some(false));
    }
    let seen = rules::judge(noted.others, noted.recent, user.created_at, ctx.now);
    if let Seen::New { is_told: true } = seen {
        tell(tx, app, ctx, user, ctx.device.label()).await?;
    }
    Ok(Some(matches!(seen, Seen::New { .. })))
}

/// The same where the device is known, as [`is_known_as`] tells; the commit fails with [`onesql::Error::Unmet`] if the
/// session may not open, or if the device was forgotten meanwhile.
pub async fn open_from_known(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: UserId,
    opening: Opening<'_>,
) -> onesql::Result<()> {
    sql::open_from_known(tx, opening, here(app, ctx, user)).await
}

/// Whether this is what the device from which somebody signs in is kept under.
#[must_use]
pub fn is_known_as(app: &App, ctx: &Ctx, user: UserId, device: &[u8]) -> bool {
    device == key(app, ctx, user)
}

/// Returns where somebody signed in before, the last first; if with the client's kind of device in its network, only
/// there.
pub async fn networks(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: UserId,
) -> onesql::Result<Vec<Network>> {
    sql::networks(tx, user, key(app, ctx, user), ctx.now).await
}

/// The device from which somebody signs in.
fn here(app: &App, ctx: &Ctx, user: UserId) -> sql::Device {
    sql::Device {
        key: key(app, ctx, user),
        network: ctx.client.network(),
        expires_at: ctx.now + KEPT,
    }
}

/// What a device is kept under.
fn key(app: &App, ctx: &Ctx, user: UserId) -> Vec<u8> {
    let (label, network) = (ctx.device.label(), ctx.client.network());
    app.secrets.email_hash.hash(&format!("{user}\0device\0{label}\0{network}")).to_vec()
}

async fn tell(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    device: String,
) -> onesql::Result<()> {
    let mail = app.outbox.next();
    let new = links::New {
        purpose: Purpose::NotMe,
        user: Some(user.id),
        email: Some(&user.email),
        mail: Some(mail),
        lasts: app.config.recovery.not_me_ttl,
    };
    let token = links::issue(tx, app, ctx, new).await?;
    let ip = ctx.client.ip;
    let letter = Letter::NewDevice {
        link: links::url(&app.config.mail.link_not_me, &token),
        device,
        place: match app.geoip.country(ip) {
            Some(country) => format!("{ip} ({country})"),
            None => ip.to_string(),
        },
    };
    app.outbox.put_as(mail, tx, &user.recipient(), &letter, ctx.now).await?;
    Ok(())
}
