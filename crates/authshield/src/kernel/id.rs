//! Names of things: UUIDv7, made from the world and nowhere else, so they sort by time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::world::World;

/// Makes the 128 bits of a UUIDv7 (RFC 9562, 5.7) from the world's time and chance.
fn new_v7(world: &dyn World) -> Uuid {
    let mut random = [0; 10];
    world.fill(&mut random);
    let millis = u64::try_from(world.now().as_microsecond() / 1000).expect("after 1970");
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident = $words:literal;)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(description = $words)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new one.
            #[must_use]
            pub fn new(world: &dyn World) -> Self {
                Self(new_v7(world))
            }

            /// Returns the bare number.
            #[must_use]
            pub fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    )*};
}

id! {
    /// An account.
    UserId = "The id of a user (UUIDv7).";
    /// A sign-in that goes on.
    SessionId = "The id of a session (UUIDv7).";
    /// A line of the audit trail.
    AuditId = "The id of an audit event (UUIDv7).";
    /// A message on its way.
    MailId = "The id of a mail message (UUIDv7).";
    /// A process that serves.
    NodeId = "The id of a node (UUIDv7); a restart makes another.";
    /// A belief that changed.
    ChangeId = "The id of a change (UUIDv7).";
    /// An installation: a database, for as long as it lives.
    InstallationId = "The id of an installation (UUIDv7).";
    /// A good start of the program.
    StartId = "The id of a start (UUIDv7).";
    /// An address that mail is not sent to.
    SuppressionId = "The id of a suppression (UUIDv7).";
    /// A delivery of reports about mail.
    WebhookId = "The id of a webhook delivery (UUIDv7).";
    /// A line in the timeline of a message.
    MailEventId = "The id of a mail event (UUIDv7).";
    /// An account at a provider with which somebody signs in.
    IdentityId = "The id of an identity (UUIDv7).";
    /// A passkey.
    PasskeyId = "The id of a passkey (UUIDv7).";
    /// A device on which a sign-in does without the second factor.
    TrustedDeviceId = "The id of a trusted device (UUIDv7).";
    /// A request, in logs and problems.
    RequestId = "The id of a request.";
}
