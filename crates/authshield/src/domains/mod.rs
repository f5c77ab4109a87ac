//! Domains of addresses that people register with: those that an operator does not want, and those that were
//! mistyped.
//!
//! ```text
//! registration, accounts (change of address)
//!     domains::judge    does the operator's list hold the domain?  (a file, looked at for replacement)
//! registration::may_open (new accounts by mail, and at a provider)
//!     domains::may_open the same
//! registration::http, screens::register
//!     domains::meant    is it one letter from a great mailbox provider?  (pure; refuses nobody)
//! ```
//!
//! Both look at what was typed and at nothing else: what they answer says nothing of who has an account.

mod list;
mod rules;

pub use list::{About, List};
pub use rules::meant;

use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::config::DisposableDomains;
use crate::kernel::EmailAddress;
use crate::telemetry::metrics::Disposable;
use crate::watched::Watched;

/// The file of domains whose addresses nobody keeps, if the configuration names one.
pub type Domains = Watched<List>;

impl Domains {
    /// Whether the list holds a domain, or one above it; `false` while there is no file that says so.
    #[must_use]
    pub fn hold(&self, domain: &str) -> bool {
        self.current().as_ref().is_some_and(|list| list.holds(domain))
    }
}

/// Whether an account may be opened with an address whose owner proved it elsewhere.
#[must_use]
pub fn may_open(app: &App, email: &EmailAddress) -> bool {
    app.live.load().registration.disposable_domains != DisposableDomains::Refuse
        || !app.domains.hold(email.domain())
}

/// Whether somebody may come with an address of this domain. One that the list holds is an event, whether it is
/// refused or would be; where somebody comes is `registration` or `email_change`.
pub async fn judge(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    at: &'static str,
) -> onesql::Result<bool> {
    let mode = app.live.load().registration.disposable_domains;
    if mode == DisposableDomains::Off || !app.domains.hold(email.domain()) {
        return Ok(true);
    }
    let refused = mode == DisposableDomains::Refuse;
    let outcome = if refused { "refused" } else { "shadow" };
    app.metrics.disposable_addresses.get_or_create(&Disposable { at, outcome }).inc();
    let domain = email.domain().to_owned();
    let email = email.as_str().to_owned();
    let seen = Event::DisposableAddressSeen { email, domain, reason: outcome, at };
    audit::record_alone(app, ctx, &seen).await?;
    Ok(!refused)
}
