//! Guessing: how many wrong passwords an account bears, on all nodes, over restarts, wherever one is asked for.
//!
//! ```text
//! begin        before the password is judged: it counts as wrong
//!   rules      how many are judged, and how long one waits for the next  (pure)
//!   sql        the count, which one row's lock keeps exact
//! succeeded    it was right: the row of wrong ones ends
//! failed       it was wrong: an event and a letter, if that locks something
//! take_back    nobody judged it: there was too much to do
//! postpone     it was right, and a second factor is due
//! completed    the second factor was right, too
//! recovered    a new password was chosen by mail
//! codes        the same for codes that went by mail
//! mails        how many mails that let somebody in an address gets
//! pattern      many accounts from one place: an event, and strangers there are slowed down
//! ```
//!
//! Wrong passwords are counted by *place*: each network from which the owner signed in before has a count
//! of its own, and so has each session; everybody else is counted together. So who guesses from
//! elsewhere shuts himself out, and not the owner at home. Over all places there are at most 100 in a row
//! (NIST SP 800-63B-4, 3.2.2), a fifth of which strangers cannot use up; then only a link by mail helps.
//!
//! Addresses without an account are counted alike, so that a stranger elsewhere learns nothing of who has
//! one. What that does not hide, for the sake of owners who are not to be locked out: who shares a network
//! with an owner sees that it is known (the guide to abuse says so).

mod codes;
mod mails;
mod pattern;
mod rules;
mod sql;

use std::time::Duration;

use onesql::Tx;

pub use self::codes::{CodeAt, CodeCounted, CodeRefused, begin_code, code_was_right};
pub use self::mails::spend_entry_mail;
use self::pattern::Sighting;
pub use self::pattern::{Patterns, SLOWED, neighbourhood};
use self::rules::{Place, Refused, Who};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, SessionId, Timestamp, UserId};
use crate::limits::Exceeded;
use crate::limits::rules::{LOGIN_UNDER_ATTACK, password_per_account};
use crate::mail::{Letter, Recipient};

/// For how long a network counts as the owner's after a sign-in.
const KNOWN_FOR: Duration = Duration::from_hours(90 * 24);

/// How long a count is kept that nobody adds to: of an account, and of an address that has none.
const KEPT: [Duration; 2] = [Duration::from_hours(400 * 24), Duration::from_hours(30 * 24)];

/// Why no password is judged.
#[derive(Debug, thiserror::Error)]
pub enum GuessError {
    /// There were too many wrong ones.
    #[error("too many wrong passwords")]
    Limited(Exceeded),

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// A password that is about to be judged, and was counted as wrong until it is known to be right.
#[derive(Debug)]
pub struct Attempt {
    keys: Keys,
    /// What was counted; nothing if there are no limits, or if nobody is listened to.
    counted: Option<Counted>,
    locked: bool,
}

#[derive(Debug)]
struct Counted {
    who: Who,
    place: Vec<u8>,
    after: Place,
    /// In a row, from all places.
    run: sql::Run,
}

/// Whose account is guessed at.
pub struct Owner {
    /// The account.
    pub user: UserId,
    /// Where letters go to; nowhere before the address was proved.
    pub letters_to: Option<Recipient>,
}

impl Attempt {
    /// Returns whether the password does not count, right or wrong, since there were too many in a row. Judge
    /// another one in its place, so that nobody learns it from the time.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.locked
    }
}

/// What the counts of an attempt are kept under: no row tells whose it is.
#[derive(Debug)]
struct Keys {
    account: Vec<u8>,
    network: Vec<u8>,
    session: Vec<u8>,
    strangers: Vec<u8>,
}

impl Keys {
    fn of(app: &App, ctx: &Ctx, email: &EmailAddress, session: Option<SessionId>) -> Self {
        let hash = |text: &str| app.secrets.email_hash.hash(text).to_vec();
        let place = |kind: &str, which: &str| hash(&format!("{}\0{kind}\0{which}", email.as_str()));
        let strangers = place("strangers", "");
        Self {
            account: hash(email.as_str()),
            network: place("network", &ctx.client.network()),
            session: session
                .map_or_else(|| strangers.clone(), |id| place("session", &id.to_string())),
            strangers,
        }
    }
}

