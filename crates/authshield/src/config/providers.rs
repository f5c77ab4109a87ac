//! Providers that take mail over HTTP: one section each.

use secrecy::SecretString;
use url::Url;

use super::lints;
use super::setting::{Fallback, choice, settings};

choice! {
    /// Who takes our mail.
    MailProvider {
        /// A relay, by SMTP (`smtp.*`).
        Smtp = "smtp",
        /// Amazon SES (`ses.*`).
        Ses = "ses",
        /// Postmark (`postmark.*`).
        Postmark = "postmark",
        /// SendGrid (`sendgrid.*`).
        Sendgrid = "sendgrid",
        /// Mailgun (`mailgun.*`).
        Mailgun = "mailgun",
        /// Resend (`resend.*`).
        Resend = "resend",
    }
}

impl MailProvider {
    /// Every one there is.
    pub const ALL: [Self; 6] =
        [Self::Smtp, Self::Ses, Self::Postmark, Self::Sendgrid, Self::Mailgun, Self::Resend];
}

settings! {
    /// Amazon SES, for `mail.provider = "ses"`.
    Ses at "ses" "." {
        /// The region that sends.
        region: Option<String> {
            example: "eu-central-1",
            mistaken: &["AWS_REGION", "SES_AWS_REGION"],
            foreign: &["AWS_SES_REGION"],
        }
        /// The id of the access key.
        access_key_id: Option<String> {
            example: "AKIAIOSFODNN7XMPLKEY",
            mistaken: &["AWS_ACCESS_KEY_ID", "SES_KEY_ID", "SES_ACCESS_KEY"],
        }
        /// The secret of the access key. It needs `ses:SendEmail`, and for checks `ses:GetAccount`,
        /// `ses:GetEmailIdentity` and `ses:GetConfigurationSetEventDestinations`.
        secret_access_key: Option<SecretString> {
            example: "<the key's secret>",
            mistaken: &["AWS_SECRET_ACCESS_KEY", "SES_SECRET_KEY", "SES_SECRET"],
            lints: &[lints::SHORT_SECRET],
        }
        /// The configuration set that tells an SNS topic what became of mail.
        configuration_set: Option<String> {
            example: "authshield",
            mistaken: &["SES_CONFIG_SET", "SES_CONFIGURATION"],
        }
        /// The SNS topics whose reports are believed, by their ARNs; unset, none are.
        topics: Vec<String> {
            fallback: Fallback::Always(""),
            example: "arn:aws:sns:eu-central-1:123456789012:mail",
            mistaken: &["SNS_TOPIC_ARN", "SES_TOPIC", "SES_TOPIC_ARN", "SNS_TOPICS"],
        }
        /// Where the API is, if not at `https://email.{region}.amazonaws.com`.
        url: Option<Url> {
            example: "https://email-fips.us-east-1.amazonaws.com",
            mistaken: &["SES_ENDPOINT", "AWS_ENDPOINT_URL"],
            lints: &[lints::HTTPS],
        }
        /// Where SNS keeps its certificates, if not at `https://sns.{region}.amazonaws.com`; nothing is
        /// fetched from elsewhere.
        sns_url: Option<Url> {
            example: "https://sns.cn-north-1.amazonaws.com.cn",
            mistaken: &["SNS_ENDPOINT", "SNS_URL"],
            lints: &[lints::HTTPS],
        }
    }
}

impl Ses {
    fn or_regional(&self, given: Option<&Url>, service: &str) -> Option<Url> {
        let regional = || {
            let region = self.region.as_deref()?;
            format!("https://{service}.{region}.amazonaws.com").parse().ok()
        };
        given.cloned().or_else(regional)
    }

    /// Returns where the API is.
    #[must_use]
    pub fn base(&self) -> Option<Url> {
        self.or_regional(self.url.as_ref(), "email")
    }

    /// Returns where SNS keeps its certificates.
    #[must_use]
    pub fn sns_origin(&self) -> Option<Url> {
        self.or_regional(self.sns_url.as_ref(), "sns")
    }
}

