//! Signing in without a password, by a mail with a code and a link.
//!
//! ```text
//! POST /auth/magic-link ─ http::ask_for_magic_link ─ ask
//!     captcha::pass        is a captcha due?
//!     Limits::spend        too much mail to this address?
//!     rules::judge         is a mail sent?  (pure)
//!     one transaction      what is waited for, and the mail; the answer is the same without one
//! POST /auth/magic-link/redeem ─ http::redeem_magic_link ─ redeem
//!     guessing::code       how many wrong codes does the address bear?  (not for links)
//!     sql::try_once, take  each code is one of few, and one UPDATE: of two requests one is taken
//!     rules::judge         whose account is it now?  (pure)
//!     registration::open_proved    nobody's, or one that nobody proved: a new one
//!     risk::judge          does it look like their sign-ins before?
//!     login::begin         the session; or a ticket, where there is a second factor
//! ```
//!
//! Code and link open something only together with the *handle*, which the client that asked got and which
//! stands in no mail. So whoever reads the mail elsewhere, or lures its owner into reading the code out, has
//! nothing; and a scanner that follows the link uses nothing up.
//!
//! Whoever asks again gets another handle: the code before is worth nothing in the same browser. What others asked
//! for the same address stays, or a stranger who asks every minute would keep the owner out. Wrong codes are counted
//! per address over all of them.

pub mod http;
mod rules;
mod sql;

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use onesql::Tx;
use secrecy::{ExposeSecret, SecretString};

pub use sql::withdraw;

use crate::accounts::{self, Account};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::captcha::{self, CaptchaError, Door};
use crate::evenly;
use crate::guessing::{self, CodeAt, CodeRefused};
use crate::kernel::{AskerToken, EmailAddress, LinkToken, Locale, MailCode, TrustToken, UserId};
use crate::limits::Exceeded;
use crate::links;
use crate::login::{self, Proven};
use crate::mail::{self, Letter, Recipient};
use crate::registration::{self, NotOpen, Proved};
use crate::risk::{self, First, Ruling};
use crate::second_factor::{self, Next, Ticket};
use crate::sessions::Carrier;
use rules::{Arrival, Refusal};
use sql::Waiting;

/// How often it is looked for an account that somebody else opens or deletes meanwhile.
const ROUNDS: usize = 4;

