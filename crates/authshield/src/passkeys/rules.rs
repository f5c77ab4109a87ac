//! What an authenticator says, and whether it may be believed (Web Authentication Level 3, 7.1 and
//! 7.2).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::cbor::Map;
use super::cose::PublicKey;

/// The longest id of a credential (7.1, step 25).
const ID_AT_MOST: usize = 1023;

/// Why an authenticator's words are not believed; the audit trail is told.
pub(super) type Reason = &'static str;

/// There are two of a passkey, or its authenticator forgets how often it signed.
pub(super) const COUNTER_WENT_BACK: Reason = "counter_went_back";

/// Who we are to authenticators.
#[derive(Debug, Clone)]
pub(super) struct Party {
    /// The domain that passkeys are for.
    pub(super) rp_id: String,
    /// The exact origins of the pages that may use them.
    pub(super) origins: Vec<String>,
}

/// Which of the two ceremonies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    Registration,
    Authentication,
}

impl Ceremony {
    fn kind(self) -> &'static str {
        match self {
            Self::Registration => "webauthn.create",
            Self::Authentication => "webauthn.get",
        }
    }
}

/// What the browser says (5.8.1); members that come later are borne.
#[derive(Deserialize)]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
    #[serde(default, rename = "topOrigin")]
    top_origin: Option<String>,
}

/// Checks what the browser says, and returns the challenge that it was given.
pub(super) fn client_data(
    json: &[u8],
    ceremony: Ceremony,
    party: &Party,
) -> Result<Vec<u8>, Reason> {
    let said: ClientData = serde_json::from_slice(json).map_err(|_| "client_data_malformed")?;
    if said.r#type != ceremony.kind() {
        return Err("wrong_ceremony");
    }
    if !party.origins.contains(&said.origin) {
        return Err("wrong_origin");
    }
    if said.cross_origin || said.top_origin.is_some() {
        return Err("framed_by_another_origin");
    }
    BASE64.decode(said.challenge).map_err(|_| "challenge_malformed")
}

/// What the authenticator says (6.1).
struct Said<'b> {
    flags: u8,
    sign_count: u32,
    /// The id and the key of a new credential.
    credential: Option<(&'b [u8], &'b [u8])>,
}

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

impl Said<'_> {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Reads authenticator data and checks what both ceremonies ask.
fn said<'b>(bytes: &'b [u8], party: &Party, verified: bool) -> Result<Said<'b>, Reason> {
    const MALFORMED: Reason = "authenticator_data_malformed";
    let (rp_id_hash, rest) = bytes.split_at_checked(32).ok_or(MALFORMED)?;
    let (&[flags, a, b, c, d], mut rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
    let sign_count = u32::from_be_bytes([a, b, c, d]);
    let mut credential = None;
    if flags & HAS_CREDENTIAL != 0 {
        let (_aaguid, after) = rest.split_at_checked(16).ok_or(MALFORMED)?;
        let (length, after) = after.split_first_chunk::<2>().ok_or(MALFORMED)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (id, after) = after.split_at_checked(length).ok_or(MALFORMED)?;
        let (_, behind) = Map::read(after).ok_or(MALFORMED)?;
        credential = Some((id, &after[..after.len() - behind.len()]));
        rest = behind;
    }
    if flags & HAS_EXTENSIONS != 0 {
        (_, rest) = Map::read(rest).ok_or(MALFORMED)?;
    }
    if !rest.is_empty() {
        return Err(MALFORMED);
    }
    let said = Said { flags, sign_count, credential };
    if rp_id_hash != &Sha256::digest(party.rp_id.as_bytes())[..] {
        return Err("wrong_relying_party");
    }
    if !said.has(PRESENT) {
        return Err("nobody_was_present");
    }
    if verified && !said.has(VERIFIED) {
        return Err("nobody_was_verified");
    }
    if said.has(BACKED_UP) && !said.has(BACKUP_ELIGIBLE) {
        return Err("backup_flags_contradict");
    }
    Ok(said)
}

/// A new passkey, as its authenticator describes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Registered {
    pub(super) credential_id: Vec<u8>,
    /// COSE.
    pub(super) public_key: Vec<u8>,
    pub(super) sign_count: u32,
    pub(super) backup_eligible: bool,
    pub(super) backed_up: bool,
}

