//! Seeing and changing one's own account.
//!
//! ```text
//! GET   /users/me         the account behind the access token
//! PATCH /users/me         name and language
//! POST  /users/me/email   a new address: proved by a link to it, and the old one is told
//! POST  /auth/change-password
//! ```

pub mod http;
mod sql;
mod user;

use onesql::Tx;
use secrecy::SecretString;

pub use sql::{
    ask_by_email, await_recovery, awaits_recovery, by_email, by_id, create, delete,
    delete_unproved, delete_unverified, end_recovery, give_role, hold_by_email, lock,
    mark_verified, members, no_users, set_disabled, set_email, set_password, set_profile,
    upgrade_hash,
};
pub use user::{Account, User};
pub(crate) use user::{user_columns, user_columns_without_roles};

use crate::access::Caller;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::domains;
use crate::evenly;
use crate::guessing::{self, GuessError, Owner};
use crate::kernel::{EmailAddress, FullName, Locale, SessionId, UserId};
use crate::limits::rules::MAIL_PER_RECIPIENT;
use crate::links::{self, Purpose};
use crate::mail::{Letter, Recipient};
use crate::passwords::{self, Chooser, Overloaded, Rejected, Verdict, Weakness};
use crate::telemetry::to_the_end;
use crate::{browser, login, second_factor, sessions};

/// Why an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The current password is wrong.
    #[error("the current password is wrong")]
    WrongPassword,

    /// The new password is the current one.
    #[error("the new password is the current one")]
    SamePassword,

    /// The new password is too easy to guess.
    #[error("the new password is too weak")]
    Weak(Vec<Weakness>),

    /// Nobody has a password here.
    #[error(transparent)]
    PasswordsOff(#[from] passwords::Off),

    /// The password was changed by somebody else at the same time.
    #[error("the account changed at the same time")]
    Raced,

    /// Nobody keeps addresses of that domain.
    #[error("the domain of the address is refused")]
    DomainRefused,

    /// Who it is was shown too long ago.
    #[error("the proof is too old")]
    StepUp(#[from] second_factor::StepUp),

    /// There were too many tries.
    #[error("too many tries")]
    Limited(crate::limits::Exceeded),

    /// There is too much to do.
    #[error("too many sign-ins at once")]
    Overloaded(#[from] Overloaded),

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

impl From<Rejected> for ChangeError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Weak(found) => Self::Weak(found),
            Rejected::Off(off) => off.into(),
            Rejected::Overloaded(overloaded) => Self::Overloaded(overloaded),
        }
    }
}

impl From<crate::limits::Exceeded> for ChangeError {
    fn from(exceeded: crate::limits::Exceeded) -> Self {
        Self::Limited(exceeded)
    }
}

impl From<GuessError> for ChangeError {
    fn from(error: GuessError) -> Self {
        match error {
            GuessError::Limited(exceeded) => Self::Limited(exceeded),
            GuessError::Store(error) => Self::Store(error),
        }
    }
}

/// What becomes of a value that may be missing.
#[derive(Debug, Clone, Default)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It becomes this, or nothing.
    To(Option<T>),
}

/// Changes name and language; what is kept or `None` stays as it is. Returns the account as it is
/// then, or nothing if it was deleted at this instant.
pub async fn change_profile(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    full_name: Change<FullName>,
    locale: Option<Locale>,
) -> onesql::Result<Option<User>> {
    let mut fields = Vec::new();
    if matches!(full_name, Change::To(_)) {
        fields.push("full_name");
    }
    if locale.is_some() {
        fields.push("locale");
    }
    if fields.is_empty() {
        return Ok(Some(caller.user.clone()));
    }
    let user = caller.user.id;
    let mut tx = app.store.write().await?;
    sql::set_profile(&mut tx, user, full_name, locale, ctx.now).await?;
    let Some(account) = sql::by_id(&mut tx, user).await? else { return Ok(None) };
    audit::record(&mut tx, app, ctx, &Event::ProfileChanged { user, fields }).await?;
    tx.commit().await?;
    Ok(Some(account.user))
}

