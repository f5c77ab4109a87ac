//! A service that trusts AuthShield's tokens. It sees no password, keeps no session and shares no
//! secret with the server: it fetches the public keys and checks tokens by itself, and it follows what was
//! revoked, so that who signed out is out here as well.

use authshield_verify::{AccessToken, Follow, Guard, Refusal, Rules};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Whoever has a good token sees the own orders.
async fn list(AccessToken(claims): AccessToken) -> Json<Value> {
    Json(json!({ "items": [{ "id": 1, "customer": claims.sub, "what": "a teapot" }] }))
}

/// Only who has the role `admin` may delete one.
async fn remove(token: AccessToken, Path(order): Path<u64>) -> Result<StatusCode, Refusal> {
    token.require_role("admin")?;
    println!("{} deletes order {order}", token.0.sub);
    Ok(StatusCode::NO_CONTENT)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let issuer = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    // The server's `public_url`, and its `token.audience`: the same, unless that was set.
    let guard = Guard::new(Rules::new(issuer.clone(), issuer))?.following(Follow::default())?;

    let orders = Router::new()
        .route("/orders", get(list))
        .route("/orders/{id}", delete(remove))
        .with_state(guard);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, orders).await?;
    Ok(())
}
