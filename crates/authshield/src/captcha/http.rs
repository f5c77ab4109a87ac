//! Captchas, over HTTP.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::{CaptchaError, Door, Required};
use crate::app::{App, Ctx, Params};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What asking for a proof of work may answer.
    ChallengeProblems = ValidationFailed
);

impl From<CaptchaError> for Problem {
    fn from(error: CaptchaError) -> Self {
        match error {
            CaptchaError::Required(required) => required.into(),
            CaptchaError::Store(error) => error.into(),
        }
    }
}

impl From<Required> for Problem {
    fn from(required: Required) -> Self {
        let problem = Self::from(Code::CaptchaRequired)
            .detail("Solve a captcha and send the answer as `captcha_token`.")
            .with("provider", required.provider.as_str())
            .with("site_key", required.site_key)
            .because(required.reason);
        match required.challenge_url {
            Some(url) => problem.with("challenge_url", url),
            None => problem,
        }
    }
}

/// Where the proof of work is going to be shown.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// The form: `registration`, `login` or `reset`.
    #[param(inline)]
    at: Door,
}

/// Get a proof of work to do, as ALTCHA's widget asks for it.
///
/// It counts once, for ten minutes, at the form that was named. Send the widget's answer as `captcha_token`.
#[utoipa::path(
    get, path = "/api/v1/auth/captcha", tag = "sign-in", params(Where),
    responses(
        (status = OK, description = "A challenge (ALTCHA, version 2).", body = Value),
        ChallengeProblems,
    ),
)]
pub async fn captcha_challenge(
    State(app): State<App>,
    ctx: Ctx,
    Params(Where { at }): Params<Where>,
) -> Json<Value> {
    Json(super::challenge(&app, &ctx, at).await)
}
