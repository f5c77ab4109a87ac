//! Mail, for operators, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ResendError;
use crate::access::{Can, SeeMail, SendMail};
use crate::app::{App, Ctx, Params, PathId};
use crate::kernel::{EmailAddress, MailId, Page, Paging, Place};
use crate::mail::{self, MailRow, Search, Story};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What listing mail may answer.
    ListProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions | ValidationFailed
);
problems!(
    /// What looking at one mail may answer.
    OneProblems = MailNotFound | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked
        | AccountDisabled | InsufficientPermissions
);
problems!(
    /// What sending a mail again may answer.
    ResendProblems = MailNotFound | MailNotResendable | TokenMissing | TokenInvalid | TokenExpired
        | TokenRevoked | AccountDisabled | InsufficientPermissions
);

impl From<ResendError> for Problem {
    fn from(error: ResendError) -> Self {
        match error {
            ResendError::NoSuchMail => Code::MailNotFound.into(),
            ResendError::Refused(words) => Self::from(Code::MailNotResendable).detail(words),
            ResendError::Store(error) => error.into(),
        }
    }
}

/// Which mails to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those to this address, in full.
    email: Option<EmailAddress>,
    /// Only those that have come this far.
    #[param(inline)]
    state: Option<mail::State>,
    /// Only this kind of letter.
    kind: Option<String>,
    /// How many items, 1 to 200; 50 unless said.
    limit: Option<u16>,
    /// `next_cursor` of the piece before.
    cursor: Option<String>,
}

/// List mails, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/mail", tag = "administration", security(("access_token" = [])),
    params(Filter), responses((status = OK, body = Page<MailRow>), ListProblems),
)]
pub async fn list_mail(
    State(app): State<App>,
    ctx: Ctx,
    _: Can<SeeMail>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<MailRow>>, Problem> {
    let Filter { email, state, kind, limit, cursor } = filter;
    let (after, at_most) = Paging::new(limit, cursor).read()?;
    let recipient = email.map(|email| email.as_str().to_owned());
    // What is not the name of a kind is the name of none.
    let kind = kind.map(|kind| kind.replace('\0', " "));
    let search = Search { recipient, state, kind };
    let rows = mail::list(&app.store, &search, after, at_most, ctx.now).await?;
    let place = |row: &MailRow| Place { at: row.created_at, id: row.id.as_uuid() };
    Ok(Json(Page::cut(rows, at_most, place)))
}

/// See one mail and what became of it.
#[utoipa::path(
    get, path = "/api/v1/admin/mail/{id}", tag = "administration",
    security(("access_token" = [])),
    params(("id" = MailId, Path, description = "The mail.")),
    responses((status = OK, body = Story), OneProblems),
)]
pub async fn see_mail(
    State(app): State<App>,
    ctx: Ctx,
    _: Can<SeeMail>,
    PathId(id): PathId<MailId>,
) -> Result<Json<Story>, Problem> {
    let story = mail::story(&mut app.store.read().await?, id, ctx.now).await?;
    story.map(Json).ok_or_else(|| Code::MailNotFound.into())
}

/// The mail that goes out.
#[derive(Serialize, ToSchema)]
pub struct Resent {
    /// The same if it was waiting, another if it was settled.
    id: MailId,
}

/// Have a mail sent again: one that waits goes at once, one that is settled is made anew.
#[utoipa::path(
    post, path = "/api/v1/admin/mail/{id}/resend", tag = "administration",
    security(("access_token" = [])),
    params(("id" = MailId, Path, description = "The mail.")),
    responses((status = ACCEPTED, body = Resent), ResendProblems),
)]
pub async fn resend_mail(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<SendMail>,
    PathId(id): PathId<MailId>,
) -> Result<(StatusCode, Json<Resent>), Problem> {
    let id = super::resend(&app, &ctx, Some(caller.user.id), id).await?;
    Ok((StatusCode::ACCEPTED, Json(Resent { id })))
}
