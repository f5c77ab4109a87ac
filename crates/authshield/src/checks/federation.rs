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
                   be used. Whether it knows the client, its secret and the redirect URI shows at a sign-in \
                   only: the URI is printed, to compare it with what is registered there.",
        expected: "providers that are there",
        remedy: "Compare the issuer byte by byte with the one in its discovery document, and see that a \
                 firewall lets this node through; a provider inside needs `oauth.private_networks`.",
        settings: &[
            "oauth_oidc.issuer",
            "oauth_oidc2.issuer",
            "oauth_google.client_id",
            "oauth_gitlab.issuer",
            "oauth.return_to",
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
        for provider in providers.all() {
            if let Err(failure) = provider.probe(at.now()).await {
                let (name, stage, why) = (provider.name(), failure.stage, failure.reason);
                return Verdict::fail(format!("{name}: {stage}: {why}"))
                    .evidence(provider.issuer());
            }
            found.push(format!("{} ({})", provider.name(), provider.redirect_uri));
        }
        if found.is_empty() {
            return Verdict::skip("nobody signs in at a provider (none is configured)");
        }
        if at.config().oauth.return_to.is_empty() {
            return Verdict::warn(
                "oauth.return_to names no application, so nobody can sign in there",
            );
        }
        Verdict::pass(found.join(", "))
    }
}
