//! Project Wycheproof's vectors against our own reading of JOSE and our own parsed keys.
//!
//! What is left out, and why:
//!
//! - `JsonWebEncryption` groups: we never decrypt.
//! - *valid* cases of algorithms that we refuse on purpose (HS*, PS*, RS384, RS512, ES384, ES512):
//!   they are replayed, and must be refused.
//! - one key with the ROCA weakness: it is well-formed, and telling it apart would take a test for one
//!   vendor's broken generator of 2017. The issuer whose keys we fetch generates its own.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::jws::Compact;
use crate::keys::{Algorithm, Key, KeySet};

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("Wycheproof writes JSON")
}

fn array<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().expect("a list")
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Writes an uncompressed point as a JWK.
fn p256_jwk(point: &[u8]) -> Map<String, Value> {
    let (x, y) = point[1..].split_at(32);
    let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
    let jwk = serde_json::json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    jwk.as_object().expect("an object").clone()
}

/// Replays raw signatures, and returns how many were good.
fn replay_raw(text: &str, algorithm: Algorithm, jwk: &str) -> usize {
    let file = vectors(text);
    let (mut good, mut all) = (0, 0);
    for group in array(&file, "testGroups") {
        let jwk = match &group[jwk] {
            Value::Object(jwk) => jwk.clone(),
            // Some groups name the point only.
            _ => p256_jwk(&hex(group["publicKey"]["uncompressed"].as_str().unwrap())),
        };
        let key = Key::from_jwk(&jwk).expect("every key of this file is sound");
        assert_eq!(key.algorithm, algorithm);
        for case in array(group, "tests") {
            let message = hex(case["msg"].as_str().unwrap());
            let signature = hex(case["sig"].as_str().unwrap());
            let verified = key.verify(&message, &signature);
            match case["result"].as_str().unwrap() {
                "valid" => assert!(verified, "{case}"),
                // "acceptable" is one case of PKCS#1: the NULL of the AlgorithmIdentifier is missing. Both verdicts
                // are defensible; ours must not change unnoticed.
                "invalid" | "acceptable" => assert!(!verified, "{case}"),
                other => panic!("{other}"),
            }
            good += usize::from(verified);
            all += 1;
        }
    }
    assert_eq!(all, file["numberOfTests"]);
    good
}

/// ASVS: V9.1.1
#[test]
fn es256_signatures() {
    let text = include_str!("../tests/vectors/wycheproof-ecdsa_secp256r1_sha256_p1363.json");
    assert!(replay_raw(text, Algorithm::Es256, "publicKeyJwk") > 100);
}

#[test]
fn eddsa_signatures() {
    let text = include_str!("../tests/vectors/wycheproof-ed25519.json");
    assert!(replay_raw(text, Algorithm::EdDsa, "publicKeyJwk") > 50);
}

#[test]
fn rs256_signatures() {
    let text = include_str!("../tests/vectors/wycheproof-rsa_signature_2048_sha256.json");
    assert_eq!(replay_raw(text, Algorithm::Rs256, "keyJwk"), 9);
}

/// Returns whether the JWS verifies under the JWK, or JWK set, of its group.
fn jws_verifies(group: &Value, jws: &Value) -> bool {
    // Groups with symmetric keys have no public half: the set is refused for its secrets.
    let key = if group["public"].is_null() { &group["private"] } else { &group["public"] };
    let set =
        if key["keys"].is_array() { key.clone() } else { serde_json::json!({ "keys": [key] }) };
    let Ok(keys) = KeySet::from_json(&set.to_string()) else {
        return false;
    };
    let Some(jws) = jws.as_str() else {
        return false; // JSON serialization, which no access token uses
    };
    Compact::parse(jws).and_then(|jws| jws.verify(&keys, &Algorithm::ALL)).is_ok()
}

/// Replays compact JWS, and returns how many were good.
fn replay_jws(text: &str) -> usize {
    let file = vectors(text);
    let mut good = 0;
    for group in array(&file, "testGroups") {
        for case in array(group, "tests").iter().filter(|case| !case["jws"].is_null()) {
            let verified = jws_verifies(group, &case["jws"]);
            let comment = case["comment"].as_str().unwrap();
            if comment == "rejectsKeyWithRocaVulnerability" {
                continue;
            }
            let algorithm = [&group["public"], &group["private"]]
                .into_iter()
                .find_map(|key| key["alg"].as_str().or_else(|| key["keys"][0]["alg"].as_str()));
            let ours = algorithm.is_some_and(|name| Algorithm::from_name(name).is_some());
            let expected = case["result"] == "valid" && ours;
            assert_eq!(verified, expected, "{}: {case}", group["comment"]);
            good += usize::from(verified);
        }
    }
    good
}

/// ASVS: V9.1.1
#[test]
fn json_web_signature() {
    let text = include_str!("../tests/vectors/wycheproof-json_web_signature.json");
    assert!(replay_jws(text) >= 9);
}

#[test]
fn json_web_key() {
    assert_eq!(replay_jws(include_str!("../tests/vectors/wycheproof-json_web_key.json")), 1);
}

#[test]
fn json_web_crypto() {
    assert_eq!(replay_jws(include_str!("../tests/vectors/wycheproof-json_web_crypto.json")), 2);
}