/// Why no mail was asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody signs in that way here.
    #[error("signing in by mail is switched off")]
    Off,
    /// A captcha is due, or we could not find out.
    #[error(transparent)]
    Captcha(#[from] CaptchaError),
    /// There were too many mails.
    #[error("too many mails to one address")]
    Limited(Exceeded),
    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// Somebody who wants to sign in by mail.
pub struct Wish {
    /// The address that they typed.
    pub email: EmailAddress,
    /// In which language they read, if they are new here.
    pub locale: Option<Locale>,
    /// What the same client got when it asked before: that is worth nothing from then on.
    pub former: Option<AskerToken>,
    /// The answer to a captcha, where one was asked for.
    pub captcha: Option<SecretString>,
}

/// What the client that asked keeps to itself.
pub struct Asked {
    /// Without it neither code nor link opens anything.
    pub handle: AskerToken,
    /// How long they work.
    pub lasts: Duration,
}

/// Whether people sign in that way here.
#[must_use]
pub fn is_on(app: &App) -> bool {
    app.live.load().magic_link.enabled
}

/// Sends a code and a link, if there is somebody to get them; the answer tells nothing.
pub async fn ask(app: &App, ctx: &Ctx, wish: Wish) -> Result<Asked, AskError> {
    if !is_on(app) {
        return Err(AskError::Off);
    }
    let Wish { email, locale, former, captcha } = wish;
    captcha::pass(app, ctx, Door::Reset, &email, captcha.as_ref()).await?;
    guessing::spend_entry_mail(app, ctx, &email).await?.map_err(AskError::Limited)?;
    let lasts = app.config.magic_link.ttl;
    let (handle, token) = (AskerToken::new(ctx.world()), LinkToken::new(ctx.world()));
    let code = MailCode::new(ctx.world());
    let locale = locale.unwrap_or_else(|| registration::default_locale(app));

    let asked = evenly::Question::now();
    let mut tx = app.store.write().await?;
    let holder = accounts::ask_by_email(&mut tx, &email).await?.map(|account| account.user);
    let user = holder.as_ref().map(|user| user.id);
    if let Some(former) = &former {
        sql::forget(&mut tx, hash(app, former)).await?;
    }
    let mail = app.outbox.next();
    let waiting = sql::New {
        handle_hash: hash(app, &handle),
        code_hash: handle.code_hash(&app.secrets.token_hash, &code).to_vec(),
        link_hash: token.hash(&app.secrets.token_hash).to_vec(),
        email: &email,
        user,
        locale: &locale,
        mail,
        now: ctx.now,
        expires_at: ctx.now + lasts,
    };
    // Also where nobody gets a mail: no code fits it, and every question about it has the same answer.
    sql::wait(&mut tx, waiting).await?;
    let may_open = registration::may_open(app, &email);
    let reason = rules::judge(holder.as_ref(), None, may_open).err().map(Refusal::reason);
    if reason.is_none() {
        let letter = Letter::SignIn {
            link: links::url(&app.config.mail.link_sign_in, &token),
            code: SecretString::from(code.reveal()),
        };
        // Who began an account with this address did not prove it: nothing that they said is repeated.
        let recipient = match holder {
            Some(user) if user.email_verified_at.is_some() => user.recipient(),
            _ => Recipient {
                user: None,
                email: email.as_str().to_owned(),
                name: None,
                locale: locale.as_str().to_owned(),
            },
        };
        app.outbox.put_as(mail, &mut tx, &recipient, &letter, ctx.now).await?;
    }
    let requested = Event::MagicLinkRequested { user, email: email.as_str().to_owned(), reason };
    audit::record(&mut tx, app, ctx, &requested).await?;
    tx.commit().await?;
    asked.until_step().await;
    Ok(Asked { handle, lasts })
}

/// Returns the address that a client typed which keeps `handle`, while a code for it would be taken.
pub async fn address(
    app: &App,
    ctx: &Ctx,
    handle: &AskerToken,
) -> onesql::Result<Option<EmailAddress>> {
    let found = sql::find(&mut app.store.glance().await?, hash(app, handle), ctx.now).await?;
    Ok(found.map(|waiting| waiting.email))
}

/// Whether a link opens something for who keeps `handle`. Nothing is used up.
pub async fn fits(
    app: &App,
    ctx: &Ctx,
    handle: &AskerToken,
    token: &LinkToken,
) -> onesql::Result<bool> {
    let link = token.hash(&app.secrets.token_hash).to_vec();
    sql::fits(&mut app.store.glance().await?, hash(app, handle), link, ctx.now).await
}

/// What somebody brings of the mail.
pub enum Shown {
    /// The code, as it was typed.
    Code(SecretString),
    /// The token of the link, if it can be one.
    Link(Option<LinkToken>),
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// Nobody signs in that way here.
    #[error("signing in by mail is switched off")]
    Off,
    /// Code, link or handle are worth nothing.
    #[error("what came by mail is not valid: {0}")]
    Invalid(&'static str),
    /// There were too many wrong codes for the address; the link works.
    #[error("too many wrong codes")]
    Limited(Exceeded),
    /// An administrator disabled the account.
    #[error("the account is disabled")]
    AccountDisabled,
    /// No account is opened with the address.
    #[error(transparent)]
    NotOpen(NotOpen),
    /// A second factor is due, or must be added.
    #[error("a second factor is due")]
    SecondFactorDue(Ticket),
    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

impl From<Refusal> for RedeemError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AccountDisabled => Self::AccountDisabled,
            Refusal::NotOpen(why) => Self::NotOpen(why),
            Refusal::AccountChanged => Self::Invalid(refusal.reason()),
        }
    }
}

/// Signs in who shows what came by mail to where it was asked for; `trust` is what the device keeps if it is
/// trusted.
pub async fn redeem<C: Carrier>(
    app: &App,
    ctx: &Ctx,
    handle: Option<&AskerToken>,
    shown: &Shown,
    trust: Option<&TrustToken>,
) -> Result<C, RedeemError> {
    if !is_on(app) {
        return Err(RedeemError::Off);
    }
    let mut tx = app.store.write().await?;
    let waiting = match take(&mut tx, app, ctx, handle, shown).await? {
        Ok(waiting) => waiting,
        Err(refused) => {
            let Refused { waiting, error } = refused;
            let reason = match &error {
                RedeemError::Invalid(reason) => reason,
                _ => "paused",
            };
            note(&mut tx, app, ctx, waiting.as_ref(), reason).await?;
            tx.commit().await?;
            return Err(error);
        }
    };
    mail::confirm(&mut tx, app, Some(waiting.mail_id), ctx.now).await?;
    let account = match account_of(&mut tx, app, ctx, &waiting).await? {
        Ok(account) => account,
        Err(refusal) => {
            note(&mut tx, app, ctx, Some(&waiting), refusal.reason()).await?;
            tx.commit().await?;
            return Err(refusal.into());
        }
    };
    enter(tx, app, ctx, account, &waiting, trust).await
}

/// Why something was not taken. What that leaves behind is in the transaction, too, and must last.
struct Refused {
    waiting: Option<Waiting>,
    error: RedeemError,
}

