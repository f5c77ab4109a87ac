//! Compact JWS (RFC 7515, 7.1), read strictly: one way to write a token, one way to read it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::keys::{Algorithm, KID_AT_MOST, KeySet};
use crate::{VerifyError, json};

/// No access token is longer.
const TOKEN_AT_MOST: usize = 8 * 1024;

/// A token taken apart; nothing in it is believed yet.
pub(crate) struct Compact<'t> {
    algorithm: Algorithm,
    kid: String,
    pub(crate) typ: Option<String>,
    signed: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Takes a token apart.
    ///
    /// `jwk`, `jku`, `x5u` and `x5c` are ignored, as every other header that is not listed here: a
    /// token does not say which key it is to be verified with, only its name.
    pub(crate) fn parse(token: &'t str) -> Result<Self, VerifyError> {
        Self::parse_within(token, TOKEN_AT_MOST)
    }

    /// The same, for what may be longer than an access token.
    pub(crate) fn parse_within(token: &'t str, at_most: usize) -> Result<Self, VerifyError> {
        if token.len() > at_most {
            return Err(VerifyError::TooLong);
        }
        let malformed = VerifyError::Malformed;
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("a token has three parts"));
        };
        // The engine refuses padding, other alphabets and bits that are left over.
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part);
        let (Ok(members), Ok(payload_bytes), Ok(signature)) =
            (decode(header), decode(payload), decode(signature))
        else {
            return Err(malformed("a part is not base64url"));
        };
        let members = json::object(&members)
            .ok_or(malformed("the header is not a JSON object without duplicates"))?;
        // `crit` lists extensions that must be understood, and we understand none; `b64` changes
        // what is signed (RFC 7797).
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(VerifyError::Critical);
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(malformed("a header is not text")),
        };
        let algorithm =
            text("alg")?.and_then(Algorithm::from_name).ok_or(VerifyError::AlgorithmNotAllowed)?;
        let kid = text("kid")?
            .filter(|kid| !kid.is_empty() && kid.len() <= KID_AT_MOST)
            .ok_or(malformed("the header has no usable `kid`"))?;
        Ok(Self {
            algorithm,
            kid: kid.to_owned(),
            typ: text("typ")?.map(str::to_owned),
            signed: &token[..header.len() + 1 + payload.len()],
            payload: payload_bytes,
            signature,
        })
    }

    /// Returns what was signed, if it was signed by one of `keys` with one of `allowed`.
    pub(crate) fn verify(
        self,
        keys: &KeySet,
        allowed: &[Algorithm],
    ) -> Result<Vec<u8>, VerifyError> {
        if !allowed.contains(&self.algorithm) {
            return Err(VerifyError::AlgorithmNotAllowed);
        }
        let key = keys.get(&self.kid).ok_or(VerifyError::UnknownKey)?;
        if key.algorithm != self.algorithm {
            return Err(VerifyError::AlgorithmNotAllowed);
        }
        if key.verify(self.signed.as_bytes(), &self.signature) {
            Ok(self.payload)
        } else {
            Err(VerifyError::Signature)
        }
    }
}

impl KeySet {
    /// Returns the claims of any compact JWS that one of these keys signed with one of `allowed`: of an
    /// id token, say. Nothing in them is judged; no member is there twice.
    ///
    /// ```
    /// use authshield_verify::{Algorithm, KeySet, VerifyError};
    ///
    /// let keys = KeySet::from_json(
    ///     r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "a",
    ///                   "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    /// )?;
    /// let unsigned = "eyJhbGciOiJub25lIiwia2lkIjoiYSJ9.e30.";
    /// assert_eq!(keys.open(unsigned, &Algorithm::ALL), Err(VerifyError::AlgorithmNotAllowed));
    /// # Ok::<(), authshield_verify::KeySetError>(())
    /// ```
    pub fn open(
        &self,
        token: &str,
        allowed: &[Algorithm],
    ) -> Result<Map<String, Value>, VerifyError> {
        let payload = Compact::parse(token)?.verify(self, allowed)?;
        json::object(&payload)
            .ok_or(VerifyError::Malformed("the claims are no object without duplicates"))
    }
}
