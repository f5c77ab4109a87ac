//! Passwords: hashing them, verifying them, and judging new ones.
//!
//! ```text
//! verify ─ pool        is there room?  (if not, 503 before anything is taken)
//!        ├ imported    what kind of hash is it?  (unreadable, or nobody's: the decoy)
//!        ├ phc         hash what was typed, compare
//!        └ Verdict     wrong, or right and perhaps to be hashed anew
//! choose ─ pool
//!        ├ policy      may this be a password at all?  (pure)
//!        ├ breached    was it stolen elsewhere?
//!        └ phc         hash it
//! door ─ choose, and then, where the configuration says so, ask the range API
//! ```
//!
//! Passwords are normalised to NFC and otherwise taken as they are: every code point counts, spaces
//! at the ends and zero bytes too, and nothing is cut off.
//!
//! Nothing here holds up a thread that serves requests: callers await an answer that a thread of
//! the pool sends. Whatever hashes goes through it.

mod advice;
pub mod breached;
mod common;
mod door;
mod imported;
mod memory;
mod phc;
pub mod policy;
mod pool;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::config;
use crate::world::SharedWorld;

pub use advice::Advice;
pub use door::{
    Chooser, Off, are_on, choose, is_known_stolen, must_be_on, others_are_asked, others_know, same,
    weaknesses,
};
pub use imported::{NotAHash, Scheme, recognise};
pub use policy::Weakness;
pub use pool::{Observation, Overloaded, Stats};

use breached::Breached;
use imported::Stored;
use memory::{Memory, NoMemory};
use phc::{Cost, SALT_LENGTH};
use pool::{Pool, Settings, Turn};

/// Verifies and hashes passwords, on threads of its own. Clones share them.
///
/// The threads end when the last clone is dropped, or after [`Passwords::shutdown`].
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    pool: Pool,
    judging: Arc<Judging>,
    world: SharedWorld,
}

/// What every job needs.
struct Judging {
    config: config::Password,
    cost: Cost,
    /// A hash at our cost that no password has.
    decoy: String,
    /// Which passwords were stolen elsewhere.
    breached: Breached,
}

/// Whether a password was the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is another, or there is nobody who has one.
    Wrong,
    /// It is the one.
    Right {
        /// Whether it should be hashed anew, because it was hashed in another way or at another
        /// cost than the one configured.
        rehash: bool,
    },
}

/// Why a new password was not hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It may not be used; all the reasons.
    #[error("the password may not be used")]
    Weak(Vec<Weakness>),

    /// Nobody has one here.
    #[error(transparent)]
    Off(#[from] Off),

    /// Try again later.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
}

