//! Microsoft: one provider that speaks for many tenants, and tells addresses that nobody proved.
//!
//! Whoever runs a tenant writes into `email` what they like, so an address counts only where `xms_edov` says that
//! its domain is the tenant's own. A token of another tenant is of another issuer: the tenant's id stands in `iss`
//! and in `tid`, and both must fit.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::config::PERSONAL_ACCOUNTS;

/// What stands in an issuer for the tenant.
const TENANT: &str = "{tenantid}";

/// Whether an issuer is that of `template`, or of one of the tenants that it stands for.
pub(super) fn is_one_of(template: &str, issuer: &str) -> bool {
    let Some((before, after)) = template.split_once(TENANT) else { return issuer == template };
    let tenant = issuer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    tenant.is_some_and(is_tenant)
}

fn is_tenant(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}

/// Returns which issuer claims must name: that of the tenant which they name, if it is among those that are let
/// in.
pub(super) fn issuer_of(
    template: &str,
    let_in: &str,
    claims: &Map<String, Value>,
) -> Result<String, &'static str> {
    let tenant = claims.get("tid").and_then(Value::as_str);
    let tenant = tenant.filter(|tenant| is_tenant(tenant)).ok_or("no_tid")?;
    if let_in == "organizations" && tenant == PERSONAL_ACCOUNTS {
        return Err("wrong_tid");
    }
    let issuer = template.replace(TENANT, tenant);
    // Where one tenant is let in, its own.
    if issuer.split('/').any(|part| part == tenant) { Ok(issuer) } else { Err("wrong_tid") }
}

/// Whether the address in claims is of a domain that the tenant proved to be its own; what else they say of it is
/// said by whoever runs the tenant.
pub(super) fn is_domain_verified(claims: &Map<String, Value>) -> bool {
    match claims.get("xms_edov") {
        Some(Value::Bool(verified)) => *verified,
        // It comes as text and as a number, too.
        Some(Value::String(text)) => text == "1" || text == "true",
        Some(Value::Number(number)) => number.as_i64() == Some(1),
        _ => false,
    }
}

/// For which issuers each key signs. A key without any signs for all of them.
#[derive(Default)]
pub(super) struct Signers(BTreeMap<String, Vec<String>>);

impl Signers {
    /// Whether the key that a token names signs for the issuer that its claims name.
    pub(super) fn may_sign(&self, token: &str, claims: &Map<String, Value>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let header = token.split('.').next().and_then(|part| BASE64.decode(part).ok());
        let header: Option<Value> = header.and_then(|header| serde_json::from_slice(&header).ok());
        let kid = header.as_ref().and_then(|header| header["kid"].as_str()).unwrap_or_default();
        let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let Some(issuers) = self.0.get(kid) else { return true };
        issuers.iter().any(|template| is_one_of(template, issuer))
    }
}

