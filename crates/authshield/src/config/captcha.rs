//! When a captcha is asked for, and whose.

use secrecy::SecretString;
use url::Url;

use super::lints;
use super::setting::{Fallback, choice, settings};

choice! {
    /// When a captcha is asked for.
    CaptchaWhen {
        /// Never.
        Never = "off",
        /// When something is not as usual: the place is known for attacks, or asks often.
        Suspicion = "suspicion",
        /// Always.
        Always = "always",
    }
}

choice! {
    /// Whose captcha.
    CaptchaProvider {
        /// Our own: proof of work by ALTCHA's protocol, which asks nobody else.
        Altcha = "altcha",
        /// Cloudflare Turnstile.
        Turnstile = "turnstile",
        /// hCaptcha.
        Hcaptcha = "hcaptcha",
        /// Google reCAPTCHA.
        Recaptcha = "recaptcha",
    }
}

settings! {
    /// Captchas: what makes it dear to ask by machine.
    Captcha at "captcha" "." {
        /// When one is asked for at a registration.
        registration: CaptchaWhen {
            fallback: Fallback::Always("off"),
            example: "suspicion",
            mistaken: &["CAPTCHA_REGISTER", "REGISTER_CAPTCHA"],
        }
        /// When one is asked for at a sign-in with a password.
        login: CaptchaWhen {
            fallback: Fallback::Always("off"),
            example: "suspicion",
            mistaken: &["CAPTCHA_SIGN_IN", "LOGIN_CAPTCHA"],
        }
        /// When one is asked for before a link to set a new password is sent, or a mail to sign in with.
        reset: CaptchaWhen {
            fallback: Fallback::Always("off"),
            example: "always",
            mistaken: &["CAPTCHA_FORGOT", "CAPTCHA_RECOVERY"],
        }
        /// Whose captcha; `altcha` needs nobody and no keys.
        provider: CaptchaProvider {
            fallback: Fallback::Always("altcha"),
            example: "turnstile",
            mistaken: &["CAPTCHA", "CAPTCHA_KIND", "CAPTCHA_TYPE"],
        }
        /// What a proof of work costs: the rounds of PBKDF2 in each of 256 tries, on average. 5,000 take a
        /// browser a second or two.
        cost: u32 {
            fallback: Fallback::Always("5000"),
            unit: "rounds",
            bounds: Some((1, 100_000)),
            example: "10000",
            mistaken: &["CAPTCHA_DIFFICULTY", "CAPTCHA_COMPLEXITY", "ALTCHA_COST"],
        }
        /// The provider's key for pages; everybody may see it.
        site_key: Option<String> {
            example: "0x4AAAAAAADnPIDROrmt1Wwj",
            mistaken: &["CAPTCHA_SITEKEY", "TURNSTILE_SITE_KEY", "HCAPTCHA_SITE_KEY", "RECAPTCHA_SITE_KEY"],
        }
        /// The provider's key for servers.
        secret_key: Option<SecretString> {
            example: "<the secret key of the site, as the provider shows it>",
            mistaken: &["CAPTCHA_SECRET", "TURNSTILE_SECRET_KEY", "HCAPTCHA_SECRET", "RECAPTCHA_SECRET_KEY"],
        }
        /// The sites whose captchas count, by their names; that of `public_url` unless set.
        hostnames: Vec<String> {
            fallback: Fallback::Always(""),
            example: "app.example.org",
            mistaken: &["CAPTCHA_HOSTS", "CAPTCHA_DOMAINS"],
        }
        /// Where the provider is asked, instead of at its own address: a proxy, say.
        verify_url: Option<Url> {
            lints: &[lints::HTTPS],
            example: "https://proxy.example.org/turnstile",
            mistaken: &["CAPTCHA_URL", "CAPTCHA_ENDPOINT"],
        }
    }
}