/// Sets a new password for somebody who knows the current one; every other session ends.
pub async fn change_password(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    current: SecretString,
    new: SecretString,
) -> Result<(), ChangeError> {
    let user = &caller.user;
    passwords::must_be_on(app)?;
    let reason = "change_password";
    let account = second_factor::fresh_or_now(app, ctx, caller, Some(&current), reason).await?;
    if crate::passwords::same(&current, &new) {
        return Err(ChangeError::SamePassword);
    }
    let hash = passwords::choose(app, ctx, &new, user.chooser("change")).await?;

    let mut tx = app.store.write().await?;
    if !sql::replace_password(&mut tx, user.id, account.password_hash.as_deref(), &hash, ctx.now)
        .await?
    {
        return Err(ChangeError::Raced);
    }
    password_was_set(&mut tx, app, ctx, user, Some(caller.session), "password_changed").await?;
    browser::withdraw(&mut tx, caller.session).await?;
    audit::record(&mut tx, app, ctx, &Event::PasswordChanged { user: user.id }).await?;
    tx.commit().await?;
    Ok(())
}

/// What follows every new password: other sessions end, open links and sign-ins that wait for a second
/// factor die, the owner is told.
pub async fn password_was_set(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    keep: Option<SessionId>,
    reason: &'static str,
) -> onesql::Result<()> {
    let count = sessions::end_all(tx, app, ctx, user.id, keep, reason).await?;
    if count > 0 {
        let revoked = Event::SessionsRevoked {
            actor: Some(user.id),
            user: user.id,
            session: None,
            count,
            reason,
        };
        audit::record(tx, app, ctx, &revoked).await?;
    }
    links::withdraw(tx, user.id, Purpose::ResetPassword).await?;
    links::withdraw(tx, user.id, Purpose::ChangeEmail).await?;
    login::withdraw(tx, user.id).await?;
    // Who had no address that was proved has nobody to be warned.
    if user.email_verified_at.is_some() {
        app.outbox.put(tx, &user.recipient(), &Letter::PasswordChanged, ctx.now).await?;
    }
    Ok(())
}

/// Begins the change of an address: a link goes to the new one, a notice to the old one. Whoever does it shows
/// the password, or proved not long ago who they are.
pub async fn change_email(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    new: EmailAddress,
    password: Option<&SecretString>,
) -> Result<(), ChangeError> {
    let user = &caller.user;
    let account = second_factor::fresh_or_now(app, ctx, caller, password, "change_email").await?;
    if !domains::judge(app, ctx, &new, "email_change").await? {
        return Err(ChangeError::DomainRefused);
    }
    app.limits.spend(&MAIL_PER_RECIPIENT, new.as_str(), ctx.now).await?;

    let asked = evenly::Question::now();
    let mut tx = app.store.write().await?;
    // A reset that ended meanwhile must not leave a pending change behind.
    if !sql::hold(&mut tx, user.id, account.password_hash.as_deref()).await? {
        return Err(ChangeError::Raced);
    }
    links::withdraw(&mut tx, user.id, Purpose::ChangeEmail).await?;
    let reason = match sql::by_email(&mut tx, &new).await?.map(|account| account.user) {
        Some(taken) if taken.id == user.id => Some("same_address"),
        Some(User { disabled_at: Some(_), .. }) => Some("user_disabled"),
        Some(taken) if taken.email_verified_at.is_some() => {
            let letter = Letter::AlreadyRegistered { link: None };
            app.outbox.put(&mut tx, &taken.recipient(), &letter, ctx.now).await?;
            Some("already_registered")
        }
        // An address that nobody proved is whose who proves it.
        _ => {
            let mail = app.outbox.next();
            let link = links::New {
                purpose: Purpose::ChangeEmail,
                user: Some(user.id),
                email: Some(&new),
                mail: Some(mail),
                lasts: app.config.verification.ttl,
            };
            let token = links::issue(&mut tx, app, ctx, link).await?;
            let letter = Letter::ConfirmNewEmail {
                link: links::url(&app.config.mail.link_verify_email, &token),
            };
            let recipient = Recipient { email: new.as_str().to_owned(), ..user.recipient() };
            app.outbox.put_as(mail, &mut tx, &recipient, &letter, ctx.now).await?;
            None
        }
    };
    // Whatever comes of it, or the owner's own mailbox would tell them who else has an account.
    if reason != Some("same_address") {
        let notice = Letter::EmailChanging { new_email_masked: new.masked() };
        app.outbox.put(&mut tx, &user.recipient(), &notice, ctx.now).await?;
    }
    let requested = Event::EmailChangeRequested { user: user.id, reason };
    audit::record(&mut tx, app, ctx, &requested).await?;
    tx.commit().await?;
    asked.until_step().await;
    Ok(())
}

