#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "axum"), doc = "Verifies AuthShield access tokens offline.")]
//!
//! # How a token is judged
//!
//! ```text
//! Verifier::verify
//!     jws::Compact::parse     three parts, canonical base64url, strict JSON, no surprises in the header
//!     typ                     an access token, and no other kind of token
//!     KeySet::get             the key that `kid` names, with the one algorithm it is for
//!     Key::verify             the signature
//!     Claims                  every claim of the right JSON type, none twice
//!     Rules                   issuer, audience, time
//! Guard::check
//!     Revocations             was the session ended, or did its rights change, since the token was issued?
//! ```

mod claims;
#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "fetch")]
mod follow;
mod json;
mod jws;
mod keys;
#[cfg(feature = "fetch")]
mod remote;
#[cfg(feature = "fetch")]
mod revocations;
mod verifier;
#[cfg(test)]
mod wycheproof;

pub use claims::Claims;
#[cfg(feature = "axum")]
pub use extract::{AccessToken, Refusal};
#[cfg(feature = "fetch")]
pub use follow::{Follow, Revocations, Standing, WhenStale};
pub use keys::{Algorithm, KeySet, KeySetError};
#[cfg(feature = "fetch")]
pub use remote::{CheckError, FetchError, Guard, RemoteKeys};
#[cfg(feature = "fetch")]
pub use revocations::FeedError;
pub use verifier::{Rules, Verifier, VerifyError};
