//! Counting what became of messages, by windows of five minutes in which they were written.
//!
//! News of a message may come days later, so a window is not added to: whenever something is new of one
//! of its messages, all of it is counted again.

use std::collections::BTreeMap;
use std::time::Duration;

use onesql::Result;
use uuid::Uuid;

use super::arithmetic::Times;
use super::sql::{self, Written};
use super::{Cell, MILLIONTH, Sums, provider};
use crate::app::App;
use crate::kernel::{MailId, Timestamp};
use crate::mail::timeline::State;

/// How long a window is.
pub const WINDOW: Duration = Duration::from_mins(5);

/// For how long what was written by another node may not be seen yet, or bear the time of a clock that
/// is behind.
const SLACK: Duration = Duration::from_mins(2);

/// How long servers let strangers wait at first.
const PATIENCE: Duration = Duration::from_mins(15);

/// How many messages are read at once, so that memory has a bound whatever the window.
const PAGE: i64 = 2000;

/// What is counted of a cell.
#[derive(Default)]
struct Tally {
    sums: Sums,
    /// To the relay's yes, to the mailbox, to the use of the link.
    times: [Times; 3],
}

/// Counts again every window of which something is new since it was last done, and returns how many
/// those were.
pub async fn count(app: &App) -> Result<u64> {
    let now = app.world.now();
    let begin = Timestamp::from_microsecond(0);
    let counted_to = sql::counted_to(&mut app.store.glance().await?).await?;
    let since = counted_to.map_or(begin, |counted_to| counted_to - SLACK);
    let (mut from, mut windows) = (begin, 0);
    loop {
        let changed = sql::next_changed(&mut app.store.glance().await?, from, since, now).await?;
        let Some(changed) = changed else { break };
        let window = window_of(changed);
        recount(app, window, now).await?;
        (from, windows) = (window + WINDOW, windows + 1);
    }
    let mut tx = app.store.write().await?;
    sql::set_counted_to(&mut tx, now).await?;
    tx.commit().await?;
    Ok(windows)
}

/// Returns when the window began in which something was written.
pub(super) fn window_of(at: Timestamp) -> Timestamp {
    let length = i64::try_from(WINDOW.as_micros()).expect("it is five minutes");
    Timestamp::from_microsecond(at.as_microsecond().div_euclid(length) * length)
}

async fn recount(app: &App, window: Timestamp, now: Timestamp) -> Result<()> {
    let mut cells: BTreeMap<Cell, Tally> = BTreeMap::new();
    let mut after = (window, MailId::from(Uuid::nil()));
    loop {
        let mut tx = app.store.glance().await?;
        let page = sql::messages(&mut tx, after, window + WINDOW, PAGE).await?;
        drop(tx);
        let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
        for message in page {
            after = (message.created_at, message.id);
            let tally = cells.entry(cell_of(app.post.first(), &message)).or_default();
            tally.add(&message, now);
        }
        if is_last {
            break;
        }
    }
    let mut tx = app.store.write().await?;
    sql::clear(&mut tx, window).await?;
    for (cell, Tally { sums, times }) in &cells {
        sql::add(&mut tx, window, cell, sums, times).await?;
    }
    tx.commit().await
}

fn cell_of(first: &str, message: &Written) -> Cell {
    // What nobody took was to go by the first way.
    let provider = message.provider.as_deref().unwrap_or(first);
    let place = message.mailbox_provider.as_deref().unwrap_or(provider::UNKNOWN);
    let sender = message.message_id.rsplit('@').next().unwrap_or_default();
    Cell {
        provider: provider.to_owned(),
        mailbox_provider: place.to_owned(),
        kind: message.kind.clone(),
        sender: sender.trim_end_matches('>').to_owned(),
    }
}

impl Tally {
    fn add(&mut self, message: &Written, now: Timestamp) {
        let Self { sums, times: [to_accept, to_deliver, to_confirm] } = self;
        sums.messages += 1;
        let took = |at: Timestamp| at.since(message.created_at).as_secs_f64();
        if let Some(seconds) = message.accepted_at.map(took) {
            sums.accepted += 1;
            to_accept.add(seconds);
            note(seconds, &mut sums.accept_logs, &mut sums.accept_squares);
        }
        // Who used the link had the mail, whether or not anybody reported that.
        let arrived = [message.delivered_at, message.confirmed_at].into_iter().flatten().min();
        if let Some(seconds) = arrived.map(took) {
            sums.delivered += 1;
            to_deliver.add(seconds);
            note(seconds, &mut sums.deliver_logs, &mut sums.deliver_squares);
        }
        if let Some(seconds) = message.confirmed_at.map(took) {
            sums.confirmed += 1;
            to_confirm.add(seconds);
        }
        let state = State::by_name(&message.state).map(|it| it.aged(message.unknown_from, now));
        match state {
            Some(State::Bounced) => sums.bounced += 1,
            Some(State::Deferred) => sums.deferred += 1,
            Some(State::Complained) => sums.complained += 1,
            Some(State::Failed) => sums.failed += 1,
            Some(State::Expired) => sums.expired += 1,
            Some(State::Unknown) => sums.unknown += 1,
            Some(State::Queued | State::Sending) if is_held(message, now) => sums.held += 1,
            _ => {}
        }
    }
}

/// Whether a message that waits does so because it was refused: for good, as it was said, or for the time
/// being and for longer than a server takes that lets strangers wait at first.
fn is_held(message: &Written, now: Timestamp) -> bool {
    let waits = now.since(message.created_at) >= PATIENCE;
    message.refused_with.is_some_and(|code| code >= 500 || waits)
}

#[expect(clippy::cast_possible_truncation, reason = "a logarithm of seconds is a small number")]
fn note(seconds: f64, logs: &mut i64, squares: &mut i64) {
    // What took no time at all took a millisecond.
    let log = seconds.max(0.001).ln();
    *logs += (log * MILLIONTH).round() as i64;
    *squares += (log * log * MILLIONTH).round() as i64;
}