/// Asks for the password again, before something that cannot be taken back; `reason` says what, for
/// the audit trail.
pub async fn confirm(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    password: &SecretString,
    reason: &'static str,
) -> Result<Account, ChangeError> {
    passwords::must_be_on(app)?;
    app.passwords.admit()?;
    let (app, ctx, password) = (app.clone(), ctx.clone(), password.clone());
    let (user, session) = (caller.user.clone(), caller.session);
    // As where one signs in: what was counted is judged, and told.
    to_the_end(async move { judge(&app, &ctx, &user, session, &password, reason).await }).await
}

async fn judge(
    app: &App,
    ctx: &Ctx,
    user: &User,
    session: SessionId,
    password: &SecretString,
    reason: &'static str,
) -> Result<Account, ChangeError> {
    let attempt = guessing::begin(app, ctx, &user.email, true, Some(session)).await?;
    let account = sql::by_id(&mut app.store.glance().await?, user.id).await?;
    let hash = account.as_ref().and_then(|account| account.password_hash.as_deref());
    let verdict = match app.passwords.verify(password, hash.filter(|_| !attempt.is_locked())).await
    {
        Ok(verdict) => verdict,
        Err(overloaded) => {
            guessing::take_back(app, ctx, &attempt).await?;
            return Err(overloaded.into());
        }
    };
    if let (Some(account), Verdict::Right { .. }, false) = (account, verdict, attempt.is_locked()) {
        guessing::confirmed(app, ctx, &attempt).await?;
        return Ok(account);
    }
    let mut tx = app.store.write().await?;
    audit::record(&mut tx, app, ctx, &Event::PasswordMismatch { user: user.id, reason }).await?;
    guessing::failed(&mut tx, app, ctx, &attempt, &user.email, Some(user.into())).await?;
    tx.commit().await?;
    Err(ChangeError::WrongPassword)
}

impl User {
    /// Returns who chooses a password for this account.
    #[must_use]
    pub fn chooser(&self, at: &'static str) -> Chooser<'_> {
        let (email, full_name) = (&self.email, self.full_name.as_ref());
        Chooser { at, user: Some(self.id), email, full_name }
    }

    /// Returns the stored address, and how to speak to its owner.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient {
            user: Some(self.id),
            email: self.email.as_str().to_owned(),
            name: self.full_name.as_ref().map(|name| name.as_str().to_owned()),
            locale: self.locale.as_str().to_owned(),
        }
    }
}

impl From<&User> for Owner {
    fn from(user: &User) -> Self {
        let has_proved = user.email_verified_at.is_some() && user.disabled_at.is_none();
        Self { user: user.id, letters_to: has_proved.then(|| user.recipient()) }
    }
}

/// Whether an account has a password, and people show them here.
pub async fn has_password(app: &App, id: UserId) -> onesql::Result<bool> {
    if !passwords::are_on(app) {
        return Ok(false);
    }
    let account = sql::by_id(&mut app.store.glance().await?, id).await?;
    Ok(account.is_some_and(|account| account.password_hash.is_some()))
}

/// Returns the account of `id`, or nothing.
pub async fn see(app: &App, id: UserId) -> onesql::Result<Option<User>> {
    Ok(sql::by_id(&mut app.store.glance().await?, id).await?.map(|account| account.user))
}
