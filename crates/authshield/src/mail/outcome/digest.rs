//! What of a day's mail somebody should know who looks once a day.
//!
//! ```text
//! write_daily ─ once in 24 hours, by the node that counts outcomes
//!     digest         the five shares that are furthest from what is usual; answers that nobody gave
//!                    in four weeks; mails of which nothing is known after a day
//!     audit::record  MAIL_DIGEST: the log, and the list of events
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onesql::Result;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::arithmetic::real;
use super::report::{self, CellReport, Share};
use super::{Cell, sql};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{MailId, Timestamp};

/// What a digest is about, and how often there is one.
const DAY: Duration = Duration::from_hours(24);

/// How long nobody may have given an answer for it to be new.
const MEMORY: Duration = Duration::from_hours(24 * 28);

/// How many shares are told, and how many answers and places at most.
const DEVIATIONS: usize = 5;
const AT_MOST: usize = 20;

/// How many answers are read at once, and how many of one day's may be new.
const BATCH: i64 = 1000;

/// A share of a cell that is not what it usually is, to the worse.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MailDeviation)]
pub struct Deviation {
    /// Which cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// Which share: `accepted`, `delivered`, `confirmed`, `bounced`, `deferred`, `complained`, `unknown`,
    /// `failed` or `expired`.
    pub share: &'static str,
    /// What it is.
    pub now: f64,
    /// What it was in the same hours of the last four weeks.
    pub usual: f64,
    /// Of how many messages.
    pub of: u64,
}

/// An answer that no server gave in the four weeks before.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MailNewReply)]
pub struct NewReply {
    /// The answer, without what differs from one message to the next.
    pub reply: String,
    /// How many messages got it.
    pub count: u64,
    /// The first of them.
    pub first_mail: MailId,
}

/// Messages of which nothing is known a day after the relay took them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = MailInTheDark)]
pub struct Dark {
    /// What they were handed to.
    pub provider: String,
    /// Who was to take them for the recipient.
    pub mailbox_provider: String,
    /// How many.
    pub count: i64,
    /// When the oldest was written.
    #[schema(value_type = String, format = DateTime)]
    pub oldest: Timestamp,
}

/// What of a day's mail somebody should know.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MailDigest)]
pub struct Digest {
    /// Of mail from then on,
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// and before then.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The shares that are furthest from what is usual, to the worse; five at most.
    pub deviations: Vec<Deviation>,
    /// Answers of servers that are new; twenty at most.
    pub new_replies: Vec<NewReply>,
    /// Where mail stays in the dark that was taken more than a day ago, in the last four weeks.
    pub unknown: Vec<Dark>,
}

/// An answer in the timeline of a message.
#[derive(sqlx::FromRow)]
pub(super) struct Answer {
    pub(super) received_at: Timestamp,
    pub(super) mail_id: MailId,
    pub(super) reply: String,
}

/// Which messages got an answer.
struct Replied {
    first_mail: MailId,
    mails: BTreeSet<MailId>,
}

/// Tells what of the last day's mail somebody should know.
pub async fn digest(app: &App, now: Timestamp) -> Result<Digest> {
    let cells = report::report(app, now, DAY).await?;
    let (from, to) = (cells.from, cells.to);
    let deviations = furthest(cells.cells.iter().flat_map(worse).collect());
    let mut replies: BTreeMap<String, Replied> = BTreeMap::new();
    each_answer(app, now - DAY, now, |answer| {
        let mail = answer.mail_id;
        let new = || Replied { first_mail: mail, mails: BTreeSet::new() };
        replies.entry(shape_of(&answer.reply)).or_insert_with(new).mails.insert(mail);
    })
    .await?;
    if !replies.is_empty() {
        let mut known = BTreeSet::new();
        each_answer(app, now - MEMORY, now - DAY, |answer| {
            known.insert(shape_of(&answer.reply));
        })
        .await?;
        replies.retain(|reply, _| !known.contains(reply));
    }
    let mut new_replies: Vec<_> = replies
        .into_iter()
        .map(|(reply, Replied { first_mail, mails })| NewReply {
            reply,
            count: mails.len() as u64,
            first_mail,
        })
        .collect();
    new_replies.sort_by_key(|reply| std::cmp::Reverse(reply.count));
    new_replies.truncate(AT_MOST);
    let mut unknown =
        sql::in_the_dark(&mut app.store.glance().await?, now - MEMORY, now - DAY).await?;
    unknown.truncate(AT_MOST);
    Ok(Digest { from, to, deviations, new_replies, unknown })
}

