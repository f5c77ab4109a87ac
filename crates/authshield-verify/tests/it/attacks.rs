//! What attackers send: every row is refused, and what honest issuers send is not.

use std::sync::LazyLock;

use crate::common::{AUDIENCE, ISSUER, NOW, Signer, claims, set};
use authshield_verify::{Algorithm, KeySet, KeySetError, Rules, Verifier, VerifyError};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use proptest::prelude::*;
use serde_json::{Value, json};

struct Issuer {
    es256: Signer,
    keys: KeySet,
}

static IT: LazyLock<Issuer> = LazyLock::new(|| {
    let es256 = Signer::es256();
    let jwks = [es256.jwk("ec"), Signer::eddsa().jwk("ed"), Signer::rs256().jwk("rsa")];
    Issuer { es256, keys: KeySet::from_json(&set(&jwks)).unwrap() }
});

fn verifier() -> Verifier {
    Verifier::new(Rules::new(ISSUER, AUDIENCE))
}

fn judge(token: &str) -> Result<(), VerifyError> {
    verifier().verify(token, &IT.keys, NOW).map(|_| ())
}

#[track_caller]
fn refused(token: &str) {
    assert!(judge(token).is_err(), "{token}");
}

/// Signs with a good signature whatever the header is.
fn with_header(header: &Value) -> String {
    IT.es256.sign_raw(&header.to_string(), &claims().to_string())
}

fn with(claim: &str, value: Value) -> String {
    let mut claims = claims();
    claims[claim] = value;
    IT.es256.sign("ec", &claims)
}

#[test]
fn every_kind_of_key_verifies_and_the_claims_arrive() {
    for signer in [Signer::es256(), Signer::eddsa(), Signer::rs256()] {
        let keys = KeySet::from_json(&set(&[signer.jwk("k")])).unwrap();
        let read = verifier().verify(&signer.sign("k", &claims()), &keys, NOW).unwrap();
        assert_eq!((read.sub.as_str(), read.sid.as_deref()), ("0199-ann", Some("0199-session")));
        assert_eq!(read.aud, [AUDIENCE]);
        assert!(read.has_role("admin") && !read.has_role("adm"));
        assert_eq!(read.extra["tier"], "gold");
    }
}

#[test]
fn tokens_of_another_library_verify() {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    )
    .unwrap();
    let der = pair.to_pkcs8v1().unwrap();
    let header = Header {
        typ: Some("application/at+jwt".to_owned()),
        kid: Some("k".to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    let token = encode(&header, &claims(), &EncodingKey::from_ec_der(der.as_ref())).unwrap();
    let keys = KeySet::from_json(&set(&[Signer::Es256(pair).jwk("k")])).unwrap();
    verifier().verify(&token, &keys, NOW).unwrap();
}

/// ASVS: V9.1.1, V9.1.2
#[test]
fn e01_no_signature_is_no_signature() {
    let payload = BASE64.encode(claims().to_string());
    for alg in ["none", "None", "NONE", "nOnE", "", " none"] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": "ec"}).to_string();
        let header = BASE64.encode(header);
        for token in [
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.AA"),
        ] {
            refused(&token);
        }
    }
    let good = IT.es256.sign("ec", &claims());
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    refused(&format!("{unsigned}."));
    refused(unsigned);
}

/// ASVS: V9.1.2
#[test]
fn e02_a_public_key_is_no_secret() {
    let jwk = IT.es256.jwk("ec").to_string();
    let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": "ec"}).to_string();
    let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims().to_string()));
    let x = BASE64.decode(IT.es256.jwk("ec")["x"].as_str().unwrap()).unwrap();
    for secret in [jwk.as_bytes(), &x, b""] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = BASE64.encode(hmac::sign(&key, message.as_bytes()));
        assert_eq!(judge(&format!("{message}.{tag}")), Err(VerifyError::AlgorithmNotAllowed));
    }
}

