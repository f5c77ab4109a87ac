//! What is chained, and how. Whoever has the events, the links and the checkpoints can work everything
//! here out anew, with SHA-256 and Ed25519 and nothing else.
//!
//! ```text
//! commitment = SHA-256("authshield audit personal v1\0" ‖ salt ‖ JSON of what is personal)
//! event      = SHA-256(JSON of the event, with its commitment in the place of what is personal)
//! first      = SHA-256("authshield audit chain v1\0" ‖ installation)
//! link       = SHA-256("authshield audit link v1\0" ‖ link before ‖ its number ‖ event)
//! checkpoint = Ed25519 over its JSON, which names the last link
//! ```
//!
//! JSON is written without white space, members in the order of their names, numbers of links as eight
//! bytes, the most significant first.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kernel::{AuditId, InstallationId, SessionId, Timestamp, UserId, sorted};
use crate::vault::{SealKey, from_hex, hex};

/// The text is not as many bytes in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the hexadecimal digits that belong here")]
pub struct NotHex;

macro_rules! bytes {
    ($($(#[$doc:meta])* $name:ident = $length:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $length]);

        impl $name {
            /// What none is, but for one in more than there will ever be.
            pub(super) const NONE: Self = Self([0; $length]);

            /// Returns the bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<Vec<u8>> for $name {
            type Error = NotHex;

            fn try_from(bytes: Vec<u8>) -> Result<Self, NotHex> {
                bytes.try_into().map(Self).map_err(|_| NotHex)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                from_hex(text).ok_or(NotHex)?.try_into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotHex;

            fn try_from(text: String) -> Result<Self, NotHex> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(bytes: $name) -> Self {
                hex(&bytes.0)
            }
        }
    )*};
}

bytes! {
    /// A SHA-256.
    Hash = 32;
    /// What keeps a commitment from telling what it is about.
    Salt = 16;
}

impl Hash {
    fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        Self(context.finish().as_ref().try_into().expect("SHA-256 gives 32 bytes"))
    }

    /// Returns what the first link follows.
    #[must_use]
    pub fn first(installation: InstallationId) -> Self {
        Self::of(&[b"authshield audit chain v1\0", installation.as_uuid().as_bytes()])
    }

    /// Returns the link with the number `seq` that follows this one.
    #[must_use]
    pub fn then(&self, seq: i64, event: &Self) -> Self {
        Self::of(&[b"authshield audit link v1\0", &self.0, &seq.to_be_bytes(), &event.0])
    }
}

/// What is personal of an event, and can be erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Personal {
    /// From where.
    pub ip_address: Option<String>,
    /// By what.
    pub user_agent: Option<String>,
    /// The keyed hash of the address that somebody typed, in hexadecimal.
    pub email_hash: Option<String>,
}

impl Personal {
    /// Returns what binds the chain to it, and tells nothing once the salt is gone.
    #[must_use]
    pub fn commitment(&self, salt: &Salt) -> Hash {
        let words = words(json!(self));
        Hash::of(&[b"authshield audit personal v1\0", &salt.0, words.as_bytes()])
    }
}

/// An event, as it is chained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its name.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub code: String,
    /// The true reason.
    pub reason: Option<String>,
    /// Who did it.
    pub actor_id: Option<UserId>,
    /// The account that it is about.
    pub user_id: Option<UserId>,
    /// The session that it is about.
    pub session_id: Option<SessionId>,
    /// The request.
    pub request_id: Option<String>,
    /// What else is known.
    pub data: Value,
    /// What can be erased.
    pub personal: Personal,
}

impl Event {
    /// Returns what a link says of it.
    #[must_use]
    pub fn digest(&self, commitment: &Hash) -> Hash {
        let mut event = json!(self);
        event["personal"] = json!(commitment);
        Hash::of(&[words(event).as_bytes()])
    }

    /// Returns when it was written: its name says so.
    #[must_use]
    pub fn written_at(&self) -> Timestamp {
        written_at(self.id)
    }
}

/// Returns when the event of this name was written.
#[must_use]
pub fn written_at(id: AuditId) -> Timestamp {
    let millis = id.as_uuid().as_u128() >> 80;
    Timestamp::from_microsecond(i64::try_from(millis * 1000).unwrap_or(i64::MAX))
}

fn words(value: Value) -> String {
    sorted(value).to_string()
}

/// A link of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its number: one more than that of the link before.
    pub seq: i64,
    /// The event.
    pub event_id: AuditId,
    /// Over what is personal.
    pub commitment: Hash,
    /// What it was made with; gone when what is personal was erased.
    pub salt: Option<Salt>,
    /// The link.
    pub hash: Hash,
}

impl Link {
    /// Makes the link of `event` that follows the link `before`.
    #[must_use]
    pub fn new(seq: i64, before: &Hash, event: &Event, salt: Salt) -> Self {
        let commitment = event.personal.commitment(&salt);
        let hash = before.then(seq, &event.digest(&commitment));
        Self { seq, event_id: event.id, commitment, salt: Some(salt), hash }
    }
}

macro_rules! signed {
    ($($(#[$doc:meta])* $name:ident = $what:literal {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
            /// The key that signed it.
            pub kid: String,
            /// Its signature, as base64url.
            pub signature: String,
        }

        impl $name {
            /// Returns what is signed.
            #[must_use]
            pub fn words(&self) -> String {
                words(json!({ "what": $what, $((stringify!($field)): self.$field,)* }))
            }

            /// Returns the same, signed.
            #[must_use]
            pub fn signed(mut self, key: &SealKey) -> Self {
                key.kid().clone_into(&mut self.kid);
                self.signature = key.sign(&self.words());
                self
            }
        }
    )*};
}

signed! {
    /// What was in the chain at a time; with one that was noted outside, whoever can change the database
    /// cannot take away what came before.
    Checkpoint = "authshield audit checkpoint v1" {
        /// Whose chain it is.
        installation: InstallationId,
        /// Its number: one more than that of the checkpoint before.
        number: i64,
        /// The last link that it covers.
        seq: i64,
        /// That link.
        hash: Hash,
        /// When it was made.
        at: Timestamp,
        /// What happened before was sealed, but for what was still being written.
        through: Timestamp,
        /// How often the installation was restored from a backup, and once.
        epoch: i64,
    }
    /// That the chain was cut off up to a checkpoint, because what it was about is kept no longer.
    Cut = "authshield audit cut v1" {
        /// Whose chain it is.
        installation: InstallationId,
        /// The checkpoint.
        number: i64,
        /// The last link that was cut off.
        seq: i64,
        /// That link.
        hash: Hash,
        /// When it was cut.
        at: Timestamp,
    }
    /// The end of an export: what is missing before it was taken away.
    End = "authshield audit export v1" {
        /// Whose chain it is.
        installation: InstallationId,
        /// The last checkpoint in it; 0 if there is none.
        number: i64,
        /// The last link in it.
        seq: i64,
        /// That link.
        hash: Hash,
        /// When it was made.
        at: Timestamp,
    }
}
