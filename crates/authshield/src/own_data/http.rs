//! What is kept of somebody, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Export, ExportError, RequestError};
use crate::access::Caller;
use crate::accounts::http::CallerProblems;
use crate::app::{App, Ctx};
use crate::kernel::Timestamp;
use crate::problem::{Code, Problem, problems};
use crate::second_factor;

problems!(
    /// What taking one's data along may answer.
    ExportProblems = StepUpRequired | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked
        | AccountDisabled
);
problems!(
    /// What asking for the end of the own account may answer.
    DeletionProblems = StepUpRequired | LastAdmin | TokenMissing | TokenInvalid | TokenExpired
        | TokenRevoked | AccountDisabled
);

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Limited(exceeded) => exceeded.into(),
            ExportError::Store(error) => error.into(),
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Limited(exceeded) => exceeded.into(),
            RequestError::Refused(error) => error.into(),
        }
    }
}

/// Take everything along that is kept of the own account.
///
/// One JSON document: the account, its roles and sessions, what its second factor is, mails (without
/// their texts) and what happened to it. Secrets are left out. It needs a fresh proof of who asks, and is no
/// `GET`, since it leaves an audit event.
#[utoipa::path(
    post, path = "/api/v1/users/me/export", tag = "account", security(("access_token" = [])),
    responses((status = OK, body = Export), ExportProblems),
)]
pub async fn export_own_data(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
) -> Result<([(HeaderName, &'static str); 1], Json<Export>), Problem> {
    second_factor::fresh(&app, &ctx, &caller).await?;
    let export = super::gather(&app, &ctx, &caller).await?;
    let as_file = (header::CONTENT_DISPOSITION, "attachment; filename=\"account.json\"");
    Ok(([as_file], Json(export)))
}

/// When an account will be deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletionBody {
    /// Until then it can be taken back.
    #[schema(value_type = String, format = DateTime)]
    deletion_due_at: Timestamp,
}

/// Have the own account deleted.
///
/// It happens after a time in which its owner can sign in and take that back; all other sessions end at
/// once, and a mail says so. Asking again changes nothing. It needs a fresh proof of who asks.
#[utoipa::path(
    delete, path = "/api/v1/users/me", tag = "account", security(("access_token" = [])),
    responses((status = ACCEPTED, body = DeletionBody), DeletionProblems),
)]
pub async fn request_deletion(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
) -> Result<(StatusCode, Json<DeletionBody>), Problem> {
    second_factor::fresh(&app, &ctx, &caller).await?;
    let due = super::request(&app, &ctx, &caller).await?;
    let deletion_due_at = due.ok_or(Code::TokenRevoked)?;
    Ok((StatusCode::ACCEPTED, Json(DeletionBody { deletion_due_at })))
}

/// Keep the own account after all.
#[utoipa::path(
    delete, path = "/api/v1/users/me/deletion", tag = "account", security(("access_token" = [])),
    responses((status = NO_CONTENT), CallerProblems),
)]
pub async fn withdraw_deletion(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    if super::withdraw(&app, &ctx, &caller).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Code::TokenRevoked.into())
    }
}
