//! Signing in with a password.
//!
//! ```text
//! POST /auth/login ─ http::log_in ─ log_in
//!     passwords::must_be_on    has anybody one here?
//!     Passwords::admit     too much to hash for us?
//!     captcha::pass        is a captcha due?
//!     Limits::spend_some   too much to hash for this site?
//!     sql::find            what do we know of it, and of where they come from?
//!     guessing::begin      too many wrong passwords? this one counts as wrong until it is right
//!     Passwords::verify    is the password right?  (slow, known or not)
//!     rules::judge         may they come in?  (pure)
//!     look_closer          was it stolen elsewhere? (slow, so only of one that lets in)
//!     risk::judge          does it look like their sign-ins before?
//!     registration::waits  if not: is it the password of a registration that waits for proof?
//!     second_factor::next  is a second factor asked for, or spared on a trusted device?
//!     one transaction      re-hash if the cost changed, open the session, what carries it,
//!                          and what the audit trail is told; the owner is told of a new device; or,
//!                          where there is a second factor, a ticket that opens the session together
//!                          with a code
//! ```

pub mod http;
mod rules;
mod sql;

use onesql::Tx;
use secrecy::SecretString;

pub use rules::Refusal;

use crate::accounts::{self, Account, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::captcha::{self, CaptchaError, Door};
use crate::config::BreachedAtSignIn;
use crate::devices;
use crate::federation;
use crate::guessing::{self, Attempt, GuessError, Owner};
use crate::kernel::{EmailAddress, SessionId, Timestamp, TrustToken, UserId};
use crate::limits::rules::HASHES_PER_SITE;
use crate::magic_link;
use crate::passkeys;
use crate::passwords::{self, Overloaded, Verdict};
use crate::registration;
use crate::risk::{self, First, Ruling};
use crate::second_factor::{self, Next, Others, Ticket};
use crate::sessions::{Carrier, Opening, Session};
use sql::Found;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// They may not come in.
    #[error("sign-in refused")]
    Refused(#[from] Refusal),

    /// The password is right, and a second factor is due, or must be added.
    #[error("a second factor is due")]
    SecondFactorDue(Ticket),

    /// Nobody has a password here.
    #[error(transparent)]
    PasswordsOff(#[from] passwords::Off),

    /// A captcha is due, or we could not find out.
    #[error(transparent)]
    Captcha(#[from] CaptchaError),

    /// There were too many tries.
    #[error("too many tries")]
    Limited(crate::limits::Exceeded),

    /// There is too much to do.
    #[error("too many sign-ins at once")]
    Overloaded(#[from] Overloaded),

    /// We could not find out.
    #[error("the store failed during sign-in")]
    Store(#[from] onesql::Error),
}

impl From<GuessError> for LoginError {
    fn from(error: GuessError) -> Self {
        match error {
            GuessError::Limited(exceeded) => Self::Limited(exceeded),
            GuessError::Store(error) => Self::Store(error),
        }
    }
}

impl From<registration::Unanswered> for LoginError {
    fn from(unanswered: registration::Unanswered) -> Self {
        match unanswered {
            registration::Unanswered::Overloaded(overloaded) => Self::Overloaded(overloaded),
            registration::Unanswered::Store(error) => Self::Store(error),
        }
    }
}

/// Signs somebody in, or says why not; either way the audit trail knows. What carries the session is for
/// the caller to choose; `captcha` is the answer to one, where one was asked for, and `trust` what the device
/// keeps if it is trusted.
pub async fn log_in<C: Carrier>(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    password: &SecretString,
    captcha: Option<&SecretString>,
    trust: Option<&TrustToken>,
) -> Result<C, LoginError> {
    passwords::must_be_on(app)?;
    app.passwords.admit()?;
    captcha::pass(app, ctx, Door::Login, email, captcha).await?;
    app.limits
        .spend_some(&HASHES_PER_SITE, &ctx.client.site(), ctx.now, HASHES)
        .await
        .map_err(LoginError::Limited)?;
    let here = (ctx.device.label(), ctx.client.network());
    let found = sql::find(&mut app.store.glance().await?, email, here, ctx.now).await?;
    let mut known = found.as_ref().map_or(Known::default(), |found| Known::of(app, ctx, found));
    let mut account = found.map(|found| found.account);
    let attempt = guessing::begin(app, ctx, email, account.is_some(), None).await?;
    let tried = Tried { email, attempt: &attempt };
    for _ in 0..ROUNDS {
        let owner = account.as_ref().map(|account| account.user.clone());
        let hash = account.as_ref().and_then(|account| account.password_hash.as_deref());
        let verdict =
            match app.passwords.verify(password, hash.filter(|_| !attempt.is_locked())).await {
                Ok(verdict) => verdict,
                Err(overloaded) => {
                    guessing::take_back(app, ctx, &attempt).await?;
                    return Err(overloaded.into());
                }
            };
        let judged = match rules::judge(account, verdict, attempt.is_locked()) {
            Ok(judged) => judged,
            Err(refusal) => {
                return Err(send_away(app, ctx, tried, owner, password, refusal).await?);
            }
        };
        let id = judged.user.id;
        let rehash = matches!(verdict, Verdict::Right { rehash: true });
        let looked = look_closer(app, ctx, &judged.user, password, rehash, known).await?;
        match open(app, ctx, &attempt, judged, (looked, known), trust).await {
            Ok(Opened::Session(carrier)) => return Ok(*carrier),
            Ok(Opened::Pending(ticket)) => return Err(LoginError::SecondFactorDue(ticket)),
            Ok(Opened::Risky) => {
                return Err(send_away(app, ctx, tried, owner, password, Refusal::Risk).await?);
            }
            Ok(Opened::Off) => return Err(passwords::Off.into()),
            Ok(Opened::Changed) | Err(onesql::Error::Unmet) => {}
            Err(error) => return Err(error.into()),
        }
        // Read where a change shows even if it is not yet committed. What else was read may be what changed.
        account = accounts::by_id(&mut app.store.write().await?, id).await?;
        known = Known::default();
    }
    let owner = account.map(|account| account.user);
    Err(send_away(app, ctx, tried, owner, password, Refusal::Changed).await?)
}

/// How many hashes a sign-in costs: that of the account, and that of a registration which waits.
const HASHES: u32 = 2;

/// What somebody tried.
#[derive(Clone, Copy)]
struct Tried<'t> {
    email: &'t EmailAddress,
    attempt: &'t Attempt,
}

/// How often the password is compared when the account changes meanwhile. Once more is enough when
/// another sign-in has hashed the same password anew, or when it was reset.
const ROUNDS: usize = 3;

/// What was read together with the account.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Whether the account was used before from where they come.
    from_known: bool,
    /// What they can show besides a password and codes of an app.
    others: Option<Others>,
}

impl Known {
    fn of(app: &App, ctx: &Ctx, Found { account, device, others }: &Found) -> Self {
        let device = device.as_deref();
        let is_known = |device| devices::is_known_as(app, ctx, account.user.id, device);
        Self { from_known: device.is_some_and(is_known), others: Some(*others) }
    }
}

/// What was found out of a right password.
struct Looked {
    /// The new hash, if the cost changed.
    upgraded: Option<String>,
    is_stolen: bool,
}

/// Does with a right password what takes its time, before a transaction begins: hashes it anew if the cost changed, and
/// finds out whether it was stolen elsewhere. Nothing of that takes long where a rule of risk refuses anyway: whoever is
/// told that the password is wrong would see by the clock that it is right.
async fn look_closer(
    app: &App,
    ctx: &Ctx,
    user: &User,
    password: &SecretString,
    rehash: bool,
    Known { from_known, .. }: Known,
) -> onesql::Result<Looked> {
    let is_stolen = passwords::is_known_stolen(app, password);
    let asks = !is_stolen && passwords::others_are_asked(app);
    let is_quick = !rehash && !asks;
    let first = First::Password { is_stolen, from_known };
    if is_quick || risk::refuses(app, ctx, user, first).await? {
        return Ok(Looked { upgraded: None, is_stolen });
    }
    let upgraded = if rehash { app.passwords.hash(password).await.ok() } else { None };
    let is_stolen = is_stolen || asks && passwords::others_know(app, ctx, password).await;
    Ok(Looked { upgraded, is_stolen })
}

/// What came of a session that was to be opened.
enum Opened<C> {
    Session(Box<C>),
    /// A second factor is due.
    Pending(Ticket),
    /// A rule of risk lets nobody in.
    Risky,
    /// Nobody has a password any more.
    Off,
    /// The account is no longer what was judged.
    Changed,
}

/// Opens a session for `account`, or asks for its second factor, if it is still what was judged. Of who comes from where
/// they came from before, and of who is asked, that shows only at the commit, which fails with [`onesql::Error::Unmet`].
async fn open<C: Carrier>(
    app: &App,
    ctx: &Ctx,
    attempt: &Attempt,
    account: Account,
    (looked, Known { from_known, others }): (Looked, Known),
    trust: Option<&TrustToken>,
) -> onesql::Result<Opened<C>> {
    let Account { user, password_hash } = account;
    let Looked { upgraded, is_stolen } = looked;
    let id = user.id;
    let mut current = password_hash;
    let mut tx = app.store.write().await?;
    if !passwords::are_on(app) {
        // They were switched off while it was compared: what a password begins now would never be ended.
        return Ok(Opened::Off);
    }
    if let Some(upgraded) = upgraded
        && accounts::upgrade_hash(&mut tx, id, current.as_deref(), &upgraded).await?
    {
        current = Some(upgraded);
    }
    if is_stolen && app.live.load().password.breached_at_sign_in == BreachedAtSignIn::Record {
        audit::record(&mut tx, app, ctx, &Event::BreachedPasswordUsed { user: id }).await?;
    }
    let first = First::Password { is_stolen, from_known };
    let ruling = risk::judge(&mut tx, app, ctx, &user, first).await?;
    let next = match ruling {
        Ruling::Refuse => None,
        _ => Some(second_factor::next(&mut tx, app, ctx, &user, ruling, trust).await?),
    };
    let opened = match next {
        None => Some(Opened::Risky),
        Some(Next::Ask) => {
            let first = (current.as_deref(), "pwd");
            let ticket =
                second_factor::ask(&mut tx, app, ctx, &user, first, ruling, others).await?;
            guessing::postpone(&mut tx, ctx, attempt).await?;
            Some(Opened::Pending(ticket))
        }
        Some(next) => {
            let is_enough = next == Next::Spared;
            let proven = Proven { amr: &["pwd"], at: ctx.now, is_enough, from_known };
            let begun = begin(&mut tx, app, ctx, user, current.as_deref(), proven).await?;
            if begun.is_some() {
                guessing::succeeded(&mut tx, app, ctx, attempt).await?;
            }
            begun.map(|carrier| Opened::Session(Box::new(carrier)))
        }
    };
    let Some(opened) = opened else { return Ok(Opened::Changed) };
    tx.commit().await?;
    Ok(opened)
}

/// How somebody proved who they are.
pub struct Proven<'p> {
    /// In which ways (RFC 8176); `fed` is a sign-in at a provider.
    pub amr: &'p [&'p str],
    /// When.
    pub at: Timestamp,
    /// Whether that opens a session where there is a second factor: it was shown, or is spared.
    pub is_enough: bool,
    /// Whether the account was used before from where they come: then nothing is asked before the commit, which fails
    /// with [`onesql::Error::Unmet`] if that, or the account, changed.
    pub from_known: bool,
}

/// Begins a session for somebody who proved who they are; `None` if the account changed since: its password, its
/// status, its roles, that it has a second factor now, or that it must have one and none was shown. Every way in
/// ends here, so no tokens are made for less than the policy asks for at that instant.
pub async fn begin<C: Carrier>(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: User,
    password_hash: Option<&str>,
    Proven { amr, at: auth_time, is_enough, from_known }: Proven<'_>,
) -> onesql::Result<Option<C>> {
    let session = Session {
        id: SessionId::new(ctx.world()),
        user_id: user.id,
        amr: onesql::Json(amr.iter().map(|&method| method.to_owned()).collect()),
        auth_time,
        ip_address: ctx.client.ip.to_string(),
        user_agent: ctx.device.user_agent.clone().unwrap_or_default(),
        device: ctx.device.label(),
        created_at: ctx.now,
        last_active_at: ctx.now,
        expires_at: ctx.now + app.config.session.lifetime,
        ended_at: None,
    };
    if second_factor::is_missing(app, &user, &session.amr.0) {
        return Ok(None);
    }
    let opening =
        Opening { session: &session, password_hash, epoch: user.epoch, proven: is_enough };
    let new_device = if from_known {
        devices::open_from_known(tx, app, ctx, user.id, opening).await?;
        false
    } else {
        let Some(new_device) = devices::open(tx, app, ctx, &user, opening).await? else {
            return Ok(None);
        };
        new_device
    };
    let succeeded = Event::LoginSucceeded {
        user: user.id,
        session: session.id,
        amr: session.amr.0.clone(),
        new_device,
    };
    audit::record(tx, app, ctx, &succeeded).await?;
    C::carry(tx, app, ctx, user, &session).await.map(Some)
}

/// Ends all of somebody's sign-ins that wait: for a second factor, or for what went by mail.
pub async fn withdraw(tx: &mut Tx, user: UserId) -> onesql::Result<()> {
    magic_link::withdraw(tx, user).await?;
    second_factor::withdraw(tx, user).await.map(drop)
}

/// Whether somebody can sign in to an account: with a password, by mail, with a passkey, or an identity at a
/// provider that is still there.
pub async fn has_way_in(tx: &mut Tx, app: &App, user: UserId) -> onesql::Result<bool> {
    let account = accounts::by_id(tx, user).await?;
    let has_password = account.as_ref().is_some_and(|account| account.password_hash.is_some());
    let is_verified = account.is_some_and(|account| account.user.email_verified_at.is_some());
    Ok((has_password && passwords::are_on(app))
        || (is_verified && magic_link::is_on(app))
        || passkeys::has_any(tx, user).await?
        || federation::has_usable(tx, app, user).await?)
}

/// Refuses somebody whose password was compared. The audit trail knows even if we cannot find out whether a registration
/// waits.
async fn send_away(
    app: &App,
    ctx: &Ctx,
    tried: Tried<'_>,
    owner: Option<User>,
    password: &SecretString,
    refusal: Refusal,
) -> Result<LoginError, LoginError> {
    let said = waiting(app, ctx, tried.email, password, refusal).await;
    let refused = refuse(app, ctx, tried, owner, *said.as_ref().unwrap_or(&refusal)).await?;
    said.map(|_| refused)
}

/// What to say to somebody whose password is that of a registration which waits for proof. It is the
/// same whether the address has an account, or what becomes of a registration would tell.
async fn waiting(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    password: &SecretString,
    refusal: Refusal,
) -> Result<Refusal, LoginError> {
    let is_wrong =
        matches!(refusal, Refusal::EmailNotFound | Refusal::NoPasswordSet | Refusal::WrongPassword);
    // A right one whose answer is that to a wrong one takes as long.
    let looks_wrong = is_wrong || matches!(refusal, Refusal::Risk | Refusal::Changed);
    if looks_wrong && registration::waits(app, ctx, email, password).await? && is_wrong {
        return Ok(Refusal::EmailUnverified);
    }
    Ok(refusal)
}

async fn refuse(
    app: &App,
    ctx: &Ctx,
    Tried { email, attempt }: Tried<'_>,
    owner: Option<User>,
    refusal: Refusal,
) -> onesql::Result<LoginError> {
    let user = owner.as_ref().map(|owner| owner.id);
    let failed =
        Event::LoginFailed { user, email: email.as_str().to_owned(), reason: refusal.reason() };
    let mut tx = app.store.write().await?;
    audit::record(&mut tx, app, ctx, &failed).await?;
    if refusal.is_guess() {
        guessing::look_around(&mut tx, app, ctx, attempt, user.is_some()).await?;
    }
    // It was counted, whatever the reason: what that locks is told.
    guessing::failed(&mut tx, app, ctx, attempt, email, owner.as_ref().map(Owner::from)).await?;
    tx.commit().await?;
    Ok(refusal.into())
}
