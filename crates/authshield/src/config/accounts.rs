//! Accounts: opening them, proving them, their passwords.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::lints;
use super::setting::{DAY, Fallback, HOUR, MINUTE, choice, settings};

choice! {
    /// What somebody is told who registers an address that has an account.
    DuplicateEmail {
        /// The same as for a new one.
        Conceal = "conceal",
        /// 409.
        Reveal = "reveal",
    }
}

choice! {
    /// What becomes of an address whose domain is in the file of disposable ones.
    DisposableDomains {
        /// Nothing.
        Off = "off",
        /// An event says so; the address will do.
        Shadow = "shadow",
        /// It is refused.
        Refuse = "refuse",
    }
}

settings! {
    /// Opening accounts.
    Registration at "registration" "." {
        /// Whether strangers may open accounts.
        enabled: bool {
            reload: true,
            fallback: Fallback::Always("true"),
            example: "false",
            mistaken: &["REGISTRATION", "ALLOW_REGISTRATION", "SIGNUP_ENABLED", "REGISTRATION_OPEN"],
        }
        /// What somebody is told who registers an address that has an account: the same as for a new
        /// one, or 409.
        duplicate_email: DuplicateEmail {
            reload: true,
            fallback: Fallback::Always("conceal"),
            example: "reveal",
        }
        /// How long an account stays that was opened and whose address nobody proved: then it is deleted, unless a
        /// link that proves it still works.
        unproved_life: Duration {
            reload: true,
            fallback: Fallback::Always("30d"),
            bounds: Some((DAY, 365 * DAY)),
            example: "7d",
            mistaken: &["DELETE_UNVERIFIED_AFTER", "UNVERIFIED_TTL", "UNVERIFIED_ACCOUNT_TTL"],
        }
        /// A file of domains whose addresses nobody keeps, one to a line; `#` begins a comment. What is below such a domain
        /// counts, too. When it is replaced it is read anew.
        disposable_domains_file: Option<PathBuf> {
            reread: true,
            example: "/etc/authshield/disposable-domains.txt",
            mistaken: &["DISPOSABLE_DOMAINS", "DISPOSABLE_EMAIL_FILE", "BLOCKED_DOMAINS", "EMAIL_BLOCKLIST", "EMAIL_DENYLIST"],
        }
        /// What becomes of an address in one of them, where somebody registers or changes to it: nothing (`off`), an event
        /// (`shadow`), or it is refused (`refuse`), and then no account is opened with it by another way either.
        disposable_domains: DisposableDomains {
            reload: true,
            fallback: Fallback::Always("shadow"),
            example: "refuse",
            mistaken: &["DISPOSABLE_EMAIL", "BLOCK_DISPOSABLE_EMAIL", "DISPOSABLE_MODE"],
        }
    }
}

settings! {
    /// Proving that an address is one's own.
    Verification at "verification" "." {
        /// How long the link works.
        ttl: Duration {
            fallback: Fallback::Always("24h"),
            bounds: Some((MINUTE, 30 * DAY)),
            example: "24h",
            mistaken: &["EMAIL_VERIFICATION_TTL", "VERIFY_TTL", "VERIFICATION_TOKEN_TTL"],
        }
    }
}

settings! {
    /// Getting back into an account.
    Recovery at "recovery" "." {
        /// How long the link to reset a password works.
        ttl: Duration {
            fallback: Fallback::Always("1h"),
            bounds: Some((MINUTE, 7 * DAY)),
            example: "1h",
            mistaken: &["PASSWORD_RESET_TTL", "RESET_TTL", "RECOVERY_TOKEN_TTL"],
        }
        /// How long the link works by which the owner of an account says that a sign-in from a new device
        /// was not theirs.
        not_me_ttl: Duration {
            fallback: Fallback::Always("7d"),
            bounds: Some((MINUTE, 30 * DAY)),
            example: "3d",
        }
    }
}

settings! {
    /// Signing in without a password, by a mail with a code and a link.
    MagicLink at "magic_link" "." {
        /// Whether people sign in so. Whoever reads somebody's mail can then do so, too, where no second factor is
        /// asked for: a mailbox is no factor by NIST SP 800-63B, so it is off unless you want it.
        enabled: bool {
            reload: true,
            fallback: Fallback::Always("false"),
            example: "true",
            mistaken: &["MAGIC_LINK", "MAGIC_LINKS", "PASSWORDLESS", "PASSWORDLESS_ENABLED", "EMAIL_OTP"],
        }
        /// How long code and link work.
        ttl: Duration {
            fallback: Fallback::Always("10m"),
            bounds: Some((MINUTE, HOUR)),
            example: "10m",
            mistaken: &["MAGIC_LINK_EXPIRES", "EMAIL_OTP_TTL", "LOGIN_CODE_TTL"],
        }
    }
}

