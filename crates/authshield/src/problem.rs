//! Every code that a client can get (RFC 9457).
//!
//! A story fails with its own error; a `From` impl beside the handler turns it into a [`Problem`];
//! [`crate::frame`] gives it the request id and writes it out. Rows are added to the page of codes,
//! never changed: programs compare these strings.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $status:literal $wire:literal $title:literal;)*) => {
        /// A stable name for what went wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])* $name,)*
        }

        impl Code {
            /// Every code there is, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the name on the wire.
            #[must_use]
            pub fn wire(self) -> &'static str {
                match self { $(Self::$name => $wire,)* }
            }

            /// Returns the status it travels with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => {
                        const STATUS: u16 = $status;
                        StatusCode::from_u16(STATUS).expect("the page holds statuses")
                    })*
                }
            }

            /// Returns a short sentence for people; the same for every occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Returns what the documentation says about it.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*),)* }
            }
        }
    };
}

codes! {
    /// The address or the password is wrong. It deliberately does not say which, nor whether the
    /// account exists.
    InvalidCredentials = 401 "AUTH_INVALID_CREDENTIALS" "The email address or the password is wrong";
    /// The password is right, but the address was never verified. Ask for a new verification mail.
    EmailNotVerified = 403 "AUTH_EMAIL_NOT_VERIFIED" "The email address is not verified";
    /// Whoever this is proved it, but the account was disabled by an administrator.
    AccountDisabled = 403 "AUTH_ACCOUNT_DISABLED" "The account is disabled";
    /// The password is right, and the account has a second factor. Send `mfa_token` with a code to
    /// `POST /auth/2fa/verify`; it works once, for five minutes. `factors` says what may be shown, and
    /// `trust_expires_in` for how many seconds the device can be trusted, if it can.
    SecondFactorRequired = 403 "AUTH_2FA_REQUIRED" "A second factor is needed";
    /// The password is right, and the policy asks for a second factor that the account does not have. Send
    /// `mfa_token` to `POST /auth/2fa/enrol` to add one; it works for five minutes.
    SecondFactorEnrolmentRequired = 403 "AUTH_2FA_ENROLMENT_REQUIRED" "A second factor must be added";
    /// The passkey is unknown, or what its authenticator or the browser says is not believed, or the
    /// challenge was used or has expired. Ask for a new one.
    PasskeyInvalid = 401 "AUTH_PASSKEY_INVALID" "The passkey is not valid";
    /// The account has as many passkeys as it may have.
    TooManyPasskeys = 409 "AUTH_TOO_MANY_PASSKEYS" "There are too many passkeys";
    /// There is no such passkey, or it belongs to somebody else.
    PasskeyNotFound = 404 "PASSKEY_NOT_FOUND" "There is no such passkey";
    /// There is no such provider.
    ProviderNotFound = 404 "OAUTH_PROVIDER_NOT_FOUND" "There is no such provider";
    /// The address to go back to is none of those in `oauth.return_to`, byte by byte.
    ReturnToRefused = 400 "OAUTH_RETURN_TO_REFUSED" "The address to go back to is not allowed";
    /// The provider does not answer as it should. Other ways of signing in work.
    ProviderUnavailable = 503 "OAUTH_PROVIDER_UNAVAILABLE" "The provider is not available";
    /// This browser did not begin that sign-in, or it was completed already, or it took too long. Begin again.
    CallbackInvalid = 400 "OAUTH_CALLBACK_INVALID" "The sign-in did not begin here";
    /// The code is unknown, was used or has expired, or the verifier is not that of its challenge. Begin again.
    FederationCodeInvalid = 400 "OAUTH_CODE_INVALID" "The code is not valid";
    /// The provider does not say that the address is verified, or is not believed for its domain. Sign in another
    /// way, and link the identity then.
    FederatedEmailUnverified = 403 "OAUTH_EMAIL_UNVERIFIED" "The provider does not vouch for the address";
    /// The address has an account with another identity of the same provider. Sign in to it, and link this one.
    IdentityNotLinked = 409 "OAUTH_IDENTITY_NOT_LINKED" "The identity is not linked to the account";
    /// The identity belongs to somebody else's account.
    IdentityTaken = 409 "OAUTH_IDENTITY_TAKEN" "The identity is linked to another account";
    /// There is no such identity, or it belongs to somebody else.
    IdentityNotFound = 404 "IDENTITY_NOT_FOUND" "There is no such identity";
    /// There is no such trusted device, or it belongs to somebody else.
    TrustedDeviceNotFound = 404 "TRUSTED_DEVICE_NOT_FOUND" "There is no such trusted device";
    /// Without it nobody could sign in to the account any more. Choose a password or add a passkey first.
    LastWayIn = 409 "AUTH_LAST_WAY_IN" "This is the last way of signing in";
    /// The code or the link is wrong, was used or has expired, or the `handle` is not that of who asked for the mail.
    /// Ask for another.
    MagicLinkInvalid = 401 "AUTH_MAGIC_LINK_INVALID" "The code or the link is not valid";
    /// Whoever runs the service switched this way of signing in off.
    SignInMethodOff = 403 "AUTH_SIGN_IN_METHOD_OFF" "This way of signing in is switched off";
    /// This cannot be taken back, and you proved who you are too long ago. Prove it again with
    /// `POST /auth/step-up`; `factors` says with what, `max_age` for how many seconds it counts.
    StepUpRequired = 403 "AUTH_STEP_UP_REQUIRED" "Prove again who you are";
    /// The code is wrong, was used before or has expired, or the `mfa_token` was used or has expired.
    SecondFactorInvalid = 401 "AUTH_2FA_INVALID" "The code is not valid";
    /// The account has no second factor, or nobody has begun to add one.
    SecondFactorNotEnabled = 400 "AUTH_2FA_NOT_ENABLED" "There is no second factor";
    /// The account has a second factor already. Disable it first.
    SecondFactorAlreadyEnabled = 400 "AUTH_2FA_ALREADY_ENABLED" "There is a second factor already";
    /// The request carries no access token. Send `Authorization: Bearer …`.
    TokenMissing = 401 "AUTH_TOKEN_MISSING" "An access token is needed";
    /// The access token is malformed, or not signed by us, or not meant for this service.
    TokenInvalid = 401 "AUTH_TOKEN_INVALID" "The access token is not valid";
    /// The access token is past its end. Use the refresh token to get a new one.
    TokenExpired = 401 "AUTH_TOKEN_EXPIRED" "The access token has expired";
    /// The session that the access token belongs to has ended. Sign in again.
    TokenRevoked = 401 "AUTH_TOKEN_REVOKED" "The session has ended";
    /// The refresh token is unknown, expired or revoked. Sign in again.
    RefreshTokenInvalid = 401 "AUTH_REFRESH_TOKEN_INVALID" "The refresh token is not valid";
    /// The refresh token was used before: somebody else may hold a copy. The whole session was
    /// ended, with everything issued from it. Sign in again.
    RefreshTokenReused = 401 "AUTH_REFRESH_TOKEN_REUSED" "The refresh token was already used";
    /// The caller is known but may not do that. The member `required` names the permission.
    InsufficientPermissions = 403 "AUTH_INSUFFICIENT_PERMISSIONS" "Not allowed";
    /// An account with this address exists. Only with `registration.duplicate_email = "reveal"`.
    EmailAlreadyRegistered = 409 "AUTH_EMAIL_ALREADY_REGISTERED" "The email address is already registered";
    /// The link is unknown, used or expired. Ask for a new mail.
    InvalidVerificationToken = 400 "AUTH_INVALID_VERIFICATION_TOKEN" "The verification link is not valid";
    /// The link is unknown, used or expired. Ask for a new mail.
    InvalidResetToken = 400 "AUTH_INVALID_RESET_TOKEN" "The reset link is not valid";
    /// The link is unknown, used or expired. If somebody else is in your account, ask for a new password.
    InvalidNoticeToken = 400 "AUTH_INVALID_NOTICE_TOKEN" "The link of the notice is not valid";
    /// The current password is wrong.
    PasswordMismatch = 400 "AUTH_PASSWORD_MISMATCH" "The current password is wrong";
    /// The new password is the current one.
    SamePassword = 400 "AUTH_SAME_PASSWORD" "The new password must differ from the current one";
    /// Registration is switched off here.
    RegistrationClosed = 403 "AUTH_REGISTRATION_CLOSED" "Registration is closed";
    /// The domain of the address is one of those whose mailboxes nobody keeps, and this service takes none. Use an
    /// address that lasts.
    EmailDomainRefused = 422 "AUTH_EMAIL_DOMAIN_REFUSED" "Addresses of this domain are not taken";
    /// There is no such user.
    UserNotFound = 404 "USER_NOT_FOUND" "There is no such user";
    /// A captcha has to be solved first, or the answer to one does not count. `provider` says whose, `site_key` is
    /// the provider's key for pages, and `challenge_url` where our own challenges are. Send the request again
    /// with the answer as `captcha_token`.
    CaptchaRequired = 403 "AUTH_CAPTCHA_REQUIRED" "A captcha has to be solved";
    /// There is no such session, or it belongs to somebody else, or it has ended.
    SessionNotFound = 404 "SESSION_NOT_FOUND" "There is no such session";
    /// There is no such mail, or it was long ago.
    MailNotFound = 404 "MAIL_NOT_FOUND" "There is no such mail";
    /// The mail cannot be sent again; `detail` says why.
    MailNotResendable = 409 "MAIL_NOT_RESENDABLE" "The mail cannot be sent again";
    /// There is no such suppression; perhaps it was lifted.
    SuppressionNotFound = 404 "MAIL_SUPPRESSION_NOT_FOUND" "There is no such suppression";
    /// The webhook does not show its secret.
    WebhookUnauthenticated = 401 "WEBHOOK_UNAUTHENTICATED" "The webhook is not authenticated";
    /// There is nothing at this address.
    RouteNotFound = 404 "ROUTE_NOT_FOUND" "There is nothing here";
    /// The address exists, but not with this method; `Allow` lists those that work.
    MethodNotAllowed = 405 "METHOD_NOT_ALLOWED" "The method is not allowed here";
    /// An administrator tried to take the role `admin` from themselves. Somebody else has to.
    CannotRemoveOwnRole = 400 "ADMIN_CANNOT_REMOVE_OWN_ROLE" "You cannot remove your own admin role";
    /// Nobody would be left who can administer this service.
    LastAdmin = 400 "ADMIN_LAST_ADMIN" "The last administrator cannot be lost";
    /// The body broke off, or its chunks make no sense.
    RequestMalformed = 400 "REQUEST_MALFORMED" "The request cannot be read";
    /// The body is larger than 64 KiB.
    BodyTooLarge = 413 "REQUEST_BODY_TOO_LARGE" "The body is too large";
    /// The body must say `Content-Type: application/json`.
    UnsupportedMediaType = 415 "REQUEST_UNSUPPORTED_MEDIA_TYPE" "The content type is not supported";
    /// The form was not sent by one of our own pages, or by one that was shown before somebody signed in or
    /// out. Load the page again.
    FormRefused = 403 "REQUEST_FORM_REFUSED" "The form is not from our own page";
    /// The request was not complete in time.
    RequestTimeout = 408 "REQUEST_TIMEOUT" "The request took too long";
    /// The request is not what the operation takes; `errors` says what and where.
    ValidationFailed = 422 "VALIDATION_FAILED" "The request is not valid";
    /// Too many requests; `Retry-After` says when to come back.
    RateLimitExceeded = 429 "RATE_LIMIT_EXCEEDED" "Too many requests";
    /// More work than this service can do now. Nothing was done; `Retry-After` says when to retry.
    ServiceOverloaded = 503 "SERVICE_OVERLOADED" "The service is busy";
    /// Something that this request needs is down. Nothing is half done; `Retry-After` says when to
    /// retry.
    ServiceUnavailable = 503 "SERVICE_UNAVAILABLE" "The service is not available";
    /// Our fault. The log has the cause under `request_id`.
    InternalError = 500 "INTERNAL_ERROR" "Something went wrong on our side";
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Invalid {
    /// Where in the body, as an RFC 6901 pointer; empty for the whole.
    pub pointer: String,
    /// A stable name for what is wrong.
    pub code: String,
    /// A sentence that says what to do.
    pub detail: String,
}

/// What went wrong, as it travels (RFC 9457).
///
/// Shown here for the description only: [`Problem`] writes it.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "its fields are read by the derive")]
pub struct ProblemBody {
    /// The address of the code's documentation.
    #[schema(format = Uri)]
    r#type: String,
    /// What went wrong, in the same words every time.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What went wrong this time, and what to do.
    detail: Option<String>,
    /// A stable name to compare with.
    code: String,
    /// The name of this request in our log.
    request_id: String,
    /// What is wrong with the body, and where.
    errors: Option<Vec<Invalid>>,
}

/// What a handler answers when it cannot do what it was asked.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The stable name.
    pub code: Code,
    /// Boxed, so that a `Result` with a problem stays small.
    more: Box<More>,
}

