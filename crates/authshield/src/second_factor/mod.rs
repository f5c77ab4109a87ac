//! A second factor: codes of an authenticator app (RFC 6238), and recovery codes for the day when it is
//! lost.
//!
//! ```text
//! POST /auth/2fa/enable   the password again, or a fresh session; a secret that counts once a code of it was shown
//! POST /auth/2fa/confirm  that code, in the same session: recovery codes, shown once; every other
//!                         session ends
//! POST /auth/login        with the right password: a ticket instead of a session ─ ask
//! POST /auth/2fa/passkey  a challenge for a passkey in the place of a code ─ challenge
//! POST /auth/2fa/verify   ticket and code, or ticket and passkey: the session
//!     sql::try_once       one of the ticket's tries is spent before the code is looked at
//!     prove               the code works once, whoever shows it, where and for what
//! POST /auth/2fa/disable, /auth/2fa/recovery-codes     the same, and a code
//! POST /auth/2fa/enrol, /enrol/confirm    the same as enable and confirm, with a ticket, for who must
//!                         have a second factor and has none
//! POST /auth/2fa/email    a code by mail, where a rule of risk asks and there is nothing else ─ mail_code
//! POST /auth/step-up      the proof again, for what cannot be taken back ─ step_up
//! on a trusted device     nothing of it is asked for at sign-in ─ next, trusted_devices::spares
//! DELETE /admin/users/{id}/2fa, `authshield user reset-2fa`    for who lost everything
//! ```
//!
//! Nothing else removes a second factor, and but for a trusted device nothing opens a session without it: not a
//! new password, not a new address, not a command.

pub mod http;
mod mail_code;
mod rules;
mod sql;
mod step_up;
mod ticket;
mod totp;

use std::time::Duration;

use onesql::{Store, Tx};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

pub(crate) use sql::others_columns;
pub use sql::{Others, end_begun_by_password, withdraw};
pub use step_up::{
    Again, StepUp, challenge_again, fresh, fresh_for_form, fresh_or_now, send_code_again, step_up,
};
pub use ticket::{
    Offered, Ticket, ask, challenge, confirm_enrolment, enrol, offered, send_code, verify,
};

use crate::access::Caller;
use crate::accounts::{self, ChangeError, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::guessing::CodeAt;
use crate::kernel::{RecoveryCode, SessionId, Timestamp, TrustToken, UserId};
use crate::limits::Exceeded;
use crate::mail::Letter;
use crate::passkeys::{self, Purpose};
use crate::risk::Ruling;
use crate::vault::{VaultError, totp_secret_of};
use crate::{browser, roles, sessions, trusted_devices};
use rules::Shown;
use totp::Secret;

/// How long somebody may take to set their app up.
const ENROLMENT: Duration = Duration::from_mins(10);

/// Why a second factor was not taken, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The ticket or the code is not worth anything.
    #[error("the second factor is refused: {0}")]
    Refused(&'static str),

    /// There were too many wrong codes; none is looked at for so long.
    #[error("too many wrong codes")]
    Paused(Duration),

    /// An administrator disabled the account.
    #[error("the account is disabled")]
    AccountDisabled,

    /// There were too many mails.
    #[error("too many mails")]
    Limited(Exceeded),

    /// There is none, or nobody has begun to add one.
    #[error("there is no second factor")]
    NotEnabled,

    /// There is one.
    #[error("there is a second factor")]
    AlreadyEnabled,

    /// Nobody takes the own second factor away as an administrator.
    #[error("an administrator cannot reset the own second factor")]
    OwnFactor,

    /// The mailbox was shown, and a second factor must be added.
    #[error("a second factor must be added")]
    EnrolmentDue(Ticket),

    /// There is no such account.
    #[error("there is no such user")]
    NoSuchUser,

    /// Who it is was not shown again.
    #[error("who it is was not shown again")]
    Password(#[from] ChangeError),

    /// The secret cannot be opened.
    #[error("the secret cannot be opened")]
    Vault(#[from] VaultError),

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// What somebody shows as their second factor.
pub enum Proof {
    /// A code of the app, or a recovery code.
    Code(SecretString),
    /// What a passkey signed.
    Passkey(passkeys::Shown),
    /// A code that went by mail, where there is neither.
    MailCode(SecretString),
}

/// A secret that waits for its first code.
pub struct Enrolment {
    /// For who types it into an app.
    pub secret: Zeroizing<String>,
    /// For apps on the same device.
    pub uri: Zeroizing<String>,
    /// The same for a camera.
    pub qr_svg: String,
    /// How long the first code may take.
    pub lasts: Duration,
}

impl Enrolment {
    fn new(app: &App, user: &User, secret: &Secret) -> Self {
        let uri = secret.uri(app.pages.service(), &user.email);
        let qr_svg = totp::qr_svg(&uri);
        Self { secret: secret.base32(), uri, qr_svg, lasts: ENROLMENT }
    }
}

/// How somebody stands with their second factor.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Since when there is one.
    pub since: Option<Timestamp>,
    /// How many recovery codes were not used.
    pub codes_left: i64,
    /// Whether those are few.
    pub codes_low: bool,
}

/// Why a code was not taken.
enum Refusal {
    Because(&'static str),
    Paused(Duration),
    NotEnabled,
}

impl Refusal {
    fn reason(&self) -> &'static str {
        match self {
            Self::Because(reason) => reason,
            Self::Paused(_) => "paused",
            Self::NotEnabled => "not_enabled",
        }
    }
}

impl From<Refusal> for FactorError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Because(reason) => Self::Refused(reason),
            Refusal::Paused(pause) => Self::Paused(pause),
            Refusal::NotEnabled => Self::NotEnabled,
        }
    }
}