settings! {
    /// Postmark, for `mail.provider = "postmark"`.
    Postmark at "postmark" "." {
        /// The token of the server.
        server_token: Option<SecretString> {
            example: "<the server's API token>",
            mistaken: &["POSTMARK_TOKEN", "POSTMARK_API_TOKEN", "POSTMARK_API_KEY"],
            foreign: &["POSTMARK_API_TOKEN"],
            lints: &[lints::SHORT_SECRET],
        }
        /// The message stream that carries mail.
        message_stream: String {
            fallback: Fallback::Always("outbound"),
            example: "outbound",
            mistaken: &["POSTMARK_STREAM"],
        }
        /// What Postmark shows as the password of HTTP Basic to `/api/v1/webhooks/mail/postmark`; unset,
        /// that address does not exist.
        webhook_secret: Option<SecretString> {
            example: "<openssl rand -hex 24>",
            mistaken: &["POSTMARK_WEBHOOK_PASSWORD"],
            lints: &[lints::STRONG_SECRET],
        }
        /// Where the API is.
        url: Url {
            fallback: Fallback::Always("https://api.postmarkapp.com"),
            example: "https://api.postmarkapp.com",
            lints: &[lints::HTTPS],
        }
    }
}

settings! {
    /// SendGrid, for `mail.provider = "sendgrid"`.
    Sendgrid at "sendgrid" "." {
        /// The API key; it needs `mail.send`, and for checks `user.webhooks.event.settings.read` and
        /// `whitelabel.read`.
        api_key: Option<SecretString> {
            example: "<the API key>",
            mistaken: &["SENDGRID_KEY", "SENDGRID_TOKEN"],
            lints: &[lints::SHORT_SECRET],
        }
        /// The public key under which the event webhook is signed, in base64; unset,
        /// `/api/v1/webhooks/mail/sendgrid` does not exist.
        webhook_public_key: Option<String> {
            example: "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
            mistaken: &["SENDGRID_WEBHOOK_KEY", "SENDGRID_VERIFICATION_KEY"],
        }
        /// Where the API is; in the EU `https://api.eu.sendgrid.com`.
        url: Url {
            fallback: Fallback::Always("https://api.sendgrid.com"),
            example: "https://api.eu.sendgrid.com",
            lints: &[lints::HTTPS],
        }
    }
}

settings! {
    /// Mailgun, for `mail.provider = "mailgun"`.
    Mailgun at "mailgun" "." {
        /// The API key.
        api_key: Option<SecretString> {
            example: "<the API key>",
            mistaken: &["MAILGUN_KEY", "MAILGUN_TOKEN"],
            lints: &[lints::SHORT_SECRET],
        }
        /// The domain that sends.
        domain: Option<String> {
            example: "mail.acme.dev",
            mistaken: &["MAILGUN_HOST", "MAILGUN_SENDER_DOMAIN"],
            lints: &[lints::BARE_HOST, lints::EXAMPLE_DOMAIN],
        }
        /// The key that signs webhooks; unset, `/api/v1/webhooks/mail/mailgun` does not exist.
        webhook_signing_key: Option<SecretString> {
            example: "<the HTTP webhook signing key>",
            mistaken: &["MAILGUN_SIGNING_KEY", "MAILGUN_WEBHOOK_KEY", "MAILGUN_WEBHOOK_SECRET"],
            lints: &[lints::SHORT_SECRET],
        }
        /// Where the API is; in the EU `https://api.eu.mailgun.net`.
        url: Url {
            fallback: Fallback::Always("https://api.mailgun.net"),
            example: "https://api.eu.mailgun.net",
            lints: &[lints::HTTPS],
        }
    }
}

settings! {
    /// Resend, for `mail.provider = "resend"`.
    Resend at "resend" "." {
        /// The API key; one that may do more than send lets checks see domains and webhooks.
        api_key: Option<SecretString> {
            example: "<the API key>",
            mistaken: &["RESEND_KEY", "RESEND_TOKEN"],
            lints: &[lints::SHORT_SECRET],
        }
        /// The secret that signs webhooks, `whsec_…`; unset, `/api/v1/webhooks/mail/resend` does not
        /// exist.
        webhook_secret: Option<SecretString> {
            example: "<the webhook's signing secret>",
            mistaken: &["RESEND_SIGNING_SECRET", "RESEND_WHSEC"],
            lints: &[lints::SHORT_SECRET],
        }
        /// Where the API is.
        url: Url {
            fallback: Fallback::Always("https://api.resend.com"),
            example: "https://api.resend.com",
            lints: &[lints::HTTPS],
        }
    }
}
