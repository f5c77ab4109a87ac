//! FED-1: whether the providers are there at which people sign in.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::federation::Providers;

/// Being reached.
pub(super) struct Reachable;

impl Check for Reachable {
    const ABOUT: About = About {
        id: "FED-1",
        title: "Sign-in providers",
        verifies: "Each provider at which people sign in publishes a discovery document under exactly the \
                   issuer that is configured, endpoints that are encrypted and not inside, and keys that can \
                   be used; GitHub, which has none, answers, and so does its API. Whether it knows the client, its secret and the redirect URI shows at a sign-in \
                   only: the URI is printed, to compare it with what is registered there.",
        expected: "providers that are there",
        remedy: "Compare the issuer byte by byte with the one in its discovery document, and see that a \
                 firewall lets this node through; a provider inside needs `oauth.private_networks`.",
        settings: &[
            "oauth_oidc.issuer",
            "oauth_oidc2.issuer",
            "oauth_google.client_id",
            "oauth_gitlab.issuer",
            "oauth_microsoft.tenant",
            "oauth_apple.client_id",
            "oauth_github.issuer",
        ],
        parents: &["CFG-2"],
        effect: Effect::Network,
        timeout: Duration::from_secs(45),
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_mins(5)),
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let providers = match Providers::from_config(at.config()) {
            Ok(providers) => providers,
            Err(error) => return Verdict::fail(error.to_string()),
        };
        let mut found = Vec::new();
        let probes = providers.all().iter().map(|provider| provider.probe(at.now()));
        let probed = futures_util::future::join_all(probes).await;
        for (provider, outcome) in providers.all().iter().zip(probed) {
            if provider.posts_back() && !provider.redirect_uri.starts_with("https://") {
                return Verdict::fail("apple sends browsers back to https addresses only")
                    .evidence(&provider.redirect_uri);
            }
            if let Err(failure) = outcome {
                let (name, stage, why) = (provider.name(), failure.stage, failure.reason);
                return Verdict::fail(format!("{name}: {stage}: {why}"))
                    .evidence(provider.issuer());
            }
            found.push(format!("{} ({})", provider.name(), provider.redirect_uri));
        }
        if found.is_empty() {
            return Verdict::skip("nobody signs in at a provider (none is configured)");
        }
        Verdict::pass(found.join(", "))
    }
}
