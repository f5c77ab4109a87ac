//! Small types that carry what was checked: who holds one need not check again.

mod id;
mod token;

pub use id::{AuditId, MailId, RequestId, SessionId, UserId};
pub use onesql::Timestamp;
pub use token::{LinkToken, RefreshToken, SuccessorKey, TokenHashKey};
