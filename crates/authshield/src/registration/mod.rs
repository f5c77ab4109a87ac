//! Opening an account.
//!
//! ```text
//! POST /auth/register ─ http::register ─ register
//!     Passwords::admit     too much to hash for us?
//!     captcha::pass        is a captcha due?
//!     domains::judge       an address that nobody keeps?
//!     Limits::spend        too much mail to this address?
//!     passwords::choose    the rules, which depend on nothing secret; and the hash, always, so
//!                          that a known address takes the same time
//!     one transaction      the account, its role, its link, its mail; or, if the address is known,
//!                          a mail that says so
//! ```
//!
//! The password of a registration is no account's until somebody proves the address: it waits in
//! `registrations`. Registered again with the same password, the same waits on. Registered again with
//! another, nobody can tell whose is the right one, and the next click must not decide it: links of
//! earlier mails die, and the next mail leads to where a password is chosen. So who registers
//! somebody else's address, before or after its owner, gains nothing.
//!
//! A registration waits for an address that has an account, too, though nothing comes of it: who
//! signs in with its password learns that the address is not verified, whatever stands behind it.
//!
//! Where passwords are switched off there is none, and nothing waits but the account: the click proves the
//! address, and opens nothing by itself.
//!
//! Every registration that is taken in sends one mail, whatever stands behind the address, and who
//! registers may ask what became of it ([`progress`]): a mail that never comes is the first thing that
//! goes wrong, and the one whom it concerns would be the last to know.

pub mod http;
mod proved;
mod sql;
mod unproved;

use std::time::Duration;

use onesql::Tx;
use secrecy::SecretString;

use crate::accounts::{self, Account, Change, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::captcha::{self, CaptchaError, Door};
use crate::config::DuplicateEmail;
use crate::domains;
use crate::evenly::Question;
use crate::kernel::{EmailAddress, FullName, LinkToken, Locale, MailId, Timestamp, UserId};
use crate::limits::rules::{HASHES_PER_SITE, MAIL_PER_RECIPIENT};
use crate::links::{self, Purpose};
use crate::mail::{self, Letter, Progress, Story};
use crate::passwords::{self, Chooser, Overloaded, Rejected, Verdict, Weakness};

pub use self::proved::{NotOpen, Proved, may_open, open_proved};
use self::sql::Waiting;
pub use self::unproved::forget_unproved;

/// Why no account was opened.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Strangers may not open accounts here.
    #[error("registration is closed")]
    Closed,

    /// The password is too easy to guess.
    #[error("the password is too weak")]
    Weak(Vec<Weakness>),

    /// Nobody keeps addresses of that domain.
    #[error("the domain of the address is refused")]
    DomainRefused,

    /// There is no password, and one is needed.
    #[error("the password is missing")]
    NoPassword,

    /// There is a password, and nobody has one here.
    #[error(transparent)]
    PasswordsOff(#[from] passwords::Off),

    /// The address has an account, and the configuration allows to say so.
    #[error("the address is registered")]
    AlreadyRegistered,

    /// The setup link is not valid, or somebody else used one.
    #[error("the setup link is not valid")]
    InvalidLink,

    /// A captcha is due, or we could not find out.
    #[error(transparent)]
    Captcha(#[from] CaptchaError),

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
            Rejected::Off(off) => off.into(),
            Rejected::Overloaded(overloaded) => Self::Overloaded(overloaded),
        }
    }
}

