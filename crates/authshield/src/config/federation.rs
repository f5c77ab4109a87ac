//! Signing in with an account somewhere else: at which providers, and for which applications.

use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::lints::{self, Lint, refuse};
use super::root::Config;
use super::setting::{Fallback, SECOND, settings};
use super::value::items;

settings! {
    /// Signing in with an account at a provider: what is the same for all of them.
    Oauth at "oauth" "." {
        /// The exact addresses of applications to which a browser is sent back with a one-time code. Without
        /// any, nobody signs in that way.
        return_to: Vec<String> {
            fallback: Fallback::Always(""),
            example: "https://app.acme.dev/signed-in,dev.acme.app:/signed-in",
            mistaken: &["REDIRECT_URI", "REDIRECT_URIS", "OAUTH_REDIRECT_URIS", "RETURN_URLS", "CALLBACK_URLS"],
            lints: &[RETURN_TO],
        }
        /// How long one answer of a provider may take.
        timeout: Duration {
            fallback: Fallback::Always("5s"),
            bounds: Some((100, 30 * SECOND)),
            example: "5s",
            mistaken: &["OAUTH_HTTP_TIMEOUT"],
        }
        /// Networks inside in which providers may be; else they must have public addresses.
        private_networks: Vec<IpNet> {
            fallback: Fallback::Always(""),
            example: "10.30.0.0/16",
            mistaken: &["OAUTH_ALLOW_PRIVATE", "OAUTH_ALLOWED_NETWORKS"],
        }
    }
}

