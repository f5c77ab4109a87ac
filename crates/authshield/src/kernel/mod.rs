//! Small types that carry what was checked: who holds one need not check again.

mod client_address;
mod cookies;
mod device;
mod email_address;
mod id;
mod invisible;
mod json;
mod mail_code;
mod page;
mod person;
mod recovery_code;
mod token;

pub use client_address::{ClientAddress, is_trusted, request_id_from};
pub use cookies::cookies;
pub use device::Device;
pub use email_address::{EmailAddress, NotAnEmailAddress};
pub use id::{
    AuditId, ChangeId, IdentityId, InstallationId, MailEventId, MailId, NodeId, PasskeyId,
    RequestId, SessionId, StartId, SuppressionId, TrustedDeviceId, UserId, WebhookId,
};
pub use json::sorted;
pub use mail_code::MailCode;
pub use onesql::Timestamp;
pub use page::{Page, Paging, Place};
pub use person::{FullName, Locale, NotALocale, NotAName};
pub use recovery_code::RecoveryCode;
pub use token::{
    AskerToken, BrowserToken, FederationToken, LinkToken, PendingToken, RefreshToken, SuccessorKey,
    TokenHashKey, TrustToken,
};
