//! Signing in with an account somewhere else: at which providers, and for which applications.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;
use zeroize::Zeroizing;

use super::lints::{self, Lint, refuse};
use super::root::Config;
use super::setting::{Fallback, SECOND, settings};
use super::value::items;

settings! {
    /// Signing in with an account at a provider: what is the same for all of them.
    Oauth at "oauth" "." {
        /// The exact addresses of applications to which a browser is sent back with a one-time code. Without
        /// any, people sign in that way on our own pages alone.
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

settings! {
    /// Microsoft, as provider `microsoft`: Entra ID, and personal accounts.
    OauthMicrosoft at "oauth_microsoft" "." {
        /// The application's (client) id; unset, the provider does not exist.
        client_id: Option<String> {
            example: "6731de76-14a6-49ae-97bc-6eba6914391e",
            mistaken: &["MICROSOFT_CLIENT_ID", "AZURE_CLIENT_ID", "ENTRA_CLIENT_ID"],
        }
        /// The value of a client secret, not its id.
        client_secret: Option<SecretString> {
            example: "<the value of the client secret>",
            mistaken: &["MICROSOFT_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "ENTRA_CLIENT_SECRET"],
            lints: &[lints::SHORT_SECRET],
        }
        /// Whose accounts: the directory (tenant) id of one organization; `organizations` for those of every one,
        /// `consumers` for personal ones, `common` for all of them.
        tenant: String {
            fallback: Fallback::Always("common"),
            example: "72f988bf-86f1-41af-91ab-2d7cd011db47",
            mistaken: &["MICROSOFT_TENANT", "MICROSOFT_TENANT_ID", "AZURE_TENANT_ID", "ENTRA_TENANT_ID"],
            lints: &[TENANT],
        }
        /// Where it is: another one for national clouds.
        authority: String {
            fallback: Fallback::Always("https://login.microsoftonline.com"),
            example: "https://login.microsoftonline.us",
            lints: &[lints::HTTPS, ISSUER],
        }
    }
}

settings! {
    /// Apple, as provider `apple`. It sends browsers back to https addresses only.
    OauthApple at "oauth_apple" "." {
        /// The identifier of the Services ID; unset, the provider does not exist.
        client_id: Option<String> {
            example: "dev.acme.sign-in",
            mistaken: &["APPLE_CLIENT_ID", "APPLE_SERVICES_ID"],
        }
        /// The id of the team, ten letters and digits.
        team_id: Option<String> {
            example: "A1B2C3D4E5",
            mistaken: &["APPLE_TEAM_ID"],
        }
        /// The id of the key, ten letters and digits.
        key_id: Option<String> {
            example: "F6G7H8J9K0",
            mistaken: &["APPLE_KEY_ID"],
        }
        /// The key, as in its `.p8` file: what proves who we are is signed with it, anew each time.
        private_key: Option<SecretString> {
            example: "<what is in the .p8 file>",
            mistaken: &["APPLE_PRIVATE_KEY", "APPLE_KEY", "APPLE_CLIENT_SECRET"],
            lints: &[APPLE_KEY],
        }
        /// Where it is.
        issuer: String {
            fallback: Fallback::Always("https://appleid.apple.com"),
            example: "https://appleid.apple.com",
            lints: &[lints::HTTPS, ISSUER],
        }
    }
}

settings! {
    /// GitHub, as provider `github`: github.com, or an own one.
    OauthGithub at "oauth_github" "." {
        /// The client id of the OAuth app; unset, the provider does not exist.
        client_id: Option<String> {
            example: "Ov23liJ8pQ2xYz4aBcDe",
            mistaken: &["GITHUB_CLIENT_ID"],
            foreign: &["GITHUB_CLIENT_ID"],
        }
        /// A client secret of it.
        client_secret: Option<SecretString> {
            example: "<a client secret>",
            mistaken: &["GITHUB_CLIENT_SECRET"],
            foreign: &["GITHUB_CLIENT_SECRET"],
            lints: &[lints::SHORT_SECRET],
        }
        /// Where it is.
        issuer: String {
            fallback: Fallback::Always("https://github.com"),
            example: "https://github.acme.dev",
            lints: &[lints::HTTPS, ISSUER],
        }
    }
}

/// What a provider speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OauthKind {
    /// OpenID Connect.
    OpenId,
    /// OpenID Connect for many tenants at once: the issuer has `{tenantid}` where the tenant's id stands.
    Microsoft {
        /// Whose accounts, as the configuration says.
        tenant: String,
    },
    /// OpenID Connect with a secret that is signed with a key, which is `client_secret` here.
    Apple {
        /// Whose key.
        team_id: String,
        /// Which key.
        key_id: String,
    },
    /// OAuth 2 and an API.
    Github,
}

/// A provider at which people sign in.
#[derive(Debug, Clone)]
pub struct OauthProvider {
    /// What it is called in addresses and events.
    pub name: String,
    /// What it speaks.
    pub kind: OauthKind,
    /// Its issuer.
    pub issuer: String,
    /// Where its discovery document is, without the path that all have.
    pub place: String,
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

impl OauthProvider {
    /// One of OpenID Connect that is like most.
    fn usual(name: &str, issuer: &str, client_id: &str, client_secret: &SecretString) -> Self {
        Self {
            name: name.to_owned(),
            kind: OauthKind::OpenId,
            issuer: issuer.to_owned(),
            place: issuer.trim_end_matches('/').to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.clone(),
            scopes: ["openid", "email", "profile"].map(str::to_owned).into(),
            email_domains: Vec::new(),
            trust_email: false,
        }
    }
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
                        scopes: $section.scopes.clone(),
                        email_domains: $section.email_domains.clone(),
                        trust_email: $section.trust_email,
                        ..OauthProvider::usual(&$section.name, issuer, id, secret)
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
                all.push(OauthProvider::usual(name, issuer, id, secret));
            }
        }
        all.extend(self.oauth_microsoft.provider());
        all.extend(self.oauth_apple.provider());
        all.extend(self.oauth_github.provider());
        all
    }
}

