//! The few files that pages need, kept in the program.

use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A file, and the hash that its address carries: another content has another address.
pub(super) struct Asset {
    path: &'static str,
    kind: &'static str,
    content: &'static str,
    hash: String,
}

impl Asset {
    fn new(path: &'static str, kind: &'static str, content: &'static str) -> Self {
        let digest = Sha256::digest(content.as_bytes());
        let hash = BASE64_URL_SAFE_NO_PAD.encode(&digest[..9]);
        Self { path, kind, content, hash }
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
        (headers, self.content).into_response()
    }
}

pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../assets/style.css");
    Asset::new("/assets/style.css", "text/css; charset=utf-8", content)
});

pub(super) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../assets/icon.svg");
    Asset::new("/assets/icon.svg", "image/svg+xml", content)
});

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

pub(super) async fn style(RawQuery(query): RawQuery) -> Response {
    STYLE.send(query.as_deref())
}

pub(super) async fn icon(RawQuery(query): RawQuery) -> Response {
    ICON.send(query.as_deref())
}

pub(super) async fn script(RawQuery(query): RawQuery) -> Response {
    SCRIPT.send(query.as_deref())
}

pub(super) async fn captcha(RawQuery(query): RawQuery) -> Response {
    CAPTCHA.send(query.as_deref())
}