settings! {
    /// Leaving: the end of an account that its owner asked for.
    Deletion at "deletion" "." {
        /// How long after its owner asked for it an account is deleted; until then that can be taken
        /// back.
        grace: Duration {
            reload: true,
            fallback: Fallback::Always("14d"),
            bounds: Some((0, 365 * DAY)),
            example: "30d",
            mistaken: &["DELETION_GRACE_PERIOD", "ACCOUNT_DELETION_DELAY", "DELETE_AFTER"],
        }
    }
}

settings! {
    /// Second factors: who must have one, for how long a proof is fresh, and where it is spared.
    SecondFactor at "second_factor" "." {
        /// The roles whose holders must have a second factor; `user` is everybody. Whoever must and has
        /// none can sign in to add one, and do nothing else.
        required_for: Vec<String> {
            fallback: Fallback::Always(""),
            example: "admin,moderator",
            mistaken: &["REQUIRE_2FA", "REQUIRE_MFA", "MFA_REQUIRED", "MFA_REQUIRED_ROLES"],
        }
        /// How long after somebody proved who they are they may do what cannot be taken back: change
        /// the password or the address of an account with a second factor, roles, the status of an
        /// account. Later they are asked again.
        max_age: Duration {
            reload: true,
            fallback: Fallback::Always("15m"),
            bounds: Some((MINUTE, DAY)),
            example: "5m",
            mistaken: &["STEP_UP_MAX_AGE", "REAUTH_AFTER", "SUDO_TIMEOUT"],
        }
        /// How long a device on which somebody says so may sign in without their second factor; `0s` switches
        /// that off. A shorter time counts at once, a longer one for devices that come after.
        trusted_device_ttl: Duration {
            reload: true,
            fallback: Fallback::Always("30d"),
            bounds: Some((0, 90 * DAY)),
            example: "14d",
            mistaken: &["REMEMBER_DEVICE_DAYS", "TRUSTED_DEVICE_DAYS", "REMEMBER_ME_TTL", "MFA_REMEMBER_DAYS"],
        }
        /// The roles whose holders show their second factor at every sign-in, on whatever device, as those of
        /// `second_factor.required_for` do; `user` is everybody.
        trusted_device_except: Vec<String> {
            fallback: Fallback::Always("admin"),
            example: "admin,moderator",
            mistaken: &["TRUSTED_DEVICE_EXCLUDED_ROLES", "NEVER_TRUST_ROLES"],
        }
    }
}

choice! {
    /// When a server of others is asked whether a password was stolen elsewhere.
    BreachedRanges {
        /// Never.
        Never = "off",
        /// When one is chosen.
        New = "new",
        /// When one is chosen, and when somebody signs in with the right one.
        Always = "always",
    }
}

choice! {
    /// What follows when somebody signs in with a password that was stolen elsewhere.
    BreachedAtSignIn {
        /// An event says so; they get in.
        Record = "record",
        /// Nothing.
        Ignore = "ignore",
    }
}

settings! {
    /// Passkeys: for which domain, and on which pages.
    Passkeys at "passkeys" "." {
        /// The domain that passkeys are for; the host of `public_url` unless set, or a domain above it. Who
        /// changes it makes every passkey worthless.
        rp_id: Option<String> {
            example: "example.org",
            mistaken: &["RP_ID", "WEBAUTHN_RP_ID", "RELYING_PARTY", "PASSKEY_DOMAIN"],
        }
        /// The exact origins of pages that may use passkeys, besides that of `public_url`.
        origins: Vec<String> {
            fallback: Fallback::Always(""),
            example: "https://app.example.org",
            mistaken: &["RP_ORIGIN", "WEBAUTHN_ORIGIN", "WEBAUTHN_ORIGINS", "PASSKEY_ORIGINS"],
            lints: &[lints::ORIGINS],
        }
    }
}