/// Whether the password of an account is not enough: it has a second factor, or must have one.
#[must_use]
pub fn is_asked(app: &App, user: &User) -> bool {
    user.second_factor_at.is_some()
        || rules::is_due(&user.roles, &app.config.second_factor.required_for)
}

/// What becomes of a sign-in after its first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The session: there is no second factor.
    Enter,
    /// The session: the device is trusted.
    Spared,
    /// A second factor is asked for, or one must be added.
    Ask,
}

/// Finds out what becomes of a sign-in; `trust` is what the device keeps if it is trusted. Where a rule of risk
/// wants more, no device is.
pub async fn next(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    ruling: Ruling,
    trust: Option<&TrustToken>,
) -> onesql::Result<Next> {
    if ruling == Ruling::StepUp {
        return Ok(Next::Ask);
    }
    if !is_asked(app, user) {
        return Ok(Next::Enter);
    }
    let is_spared = trusted_devices::spares(tx, app, ctx, user, trust).await?;
    Ok(if is_spared { Next::Spared } else { Next::Ask })
}

/// Whether a role of an account asks for a second factor and the session that `amr` tells of was opened without:
/// neither a passkey was shown for it, nor a code of an app that is still there. Such a session can do nothing, and
/// gets no tokens.
#[must_use]
pub fn is_missing(app: &App, user: &User, amr: &[String]) -> bool {
    let shows_code = user.second_factor_at.is_some() && rules::shows_code(amr);
    rules::is_due(&user.roles, &app.config.second_factor.required_for)
        && !shows_code
        && !passkeys::is_shown_in(amr)
}

/// Ends the sessions of an account that `tx` holds in which its second factor is missing, now that it has these
/// roles: no device spares it any more, and what was opened without it is not what the policy asks for.
pub async fn end_missing(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    holder: &User,
) -> onesql::Result<()> {
    if !rules::is_due(&holder.roles, &app.config.second_factor.required_for) {
        return Ok(());
    }
    let (user, reason) = (holder.id, "second_factor_missing");
    trusted_devices::end_all(tx, app, ctx, actor, user, reason).await?;
    let is_over = |amr: &[String]| is_missing(app, holder, amr);
    let count = sessions::end_where(tx, user, reason, ctx.now, is_over).await?;
    if count == 0 {
        return Ok(());
    }
    let revoked = Event::SessionsRevoked { actor, user, session: None, count, reason };
    audit::record(tx, app, ctx, &revoked).await
}

/// Returns a role that the policy names and that does not exist: nobody would have to have a second
/// factor.
pub async fn unknown_role(store: &Store, required: &[String]) -> onesql::Result<Option<String>> {
    let known = roles::all(&mut store.glance().await?).await?;
    let is_known = |role: &String| known.iter().any(|one| one.name == *role);
    Ok(required.iter().find(|role| !is_known(role)).cloned())
}

/// Tells how the caller stands.
pub async fn standing(app: &App, caller: &Caller) -> onesql::Result<Standing> {
    let since = caller.user.second_factor_at;
    let codes_left = sql::codes_left(&mut app.store.glance().await?, caller.user.id).await?;
    Ok(Standing { since, codes_left, codes_low: since.is_some() && codes_left <= rules::FEW })
}