/// ASVS: V9.1.2
#[test]
fn e03_the_key_decides_the_algorithm() {
    for alg in ["RS256", "EdDSA", "PS256", "ES384", "ES512", "RS512", "HS512", "es256"] {
        let token = with_header(&json!({"alg": alg, "typ": "at+jwt", "kid": "ec"}));
        assert_eq!(judge(&token), Err(VerifyError::AlgorithmNotAllowed), "{alg}");
    }
    // The right algorithm under another key's name.
    for kid in ["rsa", "ed"] {
        let token = with_header(&json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}));
        assert_eq!(judge(&token), Err(VerifyError::AlgorithmNotAllowed), "{kid}");
    }
    let only_eddsa = Rules::new(ISSUER, AUDIENCE).algorithms(&[Algorithm::EdDsa]);
    let verdict = Verifier::new(only_eddsa).verify(&IT.es256.sign("ec", &claims()), &IT.keys, NOW);
    assert_eq!(verdict, Err(VerifyError::AlgorithmNotAllowed));
    // r and s of zero, and of the wrong length.
    let good = IT.es256.sign("ec", &claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    for length in [0, 1, 63, 64, 65, 72, 128] {
        refused(&format!("{signed}.{}", BASE64.encode(vec![0; length])));
    }
}

/// ASVS: V9.1.3
#[test]
fn e04_a_key_id_is_a_name_and_nothing_else() {
    for kid in ["../../dev/null", "' OR 1=1 --", "https://evil.example/jwks", "ec ", "EC", "\0"] {
        let token = with_header(&json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}));
        assert_eq!(judge(&token), Err(VerifyError::UnknownKey), "{kid}");
    }
    for kid in [json!(""), json!("k".repeat(257)), json!(1), json!(["ec"]), Value::Null] {
        refused(&with_header(&json!({"alg": "ES256", "typ": "at+jwt", "kid": kid})));
    }
    refused(&with_header(&json!({"alg": "ES256", "typ": "at+jwt"})));
    let long = json!({"alg": "ES256", "typ": "at+jwt", "kid": "k".repeat(65536)});
    assert_eq!(judge(&with_header(&long)), Err(VerifyError::TooLong));
}