/// Uses up what came by mail, at most once.
async fn take(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    handle: Option<&AskerToken>,
    shown: &Shown,
) -> onesql::Result<Result<Waiting, Refused>> {
    let invalid =
        |waiting, reason| Ok(Err(Refused { waiting, error: RedeemError::Invalid(reason) }));
    let Some(handle) = handle else { return invalid(None, "malformed_handle") };
    let key = hash(app, handle);
    sql::hold(tx, key.clone()).await?;
    let code = match shown {
        Shown::Link(None) => return invalid(None, "malformed_link"),
        Shown::Link(Some(token)) => {
            let link = token.hash(&app.secrets.token_hash).to_vec();
            return match sql::take_by_link(tx, key.clone(), link, ctx.now).await? {
                Some(waiting) => Ok(Ok(waiting)),
                None => invalid(None, sql::why_not(tx, key, "wrong_link", ctx.now).await?),
            };
        }
        Shown::Code(code) => code,
    };
    let Some(waiting) = sql::find(tx, key.clone(), ctx.now).await? else {
        return invalid(None, sql::why_not(tx, key, "too_many_tries", ctx.now).await?);
    };
    let counted = match guessing::begin_code(tx, app, ctx, &waiting.email, CodeAt::Door).await? {
        Ok(counted) => counted,
        Err(CodeRefused::Locked) => return invalid(Some(waiting), "codes_locked"),
        Err(CodeRefused::Wait(exceeded)) => {
            let error = RedeemError::Limited(exceeded);
            return Ok(Err(Refused { waiting: Some(waiting), error }));
        }
    };
    if !sql::try_once(tx, key.clone(), ctx.now).await? {
        // Somebody else was faster.
        return invalid(Some(waiting), sql::why_not(tx, key, "too_many_tries", ctx.now).await?);
    }
    let is_right = MailCode::parse(code.expose_secret()).is_some_and(|code| {
        let made = handle.code_hash(&app.secrets.token_hash, &code);
        verify_slices_are_equal(&made, &waiting.code_hash).is_ok()
    });
    if !is_right || !sql::take(tx, key, ctx.now).await? {
        return invalid(Some(waiting), "wrong_code");
    }
    guessing::code_was_right(tx, &counted).await?;
    Ok(Ok(waiting))
}

/// Finds the account of the address, and holds it; or opens it.
async fn account_of(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    waiting: &Waiting,
) -> onesql::Result<Result<Account, Refusal>> {
    let mut asked = waiting.user_id;
    for _ in 0..ROUNDS {
        let account = accounts::hold_by_email(tx, &waiting.email).await?;
        let may_open = registration::may_open(app, &waiting.email);
        let holder = account.as_ref().map(|account| &account.user);
        match (rules::judge(holder, asked, may_open), account) {
            (Err(refusal), _) => return Ok(Err(refusal)),
            (Ok(Arrival::Enter), Some(account)) => return Ok(Ok(account)),
            (Ok(_), _) => {
                let newcomer = Proved {
                    id: UserId::new(ctx.world()),
                    email: &waiting.email,
                    full_name: None,
                    locale: waiting.locale.clone(),
                    reason: "magic_link",
                };
                registration::open_proved(tx, app, ctx, newcomer).await?;
                asked = None;
            }
        }
        // Found now; or somebody else was faster, and then theirs is.
    }
    Ok(Err(Refusal::AccountChanged))
}

/// Opens the session, or asks for the second factor.
async fn enter<C: Carrier>(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    account: Account,
    waiting: &Waiting,
    trust: Option<&TrustToken>,
) -> Result<C, RedeemError> {
    let Account { user, password_hash } = account;
    let password = password_hash.as_deref();
    let ruling = risk::judge(&mut tx, app, ctx, &user, First::Mail).await?;
    if ruling == Ruling::Refuse {
        note(&mut tx, app, ctx, Some(waiting), risk::REFUSED).await?;
        tx.commit().await?;
        return Err(RedeemError::Invalid(risk::REFUSED));
    }
    // Who reads the mail at its address may come in, as with the link to choose a new password.
    accounts::end_recovery(&mut tx, user.id, ctx.now).await?;
    let next = second_factor::next(&mut tx, app, ctx, &user, ruling, trust).await?;
    let entered = if next == Next::Ask {
        let first = (password, "email");
        let ticket = second_factor::ask(&mut tx, app, ctx, &user, first, ruling, None).await?;
        Some(Err(RedeemError::SecondFactorDue(ticket)))
    } else {
        guessing::recovered(&mut tx, app, ctx, &user.email).await?;
        let is_enough = next == Next::Spared;
        let proven = Proven { amr: &["email"], at: ctx.now, is_enough, from_known: false };
        login::begin(&mut tx, app, ctx, user, password, proven).await?.map(Ok)
    };
    let Some(entered) = entered else {
        // The account is held, so this does not happen; if it did, nobody would be let in.
        let reason = Refusal::AccountChanged.reason();
        note(&mut tx, app, ctx, Some(waiting), reason).await?;
        tx.commit().await?;
        return Err(RedeemError::Invalid(reason));
    };
    tx.commit().await?;
    entered
}

/// Writes down why somebody who came with a code or a link gets no further.
async fn note(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    waiting: Option<&Waiting>,
    reason: &'static str,
) -> onesql::Result<()> {
    let user = waiting.and_then(|waiting| waiting.user_id);
    let email = waiting.map(|waiting| waiting.email.as_str().to_owned());
    audit::record(tx, app, ctx, &Event::MagicLinkRefused { user, email, reason }).await
}

fn hash(app: &App, handle: &AskerToken) -> Vec<u8> {
    handle.hash(&app.secrets.token_hash).to_vec()
}
