//! The feed, over HTTP.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Cursor, TYPE};
use crate::app::{App, Ctx, Params};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What asking for the feed may answer.
    FeedProblems = ValidationFailed
);

/// How far the feed was read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// `next` of the page before; without it, the feed from its beginning.
    after: Option<String>,
}

/// What was revoked before its access tokens end, for services that verify tokens by themselves.
///
/// A page is a JWT with `typ` `revocations+jwt`, signed with the keys of `/.well-known/jwks.json`. As of
/// `iat`, a token is dead if its `epoch` (1 where it has none) is below the page's; if the first 16 bytes of
/// SHA-256 over its `sid`, in base64url, are in `ended`; or if they are in `below`, with a number above
/// the token's `user_epoch` (0 where it has none). Remember that for `lifetime` seconds. While `more` is true,
/// ask again at once, else twice a second, with `after` as `next` says. A page without `after` in it
/// begins anew: keep what you know. Whoever has no page with `more` false that is younger than `max_staleness`
/// seconds does not know what was revoked.
#[utoipa::path(
    get, path = "/api/v1/revocations", tag = "keys", params(After),
    responses(
        (status = OK, description = "A page.", content_type = "application/jwt", body = String),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still right."),
        FeedProblems,
    ),
)]
pub async fn revocations(
    State(app): State<App>,
    ctx: Ctx,
    Params(After { after }): Params<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = after.as_deref().map(str::parse::<Cursor>).transpose().map_err(|_| {
        Problem::invalid_field("/after", "invalid_cursor", "`after` is not one that we gave.")
    })?;
    let sign = |claims: &super::feed::Claims<'_>| app.keyring.sign(TYPE, claims, ctx.now);
    let page = app.revocations.page(app.issuer(), after, ctx.now, sign).ok_or_else(|| {
        Problem::from(Code::ServiceUnavailable)
            .detail("What was revoked lately is not known here at the moment. Ask again.")
            .because("the database was not looked at for too long")
    })?;
    let shared = [
        (header::CACHE_CONTROL, "public, max-age=1".to_owned()),
        (header::ETAG, page.etag.clone()),
    ];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.contains(&page.etag)) {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    let kind = [(header::CONTENT_TYPE, "application/jwt")];
    Ok((shared, kind, page.body.clone()).into_response())
}
