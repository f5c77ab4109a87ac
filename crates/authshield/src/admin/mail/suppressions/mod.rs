//! Addresses that get no mail, as operators see and change them; each change is an event.

pub mod http;

use std::fmt::Write as _;

use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, Place, SuppressionId, Timestamp, UserId};
use crate::mail::{self, NewSuppression, Suppression, SuppressionReason, SuppressionScope};

/// How many rows of an export are read at once.
const PIECE: i64 = 200;

/// Suppresses mail to an address, whatever is known of it.
pub async fn add(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    email: &EmailAddress,
    scope: SuppressionScope,
    until: Option<Timestamp>,
) -> onesql::Result<Suppression> {
    let mut tx = app.store.write().await?;
    let new = by_hand(SuppressionReason::Operator, actor, scope, until);
    mail::suppress(&mut tx, &app.outbox, email.as_str(), new, true, ctx.now).await?;
    let event = Event::MailSuppressionAdded {
        actor,
        email: email.as_str().to_owned(),
        scope: scope.as_str(),
        until,
    };
    audit::record(&mut tx, app, ctx, &event).await?;
    let all = mail::suppressions(&mut tx, &app.outbox, Some(email.as_str()), Place::start(), 9);
    let added = all.await?.into_iter().find(|one| one.scope == scope.as_str());
    tx.commit().await?;
    Ok(added.expect("it was put there in this transaction"))
}

fn by_hand(
    reason: SuppressionReason,
    by: Option<UserId>,
    scope: SuppressionScope,
    until: Option<Timestamp>,
) -> NewSuppression {
    NewSuppression { scope, reason, until, evidence: None, by }
}

/// Lets mail go again, and returns what was lifted; `None` if there is none.
pub async fn lift(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    id: SuppressionId,
) -> onesql::Result<Option<Suppression>> {
    let mut tx = app.store.write().await?;
    let Some(lifted) = mail::lift(&mut tx, &app.outbox, id).await? else { return Ok(None) };
    let event = Event::MailSuppressionLifted {
        actor,
        email: lifted.address.clone(),
        scope: lifted.scope.clone(),
        was: lifted.reason.clone(),
    };
    audit::record(&mut tx, app, ctx, &event).await?;
    tx.commit().await?;
    Ok(Some(lifted))
}

/// Suppresses mail to every address of a list, and returns how many were not suppressed before.
pub async fn import(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    addresses: &[EmailAddress],
    scope: SuppressionScope,
) -> onesql::Result<usize> {
    let mut tx = app.store.write().await?;
    let mut added = 0;
    for address in addresses {
        let new = by_hand(SuppressionReason::Imported, actor, scope, None);
        let is_new = mail::suppress(&mut tx, &app.outbox, address.as_str(), new, false, ctx.now);
        added += usize::from(is_new.await?);
    }
    let event = Event::MailSuppressionsImported { actor, scope: scope.as_str(), added };
    audit::record(&mut tx, app, ctx, &event).await?;
    tx.commit().await?;
    Ok(added)
}

/// Returns every suppression as CSV (RFC 4180) with a header; an address that cannot be read is left
/// out.
pub async fn export(app: &App, ctx: &Ctx, actor: Option<UserId>) -> onesql::Result<String> {
    let mut csv = String::from("address,scope,reason,since,until\r\n");
    let (mut after, mut count) = (Place::start(), 0);
    loop {
        let mut tx = app.store.glance().await?;
        let piece = mail::suppressions(&mut tx, &app.outbox, None, after, PIECE).await?;
        drop(tx);
        let Some(last) = piece.last() else { break };
        after = last.place();
        for Suppression { address, scope, reason, since, until, .. } in &piece {
            let Some(address) = address else { continue };
            let address = address.replace('"', "\"\"");
            let until = until.map(|until| until.to_string()).unwrap_or_default();
            let _ = write!(csv, "\"{address}\",{scope},{reason},{since},{until}\r\n");
            count += 1;
        }
    }
    let event = Event::MailSuppressionsExported { actor, count };
    audit::record_alone(app, ctx, &event).await?;
    Ok(csv)
}

/// Reads a list of addresses: one to a line, or the first column of CSV, with or without a header. An
/// error names the line.
pub fn read(text: &str) -> Result<Vec<EmailAddress>, String> {
    let mut addresses = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let cell = match line.strip_prefix('"') {
            Some(quoted) => quoted.rsplit_once('"').map_or(quoted, |(cell, _)| cell),
            None => line.split([',', ';', '\t']).next().unwrap_or_default(),
        };
        // Behind the quotes there may be more cells in quotes.
        let cell = cell.split("\",").next().unwrap_or_default().replace("\"\"", "\"");
        let cell = cell.trim();
        let is_header = at == 0 && !cell.contains('@');
        if cell.is_empty() || is_header {
            continue;
        }
        let address = cell.parse().map_err(|error| format!("line {}: {error}", at + 1))?;
        addresses.push(address);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn lists_are_read_as_they_are_written_elsewhere() {
        let read = |text: &str| {
            read(text).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        for (text, expected) in [
            ("", ""),
            ("a@example.org\n\n b@example.org \r\n", "a@example.org b@example.org"),
            ("email,reason\na@example.org,550 x", "a@example.org"),
            ("\"address\",\"x\"\r\n\"a@example.org\",\"b@example.org\"", "a@example.org"),
            ("address;x\na@example.org;y", "a@example.org"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text:?}");
        }
        let wrong = read("address\na@example.org\nnobody\n").unwrap_err();
        assert!(wrong.starts_with("line 3: "), "{wrong}");
    }
}
