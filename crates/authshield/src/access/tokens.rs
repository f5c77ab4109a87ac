//! Access tokens whose signature was already checked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use authshield_verify::{Claims, VerifyError};
use aws_lc_rs::digest::{SHA256, digest};

use crate::app::App;
use crate::kernel::Timestamp;
use crate::problem::{Code, Problem};
use crate::vault::{KeyringError, VerificationError};

/// How many locks share the memory, so that requests on all cores seldom meet.
const SHARDS: usize = 16;
/// How many tokens one lock guards; at about a kilobyte each, 16 MiB in all.
const TOKENS_PER_SHARD: usize = 1024;

/// What was found right, and under which keys (the entity tag of the key set).
#[derive(Default)]
struct Known {
    keys: String,
    claims: HashMap<[u8; 32], Arc<Claims>>,
}

type Shard = Mutex<Known>;

/// Remembers whose signature was right, by the token's digest. Nothing else is taken from here: the
/// token's end is compared with the clock, and its session read from the database, every time. When
/// the keys change, everything is forgotten: the one that signed may be gone.
#[derive(Default)]
pub struct VerifiedTokens {
    shards: [Shard; SHARDS],
}

impl VerifiedTokens {
    /// Returns what `token` claims, if we signed it and it has not expired.
    pub(super) async fn verify(
        &self,
        app: &App,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Claims>, Problem> {
        let digest: [u8; 32] =
            digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes");
        let shard = &self.shards[usize::from(digest[0]) % SHARDS];
        let keys = app.keyring.jwks();
        let known = {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            if shard.keys == keys.etag { shard.claims.get(&digest).cloned() } else { None }
        };
        if let Some(claims) = known {
            if claims.exp > now.as_second() {
                return Ok(claims);
            }
            shard.lock().unwrap_or_else(PoisonError::into_inner).claims.remove(&digest);
            return Err(Code::TokenExpired.into());
        }
        // In a box: it is seldom needed, and would make the future of every request larger.
        let verified = Box::pin(app.keyring.verify(&app.verifier, token, now)).await;
        let claims = verified.map_err(|error| match error {
            VerificationError::Refused(VerifyError::Expired) => Problem::from(Code::TokenExpired),
            VerificationError::Refused(other) => {
                Problem::from(Code::TokenInvalid).because(other.to_string())
            }
            VerificationError::Keys(KeyringError::Store(error)) => error.into(),
            VerificationError::Keys(error) => Problem::internal(&error),
        })?;
        // Those behind us need leeway, for their clocks are not ours. We need none: without this, a
        // token that was refused would be good again once it is forgotten here.
        if claims.exp <= now.as_second() {
            return Err(Code::TokenExpired.into());
        }
        let claims = Arc::new(claims);
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.keys != keys.etag {
            shard.claims.clear();
            shard.keys.clone_from(&keys.etag);
        }
        if shard.claims.len() >= TOKENS_PER_SHARD {
            shard.claims.retain(|_, claims| claims.exp > now.as_second());
            if shard.claims.len() >= TOKENS_PER_SHARD {
                shard.claims.clear();
            }
        }
        shard.claims.insert(digest, Arc::clone(&claims));
        Ok(claims)
    }
}
