//! The whole story, from a registration to a stolen token, over real HTTP and real SMTP.

use std::time::Duration;

use serde_json::json;

use crate::support::{PASSWORD, Person, TestApp};

#[tokio::test]
async fn from_a_registration_to_a_stolen_token() {
    // One connection is enough: whoever held one and waited for another would wait for ever.
    let app = TestApp::with(&[("database.connections", "1")]).await;

    let reply = app.register("Ann@Example.org", PASSWORD).await;
    let mail = &reply.ok(202).body["mail_id"];
    assert_eq!(
        reply.body,
        json!({ "email": "ann@example.org", "is_verified": false, "mail_id": mail })
    );
    app.log_in("ann@example.org", PASSWORD).await.is(403, "AUTH_EMAIL_NOT_VERIFIED");

    let token = app.token_for("ann@example.org").await;
    let verified = app.verify(&token).await;
    assert_eq!(verified.ok(200).body["is_verified"], true);
    app.verify(&token).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");

    let ann = app.sign_in("ann@example.org").await;
    let me = app.me(&ann).await;
    assert_eq!(me.ok(200).body["email"], "ann@example.org");
    assert_eq!(me.body["roles"], json!(["user"]));

    let reply = app.refresh(&ann.refresh).await;
    let fresh = Person::from_pair(&reply.ok(200).body);
    assert_ne!(fresh.refresh, ann.refresh);
    app.me(&fresh).await.ok(200);

    // Somebody uses the old token long after: one of the two is a thief, so the session ends.
    app.advance(Duration::from_mins(1));
    app.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_REUSED");
    app.refresh(&fresh.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.me(&fresh).await.is(401, "AUTH_TOKEN_REVOKED");

    let ann = app.sign_in("ann@example.org").await;
    app.send(app.request(reqwest::Method::POST, "/api/v1/auth/logout").bearer_auth(&ann.access))
        .await
        .ok(204);
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(
        app.events().await,
        [
            "REGISTER_SUCCEEDED",
            "LOGIN_FAILED/email_unverified",
            "EMAIL_VERIFIED",
            "LINK_REJECTED/token_used",
            "LOGIN_SUCCEEDED",
            "REFRESH_ROTATED",
            "REFRESH_REUSED",
            "REFRESH_REJECTED/session_ended",
            "LOGIN_SUCCEEDED",
            "LOGOUT",
        ]
    );
}
