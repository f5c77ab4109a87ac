//! What to make of what a provider says.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::handover::{Entered, PAGES};
use crate::accounts::User;
use crate::kernel::EmailAddress;
use crate::registration::NotOpen;

/// How far the provider's clock may be off, in seconds.
const LEEWAY: i64 = 60;
/// An ID token comes at once; one that is older was kept by somebody, in seconds.
const OLD: i64 = 10 * 60;
/// The longest subject (OpenID Connect Core, 2).
const SUBJECT_AT_MOST: usize = 255;

/// What an ID token must be for.
pub(super) struct Expected<'e> {
    pub(super) issuer: &'e str,
    pub(super) client_id: &'e str,
    pub(super) nonce: &'e str,
    /// How long ago whoever it is may have signed in at the provider, in seconds.
    pub(super) max_age: Option<u32>,
    /// In seconds since 1970.
    pub(super) now: i64,
}

/// What the provider says of an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) email: Option<String>,
    pub(super) verified: bool,
    pub(super) name: Option<String>,
    pub(super) locale: Option<String>,
}

/// What an ID token says that is good.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identified {
    pub(super) subject: String,
    /// When they signed in at the provider, if it says so, in seconds since 1970.
    pub(super) auth_time: Option<i64>,
    pub(super) profile: Profile,
}

/// For whom a provider vouched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) provider: String,
    pub(super) issuer: String,
    pub(super) subject: String,
    /// As the provider says.
    pub(super) email: Option<String>,
    /// The address that the provider proved, and is believed for.
    pub(super) proved: Option<EmailAddress>,
    pub(super) name: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) auth_time: Option<i64>,
}

/// For whom a code stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Vouched {
    /// Somebody for whom a provider vouched.
    Person(Person),
    /// Somebody who is signed in on our own pages.
    Entered(Entered),
}

impl Vouched {
    /// Returns who vouched.
    pub(super) fn by(&self) -> &str {
        match self {
            Self::Person(person) => &person.provider,
            Self::Entered(_) => PAGES,
        }
    }
}

/// Judges the claims of an ID token whose signature is right (OpenID Connect Core, 3.1.3.7). A claim of the
/// wrong type is an error, not an absent claim.
pub(super) fn judge(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
) -> Result<Identified, &'static str> {
    if text(claims, "iss")? != Some(expected.issuer) {
        return Err("wrong_iss");
    }
    let is_us = |audience: &Value| audience == expected.client_id;
    let (for_us, for_others) = match claims.get("aud") {
        Some(Value::Array(all)) => (all.iter().any(is_us), all.len() > 1),
        Some(one) => (is_us(one), false),
        None => (false, false),
    };
    if !for_us {
        return Err("wrong_aud");
    }
    match text(claims, "azp")? {
        Some(azp) if azp != expected.client_id => return Err("wrong_azp"),
        None if for_others => return Err("wrong_azp"),
        _ => {}
    }
    if text(claims, "nonce")? != Some(expected.nonce) {
        return Err("wrong_nonce");
    }
    let issued = time(claims, "iat")?.ok_or("no_iat")?;
    if time(claims, "exp")?.ok_or("no_exp")? <= expected.now - LEEWAY {
        return Err("expired");
    }
    let latest = expected.now + LEEWAY;
    if issued > latest || time(claims, "nbf")?.is_some_and(|nbf| nbf > latest) {
        return Err("not_valid_yet");
    }
    if issued < expected.now - OLD {
        return Err("old");
    }
    let auth_time = time(claims, "auth_time")?.map(|at| at.min(expected.now));
    if let Some(max_age) = expected.max_age {
        let oldest = expected.now - i64::from(max_age) - LEEWAY;
        if auth_time.ok_or("no_auth_time")? < oldest {
            return Err("signed_in_long_ago");
        }
    }
    Ok(Identified { subject: subject(claims)?, auth_time, profile: profile(claims)? })
}

/// Reads whom claims are about.
pub(super) fn subject(claims: &Map<String, Value>) -> Result<String, &'static str> {
    text(claims, "sub")?
        .filter(|sub| !sub.is_empty() && sub.len() <= SUBJECT_AT_MOST)
        .filter(|sub| sub.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
        .map(str::to_owned)
        .ok_or("no_sub")
}

/// Reads what claims say of somebody.
pub(super) fn profile(claims: &Map<String, Value>) -> Result<Profile, &'static str> {
    let verified = match claims.get("email_verified") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(verified)) => *verified,
        // Some write it as text.
        Some(Value::String(text)) if text == "true" => true,
        Some(Value::String(text)) if text == "false" => false,
        Some(_) => return Err("wrong_type"),
    };
    // Not every database keeps U+0000, and nobody is called so.
    let text = |name| {
        text(claims, name).map(|text| text.filter(|text| !text.contains('\0')).map(str::to_owned))
    };
    Ok(Profile { email: text("email")?, verified, name: text("name")?, locale: text("locale")? })
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<Option<&'c str>, &'static str> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("wrong_type"),
    }
}

