//! Whether a token is good, here and now. A function of values: no clock, no network.

use std::time::Duration;

use crate::Claims;
use crate::jws::Compact;
use crate::keys::{Algorithm, KeySet};

/// No clock of an honest machine is further off (RFC 8725 leaves it open; this is the usual bound).
const LEEWAY_AT_MOST: Duration = Duration::from_mins(1);

/// What this service accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    issuer: String,
    audience: String,
    leeway: i64,
    algorithms: Vec<Algorithm>,
}

impl Rules {
    /// Accepts tokens that `issuer` issued for `audience`, both compared byte by byte.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            leeway: 5,
            algorithms: Algorithm::ALL.to_vec(),
        }
    }

    /// Sets how far clocks may differ: 5 seconds unless set, and never more than 60.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        let seconds = leeway.min(LEEWAY_AT_MOST).as_secs();
        Self { leeway: i64::try_from(seconds).expect("60 at most"), ..self }
    }

    /// Accepts these algorithms only. All of [`Algorithm::ALL`] unless set: which one a token must
    /// have is a matter of its key.
    #[must_use]
    pub fn algorithms(self, algorithms: &[Algorithm]) -> Self {
        Self { algorithms: algorithms.to_vec(), ..self }
    }

    /// Returns the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    #[cfg(feature = "fetch")]
    pub(crate) fn accepted(&self) -> (&[Algorithm], i64) {
        (&self.algorithms, self.leeway)
    }
}

/// Why a token is refused. For logs: callers are told "invalid" or "expired", and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is longer than any token of ours.
    #[error("longer than any token of ours")]
    TooLong,
    /// It is not a compact JWS, or not in its one canonical form.
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    /// It is signed in a way that is not accepted, or not in the way its key is for.
    #[error("the algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// It demands an extension.
    #[error("the token demands an extension")]
    Critical,
    /// It is a token of another kind.
    #[error("not an access token by its `typ`")]
    Type,
    /// No key has its `kid`; fetching the keys again may help.
    #[error("no such key")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// A claim is missing or of the wrong type.
    #[error("the claim `{0}` is missing or of the wrong type")]
    Claim(&'static str),
    /// Somebody else issued it.
    #[error("another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("another audience")]
    Audience,
    /// It is past its end.
    #[error("expired")]
    Expired,
    /// Its beginning lies in the future.
    #[error("not valid yet")]
    NotYetValid,
    /// Its session was ended, or what its user may do was changed, since it was issued.
    #[error("revoked")]
    Revoked,
}

impl VerifyError {
    /// Returns whether the token was good once and is only too old: time to refresh.
    #[must_use]
    pub fn is_expired(self) -> bool {
        self == Self::Expired
    }
}

/// Judges tokens by fixed rules.
///
/// ```
/// use authshield_verify::{KeySet, Rules, Verifier, VerifyError};
///
/// let keys = KeySet::from_json(
///     r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "a",
///                   "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
/// )?;
/// let verifier = Verifier::new(Rules::new("https://id.example.org", "https://api.example.org"));
/// let now = 1_795_334_400;
/// assert!(matches!(verifier.verify("no token", &keys, now), Err(VerifyError::Malformed(_))));
/// # Ok::<(), authshield_verify::KeySetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    rules: Rules,
}

impl Verifier {
    /// Makes a verifier.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules }
    }

    /// Returns the claims of `token`, if it is good at `now_unix` (seconds since 1970).
    pub fn verify(&self, token: &str, keys: &KeySet, now_unix: i64) -> Result<Claims, VerifyError> {
        let token = Compact::parse(token)?;
        // An id token, a link or a logout token is signed by the same keys: `typ` keeps them apart.
        if !matches!(token.typ.as_deref(), Some("at+jwt" | "application/at+jwt")) {
            return Err(VerifyError::Type);
        }
        let claims = Claims::parse(&token.verify(keys, &self.rules.algorithms)?)?;
        self.judge(claims, now_unix)
    }

    #[cfg(feature = "fetch")]
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    fn judge(&self, claims: Claims, now: i64) -> Result<Claims, VerifyError> {
        let Rules { issuer, audience, leeway, .. } = &self.rules;
        if claims.iss != *issuer {
            return Err(VerifyError::Issuer);
        }
        if !claims.aud.contains(audience) {
            return Err(VerifyError::Audience);
        }
        if claims.exp <= claims.iat {
            return Err(VerifyError::Claim("exp"));
        }
        if now >= claims.exp.saturating_add(*leeway) {
            return Err(VerifyError::Expired);
        }
        let latest = now.saturating_add(*leeway);
        if claims.iat > latest || claims.nbf.is_some_and(|nbf| nbf > latest) {
            return Err(VerifyError::NotYetValid);
        }
        Ok(claims)
    }
}