/// ASVS: V9.1.3
#[test]
fn e05_a_token_does_not_bring_its_own_key() {
    let mallory = Signer::es256();
    for (name, value) in [
        ("jwk", mallory.jwk("ec")),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("http://127.0.0.1:1/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = mallory.header("ec");
        header[name] = value;
        let token = mallory.sign_raw(&header.to_string(), &claims().to_string());
        assert_eq!(judge(&token), Err(VerifyError::Signature), "{name}");
        // From the issuer itself they say nothing that matters.
        assert_eq!(judge(&with_header(&header)), Ok(()), "{name}");
    }
}

#[test]
fn e06_no_extension_is_understood() {
    for extra in [
        json!({"crit": []}),
        json!({"crit": ["exp"], "exp": NOW}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"b64": false}),
        json!({"b64": true}),
        json!({"crit": null}),
    ] {
        let mut header = IT.es256.header("ec");
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(judge(&with_header(&header)), Err(VerifyError::Critical), "{header}");
    }
    // A JWE has five parts, a JSON serialization none.
    refused("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwiemlwIjoiREVGIn0..AAAA.AAAA.AAAA");
    refused(r#"{"payload":"e30","signatures":[]}"#);
    // A token in a token.
    let inner = IT.es256.sign("ec", &claims());
    refused(&IT.es256.sign_raw(&IT.es256.header("ec").to_string(), &inner));
}

/// ASVS: V9.2.1
#[test]
fn e07_claims_have_their_type_and_their_time() {
    let wrong = |claim| Err(VerifyError::Claim(claim));
    for value in [
        json!("9999999999"),
        json!(1e308),
        json!(1_795_335_000.5),
        json!([]),
        json!({}),
        json!(true),
        Value::Null,
        json!(-1),
        json!(u64::MAX),
    ] {
        for claim in ["exp", "iat", "nbf", "auth_time"] {
            assert_eq!(judge(&with(claim, value.clone())), wrong(claim), "{claim} {value}");
        }
    }
    for claim in ["iss", "sub", "exp", "iat", "aud", "jti", "client_id"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(judge(&IT.es256.sign("ec", &claims)), wrong(claim));
    }
    for value in [json!(1), json!([1]), Value::Null, json!({"a": 1})] {
        for claim in ["iss", "sub", "jti", "client_id", "sid", "roles", "amr", "scope", "aud"] {
            assert_eq!(judge(&with(claim, value.clone())), wrong(claim), "{claim} {value}");
        }
    }
    for claim in ["sub", "jti", "client_id"] {
        assert_eq!(judge(&with(claim, json!(""))), wrong(claim));
    }
    assert_eq!(judge(&with("roles", json!("admin"))), wrong("roles"));
    assert_eq!(judge(&with("aud", json!([]))), wrong("aud"));

    // Who reads the first and who reads the last must not differ.
    let header = IT.es256.header("ec").to_string();
    let doubled = claims().to_string().replacen('{', &format!("{{\"exp\":{},", NOW + 9000), 1);
    assert!(matches!(judge(&IT.es256.sign_raw(&header, &doubled)), Err(VerifyError::Malformed(_))));
    let doubled = header.replacen('{', "{\"alg\":\"none\",", 1);
    assert!(matches!(
        judge(&IT.es256.sign_raw(&doubled, &claims().to_string())),
        Err(VerifyError::Malformed(_))
    ));
    for payload in ["", "null", "[]", "\"a\"", "{", "\u{feff}{}"] {
        refused(&IT.es256.sign_raw(&header, payload));
    }

    // The leeway is 5 seconds.
    for (claim, value, verdict) in [
        ("exp", NOW - 5, wrong("exp")), // before `iat`
        ("nbf", NOW + 5, Ok(())),
        ("nbf", NOW + 6, Err(VerifyError::NotYetValid)),
        ("iat", NOW + 5, Ok(())),
        ("iat", NOW + 6, Err(VerifyError::NotYetValid)),
    ] {
        assert_eq!(judge(&with(claim, json!(value))), verdict, "{claim} {value}");
    }
    let token = IT.es256.sign("ec", &claims());
    let at = |now| verifier().verify(&token, &IT.keys, now).map(|_| ());
    assert_eq!(at(NOW + 904), Ok(()));
    assert_eq!(at(NOW + 905), Err(VerifyError::Expired));
    // No setting stretches it beyond a minute.
    let day = std::time::Duration::from_hours(24);
    let lenient = Verifier::new(Rules::new(ISSUER, AUDIENCE).leeway(day));
    assert!(lenient.verify(&token, &IT.keys, NOW + 959).is_ok());
    assert_eq!(lenient.verify(&token, &IT.keys, NOW + 960), Err(VerifyError::Expired));
}

/// ASVS: V9.2.2
#[test]
fn e08_another_kind_of_token_is_not_an_access_token() {
    for typ in [
        json!("JWT"),
        json!("jwt"),
        json!("logout+jwt"),
        json!("dpop+jwt"),
        json!("client-authentication+jwt"),
        json!("at+JWT"),
        json!("AT+JWT"),
        json!(" at+jwt"),
        json!(""),
    ] {
        let mut header = IT.es256.header("ec");
        header["typ"] = typ;
        assert_eq!(judge(&with_header(&header)), Err(VerifyError::Type), "{header}");
    }
    assert_eq!(judge(&with_header(&json!({"alg": "ES256", "kid": "ec"}))), Err(VerifyError::Type));
    refused(&with_header(&json!({"alg": "ES256", "kid": "ec", "typ": ["at+jwt"]})));
    let mut header = IT.es256.header("ec");
    header["typ"] = json!("application/at+jwt");
    assert_eq!(judge(&with_header(&header)), Ok(()));
}

/// ASVS: V9.2.3
#[test]
fn e09_a_token_for_somebody_else_is_not_for_us() {
    for audience in [
        json!("https://other.example.org"),
        json!("https://api.example.org/"),
        json!("https://api.example.org.evil.example"),
        json!("HTTPS://API.EXAMPLE.ORG"),
        json!(""),
        json!(["https://other.example.org"]),
    ] {
        assert_eq!(judge(&with("aud", audience)), Err(VerifyError::Audience));
    }
    assert_eq!(judge(&with("aud", json!(["https://other.example.org", AUDIENCE]))), Ok(()));
    for issuer in ["https://id.example.org/", "https://ID.example.org", "", "https://evil.example"]
    {
        assert_eq!(judge(&with("iss", json!(issuer))), Err(VerifyError::Issuer), "{issuer}");
    }
}

#[test]
fn d15_a_token_has_one_way_to_be_written() {
    let good = IT.es256.sign("ec", &claims());
    judge(&good).unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let last = |symbol: char| format!("{signed}.{}{symbol}", &signature[..signature.len() - 1]);
    // 64 bytes are 85 symbols and two bits: 15 other last symbols decode to the same bytes elsewhere.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let same = alphabet.chars().filter(|symbol| judge(&last(*symbol)).is_ok()).count();
    assert_eq!(same, 1);
    for token in [
        format!("{good}="),
        format!("{good}=="),
        format!("{good}."),
        format!(".{good}"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("Bearer {good}"),
        good.replace('.', "%2E"),
        good.to_uppercase(),
        good[..good.len() - 1].to_owned(),
        good[1..].to_owned(),
        good.replacen('.', "..", 1),
        String::new(),
        "..".to_owned(),
    ] {
        refused(&token);
    }
}

#[test]
fn e12_a_key_set_holds_no_secret_and_no_name_twice() {
    let good = IT.es256.jwk("ec");
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let mut leaky = good.clone();
        leaky["kid"] = json!("leaky");
        leaky[private] = json!("AAAA");
        let verdict = KeySet::from_json(&set(&[good.clone(), leaky]));
        assert_eq!(verdict.unwrap_err(), KeySetError::Private);
    }
    let verdict = KeySet::from_json(&set(&[good.clone(), Signer::eddsa().jwk("ec")]));
    assert_eq!(verdict.unwrap_err(), KeySetError::Ambiguous);
    let many: Vec<_> = (0..101).map(|n| IT.es256.jwk(&n.to_string())).collect();
    assert_eq!(KeySet::from_json(&set(&many)).unwrap_err(), KeySetError::TooMany);
    for malformed in
        ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#]
    {
        assert_eq!(KeySet::from_json(malformed).unwrap_err(), KeySetError::Malformed);
    }

    // Keys that are not for us, or not sound, are as good as absent.
    let without = |name: &str| {
        let mut jwk = good.clone();
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    };
    let but = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let other = Signer::es256().jwk("other");
    for ignored in [
        without("kid"),
        without("x"),
        but("use", json!("enc")),
        but("use", Value::Null),
        but("key_ops", json!(["sign"])),
        but("alg", json!("ES384")),
        but("alg", Value::Null),
        but("crv", json!("P-384")),
        but("kty", json!("OKP")),
        but("y", other["y"].clone()), // not on the curve
        but("x", json!("AAAA")),
        but("x", json!(format!("{}=", good["x"].as_str().unwrap()))),
        but("kid", json!("k".repeat(257))),
    ] {
        assert_eq!(
            KeySet::from_json(&set(std::slice::from_ref(&ignored))).unwrap_err(),
            KeySetError::Empty
        );
        assert_eq!(KeySet::from_json(&set(&[ignored, other.clone()])).unwrap().ignored(), 1);
    }
    // RSA: 1024 bits, an exponent of 1 or an even one, leading zeros.
    let rsa = Signer::rs256().jwk("rsa");
    let n = BASE64.decode(rsa["n"].as_str().unwrap()).unwrap();
    for (n, e) in [
        (&n[..128], &[1, 0, 1][..]),
        (&n[..], &[1]),
        (&n[..], &[2]),
        (&n[..], &[]),
        (&n[..], &[0, 1, 0, 1]),
        (&[&[0], &n[..]].concat()[..], &[1, 0, 1]),
        (&[], &[3]),
    ] {
        let jwk = json!({"kty": "RSA", "kid": "a", "n": BASE64.encode(n), "e": BASE64.encode(e)});
        assert_eq!(KeySet::from_json(&set(&[jwk])).unwrap_err(), KeySetError::Empty);
    }
}

proptest! {
    #[test]
    fn a_changed_bit_never_verifies(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut token = IT.es256.sign("ec", &claims()).into_bytes();
        let at = at.index(token.len());
        token[at] ^= 1 << bit;
        if let Ok(token) = String::from_utf8(token) {
            prop_assert!(judge(&token).is_err(), "{}", token);
        }
    }

    #[test]
    fn noise_is_refused_and_never_panics(token in ".{0,200}", parts in prop::collection::vec(".{0,60}", 3)) {
        prop_assert!(judge(&token).is_err());
        let encoded: Vec<_> = parts.iter().map(|part| BASE64.encode(part)).collect();
        prop_assert!(judge(&encoded.join(".")).is_err());
        let _ = KeySet::from_json(&token);
    }

    #[test]
    fn noise_under_a_good_signature_never_panics(claim in "(exp|iat|aud|sub|roles|x)", text in ".{0,40}", number in any::<f64>()) {
        let _ = judge(&with(&claim, json!(text)));
        let _ = judge(&with(&claim, json!(number)));
        let _ = judge(&IT.es256.sign_raw(&IT.es256.header("ec").to_string(), &text));
    }
}
