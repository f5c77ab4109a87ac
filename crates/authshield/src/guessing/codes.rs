//! Wrong codes that went by mail: counted per address, whoever asked for the mail and on whichever node.
//!
//! Each mail bears five guesses, and anybody may ask for mails. So the same waits follow as for passwords, and after as
//! many in a row only links are taken. Strangers can bring that about; an owner notices nothing who uses the link.
//!
//! Where more is needed to show one than the address, there is no link, and so a count apart: strangers keep nobody
//! waiting who showed a password, and whoever knows it nobody who is signed in.

use onesql::Tx;

use super::rules::{self, Place, Refused, Who};
use super::{KEPT, limited_to, sql};
use crate::app::{App, Ctx};
use crate::kernel::{EmailAddress, Timestamp};
use crate::limits::Exceeded;

/// A code that is about to be judged, and was counted as wrong until it is known to be right.
pub struct CodeCounted(Option<Counted>);

struct Counted {
    key: Vec<u8>,
    before: Place,
    until: Timestamp,
}

/// Why no code is judged; a link is.
pub enum CodeRefused {
    /// There were too many lately.
    Wait(Exceeded),
    /// There were too many in a row.
    Locked,
}

/// Where a code is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeAt {
    /// By anybody, who wants to sign in with it.
    Door,
    /// By who showed the first factor of an account.
    SecondStep,
    /// In a session of the account.
    Session,
}

impl CodeAt {
    const ALL: [Self; 3] = [Self::Door, Self::SecondStep, Self::Session];

    fn key(self, app: &App, email: &EmailAddress) -> Vec<u8> {
        let kind = match self {
            Self::Door => "mail code",
            Self::SecondStep => "mail code behind a first factor",
            Self::Session => "mail code in a session",
        };
        app.secrets.email_hash.hash(&format!("{}\0{kind}", email.as_str())).to_vec()
    }
}

/// Counts a code that is about to be judged in `tx`, or says why it is not. Whoever shows another one there for the
/// same address waits until `tx` ends.
pub async fn begin_code(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    at: CodeAt,
) -> onesql::Result<Result<CodeCounted, CodeRefused>> {
    if !app.limits.enabled() {
        return Ok(Ok(CodeCounted(None)));
    }
    let (key, until) = (at.key(app, email), ctx.now + KEPT[0]);
    let run = sql::count(tx, &key, until).await?;
    let rows = sql::places(tx, [&key[..]; 3], ctx.now).await?;
    let place = rows.first().map(sql::Row::counted);
    let policy = &app.config.rate_limit;
    let refused = match rules::next(place.as_ref(), Who::Known, run.failures - 1, policy, ctx.now) {
        Ok(after) => {
            sql::set_place(tx, &key, &after, until).await?;
            let fresh = Place { failures: 0, streak: 0, open_at: ctx.now };
            let before = place.unwrap_or(fresh);
            return Ok(Ok(CodeCounted(Some(Counted { key, before, until }))));
        }
        Err(Refused::Wait(span)) => CodeRefused::Wait(limited_to(app, span)),
        Err(Refused::Locked) => CodeRefused::Locked,
    };
    // It was not judged, so it is none of those in a row.
    sql::uncount(tx, &key, run, None, ctx.now).await?;
    Ok(Err(refused))
}

/// Ends the row of wrong codes, in the transaction of what the right one opens. What others have to wait for stays.
pub async fn code_was_right(tx: &mut Tx, counted: &CodeCounted) -> onesql::Result<()> {
    let Some(Counted { key, before, until }) = &counted.0 else { return Ok(()) };
    sql::forget(tx, key).await?;
    sql::set_place(tx, key, before, *until).await
}

/// Ends the rows of wrong codes of an address, in the transaction in which its owner shows otherwise who they are.
pub(super) async fn forget_codes(
    tx: &mut Tx,
    app: &App,
    email: &EmailAddress,
) -> onesql::Result<()> {
    for at in CodeAt::ALL {
        sql::forget(tx, &at.key(app, email)).await?;
    }
    Ok(())
}
