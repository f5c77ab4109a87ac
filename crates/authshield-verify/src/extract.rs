//! The axum extractor, and what is answered when there is no good token (RFC 6750, 3).

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::{CheckError, Claims, Guard, VerifyError};

/// The claims of the token that came with the request; without a good one the handler never runs.
///
/// The state must hold a [`Guard`], by [`FromRef`].
#[derive(Debug, Clone)]
pub struct AccessToken(pub Claims);

impl AccessToken {
    /// Refuses whoever does not have `role`.
    pub fn require_role(&self, role: &'static str) -> Result<(), Refusal> {
        if self.0.has_role(role) { Ok(()) } else { Err(Refusal::Forbidden { role }) }
    }
}

impl<S> FromRequestParts<S> for AccessToken
where
    S: Send + Sync,
    Guard: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let token = bearer(&parts.headers)?;
        match Guard::from_ref(state).check(token).await {
            Ok(claims) => Ok(Self(claims)),
            Err(CheckError::Refused(why)) => {
                tracing::debug!(%why, "access token refused");
                Err(match why {
                    VerifyError::Expired => Refusal::Expired,
                    VerifyError::Revoked => Refusal::Revoked,
                    _ => Refusal::Invalid,
                })
            }
            Err(CheckError::Stale(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "it is not known what was revoked lately"
                );
                Err(Refusal::Unavailable)
            }
            Err(CheckError::Unavailable(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no keys to verify access tokens with"
                );
                Err(Refusal::Unavailable)
            }
        }
    }
}

/// Finds the one token of the request.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Invalid);
    }
    let value = value.to_str().map_err(|_| Refusal::Invalid)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::Missing);
    }
    Ok(token.trim_start_matches(' '))
}

/// What the caller is told; the log knows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no token.
    #[error("This needs an access token: send `Authorization: Bearer` and the token.")]
    Missing,
    /// There is one, and it is no good; nobody is told why.
    #[error("The access token is not valid. Sign in again.")]
    Invalid,
    /// It was good once.
    #[error("The access token has expired. Refresh it.")]
    Expired,
    /// It was good, and its session was ended, or what its user may do was changed.
    #[error("The access token was revoked. Refresh it, or sign in again.")]
    Revoked,
    /// It is good, but its user may not do that.
    #[error("This needs the role `{role}`.")]
    Forbidden {
        /// What would be needed.
        role: &'static str,
    },
    /// Nobody can tell at the moment.
    #[error("Access tokens cannot be verified at the moment. Try again.")]
    Unavailable,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Invalid | Self::Expired | Self::Revoked => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the code, the same that an AuthShield server answers with.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "AUTH_TOKEN_MISSING",
            Self::Invalid => "AUTH_TOKEN_INVALID",
            Self::Expired => "AUTH_TOKEN_EXPIRED",
            Self::Revoked => "AUTH_TOKEN_REVOKED",
            Self::Forbidden { .. } => "AUTH_INSUFFICIENT_PERMISSIONS",
            Self::Unavailable => "SERVICE_UNAVAILABLE",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Missing => "No access token",
            Self::Invalid => "The access token is not valid",
            Self::Expired => "The access token has expired",
            Self::Revoked => "The access token was revoked",
            Self::Forbidden { .. } => "Not allowed",
            Self::Unavailable => "Try again",
        }
    }

    /// Returns the challenge: without credentials it names no error (RFC 6750, 3.1).
    fn challenge(self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("Bearer"),
            Self::Invalid => {
                Some(r#"Bearer error="invalid_token", error_description="The token is not valid""#)
            }
            Self::Expired => {
                Some(r#"Bearer error="invalid_token", error_description="The token has expired""#)
            }
            Self::Revoked => {
                Some(r#"Bearer error="invalid_token", error_description="The token was revoked""#)
            }
            Self::Forbidden { .. } => Some(r#"Bearer error="insufficient_scope""#),
            Self::Unavailable => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut problem = serde_json::json!({
            "type": "about:blank",
            "title": self.title(),
            "status": self.status().as_u16(),
            "detail": self.to_string(),
            "code": self.code(),
        });
        if let Self::Forbidden { role } = self {
            problem["required"] = role.into();
        }
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (self.status(), headers, problem.to_string()).into_response();
        if let Some(challenge) = self.challenge() {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self == Self::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
