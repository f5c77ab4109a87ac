//! The public key of the audit trail, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;

use crate::app::App;

/// The key that checkpoints of the audit trail are signed with (RFC 7517).
///
/// Auditors keep a copy: with it an export of the audit trail can be verified without the service.
#[utoipa::path(
    get, path = "/.well-known/audit-jwks.json", tag = "keys",
    responses((status = OK, description = "A JWK set.", body = Value)),
)]
pub async fn audit_jwks(State(app): State<App>) -> impl IntoResponse {
    let headers = [
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    (headers, Json(app.secrets.seal.jwks()))
}
