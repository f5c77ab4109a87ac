//! Addresses that mail is not sent to, so that we do not go on knocking where nobody lives.
//!
//! ```text
//! events::append ─ heed     mail came back for good, or was complained of: it is written down, with
//!                           the evidence; mail arrives: it is forgotten
//! Post::handle ─ may_go     before every mail: what is suppressed ends as that, in its timeline
//! /admin/mail/suppressions  operators list, add, lift, import and export
//! ```
//!
//! Mail that comes back for good stops all mail to the address for three days. Then one mail that
//! somebody asked for is tried; if that comes back too, all mail stops for thirty days, and so on. A
//! complaint stops, until an operator lifts it, all that does not protect the account.

mod rules;
mod sql;

use onesql::{Result, Store, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::outbox::Outbox;
use super::sql::{Detail, Held, Row as Message};
use super::timeline::EventKind;
use crate::kernel::{MailEventId, MailId, Place, SuppressionId, Timestamp, UserId};
use crate::vault::SUPPRESSED_ADDRESS;
use rules::{AGAIN, Bar, Effect, FIRST, Heard, Passage};
pub use rules::{Reason, Scope};

/// A suppression, as operators see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MailSuppression)]
pub struct Suppression {
    /// Its name.
    pub id: SuppressionId,
    /// The address; `null` if it was sealed under a key that is gone.
    pub address: Option<String>,
    /// Which mails it is about.
    #[schema(value_type = Scope)]
    pub scope: String,
    /// Why.
    #[schema(value_type = Reason)]
    pub reason: String,
    /// How often in a row mail came back for good.
    pub strikes: i64,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Until when; `null` until somebody lifts it. After a bounce, one mail is tried then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The mail that came back, or was complained of.
    pub mail_id: Option<MailId>,
    /// The administrator who added it; `null` if a command did, or nobody.
    pub by: Option<UserId>,
    /// When the one mail was sent that is tried after the end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub trial_at: Option<Timestamp>,
}

impl Suppression {
    /// Returns its place in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { at: self.since, id: self.id.as_uuid() }
    }
}

/// Why a mail was not sent.
#[derive(Debug, Clone)]
pub(super) struct Barred {
    pub(super) reason: Reason,
    /// In words, for its timeline.
    pub(super) words: String,
}

fn bar(row: &sql::Row) -> Option<Bar> {
    // What a newer version wrote down is not for this one to judge.
    Some(Bar {
        scope: Scope::by_name(&row.scope)?,
        reason: Reason::by_name(&row.reason)?,
        until: row.until,
        trial: row.trial_mail.zip(row.trial_at),
    })
}

/// Decides whether a mail may go, and takes the one trial for it if it needs that.
pub(super) async fn may_go(
    store: &Store,
    outbox: &Outbox,
    mail: &Message,
    now: Timestamp,
) -> Result<std::result::Result<(), Barred>> {
    let to_hash = outbox.address_hash(&mail.recipient);
    let rows = sql::of(&mut store.glance().await?, to_hash).await?;
    for row in rows {
        let Some(bar) = bar(&row) else { continue };
        let passage = rules::passage(&bar, mail.id, &mail.kind, now);
        let goes = match passage {
            Passage::Free => true,
            Passage::Barred => false,
            Passage::Trial => {
                let mut tx = store.write().await?;
                let taken = sql::take_trial(&mut tx, row.id, mail.id, now).await?;
                tx.commit().await?;
                taken
            }
        };
        if !goes {
            return Ok(Err(Barred { reason: bar.reason, words: words(&row, &bar) }));
        }
    }
    Ok(Ok(()))
}

fn words(row: &sql::Row, bar: &Bar) -> String {
    let why = match bar.reason {
        Reason::HardBounce => "mail to this address came back for good",
        Reason::Complaint => "its recipient called mail unwanted",
        Reason::Operator => "an operator suppressed this address",
        Reason::Imported => "this address stood in an imported list",
    };
    let until = match bar.until {
        Some(until) => format!("until {until}"),
        None => "until an operator lifts it".to_owned(),
    };
    format!("suppressed since {} {until}: {why}", row.since)
}

/// Returns whether a mail of this kind to an address would be suppressed at `now`.
pub async fn is_suppressed(
    tx: &mut Tx,
    outbox: &Outbox,
    recipient: &str,
    kind: &str,
    now: Timestamp,
) -> Result<bool> {
    let rows = sql::of(tx, outbox.address_hash(recipient)).await?;
    let new = outbox.next();
    let barred = |bar: Bar| rules::passage(&bar, new, kind, now) == Passage::Barred;
    Ok(rows.iter().filter_map(bar).any(barred))
}

