//! Providers that take mail over HTTP, played by a server that answers as they document.

mod fallback;
mod sending;
mod webhooks;

use crate::support::TestApp;
use crate::support::provider::Provider;

/// Starts an application whose mail goes to `provider`, with settings besides.
pub(crate) async fn app_with(provider: &Provider, settings: &[(&str, &str)]) -> TestApp {
    let own = provider.settings();
    let mut all: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.push(("rate_limit.enabled", "false"));
    all.extend(settings);
    TestApp::with(&all).await
}
