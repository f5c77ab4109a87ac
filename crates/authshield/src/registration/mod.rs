//! Opening an account.
//!
//! ```text
//! POST /auth/register ─ http::register ─ register
//!     Limits::spend        too much mail to this address?
//!     passwords::choose    the rules, which depend on nothing secret; and the hash, always, so
//!                          that a known address takes the same time
//!     one transaction      the account, its role, its link, its mail; or, if the address is known,
//!                          a mail that says so
//! ```
//!
//! An account that nobody verified belongs to nobody: a new registration replaces its password and
//! its name, and links of earlier mails die. So who registers somebody else's address first has
//! gained nothing when the owner comes.

pub mod http;

use onesql::Tx;
use secrecy::SecretString;

use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::config::DuplicateEmail;
use crate::kernel::{EmailAddress, FullName, LinkToken, Locale, MailId, UserId};
use crate::limits::rules::MAIL_PER_RECIPIENT;
use crate::links::{self, Purpose};
use crate::mail::Letter;
use crate::passwords::{Overloaded, Rejected, Weakness};

/// Why no account was opened.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Strangers may not open accounts here.
    #[error("registration is closed")]
    Closed,

    /// The password is too easy to guess.
    #[error("the password is too weak")]
    Weak(Vec<Weakness>),

    /// The address has an account, and the configuration allows to say so.
    #[error("the address is registered")]
    AlreadyRegistered,

    /// The setup link is not valid, or somebody else used one.
    #[error("the setup link is not valid")]
    InvalidLink,

    /// There were too many tries.
    #[error("too many mails to one address")]
    Limited(crate::limits::Exceeded),

    /// There is too much to do.
    #[error("too many sign-ins at once")]
    Overloaded(#[from] Overloaded),

    /// We could not find out.
    #[error("the store failed during registration")]
    Store(#[from] onesql::Error),
}

impl From<Rejected> for RegisterError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Weak(found) => Self::Weak(found),
            Rejected::Overloaded(overloaded) => Self::Overloaded(overloaded),
        }
    }
}

/// What somebody says of themselves.
pub struct Newcomer {
    /// The address that mail will go to.
    pub email: EmailAddress,
    /// The password, not yet judged.
    pub password: SecretString,
    /// What they are called.
    pub full_name: Option<FullName>,
    /// Which language they read.
    pub locale: Option<Locale>,
}

/// Opens an account, or sends a mail that there is one: the answer is the same.
pub async fn register(app: &App, ctx: &Ctx, newcomer: Newcomer) -> Result<(), RegisterError> {
    if !app.live.load().registration.enabled {
        return Err(RegisterError::Closed);
    }
    let Newcomer { email, password, full_name, locale } = newcomer;
    app.limits
        .spend(&MAIL_PER_RECIPIENT, email.as_str(), ctx.now)
        .await
        .map_err(RegisterError::Limited)?;
    let hash = crate::passwords::choose(app, &password, &email, full_name.as_ref()).await?;
    let user = User {
        id: UserId::new(ctx.world()),
        email,
        full_name,
        locale: locale.unwrap_or_else(|| default_locale(app)),
        email_verified_at: None,
        disabled_at: None,
        created_at: ctx.now,
        updated_at: ctx.now,
        roles: vec!["user".to_owned()],
    };

    let mut tx = app.store.write().await?;
    let known = !accounts::create(&mut tx, &user, Some(&hash)).await?;
    let owner = if known {
        let (email, locale) = (&user.email, &user.locale);
        let full_name = user.full_name.as_ref();
        accounts::take_over_unverified(&mut tx, email, full_name, locale, &hash, ctx.now).await?
    } else {
        accounts::give_role(&mut tx, user.id, "user", None, ctx.now).await?;
        Some(user.id)
    };
    match owner {
        Some(owner) => {
            let user = User { id: owner, ..user };
            links::withdraw(&mut tx, owner, Purpose::VerifyEmail).await?;
            send_verification(&mut tx, app, ctx, &user).await?;
            audit::record(&mut tx, app, ctx, &Event::RegisterSucceeded { user: owner }).await?;
        }
        None => already_registered(&mut tx, app, ctx, &user.email).await?,
    }
    tx.commit().await?;
    app.outbox.wake();
    if known
        && owner.is_none()
        && app.live.load().registration.duplicate_email == DuplicateEmail::Reveal
    {
        return Err(RegisterError::AlreadyRegistered);
    }
    Ok(())
}