/// Seconds since 1970; fractions are legal (RFC 7519, 2).
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, &'static str> {
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second is of no interest")]
    let whole = |value: &Value| value.as_i64().or_else(|| value.as_f64().map(|time| time as i64));
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => whole(value).filter(|time| *time >= 0).map(Some).ok_or("wrong_type"),
    }
}

/// Returns the address that a provider proved: one that it says is verified, or whose provider is `trusted`
/// to know, and of one of the `domains` that it is believed for, unless that is every one.
pub(super) fn proved(profile: &Profile, domains: &[String], trusted: bool) -> Option<EmailAddress> {
    let email = profile.email.as_deref().filter(|_| profile.verified || trusted)?;
    let email: EmailAddress = email.parse().ok()?;
    let domain = email.as_str().rsplit_once('@')?.1;
    let believed = |known: &String| known.eq_ignore_ascii_case(domain);
    (domains.is_empty() || domains.iter().any(believed)).then_some(email)
}

/// What to do with somebody whose identity nobody has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The account is theirs: both sides proved the address.
    Link,
    /// They open an account.
    Open,
    /// They open an account, in the place of one that somebody began with their address and never proved.
    Replace,
}

/// Why nobody is signed in for whom a provider vouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The provider does not vouch for the address, and the identity is not known.
    #[error("the provider does not vouch for the address")]
    EmailUnverified,
    /// The account has another identity of the same provider: this one may be of somebody who got the
    /// address later.
    #[error("the account has another identity of the same provider")]
    OtherIdentity,
    /// No account is opened with the address.
    #[error(transparent)]
    NotOpen(#[from] NotOpen),
    /// An administrator disabled the account.
    #[error("the account is disabled")]
    AccountDisabled,
}

impl Refusal {
    /// Returns its name in the audit trail.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::EmailUnverified => "email_unverified",
            Self::OtherIdentity => "other_identity",
            Self::NotOpen(why) => why.reason(),
            Self::AccountDisabled => "account_disabled",
        }
    }
}

/// Decides what becomes of somebody who proved an address at a provider, and whose identity nobody has.
/// `holder` is the account of the address, with whether it has another identity of the provider.
pub(super) fn arrive(
    holder: Option<(&User, bool)>,
    may_open: Result<(), NotOpen>,
) -> Result<Arrival, Refusal> {
    match holder {
        Some((user, _)) if user.disabled_at.is_some() => Err(Refusal::AccountDisabled),
        Some((user, true)) if user.email_verified_at.is_some() => Err(Refusal::OtherIdentity),
        Some((user, false)) if user.email_verified_at.is_some() => Ok(Arrival::Link),
        Some(_) => Ok(may_open.map(|()| Arrival::Replace)?),
        None => Ok(may_open.map(|()| Arrival::Open)?),
    }
}