/// Makes a secret for an app, for who shows the password again, or proved not long ago who they are. It opens
/// nothing before [`confirm`].
pub async fn enable(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    password: Option<&SecretString>,
) -> Result<Enrolment, FactorError> {
    let user = &caller.user;
    fresh_or_now(app, ctx, caller, password, "enable_2fa").await?;
    let secret = Secret::new(ctx.world());
    let sealed = app.vault.seal(&totp_secret_of(user.id), secret.as_bytes());
    let mut tx = app.store.write().await?;
    let end = ctx.now + ENROLMENT;
    if !sql::begin(&mut tx, user.id, of(caller.session), sealed, ctx.now, end).await? {
        return Err(FactorError::AlreadyEnabled);
    }
    tx.commit().await?;
    Ok(Enrolment::new(app, user, &secret))
}

/// Lets the secret count of which a code is shown, and returns the recovery codes. Every other session
/// ends: it was opened without a second factor.
pub async fn confirm(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    code: &SecretString,
) -> Result<Vec<RecoveryCode>, FactorError> {
    let user = &caller.user;
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    let (by, kept) = (of(caller.session), Some(caller.session));
    let codes = match settle(&mut tx, app, ctx, user, by, kept, code).await? {
        Ok(codes) => codes,
        Err(refusal) => return Err(refuse(tx, app, ctx, Some(user.id), refusal).await?),
    };
    // What the session began with, and the code just now.
    let found = sessions::find(&mut tx, caller.session).await?;
    let first = found.and_then(|found| found.session.amr.0.into_iter().next());
    let amr = first.into_iter().chain(["otp".to_owned()]).collect();
    sessions::prove_again(&mut tx, caller.session, amr, ctx.now).await?;
    browser::withdraw(&mut tx, caller.session).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Lets the secret count that `by` asked for and of which a code is shown, and does all that follows;
/// the account is held.
async fn settle(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    by: Vec<u8>,
    kept: Option<SessionId>,
    code: &SecretString,
) -> Result<Result<Vec<RecoveryCode>, Refusal>, FactorError> {
    let Some(sealed) = sql::begun(tx, user.id, by, ctx.now).await? else {
        let is_there = sql::find(tx, user.id).await?.is_some();
        return Err(if is_there { FactorError::AlreadyEnabled } else { FactorError::NotEnabled });
    };
    let secret = open(app, user.id, &sealed)?;
    let step = match rules::read(code.expose_secret()) {
        Some(Shown::Totp(code)) => secret.step_of(code, ctx.now),
        _ => None,
    };
    let Some(step) = step else { return Ok(Err(Refusal::Because("wrong_code"))) };
    if !sql::confirm(tx, user.id, sealed, step, ctx.now).await? {
        return Err(FactorError::NotEnabled);
    }
    sql::mark(tx, user.id, Some(ctx.now), ctx.now).await?;
    let codes = make_codes(tx, app, ctx, user.id).await?;
    let reason = "second_factor_enabled";
    let count = sessions::end_all(tx, app, ctx, user.id, kept, reason).await?;
    if count > 0 {
        let (actor, user) = (Some(user.id), user.id);
        let revoked = Event::SessionsRevoked { actor, user, session: None, count, reason };
        audit::record(tx, app, ctx, &revoked).await?;
    }
    app.outbox.put(tx, &user.recipient(), &Letter::SecondFactorAdded, ctx.now).await?;
    audit::record(tx, app, ctx, &Event::SecondFactorEnabled { user: user.id }).await?;
    Ok(Ok(codes))
}

/// Uses up what is shown, and returns the ways of proof that it stands for (RFC 8176); the account is held.
async fn show(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    purpose: &Purpose,
    totp: Option<sql::Totp>,
    proof: &Proof,
) -> Result<Result<Vec<&'static str>, Refusal>, FactorError> {
    match proof {
        Proof::Code(code) => Ok(prove(tx, app, ctx, user, totp, code).await?.map(|()| vec!["otp"])),
        Proof::MailCode(code) => {
            let asked_by = match purpose {
                Purpose::SecondFactor(ticket) => (ticket.clone(), CodeAt::SecondStep),
                Purpose::StepUp(session) => (of(*session), CodeAt::Session),
                _ => return Ok(Err(Refusal::NotEnabled)),
            };
            let taken = mail_code::take(tx, app, ctx, user, asked_by, code).await?;
            Ok(taken.map(|()| vec!["email"]))
        }
        Proof::Passkey(shown) => {
            let proved = passkeys::prove(tx, app, ctx, purpose, Some(user.id), shown).await?;
            Ok(proved
                .map(|proof| proof.methods.to_vec())
                .map_err(|unproven| Refusal::Because(unproven.reason)))
        }
    }
}

