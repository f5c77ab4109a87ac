//! A route of axum that answers with JSON, and nothing else.

use std::net::SocketAddr;

use anyhow::Result;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

/// About what `GET /users/me` answers.
#[derive(Serialize)]
struct Someone {
    id: String,
    email: &'static str,
    full_name: &'static str,
    locale: &'static str,
    email_verified: bool,
    roles: [&'static str; 1],
    created_at: &'static str,
    updated_at: &'static str,
}

async fn someone() -> Json<Someone> {
    Json(Someone {
        id: uuid::Uuid::nil().to_string(),
        email: "user0@example.org",
        full_name: "Some Body",
        locale: "en",
        email_verified: true,
        roles: ["user"],
        created_at: "2026-01-01T00:00:00.000000Z",
        updated_at: "2026-01-01T00:00:00.000000Z",
    })
}

/// Serves until it is killed.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    crate::base::runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let routes = Router::new()
            .route("/api/v1/users/me", get(someone))
            .route("/api/v1/health/ready", get(someone));
        Ok(axum::serve(listener, routes).await?)
    })
}
