//! Whether mail to ourselves arrives, for operators.

use axum::Json;
use axum::extract::State;
use onesql::Result;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::{Can, SeeMail};
use crate::app::{App, Ctx, Params};
use crate::kernel::{Paging, Timestamp};
use crate::mail::canary::{self, Canary, Standing};
use crate::problem::{Problem, problems};

problems!(
    /// What asking about canaries may answer.
    CanaryProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions | ValidationFailed
);

/// Whether mail to ourselves arrives.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CanaryReport)]
pub struct Report {
    /// Whether any is sent.
    pub enabled: bool,
    /// How often, in seconds.
    pub every_seconds: u64,
    /// How each mailbox does.
    pub mailboxes: Vec<Standing>,
    /// The newest mails, the newest first.
    pub mails: Vec<Canary>,
}

/// Tells whether mail to ourselves arrives, with up to `at_most` of the newest.
pub async fn report(app: &App, now: Timestamp, at_most: i64) -> Result<Report> {
    Ok(Report {
        enabled: app.config.canary.is_on(),
        every_seconds: app.config.canary.every.as_secs(),
        mailboxes: canary::standing(app, now).await?,
        mails: canary::history(app, at_most).await?,
    })
}

/// How many to show.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HowMany {
    /// How many mails, 1 to 200; 50 unless said.
    limit: Option<u16>,
}

/// See whether mail to ourselves arrives: when, in which folder, and how authenticated.
#[utoipa::path(
    get, path = "/api/v1/admin/mail/canary", tag = "administration",
    security(("access_token" = [])), params(HowMany),
    responses((status = OK, body = Report), CanaryProblems),
)]
pub async fn see_canaries(
    State(app): State<App>,
    ctx: Ctx,
    _: Can<SeeMail>,
    Params(HowMany { limit }): Params<HowMany>,
) -> Result<Json<Report>, Problem> {
    // One more is for lists that go on.
    let (_, at_most) = Paging::new(limit, None).read()?;
    Ok(Json(report(&app, ctx.now, at_most - 1).await?))
}
