//! What comes back: what other servers report of our mail.
//!
//! ```text
//! mail leaves ─ Returns::sender     an envelope address of its own, signed (VERP), and an envelope id
//! a report comes (POST /webhooks/mail/inbound | poll, over IMAP) ─ take_in
//!     report::read      what does it say?  (pure; anyone may have written it)
//!     token             about which mail, and did the writer ever have that mail?
//!     events::append    into its timeline, once
//! ```
//!
//! Who has a token had the mail: a recipient can say of their own mail that it came back, and of nobody
//! else's. What has no token of ours changes nothing, and is counted.

mod imap;
mod intake;
mod report;
mod token;

use std::fmt;
use std::sync::Arc;

use lettre::Address;

pub use imap::poll;
pub use intake::{Refused, take_in};
#[cfg(any(test, fuzzing))]
pub(crate) use report::is_bounded;
pub use token::ReturnKey;

use crate::kernel::MailId;

/// The largest report that is read, in bytes.
pub const REPORT_AT_MOST: usize = report::AT_MOST;

/// Where mail comes back to; clones share the key.
#[derive(Clone)]
pub struct Returns {
    address: Address,
    key: Arc<ReturnKey>,
}

impl fmt::Debug for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Returns").field(&self.address).finish()
    }
}

impl Returns {
    /// Lets mail come back to `address`.
    #[must_use]
    pub fn new(address: Address, key: ReturnKey) -> Self {
        Self { address, key: Arc::new(key) }
    }

    /// Returns the address without any token.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the envelope address of a mail, and its envelope id.
    pub(super) fn sender(&self, mail: MailId) -> (Address, String) {
        let token = self.key.token(mail);
        (token::address(&self.address, &token), token)
    }
}
