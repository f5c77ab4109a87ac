//! The vault and the keyring on a real database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use authshield::config::{SigningAlgorithm, Token};
use authshield::kernel::{MailId, RefreshToken, SessionId, Timestamp, UserId};
use authshield::vault::{
    AccessClaims, FIRST_EPOCH, FIRST_PARTY, Inventory, KeyPhase, Keyring, KeyringError,
    MAIL_VARIABLES, Rotation, Secrets, TOKEN_TYPE, Vault, VaultError, VerificationError,
};
use authshield::world::{Sandbox, World};
use authshield_verify::{KeySet, Rules, Verifier, VerifyError};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use onesql::{Migrations, Options, Store};
use serde_json::Value;

use crate::support::app::fresh_postgres;
use crate::support::on_postgres;

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("./migrations/sqlite"),
    postgres: sqlx::migrate!("./migrations/postgres"),
};

const ISSUER: &str = "https://id.example.org";
const DAY: Duration = Duration::from_hours(24);

/// A fresh database, its clock, and what keeps it alive.
struct Scene {
    store: Store,
    world: Arc<Sandbox>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Returns one on the kind of database of this run.
    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = if on_postgres() {
            Options::parse(&fresh_postgres().await).unwrap()
        } else {
            Options::sqlite(folder.path().join("test.db"))
        };
        let store = Store::open(&options).await.unwrap();
        store.migrate(&MIGRATIONS).await.unwrap();
        Self { store, world: Arc::default(), _folder: folder }
    }

    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn vault(&self) -> Vault {
        Vault::new(&[1; 32], None, self.world.clone())
    }

    async fn node(&self, settings: &Token) -> Keyring {
        Keyring::load_or_create(&self.store, &self.vault(), settings, self.now()).await.unwrap()
    }

    fn token(&self, keyring: &Keyring) -> String {
        let now = self.now();
        let roles = ["user".to_owned()];
        let claims = AccessClaims {
            iss: ISSUER,
            sub: UserId::new(&*self.world),
            aud: ISSUER,
            exp: AccessClaims::end(now, settings().access_ttl),
            iat: now.as_second(),
            jti: AccessClaims::new_id(&*self.world),
            sid: SessionId::new(&*self.world),
            client_id: FIRST_PARTY,
            roles: &roles,
            amr: &[],
            acr: "aal1",
            auth_time: now.as_second(),
            epoch: FIRST_EPOCH,
            user_epoch: 0,
        };
        keyring.sign(TOKEN_TYPE, &claims, now)
    }

    async fn verdict(&self, keyring: &Keyring, token: &str) -> Result<(), VerificationError> {
        keyring.verify(&verifier(), token, self.now()).await.map(|_| ())
    }
}

fn settings() -> Token {
    Token {
        algorithm: SigningAlgorithm::Es256,
        access_ttl: Duration::from_mins(15),
        audience: ISSUER.to_owned(),
        key_rotation: 90 * DAY,
        key_publish_ahead: DAY,
    }
}

fn verifier() -> Verifier {
    Verifier::new(Rules::new(ISSUER, ISSUER))
}