impl OauthMicrosoft {
    fn provider(&self) -> Option<OauthProvider> {
        let (id, secret) = (self.client_id.as_ref()?, self.client_secret.as_ref()?);
        let (base, tenant) = (self.authority.trim_end_matches('/'), &self.tenant);
        // What the discovery documents of the endpoints for several tenants say.
        let issued_by = match tenant.as_str() {
            "common" | "organizations" => "{tenantid}",
            "consumers" => PERSONAL_ACCOUNTS,
            one => one,
        };
        Some(OauthProvider {
            kind: OauthKind::Microsoft { tenant: tenant.clone() },
            place: format!("{base}/{tenant}/v2.0"),
            ..OauthProvider::usual("microsoft", &format!("{base}/{issued_by}/v2.0"), id, secret)
        })
    }
}

impl OauthApple {
    fn provider(&self) -> Option<OauthProvider> {
        let (id, key) = (self.client_id.as_ref()?, self.private_key.as_ref()?);
        let (team_id, key_id) = (self.team_id.clone()?, self.key_id.clone()?);
        Some(OauthProvider {
            kind: OauthKind::Apple { team_id, key_id },
            scopes: ["openid", "email", "name"].map(str::to_owned).into(),
            ..OauthProvider::usual("apple", &self.issuer, id, key)
        })
    }
}

impl OauthGithub {
    fn provider(&self) -> Option<OauthProvider> {
        let (id, secret) = (self.client_id.as_ref()?, self.client_secret.as_ref()?);
        Some(OauthProvider {
            kind: OauthKind::Github,
            scopes: vec!["user:email".to_owned()],
            ..OauthProvider::usual("github", self.issuer.trim_end_matches('/'), id, secret)
        })
    }
}

/// The tenant of all personal accounts at Microsoft.
pub const PERSONAL_ACCOUNTS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Reads a key as Apple gives it out: PKCS#8 of P-256 in PEM.
#[must_use]
pub fn apple_key(pem: &str) -> Option<EcdsaKeyPair> {
    let body = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?;
    let body = body.strip_suffix("-----END PRIVATE KEY-----")?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    let der = Zeroizing::new(BASE64_STANDARD.decode(body.as_bytes()).ok()?);
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()
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
    let (microsoft, apple, github) =
        (&config.oauth_microsoft, &config.oauth_apple, &config.oauth_github);
    all_of!("oauth_microsoft", "client_id": microsoft.client_id.is_some(), "client_secret": microsoft.client_secret.is_some());
    all_of!("oauth_apple", "client_id": apple.client_id.is_some(), "team_id": apple.team_id.is_some(),
            "key_id": apple.key_id.is_some(), "private_key": apple.private_key.is_some());
    all_of!("oauth_github", "client_id": github.client_id.is_some(), "client_secret": github.client_secret.is_some());
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

pub(super) const TENANT: Lint = Lint {
    id: "tenant",
    about: "a tenant of Microsoft that is neither an id nor one of the three names for several",
    waivable: false,
    check: |subject| {
        let is_id = uuid::Uuid::try_parse(subject.text)
            .is_ok_and(|id| id.hyphenated().to_string() == subject.text);
        if is_id || matches!(subject.text, "common" | "organizations" | "consumers") {
            return None;
        }
        refuse(
            "must be `common`, `organizations`, `consumers`, or a directory (tenant) id in small letters \
             such as `72f988bf-86f1-41af-91ab-2d7cd011db47`: tokens carry the id and never a domain",
        )
    },
};

pub(super) const APPLE_KEY: Lint = Lint {
    id: "apple-key",
    about: "a key that is not one of Apple's `.p8` files: P-256, PKCS#8, PEM",
    waivable: false,
    check: |subject| {
        if apple_key(subject.text).is_some() {
            return None;
        }
        refuse(
            "must be what is in the `.p8` file from Apple, from `-----BEGIN PRIVATE KEY-----` on",
        )
    },
};