/// Counts a password that is about to be judged, or says why it is not. `exists` says whether the address
/// has an account: that changes nothing but how long the count is kept.
pub async fn begin(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    exists: bool,
    session: Option<SessionId>,
) -> Result<Attempt, GuessError> {
    let keys = Keys::of(app, ctx, email, session);
    if !app.limits.enabled() {
        return Ok(Attempt { keys, counted: None, locked: false });
    }
    // Whoever has to wait anyway costs one read and keeps nobody waiting.
    let places = [&keys.network[..], &keys.session[..], &keys.strangers[..]];
    let rows = sql::places(&mut app.store.glance().await?, places, ctx.now).await?;
    let seen = Standing::find(&keys, &rows, session.is_some(), ctx.now);
    if let Err(Refused::Wait(span)) = seen.next(app, 0, ctx.now) {
        return Err(limited(app, span));
    }
    if seen.who == Who::Stranger {
        slow_down(app, ctx).await?;
    }

    let kept = ctx.now + KEPT[usize::from(!exists)];
    let mut tx = app.store.write().await?;
    let run = sql::count(&mut tx, &keys.account, kept).await?;
    let rows = sql::places(&mut tx, places, ctx.now).await?;
    let seen = Standing::find(&keys, &rows, session.is_some(), ctx.now);
    match seen.next(app, run.failures - 1, ctx.now) {
        Ok(after) => {
            let Standing { who, place, until, .. } = seen;
            sql::set_place(&mut tx, place, &after, until.unwrap_or(kept)).await?;
            tx.commit().await?;
            let counted = Counted { who, place: place.to_vec(), after, run };
            Ok(Attempt { keys, counted: Some(counted), locked: false })
        }
        Err(Refused::Wait(span)) => Err(limited(app, span)),
        Err(Refused::Locked) => Ok(Attempt { keys, counted: None, locked: true }),
    }
}

/// Where an attempt is counted, and what was counted there.
struct Standing<'k> {
    who: Who,
    place: &'k [u8],
    before: Option<Place>,
    /// Until when it is known, if it is.
    until: Option<Timestamp>,
}

impl<'k> Standing<'k> {
    /// A network that is known comes first, then the session, then all others.
    fn find(keys: &'k Keys, rows: &[sql::Row], with_session: bool, now: Timestamp) -> Self {
        let row = |key: &[u8]| rows.iter().find(|row| row.place == key);
        if let Some(row) = row(&keys.network) {
            let (before, until) = (Some(row.counted()), Some(row.expires_at));
            return Self { who: Who::Known, place: &keys.network, before, until };
        }
        let (who, place, until) = if with_session {
            (Who::Known, &keys.session, Some(now + KNOWN_FOR))
        } else {
            (Who::Stranger, &keys.strangers, None)
        };
        Self { who, place, before: row(place).map(sql::Row::counted), until }
    }

    fn next(&self, app: &App, failures: i64, now: Timestamp) -> Result<Place, Refused> {
        rules::next(self.before.as_ref(), self.who, failures, &app.config.rate_limit, now)
    }
}

fn limited(app: &App, retry_after: Duration) -> GuessError {
    GuessError::Limited(limited_to(app, retry_after))
}

fn limited_to(app: &App, retry_after: Duration) -> Exceeded {
    Exceeded { rule: password_per_account(&app.config.rate_limit), retry_after }
}

/// Ends the row of wrong passwords, in the transaction of what a right one opens: the client's network is the
/// owner's from now on.
///
/// What strangers have to wait for stays: or each sign-in of the owner would give them guesses.
pub async fn succeeded(tx: &mut Tx, app: &App, ctx: &Ctx, attempt: &Attempt) -> onesql::Result<()> {
    let Some(counted) = &attempt.counted else { return Ok(()) };
    seen_to_enter(tx, app, ctx, &attempt.keys);
    forgive(tx, ctx, &attempt.keys, &counted.place).await
}

/// The same, where the password was right before, and something else shows now that it was the owner who
/// knew it.
pub async fn completed(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
) -> onesql::Result<()> {
    if !app.limits.enabled() {
        return Ok(());
    }
    let keys = Keys::of(app, ctx, email, None);
    seen_to_enter(tx, app, ctx, &keys);
    forgive(tx, ctx, &keys, &keys.network).await
}

/// Lets the pattern of who comes from there know of a success, once it lasts.
fn seen_to_enter(tx: &mut Tx, app: &App, ctx: &Ctx, keys: &Keys) {
    let (app, client, account, now) = (app.clone(), ctx.client, keys.account.clone(), ctx.now);
    tx.then(move || app.patterns.succeeded(&client, &account, now));
}

/// The same, where a right password opens nothing.
pub async fn confirmed(app: &App, ctx: &Ctx, attempt: &Attempt) -> onesql::Result<()> {
    if attempt.counted.is_none() {
        return Ok(());
    }
    let mut tx = app.store.write().await?;
    succeeded(&mut tx, app, ctx, attempt).await?;
    tx.commit().await
}

