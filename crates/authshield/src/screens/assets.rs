//! The few files that pages need, kept in the program, or an operator's.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::frame::no_route;
use crate::problem::Problem;
use crate::theme::Picture;

/// Where the mark is, whatever its kind.
pub(super) const ICON: &str = "/assets/icon.svg";

/// Where the logo is, whatever its kind.
pub(super) const LOGO: &str = "/assets/logo";

/// For an operator's pictures: opened alone, one has styles of its own at most, and no script.
const PICTURE_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// A file, and the hash that its address carries: another content has another address.
pub(super) struct Asset {
    path: &'static str,
    kind: &'static str,
    content: Bytes,
    hash: String,
    policy: Option<HeaderValue>,
}

impl Asset {
    fn new(path: &'static str, kind: &'static str, content: impl Into<Bytes>) -> Self {
        let content = content.into();
        let digest = Sha256::digest(&content);
        let hash = BASE64_URL_SAFE_NO_PAD.encode(&digest[..9]);
        Self { path, kind, content, hash, policy: None }
    }

    /// Returns a style sheet.
    pub(super) fn style(content: String) -> Self {
        Self::new("/assets/style.css", "text/css; charset=utf-8", content)
    }

    /// Returns our mark.
    pub(super) fn icon() -> Self {
        Self::new(ICON, "image/svg+xml", include_str!("../../assets/icon.svg"))
    }

    /// Returns a picture of an operator's.
    pub(super) fn picture(path: &'static str, picture: &Picture) -> Self {
        let file = Self::new(path, picture.kind, picture.content.clone());
        Self { policy: Some(PICTURE_POLICY), ..file }
    }

    /// Returns its address under `base`.
    pub(super) fn address(&self, base: &str) -> String {
        format!("{base}{}?v={}", self.path, self.hash)
    }

    /// Sends it. Only under the address with its own hash may it be kept: while an old and a new
    /// version serve side by side, the one must not be kept as the other.
    fn send(&self, query: Option<&str>) -> Response {
        let named = query.and_then(|query| query.strip_prefix("v=")) == Some(&self.hash);
        let cache = if named { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        ];
        let mut response = (headers, self.content.clone()).into_response();
        if let Some(policy) = &self.policy {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        response
    }
}

pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../assets/docs.js");
    Asset::new("/assets/docs.js", "text/javascript; charset=utf-8", content)
});

/// Runs on the pages that ask for our own captcha.
pub(super) static CAPTCHA: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../assets/captcha.js");
    Asset::new("/assets/captcha.js", "text/javascript; charset=utf-8", content)
});

/// Runs on the pages that use passkeys.
pub(super) static PASSKEYS: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../assets/passkeys.js");
    Asset::new("/assets/passkeys.js", "text/javascript; charset=utf-8", content)
});

pub(super) async fn passkeys(RawQuery(query): RawQuery) -> Response {
    PASSKEYS.send(query.as_deref())
}

pub(super) async fn style(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    app.pages.style.send(query.as_deref())
}

pub(super) async fn icon(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    app.pages.icon.send(query.as_deref())
}

pub(super) async fn logo(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    uri: Uri,
) -> Result<Response, Problem> {
    match &app.pages.logo {
        Some(logo) => Ok(logo.send(query.as_deref())),
        None => Err(no_route(uri).await),
    }
}

pub(super) async fn script(RawQuery(query): RawQuery) -> Response {
    SCRIPT.send(query.as_deref())
}

pub(super) async fn captcha(RawQuery(query): RawQuery) -> Response {
    CAPTCHA.send(query.as_deref())
}