/// Reads an attestation object (6.5). Who made the authenticator is nothing that is asked for, so no
/// statement about it is looked at.
pub(super) fn register(
    attestation: &[u8],
    party: &Party,
    verified: bool,
) -> Result<Registered, Reason> {
    const MALFORMED: Reason = "attestation_malformed";
    let (object, rest) = Map::read(attestation).ok_or(MALFORMED)?;
    let data = object.bytes("authData").ok_or(MALFORMED)?;
    if object.text("fmt").is_none() || !object.has_map("attStmt") || !rest.is_empty() {
        return Err(MALFORMED);
    }
    let said = said(data, party, verified)?;
    let (id, key) = said.credential.ok_or("no_credential")?;
    if id.is_empty() || id.len() > ID_AT_MOST {
        return Err("credential_id_length");
    }
    if PublicKey::from_cose(key).is_none() {
        return Err("key_not_offered");
    }
    Ok(Registered {
        credential_id: id.to_vec(),
        public_key: key.to_vec(),
        sign_count: said.sign_count,
        backup_eligible: said.has(BACKUP_ELIGIBLE),
        backed_up: said.has(BACKED_UP),
    })
}

/// A passkey, as it is known.
#[derive(Debug, Clone)]
pub(super) struct Known<'k> {
    pub(super) public_key: &'k [u8],
    pub(super) sign_count: i64,
    pub(super) backup_eligible: bool,
}

/// What a passkey that was used says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) sign_count: u32,
    pub(super) backed_up: bool,
}

/// Checks what a known passkey signed.
pub(super) fn authenticate(
    data: &[u8],
    client_data: &[u8],
    signature: &[u8],
    known: &Known<'_>,
    party: &Party,
    verified: bool,
) -> Result<Used, Reason> {
    let said = said(data, party, verified)?;
    if said.has(BACKUP_ELIGIBLE) != known.backup_eligible {
        return Err("backup_eligibility_changed");
    }
    let key = PublicKey::from_cose(known.public_key).ok_or("key_damaged")?;
    let message = [data, &Sha256::digest(client_data)[..]].concat();
    if !key.verifies(&message, signature) {
        return Err("wrong_signature");
    }
    // Only after the signature: what nobody signed says nothing.
    let went_on = i64::from(said.sign_count) > known.sign_count;
    if !went_on && (said.sign_count != 0 || known.sign_count != 0) {
        return Err(COUNTER_WENT_BACK);
    }
    Ok(Used { sign_count: said.sign_count, backed_up: said.has(BACKED_UP) })
}

/// What a key that stays where it was made is called, and one that may be on several devices, with a
/// finger or a PIN shown: the ways of proof of a token (RFC 8176, 2).
pub(super) fn methods(backup_eligible: bool) -> [&'static str; 3] {
    [if backup_eligible { "swk" } else { "hwk" }, "user", "mfa"]
}

/// Which ways of proof a passkey stands behind, by [`methods`].
pub(crate) fn is_shown_in(amr: &[String]) -> bool {
    ["swk", "hwk"].iter().any(|key| amr.iter().any(|one| one == key))
}