/// Lists the published keys in the order in which they are published.
fn kids(keyring: &Keyring) -> Vec<String> {
    let set: Value = serde_json::from_slice(&keyring.jwks().body).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn phases(scene: &Scene, keyring: &Keyring) -> Vec<KeyPhase> {
    keyring.list(scene.now()).iter().map(|key| key.phase).collect()
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

#[track_caller]
fn assert_unknown(verdict: &Result<(), VerificationError>) {
    let unknown = Err(VerifyError::UnknownKey);
    let verdict = match verdict {
        Ok(()) => Ok(()),
        Err(VerificationError::Refused(why)) => Err(*why),
        Err(VerificationError::Keys(error)) => panic!("{error}"),
    };
    assert_eq!(verdict, unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_share_secrets_and_one_key() {
    let scene = Scene::fresh().await;
    let nodes = (0..8).map(|_| {
        let (store, vault, now) = (scene.store.clone(), scene.vault(), scene.now());
        tokio::spawn(async move {
            let secrets = Secrets::load_or_create(&store, &vault, now).await.unwrap();
            let keys = Keyring::load_or_create(&store, &vault, &settings(), now).await.unwrap();
            (secrets, keys)
        })
    });
    let mut started = Vec::new();
    for node in nodes.collect::<Vec<_>>() {
        started.push(node.await.unwrap());
    }
    let probe = RefreshToken::new(&*scene.world);
    let of_secrets: BTreeSet<_> = started
        .iter()
        .map(|(secrets, _)| {
            let successor = probe.successor(&secrets.refresh_successor);
            let address = secrets.email_hash.hash("ann@example.org");
            (probe.hash(&secrets.token_hash), successor.reveal().to_owned(), address)
        })
        .collect();
    assert_eq!(of_secrets.len(), 1);
    let sets: BTreeSet<_> = started.iter().map(|(_, keys)| keys.jwks().etag.clone()).collect();
    assert_eq!(sets.len(), 1);
    let token = scene.token(&started[0].1);
    for (_, keys) in &started {
        scene.verdict(keys, &token).await.unwrap();
    }
}

/// ASVS: V11.2.3, V11.6.1
#[tokio::test]
async fn every_algorithm_signs_what_the_published_set_verifies() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        let scene = Scene::fresh().await;
        let keyring = scene.node(&Token { algorithm, ..settings() }).await;
        let token = scene.token(&keyring);
        let set = keyring.jwks().body.clone();
        let published: Value = serde_json::from_slice(&set).unwrap();
        // Where it is RSA.
        if let Some(modulus) = published["keys"][0]["n"].as_str() {
            assert_eq!(BASE64.decode(modulus).unwrap().len() * 8, 3072);
        }
        let keys = KeySet::from_json(std::str::from_utf8(&set).unwrap()).unwrap();
        let claims = verifier().verify(&token, &keys, scene.now().as_second()).unwrap();
        assert_eq!((claims.client_id.as_str(), claims.jti.len()), ("authshield", 32));
        assert!(claims.has_role("user") && claims.sid.is_some());
        let header = header(&token);
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(header["kid"], *kids(&keyring)[0]);
        // Another kind of token, signed by the same key, is no access token.
        let other = keyring.sign("logout+jwt", &claims, scene.now());
        let verdict = scene.verdict(&keyring, &other).await;
        assert!(matches!(verdict, Err(VerificationError::Refused(VerifyError::Type))));
    }
}

/// ASVS: V13.3.4
#[tokio::test]
async fn e11_a_key_is_published_before_it_signs_and_until_its_tokens_have_died() {
    let scene = Scene::fresh().await;
    let keyring = scene.node(&settings()).await;
    let first = kids(&keyring)[0].clone();
    assert_eq!(keyring.rotate_if_due(scene.now()).await.unwrap(), None);

    scene.world.advance(89 * DAY);
    let next = keyring.rotate_if_due(scene.now()).await.unwrap().expect("it is time");
    assert_eq!(keyring.rotate_if_due(scene.now()).await.unwrap(), None);
    assert_eq!(kids(&keyring), [first.clone(), next.clone()]);
    assert_eq!(phases(&scene, &keyring), [KeyPhase::Next, KeyPhase::Active]);
    assert_eq!(header(&scene.token(&keyring))["kid"], *first);

    // The last second of the first key: its token must live its whole life.
    scene.world.advance(Duration::from_secs(86_399));
    let last = scene.token(&keyring);
    assert_eq!(header(&last)["kid"], *first);
    scene.world.advance(Duration::from_secs(1));
    // Exactly at its time the next one signs, without anybody looking at the database.
    assert_eq!(header(&scene.token(&keyring))["kid"], *next);
    assert_eq!(phases(&scene, &keyring), [KeyPhase::Active, KeyPhase::Retired]);
    scene.world.advance(Duration::from_secs(898));
    keyring.rotate_if_due(scene.now()).await.unwrap();
    scene.verdict(&keyring, &last).await.unwrap();
    assert_eq!(kids(&keyring), [next.clone(), first]);

    // Long enough for caches and slow clocks, and then it is gone.
    scene.world.advance(Duration::from_mins(6) + Duration::from_secs(1));
    assert_eq!(kids(&keyring).len(), 2);
    scene.world.advance(Duration::from_secs(1));
    keyring.rotate_if_due(scene.now()).await.unwrap();
    assert_eq!(kids(&keyring), [next]);
    let mut tx = scene.store.read().await.unwrap();
    let rows: (i64,) = tx.query("SELECT COUNT(*) FROM signing_keys").one().await.unwrap();
    assert_eq!(rows, (1,));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e11_nodes_that_rotate_at_once_make_one_key() {
    let scene = Scene::fresh().await;
    let mut nodes = Vec::new();
    for _ in 0..6 {
        nodes.push(scene.node(&settings()).await);
    }
    scene.world.advance(89 * DAY);
    let now = scene.now();
    let turns: Vec<_> = nodes
        .iter()
        .cloned()
        .map(|node| tokio::spawn(async move { node.rotate_if_due(now).await.unwrap() }))
        .collect();
    let mut made = Vec::new();
    for turn in turns {
        made.extend(turn.await.unwrap());
    }
    assert_eq!(made.len(), 1);
    let sets: BTreeSet<_> = nodes.iter().map(|node| node.jwks().etag.clone()).collect();
    assert_eq!(sets.len(), 1);
}

#[tokio::test]
async fn a_node_looks_again_for_a_key_that_it_has_not_seen() {
    let scene = Scene::fresh().await;
    let (here, there) = (scene.node(&settings()).await, scene.node(&settings()).await);
    let old = scene.token(&here);
    for _ in 0..3 {
        let kid = there.rotate(Rotation::Immediate, scene.now()).await.unwrap().unwrap();
        let token = scene.token(&there);
        assert_eq!(header(&token)["kid"], *kid);
        scene.verdict(&here, &token).await.unwrap();
        scene.verdict(&here, &old).await.unwrap();
    }
    // A stranger's key is looked for and not found, by many at once too.
    let stranger = Scene::fresh().await;
    let forged = scene.token(&stranger.node(&settings()).await);
    let verdicts = (0..50).map(|_| scene.verdict(&here, &forged));
    for verdict in futures_util::future::join_all(verdicts).await {
        assert_unknown(&verdict);
    }
}

#[tokio::test]
async fn e11_rotation_on_demand() {
    let scene = Scene::fresh().await;
    let keyring = scene.node(&settings()).await;
    let first = kids(&keyring)[0].clone();
    // Announced once, however often it is asked for; then used earlier than planned.
    let next = keyring.rotate(Rotation::Announced, scene.now()).await.unwrap().unwrap();
    assert_eq!(keyring.rotate(Rotation::Announced, scene.now()).await.unwrap(), None);
    assert_eq!(header(&scene.token(&keyring))["kid"], *first);
    let used = keyring.rotate(Rotation::Immediate, scene.now()).await.unwrap();
    assert_eq!(used, Some(next.clone()));
    assert_eq!(header(&scene.token(&keyring))["kid"], *next);
    let listed = keyring.list(scene.now());
    let ends: Vec<_> = listed.into_iter().map(|key| key.expires_at).collect();
    assert_eq!(ends, [None, Some(scene.now() + Duration::from_mins(15 + 5 + 1))]);

    // Leaked: nothing that was signed before counts any more, on any node that has looked.
    let there = scene.node(&settings()).await;
    let old = scene.token(&keyring);
    let fresh = keyring.rotate(Rotation::Compromised, scene.now()).await.unwrap().unwrap();
    assert_eq!(kids(&keyring), [fresh]);
    there.rotate_if_due(scene.now()).await.unwrap();
    for node in [&keyring, &there] {
        assert_unknown(&scene.verdict(node, &old).await);
        scene.verdict(node, &scene.token(&keyring)).await.unwrap();
    }
}

/// ASVS: V11.2.2
#[tokio::test]
async fn another_algorithm_signs_from_the_next_start_and_old_tokens_go_on() {
    let scene = Scene::fresh().await;
    let old = scene.token(&scene.node(&settings()).await);
    let eddsa = Token { algorithm: SigningAlgorithm::EdDsa, ..settings() };
    let keyring = scene.node(&eddsa).await;
    let new = scene.token(&keyring);
    assert_eq!((&header(&old)["alg"], &header(&new)["alg"]), (&"ES256".into(), &"EdDSA".into()));
    scene.verdict(&keyring, &old).await.unwrap();
    scene.verdict(&keyring, &new).await.unwrap();
    // A second start changes nothing more.
    assert_eq!(kids(&scene.node(&eddsa).await).len(), 2);
    assert_eq!(keyring.rotate_if_due(scene.now()).await.unwrap(), None);
}

#[tokio::test]
async fn a_longer_life_of_tokens_lengthens_that_of_keys() {
    let scene = Scene::fresh().await;
    let keyring = scene.node(&settings()).await;
    keyring.rotate(Rotation::Announced, scene.now()).await.unwrap();
    let keyring = scene.node(&Token { access_ttl: DAY, ..settings() }).await;
    keyring.rotate_if_due(scene.now()).await.unwrap();
    let end = scene.now() + DAY + DAY + Duration::from_mins(6);
    assert_eq!(keyring.list(scene.now())[1].expires_at, Some(end));
}

/// ASVS: V13.3.4
#[tokio::test]
async fn the_master_key_can_be_changed_and_a_wrong_one_is_named() {
    let scene = Scene::fresh().await;
    let (store, now) = (&scene.store, scene.now());
    let keyring = scene.node(&settings()).await;
    let before = Secrets::load_or_create(store, &scene.vault(), now).await.unwrap();
    insert_mail(&scene, scene.vault().seal(MAIL_VARIABLES, b"{}")).await;
    let all = Inventory { current: 10, ..Inventory::default() };
    assert_eq!(scene.vault().inventory(store).await.unwrap(), all);

    let other = Vault::new(&[2; 32], None, scene.world.clone());
    for error in [
        Keyring::load_or_create(store, &other, &settings(), now).await.unwrap_err(),
        Secrets::load_or_create(store, &other, now).await.unwrap_err(),
    ] {
        assert!(matches!(error, KeyringError::Vault(VaultError::OtherKey { .. })));
    }
    let found = other.rewrap(store).await.unwrap();
    assert_eq!((found.current, found.previous, found.unknown), (0, 0, 10));
    assert!(found.unknown_key.is_some());

    let both = Vault::new(&[2; 32], Some(&[1; 32]), scene.world.clone());
    let waiting = Inventory { previous: 10, ..Inventory::default() };
    assert_eq!(both.inventory(store).await.unwrap(), waiting);
    assert_eq!(both.rewrap(store).await.unwrap(), all);
    assert_eq!(both.rewrap(store).await.unwrap(), all);
    let after = Secrets::load_or_create(store, &other, now).await.unwrap();
    let probe = RefreshToken::new(&*scene.world);
    assert_eq!(probe.hash(&before.token_hash), probe.hash(&after.token_hash));
    let again = Keyring::load_or_create(store, &other, &settings(), now).await.unwrap();
    assert_eq!(again.jwks(), keyring.jwks());
    // The old key is of no use any more.
    assert!(Keyring::load_or_create(store, &scene.vault(), &settings(), now).await.is_err());
}

#[tokio::test]
async fn d14_a_key_lies_sealed_and_opens_nowhere_else() {
    let scene = Scene::fresh().await;
    let keyring = scene.node(&settings()).await;
    keyring.rotate(Rotation::Announced, scene.now()).await.unwrap();
    let mut tx = scene.store.write().await.unwrap();
    let keys: Vec<(Vec<u8>,)> =
        tx.query("SELECT private_key FROM signing_keys ORDER BY generation").all().await.unwrap();
    // prime256v1, as every PKCS#8 of such a key has it.
    let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    assert!(keys.iter().all(|(key,)| !key.windows(8).any(|window| window == oid)));

    // Somebody who can write to the database moves one key to the row of another.
    tx.query("UPDATE signing_keys SET private_key = $1")
        .bind(keys[0].0.clone())
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (store, vault) = (&scene.store, scene.vault());
    let error = Keyring::load_or_create(store, &vault, &settings(), scene.now()).await;
    assert!(matches!(error, Err(KeyringError::Vault(VaultError::Damaged { .. }))));
    // A node that runs keeps what it has.
    keyring.reload(scene.now()).await.unwrap();
}

async fn insert_mail(scene: &Scene, variables: Vec<u8>) {
    let mut tx = scene.store.write().await.unwrap();
    tx.query(
        "INSERT INTO mail_messages (id, kind, locale, recipient, variables, message_id, state,
                                    attempts, next_attempt_at, expires_at, created_at)
         VALUES ($1, 'verify', 'en', 'ann@example.org', $2, 'm', 'queued', 0, $3, $3, $3)",
    )
    .bind(MailId::new(&*scene.world))
    .bind(variables)
    .bind(scene.now())
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}
