//! What other servers tell us over HTTP, by themselves.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::config::MailProvider;
use crate::mail::{self, WebhookError, WebhookRefused};
use crate::problem::{Code, Problem, problems};
use crate::telemetry::metrics::MailRejected;

problems!(
    /// What taking a report in may answer.
    InboundProblems = WebhookUnauthenticated | RouteNotFound | BodyTooLarge | RequestMalformed
);

/// Take in a mail that came to the bounce address.
///
/// The body is the mail as it came (RFC 5322), at most 256 KiB. Who sends it shows `bounce.webhook_secret`, as
/// a bearer token or as the password of HTTP Basic. The answer says nothing of what was found: a report
/// that is not about a mail of ours changes nothing.
#[utoipa::path(
    post, path = "/api/v1/webhooks/mail/inbound", tag = "webhooks",
    responses((status = NO_CONTENT, description = "It was looked at."), InboundProblems),
)]
pub async fn inbound(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let Some(secret) = &app.config.bounce.webhook_secret else {
        return Err(Code::RouteNotFound.into());
    };
    if !shows(request.headers(), secret.expose_secret()) {
        reject(&app, "dsn", "unauthenticated");
        return Err(Code::WebhookUnauthenticated.into());
    }
    let body = Bytes::from_request(request, &app).await;
    let body =
        body.map_err(|rejection| too_large(&app, "dsn", &rejection, mail::REPORT_AT_MOST))?;
    // Believed or not: it came, and need not come again.
    let _ = mail::take_in(&app, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take in what a provider reports of mail.
///
/// The body is the report as the provider sends it, at most 1 MiB; what proves it is the provider's way: a
/// signature in its headers or its body, or a password. A report that is not believed changes nothing, and so
/// does one that came before.
#[utoipa::path(
    post, path = "/api/v1/webhooks/mail/{provider}", tag = "webhooks",
    params((
        "provider" = String, Path,
        description = "`ses`, `postmark`, `sendgrid`, `mailgun` or `resend`.",
    )),
    responses(
        (status = NO_CONTENT, description = "It was taken in, or was known."), InboundProblems,
    ),
)]
pub async fn provider(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let known = MailProvider::ALL.into_iter().find(|provider| provider.as_str() == name);
    let Some(provider) = known.filter(|provider| app.webhooks.expects(*provider)) else {
        return Err(Code::RouteNotFound.into());
    };
    let headers = request.headers().clone();
    let body = Bytes::from_request(request, &app).await;
    let body = body.map_err(|rejection| {
        too_large(&app, provider.as_str(), &rejection, mail::PAYLOAD_AT_MOST)
    })?;
    mail::take_webhook(&app, provider, &headers, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::NotExpected => Code::RouteNotFound.into(),
            WebhookError::Refused(WebhookRefused::Malformed) => {
                Self::from(Code::RequestMalformed).detail("The body is no report of this provider.")
            }
            WebhookError::Refused(WebhookRefused::TooLarge) => Code::BodyTooLarge.into(),
            WebhookError::Refused(refused) => {
                Self::from(Code::WebhookUnauthenticated).because(refused.as_str())
            }
            WebhookError::Unreachable => Self::from(Code::ServiceUnavailable)
                .retry_after(Duration::from_mins(1))
                .because("the certificate of the report cannot be fetched"),
            WebhookError::Store(error) => error.into(),
        }
    }
}

fn reject(app: &App, provider: &'static str, reason: &'static str) {
    let labels = MailRejected { provider, reason };
    app.metrics.mail_webhook_rejected.get_or_create(&labels).inc();
}

fn too_large(
    app: &App,
    provider: &'static str,
    rejection: &BytesRejection,
    at_most: usize,
) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        reject(app, provider, "too_large");
        return Problem::from(Code::BodyTooLarge)
            .detail(format!("This may have at most {at_most} bytes."));
    }
    Problem::from(Code::RequestMalformed).detail("The body did not arrive whole.")
}

/// Returns whether a request shows the secret (RFC 6750, RFC 7617).
pub(crate) fn shows(headers: &HeaderMap, secret: &str) -> bool {
    let Some(given) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let given = match given.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim().to_owned(),
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("Basic") => {
            let pair = STANDARD.decode(pair.trim()).unwrap_or_default();
            let pair = String::from_utf8(pair).unwrap_or_default();
            pair.split_once(':').map_or_else(String::new, |(_, password)| password.to_owned())
        }
        _ => return false,
    };
    given.as_bytes().ct_eq(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_shown_in_one_of_two_ways() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            shows(&headers, "s3cret:x")
        };
        assert!(with("Bearer s3cret:x") && with("bearer s3cret:x"));
        assert!(with(&format!("Basic {}", STANDARD.encode("any:s3cret:x"))));
        assert!(with(&format!("basic {}", STANDARD.encode(":s3cret:x"))));
        for wrong in
            ["Bearer", "Bearer ", "Bearer s3cret", "s3cret:x", "Basic s3cret:x", "Digest s3cret:x"]
        {
            assert!(!with(wrong), "{wrong}");
        }
        assert!(!with(&format!("Basic {}", STANDARD.encode("s3cret:x"))));
        assert!(!shows(&HeaderMap::new(), ""));
    }
}