#[derive(Debug, Clone, Default)]
struct More {
    detail: Option<String>,
    members: Map<String, Value>,
    /// A member that is for the client alone: no `Debug` shows it.
    secret: Option<(&'static str, SecretString)>,
    retry_after: Option<Duration>,
    /// For the log only.
    inner: Option<String>,
    /// Which limit refused, for the metrics and for what the client is told.
    exceeded: Option<crate::limits::Exceeded>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self { code, more: Box::default() }
    }
}

impl Problem {
    /// Says what went wrong this time.
    #[must_use]
    pub fn detail(mut self, words: impl Into<String>) -> Self {
        self.more.detail = Some(words.into());
        self
    }

    /// Adds a member that the code documents.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a member that nobody but the client may read.
    #[must_use]
    pub fn with_secret(mut self, name: &'static str, value: SecretString) -> Self {
        self.more.secret = Some((name, value));
        self
    }

    /// Says when to come back, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.more.retry_after = Some(after);
        self
    }

    /// Keeps the true reason for the log; nothing of it is sent.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.more.inner = Some(reason.into());
        self
    }

    /// Returns which limit refused, if one did.
    pub(crate) fn exceeded(&self) -> Option<crate::limits::Exceeded> {
        self.more.exceeded
    }

    /// A request that is not what the operation takes.
    #[must_use]
    pub fn invalid(errors: &[Invalid]) -> Self {
        let detail = errors.first().map_or_else(String::new, |error| error.detail.clone());
        let errors = serde_json::to_value(errors).expect("plain data");
        Self::from(Code::ValidationFailed).detail(detail).with("errors", errors)
    }

    /// One field that is not what the operation takes.
    #[must_use]
    pub fn invalid_field(pointer: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::invalid(&[Invalid {
            pointer: pointer.into(),
            code: code.into(),
            detail: detail.into(),
        }])
    }

    /// Our fault: the cause goes to the log.
    #[must_use]
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        Self::from(Code::InternalError).because(chain(cause))
    }

    /// Returns when to come back, if that was said.
    pub(crate) fn when(&self) -> Option<Duration> {
        self.more.retry_after
    }

    /// Returns the true reason, for the log.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.more.inner.as_deref()
    }

    /// Writes the body, with what only the frame knows.
    pub(crate) fn render(self, public_url: &str, request_id: &str) -> Response {
        let mut body = Map::new();
        body.insert("type".into(), json!(format!("{public_url}/problems/{}", self.code.wire())));
        body.insert("title".into(), json!(self.code.title()));
        body.insert("status".into(), json!(self.code.status().as_u16()));
        let More { detail, members, secret, retry_after, inner, .. } = *self.more;
        let detail = detail.unwrap_or_else(|| self.code.words().trim().replace('\n', " "));
        body.insert("detail".into(), json!(detail));
        body.insert("code".into(), json!(self.code.wire()));
        body.insert("request_id".into(), json!(request_id));
        body.extend(members);
        if let Some((name, value)) = secret {
            body.insert(name.into(), json!(value.expose_secret()));
        }
        let mut response = (self.code.status(), Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(after)));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED
            && let Some(challenge) = challenge(self.code)
        {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(crate::telemetry::ProblemCode(self.code.wire()));
        if let Some(inner) = inner {
            response.extensions_mut().insert(crate::telemetry::InnerReason(inner));
        }
        response
    }
}