/// Whether `verifier` is the one that a challenge was made of (RFC 7636, 4.6).
pub(super) fn fits(verifier: &str, challenge: &str) -> bool {
    let made = challenge_of(verifier);
    made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

/// Returns the challenge of a verifier: `S256` (RFC 7636, 4.2).
pub(super) fn challenge_of(verifier: &str) -> String {
    BASE64.encode(Sha256::digest(verifier.as_bytes()))
}

/// Whether text can be a challenge: 32 bytes.
pub(super) fn is_challenge(text: &str) -> bool {
    text.len() == 43 && BASE64.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Returns the error of a provider as one of those that are known (RFC 6749, 4.1.2.1; OpenID Connect Core,
/// 3.1.2.6): it stands in the audit trail.
pub(super) fn known_error(error: &str) -> &'static str {
    const KNOWN: [&str; 11] = [
        "access_denied",
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "interaction_required",
        "login_required",
        "account_selection_required",
        "consent_required",
    ];
    if error == "user_cancelled_authorize" {
        // Apple's own word.
        return "access_denied";
    }
    KNOWN.into_iter().find(|known| *known == error).unwrap_or("other_error")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_334_400;

    fn expected(max_age: Option<u32>) -> Expected<'static> {
        Expected {
            issuer: "https://idp.example.org",
            client_id: "us",
            nonce: "n",
            max_age,
            now: NOW,
        }
    }

    fn judged(change: &Value, max_age: Option<u32>) -> Result<Identified, &'static str> {
        let mut claims = json!({
            "iss": "https://idp.example.org", "aud": "us", "nonce": "n", "sub": "7",
            "iat": NOW, "exp": NOW + 60, "email": "ann@example.org", "email_verified": true,
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        judge(claims.as_object().unwrap(), &expected(max_age))
    }

    /// Attack: G02, G03
    /// ASVS: V10.5.1, V10.5.4
    #[test]
    fn g03_an_id_token_is_for_us_from_them_now_or_nothing() {
        for good in [
            json!({}),
            json!({ "aud": ["us"] }),
            json!({ "aud": ["us", "them"], "azp": "us" }),
            json!({ "iat": NOW + 59, "exp": NOW - 59, "nbf": NOW + 59 }),
            json!({ "iat": 1_795_334_400.5 }),
            json!({ "email_verified": "true" }),
        ] {
            let identified = judged(&good, None).unwrap();
            assert_eq!((identified.subject.as_str(), identified.auth_time), ("7", None));
            assert!(identified.profile.verified, "{good}");
        }
        for (bad, why) in [
            (json!({ "iss": "https://idp.example.org/" }), "wrong_iss"),
            (json!({ "iss": null }), "wrong_iss"),
            (json!({ "iss": ["https://idp.example.org"] }), "wrong_type"),
            (json!({ "aud": "them" }), "wrong_aud"),
            (json!({ "aud": [] }), "wrong_aud"),
            (json!({ "aud": ["us", "them"] }), "wrong_azp"),
            (json!({ "azp": "them" }), "wrong_azp"),
            (json!({ "nonce": "other" }), "wrong_nonce"),
            (json!({ "nonce": null }), "wrong_nonce"),
            (json!({ "exp": NOW - 60 }), "expired"),
            (json!({ "exp": null }), "no_exp"),
            (json!({ "exp": "soon" }), "wrong_type"),
            (json!({ "iat": null }), "no_iat"),
            (json!({ "iat": NOW + 61 }), "not_valid_yet"),
            (json!({ "nbf": NOW + 61 }), "not_valid_yet"),
            (json!({ "iat": NOW - 601 }), "old"),
            (json!({ "sub": "" }), "no_sub"),
            (json!({ "sub": 7 }), "wrong_type"),
            (json!({ "sub": "ä" }), "no_sub"),
            (json!({ "sub": "a\0b" }), "no_sub"),
            (json!({ "sub": "a\nb" }), "no_sub"),
            (json!({ "sub": "7".repeat(256) }), "no_sub"),
            (json!({ "email_verified": 1 }), "wrong_type"),
            (json!({ "email": ["ann@example.org"] }), "wrong_type"),
        ] {
            assert_eq!(judged(&bad, None), Err(why), "{bad}");
        }
    }

    /// ASVS: V6.8.4, V7.6.1
    #[test]
    fn how_old_the_sign_in_at_the_provider_is_counts_where_it_was_asked_for() {
        let at = |age: i64| json!({ "auth_time": NOW - age });
        assert_eq!(judged(&at(9000), None).unwrap().auth_time, Some(NOW - 9000));
        assert_eq!(judged(&at(-50), None).unwrap().auth_time, Some(NOW));
        assert!(judged(&at(300), Some(300)).is_ok());
        assert_eq!(judged(&at(361), Some(300)), Err("signed_in_long_ago"));
        assert_eq!(judged(&json!({}), Some(300)), Err("no_auth_time"));
    }

    /// Attack: B05, G04
    #[test]
    fn b05_only_an_address_that_was_verified_and_is_believed_counts() {
        let of = |email: &str, verified| Profile {
            email: Some(email.to_owned()),
            verified,
            ..Profile::default()
        };
        let domains = ["example.org".to_owned()];
        for (profile, domains, trusted, proves) in [
            (of("Ann@Example.org", true), &[][..], false, true),
            (of("ann@example.org", false), &[], false, false),
            (of("ann@example.org", false), &domains, true, true),
            (of("ann@EXAMPLE.org", true), &domains, false, true),
            (of("ann@sub.example.org", true), &domains, false, false),
            (of("ann@badexample.org", true), &domains, true, false),
            (of("ann", true), &[], false, false),
            (Profile { verified: true, ..Profile::default() }, &[], true, false),
        ] {
            let proved = proved(&profile, domains, trusted);
            assert_eq!(proved.is_some(), proves, "{profile:?} {domains:?} {trusted}");
        }
    }

    /// The vector of RFC 7636, appendix B.
    /// ASVS: V10.4.6
    #[test]
    fn a_verifier_fits_its_challenge_alone() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(is_challenge(challenge) && fits(verifier, challenge));
        for other in ["", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN", verifier] {
            assert!(!fits(verifier, other), "{other}");
        }
        for text in ["", &challenge[1..], &format!("{challenge}="), &"*".repeat(43)] {
            assert!(!is_challenge(text), "{text}");
        }
    }
}
