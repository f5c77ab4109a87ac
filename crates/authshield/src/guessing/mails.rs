//! Mails that let somebody in, and that anybody can ask for: a reset, a sign-in. A mailbox gets a few in an hour.
//!
//! Strangers could use that up, and the owner would wait. So each network from which the owner signed in before
//! has a budget of its own, as for passwords.

use super::{Keys, sql};
use crate::app::{App, Ctx};
use crate::kernel::EmailAddress;
use crate::limits::Exceeded;
use crate::limits::rules::MAIL_PER_RECIPIENT;

/// Counts a mail to `email` that lets somebody in, or says for how long whoever asks from there gets none.
pub async fn spend_entry_mail(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
) -> onesql::Result<Result<(), Exceeded>> {
    let keys = Keys::of(app, ctx, email, None);
    let rows = sql::places(&mut app.store.glance().await?, [&keys.network[..]; 3], ctx.now).await?;
    let network = if rows.is_empty() { String::new() } else { ctx.client.network() };
    let key = format!("{}\0entry\0{network}", email.as_str());
    Ok(app.limits.spend(&MAIL_PER_RECIPIENT, &key, ctx.now).await.map(drop))
}