settings! {
    /// Passwords: which are good enough, and what hashing one costs. Memory for hashing is at most
    /// `hash_memory_kib` times `hash_workers`.
    Password at "password" "." {
        /// Whether people have passwords. Without, nobody sets one or shows one: they sign in by mail, with a
        /// passkey or at a provider. Hashes that are stored stay, and open nothing.
        enabled: bool {
            reload: true,
            fallback: Fallback::Always("true"),
            example: "false",
            mistaken: &["PASSWORDS", "PASSWORD_LOGIN", "PASSWORD_AUTH", "PASSWORDS_ENABLED"],
        }
        /// The fewest characters.
        min_length: usize {
            fallback: Fallback::Always("8"),
            unit: "characters",
            bounds: Some((8, 64)),
            example: "12",
            mistaken: &["MIN_PASSWORD_LENGTH", "PASSWORD_LENGTH"],
        }
        /// The least zxcvbn score, from 0 (guessed at once) to 4.
        min_strength: u8 {
            fallback: Fallback::Always("3"),
            unit: "zxcvbn score",
            bounds: Some((0, 4)),
            example: "3",
            mistaken: &["PASSWORD_STRENGTH", "PASSWORD_SCORE"],
        }
        /// The file of passwords that were stolen elsewhere, as `authshield breach build` makes it: none of them
        /// may be chosen. When it is replaced it is read anew.
        breached_file: Option<PathBuf> {
            reread: true,
            example: "/var/lib/authshield/breached.filter",
            mistaken: &["PWNED_PASSWORDS_FILE", "HIBP_FILE", "BREACHED_PASSWORDS_FILE", "BREACH_FILE"],
        }
        /// When somebody else's server is asked, besides the file, whether a password was stolen elsewhere: never
        /// (`off`), when one is chosen (`new`), or at sign-ins, too, if it is right (`always`). It is told the first five of
        /// the 40 hex digits of the password's SHA-1, and nothing else. If it does not answer, the file decides, or the
        /// password will do.
        breached_ranges: BreachedRanges {
            fallback: Fallback::Always("off"),
            example: "new",
            mistaken: &["HIBP_ENABLED", "PWNED_PASSWORDS", "PWNED_PASSWORDS_API", "BREACHED_PASSWORDS"],
        }
        /// Where it is: the five digits are put behind. Whatever speaks the range API of "Pwned Passwords" will do.
        breached_ranges_url: Url {
            fallback: Fallback::Always("https://api.pwnedpasswords.com/range/"),
            lints: &[lints::HTTPS],
            example: "https://ranges.example.org/range/",
            mistaken: &["HIBP_URL", "HIBP_API_URL", "PWNED_PASSWORDS_URL"],
        }
        /// How long somebody waits for it, at most. After it did not answer it is left alone for ten seconds.
        breached_ranges_timeout: Duration {
            fallback: Fallback::Always("1s"),
            bounds: Some((50, 10_000)),
            example: "500ms",
            mistaken: &["HIBP_TIMEOUT", "PWNED_PASSWORDS_TIMEOUT"],
        }
        /// What follows when somebody signs in with one that was stolen: an event, or nothing. They get in.
        breached_at_sign_in: BreachedAtSignIn {
            reload: true,
            fallback: Fallback::Always("record"),
            example: "ignore",
        }
        /// Argon2id's memory for one hash.
        hash_memory_kib: u32 {
            fallback: Fallback::Always("19456"),
            unit: "KiB",
            bounds: Some((8, 4_194_304)),
            example: "19456",
            mistaken: &["PASSWORD_HASH_MEMORY", "ARGON2_MEMORY", "ARGON2_MEMORY_KIB"],
        }
        /// Argon2id's passes over that memory.
        hash_iterations: u32 {
            fallback: Fallback::Always("2"),
            unit: "passes",
            bounds: Some((1, 1000)),
            example: "2",
            mistaken: &["PASSWORD_HASH_TIME", "ARGON2_ITERATIONS", "ARGON2_TIME"],
        }
        /// Argon2id's lanes.
        hash_parallelism: u32 {
            fallback: Fallback::Always("1"),
            unit: "lanes",
            bounds: Some((1, 64)),
            example: "1",
            mistaken: &["ARGON2_PARALLELISM", "PASSWORD_HASH_LANES"],
        }
        /// How many hashes are computed at once; 0 is one per core.
        hash_workers: usize {
            fallback: Fallback::Always("0"),
            unit: "threads",
            bounds: Some((0, 1024)),
            example: "2",
            mistaken: &["HASH_WORKERS", "PASSWORD_HASH_THREADS"],
        }
        /// The longest expected wait for a hash; when it would be longer, the answer is 503 at once.
        hash_max_wait: Duration {
            fallback: Fallback::Always("700ms"),
            bounds: Some((10, MINUTE)),
            example: "700ms",
            mistaken: &["HASH_MAX_WAIT", "PASSWORD_HASH_TIMEOUT"],
        }
    }
}