/// Whole seconds, rounded up, at least one: `Retry-After: 0` would invite a storm.
pub(crate) fn seconds_up(span: Duration) -> u64 {
    (span.as_secs() + u64::from(span.subsec_nanos() > 0)).max(1)
}

/// What a client is told about how to authenticate (RFC 6750, 3).
fn challenge(code: Code) -> Option<&'static str> {
    Some(match code {
        // Without a token there is no error to name (RFC 6750, 3.1).
        Code::TokenMissing => "Bearer",
        Code::TokenInvalid => {
            "Bearer error=\"invalid_token\", error_description=\"The access token is not valid\""
        }
        Code::TokenExpired => {
            "Bearer error=\"invalid_token\", error_description=\"The access token has expired\""
        }
        Code::TokenRevoked => {
            "Bearer error=\"invalid_token\", error_description=\"The session has ended\""
        }
        _ => return None,
    })
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        // Some errors of others repeat their cause.
        if !words.ends_with(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        source = cause.source();
    }
    words
}

impl IntoResponse for Problem {
    /// Leaves the body to [`crate::frame`], which knows the request id.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<onesql::Error> for Problem {
    fn from(error: onesql::Error) -> Self {
        if error.is_unavailable() {
            Self::from(Code::ServiceUnavailable)
                .detail("The database cannot be reached. Nothing is half done; try again soon.")
                .retry_after(Duration::from_secs(2))
                .because(chain(&error))
        } else {
            Self::internal(&error)
        }
    }
}