impl Passwords {
    /// Starts the hashing threads.
    #[must_use]
    pub fn start(config: &config::Password, world: SharedWorld) -> Self {
        let cost = Cost::new(config);
        let workers = match config.hash_workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            chosen => chosen,
        };
        let (mut salt, mut digest) = ([0; SALT_LENGTH], [0; 32]);
        world.fill(&mut salt);
        world.fill(&mut digest);
        let decoy = cost.decoy(&salt, &digest);
        let pool = Pool::start(Settings {
            workers,
            max_wait: config.hash_max_wait,
            blocks: cost.blocks(),
            // About what a core of today needs per KiB and pass; the first hashes correct it.
            first_guess: Duration::from_nanos(cost.work().saturating_mul(600)),
        });
        Self(Arc::new(Inner {
            pool,
            judging: Arc::new(Judging {
                config: config.clone(),
                cost,
                decoy,
                breached: Breached::new(config.breached_file.clone()),
            }),
            world,
        }))
    }

    /// Fails if whoever brings a password now would be turned away. Whoever signs in, registers or shows a password
    /// again is asked this before anything is read, counted or spent for it: what is shed costs next to nothing. Who
    /// is let in may be turned away still, if others come in between.
    pub fn admit(&self) -> Result<(), Overloaded> {
        self.0.pool.admit()
    }

    /// Returns the hash of `password`, an Argon2id PHC string that names its own cost.
    ///
    /// # Cancellation
    ///
    /// If this future is dropped before a thread has begun, the work is never done.
    pub async fn hash(&self, password: &SecretString) -> Result<String, Overloaded> {
        let password = copy(password);
        let (judging, world) = (Arc::clone(&self.0.judging), Arc::clone(&self.0.world));
        let hashed =
            self.0.pool.run(Turn::First, move |memory| judging.hash(&password, &world, memory));
        hashed.await?.map_err(out_of_memory)
    }

    /// Returns the hash of a new password, if it may be one: [`policy::judge`], then
    /// [`Passwords::hash`], as one job. Judging a hostile password takes tens of milliseconds, so
    /// that too is done on a hashing thread.
    ///
    /// # Cancellation
    ///
    /// If this future is dropped before a thread has begun, the work is never done.
    pub async fn choose(
        &self,
        password: &SecretString,
        context: &policy::Context<'_>,
    ) -> Result<String, Rejected> {
        let password = copy(password);
        let words = policy::words(context);
        let (judging, world) = (Arc::clone(&self.0.judging), Arc::clone(&self.0.world));
        let chosen = self.0.pool.run(Turn::First, move |memory| {
            judging.judge(&password, &words).map_err(Rejected::Weak)?;
            judging.hash(&password, &world, memory).map_err(|error| out_of_memory(error).into())
        });
        chosen.await?
    }

    /// Returns whether `password` is the one that was hashed.
    ///
    /// Without a hash there is nothing to match, yet a decoy is hashed all the same, at the cost
    /// that is configured now: by the clock, an address that nobody has cannot be told from one
    /// that somebody has. (An imported hash takes the time it takes, until its owner signs in.)
    ///
    /// # Cancellation
    ///
    /// If this future is dropped before a thread has begun, the work is never done.
    pub async fn verify(
        &self,
        password: &SecretString,
        stored: Option<&str>,
    ) -> Result<Verdict, Overloaded> {
        self.compare(Turn::First, password, stored).await
    }

    /// The same, after a [first](Self::verify) one that was wrong: it is not turned away any more.
    pub async fn verify_too(
        &self,
        password: &SecretString,
        stored: Option<&str>,
    ) -> Result<Verdict, Overloaded> {
        self.compare(Turn::Further, password, stored).await
    }

    async fn compare(
        &self,
        turn: Turn,
        password: &SecretString,
        stored: Option<&str>,
    ) -> Result<Verdict, Overloaded> {
        let password = copy(password);
        let judging = Arc::clone(&self.0.judging);
        let known = stored.is_some();
        let stored = stored.unwrap_or(&judging.decoy).to_owned();
        let compared =
            self.0.pool.run(turn, move |memory| judging.compare(&password, &stored, memory));
        let verdict = compared.await?.map_err(out_of_memory)?;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    /// Returns the list of passwords that were stolen elsewhere.
    #[must_use]
    pub fn breached(&self) -> &Breached {
        &self.0.judging.breached
    }

    /// Tells how the hashing threads are doing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.pool.stats()
    }

    /// Calls `observer` after each hash, on the thread that made it: for histograms of queue wait
    /// and duration. Only the first observer is kept.
    pub fn observe(&self, observer: impl Fn(Observation) + Send + Sync + 'static) {
        self.0.pool.observe(Box::new(observer));
    }

    /// Takes no more passwords, and lets the threads end when those in the queue are done.
    pub fn shutdown(&self) {
        self.0.pool.close();
    }
}

