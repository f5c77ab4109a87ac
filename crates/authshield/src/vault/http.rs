//! The public keys, over HTTP.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::JWKS_MAX_AGE;
use crate::app::App;

/// The keys that access tokens are signed with (RFC 7517).
///
/// A key is published before it signs, and stays until the last token it signed has died: a
/// verifier that looks again every five minutes, and at a key id it does not know, misses nothing.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "keys",
    responses(
        (status = OK, description = "A JWK set.", content_type = "application/json"),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still right."),
    ),
)]
pub async fn jwks(State(app): State<App>, headers: HeaderMap) -> Response {
    let jwks = app.keyring.jwks();
    let cache = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    let shared = [
        (header::CACHE_CONTROL, cache),
        (header::ETAG, jwks.etag.clone()),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
    ];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.contains(&jwks.etag)) {
        (StatusCode::NOT_MODIFIED, shared).into_response()
    } else {
        let json = [(header::CONTENT_TYPE, "application/json")];
        (shared, json, jwks.body.clone()).into_response()
    };
    // Public keys may be read by anybody's page.
    response.headers_mut().insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    response
}