impl From<crate::limits::Exceeded> for Problem {
    fn from(exceeded: crate::limits::Exceeded) -> Self {
        let seconds = exceeded.retry_after_seconds();
        let mut problem = Self::from(Code::RateLimitExceeded)
            .detail(format!("Too many requests. Try again in {seconds} seconds."))
            .with("limit", exceeded.rule.at_most)
            .with("window_seconds", exceeded.rule.within.as_secs())
            .with("retry_after", seconds)
            .retry_after(exceeded.retry_after)
            .because(exceeded.rule.name);
        problem.more.exceeded = Some(exceeded);
        problem
    }
}

impl From<crate::passwords::Overloaded> for Problem {
    fn from(overloaded: crate::passwords::Overloaded) -> Self {
        Self::from(Code::ServiceOverloaded)
            .detail("Too many sign-ins at once. Nothing was done; try again soon.")
            .retry_after(overloaded.retry_after)
            .because("hash_queue_full")
    }
}

/// Describes the answers of an operation: one entry per status, listing its codes.
pub(crate) fn describe(
    codes: &[Code],
) -> BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
    let mut by_status: BTreeMap<String, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16().to_string()).or_default().push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| {
            let words: Vec<_> =
                codes.iter().map(|code| format!("`{}`: {}.", code.wire(), code.title())).collect();
            let response = utoipa::openapi::ResponseBuilder::new()
                .description(words.join(" "))
                .content(
                    "application/problem+json",
                    utoipa::openapi::ContentBuilder::new()
                        .schema(Some(utoipa::openapi::Ref::from_schema_name("Problem")))
                        .build(),
                )
                .build();
            (status, response.into())
        })
        .collect()
}