/// Takes note, as part of `tx`, of what news of a mail means for its address.
pub(super) async fn heed(
    tx: &mut Tx,
    outbox: &Outbox,
    held: &Held,
    (mail, event): (MailId, MailEventId),
    (kind, detail): (EventKind, &Detail),
    now: Timestamp,
) -> Result<()> {
    let heard = Heard {
        kind,
        class: detail.class,
        smtp_code: detail.smtp_code,
        enhanced_code: detail.enhanced_code.as_deref(),
    };
    let new = |scope, reason, until| {
        let evidence = Some((mail, event));
        New { scope, reason, until, evidence, by: None }.row(outbox, &held.recipient, now)
    };
    match rules::effect(heard) {
        Effect::Nothing => Ok(()),
        Effect::Strike => {
            let new = new(Scope::All, Reason::HardBounce, Some(now + FIRST));
            sql::strike(tx, new, now + AGAIN).await
        }
        Effect::Complaint => {
            let new = new(Scope::NonSecurity, Reason::Complaint, None);
            sql::put(tx, new, false).await.map(drop)
        }
        Effect::Works => {
            let to_hash = outbox.address_hash(&held.recipient);
            let was_read = kind == EventKind::Confirmed;
            sql::works(tx, to_hash, held.created_at, mail, was_read).await
        }
    }
}

/// What is said of a suppression.
#[derive(Debug, Clone, Copy)]
pub struct New {
    /// Which mails it is about.
    pub scope: Scope,
    /// Why.
    pub reason: Reason,
    /// Until when; for ever unless said.
    pub until: Option<Timestamp>,
    /// The mail and the event that are the evidence.
    pub evidence: Option<(MailId, MailEventId)>,
    /// The administrator who says so.
    pub by: Option<UserId>,
}

impl New {
    fn row(self, outbox: &Outbox, address: &str, now: Timestamp) -> sql::New {
        sql::New {
            id: SuppressionId::new(outbox.world().as_ref()),
            to_hash: outbox.address_hash(address),
            scope: self.scope,
            reason: self.reason,
            address: outbox.seal(SUPPRESSED_ADDRESS, address.as_bytes()),
            since: now,
            until: self.until,
            evidence: self.evidence,
            by: self.by,
        }
    }
}

/// Suppresses mail to an address: in the place of what is known of it, or only if nothing is. Returns
/// whether that changed anything.
pub async fn suppress(
    tx: &mut Tx,
    outbox: &Outbox,
    address: &str,
    new: New,
    replace: bool,
    now: Timestamp,
) -> Result<bool> {
    sql::put(tx, new.row(outbox, address, now), replace).await
}

/// Lists up to `at_most` suppressions after a place, the newest first; those of one address, if one is
/// given.
pub async fn suppressions(
    tx: &mut Tx,
    outbox: &Outbox,
    address: Option<&str>,
    after: Place,
    at_most: i64,
) -> Result<Vec<Suppression>> {
    let to_hash = address.map(|address| outbox.address_hash(address));
    let rows = sql::list(tx, to_hash, after, at_most).await?;
    Ok(rows.into_iter().map(|row| shown(outbox, row)).collect())
}

/// Lifts a suppression, and returns it; `None` if there is none.
pub async fn lift(tx: &mut Tx, outbox: &Outbox, id: SuppressionId) -> Result<Option<Suppression>> {
    Ok(sql::remove(tx, id).await?.map(|row| shown(outbox, row)))
}

/// Counts the suppressions that hold at `now`.
pub async fn suppressed_count(tx: &mut Tx, now: Timestamp) -> Result<i64> {
    sql::count(tx, now).await
}

/// Forgets suppressions that ended before `before`, and returns how many.
pub async fn forget_suppressions(store: &Store, before: Timestamp) -> Result<u64> {
    let mut tx = store.write().await?;
    let gone = sql::forget(&mut tx, before).await?;
    tx.commit().await?;
    Ok(gone)
}

fn shown(outbox: &Outbox, row: sql::Row) -> Suppression {
    let opened = outbox.unseal(SUPPRESSED_ADDRESS, &row.address);
    let address = opened
        .and_then(|plain| String::from_utf8(plain.to_vec()).ok())
        // Only what belongs to this row.
        .filter(|address| outbox.address_hash(address) == row.to_hash);
    Suppression {
        id: row.id,
        address,
        scope: row.scope,
        reason: row.reason,
        strikes: row.strikes,
        since: row.since,
        until: row.until,
        mail_id: row.mail_id,
        by: row.by_user,
        trial_at: row.trial_at,
    }
}