/// Reads bytes as everything that authenticators and browsers write; what is taken must be sound. For the
/// fuzzer.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_anything(data: &[u8]) {
    let party =
        Party { rp_id: "example.org".to_owned(), origins: vec!["https://example.org".to_owned()] };
    for ceremony in [Ceremony::Registration, Ceremony::Authentication] {
        if let Ok(challenge) = client_data(data, ceremony, &party) {
            assert!(challenge.len() < data.len(), "it is in there");
        }
    }
    if let Ok(made) = register(data, &party, false) {
        assert!((1..=ID_AT_MOST).contains(&made.credential_id.len()));
        assert!(made.backup_eligible || !made.backed_up);
        let known = Known {
            public_key: &made.public_key,
            sign_count: i64::from(made.sign_count),
            backup_eligible: made.backup_eligible,
        };
        let outcome = authenticate(data, data, data, &known, &party, false);
        assert!(outcome.is_err(), "nobody signs with what was just made up");
    }
    let (head, tail) = data.split_at(data.len().min(37));
    let known = Known { public_key: tail, sign_count: 0, backup_eligible: false };
    assert!(authenticate(head, tail, data, &known, &party, true).is_err());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    fn hex(text: &Json) -> Vec<u8> {
        let text = text.as_str().unwrap();
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    fn vectors() -> (Party, Vec<Json>) {
        let text = include_str!("../../tests/vectors/webauthn-l3.json");
        let all: Json = serde_json::from_str(text).unwrap();
        let party = Party {
            rp_id: all["rp_id"].as_str().unwrap().to_owned(),
            origins: vec![all["origin"].as_str().unwrap().to_owned()],
        };
        (party, all["vectors"].as_array().unwrap().clone())
    }

    /// Plays a vector; returns the reason of the first step that is refused.
    fn play(party: &Party, vector: &Json) -> Result<(), Reason> {
        let (registration, authentication) = (&vector["registration"], &vector["authentication"]);
        let challenge =
            client_data(&hex(&registration["clientDataJSON"]), Ceremony::Registration, party)?;
        assert_eq!(challenge, hex(&registration["challenge"]));
        let made = register(&hex(&registration["attestationObject"]), party, false)?;
        assert_eq!(made.credential_id, hex(&registration["credential_id"]));
        let client = hex(&authentication["clientDataJSON"]);
        let challenge = client_data(&client, Ceremony::Authentication, party)?;
        assert_eq!(challenge, hex(&authentication["challenge"]));
        let known = Known {
            public_key: &made.public_key,
            sign_count: i64::from(made.sign_count),
            backup_eligible: made.backup_eligible,
        };
        let data = hex(&authentication["authenticatorData"]);
        let signature = hex(&authentication["signature"]);
        authenticate(&data, &client, &signature, &known, party, false)?;

        // Each bit that is turned over is refused, of what is signed and of the signature.
        for at in (0..data.len() * 8).step_by(7) {
            let mut turned = data.clone();
            turned[at / 8] ^= 1 << (at % 8);
            assert!(authenticate(&turned, &client, &signature, &known, party, false).is_err());
        }
        for at in (0..client.len() * 8).step_by(31) {
            let mut turned = client.clone();
            turned[at / 8] ^= 1 << (at % 8);
            assert!(authenticate(&data, &turned, &signature, &known, party, false).is_err());
        }
        let other =
            Party { rp_id: "example.com".into(), origins: vec!["https://example.org.evil".into()] };
        assert_eq!(
            register(&hex(&registration["attestationObject"]), &other, false),
            Err("wrong_relying_party")
        );
        assert_eq!(client_data(&client, Ceremony::Authentication, &other), Err("wrong_origin"));
        assert_eq!(client_data(&client, Ceremony::Registration, party), Err("wrong_ceremony"));
        Ok(())
    }

    /// The test vectors of the standard, section 16; those of algorithms that are not offered, and those
    /// of pages in the frames of others, are refused as that.
    #[test]
    fn the_vectors_of_the_standard_are_judged_rightly() {
        let (party, vectors) = vectors();
        let mut judged = std::collections::BTreeMap::<String, usize>::new();
        for vector in &vectors {
            let offered =
                super::super::cose::OFFERED.contains(&vector["cose_alg"].as_i64().unwrap());
            let outcome = play(&party, vector);
            let id = vector["id"].as_str().unwrap();
            match outcome {
                Ok(()) => assert!(offered, "{id}"),
                Err("key_not_offered") => assert!(!offered, "{id}"),
                Err(reason) => assert_eq!(reason, "framed_by_another_origin", "{id}"),
            }
            *judged.entry(outcome.err().unwrap_or("taken").to_owned()).or_default() += 1;
        }
        assert_eq!(vectors.len(), 15);
        assert!(judged["taken"] >= 6, "{judged:?}");
    }

    #[test]
    fn the_ways_of_proof_are_told_apart() {
        assert_eq!(methods(true), ["swk", "user", "mfa"]);
        assert_eq!(methods(false), ["hwk", "user", "mfa"]);
        for key in methods(true).iter().chain(&methods(false)) {
            let amr = ["pwd".to_owned(), (*key).to_owned()];
            assert_eq!(is_shown_in(&amr), key.ends_with("wk"), "{key}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_readers_fail(bytes: Vec<u8>) {
            read_anything(&bytes);
        }

        /// A registration of the standard with some bytes changed, removed and added is taken as something
        /// sound, or refused.
        #[test]
        fn a_damaged_registration_is_taken_as_something_sound_or_refused(
            which in 0_usize..15,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
            more: Vec<u8>,
        ) {
            let (_, vectors) = vectors();
            let mut object = hex(&vectors[which]["registration"]["attestationObject"]);
            read_anything(&object);
            for (at, byte) in changes {
                let at = at.index(object.len());
                object[at] = byte;
            }
            read_anything(&object);
            read_anything(&[object.as_slice(), &more].concat());
            object.truncate(cut.index(object.len()));
            read_anything(&object);
        }
    }
}