/// Removes the second factor of who shows it once more, and the password, or proved not long ago who they are.
pub async fn disable(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    password: Option<&SecretString>,
    code: &SecretString,
) -> Result<(), FactorError> {
    let user = &caller.user;
    let mut tx = shown_again(app, ctx, caller, password, code, "disable_2fa").await?;
    sql::remove(&mut tx, user.id, ctx.now).await?;
    let (actor, reason) = (Some(user.id), "second_factor_disabled");
    trusted_devices::end_all(&mut tx, app, ctx, actor, user.id, reason).await?;
    app.outbox.put(&mut tx, &user.recipient(), &Letter::SecondFactorRemoved, ctx.now).await?;
    audit::record(&mut tx, app, ctx, &Event::SecondFactorDisabled { user: user.id }).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes new recovery codes for who shows the second factor once more, and the password, or proved not long ago who
/// they are; the ones before are worth nothing.
pub async fn renew_codes(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    password: Option<&SecretString>,
    code: &SecretString,
) -> Result<Vec<RecoveryCode>, FactorError> {
    let user = &caller.user;
    let mut tx = shown_again(app, ctx, caller, password, code, "renew_recovery_codes").await?;
    let codes = make_codes(&mut tx, app, ctx, user.id).await?;
    // Whoever makes new ones doubts who has the old ones, and may have used one to have a device trusted.
    let (actor, reason) = (Some(user.id), "recovery_codes_renewed");
    trusted_devices::end_all(&mut tx, app, ctx, actor, user.id, reason).await?;
    app.outbox.put(&mut tx, &user.recipient(), &Letter::RecoveryCodesRenewed, ctx.now).await?;
    audit::record(&mut tx, app, ctx, &Event::RecoveryCodesRenewed { user: user.id }).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Takes second factor and passkeys from somebody who lost them, and signs them out everywhere; `actor` is the
/// administrator, or nobody for a command.
pub async fn reset(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    user: UserId,
) -> Result<User, FactorError> {
    // Or a stolen session of an administrator would be a way around the own second factor.
    if actor == Some(user) {
        let refused = Event::AdminRefused { actor, user, reason: "own_second_factor" };
        audit::record_alone(app, ctx, &refused).await?;
        return Err(FactorError::OwnFactor);
    }
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user).await?;
    let found = accounts::by_id(&mut tx, user).await?.ok_or(FactorError::NoSuchUser)?.user;
    if !remove_all(&mut tx, ctx, user).await? {
        return Err(FactorError::NotEnabled);
    }
    let reason = "second_factor_reset";
    let count = sessions::end_all(&mut tx, app, ctx, user, None, reason).await?;
    let revoked = Event::SessionsRevoked { actor, user, session: None, count, reason };
    audit::record(&mut tx, app, ctx, &revoked).await?;
    app.outbox.put(&mut tx, &found.recipient(), &Letter::SecondFactorRemoved, ctx.now).await?;
    audit::record(&mut tx, app, ctx, &Event::SecondFactorReset { actor, user }).await?;
    tx.commit().await?;
    Ok(User { second_factor_at: None, updated_at: ctx.now, ..found })
}

/// Removes second factor and passkeys of an account that `tx` holds; `false` if it had none.
pub async fn remove_all(tx: &mut Tx, ctx: &Ctx, user: UserId) -> onesql::Result<bool> {
    let had_passkeys = passkeys::delete_all(tx, user).await? > 0;
    Ok(sql::remove(tx, user, ctx.now).await? || had_passkeys)
}

/// Undoes what was done to the second factor of an account since then, and returns what that was: an app that was
/// added goes. One from before stays, and recovery codes that were made since go; who has the app makes new ones.
pub async fn undo_since(
    tx: &mut Tx,
    ctx: &Ctx,
    user: &User,
    since: Timestamp,
) -> onesql::Result<Option<Undone>> {
    let Some(added_at) = user.second_factor_at else { return Ok(None) };
    if added_at >= since {
        return Ok(sql::remove(tx, user.id, ctx.now).await?.then_some(Undone::App));
    }
    let codes = sql::delete_codes_since(tx, user.id, since).await?;
    Ok((codes > 0).then_some(Undone::RecoveryCodes))
}

/// What of a second factor was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// The app, with its recovery codes.
    App,
    /// The recovery codes.
    RecoveryCodes,
}

