//! A passkey provider in software: what a phone or a key does, and all that it must not do.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// User present, user verified; a key that stays on its device.
pub(crate) const DEVICE: u8 = 0b101;
/// The same for a key that is synced.
pub(crate) const SYNCED: u8 = 0b1_1101;

/// A key of one of the kinds that are offered.
enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Key {
    fn public(&self) -> &[u8] {
        match self {
            Self::Es256(key) => key.public_key().as_ref(),
            Self::EdDsa(key) => key.public_key().as_ref(),
            Self::Rs256(key) => key.public_key().as_ref(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Writes the public key as COSE (RFC 9053), under a name of its algorithm that may be a lie.
    fn write_cose(&self, algorithm: i64, out: &mut Vec<u8>) {
        let public = self.public();
        let (kind, curve, parts) = match self {
            Self::Es256(_) => (2, Some(1), [(-2, &public[1..33]), (-3, &public[33..])].to_vec()),
            Self::EdDsa(_) => (1, Some(6), [(-2, public)].to_vec()),
            // DER (RFC 8017, A.1.1): two heads and a zero, 256 bytes, another head, three bytes.
            Self::Rs256(_) => (3, None, [(-1, &public[9..265]), (-2, &public[267..])].to_vec()),
        };
        head(5, 2 + usize::from(curve.is_some()) + parts.len(), out);
        for (label, value) in [(1, kind), (3, algorithm)] {
            integer(label, out);
            integer(value, out);
        }
        if let Some(curve) = curve {
            integer(-1, out);
            integer(curve, out);
        }
        for (label, value) in parts {
            integer(label, out);
            bytes(value, out);
        }
    }
}

/// One passkey, with what it says of itself; each may be made to lie.
pub(crate) struct SoftPasskey {
    key: Key,
    pub(crate) id: Vec<u8>,
    pub(crate) user_handle: Option<String>,
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    pub(crate) flags: u8,
    pub(crate) sign_count: u32,
    pub(crate) algorithm: i64,
    pub(crate) ceremony: Option<&'static str>,
    pub(crate) cross_origin: bool,
    /// Behind the authenticator data.
    pub(crate) trailing: Vec<u8>,
    /// The statement of the attestation, in CBOR.
    pub(crate) statement: Vec<u8>,
    /// Whether the last byte of the public key is another one.
    pub(crate) is_off_curve: bool,
}

/// Writes the head of a CBOR value.
fn head(major: u8, number: usize, out: &mut Vec<u8>) {
    match number {
        0..=23 => out.push(major << 5 | u8::try_from(number).unwrap()),
        24..=255 => out.extend([major << 5 | 0x18, u8::try_from(number).unwrap()]),
        _ => {
            out.push(major << 5 | 0x19);
            out.extend(u16::try_from(number).unwrap().to_be_bytes());
        }
    }
}

fn text(words: &str, out: &mut Vec<u8>) {
    head(3, words.len(), out);
    out.extend(words.as_bytes());
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    head(2, bytes.len(), out);
    out.extend(bytes);
}

fn integer(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        head(1, usize::try_from(-1 - number).unwrap(), out);
    } else {
        head(0, usize::try_from(number).unwrap(), out);
    }
}

impl SoftPasskey {
    /// Makes one for a page at `origin`, with the key that most have.
    pub(crate) fn new(origin: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self::of(Key::Es256(key), -7, origin)
    }

    /// Makes one with a key of Ed25519.
    pub(crate) fn eddsa(origin: &str) -> Self {
        Self::of(Key::EdDsa(Ed25519KeyPair::generate().unwrap()), -8, origin)
    }

    /// Makes one with a key of RSA.
    pub(crate) fn rs256(origin: &str) -> Self {
        Self::of(Key::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()), -257, origin)
    }

    fn of(key: Key, algorithm: i64, origin: &str) -> Self {
        let host = url::Url::parse(origin).unwrap().host_str().unwrap().to_owned();
        Self {
            id: Sha256::digest(key.public()).to_vec(),
            key,
            user_handle: None,
            origin: origin.to_owned(),
            rp_id: host,
            flags: SYNCED,
            sign_count: 0,
            algorithm,
            ceremony: None,
            cross_origin: false,
            trailing: Vec::new(),
            statement: vec![0xa0],
            is_off_curve: false,
        }
    }

    fn client_data(&self, options: &Value, ceremony: &str) -> Vec<u8> {
        json!({
            "type": self.ceremony.unwrap_or(ceremony),
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        })
        .to_string()
        .into_bytes()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(self.rp_id.as_bytes()).to_vec();
        data.push(self.flags | more);
        data.extend(self.sign_count.to_be_bytes());
        data
    }

    /// Does what `navigator.credentials.create` does.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        self.user_handle = options["user"]["id"].as_str().map(str::to_owned);
        let mut data = self.data(1 << 6);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        self.key.write_cose(self.algorithm, &mut data);
        if self.is_off_curve {
            *data.last_mut().unwrap() ^= 1;
        }
        data.extend(&self.trailing);
        let mut object = Vec::new();
        head(5, 3, &mut object);
        text("fmt", &mut object);
        text("none", &mut object);
        text("attStmt", &mut object);
        object.extend(&self.statement);
        text("authData", &mut object);
        bytes(&data, &mut object);
        json!({
            "id": BASE64.encode(&self.id),
            "rawId": BASE64.encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64.encode(self.client_data(options, "webauthn.create")),
                "attestationObject": BASE64.encode(object),
                "transports": ["internal", "hybrid"],
                "publicKeyAlgorithm": self.algorithm,
            },
        })
    }

    /// Does what `navigator.credentials.get` does.
    pub(crate) fn get(&self, options: &Value) -> Value {
        let client_data = self.client_data(options, "webauthn.get");
        let mut data = self.data(0);
        data.extend(&self.trailing);
        let signed = [data.as_slice(), &Sha256::digest(&client_data)[..]].concat();
        let mut credential = json!({
            "id": BASE64.encode(&self.id),
            "rawId": BASE64.encode(&self.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64.encode(client_data),
                "authenticatorData": BASE64.encode(data),
                "signature": BASE64.encode(self.key.sign(&signed)),
            },
        });
        if let Some(handle) = &self.user_handle {
            credential["response"]["userHandle"] = json!(handle);
        }
        credential
    }
}
