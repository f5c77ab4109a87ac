//! Addresses that get no mail, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::{Can, SeeMail, SendMail};
use crate::app::{App, Body, Ctx, Params, PathId};
use crate::kernel::{EmailAddress, Page, Paging, SuppressionId, Timestamp};
use crate::mail::{self, Suppression, SuppressionScope};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What listing suppressions may answer.
    ListProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions | ValidationFailed
);
problems!(
    /// What adding suppressions may answer.
    AddProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What lifting a suppression may answer.
    LiftProblems = SuppressionNotFound | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked
        | AccountDisabled | InsufficientPermissions
);
problems!(
    /// What exporting suppressions may answer.
    ExportProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions
);

/// Which suppressions to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those of this address, in full.
    email: Option<EmailAddress>,
    /// How many items, 1 to 200; 50 unless said.
    limit: Option<u16>,
    /// `next_cursor` of the piece before.
    cursor: Option<String>,
}

/// List addresses that get no mail, newest first.
///
/// One that ended is listed for thirty days more: after a bounce it says that one mail is tried.
#[utoipa::path(
    get, path = "/api/v1/admin/mail/suppressions", tag = "administration",
    security(("access_token" = [])), params(Filter),
    responses((status = OK, body = Page<Suppression>), ListProblems),
)]
pub async fn list_suppressions(
    State(app): State<App>,
    _: Can<SeeMail>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Suppression>>, Problem> {
    let Filter { email, limit, cursor } = filter;
    let (after, at_most) = Paging::new(limit, cursor).read()?;
    let email = email.as_ref().map(EmailAddress::as_str);
    let mut tx = app.store.glance().await?;
    let rows = mail::suppressions(&mut tx, &app.outbox, email, after, at_most).await?;
    Ok(Json(Page::cut(rows, at_most, Suppression::place)))
}

/// An address that shall get no mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddSuppression {
    email: EmailAddress,
    /// Which mails it is about; all unless said.
    scope: Option<SuppressionScope>,
    /// Until when; until somebody lifts it unless said.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// Suppress mail to an address.
///
/// It takes the place of what was known of the address for these mails.
#[utoipa::path(
    post, path = "/api/v1/admin/mail/suppressions", tag = "administration",
    security(("access_token" = [])), request_body = AddSuppression,
    responses((status = CREATED, body = Suppression), AddProblems),
)]
pub async fn add_suppression(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<SendMail>,
    Body(body): Body<AddSuppression>,
) -> Result<(StatusCode, Json<Suppression>), Problem> {
    let AddSuppression { email, scope, until } = body;
    let scope = scope.unwrap_or(SuppressionScope::All);
    let added = super::add(&app, &ctx, Some(caller.user.id), &email, scope, until).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// Lift a suppression: mail goes to the address again.
#[utoipa::path(
    delete, path = "/api/v1/admin/mail/suppressions/{id}", tag = "administration",
    security(("access_token" = [])),
    params(("id" = SuppressionId, Path, description = "The suppression.")),
    responses((status = NO_CONTENT), LiftProblems),
)]
pub async fn lift_suppression(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<SendMail>,
    PathId(id): PathId<SuppressionId>,
) -> Result<StatusCode, Problem> {
    let lifted = super::lift(&app, &ctx, Some(caller.user.id), id).await?;
    lifted.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Code::SuppressionNotFound.into())
}

/// Addresses that shall get no mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportSuppressions {
    /// As many as a body of 64 KiB holds; send more in several requests.
    addresses: Vec<EmailAddress>,
    /// Which mails it is about; all unless said.
    scope: Option<SuppressionScope>,
}

/// What became of a list.
#[derive(Serialize, ToSchema)]
pub struct ImportedSuppressions {
    /// How many were not suppressed before.
    added: usize,
}

/// Suppress mail to every address of a list, as another system or a provider exports it.
///
/// What is suppressed already stays as it is.
#[utoipa::path(
    post, path = "/api/v1/admin/mail/suppressions/import", tag = "administration",
    security(("access_token" = [])), request_body = ImportSuppressions,
    responses((status = OK, body = ImportedSuppressions), AddProblems),
)]
pub async fn import_suppressions(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<SendMail>,
    Body(body): Body<ImportSuppressions>,
) -> Result<Json<ImportedSuppressions>, Problem> {
    let ImportSuppressions { addresses, scope } = body;
    let scope = scope.unwrap_or(SuppressionScope::All);
    let added = super::import(&app, &ctx, Some(caller.user.id), &addresses, scope).await?;
    Ok(Json(ImportedSuppressions { added }))
}

/// Take every suppression out as CSV (RFC 4180): address, scope, reason, since, until.
///
/// It is no `GET`, since it leaves an audit event.
#[utoipa::path(
    post, path = "/api/v1/admin/mail/suppressions/export", tag = "administration",
    security(("access_token" = [])),
    responses((status = OK, body = String, content_type = "text/csv"), ExportProblems),
)]
pub async fn export_suppressions(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<SendMail>,
) -> Result<impl IntoResponse, Problem> {
    let csv = super::export(&app, &ctx, Some(caller.user.id)).await?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv))
}