/// Why it is not known whether a password waits.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// There is too much to do.
    #[error("too many sign-ins at once")]
    Overloaded(#[from] Overloaded),

    /// We could not find out.
    #[error("the store failed during registration")]
    Store(#[from] onesql::Error),
}

/// What somebody says of themselves.
pub struct Newcomer {
    /// The address that mail will go to.
    pub email: EmailAddress,
    /// The password, not yet judged; none where nobody has one.
    pub password: Option<SecretString>,
    /// What they are called.
    pub full_name: Option<FullName>,
    /// Which language they read.
    pub locale: Option<Locale>,
}

/// Opens an account, or sends a mail that there is one: the answer is the same. Returns which mail. `captcha` is
/// the answer to one, where one was asked for.
pub async fn register(
    app: &App,
    ctx: &Ctx,
    newcomer: Newcomer,
    captcha: Option<&SecretString>,
) -> Result<MailId, RegisterError> {
    if !app.live.load().registration.enabled {
        return Err(RegisterError::Closed);
    }
    let Newcomer { email, password, full_name, locale } = newcomer;
    let password = wanted(app, password)?;
    if password.is_some() {
        app.passwords.admit()?;
    }
    captcha::pass(app, ctx, Door::Registration, &email, captcha).await?;
    if !domains::judge(app, ctx, &email, "registration").await? {
        return Err(RegisterError::DomainRefused);
    }
    if password.is_some() {
        app.limits
            .spend_some(&HASHES_PER_SITE, &ctx.client.site(), ctx.now, HASHES)
            .await
            .map_err(RegisterError::Limited)?;
    }
    app.limits
        .spend(&MAIL_PER_RECIPIENT, email.as_str(), ctx.now)
        .await
        .map_err(RegisterError::Limited)?;
    let locale = locale.unwrap_or_else(|| default_locale(app));
    let user = User::new(UserId::new(ctx.world()), email, full_name, locale, ctx.now);
    let Taken { asked, mut tx, account, is_same, contested } = if let Some(password) = &password {
        with_password(app, ctx, &user, password).await?
    } else {
        let asked = Question::now();
        let mut tx = app.store.write().await?;
        let account = hold_or_open(&mut tx, ctx, &user).await?;
        Taken { asked, tx, account, is_same: true, contested: false }
    };
    let is_somebodys =
        account.user.email_verified_at.is_some() || account.user.disabled_at.is_some();
    let mail = if is_somebodys {
        let failed = Event::RegisterFailed {
            user: Some(account.user.id),
            email: account.user.email.as_str().to_owned(),
            reason: "already_registered",
        };
        audit::record(&mut tx, app, ctx, &failed).await?;
        already_registered(&mut tx, app, ctx, &account.user).await?
    } else {
        // Without a password nobody can tell whether the one before was the same person.
        let is_doubtful = contested || password.is_none();
        let user = describe(&mut tx, ctx, account.user, user, is_doubtful).await?;
        if !is_same {
            links::withdraw(&mut tx, user.id, Purpose::VerifyEmail).await?;
        }
        let mail = send_proof(&mut tx, app, ctx, &user, contested).await?;
        let reason = contested.then_some("contested");
        audit::record(&mut tx, app, ctx, &Event::RegisterSucceeded { user: user.id, reason })
            .await?;
        mail
    };
    tx.commit().await?;
    if is_somebodys && app.live.load().registration.duplicate_email == DuplicateEmail::Reveal {
        return Err(RegisterError::AlreadyRegistered);
    }
    asked.until_step().await;
    Ok(mail)
}

/// Returns the password that counts: there must be one, or where passwords are switched off, none.
fn wanted(
    app: &App,
    password: Option<SecretString>,
) -> Result<Option<SecretString>, RegisterError> {
    match (passwords::are_on(app), &password) {
        (true, None) => Err(RegisterError::NoPassword),
        (false, Some(_)) => Err(passwords::Off.into()),
        _ => Ok(password),
    }
}

/// A registration that was taken in.
struct Taken {
    /// When what was found of the address began to matter.
    asked: Question,
    tx: Tx,
    /// The account of the address, held until `tx` ends.
    account: Account,
    /// Whether it is the one that waited already.
    is_same: bool,
    /// Whether several waited that contradict each other.
    contested: bool,
}

/// Lets a registration wait with its password, which counts once the address is proved.
async fn with_password(
    app: &App,
    ctx: &Ctx,
    user: &User,
    password: &SecretString,
) -> Result<Taken, RegisterError> {
    let (email, full_name) = (&user.email, user.full_name.as_ref());
    let chooser = Chooser { at: "registration", user: None, email, full_name };
    let hash = passwords::choose(app, ctx, password, chooser).await?;
    let Begun { asked, mut tx, account, before, is_same } = begin(app, ctx, user, password).await?;
    let contested = match &before {
        Some(before) => before.contested || !is_same,
        None => account.password_hash.is_some(),
    };
    let waiting = Waiting { password_hash: hash, contested };
    let until = ctx.now + app.config.verification.ttl;
    sql::remember(&mut tx, email, &waiting, ctx.now, until).await?;
    Ok(Taken { asked, tx, account, is_same, contested })
}

/// How many hashes a registration costs: its own, and that of the one before.
const HASHES: u32 = 2;

/// Tells how far a mail has come that a registration of the last day caused, or `None` if there is no
/// such mail.
///
/// Its id is told to nobody but who registered, and cannot be guessed. The answer says nothing of the
/// account: there is a mail for each registration, whatever it says.
pub async fn progress(app: &App, ctx: &Ctx, id: MailId) -> onesql::Result<Option<Progress>> {
    let story = mail::story(&mut app.store.read().await?, id, ctx.now).await?;
    Ok(story.filter(|story| is_told(story, ctx)).map(|story| Progress::of(&story)))
}

/// Tells whether the story of a mail is for whoever registered.
fn is_told(story: &Story, ctx: &Ctx) -> bool {
    Letter::is_of_registration(&story.row.kind) && ctx.now.since(story.row.created_at) < TOLD_FOR
}

/// Tells whether `id` is the mail of a registration of `email` of which [`progress`] is told still.
pub async fn is_of_own(
    app: &App,
    ctx: &Ctx,
    id: MailId,
    email: &EmailAddress,
) -> onesql::Result<bool> {
    let story = mail::story(&mut app.store.read().await?, id, ctx.now).await?;
    Ok(story.is_some_and(|story| is_told(&story, ctx) && story.row.recipient == email.as_str()))
}

/// How long it is told what became of the mail of a registration.
const TOLD_FOR: Duration = Duration::from_hours(24);

/// What a registration finds when it begins to write.
struct Begun {
    asked: Question,
    tx: Tx,
    /// The account of the address, held until `tx` ends.
    account: Account,
    /// The registration that waits already.
    before: Option<Waiting>,
    /// Whether that one has the same password.
    is_same: bool,
}

/// How often the password is compared with that of the registration before, when another comes in
/// between.
const ROUNDS: usize = 3;

/// Begins to write, with the account of the address held, which is opened if there is none; and
/// says whether the registration that waits has the same password. That is compared before the
/// transaction begins: on SQLite there is one writer.
async fn begin(
    app: &App,
    ctx: &Ctx,
    user: &User,
    password: &SecretString,
) -> Result<Begun, RegisterError> {
    let mut rounds = 0;
    loop {
        rounds += 1;
        let mut glance = app.store.glance().await?;
        let seen = sql::waiting(&mut glance, &user.email, ctx.now).await?;
        drop(glance);
        let seen = seen.map(|waiting| waiting.password_hash);
        // Without one, a decoy: whether a registration waits is nobody's business.
        let verdict = app.passwords.verify(password, seen.as_deref()).await?;
        let is_same = matches!(verdict, Verdict::Right { .. });
        let asked = Question::now();
        let mut tx = app.store.write().await?;
        let account = hold_or_open(&mut tx, ctx, user).await?;
        let before = sql::waiting(&mut tx, &user.email, ctx.now).await?;
        let unchanged = before.as_ref().map(|waiting| &waiting.password_hash) == seen.as_ref();
        if unchanged || rounds == ROUNDS {
            return Ok(Begun { asked, tx, account, before, is_same: is_same && unchanged });
        }
    }
}

/// Finds the account of an address and holds it, or opens it: without a password, until the address
/// is proved.
async fn hold_or_open(tx: &mut Tx, ctx: &Ctx, user: &User) -> onesql::Result<Account> {
    loop {
        if accounts::create(tx, user, None).await? {
            accounts::give_role(tx, user.id, "user", None, ctx.now).await?;
            return Ok(Account { user: user.clone(), password_hash: None });
        }
        if let Some(account) = accounts::hold_by_email(tx, &user.email).await? {
            return Ok(account);
        }
        // It was deleted, or got another address, just now.
    }
}

/// Lets an account that nobody proved bear what the newest registration says; if several contradict
/// each other, no name.
async fn describe(
    tx: &mut Tx,
    ctx: &Ctx,
    before: User,
    newest: User,
    contested: bool,
) -> onesql::Result<User> {
    if before.id == newest.id {
        return Ok(newest);
    }
    let full_name =
        newest.full_name.filter(|name| !contested || before.full_name.as_ref() == Some(name));
    let user = User { full_name, locale: newest.locale, updated_at: ctx.now, ..before };
    let (full_name, locale) = (Change::To(user.full_name.clone()), Some(user.locale.clone()));
    accounts::set_profile(tx, user.id, full_name, locale, ctx.now).await?;
    Ok(user)
}

/// Tells the owner of an account that somebody wanted to open it again. One that is disabled is told
/// without a link, but told: else what becomes of the mail would tell them apart.
pub async fn already_registered(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
) -> onesql::Result<MailId> {
    let (mail, lasts) = (app.outbox.next(), app.config.verification.ttl);
    let link = if user.disabled_at.is_none() && passwords::are_on(app) {
        let token = crate::recovery::issue(tx, app, ctx, user, mail, lasts).await?;
        Some(links::url(&app.config.mail.link_reset_password, &token))
    } else {
        None
    };
    let letter = Letter::AlreadyRegistered { link };
    app.outbox.put_as(mail, tx, &user.recipient(), &letter, ctx.now).await?;
    Ok(mail)
}

/// Sends another mail for the registration of `user` that waits, or to choose a password if there is
/// none that could count.
pub async fn send_again(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    has_password: bool,
) -> onesql::Result<MailId> {
    let must_choose = match sql::waiting(tx, &user.email, ctx.now).await? {
        Some(waiting) => waiting.contested,
        None => !has_password,
    };
    send_proof(tx, app, ctx, user, must_choose).await
}

/// Lets a registration wait for as long as a link does that is sent now, whether or not one is: what
/// a stranger sees must not depend on that.
pub async fn prolong(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
) -> onesql::Result<()> {
    let until = ctx.now + app.config.verification.ttl;
    sql::prolong(tx, email, ctx.now, until).await.map(drop)
}

/// Ends the registration of an address that was proved, and returns the hash of its password, if
/// it was the only one, and people have passwords still.
pub async fn take(
    tx: &mut Tx,
    app: &App,
    email: &EmailAddress,
    now: Timestamp,
) -> onesql::Result<Option<String>> {
    let waiting = sql::take(tx, email, now).await?;
    let counts = |waiting: &Waiting| !waiting.contested && passwords::are_on(app);
    Ok(waiting.filter(counts).map(|waiting| waiting.password_hash))
}

/// Ends the registration of an address, if one waits.
pub async fn forget(tx: &mut Tx, email: &EmailAddress, now: Timestamp) -> onesql::Result<()> {
    sql::take(tx, email, now).await.map(drop)
}

/// Returns whether `password` is that of the newest registration of `email`, which waits for proof.
pub async fn waits(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    password: &SecretString,
) -> Result<bool, Unanswered> {
    let waiting = sql::waiting(&mut app.store.glance().await?, email, ctx.now).await?;
    let hash = waiting.map(|waiting| waiting.password_hash);
    // Without one, a decoy: that a registration waits must not show in the time it takes.
    let verdict = app.passwords.verify_too(password, hash.as_deref()).await?;
    Ok(matches!(verdict, Verdict::Right { .. }))
}

async fn send_proof(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    must_choose: bool,
) -> onesql::Result<MailId> {
    if !must_choose || !passwords::are_on(app) {
        return send_verification(tx, app, ctx, user).await;
    }
    let (mail, lasts) = (app.outbox.next(), app.config.verification.ttl);
    let token = crate::recovery::issue(tx, app, ctx, user, mail, lasts).await?;
    let letter =
        Letter::ChoosePassword { link: links::url(&app.config.mail.link_reset_password, &token) };
    app.outbox.put_as(mail, tx, &user.recipient(), &letter, ctx.now).await?;
    Ok(mail)
}

/// Puts a link to prove the address of `user` into the outbox.
pub async fn send_verification(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
) -> onesql::Result<MailId> {
    send_link(tx, app, ctx, user, |link| Letter::VerifyEmail { link }).await
}

/// The same for who had the account closed: proving the address opens it again.
pub async fn send_way_back(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
) -> onesql::Result<MailId> {
    send_link(tx, app, ctx, user, |link| Letter::AccountClosed { link }).await
}

async fn send_link(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    letter: impl FnOnce(SecretString) -> Letter,
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
    let letter = letter(links::url(&app.config.mail.link_verify_email, &token));
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
    let chooser = Chooser { at: "setup", user: None, email: &email, full_name: full_name.as_ref() };
    let hash = match wanted(app, password)? {
        Some(password) => Some(passwords::choose(app, ctx, &password, chooser).await?),
        None => None,
    };
    let locale = locale.unwrap_or_else(|| default_locale(app));
    let user = User {
        email_verified_at: Some(ctx.now),
        roles: vec!["admin".to_owned(), "user".to_owned()],
        ..User::new(UserId::new(ctx.world()), email, full_name, locale, ctx.now)
    };
    let mut tx = app.store.write().await?;
    crate::roles::lock_admins(&mut tx).await?;
    let setup = [Purpose::Setup, Purpose::Setup];
    if links::redeem(&mut tx, app, token, setup, ctx.now).await?.is_none()
        || crate::roles::other_admins(&mut tx, user.id).await? > 0
    {
        return Err(RegisterError::InvalidLink);
    }
    if !accounts::create(&mut tx, &user, hash.as_deref()).await? {
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
