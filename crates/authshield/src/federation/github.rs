//! GitHub, which speaks OAuth 2 and no OpenID Connect: there is no ID token, so who somebody is and which of their
//! addresses are proved is asked for with the access token, over a connection of our own.

use std::sync::Arc;

use reqwest::header;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::flow::Flow;
use super::provider::{Failure, Place, Provider};
use super::rules::{Person, Profile};
use crate::kernel::Timestamp;

/// The version of the API that this was written for.
const VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");

/// What the token endpoint answers: with status 200, even to what it refuses.
#[derive(Deserialize)]
struct Granted {
    access_token: Option<SecretString>,
    error: Option<String>,
}

/// Somebody, as `/user` tells.
#[derive(Deserialize)]
struct Account {
    /// Stays, whatever they call themselves.
    id: u64,
    name: Option<String>,
}

/// One of their addresses, as `/user/emails` tells.
#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

impl Provider {
    /// Returns where GitHub is: it does not say so itself.
    pub(super) fn place_of_github(&self) -> Result<Arc<Place>, Failure> {
        let at = |path: &str| {
            let url = format!("{}/login/oauth/{path}", self.issuer());
            let url = Url::parse(&url).map_err(|_| "no_url");
            url.and_then(|url| self.checked(&url))
                .map_err(|reason| Failure { stage: "discovery", reason })
        };
        Ok(Arc::new(Place {
            issuer: self.issuer().to_owned(),
            authorization_endpoint: at("authorize")?,
            token_endpoint: at("access_token")?,
            jwks_uri: None,
            userinfo_endpoint: None,
            token_endpoint_auth_methods_supported: vec!["client_secret_post".to_owned()],
            authorization_response_iss_parameter_supported: false,
        }))
    }

    /// Exchanges a code, and asks who it is.
    pub(super) async fn ask_github(
        &self,
        place: &Place,
        flow: &Flow,
        code: &str,
        now: Timestamp,
    ) -> Result<Person, Failure> {
        let at = |stage| move |reason| Failure { stage, reason };
        if flow.max_age.is_some() {
            // It tells nobody when somebody signed in.
            return Err(at("authorization")("no_auth_time"));
        }
        let exchange = self.exchange(place, flow, code, now);
        let granted: Granted = self.ask(exchange).await.map_err(at("token"))?;
        let token = match granted {
            Granted { access_token: Some(token), error: None } => token,
            Granted { error: Some(_), .. } => return Err(at("token")("refused")),
            Granted { .. } => return Err(at("token")("malformed")),
        };
        let account: Account = self.api("user", &token).await.map_err(at("userinfo"))?;
        let addresses: Vec<Address> =
            self.api("user/emails?per_page=100", &token).await.map_err(at("userinfo"))?;
        let primary = addresses.into_iter().find(|address| address.primary);
        let text = |text: Option<String>| text.filter(|text| !text.contains('\0'));
        let profile = Profile {
            verified: primary.as_ref().is_some_and(|address| address.verified),
            email: text(primary.map(|address| address.email)),
            name: text(account.name),
            locale: None,
        };
        Ok(self.person(self.issuer().to_owned(), account.id.to_string(), profile, None))
    }

    /// Asks the API.
    async fn api<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        token: &SecretString,
    ) -> Result<T, &'static str> {
        let request = self.client.get(self.api_at(path)?).bearer_auth(token.expose_secret());
        let request = request.header(VERSION.0, VERSION.1);
        self.ask(request.header(header::ACCEPT, "application/vnd.github+json")).await
    }

    fn api_at(&self, path: &str) -> Result<Url, &'static str> {
        let url = format!("{}/{path}", api_of(self.issuer()));
        self.checked(&Url::parse(&url).map_err(|_| "no_url")?)
    }

    /// Finds out whether GitHub and its API answer; the path is one that costs nothing there.
    pub(super) async fn reach_github(&self) -> Result<(), Failure> {
        let place = self.place_of_github()?;
        let at = |reason| Failure { stage: "discovery", reason };
        self.reach(place.authorization_endpoint.clone()).await.map_err(at)?;
        self.reach(self.api_at("rate_limit").map_err(at)?).await.map_err(at)
    }
}

/// Returns where the API is: on a host of its own in the cloud, below the same host elsewhere.
fn api_of(issuer: &str) -> String {
    let in_cloud = issuer
        .strip_prefix("https://")
        .filter(|host| *host == "github.com" || host.ends_with(".ghe.com"));
    match in_cloud {
        Some(host) => format!("https://api.{host}"),
        None => format!("{issuer}/api/v3"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_where_github_says_it_is() {
        assert_eq!(api_of("https://github.com"), "https://api.github.com");
        assert_eq!(api_of("https://acme.ghe.com"), "https://api.acme.ghe.com");
        assert_eq!(api_of("https://github.acme.dev"), "https://github.acme.dev/api/v3");
    }
}
