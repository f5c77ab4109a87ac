//! What an access token says (RFC 9068, 2.2).

use serde::Serialize;

use crate::kernel::{SessionId, Timestamp, UserId};
use crate::world::World;

/// The client of whoever signs in with us directly.
pub const FIRST_PARTY: &str = "authshield";

/// The claims of an access token. No address and no name: whoever needs them asks (RFC 9068, 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessClaims<'a> {
    /// The issuer: our public address.
    pub iss: &'a str,
    /// The user.
    pub sub: UserId,
    /// Whom it is for.
    pub aud: &'a str,
    /// When it ends.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// The id of the token: 128 random bits.
    pub jti: String,
    /// The session.
    pub sid: SessionId,
    /// The client; [`FIRST_PARTY`] without one.
    pub client_id: &'a str,
    /// The roles of the user.
    pub roles: &'a [String],
    /// How the user proved who they are, at the sign-in.
    pub amr: &'a [String],
    /// How sure that makes us of who they are: `aal1` or `aal2`, by NIST SP 800-63B.
    pub acr: &'a str,
    /// When they did: a refresh does not change it.
    pub auth_time: i64,
    /// Under which epoch it was issued: a restored backup raises it, and what is older is refused. The
    /// first is not said.
    #[serde(skip_serializing_if = "is_first")]
    pub epoch: i64,
    /// Under which epoch of the account: a change of its roles raises it, and services that follow the
    /// revocation feed refuse what is older. The one that an account begins with, 0, is not said.
    #[serde(skip_serializing_if = "is_zero")]
    pub user_epoch: i64,
}

/// The epoch of an installation that was never restored.
pub const FIRST_EPOCH: i64 = 1;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_first(epoch: &i64) -> bool {
    *epoch == FIRST_EPOCH
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(epoch: &i64) -> bool {
    *epoch == 0
}

impl AccessClaims<'_> {
    /// Makes the id of a token.
    #[must_use]
    pub fn new_id(world: &dyn World) -> String {
        let mut random = [0; 16];
        world.fill(&mut random);
        super::hex(&random)
    }

    /// Returns when a token that is issued now ends, in whole seconds.
    #[must_use]
    pub fn end(now: Timestamp, ttl: std::time::Duration) -> i64 {
        (now + ttl).as_second()
    }
}