impl Judging {
    /// Decides whether `password` may be used, on a hashing thread.
    fn judge(&self, password: &str, words: &[String]) -> Result<(), Vec<Weakness>> {
        let mut found = policy::judge_with(password, words, &self.config).err().unwrap_or_default();
        // Of a common one, and of one that is too long to look at, enough was said.
        let is_told =
            |weakness: &Weakness| matches!(weakness, Weakness::Common | Weakness::TooLong { .. });
        if !found.iter().any(is_told) && self.breached.knows_by_now(password) {
            found.push(Weakness::Breached);
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Hashes `password`, on a hashing thread.
    fn hash(
        &self,
        password: &str,
        world: &SharedWorld,
        memory: &mut Memory,
    ) -> Result<String, NoMemory> {
        let mut salt = [0; SALT_LENGTH];
        world.fill(&mut salt);
        self.cost.hash(nfc(password).as_bytes(), &salt, memory)
    }

    /// Compares `password` with `stored`, on a hashing thread.
    fn compare(
        &self,
        password: &str,
        stored: &str,
        memory: &mut Memory,
    ) -> Result<Verdict, NoMemory> {
        let normal = nfc(password);
        let stored = match Stored::parse(stored, Some(&self.cost)) {
            Ok(stored) => stored,
            Err(reason) => {
                tracing::warn!(%reason, "a stored password hash cannot be verified");
                let decoy = Stored::parse(&self.decoy, Some(&self.cost));
                decoy.expect("the decoy is our own").matches(normal.as_bytes(), memory)?;
                return Ok(Verdict::Wrong);
            }
        };
        let rehash = !stored.is_current(&self.cost);
        let mut right = stored.matches(normal.as_bytes(), memory)?;
        if !right && rehash && *normal != *password {
            // Other systems hashed the bytes as they came.
            right = stored.matches(password.as_bytes(), memory)?;
        }
        Ok(if right { Verdict::Right { rehash } } else { Verdict::Wrong })
    }
}

/// A copy that the hashing thread may keep, and that is wiped.
fn copy(password: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(password.expose_secret().to_owned())
}

/// The one form in which a password is hashed and counted: keyboards differ in how they send `é`.
pub(crate) fn nfc(text: &str) -> Zeroizing<String> {
    // No code point grows to more than three times its bytes, so nothing is left behind by growing.
    let mut normal = Zeroizing::new(String::with_capacity(3 * text.len()));
    normal.extend(text.nfc());
    normal
}

fn out_of_memory(error: NoMemory) -> Overloaded {
    tracing::error!(%error, "a password could not be hashed");
    Overloaded::after(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Real, Sandbox};

    /// A cost at which tests are quick.
    pub(super) fn tiny() -> config::Password {
        config::Password {
            enabled: true,
            min_length: 8,
            min_strength: 3,
            hash_memory_kib: 64,
            hash_iterations: 1,
            hash_parallelism: 1,
            hash_workers: 1,
            hash_max_wait: Duration::from_mins(1),
            breached_file: None,
            breached_ranges: config::BreachedRanges::Never,
            breached_ranges_url: "https://ranges.example.org/range/".parse().unwrap(),
            breached_ranges_timeout: Duration::from_secs(1),
            breached_at_sign_in: config::BreachedAtSignIn::Record,
        }
    }

    fn start(config: &config::Password) -> Passwords {
        Passwords::start(config, Arc::new(Sandbox::default()))
    }

    fn secret(text: &str) -> SecretString {
        text.into()
    }

    const RIGHT: Result<Verdict, Overloaded> = Ok(Verdict::Right { rehash: false });
    const STALE: Result<Verdict, Overloaded> = Ok(Verdict::Right { rehash: true });
    const WRONG: Result<Verdict, Overloaded> = Ok(Verdict::Wrong);

    /// Attack class B22.
    /// ASVS: V6.2.8
    #[tokio::test]
    async fn a_password_verifies_against_its_hash_and_no_other_does() {
        let passwords = start(&tiny());
        let long = "all of it \u{1f40e} ".repeat(40);
        assert!(long.chars().count() > 256);
        let [upto72, upto127] = [72, 127].map(|length| "x".repeat(length));
        for (password, others) in [
            (
                "correct horse",
                vec!["Correct horse", "correct horse ", " correct horse", "correct  horse"],
            ),
            (" outer spaces ", vec!["outer spaces", " outer spaces", "outer spaces "]),
            ("before\0after", vec!["before", "before\0", "before\0After"]),
            (&*format!("{upto72}a"), vec![&*upto72, &*format!("{upto72}b")]),
            (&*format!("{long}a"), vec![&*long, &*format!("{long}b")]),
            (&*format!("{upto127}a"), vec![&*upto127, &*format!("{upto127}b")]),
            ("\0", vec!["", "\0\0"]),
        ] {
            let hash = passwords.hash(&secret(password)).await.unwrap();
            assert_eq!(
                passwords.verify(&secret(password), Some(&hash)).await,
                RIGHT,
                "{password:?}"
            );
            for other in others {
                let verdict = passwords.verify(&secret(other), Some(&hash)).await;
                assert_eq!(verdict, WRONG, "{other:?} is not {password:?}");
            }
        }
    }

    /// ASVS: V6.2.8
    #[tokio::test]
    async fn composed_and_decomposed_letters_are_the_same_password() {
        let passwords = start(&tiny());
        let (composed, decomposed) = ("caf\u{e9} au lait", "cafe\u{301} au lait");
        let hash = passwords.hash(&secret(decomposed)).await.unwrap();
        assert_eq!(passwords.verify(&secret(composed), Some(&hash)).await, RIGHT);
        assert_eq!(passwords.verify(&secret(decomposed), Some(&hash)).await, RIGHT);
        assert_eq!(passwords.verify(&secret("cafe au lait"), Some(&hash)).await, WRONG);
    }

    #[tokio::test]
    async fn an_imported_hash_of_bytes_as_they_came_still_verifies() {
        let passwords = start(&tiny());
        let of_nfd = "$pbkdf2-sha256$i=1000,l=32$AQIDBAUGBwgJCgsMDQ4PEA\
                      $ebIGpmJfy5Q8lGRwNTszDvXBVl8mz9JObMjk7rKl+FQ";
        let typed = secret("correct horse ba\u{308}ttery staple");
        assert_eq!(passwords.verify(&typed, Some(of_nfd)).await, STALE);
    }

    #[tokio::test]
    async fn equal_passwords_have_different_hashes() {
        let passwords = start(&tiny());
        let password = secret("correct horse");
        assert_ne!(passwords.hash(&password).await, passwords.hash(&password).await);
    }

    #[tokio::test]
    async fn a_hash_at_another_cost_verifies_and_is_to_be_made_anew() {
        let old = start(&config::Password { hash_memory_kib: 32, ..tiny() });
        let dear = start(&config::Password { hash_memory_kib: 128, hash_iterations: 2, ..tiny() });
        let passwords = start(&tiny());
        let password = secret("correct horse");
        for hash in [old.hash(&password).await.unwrap(), dear.hash(&password).await.unwrap()] {
            assert_eq!(passwords.verify(&password, Some(&hash)).await, STALE, "{hash}");
            assert_eq!(passwords.verify(&secret("wrong"), Some(&hash)).await, WRONG, "{hash}");
        }
        let imported = "$2b$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey";
        let password = secret("correct horse b\u{e4}ttery staple");
        assert_eq!(passwords.verify(&password, Some(imported)).await, STALE);
    }

    /// Attack class A09.
    #[tokio::test]
    async fn known_and_unknown_and_unreadable_take_the_same_work() {
        let passwords = start(&tiny());
        let password = secret("correct horse");
        let hash = passwords.hash(&password).await.unwrap();
        for stored in [
            Some(&*hash),
            None,
            Some(""),
            Some("$2b$04$"),
            Some("$2b$04$\u{e4}\u{e4}\u{e4}7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey"),
            Some(
                "$argon2id$v=19$m=4294967295,t=4294967295,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AQEBAQEBAQEBAQEBAQEBAQ",
            ),
        ] {
            let before = passwords.stats().hashed;
            let verdict = passwords.verify(&secret("battery staple"), stored).await;
            assert_eq!(verdict, WRONG, "{stored:?}");
            assert_eq!(passwords.stats().hashed, before + 1, "{stored:?}");
        }
    }

    #[test]
    fn what_is_not_a_hash_of_ours_still_fills_the_memory_once() {
        let cost = Cost::new(&tiny());
        let decoy = cost.decoy(&[1; SALT_LENGTH], &[2; 32]);
        let judging = Judging {
            config: tiny(),
            cost: cost.clone(),
            decoy: decoy.clone(),
            breached: Breached::default(),
        };
        for stored in ["", "$2b$04$", &decoy] {
            let mut memory = Memory::new(cost.blocks(), Arc::default());
            assert_eq!(judging.compare("password", stored, &mut memory), Ok(Verdict::Wrong));
            assert!(memory.is_soiled(), "{stored}");
        }
    }

    #[tokio::test]
    async fn nobody_has_the_password_of_the_decoy() {
        let passwords = start(&tiny());
        let decoy = passwords.0.judging.decoy.clone();
        assert_eq!(recognise(&decoy), Ok(Scheme::Argon2id));
        assert!(decoy.contains("$m=64,t=1,p=1$"));
        assert_ne!(decoy, start(&tiny()).0.judging.decoy);
    }

    #[tokio::test]
    async fn only_a_password_that_may_be_used_is_hashed() {
        let passwords = start(&tiny());
        let context = policy::Context { email: Some("ann@example.org"), ..Default::default() };
        let refused = passwords.choose(&secret("password"), &context).await;
        assert_eq!(refused, Err(Rejected::Weak(vec![Weakness::Common])));

        let password = secret("correct horse battery staple");
        let hash = passwords.choose(&password, &context).await.unwrap();
        assert_eq!(passwords.verify(&password, Some(&hash)).await, RIGHT);

        passwords.shutdown();
        let late = passwords.choose(&password, &context).await;
        assert!(matches!(late, Err(Rejected::Overloaded(_))), "{late:?}");
    }

    #[tokio::test]
    async fn the_memory_ceiling_can_be_computed() {
        let passwords =
            start(&config::Password { hash_memory_kib: 19 * 1024, hash_workers: 3, ..tiny() });
        let stats = passwords.stats();
        assert_eq!(stats.workers, 3);
        assert_eq!(stats.memory_ceiling, (3 * 19 + 129) * 1024 * 1024);
    }

    #[tokio::test]
    async fn after_shutdown_nothing_is_hashed() {
        let passwords = Passwords::start(&tiny(), Arc::new(Real));
        passwords.shutdown();
        assert!(passwords.hash(&secret("correct horse")).await.is_err());
    }
}