/// Declares a provider of OpenID Connect that an operator names.
macro_rules! provider {
    ($(#[doc = $about:literal])* $struct:ident at $path:literal called $name:literal) => {
        settings! {
            $(#[doc = $about])*
            $struct at $path "." {
                /// What it is called in addresses and events: small letters, digits and hyphens.
                name: String {
                    fallback: Fallback::Always($name),
                    example: $name,
                    lints: &[NAME],
                }
                /// Its issuer, byte by byte as its discovery document says; unset, the provider does not
                /// exist.
                issuer: Option<String> {
                    example: "https://login.acme.dev/realms/staff",
                    lints: &[lints::HTTPS, ISSUER],
                }
                /// Who we are to it.
                client_id: Option<String> {
                    example: "authshield",
                }
                /// How we prove that.
                client_secret: Option<SecretString> {
                    example: "<the client's secret>",
                    lints: &[lints::SHORT_SECRET],
                }
                /// What is asked for; `openid` always is.
                scopes: Vec<String> {
                    fallback: Fallback::Always("openid,email,profile"),
                    example: "openid,email,profile",
                }
                /// The domains whose addresses are believed when it says that they are verified; every domain
                /// unless set.
                email_domains: Vec<String> {
                    fallback: Fallback::Always(""),
                    example: "acme.dev",
                }
                /// Whether its addresses count as verified even if it does not say so. Only for a provider
                /// that gives out those addresses itself; it needs `email_domains`.
                trust_email: bool {
                    fallback: Fallback::Always("false"),
                    example: "true",
                }
            }
        }
    };
}

provider! {
    /// A provider of OpenID Connect.
    OauthOidc at "oauth_oidc" called "oidc"
}

provider! {
    /// A second provider of OpenID Connect.
    OauthOidc2 at "oauth_oidc2" called "oidc2"
}

settings! {
    /// Google, as provider `google`.
    OauthGoogle at "oauth_google" "." {
        /// The client id; unset, the provider does not exist.
        client_id: Option<String> {
            example: "123456789012-abc.apps.googleusercontent.com",
            mistaken: &["GOOGLE_CLIENT_ID"],
            foreign: &["GOOGLE_CLIENT_ID"],
        }
        /// The client's secret.
        client_secret: Option<SecretString> {
            example: "<the client's secret>",
            mistaken: &["GOOGLE_CLIENT_SECRET"],
            foreign: &["GOOGLE_CLIENT_SECRET"],
            lints: &[lints::SHORT_SECRET],
        }
    }
}

settings! {
    /// GitLab, as provider `gitlab`: gitlab.com, or an own one.
    OauthGitlab at "oauth_gitlab" "." {
        /// The application's id; unset, the provider does not exist.
        client_id: Option<String> {
            example: "8f3c1d",
            mistaken: &["GITLAB_CLIENT_ID"],
        }
        /// The application's secret.
        client_secret: Option<SecretString> {
            example: "<the application's secret>",
            mistaken: &["GITLAB_CLIENT_SECRET"],
            lints: &[lints::SHORT_SECRET],
        }
        /// Where it is.
        issuer: String {
            fallback: Fallback::Always("https://gitlab.com"),
            example: "https://gitlab.acme.dev",
            lints: &[lints::HTTPS, ISSUER],
        }
    }
}

/// A provider at which people sign in.
#[derive(Debug, Clone)]
pub struct OauthProvider {
    /// What it is called in addresses and events.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// How we prove that.
    pub client_secret: SecretString,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The domains whose addresses are believed; empty is every one.
    pub email_domains: Vec<String>,
    /// Whether its addresses count as verified even if it does not say so.
    pub trust_email: bool,
}

impl Config {
    /// Returns the providers that are configured.
    #[must_use]
    pub fn oauth_providers(&self) -> Vec<OauthProvider> {
        let mut all = Vec::new();
        macro_rules! named {
            ($section:expr) => {
                if let (Some(issuer), Some(id), Some(secret)) =
                    (&$section.issuer, &$section.client_id, &$section.client_secret)
                {
                    all.push(OauthProvider {
                        name: $section.name.clone(),
                        issuer: issuer.clone(),
                        client_id: id.clone(),
                        client_secret: secret.clone(),
                        scopes: $section.scopes.clone(),
                        email_domains: $section.email_domains.clone(),
                        trust_email: $section.trust_email,
                    });
                }
            };
        }
        named!(self.oauth_oidc);
        named!(self.oauth_oidc2);
        let (google, gitlab) = (&self.oauth_google, &self.oauth_gitlab);
        let presets = [
            ("google", "https://accounts.google.com", &google.client_id, &google.client_secret),
            ("gitlab", &gitlab.issuer, &gitlab.client_id, &gitlab.client_secret),
        ];
        for (name, issuer, id, secret) in presets {
            if let (Some(id), Some(secret)) = (id, secret) {
                all.push(OauthProvider {
                    name: name.to_owned(),
                    issuer: issuer.to_owned(),
                    client_id: id.clone(),
                    client_secret: secret.clone(),
                    scopes: ["openid", "email", "profile"].map(str::to_owned).into(),
                    email_domains: Vec::new(),
                    trust_email: false,
                });
            }
        }
        all
    }
}

/// Which setting needs which other, and whether either is set.
pub(super) fn needs(config: &Config) -> Vec<(&'static str, bool, &'static str, bool)> {
    let mut all = Vec::new();
    macro_rules! all_of {
        ($section:expr, $($name:literal: $is_set:expr),+) => {{
            let given = [$((concat!($section, ".", $name), $is_set)),+];
            for (name, is_set) in given {
                all.extend(given.map(|(other, other_is_set)| (name, is_set, other, other_is_set)));
            }
        }};
    }
    macro_rules! named {
        ($section:literal, $it:expr) => {
            all_of!($section, "issuer": $it.issuer.is_some(), "client_id": $it.client_id.is_some(),
                    "client_secret": $it.client_secret.is_some());
            all.push((
                concat!($section, ".trust_email"),
                $it.trust_email,
                concat!($section, ".email_domains"),
                !$it.email_domains.is_empty(),
            ));
        };
    }
    let (google, gitlab) = (&config.oauth_google, &config.oauth_gitlab);
    named!("oauth_oidc", config.oauth_oidc);
    named!("oauth_oidc2", config.oauth_oidc2);
    all_of!("oauth_google", "client_id": google.client_id.is_some(), "client_secret": google.client_secret.is_some());
    all_of!("oauth_gitlab", "client_id": gitlab.client_id.is_some(), "client_secret": gitlab.client_secret.is_some());
    all
}

/// No browser is sent to a longer one, in bytes.
const RETURN_TO_AT_MOST: usize = 1000;

pub(super) const RETURN_TO: Lint = Lint {
    id: "return-to",
    about: "an address of an application that is none, or that a one-time code must not go to",
    waivable: false,
    check: |subject| {
        for address in items(subject.text) {
            let Ok(url) = Url::parse(address) else {
                return refuse(format!(
                    "holds `{address}`, which is no URL such as `https://app.acme.dev/signed-in`"
                ));
            };
            let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            let wrong = match url.scheme() {
                // RFC 9700, 2.6: in clear text only to a program on the same machine.
                "http" if subject.production && !is_here => "begin with `https://` in production",
                "http" | "https" => "",
                // RFC 8252, 7.1: a scheme of an application is a domain turned round.
                scheme if scheme.contains('.') => "",
                _ => "begin with `https://`, or with an application's own scheme that has a dot",
            };
            if !wrong.is_empty() {
                return refuse(format!("holds `{address}`, which must {wrong}"));
            }
            if url.fragment().is_some() || address.len() > RETURN_TO_AT_MOST {
                return refuse(format!("holds `{address}`, which has a `#` or is too long"));
            }
        }
        None
    },
};

pub(super) const ISSUER: Lint = Lint {
    id: "issuer",
    about: "an issuer that is not a URL without `?` and `#`",
    waivable: false,
    check: |subject| match Url::parse(subject.text) {
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none() =>
        {
            None
        }
        _ => refuse("must be a URL such as `https://login.acme.dev`, without `?` and `#`"),
    },
};

pub(super) const NAME: Lint = Lint {
    id: "provider-name",
    about: "a provider's name with something in it besides small letters, digits and hyphens",
    waivable: false,
    check: |subject| {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=32).contains(&subject.text.len()) && subject.text.bytes().all(is_plain);
        if fits {
            return None;
        }
        refuse("must be 1 to 32 small letters, digits and hyphens")
    },
};