/// Ends everything that wrong passwords led to, in the transaction in which a link by mail is used: whoever has
/// it may come in, from the network where it was used and from elsewhere.
pub async fn recovered(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
) -> onesql::Result<()> {
    if !app.limits.enabled() {
        return Ok(());
    }
    let keys = Keys::of(app, ctx, email, None);
    codes::forget_codes(tx, app, email).await?;
    forgive(tx, ctx, &keys, &keys.strangers).await
}

/// Ends what was counted of an address for everybody: whoever has it next begins anew.
pub async fn forget(tx: &mut Tx, app: &App, ctx: &Ctx, email: &EmailAddress) -> onesql::Result<()> {
    let keys = Keys::of(app, ctx, email, None);
    codes::forget_codes(tx, app, email).await?;
    sql::forget(tx, &keys.account).await?;
    sql::forget_places(tx, [&keys.strangers; 2], &keys.network, ctx.now).await
}

/// Ends the row of wrong ones and what there is to wait for at `place`; from now on the client's network is
/// the owner's.
async fn forgive(tx: &mut Tx, ctx: &Ctx, keys: &Keys, place: &[u8]) -> onesql::Result<()> {
    sql::forget(tx, &keys.account).await?;
    sql::forget_places(tx, [place, &keys.strangers], &keys.network, ctx.now).await?;
    let fresh = Place { failures: 0, streak: 0, open_at: ctx.now };
    sql::set_place(tx, &keys.network, &fresh, ctx.now + KNOWN_FOR).await
}

/// Writes down what a wrong password locks, if it does, in the transaction that says that it was wrong. The
/// owner is told once until the next right password.
pub async fn failed(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    attempt: &Attempt,
    email: &EmailAddress,
    owner: Option<Owner>,
) -> onesql::Result<()> {
    let Some(Counted { who, after, run, .. }) = &attempt.counted else { return Ok(()) };
    let Some(lock) = rules::lock(after, *who, run.failures, &app.config.rate_limit) else {
        return Ok(());
    };
    let locked = Event::AccountLocked {
        user: owner.as_ref().map(|owner| owner.user),
        email: email.as_str().to_owned(),
        reason: lock.reason(),
        failures: run.failures,
        until: (!lock.is_for_good()).then_some(after.open_at),
    };
    audit::record(tx, app, ctx, &locked).await?;
    if sql::tell(tx, &attempt.keys.account, ctx.now).await?
        && let Some(to) = owner.and_then(|owner| owner.letters_to)
    {
        app.outbox.put(tx, &to, &Letter::AccountLocked, ctx.now).await?;
    }
    Ok(())
}

/// Looks at a wrong password together with those that came from the same place, and writes down an attack on
/// many accounts that it makes visible. `exists` says whether the address has an account.
pub async fn look_around(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    attempt: &Attempt,
    exists: bool,
) -> onesql::Result<()> {
    if !app.limits.enabled() {
        return Ok(());
    }
    let account = &attempt.keys.account;
    let Some(sighting) = app.patterns.failed(&ctx.client, account, exists, ctx.now) else {
        return Ok(());
    };
    let Sighting { pattern, tally, network } = sighting;
    let seen = Event::SignInAttackSeen {
        reason: pattern.reason(),
        network,
        accounts: tally.failed,
        unknown: tally.unknown,
        entered: tally.entered,
    };
    audit::record(tx, app, ctx, &seen).await
}

/// Slows strangers down where many accounts are attacked from. Whoever signed in there before is none: so it is
/// no weapon against those who share an address with the attacker.
async fn slow_down(app: &App, ctx: &Ctx) -> Result<(), GuessError> {
    let Some(network) = app.patterns.slowed(&ctx.client, ctx.now) else { return Ok(()) };
    let spent = app.limits.spend(&LOGIN_UNDER_ATTACK, &network, ctx.now).await;
    spent.map(drop).map_err(GuessError::Limited)
}

/// Takes an attempt back that nobody judged: a service that is busy must not lock anybody out. What others
/// counted meanwhile stays.
pub async fn take_back(app: &App, ctx: &Ctx, attempt: &Attempt) -> onesql::Result<()> {
    if attempt.counted.is_none() {
        return Ok(());
    }
    let mut tx = app.store.write().await?;
    postpone(&mut tx, ctx, attempt).await?;
    tx.commit().await
}

/// The same, in the transaction in which a right password leads to a second factor: it was not wrong, and that it
/// was the owner's shows with that only.
pub async fn postpone(tx: &mut Tx, ctx: &Ctx, attempt: &Attempt) -> onesql::Result<()> {
    let Some(Counted { place, after, run, .. }) = &attempt.counted else { return Ok(()) };
    sql::uncount(tx, &attempt.keys.account, *run, Some((&place[..], after)), ctx.now).await
}
