//! What a token says, each claim of the JSON type that its standard gives it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{VerifyError, json};

/// The claims of an access token that was verified (RFC 9068, 2.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is about: the id of the user.
    pub sub: String,
    /// Whom it is for.
    pub aud: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Before when it is not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The id of the token.
    pub jti: String,
    /// The client it was issued to; `authshield` when the user signed in without one.
    pub client_id: String,
    /// The session it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The roles of the user.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What it may be used for, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How the user proved who they are (RFC 8176).
    #[serde(default)]
    pub amr: Vec<String>,
    /// How sure that makes the issuer of who they are: `aal1` or `aal2`, by NIST SP 800-63B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// When they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// Everything else that the token says.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Claims {
    /// Returns whether the user has `role`.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// Returns whether the token may be used for `scope`.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.as_deref().is_some_and(|all| all.split(' ').any(|held| held == scope))
    }

    /// Reads the payload of a token. A claim of the wrong type is an error, not an absent claim.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, VerifyError> {
        let mut members = Members(
            json::object(payload)
                .ok_or(VerifyError::Malformed("the claims are no object without duplicates"))?,
        );
        Ok(Self {
            iss: members.text("iss")?.ok_or(VerifyError::Claim("iss"))?,
            sub: members.name("sub")?,
            aud: members.one_or_many("aud")?,
            exp: members.time("exp")?.ok_or(VerifyError::Claim("exp"))?,
            iat: members.time("iat")?.ok_or(VerifyError::Claim("iat"))?,
            nbf: members.time("nbf")?,
            jti: members.name("jti")?,
            client_id: members.name("client_id")?,
            sid: members.text("sid")?,
            roles: members.list("roles")?,
            scope: members.text("scope")?,
            amr: members.list("amr")?,
            acr: members.text("acr")?,
            auth_time: members.time("auth_time")?,
            extra: members.0.into_iter().collect(),
        })
    }
}

/// The members of the payload that nobody took yet.
struct Members(Map<String, Value>);

impl Members {
    fn text(&mut self, claim: &'static str) -> Result<Option<String>, VerifyError> {
        match self.0.remove(claim) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(VerifyError::Claim(claim)),
        }
    }

    /// Takes text that must be there and identifies something.
    fn name(&mut self, claim: &'static str) -> Result<String, VerifyError> {
        self.text(claim)?
            .filter(|name| !name.is_empty() && name.len() <= 255)
            .ok_or(VerifyError::Claim(claim))
    }

    /// Takes whole seconds: fractions are legal (RFC 7519, 2), but no issuer of ours writes any.
    fn time(&mut self, claim: &'static str) -> Result<Option<i64>, VerifyError> {
        match self.0.remove(claim) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .filter(|seconds| *seconds >= 0)
                .map(Some)
                .ok_or(VerifyError::Claim(claim)),
        }
    }

    fn list(&mut self, claim: &'static str) -> Result<Vec<String>, VerifyError> {
        match self.0.remove(claim) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => texts(items).ok_or(VerifyError::Claim(claim)),
            Some(_) => Err(VerifyError::Claim(claim)),
        }
    }

    fn one_or_many(&mut self, claim: &'static str) -> Result<Vec<String>, VerifyError> {
        match self.0.remove(claim) {
            Some(Value::String(one)) => Ok(vec![one]),
            Some(Value::Array(many)) => {
                texts(many).filter(|many| !many.is_empty()).ok_or(VerifyError::Claim(claim))
            }
            _ => Err(VerifyError::Claim(claim)),
        }
    }
}

fn texts(items: Vec<Value>) -> Option<Vec<String>> {
    items
        .into_iter()
        .map(|item| match item {
            Value::String(text) => Some(text),
            _ => None,
        })
        .collect()
}