/// Reads for which issuers the keys of a set sign, and returns the set with each key once: there it stands once
/// for each issuer.
pub(super) fn signers(text: &str) -> Option<(String, Signers)> {
    let set: Value = serde_json::from_str(text).ok()?;
    let mut signers = Signers::default();
    let mut keys: Vec<Value> = Vec::new();
    for mut key in set["keys"].as_array()?.iter().cloned() {
        let issuer = key.as_object_mut()?.remove("issuer");
        if let (Some(kid), Some(issuer)) = (key["kid"].as_str(), issuer) {
            let issuers = signers.0.entry(kid.to_owned()).or_default();
            issuers.extend(issuer.as_str().map(str::to_owned));
        }
        let is_same =
            |other: &Value| ["kid", "kty", "n", "e"].iter().all(|name| other[name] == key[name]);
        if !keys.iter().any(is_same) {
            keys.push(key);
        }
    }
    Some((json!({ "keys": keys }).to_string(), signers))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const SEVERAL: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

    fn of(tenant: &str) -> String {
        SEVERAL.replace(TENANT, tenant)
    }

    /// Attack: G03, G04
    /// ASVS: V6.8.1
    #[test]
    fn g04_the_issuer_is_that_of_the_tenant_which_is_let_in() {
        let claims = |tid: Value| json!({ "tid": tid }).as_object().unwrap().clone();
        let one = of(ONE);
        for (template, let_in, tid, expected) in [
            (SEVERAL, "common", json!(ONE), Ok(one.clone())),
            (SEVERAL, "common", json!(PERSONAL_ACCOUNTS), Ok(of(PERSONAL_ACCOUNTS))),
            (SEVERAL, "organizations", json!(ONE), Ok(one.clone())),
            (SEVERAL, "organizations", json!(PERSONAL_ACCOUNTS), Err("wrong_tid")),
            (&one, ONE, json!(ONE), Ok(one.clone())),
            (&one, ONE, json!(PERSONAL_ACCOUNTS), Err("wrong_tid")),
            (SEVERAL, "common", json!(null), Err("no_tid")),
            (SEVERAL, "common", json!(7), Err("no_tid")),
            (SEVERAL, "common", json!("{tenantid}"), Err("no_tid")),
            (SEVERAL, "common", json!("../evil"), Err("no_tid")),
            (SEVERAL, "common", json!(ONE.to_uppercase()), Err("no_tid")),
        ] {
            let found = issuer_of(template, let_in, &claims(tid.clone()));
            assert_eq!(found, expected, "{let_in} {tid}");
        }
        assert!(is_one_of(SEVERAL, &one) && is_one_of(&one, &one));
        for other in
            [SEVERAL, "https://login.microsoftonline.com//v2.0", "https://evil.example/v2.0"]
        {
            assert!(!is_one_of(SEVERAL, other) && !is_one_of(&one, other), "{other}");
        }
    }

    /// Attack: B05, G04
    #[test]
    fn b05_only_a_domain_of_the_tenant_proves_an_address() {
        for (claims, proves) in [
            (json!({ "xms_edov": true }), true),
            (json!({ "xms_edov": "1" }), true),
            (json!({ "xms_edov": 1 }), true),
            (json!({ "xms_edov": false }), false),
            (json!({ "xms_edov": "0" }), false),
            (json!({ "xms_edov": 2 }), false),
            (json!({ "xms_edov": [true] }), false),
            (json!({ "email_verified": true }), false),
            (json!({}), false),
        ] {
            assert_eq!(is_domain_verified(claims.as_object().unwrap()), proves, "{claims}");
        }
    }

    #[test]
    fn a_key_signs_for_the_issuers_with_which_it_stands_there() {
        let personal = of(PERSONAL_ACCOUNTS);
        let set = json!({ "keys": [
            { "kty": "RSA", "kid": "a", "n": "x", "e": "AQAB", "issuer": SEVERAL },
            { "kty": "RSA", "kid": "b", "n": "y", "e": "AQAB", "issuer": personal },
            { "kty": "RSA", "kid": "c", "n": "z", "e": "AQAB", "issuer": SEVERAL },
            { "kty": "RSA", "kid": "c", "n": "z", "e": "AQAB", "issuer": personal },
            { "kty": "RSA", "kid": "d", "n": "z", "e": "AQAB" },
        ] });
        let (once, signers) = signers(&set.to_string()).unwrap();
        assert_eq!(once.matches("kid").count(), 4, "{once}");
        let may = |kid: &str, iss: &str| {
            let head = BASE64.encode(json!({ "kid": kid }).to_string());
            signers.may_sign(&format!("{head}.e30."), json!({ "iss": iss }).as_object().unwrap())
        };
        let one = of(ONE);
        assert!(may("a", &one) && may("b", &personal) && may("c", &one) && may("d", &one));
        assert!(!may("b", &one), "the key of personal accounts signs for no organization");
    }
}
