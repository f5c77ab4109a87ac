//! Asking without holding the answer against the description: for what is described nowhere.

use serde_json::Value;

use super::{Reply, TestApp};

/// Sends `request` and reads the answer.
pub(crate) async fn plain(app: &TestApp, request: reqwest::RequestBuilder) -> Reply {
    let answer = app.client.execute(request.build().unwrap()).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status, headers, text, body }
}
