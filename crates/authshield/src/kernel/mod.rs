//! Small types that carry what was checked: who holds one need not check again.

mod client_address;
mod device;
mod email_address;
mod id;
mod token;

pub use client_address::{ClientAddress, request_id_from};
pub use device::Device;
pub use email_address::{EmailAddress, NotAnEmailAddress};
pub use id::{AuditId, MailId, RequestId, SessionId, UserId};
pub use onesql::Timestamp;
pub use token::{LinkToken, RefreshToken, SuccessorKey, TokenHashKey};
