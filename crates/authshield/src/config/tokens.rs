//! Tokens and sessions: how long what lasts.

use std::time::Duration;

use super::setting::{DAY, Fallback, HOUR, MINUTE, SECOND, choice, settings};

choice! {
    /// What access tokens are signed with.
    SigningAlgorithm {
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
        /// RSA PKCS#1 v1.5 with 3072 bits.
        Rs256 = "RS256",
    }
}

settings! {
    /// Access tokens and the keys that sign them.
    Token at "token" "." {
        /// What they are signed with. Symmetric algorithms are not offered.
        algorithm: SigningAlgorithm {
            fallback: Fallback::Always("ES256"),
            example: "EdDSA",
            mistaken: &["ALGORITHM", "SIGNING_ALGORITHM", "JWT_ALG"],
            foreign: &["JWT_ALGORITHM"],
        }
        /// How long one works.
        access_ttl: Duration {
            fallback: Fallback::Always("15m"),
            bounds: Some((10 * SECOND, DAY)),
            example: "15m",
            mistaken: &["ACCESS_TTL", "ACCESS_TOKEN_TTL", "TOKEN_TTL", "JWT_TTL", "TOKEN_LIFETIME"],
            foreign: &["ACCESS_TOKEN_EXPIRE_MINUTES"],
        }
        /// Who they are for (`aud`).
        audience: String {
            fallback: Fallback::Always("{public_url}"),
            example: "https://api.example.org",
            mistaken: &["AUDIENCE", "JWT_AUDIENCE", "AUD"],
            foreign: &["JWT_AUDIENCE"],
        }
        /// How long a key signs before the next one does.
        key_rotation: Duration {
            fallback: Fallback::Always("90d"),
            bounds: Some((HOUR, 3650 * DAY)),
            example: "90d",
            mistaken: &["KEY_ROTATION", "JWKS_ROTATION", "KEY_TTL"],
        }
        /// How long before its first use a key is published, so that every verifier has seen it.
        key_publish_ahead: Duration {
            fallback: Fallback::Always("1d"),
            bounds: Some((MINUTE, 365 * DAY)),
            example: "1d",
        }
    }
}

settings! {
    /// Refresh tokens: each works once.
    Refresh at "refresh" "." {
        /// How long one works.
        ttl: Duration {
            fallback: Fallback::Always("7d"),
            bounds: Some((MINUTE, 400 * DAY)),
            example: "7d",
            mistaken: &["REFRESH_TOKEN_TTL", "TOKEN_REFRESH_TTL", "REFRESH_LIFETIME"],
            foreign: &["REFRESH_TOKEN_EXPIRE_DAYS"],
        }
        /// How long after its use the same token gets the same successor, for a client whose answer was
        /// lost. Zero means that any second use is theft.
        retry_leeway: Duration {
            fallback: Fallback::Always("10s"),
            bounds: Some((0, MINUTE)),
            example: "10s",
            mistaken: &["REFRESH_LEEWAY", "REFRESH_GRACE", "RETRY_LEEWAY", "REFRESH_REUSE_INTERVAL"],
        }
    }
}

settings! {
    /// Sessions: from sign-in to sign-out.
    Session at "session" "." {
        /// The end, no matter what.
        lifetime: Duration {
            fallback: Fallback::Always("30d"),
            bounds: Some((MINUTE, 400 * DAY)),
            example: "30d",
            mistaken: &["SESSION_TTL", "SESSION_MAX_AGE", "SESSION_DURATION"],
        }
        /// The end when it is not used.
        idle_timeout: Duration {
            fallback: Fallback::Always("7d"),
            bounds: Some((MINUTE, 400 * DAY)),
            example: "7d",
            mistaken: &["SESSION_IDLE", "IDLE_TIMEOUT", "SESSION_TIMEOUT"],
        }
    }
}
