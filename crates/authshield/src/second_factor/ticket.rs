//! Sign-ins where the password was right, or a provider vouched, which wait for a second factor or for one to be added.

use std::time::Duration;

use onesql::Tx;
use secrecy::SecretString;

use super::sql::{self, Others, Totp, Tried};
use super::{
    ENROLMENT, Enrolment, FactorError, Proof, Refusal, Secret, is_asked, mail_code, refuse, rules,
    settle, show,
};
use crate::accounts::{self, Account, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::devices;
use crate::kernel::{EmailAddress, PendingToken, RecoveryCode};
use crate::login::{self, Proven};
use crate::passkeys::{self, Challenge, Purpose};
use crate::risk::Ruling;
use crate::sessions::Carrier;
use crate::trusted_devices::{self, Trusted};
use crate::vault::totp_secret_of;
use crate::{guessing, passwords};

/// How long a ticket works.
const TICKET: Duration = Duration::from_mins(5);

/// A sign-in that waits for a second factor.
#[derive(Debug)]
pub struct Ticket {
    /// What has to come back together with a code.
    pub token: PendingToken,
    /// What may be shown: `totp`, `passkey`, `recovery_code`; or added.
    pub factors: Vec<&'static str>,
    /// Whether the account has none yet, and must.
    pub is_enrolment: bool,
    /// How long the device may be trusted, if it may.
    pub trust: Option<Duration>,
}

/// What somebody may do with a ticket.
#[derive(Debug, Default)]
pub struct Offered {
    /// What may be shown, as [`Ticket::factors`] says it.
    pub factors: Vec<&'static str>,
    /// How long the device may be trusted, if it may.
    pub trust: Option<Duration>,
}

/// Gives a ticket to who showed the first factor (`pwd`, or `fed` at a provider) of an account that has a
/// second one, or must add one, or of which a rule of risk wants more; what `others` they have is read if it is not
/// known. If the account changed since, the commit fails with [`onesql::Error::Unmet`].
pub async fn ask(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    (password_hash, first): (Option<&str>, &str),
    ruling: Ruling,
    others: Option<Others>,
) -> onesql::Result<Ticket> {
    let by_mail = ruling == Ruling::StepUp && mail_code::is_last(tx, user).await?;
    let trust = trusted_devices::offered(app, user);
    let (is_there, user) = (user.second_factor_at.is_some(), user.id);
    let token = PendingToken::new(ctx.world());
    let lasts = if by_mail { app.config.magic_link.ttl } else { TICKET };
    let (hash, end) = (hash(app, &token), ctx.now + lasts);
    let Others { has_passkey, has_codes } = match others {
        Some(others) => others,
        None => sql::others(tx, user).await?,
    };
    let (first, asked) = ((password_hash, first), (is_there, by_mail));
    sql::wait(tx, hash, user, first, asked, ctx.now, end).await?;
    audit::record(tx, app, ctx, &Event::SecondFactorAsked { user }).await?;
    let factors =
        if by_mail { vec!["email"] } else { rules::factors(is_there, has_passkey, has_codes) };
    let is_enrolment = !by_mail && !is_there && !has_passkey;
    Ok(Ticket { token, factors, is_enrolment, trust })
}

/// Whether a code by mail is what a ticket waits for: a rule of risk asks, and there is nothing else to show. Where a
/// policy asks, too, the mailbox comes first, or whoever knows the password would add a factor of their own.
async fn by_mail(tx: &mut Tx, app: &App, user: &User, mailbox_first: bool) -> onesql::Result<bool> {
    Ok((mailbox_first || !is_asked(app, user)) && mail_code::is_last(tx, user).await?)
}

/// Returns what may be done with a ticket; nothing, if it is worth nothing.
pub async fn offered(app: &App, ctx: &Ctx, token: &PendingToken) -> onesql::Result<Offered> {
    let mut tx = app.store.glance().await?;
    let waits = sql::waits(&mut tx, hash(app, token), rules::TRIES_PER_TICKET, ctx.now).await?;
    let Some((user, mailbox_first)) = waits else { return Ok(Offered::default()) };
    let account = accounts::by_id(&mut tx, user).await?;
    let mut trust = None;
    if let Some(Account { user, .. }) = &account {
        if by_mail(&mut tx, app, user, mailbox_first).await? {
            return Ok(Offered { factors: vec!["email"], trust: None });
        }
        trust = trusted_devices::offered(app, user);
    }
    let is_there = sql::find(&mut tx, user).await?.is_some();
    let Others { has_passkey, has_codes } = sql::others(&mut tx, user).await?;
    Ok(Offered { factors: rules::factors(is_there, has_passkey, has_codes), trust })
}

/// Makes a challenge for the passkeys of the account whose ticket it is.
pub async fn challenge(
    app: &App,
    ctx: &Ctx,
    token: Option<&PendingToken>,
) -> Result<Challenge, FactorError> {
    let mut tx = app.store.write().await?;
    let Some(token) = token else {
        return Err(refuse(tx, app, ctx, None, Refusal::Because("malformed_ticket")).await?);
    };
    let hash = hash(app, token);
    let waits = sql::waits(&mut tx, hash.clone(), rules::TRIES_PER_TICKET, ctx.now).await?;
    let Some((user, _)) = waits else {
        let (user, reason) = sql::why_not(&mut tx, hash, ctx.now).await?;
        return Err(refuse(tx, app, ctx, user, Refusal::Because(reason)).await?);
    };
    let purpose = Purpose::SecondFactor(hash);
    let challenge = passkeys::challenge(&mut tx, app, ctx, &purpose, Some(user)).await?;
    if challenge.known.is_empty() {
        return Err(FactorError::NotEnabled);
    }
    tx.commit().await?;
    Ok(challenge)
}

/// Sends a code to the address of the account whose ticket it is, where there is nothing else to show; returns to
/// whom, and how long it works.
pub async fn send_code(
    app: &App,
    ctx: &Ctx,
    token: Option<&PendingToken>,
) -> Result<(EmailAddress, Duration), FactorError> {
    let mut glance = app.store.glance().await?;
    let asked = match token {
        Some(token) => {
            let hash = hash(app, token);
            sql::waits(&mut glance, hash, rules::TRIES_PER_TICKET, ctx.now).await?
        }
        None => None,
    };
    let account = match asked {
        Some((user, mailbox_first)) => {
            accounts::by_id(&mut glance, user).await?.map(|account| (account, mailbox_first))
        }
        None => None,
    };
    drop(glance);
    let (Some(token), Some((Account { user, .. }, mailbox_first))) = (token, account) else {
        let mut tx = app.store.write().await?;
        let (user, reason) = match token {
            Some(token) => sql::why_not(&mut tx, hash(app, token), ctx.now).await?,
            None => (None, "malformed_ticket"),
        };
        return Err(refuse(tx, app, ctx, user, Refusal::Because(reason)).await?);
    };
    if is_asked(app, &user) && !mailbox_first {
        return Err(FactorError::NotEnabled);
    }
    mail_code::spend(app, ctx, &user).await?;
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    let lasts = mail_code::send(tx, app, ctx, user.id, hash(app, token)).await?;
    Ok((user.email, lasts))
}

/// Opens the session that a ticket waits for, if what is shown is right; with `trust_device` the next sign-ins on
/// this device do without it, where that is offered.
pub async fn verify<C: Carrier>(
    app: &App,
    ctx: &Ctx,
    token: Option<&PendingToken>,
    proof: &Proof,
    trust_device: bool,
) -> Result<(C, Option<Trusted>), FactorError> {
    let taken = take(app, ctx, token).await?;
    let from_known = taken.from_known;
    match open(taken, app, ctx, token, proof, trust_device).await {
        // The device was forgotten in between. Nothing of it lasts, so once more, as from one that is not known.
        Err(FactorError::Store(onesql::Error::Unmet)) if from_known => {
            let taken = Taken { from_known: false, ..take(app, ctx, token).await? };
            open(taken, app, ctx, token, proof, trust_device).await
        }
        done => done,
    }
}

/// The same with one of the ticket's tries.
async fn open<C: Carrier>(
    Taken { mut tx, hash, account, totp, first, from_known, .. }: Taken,
    app: &App,
    ctx: &Ctx,
    token: Option<&PendingToken>,
    proof: &Proof,
    trust_device: bool,
) -> Result<(C, Option<Trusted>), FactorError> {
    let user = account.user.id;
    let purpose = Purpose::SecondFactor(hash.clone());
    let amr = match show(&mut tx, app, ctx, &account.user, &purpose, totp, proof).await? {
        Ok(amr) => amr,
        Err(refusal) => return Err(refuse(tx, app, ctx, Some(user), refusal).await?),
    };
    if let (Proof::MailCode(_), Some(token)) = (proof, token)
        && is_asked(app, &account.user)
    {
        // The mailbox is no second factor: who must have one adds it now.
        sql::mailbox_shown(&mut tx, hash).await?;
        audit::record(&mut tx, app, ctx, &Event::SecondFactorAsked { user }).await?;
        tx.commit().await?;
        let (token, factors) = (token.clone(), rules::factors(false, false, false));
        let ticket = Ticket { token, factors, is_enrolment: true, trust: None };
        return Err(FactorError::EnrolmentDue(ticket));
    }
    let password = account.password_hash.as_deref();
    let owner = account.user.clone();
    let amr = [&[first.as_str()], amr.as_slice()].concat();
    let proven = Proven { amr: &amr, at: ctx.now, is_enough: true, from_known };
    let begun = login::begin(&mut tx, app, ctx, account.user, password, proven).await?;
    // Also where nothing came of it.
    sql::used(&mut tx, hash, ctx.now).await?;
    let Some(carrier) = begun else {
        return Err(refuse(tx, app, ctx, Some(user), Refusal::Because("account_changed")).await?);
    };
    guessing::completed(&mut tx, app, ctx, &owner.email).await?;
    let trusted =
        if trust_device { trusted_devices::trust(&mut tx, app, ctx, &owner).await? } else { None };
    tx.commit().await?;
    Ok((carrier, trusted))
}

/// Makes a secret for who must have a second factor and has none: the ticket shows that the password
/// was right just now.
pub async fn enrol(
    app: &App,
    ctx: &Ctx,
    token: Option<&PendingToken>,
) -> Result<Enrolment, FactorError> {
    let Taken { mut tx, hash, account, mailbox_first, .. } = take(app, ctx, token).await?;
    let user = account.user;
    may_enrol(&mut tx, app, &user, mailbox_first).await?;
    let secret = Secret::new(ctx.world());
    let sealed = app.vault.seal(&totp_secret_of(user.id), secret.as_bytes());
    let end = ctx.now + ENROLMENT;
    if !sql::begin(&mut tx, user.id, hash, sealed, ctx.now, end).await? {
        return Err(FactorError::AlreadyEnabled);
    }
    tx.commit().await?;
    Ok(Enrolment::new(app, &user, &secret))
}

/// Lets that secret count, and opens the session that the ticket waits for.
pub async fn confirm_enrolment<C: Carrier>(
    app: &App,
    ctx: &Ctx,
    token: Option<&PendingToken>,
    code: &SecretString,
) -> Result<(Vec<RecoveryCode>, C), FactorError> {
    let Taken { mut tx, hash, account, first, mailbox_first, .. } = take(app, ctx, token).await?;
    let user = account.user;
    may_enrol(&mut tx, app, &user, mailbox_first).await?;
    let codes = match settle(&mut tx, app, ctx, &user, hash.clone(), None, code).await? {
        Ok(codes) => codes,
        Err(refusal) => return Err(refuse(tx, app, ctx, Some(user.id), refusal).await?),
    };
    sql::used(&mut tx, hash, ctx.now).await?;
    let (id, email) = (user.id, user.email.clone());
    let password = account.password_hash.as_deref();
    let user = User { second_factor_at: Some(ctx.now), updated_at: ctx.now, ..user };
    let proven =
        Proven { amr: &[first.as_str(), "otp"], at: ctx.now, is_enough: true, from_known: false };
    let begun = login::begin(&mut tx, app, ctx, user, password, proven).await?;
    let Some(carrier) = begun else {
        return Err(refuse(tx, app, ctx, Some(id), Refusal::Because("account_changed")).await?);
    };
    guessing::completed(&mut tx, app, ctx, &email).await?;
    tx.commit().await?;
    Ok((codes, carrier))
}

/// Fails where there is a passkey, or the password alone would lead around it to a new factor; and where no policy
/// asks for one, or the mailbox comes first: it would lead around what a rule of risk asks for.
async fn may_enrol(
    tx: &mut Tx,
    app: &App,
    user: &User,
    mailbox_first: bool,
) -> Result<(), FactorError> {
    if passkeys::has_any(tx, user.id).await? {
        return Err(FactorError::AlreadyEnabled);
    }
    if !is_asked(app, user) || mailbox_first {
        return Err(FactorError::NotEnabled);
    }
    Ok(())
}

/// A ticket of which a try was spent.
struct Taken {
    /// In which the account is held.
    tx: Tx,
    /// What is stored of the ticket.
    hash: Vec<u8>,
    account: Account,
    /// The secret of its app.
    totp: Option<Totp>,
    /// What was shown before.
    first: String,
    /// Whether the mailbox is to be shown before a factor is added.
    mailbox_first: bool,
    /// Whether the account was used before from where they come.
    from_known: bool,
}

/// Spends one of a ticket's tries.
async fn take(app: &App, ctx: &Ctx, token: Option<&PendingToken>) -> Result<Taken, FactorError> {
    let mut tx = app.store.write().await?;
    let Some(token) = token else {
        return Err(refuse(tx, app, ctx, None, Refusal::Because("malformed_ticket")).await?);
    };
    let hash = hash(app, token);
    let here = (ctx.device.label(), ctx.client.network());
    let tried =
        sql::try_once(&mut tx, hash.clone(), rules::TRIES_PER_TICKET, here, ctx.now).await?;
    let Some(mut tried) = tried else {
        let (user, reason) = sql::why_not(&mut tx, hash, ctx.now).await?;
        return Err(refuse(tx, app, ctx, user, Refusal::Because(reason)).await?);
    };
    let totp = tried.totp();
    let Tried { account, first_factor: first, mailbox_first, device, .. } = tried;
    let user = account.user.id;
    let from_known = device.is_some_and(|device| devices::is_known_as(app, ctx, user, &device));
    if account.user.disabled_at.is_some() {
        refuse(tx, app, ctx, Some(user), Refusal::Because("account_disabled")).await?;
        return Err(FactorError::AccountDisabled);
    }
    // Passwords were switched off since it was shown.
    if first == "pwd" && !passwords::are_on(app) {
        return Err(refuse(tx, app, ctx, Some(user), Refusal::Because("password_off")).await?);
    }
    Ok(Taken { tx, hash, account, totp, first, mailbox_first, from_known })
}

fn hash(app: &App, token: &PendingToken) -> Vec<u8> {
    token.hash(&app.secrets.token_hash).to_vec()
}