/// Tells the owner of an account that somebody wanted to open it again.
async fn already_registered(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
) -> onesql::Result<()> {
    let account = accounts::by_email(tx, email).await?;
    if let Some(account) = &account
        && account.user.disabled_at.is_none()
    {
        let mail = app.outbox.next();
        let token = crate::recovery::issue(tx, app, ctx, &account.user, mail).await?;
        let link = Some(links::url(&app.config.mail.link_reset_password, &token));
        let letter = Letter::AlreadyRegistered { link };
        app.outbox.put_as(mail, tx, &account.user.recipient(), &letter, ctx.now).await?;
    }
    let failed = Event::RegisterFailed {
        user: account.map(|account| account.user.id),
        email: email.as_str().to_owned(),
        reason: "already_registered",
    };
    audit::record(tx, app, ctx, &failed).await
}

/// Puts a link to prove the address of `user` into the outbox.
pub async fn send_verification(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
) -> onesql::Result<MailId> {
    let mail = app.outbox.next();
    let new = links::New {
        purpose: Purpose::VerifyEmail,
        user: Some(user.id),
        email: Some(&user.email),
        mail: Some(mail),
        lasts: app.config.verification.ttl,
    };
    let token = links::issue(tx, app, ctx, new).await?;
    let letter =
        Letter::VerifyEmail { link: links::url(&app.config.mail.link_verify_email, &token) };
    app.outbox.put_as(mail, tx, &user.recipient(), &letter, ctx.now).await?;
    Ok(mail)
}

/// Makes the first administrator of an empty installation, with the link that `serve` prints.
///
/// Of two who try at once, one gets it: the link is used up by one statement, and the role's lock
/// makes the second see the first.
pub async fn set_up(
    app: &App,
    ctx: &Ctx,
    token: &LinkToken,
    newcomer: Newcomer,
) -> Result<User, RegisterError> {
    let Newcomer { email, password, full_name, locale } = newcomer;
    let hash = crate::passwords::choose(app, &password, &email, full_name.as_ref()).await?;
    let user = User {
        id: UserId::new(ctx.world()),
        email,
        full_name,
        locale: locale.unwrap_or_else(|| default_locale(app)),
        email_verified_at: Some(ctx.now),
        disabled_at: None,
        created_at: ctx.now,
        updated_at: ctx.now,
        roles: vec!["admin".to_owned(), "user".to_owned()],
    };
    let mut tx = app.store.write().await?;
    crate::roles::lock_admins(&mut tx).await?;
    let setup = [Purpose::Setup, Purpose::Setup];
    if links::redeem(&mut tx, app, token, setup, ctx.now).await?.is_none()
        || crate::roles::other_admins(&mut tx, user.id).await? > 0
    {
        return Err(RegisterError::InvalidLink);
    }
    if !accounts::create(&mut tx, &user, Some(&hash)).await? {
        return Err(RegisterError::AlreadyRegistered);
    }
    for role in &user.roles {
        accounts::give_role(&mut tx, user.id, role, None, ctx.now).await?;
    }
    links::withdraw_setup(&mut tx).await?;
    audit::record(&mut tx, app, ctx, &Event::SetupCompleted { user: user.id }).await?;
    tx.commit().await?;
    Ok(user)
}

/// The language of somebody who did not say.
#[must_use]
pub fn default_locale(app: &App) -> Locale {
    app.config.mail.default_locale.parse().unwrap_or_else(|_| "en".parse().expect("a language tag"))
}
