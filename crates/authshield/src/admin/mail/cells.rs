//! What becomes of mail, cell by cell, for operators.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use onesql::Result;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::access::{Can, SeeMail};
use crate::app::{App, Ctx, Params};
use crate::kernel::Timestamp;
use crate::mail::outcome::{self, Digest, Report};
use crate::problem::{Problem, problems};

/// How many hours may be looked back, and how many are unless somebody says.
pub const HOURS: (u64, u64, u64) = (1, 24, 24 * 28);

problems!(
    /// What asking about cells may answer.
    CellProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions | ValidationFailed
);

/// How far to look back.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HowFar {
    /// Of mail written in so many hours, 1 to 672; 24 unless said.
    hours: Option<u64>,
}

/// See what of the last day's mail somebody should know; the same goes to the log once a day.
#[utoipa::path(
    get, path = "/api/v1/admin/mail/digest", tag = "administration",
    security(("access_token" = [])),
    responses((status = OK, body = Digest), CellProblems),
)]
pub async fn see_digest(
    State(app): State<App>,
    ctx: Ctx,
    _: Can<SeeMail>,
) -> Result<Json<Digest>, Problem> {
    Ok(Json(outcome::digest(&app, ctx.now).await?))
}

/// Tells what became of the mail of so many hours.
pub async fn report(app: &App, now: Timestamp, hours: u64) -> Result<Report> {
    outcome::report(app, now, Duration::from_hours(hours)).await
}

/// See what becomes of mail, cell by cell: by what it is handed to, mailbox provider, kind and sender.
#[utoipa::path(
    get, path = "/api/v1/admin/mail/cells", tag = "administration",
    security(("access_token" = [])), params(HowFar),
    responses((status = OK, body = Report), CellProblems),
)]
pub async fn see_cells(
    State(app): State<App>,
    ctx: Ctx,
    _: Can<SeeMail>,
    Params(HowFar { hours }): Params<HowFar>,
) -> Result<Json<Report>, Problem> {
    let (least, usual, most) = HOURS;
    let hours = hours.unwrap_or(usual);
    if !(least..=most).contains(&hours) {
        return Err(Problem::invalid_field("/hours", "invalid_hours", "`hours` is 1 to 672."));
    }
    Ok(Json(report(&app, ctx.now, hours).await?))
}