/// Writes the digest down, if the last one is a day old. Call it on one node.
pub async fn write_daily(app: &App) -> Result<bool> {
    let ctx = Ctx::command(std::sync::Arc::clone(&app.world));
    let last = audit::last_of(&mut app.store.glance().await?, "MAIL_DIGEST").await?;
    if last.is_some_and(|last| ctx.now.since(last) < DAY) {
        return Ok(false);
    }
    let digest = digest(app, ctx.now).await?;
    let Digest { from, to, deviations, new_replies, unknown } = digest;
    let (deviations, new_replies, unknown) =
        (json!(deviations), json!(new_replies), json!(unknown));
    tracing::info!(%from, %to, %deviations, %new_replies, %unknown, "mail of the day");
    let event = Event::MailDigest { from, to, deviations, new_replies, unknown };
    audit::record_alone(app, &ctx, &event).await?;
    Ok(true)
}

/// Calls `each` for every answer that refused a message between two instants.
async fn each_answer(
    app: &App,
    from: Timestamp,
    to: Timestamp,
    mut each: impl FnMut(&Answer),
) -> Result<()> {
    let mut after = (from, MailId::from(Uuid::nil()));
    loop {
        let mut tx = app.store.glance().await?;
        let answers = sql::answers(&mut tx, after, to, BATCH).await?;
        drop(tx);
        answers.iter().for_each(&mut each);
        match answers.last() {
            Some(last) if i64::try_from(answers.len()).is_ok_and(|count| count == BATCH) => {
                after = (last.received_at, last.mail_id);
            }
            _ => return Ok(()),
        }
    }
}

/// Returns the shares of a cell that are unusual, and worse than usual.
fn worse(report: &CellReport) -> Vec<(f64, Deviation)> {
    let good = [
        ("accepted", report.accepted),
        ("delivered", report.delivered),
        ("confirmed", report.confirmed),
    ];
    let bad = [
        ("bounced", report.bounced),
        ("deferred", report.deferred),
        ("complained", report.complained),
        ("unknown", report.unknown),
        ("failed", report.failed),
        ("expired", report.expired),
    ];
    let signed = good.map(|(name, share)| (name, share, -1.0)).into_iter();
    signed
        .chain(bad.map(|(name, share)| (name, share, 1.0)))
        .filter_map(|(name, share, sign)| {
            let Share { share: Some(now), usual: Some(usual), unusual: true, of, .. } = share
            else {
                return None;
            };
            let further = sign * (now - usual);
            let deviation = Deviation { cell: report.cell.clone(), share: name, now, usual, of };
            // By how many messages it is off, in units of what chance does.
            (further > 0.0).then(|| (further * real(of).sqrt(), deviation))
        })
        .collect()
}

fn furthest(mut found: Vec<(f64, Deviation)>) -> Vec<Deviation> {
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    found.into_iter().take(DEVIATIONS).map(|(_, deviation)| deviation).collect()
}

/// Returns an answer without what differs from one message to the next: names in the queue, addresses,
/// numbers, links. Codes at its beginning stay.
fn shape_of(reply: &str) -> String {
    let is_code = |word: &str| {
        word.len() <= 8
            && word.chars().all(|letter| letter.is_ascii_digit() || ".-".contains(letter))
    };
    let mut codes = true;
    let words = reply.split_whitespace().map(|word| {
        codes = codes && is_code(word);
        let varies = word.contains(['@', '/', '[', '<', '=']) || word.contains(char::is_numeric);
        if codes || !varies { word } else { "…" }
    });
    let mut shape: String = words.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = shape.char_indices().nth(200) {
        shape.truncate(end);
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_two_messages_have_one_shape() {
        for (one, other) in [
            (
                "550 5.1.1 <ann@example.net>: Recipient address rejected",
                "550 5.1.1 <bob@example.org>: Recipient address rejected",
            ),
            ("451 4.7.1 try again in 300 seconds", "451 4.7.1 try again in 59 seconds"),
            ("421 4.7.0 [192.0.2.1] deferred x1si99", "421 4.7.0 [192.0.2.2] deferred y2"),
        ] {
            assert_eq!(shape_of(one), shape_of(other));
        }
        assert_eq!(shape_of("550 5.7.26 not authenticated"), "550 5.7.26 not authenticated");
        assert_ne!(shape_of("550 5.1.1 no such user"), shape_of("550 5.7.1 no such user"));
        assert_eq!(shape_of(&"ä".repeat(900)).chars().count(), 200);
    }
}