/// Asks for the second factor again, and for the password or a session that is fresh; returns the transaction in
/// which the account is held and the code was used.
async fn shown_again(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    password: Option<&SecretString>,
    code: &SecretString,
    reason: &'static str,
) -> Result<Tx, FactorError> {
    let user = &caller.user;
    match password {
        Some(password) => drop(accounts::confirm(app, ctx, caller, password, reason).await?),
        None => fresh(app, ctx, caller).await.map_err(ChangeError::from)?,
    }
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    let totp = sql::find(&mut tx, user.id).await?;
    match prove(&mut tx, app, ctx, user, totp, code).await? {
        Ok(()) => Ok(tx),
        Err(refusal) => Err(refuse(tx, app, ctx, Some(user.id), refusal).await?),
    }
}

/// Uses a code up; `totp` was read while the account was held. What a refusal leaves behind is in `tx`, and must last.
async fn prove(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    totp: Option<sql::Totp>,
    code: &SecretString,
) -> Result<Result<(), Refusal>, FactorError> {
    let Some(known) = totp else { return Ok(Err(Refusal::NotEnabled)) };
    let shown = rules::read(code.expose_secret());
    if let Some(Shown::RecoveryCode(code)) = shown {
        // Nobody guesses 120 bits, so this is open to the owner while others guess the six digits.
        let hash = code.hash(&app.secrets.token_hash).to_vec();
        if !sql::use_code(tx, user.id, hash, ctx.now).await? {
            return Ok(Err(Refusal::Because("wrong_recovery_code")));
        }
        let left = sql::codes_left(tx, user.id).await?;
        let letter = Letter::RecoveryCodeUsed { left };
        app.outbox.put(tx, &user.recipient(), &letter, ctx.now).await?;
        audit::record(tx, app, ctx, &Event::RecoveryCodeUsed { user: user.id, left }).await?;
        return Ok(Ok(()));
    }
    if let Some(until) = known.blocked_until.filter(|until| *until > ctx.now) {
        return Ok(Err(Refusal::Paused(until.since(ctx.now))));
    }
    let step = match shown {
        Some(Shown::Totp(code)) => open(app, user.id, &known.secret)?.step_of(code, ctx.now),
        _ => None,
    };
    let Some(step) = step else {
        let misses = sql::miss(tx, user.id).await?;
        if let Some(pause) = rules::pause(misses) {
            sql::block(tx, user.id, ctx.now + pause).await?;
        }
        if rules::warns(misses) {
            app.outbox.put(tx, &user.recipient(), &Letter::SecondFactorGuessed, ctx.now).await?;
        }
        return Ok(Err(Refusal::Because("wrong_code")));
    };
    if step <= known.last_step {
        return Ok(Err(Refusal::Because("code_used")));
    }
    sql::take_step(tx, user.id, step).await?;
    Ok(Ok(()))
}

/// Writes a refusal down, with all that it leaves behind.
async fn refuse(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    user: Option<UserId>,
    refusal: Refusal,
) -> onesql::Result<FactorError> {
    let refused = Event::SecondFactorRefused { user, reason: refusal.reason() };
    audit::record(&mut tx, app, ctx, &refused).await?;
    tx.commit().await?;
    Ok(refusal.into())
}

async fn make_codes(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: UserId,
) -> onesql::Result<Vec<RecoveryCode>> {
    let new = || RecoveryCode::new(ctx.world());
    let codes: Vec<_> = std::iter::repeat_with(new).take(rules::RECOVERY_CODES).collect();
    let key = &app.secrets.token_hash;
    let hashes = codes.iter().map(|code| code.hash(key).to_vec()).collect();
    sql::replace_codes(tx, user, hashes, ctx.now).await?;
    Ok(codes)
}

fn open(app: &App, user: UserId, sealed: &[u8]) -> Result<Secret, VaultError> {
    let purpose = totp_secret_of(user);
    let opened = app.vault.open_sealed(&purpose, sealed)?;
    Secret::from_bytes(&opened).ok_or(VaultError::Damaged { purpose })
}

/// How a session is written down as who asked for a secret.
fn of(session: SessionId) -> Vec<u8> {
    session.as_uuid().as_bytes().to_vec()
}