/// Declares the codes of an operation, for its description.
macro_rules! problems {
    ($(#[$doc:meta])* $name:ident = $($code:ident)|*) => {
        $(#[$doc])*
        pub struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::problem::describe(&[
                    $($crate::problem::Code::$code,)*
                    // What any operation may answer.
                    $crate::problem::Code::RequestMalformed,
                    $crate::problem::Code::RateLimitExceeded,
                    $crate::problem::Code::ServiceUnavailable,
                    $crate::problem::Code::InternalError,
                    $crate::problem::Code::RequestTimeout,
                ])
            }
        }
    };
}
pub(crate) use problems;

/// Returns `docs/src/reference/problems.md`.
#[must_use]
pub fn document() -> String {
    use std::fmt::Write;

    let mut page = String::from(
        "<!-- Generated from crates/authshield/src/problem.rs. -->\n\
         # Problems\n\n\
         Whatever goes wrong, the answer is a problem (RFC 9457) with the content type\n\
         `application/problem+json`. Programs compare `code`; people read `detail`. Codes are an interface:\n\
         they are added to, never changed.\n\n\
         | Member | Meaning |\n| --- | --- |\n\
         | `type` | a URI that names the code |\n\
         | `title` | what went wrong, in the same words every time |\n\
         | `status` | the HTTP status |\n\
         | `detail` | what went wrong this time, and what to do |\n\
         | `code` | a name from this page |\n\
         | `request_id` | the name of the request in the log; also in the header `x-request-id` |\n\
         | `errors` | with `VALIDATION_FAILED`: a list of `pointer` (RFC 6901), `code` and `detail` |\n\
         | `required` | with `AUTH_INSUFFICIENT_PERMISSIONS`: the permission that is missing |\n\
         | `mfa_token`, `factors` | with `AUTH_2FA_REQUIRED` and `AUTH_2FA_ENROLMENT_REQUIRED`: what to send back with the code, and which kinds of code there are |\n\
         | `max_age`, `factors` | with `AUTH_STEP_UP_REQUIRED`: for how many seconds a proof counts, and what may be shown |\n\
         | `limit`, `window_seconds`, `retry_after` | with `RATE_LIMIT_EXCEEDED`: how much is allowed in how long, and when to come back |\n\n\
         A 401 has `WWW-Authenticate` (RFC 6750) where the access token is what is wrong. A 429, and a 503\n\
         that will pass, has `Retry-After` in seconds.\n",
    );
    for code in Code::ALL {
        let (wire, status) = (code.wire(), code.status().as_u16());
        let words = code.words().trim();
        let _ = write!(page, "\n## {wire}\n\n{status}: {}.\n\n{words}\n", code.title());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_problems_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/problems.md");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(written, document(), "set UPDATE_GENERATED=1 and run this test to rewrite it");
    }
}
